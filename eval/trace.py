"""How an answer came about: the passages found, the sentences read, and which of them was chosen, with their scores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from eval.cases import Case
from rag.answering import Answerer
from rag.records import Answer, Answered, Event, Evidence, Found, Hit, Weighed

DIGITS = 6


@dataclass(frozen=True, slots=True)
class FoundPassage:
    """A passage that was retrieved, `source_text[start:end]`, with its scores as in `rag.records.Hit`."""

    source: str
    start: int
    end: int
    score: float
    dense: float | None
    lexical: float | None


@dataclass(frozen=True, slots=True)
class ReadSentence:
    """A sentence that the reader scored, `source_text[start:end]`.

    `answer` is the span in the source of the answering words, None where the whole sentence answers; `contradicts`
    marks a sentence that denies what was asked, and `chosen` one that the answer rests on.
    """

    source: str
    start: int
    end: int
    score: float
    answer: tuple[int, int] | None
    contradicts: bool
    chosen: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """One part of the question and what was read for it, best first; an answer needs a score of `threshold` or more."""

    question: str
    threshold: float
    sentences: tuple[ReadSentence, ...]


@dataclass(frozen=True, slots=True)
class Trace:
    """The passages that were found, best first, and the readings of the parts of the question."""

    found: tuple[FoundPassage, ...] = ()
    readings: tuple[Reading, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The trace as plain dictionaries and lists."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Trace:
        """The trace that `to_json` gave, also when it went through a file."""
        return cls(
            tuple(FoundPassage(**found) for found in record["found"]),
            tuple(
                Reading(each["question"], each["threshold"], tuple(_sentence(row) for row in each["sentences"]))
                for each in record["readings"]
            ),
        )


def ask_traced(answerer: Answerer) -> Callable[[Case], tuple[Answer, Trace]]:
    """What asks a case with its history and keeps what passed on the way; raises what the answerer raises."""

    def ask(case: Case) -> tuple[Answer, Trace]:
        return traced(answerer.stream(case.question, case.history))

    return ask


def traced(events: Iterable[Event]) -> tuple[Answer, Trace]:
    """The answer that the events end in, and their trace."""
    hits: tuple[Hit, ...] = ()
    for event in events:
        if isinstance(event, Found):
            hits = event.hits
        elif isinstance(event, Answered):
            found = tuple(_passage(hit) for hit in hits)
            return event.answer, Trace(found, tuple(_reading(weighed) for weighed in event.weighed))
    raise TypeError("The events end without an answer.")


def _passage(hit: Hit) -> FoundPassage:
    passage = hit.passage
    return FoundPassage(
        passage.source, passage.start, passage.end, _number(hit.score), _maybe(hit.dense), _maybe(hit.lexical)
    )


def _reading(weighed: Weighed) -> Reading:
    chosen = {_place(evidence) for evidence in weighed.chosen}
    sentences = tuple(
        ReadSentence(
            source=evidence.hit.passage.source,
            start=evidence.sentence.start,
            end=evidence.sentence.end,
            score=_number(evidence.score),
            answer=evidence.answer,
            contradicts=evidence.contradicts,
            chosen=_place(evidence) in chosen,
        )
        for evidence in weighed.evidence
    )
    return Reading(weighed.question, weighed.threshold, sentences)


def _place(evidence: Evidence) -> tuple[str, int]:
    return evidence.hit.passage.source, evidence.sentence.start


def _sentence(row: Mapping[str, Any]) -> ReadSentence:
    answer = row["answer"]
    return ReadSentence(**{**row, "answer": tuple(answer) if answer else None})


def _number(score: float) -> float:
    """The score as a float of Python, rounded; a back end may give one of numpy's."""
    return round(float(score), DIGITS)


def _maybe(score: float | None) -> float | None:
    return None if score is None else _number(score)
