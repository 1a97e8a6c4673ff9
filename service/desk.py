"""The desk at which questions are put: a bounded pool of threads, a short queue, and one answerer for each model."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import math
import threading
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from rag.answering import Answerer
from rag.cancel import Cancellation
from rag.records import Answer, Answered, Event, Hit, Turn
from rag.settings import Settings
from service.problems import BUSY, NOT_OFFERED, TIMED_OUT, Refusal

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

FIRST_GUESS = 0.2  # seconds that an answer takes, until one has been given
WEIGHT_OF_LAST = 0.1


@dataclass(frozen=True, slots=True)
class Wanted:
    """A question with all that shapes its answer; an empty `model` is the one that the settings name."""

    question: str
    history: Sequence[Turn] = ()
    sources: Sequence[str] = ()
    top_k: int | None = None
    model: str = ""


class Desk:
    """Answers questions in a bounded number of threads; beyond them a few wait, and beyond those all are refused."""

    def __init__(self, settings: Settings, open_answerer: Callable[[Settings], Answerer]) -> None:
        self.settings = settings
        offered = (settings.model, *(name.strip() for name in settings.service.models.split(",")))
        self.models = tuple(dict.fromkeys(filter(None, offered)))
        self.on_answer: Sequence[Callable[[Answer], None]] = ()
        self._open = open_answerer
        self._answerers: dict[str, Answerer] = {}
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(settings.service.workers, thread_name_prefix="answer")
        self._places = _Places(settings.service.workers, settings.service.queue)

    @property
    def under_way(self) -> int:
        """How many questions are being answered or wait to be."""
        return self._places.taken

    def answerer(self, model: str = "") -> Answerer:
        """The answerer of a model, opened at the first call that can; blocks, and raises what opening raises."""
        wanted = model or self.settings.model
        with self._lock:
            first = self._answerers.get(self.settings.model)
            if first is None:
                first = self._answerers[self.settings.model] = self._open(self.settings)
            if wanted not in self._answerers:
                from rag.wiring import with_model

                self._answerers[wanted] = with_model(first, self.settings, wanted)
            return self._answerers[wanted]

    def check_model(self, model: str) -> None:
        """Raise a Refusal for a model that is not offered."""
        if model and model not in self.models:
            raise Refusal(
                NOT_OFFERED, f"There is no model {model[:80]!r} here.", hint=f"Choose one of: {', '.join(self.models)}."
            )

    async def events(self, wanted: Wanted) -> AsyncGenerator[Event]:
        """The answer step by step; closing it early ends the work, a silent model's call too, and frees its place."""
        self.check_model(wanted.model)
        loop = asyncio.get_running_loop()
        arrived: asyncio.Queue[Event | Refusal | None] = asyncio.Queue()
        asker = Cancellation()

        def answer() -> None:
            answerer = self.answerer(wanted.model)
            asked = answerer.stream(wanted.question, wanted.history, sources=wanted.sources, top_k=wanted.top_k)
            with asker.in_force(), contextlib.closing(asked) as events:  # type: ignore[type-var]
                for event in events:
                    if asker.given_up:
                        return
                    loop.call_soon_threadsafe(arrived.put_nowait, event)

        # One thread from the first event to the last, however slowly the asker reads: no answer waits for a network.
        work = asyncio.wrap_future(self._submit(answer))
        work.add_done_callback(lambda _: arrived.put_nowait(None))
        late = loop.call_later(self.settings.service.timeout, arrived.put_nowait, self._too_late())
        try:
            while (event := await arrived.get()) is not None:
                if isinstance(event, Refusal):
                    raise event
                if isinstance(event, Answered):
                    self._note(event.answer)
                yield event
            await work
        finally:
            late.cancel()
            asker.give_up()
            work.cancel()  # drops a question that no thread has taken up yet

    async def search(self, wanted: Wanted) -> list[Hit]:
        """The passages that the answer would be read from."""

        def search() -> list[Hit]:
            return self.answerer().search(wanted.question, sources=wanted.sources, top_k=wanted.top_k)

        return await self.run(search)

    async def run(self, work: Callable[[], Result]) -> Result:
        """What the work gives, done in a place of the pool like an answer and no longer waited for than one."""
        future = asyncio.wrap_future(self._submit(work))
        try:
            return await asyncio.wait_for(future, self.settings.service.timeout)
        except TimeoutError:
            raise self._too_late() from None

    def close(self) -> None:
        """Wait for the questions under way and let go of the index."""
        self._threads.shutdown(cancel_futures=True)
        for answerer in self._answerers.values():
            answerer.close()

    def _note(self, answer: Answer) -> None:
        for told in self.on_answer:
            told(answer)
        fields = {"outcome": answer.outcome, "model": answer.model, "answer_ms": answer.timings_ms.get("total")}
        if self.settings.service.log_questions == "yes":
            fields["question"] = answer.question
        logger.info("answer", extra={"fields": fields})

    def _submit(self, work: Callable[[], Result]) -> Future[Result]:
        self._places.take()
        future = self._threads.submit(contextvars.copy_context().run, self._places.timed, work)
        # The place is free when the thread is, and not as soon as nobody waits for it any more.
        future.add_done_callback(lambda _: self._places.give_back())
        return future

    def _too_late(self) -> Refusal:
        return Refusal(TIMED_OUT, f"The answer was not ready after {self.settings.service.timeout:g} seconds.")


class _Places:
    """Counts who is served or waits, and guesses how long it takes until there is room."""

    def __init__(self, workers: int, queue: int) -> None:
        self._workers = workers
        self._most = workers + queue
        self._seconds = FIRST_GUESS
        self._lock = threading.Lock()
        self.taken = 0

    def take(self) -> None:
        """Take a place, or raise a Refusal that says when to come again."""
        with self._lock:
            if self.taken >= self._most:
                wait = self._seconds * math.ceil(self.taken / self._workers)
                raise Refusal(BUSY, f"{self.taken} questions are under way, as many as may be.", retry_after=wait)
            self.taken += 1

    def give_back(self) -> None:
        """Free a place."""
        with self._lock:
            self.taken -= 1

    def timed(self, work: Callable[[], Result]) -> Result:
        """Do the work, and learn from how long it took."""
        begun = time.monotonic()
        try:
            return work()
        finally:
            with self._lock:
                self._seconds += WEIGHT_OF_LAST * (time.monotonic() - begun - self._seconds)
