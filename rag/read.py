"""Question and hits to evidence: every sentence scored by likeness, shared words and the kind of answer asked for."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

import numpy as np

from rag.deny import denies
from rag.protocols import Embedder
from rag.questions import STOP_WORDS, WORD, Asked, analyse, concept, plain_words, stem
from rag.records import Evidence, Hit, Sentence
from rag.values import Figure, agree, dates, figures, moment

if TYPE_CHECKING:
    from rag.protocols import Vectors

# Logistic regression on the gold questions that may be tuned on: tests/benchmarks/fit_scoring.py prints both lines.
BIAS = -8.03
WEIGHTS = (2.57, 5.60, 2.04, -2.15, -0.90)
LOOKED_AT = 8  # sentences whose words are compared by meaning: the cost of a reading is mostly there
OTHER_MOOD = 0.5
NAME = re.compile(r"\b[A-Z][\w&]*(?:[ ][A-Z0-9][\w&]*)*")


@dataclass(frozen=True, slots=True)
class Features:
    """What speaks for a sentence, each 0 to 1: the order is that of the weights."""

    likeness: float
    coverage: float
    fits: float
    other_year: float
    stranger: float

    def score(self) -> float:
        """The probability that the sentence answers."""
        z = BIAS + sum(weight * value for weight, value in zip(WEIGHTS, astuple(self), strict=True))
        return round(1 / (1 + math.exp(-z)), 6)


class ScoringReader:
    """Scores every sentence of the hits with the embedding model alone."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    def read(self, question: str, hits: Sequence[Hit]) -> list[Evidence]:
        """The prose sentences of the hits, best first, with the words that answer where the kind of answer has some."""
        asked = analyse(question)
        places = _places(hits)
        texts = [hit.passage.sentence_text(sentence) for hit, sentence in places]
        scores = [features.score() for features in self.features(question, hits)]
        answers = _answers(asked, texts, scores)
        evidence = []
        for (hit, sentence), text, score, span in zip(places, texts, scores, answers, strict=True):
            denied = asked.kind == "yesno" and denies(asked, question, text)
            evidence.append(Evidence(hit, sentence, score, _shifted(span, sentence.start), denied))
        return sorted(evidence, key=lambda e: (-e.score, e.hit.passage.source, e.sentence.start))

    def features(self, question: str, hits: Sequence[Hit]) -> list[Features]:
        """The features of the hits' prose sentences, in the order of their places."""
        places = _places(hits)
        if not places:
            return []
        asked = analyse(question)
        texts = [hit.passage.sentence_text(sentence) for hit, sentence in places]
        likeness = self._embedder.embed(texts) @ self._embedder.embed_question(question)
        coverage = self._coverage(asked, texts, likeness)
        return [
            Features(float(like), float(covered), *_subject(asked, hit, text))
            for (hit, _), text, like, covered in zip(places, texts, likeness, coverage, strict=True)
        ]

    def _coverage(self, asked: Asked, texts: Sequence[str], likeness: Vectors) -> Vectors:
        """How much of the question's words each sentence holds, rare words counting more.

        In the sentences that look best so far, a word also counts in part where a like one stands for it.
        """
        words = list(dict.fromkeys(concept(word) for word in asked.words))
        if not words:
            return np.zeros(len(texts), dtype=np.float32)
        sentences = [_content(text) for text in texts]
        covered = np.array([[word in sentence for word in words] for sentence in sentences], dtype=np.float32)
        weights = np.log(1 + len(texts) / (1 + covered.sum(axis=0)))
        weights /= weights.sum()
        best = np.argsort(-(likeness + covered @ weights), kind="stable")[:LOOKED_AT]
        vocabulary = sorted({*words, *(word for row in best for word in sentences[row])})
        place = {word: column for column, word in enumerate(vocabulary)}
        vectors = self._embedder.embed(vocabulary)
        asked_vectors = vectors[[place[word] for word in words]]
        for row in best:
            if sentences[row]:
                others = vectors[[place[word] for word in sorted(sentences[row])]]
                alike = np.clip((asked_vectors @ others.T).max(axis=1), 0, 1) ** 2
                covered[row] = np.maximum(covered[row], alike)
        share: Vectors = covered @ weights
        return share


def _places(hits: Sequence[Hit]) -> list[tuple[Hit, Sentence]]:
    """The sentences that may answer, each once, though passages overlap."""
    places = {
        (hit.passage.source, sentence.start): (hit, sentence)
        for hit in reversed(hits)
        for sentence in hit.passage.sentences
        if sentence.kind in ("prose", "item")
    }
    return [places[key] for key in sorted(places)]


def _content(text: str) -> set[str]:
    return {concept(word) for word in WORD.findall(text) if word.lower() not in STOP_WORDS}


def _subject(asked: Asked, hit: Hit, text: str) -> tuple[float, float, float]:
    """Whether the sentence has the kind of answer, and whether its passage lacks the year or a name of the question."""
    whole = f"{hit.title or ''} {hit.passage.heading or ''} {hit.passage.text} {hit.published or ''}".lower()
    fits = asked.kind not in ("amount", "date", "name", "place") or bool(_candidates(asked, text))
    other_year = bool(asked.years) and not any(year in whole for year in asked.years)
    stranger = not all(name.lower() in whole for name in asked.names)
    return float(fits), float(other_year), float(stranger)


def _candidates(asked: Asked, text: str) -> list[tuple[int, int]]:
    """The words of a sentence that could be the answer, by the kind of answer."""
    if asked.kind == "amount":
        return [(figure.start, figure.end) for figure in figures(text)]
    if asked.kind == "date":
        return [(date.start, date.end) for date in dates(text)]
    if asked.kind in ("name", "place"):
        own = {stem(word) for word in asked.words}
        spans = [m.span() for m in NAME.finditer(text) if not {stem(word) for word in m.group().split()} & own]
        return [(start, end) for start, end in spans if text[start:end].lower() not in STOP_WORDS]
    return []


def _answers(asked: Asked, texts: Sequence[str], scores: Sequence[float]) -> list[tuple[int, int] | None]:
    """For each sentence the words that answer: a figure that others bear out, else what is nearest to the question."""
    if asked.kind == "amount":
        return _figures_borne_out(asked, texts, scores)
    return [_nearest(asked, text, _candidates(asked, text)) for text in texts]


def _figures_borne_out(asked: Asked, texts: Sequence[str], scores: Sequence[float]) -> list[tuple[int, int] | None]:
    """For each sentence its figure with the most votes: every sentence votes with its score for what agrees with it.

    A plan counts less where a fact is asked for, and the other way round.
    """
    told = [[(figure, moment(text, figure).prospective) for figure in figures(text)] for text in texts]

    def votes(figure: Figure, prospective: bool) -> float:
        supported = sum(
            score
            for others, score in zip(told, scores, strict=True)
            if any(prospective == planned and agree(figure, other) for other, planned in others)
        )
        return supported if prospective == asked.prospective else supported * OTHER_MOOD

    answers: list[tuple[int, int] | None] = []
    for found in told:
        best = max(found, key=lambda pair: votes(*pair), default=None)
        answers.append((best[0].start, best[0].end) if best else None)
    return answers


def _nearest(asked: Asked, text: str, spans: Sequence[tuple[int, int]]) -> tuple[int, int] | None:
    own = {concept(word) for word in plain_words(asked)}
    places = [match.start() for match in WORD.finditer(text) if concept(match.group()) in own]
    return min(spans, key=lambda span: (min((abs(span[0] - p) for p in places), default=0), span), default=None)


def _shifted(span: tuple[int, int] | None, offset: int) -> tuple[int, int] | None:
    return None if span is None else (span[0] + offset, span[1] + offset)
