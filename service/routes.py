"""The routes: asking, searching, the sources, and whether all is well."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncGenerator, Awaitable
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse
from fastapi.sse import EventSourceResponse, format_sse_event

from rag.errors import WhosaysError
from rag.records import Answer, Answered, Event
from rag.retrieve import words_found
from rag.wiring import open_store
from service.desk import Desk, Wanted
from service.guard import TheCaller
from service.problems import AskerGone, Refusal, documented, problem_of
from service.schemas import (
    ONE_EVENT,
    AskRequest,
    FoundPassage,
    Health,
    Page,
    Readiness,
    SearchRequest,
    SearchResult,
    SourceList,
    SourceText,
    streamed,
    text_of,
)

Result = TypeVar("Result")

logger = logging.getLogger(__name__)
router = APIRouter()


def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


TheDesk = Annotated[Desk, Depends(_desk)]

ASK_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The answer; with `stream`, the events that lead to it.",
        "content": {
            "text/event-stream": {
                "schema": ONE_EVENT,
                "example": 'event: token\ndata: {"text": "Scale AI, founded in 2016 by Alexandr Wang, "}\n\n',
            },
        },
    },
    **documented(400, 413, 415, 422, 503, 504),
}


@router.post("/v1/ask", response_model=Answer, responses=ASK_RESPONSES, summary="Answer a question from the sources")
async def ask(asked: AskRequest, request: Request, desk: TheDesk) -> Response:
    """Answer a question with citations: `source_text[start:end] == quote` holds for each of them.

    With `"stream": true` the answer comes as server-sent events, each with JSON as its data: `question` (the question
    as it stands alone, where the history was needed to understand it), `hits` (the passages that are read), `token`
    (a finished piece of the text) and, last, `answer` (the record) or `error` (a problem).
    """
    events = desk.events(wanted(asked))
    if asked.stream:
        # An error before the first event still has its own status.
        first = await while_asked(request, anext(events))
        headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        return EventSourceResponse(_frames(first, events), headers=headers)
    answer = await while_asked(request, whole(events))
    return JSONResponse(answer.to_json())


def wanted(asked: AskRequest) -> Wanted:
    """What a request asks of the desk."""
    return Wanted(asked.question, asked.history, asked.sources, asked.top_k, asked.model or "")


async def whole(events: AsyncGenerator[Event]) -> Answer:
    """The answer that the events end in."""
    async with contextlib.aclosing(events):
        last = [event async for event in events][-1]
    if not isinstance(last, Answered):
        raise TypeError(f"The answer ended with {type(last).__name__}.")
    return last.answer


async def while_asked(request: Request, work: Awaitable[Result]) -> Result:
    """What the work gives; it is cancelled when the asker goes away, which frees its place."""
    doing = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait((doing, gone), return_when=asyncio.FIRST_COMPLETED)
        if not doing.done():
            raise AskerGone
        return doing.result()
    finally:
        gone.cancel()
        doing.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


@router.post("/v1/search", responses=documented(400, 413, 415, 422, 503, 504), summary="Find passages")
async def search(asked: SearchRequest, request: Request, desk: TheDesk) -> SearchResult:
    """Find the passages that a question would be answered from, with the scores of each search and the words found."""
    given = Wanted(asked.question, sources=asked.sources, top_k=asked.top_k)
    hits = await while_asked(request, desk.search(given))
    return SearchResult(
        question=asked.question, hits=[FoundPassage.of(hit, words_found(asked.question, hit)) for hit in hits]
    )


async def _frames(first: Event, events: AsyncGenerator[Event]) -> AsyncGenerator[bytes]:
    # Not left to the garbage collector: closing these frames is what stops the work when the asker has gone.
    async with contextlib.aclosing(events):
        try:
            yield _frame(*streamed(first))
            async for event in events:
                yield _frame(*streamed(event))
        except (WhosaysError, Refusal) as error:
            yield _frame("error", problem_of(error).model_dump())
        except Exception as error:
            logger.exception("An answer failed.")
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
    return text_of(desk.settings, source)


@router.get("/healthz", summary="Whether the process is alive")
async def healthz() -> Health:
    """Say that the process is alive; it may still lack an index."""
    return Health()


@router.get("/readyz", responses=documented(503), summary="Whether questions can be answered")
def readyz(desk: TheDesk, caller: TheCaller) -> Readiness:
    """Say whether the models are loaded and the index is open; tries to open them where they are not.

    Where keys are required, how many passages there are is told to those who have one.
    """
    desk.answerer()
    may_know = caller.key is not None or not caller.must_have_key
    return Readiness(passages=open_store(desk.settings).passage_count if may_know else None)
