"""NQ: Natural Questions with short answers, each question's gold passage among those of all (Liu et al. 2024).

Retrieval is measured by the rank of the source that is the question's own passage; passages that are equal are one
source. The whole answerer is measured by the exact match of its short answer, a refusal counting as wrong.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from eval.intervals import mean_interval
from eval.suites.bench import Bench
from eval.suites.corpus import Corpus, Text, indexed, ranked, widened
from eval.suites.data import find, load_lines, shaped
from eval.suites.figures import Figure
from eval.suites.spans import exact_match, holds_answer
from rag.wiring import open_store

FILE = "nq_oracle/nq-open-oracle.jsonl"
DEPTH = 10
TARGETS = {"NQ, Hit@1": 0.84, "NQ, nDCG@10": 0.92, "NQ, exact match of the short answer": 0.45}  # BM25: .769, .863


@dataclass(frozen=True, slots=True)
class Question:
    """One question, its short answers and its gold passage."""

    text: str
    answers: tuple[str, ...]
    gold: Text


def measure(bench: Bench) -> list[Figure]:
    """How high the gold passage ranks, and how often the answerer's short answer is right."""
    questions = load_questions(find(bench.data, FILE))
    corpus = indexed(bench, "nq", [question.gold for question in questions])
    some = bench.some(questions)
    return _ranking(bench, corpus, some) + _answering(bench, corpus, some)


def load_questions(path: Path) -> list[Question]:
    """The questions of the file, in its order."""
    rows = load_lines(path)
    with shaped(path):
        return [
            Question(row["question"], tuple(row["answers"]), Text(row["ctxs"][0]["title"], row["ctxs"][0]["text"]))
            for row in rows
        ]


def reciprocal_rank(ranking: Sequence[str], gold: str) -> float:
    """1 for the first place, 1/2 for the second, 0 where the gold source is not in the ranking."""
    return 1 / (1 + ranking.index(gold)) if gold in ranking else 0.0


def discounted_gain(ranking: Sequence[str], gold: str) -> float:
    """nDCG with one relevant source: 1 / log2(1 + rank), 0 where it is not in the ranking."""
    return 1 / math.log2(2 + ranking.index(gold)) if gold in ranking else 0.0


def _ranking(bench: Bench, corpus: Corpus, questions: Sequence[Question]) -> list[Figure]:
    retriever = bench.engines.retriever(widened(corpus.settings, DEPTH))
    rankings = []
    with open_store(corpus.settings).snapshot() as snapshot:
        for question in bench.each(questions, "NQ, finding"):
            hits = retriever.retrieve(question.text, snapshot)
            rankings.append((ranked(hits, DEPTH), corpus.sources[question.gold]))
    return [
        Figure.of("NQ, Hit@1", mean_interval([float(names[:1] == [gold]) for names, gold in rankings]), TARGETS),
        Figure.of("NQ, MRR@10", mean_interval([reciprocal_rank(names, gold) for names, gold in rankings]), TARGETS),
        Figure.of("NQ, nDCG@10", mean_interval([discounted_gain(names, gold) for names, gold in rankings]), TARGETS),
    ]


def _answering(bench: Bench, corpus: Corpus, questions: Sequence[Question]) -> list[Figure]:
    exact, held, refused = [], [], []
    with closing(bench.engines.answerer(corpus.settings)) as answerer:
        for question in bench.each(questions, "NQ, answering"):
            answer = answerer.ask(question.text)
            said = answer.outcome != "not_in_sources"
            refused.append(float(not said))
            exact.append(float(said and exact_match(answer.short or "", question.answers)))
            held.append(float(said and holds_answer(answer.text, question.answers)))
    return [
        Figure.of("NQ, exact match of the short answer", mean_interval(exact), TARGETS),
        Figure.of("NQ, a gold answer in the text", mean_interval(held), TARGETS),
        Figure.of("NQ, refused", mean_interval(refused), TARGETS, higher_is_better=False),
    ]
