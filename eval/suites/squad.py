"""SQuAD 2.0: the reader on one paragraph a question, answerable or not.

The articles at odd places of the file (1, 3, 5, ...) are reported; three at even places, which training leaves out,
choose the score and the threshold below which the reader refuses. F1 as in `eval.suites.spans`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from eval.intervals import auroc_interval, mean_interval
from eval.suites.bench import Bench, Reads
from eval.suites.data import find, load_json, shaped
from eval.suites.figures import Figure
from eval.suites.spans import best_f1
from rag.errors import BadInput
from rag.records import Reading

FILE = "squad/dev-v2.0.json"
TUNING_PLACES = (2, 14, 26)  # the articles that choose score and threshold; training leaves them out
TARGETS = {"SQuAD 2.0, answerable F1": 0.82, "SQuAD 2.0, overall F1": 0.69, "SQuAD 2.0, AUROC": 0.82}
SCORES = ("answerable", "span", "answerable + span")


@dataclass(frozen=True, slots=True)
class Question:
    """One question to a paragraph; no answers where the paragraph does not answer it."""

    text: str
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Paragraph:
    """One paragraph of an article with its questions."""

    text: str
    questions: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class Article:
    """One article by its paragraphs."""

    title: str
    paragraphs: tuple[Paragraph, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that was read: whether it has an answer, the F1 of the best span, and the scores by their name."""

    answerable: bool
    f1: float
    scores: dict[str, float]


@dataclass(frozen=True, slots=True)
class Choice:
    """The score that tells answerable from not, and the threshold below which the reader refuses."""

    score: str
    threshold: float
    f1: float


def measure(bench: Bench) -> list[Figure]:
    """F1 on the answerable, F1 on all with refusals, and how well the score tells one from the other."""
    articles = load_articles(find(bench.data, FILE))
    choice = chosen(bench)
    reader = bench.engines.reader(bench.settings)
    pairs = bench.some(_pairs(articles[1::2]))
    asked = [ask(reader, question, paragraph) for paragraph, question in bench.each(pairs, "SQuAD 2.0")]
    positives = [row.scores[choice.score] for row in asked if row.answerable]
    negatives = [row.scores[choice.score] for row in asked if not row.answerable]
    if not positives or not negatives:
        raise BadInput("The questions are all of one kind, answerable or not.", hint="Raise --limit.")
    answerable = mean_interval([row.f1 for row in asked if row.answerable])
    overall = mean_interval([worth(row, choice) for row in asked])
    return [
        Figure.of("SQuAD 2.0, answerable F1", answerable, TARGETS),
        Figure.of("SQuAD 2.0, overall F1", overall, TARGETS),
        Figure.of("SQuAD 2.0, AUROC", auroc_interval(positives, negatives), TARGETS),
    ]


@cache
def chosen(bench: Bench) -> Choice:
    """The score and threshold with the best F1 on the articles to tune on; of equals the first score."""
    articles = load_articles(find(bench.data, FILE))
    reader = bench.engines.reader(bench.settings)
    pairs = bench.some(_pairs([articles[place] for place in TUNING_PLACES if place < len(articles)]))
    asked = [ask(reader, question, paragraph) for paragraph, question in bench.each(pairs, "Choosing the threshold")]
    return max((best_threshold(asked, score) for score in SCORES), key=lambda choice: choice.f1)


def ask(reader: Reads, question: Question, paragraph: Paragraph) -> Asked:
    """One question put to its paragraph alone."""
    reading = reader.read(question.text, [paragraph.text])[0]
    words = paragraph.text[reading.spans[0].start : reading.spans[0].end] if reading.spans else ""
    return Asked(bool(question.answers), best_f1(words, question.answers), scores_of(reading))


def scores_of(reading: Reading) -> dict[str, float]:
    """The candidates by name; a reading without a span is below all others."""
    span = reading.spans[0].score if reading.spans else float("-inf")
    return dict(zip(SCORES, (reading.answerable, span, reading.answerable + span), strict=True))


def worth(row: Asked, choice: Choice) -> float:
    """The F1 of a question with refusals: a refusal is worth 1 where there is no answer, else 0."""
    return row.f1 if row.scores[choice.score] >= choice.threshold else float(not row.answerable)


def best_threshold(asked: Sequence[Asked], score: str) -> Choice:
    """The threshold with the best mean worth; of equals the highest, and infinity where refusing always is best."""
    values = np.array([row.scores[score] for row in asked])
    order = np.argsort(-values, kind="stable")
    gains = np.array([row.f1 - float(not row.answerable) for row in asked])[order]
    refused = sum(not row.answerable for row in asked)
    totals = np.concatenate([[0.0], np.cumsum(gains)])
    # A threshold takes in all that share its value.
    last = np.append(values[order][1:] != values[order][:-1], True)
    totals[1:][~last] = -np.inf
    best = int(np.argmax(np.round(totals, 9)))
    threshold = float("inf") if best == 0 else float(values[order][best - 1])
    return Choice(score, threshold, (refused + float(totals[best])) / len(asked))


def load_articles(path: Path) -> list[Article]:
    """The articles of a SQuAD file, in its order."""
    record = load_json(path)
    with shaped(path):
        return [
            Article(
                article["title"],
                tuple(
                    Paragraph(
                        paragraph["context"],
                        tuple(
                            Question(row["question"], tuple(answer["text"] for answer in row["answers"]))
                            for row in paragraph["qas"]
                        ),
                    )
                    for paragraph in article["paragraphs"]
                ),
            )
            for article in record["data"]
        ]


def _pairs(articles: Sequence[Article]) -> list[tuple[Paragraph, Question]]:
    return [(p, question) for article in articles for p in article.paragraphs for question in p.questions]
