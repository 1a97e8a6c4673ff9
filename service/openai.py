"""The door for programs that speak OpenAI's chat completions: the same answers in that shape, citations and all."""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
import re
import time
import uuid
from collections.abc import AsyncGenerator, Sequence
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from fastapi.sse import EventSourceResponse, format_sse_event
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool

from rag.errors import BadQuestion, WhosaysError
from rag.records import Answer, Answered, Citation, Event, Token, Turn
from service.desk import Wanted
from service.problems import Refusal, documented, problem_of
from service.routes import TheDesk, while_asked, whole
from service.schemas import NO_NUL, ONE_EVENT, SPEAKS, is_text

logger = logging.getLogger(__name__)
router = APIRouter()

MARKER = re.compile(r"\[(\d+)\]")
MOST_MESSAGES = 201


def speaks(text: str) -> str:
    """The text itself; raises ValueError where it is blank."""
    if not text.strip():
        raise ValueError("it is empty")
    return text


Words = Annotated[str, AfterValidator(is_text), Field(json_schema_extra={"pattern": NO_NUL})]
Question = Annotated[str, AfterValidator(is_text), AfterValidator(speaks), Field(json_schema_extra=SPEAKS)]


class TextPart(BaseModel):
    """A part of a message."""

    type: Literal["text"]
    text: Words


class QuestionPart(BaseModel):
    """A part of a user's message; a blank one asks nothing."""

    type: Literal["text"]
    text: Question


class UserMessage(BaseModel):
    """What a user asks; each of them asks something."""

    role: Literal["user"]
    content: Question | Annotated[list[QuestionPart], Field(min_length=1)]


class OtherMessage(BaseModel):
    """What others say; a system's or a developer's word is not heeded, for the sources alone count."""

    role: Literal["system", "developer", "assistant"]
    content: Words | list[TextPart]


ChatMessage = Annotated[UserMessage | OtherMessage, Field(discriminator="role")]


class ChatCompletionRequest(BaseModel):
    """A conversation whose last user's message is the question; what a language model is told besides is not heeded."""

    model_config = ConfigDict(extra="allow")

    messages: list[ChatMessage] = Field(
        min_length=1,
        max_length=MOST_MESSAGES,
        examples=[[{"role": "user", "content": "Who founded Scale AI?"}]],
        json_schema_extra={"contains": {"properties": {"role": {"const": "user"}}, "required": ["role"]}},
    )
    model: str | None = Field(
        default=None, min_length=1, description="One of the models of `GET /v1/models`, else the first."
    )
    stream: StrictBool = Field(default=False, description="Whether to send the answer as server-sent events.")


class UrlCitation(BaseModel):
    """Where a citation leads; `start_index` and `end_index` are those of its `[n]` in the message's content."""

    start_index: int
    end_index: int
    title: str
    url: str


class Annotation(BaseModel):
    """One `[n]` of the content, in OpenAI's shape."""

    type: Literal["url_citation"]
    url_citation: UrlCitation


class CompletionMessage(BaseModel):
    """The answer's text, with its citations as annotations."""

    role: Literal["assistant"]
    content: str
    refusal: None
    annotations: list[Annotation]


class Choice(BaseModel):
    """The one answer."""

    index: int
    message: CompletionMessage
    logprobs: None
    finish_reason: Literal["stop"]


class Completion(BaseModel):
    """A chat completion, with the record of the answer under `whosays`."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[Choice]
    whosays: Answer


class Model(BaseModel):
    """A model that may be asked."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelList(BaseModel):
    """The models that may be asked, the one of the settings first."""

    object: Literal["list"]
    data: list[Model]


@router.get("/v1/models", summary="List the models that may be asked")
async def list_models(desk: TheDesk) -> ModelList:
    """List the models that a request may name, in OpenAI's shape."""
    models = [Model(id=name, object="model", created=0, owned_by="whosays") for name in desk.models]
    return ModelList(object="list", data=models)


@router.post(
    "/v1/chat/completions",
    response_model=Completion,
    responses={
        200: {
            "description": "The completion; with `stream`, its chunks.",
            "content": {"text/event-stream": {"schema": ONE_EVENT}},
        },
        **documented(400, 413, 415, 422, 503, 504),
    },
    summary="Answer in OpenAI's shape",
)
async def complete(asked: ChatCompletionRequest, request: Request, desk: TheDesk) -> Response:
    """Answer the last question from the sources; each `[n]` of the text has its annotation, which leads to the page.

    With `"stream": true` the chunks end with one that holds the annotations and, under `whosays`, the record.
    """
    question, history = turns(asked.messages)
    events = desk.events(Wanted(question, history, model=asked.model or ""))
    head = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": asked.model or desk.models[0]}
    if asked.stream:
        first = await while_asked(request, anext(events))
        return EventSourceResponse(_chunks(head, first, events), headers={"X-Accel-Buffering": "no"})
    answer = await while_asked(request, whole(events))
    message = {"role": "assistant", "content": answer.text, "refusal": None, "annotations": url_citations(answer)}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    return JSONResponse(head | {"object": "chat.completion", "choices": [choice], "whosays": answer.to_json()})


def turns(messages: Sequence[UserMessage | OtherMessage]) -> tuple[str, list[Turn]]:
    """The last question of a user, and the turns before it; raises BadQuestion where nobody asks anything."""
    said = [message for message in messages if message.role in ("user", "assistant")]
    while said and said[-1].role != "user":
        said.pop()
    if not said:
        raise BadQuestion("There is no message of a user.", hint='Put the question into one: {"role": "user", ...}.')
    pairs = itertools.pairwise(said)
    history = [Turn(_words(a), _words(b)) for a, b in pairs if (a.role, b.role) == ("user", "assistant")]
    return _words(said[-1]), history


def _words(message: UserMessage | OtherMessage) -> str:
    return message.content if isinstance(message.content, str) else "\n".join(part.text for part in message.content)


def url_citations(answer: Answer) -> list[dict[str, Any]]:
    """Every `[n]` of an answer's text as OpenAI's `url_citation`."""
    cited = {citation.number: citation for citation in answer.citations}
    return [
        {
            "type": "url_citation",
            "url_citation": {
                "start_index": marker.start(),
                "end_index": marker.end(),
                "title": cited[int(marker[1])].title or cited[int(marker[1])].source,
                "url": anchor(cited[int(marker[1])]),
            },
        }
        for marker in MARKER.finditer(answer.text)
        if int(marker[1]) in cited
    ]


def anchor(citation: Citation) -> str:
    """Where the page shows a citation: "/#source=a%20b.txt&start=460&end=606"."""
    return f"/#source={quote(citation.source, safe='')}&start={citation.start}&end={citation.end}"


async def _chunks(head: dict[str, Any], first: Event, events: AsyncGenerator[Event]) -> AsyncGenerator[bytes]:
    def chunk(delta: dict[str, Any], end: str | None = None, **more: Any) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": end}
        return _frame(head | {"object": "chat.completion.chunk", "choices": [choice]} | more)

    async with contextlib.aclosing(events):
        try:
            yield chunk({"role": "assistant", "content": ""})
            event: Event | None = first
            while event is not None:
                if isinstance(event, Token):
                    yield chunk({"content": event.text})
                elif isinstance(event, Answered):
                    marks = url_citations(event.answer)
                    yield chunk({"annotations": marks}, "stop", whosays=event.answer.to_json())
                event = await anext(events, None)
        except Exception as error:
            if not isinstance(error, (WhosaysError, Refusal)):
                logger.exception("An answer failed.")
            problem = problem_of(error)
            told = {"message": f"{problem.detail} {problem.hint}", "type": problem.title, "code": problem.code}
            yield _frame({"error": told | {"param": None}})
    yield format_sse_event(data_str="[DONE]")


def _frame(data: object) -> bytes:
    return format_sse_event(data_str=json.dumps(data, allow_nan=False))
