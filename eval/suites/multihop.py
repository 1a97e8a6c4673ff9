"""HotpotQA and MuSiQue: are all passages found that a question of several steps needs?

100 questions each with the corpora of HippoRAG (Gutiérrez et al. 2024). Recall@5 is the share of a question's
supporting passages among the first five sources; all-recall@5 asks for every one. A plain BM25 over the same index,
with all words of the question, stands beside.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from eval.intervals import mean_interval
from eval.suites.bench import Bench
from eval.suites.corpus import Corpus, Text, all_words, indexed, ranked, widened
from eval.suites.data import find, load_json, shaped
from eval.suites.figures import Figure
from rag.records import Hit
from rag.wiring import open_store

DEPTH = 5
TARGETS = {"HotpotQA, Recall@5": 0.88, "MuSiQue, Recall@5": 0.62}  # BM25, as published: .785, .501


@dataclass(frozen=True, slots=True)
class Question:
    """One question with the passages that its answer needs."""

    text: str
    supporting: frozenset[Text]


@dataclass(frozen=True, slots=True)
class Task:
    """A corpus and its questions."""

    corpus: tuple[Text, ...]
    questions: tuple[Question, ...]


class Searches(Protocol):
    """The full-text search of a snapshot."""

    def holding_words(self, words: Sequence[str], k: int) -> list[tuple[int, float]]:
        """The passages with the best BM25, best first."""

    def passages(self, ids: Sequence[int]) -> dict[int, Hit]:
        """The passages with these ids."""


def measure_hotpotqa(bench: Bench) -> list[Figure]:
    """Recall@5 on HotpotQA's 100 questions over 994 passages."""
    questions = find(bench.data, "hipporag/hotpotqa_train.json")
    return _measure(
        bench, "HotpotQA", load_hotpotqa(questions, find(bench.data, "hipporag/hotpotqa_train_corpus.json"))
    )


def measure_musique(bench: Bench) -> list[Figure]:
    """Recall@5 on MuSiQue's 100 questions over 1,890 passages."""
    questions = find(bench.data, "hipporag/musique_train.json")
    return _measure(bench, "MuSiQue", load_musique(questions, find(bench.data, "hipporag/musique_train_corpus.json")))


def load_hotpotqa(questions: Path, corpus: Path) -> Task:
    """A corpus of lists of sentences by title, and questions that name the titles that they need."""
    records: Any = load_json(corpus)
    rows: Any = load_json(questions)
    with shaped(corpus):
        texts = {title: Text(title, "".join(sentences)) for title, sentences in records.items()}
    with shaped(questions):
        asked = tuple(
            Question(row["question"], frozenset(texts[title] for title, _ in row["supporting_facts"])) for row in rows
        )
    return Task(tuple(texts.values()), asked)


def load_musique(questions: Path, corpus: Path) -> Task:
    """A corpus of titles and texts, and questions with paragraphs of which some are supporting."""
    records: Any = load_json(corpus)
    rows: Any = load_json(questions)
    with shaped(corpus):
        texts = tuple(Text(record["title"], record["text"]) for record in records)
    with shaped(questions):
        asked = tuple(Question(row["question"], frozenset(_supporting(row))) for row in rows)
        if not frozenset().union(*(question.supporting for question in asked)) <= set(texts):
            raise ValueError("a supporting paragraph is not in the corpus")
    return Task(texts, asked)


def recall(found: Sequence[str], wanted: Sequence[str]) -> float:
    """The share of the wanted sources that were found: "a", "x" of "a", "b" give 0.5."""
    return sum(source in found for source in wanted) / len(wanted)


def best_by_words(snapshot: Searches, question: str, k: int) -> list[Hit]:
    """The passages with the best BM25 for all words of the question, best first."""
    ids = [passage_id for passage_id, _ in snapshot.holding_words(all_words(question), k)]
    passages = snapshot.passages(ids)
    return [passages[passage_id] for passage_id in ids]


def _measure(bench: Bench, name: str, task: Task) -> list[Figure]:
    corpus = indexed(bench, name.lower(), task.corpus)
    settings = widened(corpus.settings, DEPTH)
    retriever = bench.engines.retriever(settings)
    ours: list[float] = []
    plain: list[float] = []
    with open_store(settings).snapshot() as snapshot:
        for question in bench.each(bench.some(task.questions), name):
            wanted = _sources(corpus, question)
            ours.append(recall(ranked(retriever.retrieve(question.text, snapshot), DEPTH), wanted))
            by_words = best_by_words(snapshot, question.text, settings.search.top_k)
            plain.append(recall(ranked(by_words, DEPTH), wanted))
    return [
        Figure.of(f"{name}, Recall@5", mean_interval(ours), TARGETS),
        Figure.of(f"{name}, all-recall@5", mean_interval([float(share == 1) for share in ours]), TARGETS),
        Figure.of(f"{name}, Recall@5 of plain BM25", mean_interval(plain), TARGETS),
        Figure.of(f"{name}, all-recall@5 of plain BM25", mean_interval([float(r == 1) for r in plain]), TARGETS),
    ]


def _supporting(row: Any) -> Iterator[Text]:
    for paragraph in row["paragraphs"]:
        if paragraph["is_supporting"]:
            yield Text(paragraph["title"], paragraph["paragraph_text"])


def _sources(corpus: Corpus, question: Question) -> list[str]:
    return sorted(corpus.sources[text] for text in question.supporting)
