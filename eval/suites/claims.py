"""The verifier: claims held against evidence.

FoolMeTwice (Eisenschlos et al. 2021) has claims that people wrote to mislead, with the gold sentences that decide
them. Made contradictions are sentences of held-out text with one thing changed, by the kind of the change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

from eval.intervals import mean_interval
from eval.suites.bench import Bench
from eval.suites.data import find, load_lines, shaped
from eval.suites.figures import Figure
from rag.errors import BadInput
from rag.records import Support

FOOL_ME_TWICE = "fool_me_twice/test.jsonl"
TOGETHER = 32  # claims that are verified at a time
FALSE_ALARMS = 0.05
TARGETS = {
    "FoolMeTwice, accuracy": 0.72,
    "Contradictions found, number": 0.95,
    "Contradictions found, date": 0.95,
    "Contradictions found, name": 0.95,
    "Contradictions found, negation": 0.80,
}

Label = Literal["supported", "contradicted", "neither"]


@dataclass(frozen=True, slots=True)
class LabelledClaim:
    """A claim, its evidence, what the evidence says of it, and the kind of the change that was made."""

    claim: str
    evidence: str
    label: Label
    kind: str = ""


def measure_fool_me_twice(bench: Bench) -> list[Figure]:
    """How often "supported" is likelier than "contradicted" exactly where the evidence supports the claim."""
    claims = bench.some(load_fool_me_twice(find(bench.data, FOOL_ME_TWICE)))
    right = [
        (support.supported > support.contradicted) == (claim.label == "supported")
        for claim, support in zip(claims, _verified(bench, claims, "FoolMeTwice"), strict=True)
    ]
    return [Figure.of("FoolMeTwice, accuracy", mean_interval([float(verdict) for verdict in right]), TARGETS)]


def measure_contradictions(bench: Bench) -> list[Figure]:
    """The share of contradictions found, per kind, where at most 5 % of the supported claims raise an alarm.

    The threshold is taken as given by the intervals: they speak of the contradictions alone.
    """
    if bench.claims is None:
        raise BadInput("The suite contradictions has no claims.", hint="Name their file: --claims FILE.jsonl")
    claims = bench.some(load_claims(bench.claims))
    alarms = [support.contradicted for support in _verified(bench, claims, "Contradictions")]
    calm = [alarm for claim, alarm in zip(claims, alarms, strict=True) if claim.label == "supported"]
    if not calm or all(claim.label != "contradicted" for claim in claims):
        raise BadInput(
            f"{bench.claims} lacks supported or contradicted claims.", hint="Make it anew, or raise --limit."
        )
    threshold = alarm_threshold(calm, FALSE_ALARMS)
    raised = [(claim, float(alarm > threshold)) for claim, alarm in zip(claims, alarms, strict=True)]
    found = [(claim.kind, rang) for claim, rang in raised if claim.label == "contradicted"]
    figures = [Figure.of("Contradictions found, all kinds", mean_interval([rang for _, rang in found]), TARGETS)]
    for kind in sorted({kind for kind, _ in found}):
        of_kind = mean_interval([rang for other, rang in found if other == kind])
        figures.append(Figure.of(f"Contradictions found, {kind}", of_kind, TARGETS))
    unrelated = [rang for claim, rang in raised if claim.label == "neither"]
    if unrelated:
        name = "Contradictions, alarms where the evidence says nothing"
        figures.append(Figure.of(name, mean_interval(unrelated), TARGETS, higher_is_better=False))
    return figures


def alarm_threshold(calm: Sequence[float], share: float) -> float:
    """The least of the values that at most this share of them exceeds: of 1 to 20 at 5 % it is 19."""
    return sorted(calm, reverse=True)[int(share * len(calm) + 1e-9)]


def load_fool_me_twice(path: Path) -> list[LabelledClaim]:
    """The claims with their gold sentences joined, in the file's order."""
    rows = load_lines(path)
    labels: dict[str, Label] = {"SUPPORTS": "supported", "REFUTES": "contradicted"}
    with shaped(path):
        return [
            LabelledClaim(row["text"], " ".join(e["text"] for e in row["gold_evidence"]), labels[row["label"]])
            for row in rows
        ]


def load_claims(path: Path) -> list[LabelledClaim]:
    """The claims of a file that the training package wrote: claim, evidence, label and kind in each row."""
    if not path.is_file():
        raise BadInput(f"There is no file {path}.", hint="--claims takes the file of made contradictions.")
    rows = load_lines(path)
    with shaped(path):
        for row in rows:
            if row["label"] not in get_args(Label):
                raise ValueError(f"the label {row['label']!r}")
        return [LabelledClaim(row["claim"], row["evidence"], cast(Label, row["label"]), row["kind"]) for row in rows]


def _verified(bench: Bench, claims: Sequence[LabelledClaim], what: str) -> list[Support]:
    verifier = bench.engines.verifier(bench.settings)
    pairs = [(claim.claim, claim.evidence) for claim in claims]
    groups = [pairs[start : start + TOGETHER] for start in range(0, len(pairs), TOGETHER)]
    return [support for group in bench.each(groups, what) for support in verifier.verify(group)]
