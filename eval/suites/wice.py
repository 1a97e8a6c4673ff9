"""WiCE: claims of Wikipedia held against the articles that they cite (Kamoi et al. 2023).

As in the repository's oracle chunks: the sentences that an annotator named, filled up with others of the article drawn
by a fixed seed, each annotator's apart, and the highest score counts. A claim is "supported" or not; "partially
supported" counts as not. F1 is that of "supported", where its probability is at least a half.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from eval.intervals import auroc_interval, mean_interval, ratio_interval
from eval.suites.bench import Bench
from eval.suites.data import find, load_lines, shaped
from eval.suites.figures import Figure
from rag.errors import BadInput

FILE = "wice/claim-dev.jsonl"
FILL = 20_230_301
LONGEST = 1200
"""Characters of one piece of evidence: about the 256 tokens of the repository's."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim, whether all of it is supported, and the evidence of each annotator."""

    text: str
    supported: bool
    evidence: tuple[str, ...]


def measure(bench: Bench) -> list[Figure]:
    """F1 and accuracy of "supported", and how well the probability tells supported claims from others."""
    claims = bench.some(load_claims(find(bench.data, FILE)))
    if len({claim.supported for claim in claims}) < 2:
        raise BadInput("The claims are all of one kind, supported or not.", hint="Raise --limit.")
    verifier = bench.engines.verifier(bench.settings)
    scores = []
    for claim in bench.each(claims, "WiCE"):
        scores.append(max(s.supported for s in verifier.verify([(claim.text, piece) for piece in claim.evidence])))
    said = [score >= 0.5 for score in scores]
    gold = [claim.supported for claim in claims]
    figures = [
        Figure.of("WiCE, accuracy", mean_interval([float(a == b) for a, b in zip(said, gold, strict=True)])),
        Figure.of(
            "WiCE, AUROC",
            auroc_interval(
                [score for score, claim in zip(scores, claims, strict=True) if claim.supported],
                [score for score, claim in zip(scores, claims, strict=True) if not claim.supported],
            ),
        ),
    ]
    # F1 is 2 TP / (2 TP + FP + FN), a ratio of sums over claims.
    parts = [2.0 * (a and b) for a, b in zip(said, gold, strict=True)]
    wholes = [float(a) + float(b) for a, b in zip(said, gold, strict=True)]
    return [Figure.of("WiCE, F1 of supported", ratio_interval(parts, wholes)), *figures]


def load_claims(path: Path) -> list[Claim]:
    """The claims of the file, in its order."""
    rows = load_lines(path)
    with shaped(path):
        return [
            Claim(
                row["claim"],
                row["label"] == "supported",
                tuple(dict.fromkeys(filled(row["evidence"], named, place) for named in row["supporting_sentences"])),
            )
            for place, row in enumerate(rows)
        ]


def filled(sentences: Sequence[str], named: Sequence[int], place: int) -> str:
    """The named sentences with others of the article up to a length, all in their order; named ones always stay."""
    others = [number for number in range(len(sentences)) if number not in named]
    Random(FILL + place).shuffle(others)
    kept = set(named)
    length = sum(len(sentences[number]) for number in named)
    for number in others:
        length += len(sentences[number])
        if length > LONGEST:
            break
        kept.add(number)
    return " ".join(sentences[number] for number in sorted(kept)) or sentences[0]
