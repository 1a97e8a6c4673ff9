"""The ask path: a question to a stream of events whose last is the answer."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from typing import Protocol

from rag import compose
from rag.cite import Cited, Draft, DraftPosition, cite
from rag.converse import standalone
from rag.errors import BadQuestion
from rag.protocols import Snapshot
from rag.questions import Asked, analyse, parts
from rag.read import EvidenceReader
from rag.records import (
    REFUSAL,
    Answer,
    Answered,
    Event,
    Found,
    Hit,
    Nearest,
    Outcome,
    Reason,
    Rewritten,
    Source,
    SourceSummary,
    Token,
    Turn,
)
from rag.retrieve import Retriever
from rag.weigh import Judgement, weigh

NEAREST = 3
CONFIDENCE_DIGITS = 4


class Store(Protocol):
    """Where snapshots of the index come from."""

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """The index as it is at this moment."""

    def sources(self) -> list[SourceSummary]:
        """Every source, by name."""

    def source(self, name: str) -> Source:
        """One source with its text."""

    @property
    def generation(self) -> str:
        """What tells this state of the index from every other."""

    @property
    def passage_count(self) -> int:
        """How many passages are indexed."""


@dataclass(frozen=True, slots=True)
class _Part:
    """One part of the question, judged."""

    question: str
    asked: Asked
    judgement: Judgement


class Answerer:
    """Answers questions from the index; safe to use from several threads, each question on its own snapshot."""

    def __init__(
        self,
        store: Store,
        retriever: Retriever,
        reader: EvidenceReader,
        *,
        threshold: float,
        max_question: int,
        max_sentences: int,
        model: str,
        recipe: str,
    ) -> None:
        self.store = store
        self._retriever = retriever
        self._reader = reader
        self._threshold = threshold
        self._max_question = max_question
        self._max_sentences = max_sentences
        self._model = model
        self._recipe = recipe

    def ask(self, question: str, history: Sequence[Turn] = ()) -> Answer:
        """The answer to a question; raises BadQuestion or IndexProblem."""
        answers = [event.answer for event in self.stream(question, history) if isinstance(event, Answered)]
        return answers[-1]

    def stream(self, question: str, history: Sequence[Turn] = ()) -> Iterator[Event]:
        """The events of answering a question, in their order; the last is the answer."""
        begun = time.perf_counter()
        check_question(question, self._max_question)
        for text in (text for turn in history for text in (turn.question, turn.answer)):
            check_text(text, "history")
        alone = standalone(question, history)
        if alone != question:
            yield Rewritten(alone)
        with self.store.snapshot() as snapshot:
            clock = _Clock(begun)
            asked_parts = parts(alone)
            found = [self._retriever.retrieve(part, snapshot) for part in asked_parts]
            hits = _merged(found)
            clock.lap("retrieve")
            yield Found(tuple(hits))
            judged = [self._judged(part, part_hits) for part, part_hits in zip(asked_parts, found, strict=True)]
            clock.lap("read")
            drafts, positions = self._composed(judged)
            cited = cite(drafts, positions, snapshot)
            answer = self._answer(question, judged, cited)
            if answer.outcome == "not_in_sources":
                answer = replace(answer, nearest=_nearest(hits, snapshot))
            answer = replace(answer, fingerprint=self._fingerprint(question, history, snapshot.generation))
            clock.lap("compose")
        for place, sentence in enumerate(cited.sentences or (REFUSAL,)):
            yield Token(f" {sentence}" if place else sentence)
        yield Answered(replace(answer, timings_ms=clock.timings()))

    def close(self) -> None:
        """Nothing is held between questions; here for those who treat all answerers alike."""

    def _judged(self, part: str, hits: Sequence[Hit]) -> _Part:
        asked = analyse(part)
        evidence = self._reader.evidence(part, hits)
        judgement = weigh(asked, evidence, self._threshold)
        if judgement.reason == "no_passage_answers" and not self._reader.grants(part, hits):
            judgement = replace(judgement, reason="premise_not_in_sources")
        return _Part(part, asked, judgement)

    def _composed(self, judged: Sequence[_Part]) -> tuple[list[Draft], list[DraftPosition]]:
        answered = [part for part in judged if part.judgement.outcome != "not_in_sources"]
        drafts = [draft for part in answered for draft in compose.compose(part.judgement, self._max_sentences)]
        positions = compose.positions(answered[0].asked, answered[0].judgement) if answered else []
        return list(dict.fromkeys(drafts)), positions

    def _answer(self, question: str, judged: Sequence[_Part], cited: Cited) -> Answer:
        answered = [part for part in judged if part.judgement.outcome != "not_in_sources"]
        outcome: Outcome = "not_in_sources"
        reason: Reason | None = judged[0].judgement.reason
        if answered:
            outcome = "disputed" if any(p.judgement.outcome == "disputed" for p in answered) else "answered"
            reason = None
        only = judged[0] if len(judged) == 1 and answered else None
        return Answer(
            question=question,
            outcome=outcome,
            text=" ".join(cited.sentences) or REFUSAL,
            short=compose.short(only.judgement) if only else None,
            claims=cited.claims,
            citations=cited.citations,
            positions=cited.positions,
            missing=tuple(p.question for p in judged if p not in answered) if answered else (),
            confidence=round(min(part.judgement.confidence for part in answered or judged), CONFIDENCE_DIGITS),
            reason=reason,
            model=self._model,
        )

    def _fingerprint(self, question: str, history: Sequence[Turn], generation: str) -> str:
        parts_ = [generation, self._recipe, question, *(json.dumps(asdict(turn)) for turn in history)]
        return f"sha256:{hashlib.sha256(json.dumps(parts_).encode()).hexdigest()}"


class _Clock:
    """Milliseconds a stage took."""

    def __init__(self, begun: float) -> None:
        self._begun = begun
        self._last = begun
        self._laps: dict[str, float] = {}

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self._laps[stage] = round((now - self._last) * 1000, 1)
        self._last = now

    def timings(self) -> dict[str, float]:
        return {**self._laps, "total": round((time.perf_counter() - self._begun) * 1000, 1)}


def check_question(question: str, longest: int) -> None:
    """Raise BadQuestion for a question that is empty, too long, or not text."""
    if not question.strip():
        raise BadQuestion("The question is empty.", hint='Ask something, such as: whosays ask "Who founded Acme?"')
    if len(question) > longest:
        raise BadQuestion(
            f"The question has {len(question):,} characters; {longest:,} is the most.", hint="Shorten it."
        )
    check_text(question, "question")


def check_text(text: str, place: str) -> None:
    """Raise BadQuestion for characters that are not text: NUL, and halves of surrogate pairs."""
    bad = next((c for c in text if c == "\0" or "\ud800" <= c <= "\udfff"), None)
    if bad is not None:
        raise BadQuestion(f"The {place} holds the character U+{ord(bad):04X}, which is not text.", hint="Remove it.")


def _merged(found: Sequence[Sequence[Hit]]) -> list[Hit]:
    """The hits of all parts, each passage once, best first."""
    best: dict[tuple[str, int], Hit] = {}
    for hit in (hit for hits in found for hit in hits):
        key = (hit.passage.source, hit.passage.start)
        if key not in best or best[key].score < hit.score:
            best[key] = hit
    return sorted(best.values(), key=lambda hit: (-hit.score, hit.passage.source, hit.passage.start))


def _nearest(hits: Sequence[Hit], snapshot: Snapshot) -> tuple[Nearest, ...]:
    return tuple(
        Nearest(
            hit.passage.source,
            hit.title,
            hit.passage.start,
            hit.passage.end,
            snapshot.line_at(hit.passage.source, hit.passage.start),
            hit.passage.text,
        )
        for hit in hits[:NEAREST]
    )
