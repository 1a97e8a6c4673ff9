"""The routes, and the desk behind them at which questions are put."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse
from fastapi.sse import EventSourceResponse, format_sse_event

from rag.answering import Answerer
from rag.errors import WhosaysError
from rag.records import Answer, Answered, Event, Turn
from rag.settings import Settings
from rag.wiring import open_store
from service.problems import documented, problem_of
from service.schemas import (
    AskRequest,
    Health,
    Page,
    Readiness,
    SourceList,
    SourceText,
    streamed,
)

logger = logging.getLogger(__name__)
router = APIRouter()


class Desk:
    """Where questions are put: an answerer that is opened as soon as there is an index, and the threads it runs in."""

    def __init__(self, settings: Settings, open_answerer: Callable[[Settings], Answerer]) -> None:
        self.settings = settings
        self._open = open_answerer
        self._answerer: Answerer | None = None
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(settings.service.workers, thread_name_prefix="answer")

    def answerer(self) -> Answerer:
        """The answerer, opened at the first call that can; blocks, and raises what opening raises."""
        with self._lock:
            if self._answerer is None:
                self._answerer = self._open(self.settings)
            return self._answerer

    async def events(self, question: str, history: Sequence[Turn] = ()) -> AsyncGenerator[Event]:
        """The answer step by step; closing it early stops the work at its next step."""
        loop = asyncio.get_running_loop()
        arrived: asyncio.Queue[Event | None] = asyncio.Queue()
        gone = threading.Event()

        def answer() -> None:
            for event in self.answerer().stream(question, history):
                if gone.is_set():
                    return
                loop.call_soon_threadsafe(arrived.put_nowait, event)

        # One thread from the first event to the last, however slowly the asker reads: no answer waits for a network.
        work = loop.run_in_executor(self._threads, answer)
        work.add_done_callback(lambda _: arrived.put_nowait(None))
        try:
            while (event := await arrived.get()) is not None:
                yield event
            await work
        finally:
            gone.set()
            work.cancel()  # drops a question that no thread has taken up yet

    def close(self) -> None:
        """Wait for the questions under way and let go of the index."""
        self._threads.shutdown(cancel_futures=True)
        if self._answerer is not None:
            self._answerer.close()


def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


TheDesk = Annotated[Desk, Depends(_desk)]

ASK_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The answer; with `stream`, the events that lead to it.",
        "content": {
            "text/event-stream": {
                "schema": {"type": "string"},
                "example": 'event: token\ndata: {"text": "Scale AI, founded in 2016 by Alexandr Wang, "}\n\n',
            },
        },
    },
    **documented(400, 413, 415, 422, 503),
}


@router.post("/v1/ask", response_model=Answer, responses=ASK_RESPONSES, summary="Answer a question from the sources")
async def ask(asked: AskRequest, desk: TheDesk) -> Response:
    """Answer a question with citations: `source_text[start:end] == quote` holds for each of them.

    With `"stream": true` the answer comes as server-sent events, each with JSON as its data: `question` (the question
    as it stands alone, where the history was needed to understand it), `hits` (the passages that are read), `token`
    (a finished piece of the text) and, last, `answer` (the record) or `error` (a problem).
    """
    events = desk.events(asked.question, asked.history)
    if asked.stream:
        # An error before the first event still has its own status.
        first = await anext(events)
        headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        return EventSourceResponse(_frames(first, events), headers=headers)
    last = [event async for event in events][-1]
    if not isinstance(last, Answered):
        raise TypeError(f"The answer ended with {last!r}.")
    return JSONResponse(last.answer.to_json())


async def _frames(first: Event, events: AsyncGenerator[Event]) -> AsyncGenerator[bytes]:
    # Not left to the garbage collector: closing these frames is what stops the work when the asker has gone.
    async with contextlib.aclosing(events):
        try:
            yield _frame(*streamed(first))
            async for event in events:
                yield _frame(*streamed(event))
        except WhosaysError as error:
            yield _frame("error", problem_of(error).model_dump())
        except Exception as error:
            logger.exception("The answer to %r failed.", first)
            yield _frame("error", problem_of(error).model_dump())


def _frame(name: str, data: object) -> bytes:
    # Escaped to ASCII: clients that read by line break also at U+2028 and U+0085, which JSON lets stand.
    return format_sse_event(event=name, data_str=json.dumps(data, allow_nan=False))


@router.get("/v1/sources", responses=documented(422, 503), summary="List what is indexed")
def list_sources(page: Annotated[Page, Query()], desk: TheDesk) -> SourceList:
    """List the sources by name, a part at a time."""
    # Opened for every request, which costs a millisecond: an index that comes, changes or goes is seen at once.
    sources = open_store(desk.settings).sources()
    part = sources[page.offset : page.offset + page.limit]
    return SourceList(total=len(sources), limit=page.limit, offset=page.offset, sources=part)


@router.get("/v1/sources/{source:path}", responses=documented(404, 503), summary="Show one source")
def show_source(source: str, desk: TheDesk) -> SourceText:
    """Show a source's text as it is quoted; a name with `/` stands as it is, other marks percent-encoded."""
    found = open_store(desk.settings).source(source)
    return SourceText(name=found.name, title=found.title, published=found.published, text=found.text)


@router.get("/healthz", summary="Whether the process is alive")
async def healthz() -> Health:
    """Say that the process is alive; it may still lack an index."""
    return Health()


@router.get("/readyz", responses=documented(503), summary="Whether questions can be answered")
def readyz(desk: TheDesk) -> Readiness:
    """Say whether the models are loaded and the index is open; tries to open them where they are not."""
    desk.answerer()
    return Readiness(passages=open_store(desk.settings).passage_count)
