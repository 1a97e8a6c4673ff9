"""Retrieval over the passages of four benchmarks in one index, with full-text searches of several depths.

    python -m tests.benchmarks.merged FOLDER --data DIR [--most 5000,0] [--leading 1000,0] [--questions 443] [--json]

The passages are those of NQ, HotpotQA, MuSiQue and SQuAD 1.1, some 31,000; asked is every second question of NQ and all
of the other two suites, at most so many. `--most` and `--leading` are values for the bounds of those names in
`rag/store/words.py`, 0 for none; all pairs of them take turns at each question, so that their times may be compared. A
second start goes on with the index that is there.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from eval.suites import multihop, nq
from eval.suites.bench import Bench
from eval.suites.command import REAL
from eval.suites.corpus import Corpus, Text, indexed, ranked, widened
from eval.suites.data import evenly, find
from rag.reader.corpora import squad
from rag.settings import load_settings
from rag.store import words as full_text
from rag.wiring import open_store
from tests.benchmarks.scale import say

UNBOUND = 1 << 40
SQUAD = ("squad/train-v1.1.json", "squad/dev-v1.1.json")


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, and how its ranking of sources is scored, by the figure's name."""

    text: str
    depth: int
    scores: dict[str, Callable[[Sequence[str]], float]]


def asked_of_nq(question: nq.Question, corpus: Corpus) -> Asked:
    """Hit@1 and nDCG@10 of the gold passage."""
    gold = corpus.sources[question.gold]
    scores = {
        "NQ, Hit@1": lambda found: float(found[:1] == [gold]),
        "NQ, nDCG@10": lambda found: nq.discounted_gain(found, gold),
    }
    return Asked(question.text, nq.DEPTH, scores)


def asked_of_several(name: str, question: multihop.Question, corpus: Corpus) -> Asked:
    """Recall@5 of the supporting passages."""
    wanted = sorted(corpus.sources[text] for text in question.supporting)
    return Asked(question.text, multihop.DEPTH, {f"{name}, Recall@5": lambda found: multihop.recall(found, wanted)})


def load(data: Path, questions: int, bench: Bench) -> tuple[Corpus, list[Asked]]:
    """The index of all passages, and what is asked of it."""
    of_nq = nq.load_questions(find(data, nq.FILE))
    several = {
        "HotpotQA": multihop.load_hotpotqa(
            *(find(data, f"hipporag/{name}.json") for name in ("hotpotqa_train", "hotpotqa_train_corpus"))
        ),
        "MuSiQue": multihop.load_musique(
            *(find(data, f"hipporag/{name}.json") for name in ("musique_train", "musique_train_corpus"))
        ),
    }
    texts = [question.gold for question in of_nq]
    texts += [text for task in several.values() for text in task.corpus]
    for name in SQUAD:
        texts += [Text(paragraph.title, paragraph.text) for article in squad(find(data, name)) for paragraph in article]
    corpus = indexed(bench, "merged", texts)
    asked = [asked_of_nq(question, corpus) for question in evenly(of_nq[::2], questions)]
    asked += [
        asked_of_several(name, q, corpus) for name, task in several.items() for q in evenly(task.questions, questions)
    ]
    return corpus, asked


def measure(corpus: Corpus, asked: Sequence[Asked], bounds: Sequence[tuple[int, int]]) -> list[dict[str, Any]]:
    """The figures of each (most, leading): means over questions, and milliseconds of a question's whole retrieval."""
    scores: dict[tuple[int, int], dict[str, list[float]]] = {pair: {} for pair in bounds}
    laps: dict[tuple[int, int], list[float]] = {pair: [] for pair in bounds}
    retrievers = {n: REAL.retriever(widened(corpus.settings, n)) for n in {question.depth for question in asked}}
    with open_store(corpus.settings).snapshot() as snapshot:
        for done, (question, pair) in enumerate(product(asked, bounds)):
            full_text.MOST, full_text.LEADING = (bound or UNBOUND for bound in pair)
            begun = time.perf_counter()
            hits = retrievers[question.depth].retrieve(question.text, snapshot)
            laps[pair].append(1000 * (time.perf_counter() - begun))
            found = ranked(hits, question.depth)
            for name, score in question.scores.items():
                scores[pair].setdefault(name, []).append(score(found))
            if done % 200 == 0:
                say(f"asked {done:,} of {len(asked) * len(bounds):,}")
    return [
        {"most": pair[0], "leading": pair[1]}
        | {name: round(float(np.mean(values)), 3) for name, values in scores[pair].items()}
        | {f"retrieve_p{p}_ms": round(float(np.percentile(laps[pair], p)), 1) for p in (50, 95)}
        for pair in bounds
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="the folder of the benchmarks' files")
    parser.add_argument("--most", default="5000,0")
    parser.add_argument("--leading", default="1000")
    parser.add_argument("--questions", type=int, default=443, help="of each suite at most")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    told = [0.0]

    def report(what: str, done: int, of: int) -> None:
        if time.monotonic() - told[0] > 10:
            told[0] = time.monotonic()
            say(f"{what}: {done:,} of {of:,}")

    bench = Bench(options.data, options.folder, load_settings(os.environ), REAL, report=report)
    corpus, asked = load(options.data, options.questions, bench)
    bounds = product(map(int, options.most.split(",")), map(int, options.leading.split(",")))
    rows = measure(corpus, asked, list(bounds))
    if options.json:
        print(json.dumps(rows, indent=2))
        return
    for name in rows[0]:
        print(f"{name:20}" + "".join(f"{row[name]!s:>10}" for row in rows))


if __name__ == "__main__":
    main()
