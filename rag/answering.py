"""The ask path: a question to a stream of events whose last is the answer."""

from __future__ import annotations

import copy
import hashlib
import json
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

from rag import compose
from rag.cite import Cited, Draft, DraftPosition, Numbering
from rag.errors import BackendProblem, BadQuestion
from rag.protocols import Snapshot, Store, Verifier
from rag.questions import Asked, analyse, parts
from rag.read import EvidenceReader
from rag.records import (
    REFUSAL,
    Answer,
    Answered,
    Event,
    Evidence,
    Found,
    Hit,
    Nearest,
    Outcome,
    Reason,
    Rewritten,
    Token,
    Turn,
    Weighed,
    Withheld,
)
from rag.retrieve import Retriever
from rag.subject import speaking, with_names
from rag.weigh import Judgement, weigh

if TYPE_CHECKING:
    from rag.generate import Generator

logger = logging.getLogger(__name__)

BUILTIN = "builtin"
NEAREST = 3
REFUSED_BY_MODEL = 0.5  # a model's refusal is not calibrated: all that is known is that it refused
CONFIDENCE_DIGITS = 4


@dataclass(frozen=True, slots=True)
class _Part:
    """One part of the question, judged by what was read for it."""

    question: str
    asked: Asked
    evidence: Sequence[Evidence]
    judgement: Judgement

    def weighed(self, threshold: float) -> Weighed:
        """What was read and what of it was chosen."""
        chosen = tuple(saying.evidence for stand in self.judgement.stands for saying in stand.sayings)
        return Weighed(self.question, tuple(self.evidence), chosen, threshold)


@dataclass(slots=True)
class _Spoken:
    """What came of a language model's reply: what was withheld, the support of the least sure claim, its refusal."""

    withheld: list[Withheld] = field(default_factory=list)
    support: float = 1.0
    shown: int = 0
    refused: bool = False
    failed: str | None = None

    @property
    def model_answers(self) -> bool:
        """Whether what is shown is the model's."""
        return self.failed is None


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
        recipe: str,
        fallback: bool = False,
    ) -> None:
        self.store = store
        self._retriever = retriever
        self._reader = reader
        self._threshold = threshold
        self._max_question = max_question
        self._max_sentences = max_sentences
        self._recipe = recipe
        self._fallback = fallback
        self._generator: Generator | None = None
        self._failed: str | None = None

    @property
    def model(self) -> str:
        """The name of what words the answers."""
        return self._generator.name if self._generator else BUILTIN

    @property
    def verifier(self) -> Verifier:
        """What holds claims against evidence; another model's claims may be held against it, too."""
        return self._reader.verifier

    def with_model(self, generator: Generator | None, failed: str | None = None) -> Answerer:
        """The same answerer, on the same index and with the same reader, with answers worded by another model.

        `failed` says why the model that was asked for does not word them.
        """
        other = copy.copy(self)
        other._generator, other._failed = generator, failed
        return other

    def ask(
        self, question: str, history: Sequence[Turn] = (), *, sources: Sequence[str] = (), top_k: int | None = None
    ) -> Answer:
        """The answer to a question; raises BadQuestion, IndexProblem or BackendProblem."""
        events = self.stream(question, history, sources=sources, top_k=top_k)
        return [event.answer for event in events if isinstance(event, Answered)][-1]

    def search(self, question: str, *, sources: Sequence[str] = (), top_k: int | None = None) -> list[Hit]:
        """The passages that would be read for a question, best first; raises BadQuestion or IndexProblem."""
        check_question(question, self._max_question)
        with self.store.snapshot() as snapshot:
            found = [self._retriever.retrieve(p, snapshot, sources=sources, top_k=top_k) for p in parts(question)]
            return _merged(found)

    def stream(
        self, question: str, history: Sequence[Turn] = (), *, sources: Sequence[str] = (), top_k: int | None = None
    ) -> Iterator[Event]:
        """The events of answering a question, in their order; the last is the answer.

        `sources` are glob patterns that restrict the search, `top_k` how many passages are read. A piece of text is
        given when it has been checked, and stands.
        """
        begun = time.perf_counter()
        check_question(question, self._max_question)
        for text in (text for turn in history for text in (turn.question, turn.answer)):
            check_text(text, "history")
        spoken = _Spoken(failed=self._failed)
        alone = self._standalone(question, history, spoken)
        if alone != question:
            yield Rewritten(alone)
        with self.store.snapshot() as snapshot:
            clock = _Clock(begun)
            asked_parts = parts(alone)
            found = [self._retriever.retrieve(p, snapshot, sources=sources, top_k=top_k) for p in asked_parts]
            hits = _merged(found)
            clock.lap("retrieve")
            yield Found(tuple(hits))
            judged = [self._judged(*of_part, snapshot) for of_part in zip(asked_parts, found, strict=True)]
            clock.lap("read")
            numbering = Numbering()
            for draft in self._drafts(alone, hits, judged, spoken):
                sentence = numbering.add(draft)
                spoken.shown += 1
                yield Token(f" {sentence}" if spoken.shown > 1 else sentence)
            clock.lap("compose")
            cited = numbering.cited(self._positions(judged), snapshot)
            answer = self._answer(question, judged, cited, spoken)
            if answer.outcome == "not_in_sources":
                answer = replace(answer, nearest=_nearest(hits, snapshot))
            answer = replace(
                answer,
                rewritten=alone if alone != question else None,
                fingerprint=self._fingerprint(question, history, sources, top_k, snapshot.generation),
            )
        if not spoken.shown:
            yield Token(REFUSAL)
        weighed = tuple(part.weighed(self._threshold) for part in judged)
        yield Answered(replace(answer, timings_ms=clock.timings()), weighed)

    def close(self) -> None:
        """Nothing is held between questions; here for those who treat all answerers alike."""

    def _judged(self, part: str, hits: Sequence[Hit], snapshot: Snapshot) -> _Part:
        asked = analyse(part)
        hits = speaking(with_names(asked, hits), hits, snapshot)
        asked = with_names(asked, hits)  # of what is left: "First" may be a name in what is not read
        evidence = self._reader.evidence(asked, hits)
        judgement = weigh(asked, evidence, self._threshold)
        if judgement.reason == "no_passage_answers" and not self._reader.grants(asked, hits):
            judgement = replace(judgement, reason="premise_not_in_sources")
        return _Part(part, asked, evidence, judgement)

    def _standalone(self, question: str, history: Sequence[Turn], spoken: _Spoken) -> str:
        """The follow-up as a question that stands alone: by the model where there is one, else by rules."""
        if not history:
            return question
        from rag.converse import standalone

        made = None
        if self._generator:
            try:
                made = self._generator.rewrite(question, history)
            except BackendProblem as error:
                self._fall_back(error, spoken)
        return made or standalone(question, history)

    def _fall_back(self, error: BackendProblem, spoken: _Spoken) -> None:
        """Go on without the model where the settings want that and nothing has been shown of it; raise it else."""
        if not self._fallback or spoken.shown:
            raise error
        logger.warning("%s does not answer, the built-in model does: %s", self.model, error.message)
        spoken.failed = error.message

    def _drafts(self, question: str, hits: Sequence[Hit], judged: Sequence[_Part], spoken: _Spoken) -> Iterator[Draft]:
        """The sentences of the answer, the model's as it says them."""
        if self._generator and spoken.model_answers and hits:
            try:
                yield from self._said(self._generator, question, hits, judged, spoken)
            except BackendProblem as error:
                self._fall_back(error, spoken)
            else:
                return
        answered = [part for part in judged if part.judgement.outcome != "not_in_sources"]
        drafts = [draft for part in answered for draft in compose.compose(part.judgement, self._max_sentences)]
        yield from dict.fromkeys(drafts)

    def _said(
        self, generator: Generator, question: str, hits: Sequence[Hit], judged: Sequence[_Part], spoken: _Spoken
    ) -> Iterator[Draft]:
        """What the model says and the sources bear; of a dispute what it leaves out is added."""
        disputed = [part.judgement for part in judged if part.judgement.outcome == "disputed"]
        facts = [draft for judgement in disputed for draft in compose.compose(judgement, self._max_sentences)]
        texts: list[str] = []
        for said in generator.say(question, hits, ["".join(part.text for part in fact.parts) for fact in facts]):
            if said.draft:
                if said.text in texts:
                    continue
                spoken.support = min(spoken.support, said.support)
                texts.append(said.text)
                yield compose.disputed(said.draft, disputed)
            elif said.refuses:
                spoken.refused = True
            else:
                spoken.withheld.append(Withheld(said.text, said.reason))
        if texts:
            for judgement in disputed:
                yield from compose.left_out(judgement, texts)

    def _positions(self, judged: Sequence[_Part]) -> list[DraftPosition]:
        answered = [part for part in judged if part.judgement.outcome != "not_in_sources"]
        return compose.positions(answered[0].asked, answered[0].judgement) if answered else []

    def _answer(self, question: str, judged: Sequence[_Part], cited: Cited, spoken: _Spoken) -> Answer:
        answered = [part for part in judged if part.judgement.outcome != "not_in_sources"]
        by_model = self._generator is not None and spoken.model_answers
        outcome: Outcome = "not_in_sources"
        reason: Reason | None = judged[0].judgement.reason or "no_passage_answers"
        if cited.claims:
            outcome = "disputed" if any(p.judgement.outcome == "disputed" for p in answered) else "answered"
            reason = None
        elif by_model and spoken.refused:
            reason = "model_refused"
        only = judged[0] if len(judged) == 1 and answered and cited.claims else None
        short = compose.short(only.judgement) if only else None
        confidence = min(part.judgement.confidence for part in answered or judged)
        if by_model:
            quoted = [citation.quote for citation in cited.citations]
            short = short if short and any(short in quote for quote in quoted) else None
            confidence = spoken.support if cited.claims else REFUSED_BY_MODEL
        return Answer(
            question=question,
            outcome=outcome,
            text=" ".join(cited.sentences) or REFUSAL,
            short=short,
            claims=cited.claims,
            citations=cited.citations,
            positions=cited.positions,
            missing=self._missing(judged, cited, by_model),
            withheld=tuple(spoken.withheld),
            confidence=round(confidence, CONFIDENCE_DIGITS),
            reason=reason,
            model=self.model if by_model else BUILTIN,
            fallback=spoken.failed,
        )

    def _missing(self, judged: Sequence[_Part], cited: Cited, by_model: bool) -> tuple[str, ...]:
        """The parts of the question that the answer says nothing to."""
        unanswered = [part for part in judged if part.judgement.outcome == "not_in_sources"]
        if not cited.claims or len(judged) == 1:
            return ()
        if by_model:
            unanswered = [part for part in unanswered if not compose.speaks_to(part.asked, cited.claims)]
        return tuple(part.question for part in unanswered)

    def _fingerprint(
        self, question: str, history: Sequence[Turn], sources: Sequence[str], top_k: int | None, generation: str
    ) -> str:
        asked = [question, list(sources), top_k, *(asdict(turn) for turn in history)]
        told = json.dumps([generation, self._recipe, self.model, asked])
        return f"sha256:{hashlib.sha256(told.encode()).hexdigest()}"


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
