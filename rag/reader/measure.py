"""`python -m rag.reader.measure MODEL.pt --data DIR`: how good a network is on what may be tuned on, to choose by.

All kinds of unanswerable questions are measured, since what helps one may harm another. The benchmarks that are
reported, on data that nothing was chosen by, are those of `eval/suites`.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from rag.reader.claims import made_claims
from rag.reader.corpora import TUNING_PLACES, squad
from rag.reader.export import load
from rag.reader.network import LABELS, Network, batch_of, tokenizer
from rag.reader.readings import Example, neighbours, people_s_own

LONGEST = 384
BATCH = 16
SPAN_TOKENS = 40


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m rag.reader.measure", description=__doc__.split("\n")[0])
    parser.add_argument("model", type=Path, help="model.pt or checkpoint.pt of a training run")
    parser.add_argument("--data", type=Path, required=True, help="folder with squad/")
    parser.add_argument("--limit", type=int, default=600, help="examples of each kind at most")
    options = parser.parse_args(arguments)
    network = load(options.model)
    own = people_s_own(options.data, training=False, seed=1)
    people = [example for example in own if example.start < 0][: options.limit]
    answerable = [example for example in own if example.start >= 0][: options.limit]
    near = list(neighbours(options.data, 1))[: options.limit]
    answered, spans = read(network, answerable)
    f1 = [token_f1(span, e.passage[e.start : e.end]) for span, e in zip(spans, answerable, strict=True)]
    print(f"F1 of the answerable        {np.mean(f1):.3f}  ({len(f1)})")
    for name, examples in (("people's own", people), ("neighbours", near)):
        print(f"AUROC against {name:13s} {auroc(answered, read(network, examples)[0]):.3f}  ({len(examples)})")
    articles = squad(options.data / "squad" / "dev-v2.0.json.gz")
    claims = list(made_claims([articles[place] for place in TUNING_PLACES], 1))[: options.limit]
    verdicts = _verdicts(network, [(claim.claim, claim.evidence) for claim in claims])
    right = [LABELS[verdict] == claim.label for verdict, claim in zip(verdicts, claims, strict=True)]
    print(f"accuracy on made claims     {np.mean(right):.3f}  ({len(right)})")


def auroc(positive: Sequence[float], negative: Sequence[float]) -> float:
    """The chance that a positive scores above a negative, ties half: ([2, 3], [1, 2]) gives 0.875."""
    above = np.array(positive)[:, None] - np.array(negative)[None, :]
    return float(((above > 0) + 0.5 * (above == 0)).mean())


def token_f1(said: str, gold: str) -> float:
    """Token F1 of two answers (Rajpurkar et al. 2016, section 6.1), articles and punctuation aside."""
    one, other = (
        [word for word in re.findall(r"\w+", text.lower()) if word not in ("a", "an", "the")] for text in (said, gold)
    )
    shared = sum((Counter(one) & Counter(other)).values())
    return 2 * shared / (len(one) + len(other)) if one and other else float(one == other)


def read(network: Network, examples: Sequence[Example]) -> tuple[list[float], list[str]]:
    """For each example the log-odds that the passage answers, and the best span's words."""
    encodings = tokenizer(LONGEST).encode_batch([(e.question, e.passage) for e in examples])
    scores, words = [], []
    for begin in range(0, len(examples), BATCH):
        rows = encodings[begin : begin + BATCH]
        with torch.no_grad():
            spans, answerable, _ = network(*batch_of(rows, network.words, "cpu"))
        for row, encoding in enumerate(rows):
            inside = [i for i, kind in enumerate(encoding.type_ids[:-1]) if kind == 1]
            start, end = spans[row, inside, 0].numpy(), spans[row, inside, 1].numpy()
            both = np.tril(np.triu(start[:, None] + end[None, :] + 1e4), SPAN_TOKENS - 1)
            first, last = np.unravel_index(int(both.argmax()), both.shape)
            nothing = float(spans[row, 0].sum())
            scores.append(float(answerable[row]) + float(both[first, last]) - 1e4 - nothing)
            offsets = encoding.offsets
            words.append(examples[begin + row].passage[offsets[inside[first]][0] : offsets[inside[last]][1]])
    return scores, words


def _verdicts(network: Network, pairs: Sequence[tuple[str, str]]) -> list[int]:
    encodings = tokenizer(LONGEST).encode_batch(list(pairs))
    verdicts: list[int] = []
    for begin in range(0, len(pairs), BATCH):
        with torch.no_grad():
            _, _, verdict = network(*batch_of(encodings[begin : begin + BATCH], network.words, "cpu"))
        verdicts += verdict.argmax(dim=-1).tolist()
    return verdicts


if __name__ == "__main__":
    main()
