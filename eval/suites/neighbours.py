"""Neighbours: is a question's own paragraph told from the likeliest other paragraph of the same article?

Every third answerable question of SQuAD 2.0's articles at odd places. The other paragraph holds no gold answer and
shares the most words with the question, each weighing its inverse document frequency in the article.
"""

from __future__ import annotations

import math
import re
from collections import Counter

from eval.intervals import auroc_interval
from eval.suites.bench import Bench
from eval.suites.data import find
from eval.suites.figures import Figure
from eval.suites.spans import holds_answer
from eval.suites.squad import FILE, Article, Paragraph, Question, chosen, load_articles, scores_of
from rag.errors import BadInput

EVERY = 3
TARGETS = {"Neighbours, AUROC": 0.95}


def measure(bench: Bench) -> list[Figure]:
    """How often the own paragraph scores above the neighbour, by the score that SQuAD's suite chooses."""
    articles = load_articles(find(bench.data, FILE))[1::2]
    cases = [
        (article, paragraph, question)
        for article in articles
        for paragraph in article.paragraphs
        for question in paragraph.questions
        if question.answers
    ]
    score = chosen(bench).score
    reader = bench.engines.reader(bench.settings)
    positives: list[float] = []
    negatives: list[float] = []
    for article, own, question in bench.each(bench.some(cases[::EVERY]), "Neighbours"):
        other = neighbour(article, own, question)
        if other is None:
            continue
        reading, of_other = reader.read(question.text, [own.text, other.text])
        positives.append(scores_of(reading)[score])
        negatives.append(scores_of(of_other)[score])
    if not positives:
        raise BadInput("No question has a neighbouring paragraph.", hint="Get the file again, or raise --limit.")
    return [Figure.of("Neighbours, AUROC", auroc_interval(positives, negatives), TARGETS)]


def neighbour(article: Article, own: Paragraph, question: Question) -> Paragraph | None:
    """The other paragraph without a gold answer that shares most with the question, the first of equals."""
    words = [_words(paragraph.text) for paragraph in article.paragraphs]
    found_in = Counter(word for some in words for word in some)
    asked = _words(question.text)

    def shared(place: int) -> float:
        return math.fsum(math.log(len(words) / found_in[word]) for word in sorted(asked & words[place]))

    others = [
        place
        for place, paragraph in enumerate(article.paragraphs)
        if paragraph != own and not holds_answer(paragraph.text, question.answers)
    ]
    return article.paragraphs[max(others, key=shared)] if others else None


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))
