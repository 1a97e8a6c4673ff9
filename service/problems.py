"""Every error as a problem of RFC 9457: which status, which code, and what the asker may know of it."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rag.errors import (
    BackendProblem,
    BadInput,
    BadQuestion,
    BadSettings,
    IndexMissing,
    IndexProblem,
    ModelOverloaded,
    ModelTimeout,
    SourceUnknown,
    WhosaysError,
)
from service.schemas import Problem

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
CLIENT_CLOSED = 499  # as nginx logs it


@dataclass(frozen=True, slots=True)
class Kind:
    """What a kind of problem is called; `hint` says what to do, where the error itself does not."""

    code: str
    status: int
    title: str
    hint: str = ""


# The first that fits. An error with a hint here tells the asker no words of its own: they may name the server's paths.
OF_ERRORS: tuple[tuple[type[WhosaysError], int, str], ...] = (
    (SourceUnknown, 404, ""),
    (BadQuestion, 422, ""),
    (BadSettings, 500, "Run `whosays doctor` on the server and correct its settings."),
    (BadInput, 422, ""),
    (IndexMissing, 503, "Run `whosays index PATH` on the server; the service then needs no restart."),
    (IndexProblem, 503, "Run `whosays doctor` on the server; it names what mends the index."),
    (ModelTimeout, 504, "Ask again, or choose another model."),
    (ModelOverloaded, 503, "Ask again in a while, or choose another model."),
    (BackendProblem, 503, "Run `whosays doctor` on the server; it names what is missing."),
)

BAD_JSON = Kind("bad_json", 400, "The body is not JSON", "Send one JSON object in UTF-8.")
NOT_FOUND = Kind("not_found", 404, "There is nothing at this address", "See /docs for the addresses that there are.")
WRONG_METHOD = Kind("method_not_allowed", 405, "This address takes another method", "See /docs for its method.")
TOO_LARGE = Kind("content_too_large", 413, "The body is too large", "Send less at a time.")
NOT_JSON = Kind("unsupported_media_type", 415, "The body must be JSON", "Send it with Content-Type: application/json.")
BAD_REQUEST = Kind("bad_request", 422, "The request is not of the right form", "See /docs for its form.")
BUG = Kind("internal_error", 500, "The service failed", "The server's log has the details.")
UNAUTHORIZED = Kind("unauthorized", 401, "This needs a key", "Send a valid key as Authorization: Bearer KEY.")
FORBIDDEN = Kind("forbidden", 403, "This key may not do that", "Use the key of an admin: whosays keys add --role admin")
JOB_UNKNOWN = Kind("job_unknown", 404, "There is no such job", "Jobs are kept for a day.")
NOT_UPLOADED = Kind(
    "not_uploaded", 409, "This source is not an uploaded one", "Change its file on the server and run `whosays index`."
)
BAD_NAME = Kind("bad_source_name", 422, "A document cannot have this name", "Use letters, digits, blanks and -_.,()+.")
NOT_READ = Kind(
    "unsupported_format", 415, "This format is not read", "Name a file ending or content type that is read."
)
NOT_OFFERED = Kind("model_not_offered", 422, "This model is not offered", "See GET /v1/models for those that are.")
TOO_MANY = Kind("too_many_requests", 429, "Too many requests", "Ask again after as many seconds as Retry-After says.")
BUSY = Kind("busy", 503, "Too many questions are waiting", "Ask again after as many seconds as Retry-After says.")
TIMED_OUT = Kind("answer_timeout", 504, "The answer took too long", "Ask again, or ask something simpler.")
OF_REQUESTS = (UNAUTHORIZED, FORBIDDEN, JOB_UNKNOWN, NOT_UPLOADED, BAD_NAME, NOT_READ, NOT_OFFERED, TOO_MANY, BUSY)
OF_HTTP = (BAD_JSON, NOT_FOUND, WRONG_METHOD, TOO_LARGE, NOT_JSON, BAD_REQUEST, BUG)


class Refusal(HTTPException):
    """A request that the service turns away for a reason of its own."""

    def __init__(self, kind: Kind, detail: str, *, hint: str = "", retry_after: float | None = None) -> None:
        headers = {} if retry_after is None else {"Retry-After": str(max(1, math.ceil(retry_after)))}
        if kind is UNAUTHORIZED:
            headers["WWW-Authenticate"] = "Bearer"
        super().__init__(kind.status, detail, headers)
        self.kind = kind
        self.hint = hint


class AskerGone(Exception):
    """The asker closed the connection; nobody hears what is answered."""


class ProblemResponse(JSONResponse):
    """A problem as the answer to a request."""

    media_type = MEDIA_TYPE

    def __init__(self, problem: Problem, headers: dict[str, str] | None = None) -> None:
        super().__init__(problem.model_dump(), problem.status, headers)


def problem_of(error: Exception) -> Problem:
    """The problem that tells the asker of an error, and no more than is theirs to know."""
    match error:
        case WhosaysError():
            return _of_ours(error)
        case RequestValidationError():
            return _of_invalid(error.errors())
        case HTTPException():
            return _of_http(error)
        case _:
            return _problem(BUG, "Something went wrong that should not have.")


def respond_with_problems(app: FastAPI) -> None:
    """Make every error of an application a problem."""
    for kind in (WhosaysError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, _respond)
    app.add_exception_handler(AskerGone, _respond_to_nobody)
    app.add_middleware(BugCatcher)


class BugCatcher:
    """Logs what nobody expected and answers with a problem.

    A handler for `Exception` would not do: the server closes the connection after it, on whatever is asked next.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and catch what it raises."""
        started = False

        async def noted(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except Exception as error:
            if started or scope["type"] != "http":
                raise
            logger.exception("%s %r failed.", scope["method"], scope["path"])
            await ProblemResponse(problem_of(error))(scope, receive, send)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route's documentation says of the problems that it answers with."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    named: dict[int | str, dict[str, Any]] = {
        status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses
    }
    return {**named, "default": {"description": "Any other problem", "content": content}}


def all_kinds() -> list[Kind]:
    """Every problem that a request can meet, for the documentation."""
    families = [error for error, _, _ in OF_ERRORS if error is not BadInput]
    ours = [_kind(leaf) for family in families for leaf in (family.__subclasses__() or [family])]
    return sorted({*ours, *OF_HTTP, *OF_REQUESTS, TIMED_OUT}, key=lambda kind: (kind.status, kind.code))


async def _respond(request: Request, error: Exception) -> ProblemResponse:
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    if "Allow" in headers:
        # The framework names the methods of the first route of this address, and there may be several.
        headers["Allow"] = ", ".join(sorted(_methods_at(request))) or headers["Allow"]
    return ProblemResponse(problem_of(error), headers)


def _methods_at(request: Request) -> set[str]:
    """The methods that an address takes, by the OpenAPI document's routes."""
    methods: set[str] = set()
    for path, operations in request.app.openapi()["paths"].items():
        place = re.sub(r"\\{\w+\\}", ".+" if path.startswith("/v1/sources/") else "[^/]+", re.escape(path))
        if re.fullmatch(place, request.url.path):
            methods |= {method.upper() for method in operations}
    return methods


async def _respond_to_nobody(_: Request, __: Exception) -> Response:
    return Response(status_code=CLIENT_CLOSED)


def _kind(error: type[WhosaysError]) -> Kind:
    fits = ((status, hint) for kind, status, hint in OF_ERRORS if issubclass(error, kind))
    status, hint = next(fits, (BUG.status, BUG.hint))
    return Kind(error("").code, status, (error.__doc__ or "").partition(".")[0], hint)


def _of_ours(error: WhosaysError) -> Problem:
    kind = _kind(type(error))
    if not kind.hint:
        return _problem(kind, error.message, error.hint)
    logger.warning("%s: %s %s", kind.code, error.message, error.hint)
    return _problem(kind, f"{kind.title}.")


def _of_invalid(errors: Sequence[Any]) -> Problem:
    first = errors[0]
    if first["type"] == "json_invalid":
        return _problem(BAD_JSON, f"The body is not JSON: {first['ctx']['error']} (character {first['loc'][-1]}).")
    if first["loc"] == ("body",) and isinstance(first.get("input"), bytes):
        return _problem(NOT_JSON, "The body was not sent as JSON.")
    more = f" And {len(errors) - 5} more." if len(errors) > 5 else ""
    return _problem(BAD_REQUEST, " ".join(_sentence(error) for error in errors[:5]) + more)


def _sentence(error: dict[str, Any]) -> str:
    """What is wrong with one field, such as "`history.0.answer` is missing."."""
    place, *path = error["loc"]
    field = f"`{'.'.join(str(step)[:80] for step in path)}`" if path else f"The {place}"
    match error["type"]:
        case "missing":
            return f"{field} is missing."
        case "extra_forbidden" | "unexpected_keyword_argument":
            return f"{field} is not a known field."
        case "value_error":
            return f"{field}: {error['ctx']['error']}."
        case _:
            return f"{field}: {error['msg']}."


def _of_http(error: HTTPException) -> Problem:
    if isinstance(error, Refusal):
        return _problem(error.kind, error.detail, error.hint)
    if error.status_code == 400:
        # FastAPI raises a bare 400 for a body that fails before it is parsed; the cause says how.
        unicode = isinstance(error.__cause__, UnicodeError)
        return _problem(BAD_JSON, "The body is not valid UTF-8." if unicode else "The body cannot be read as JSON.")
    for kind in OF_HTTP:
        if kind.status == error.status_code:
            return _problem(kind, f"{kind.title}.")
    phrase = HTTPStatus(error.status_code).phrase
    return _problem(Kind(phrase.lower().replace(" ", "_"), error.status_code, phrase), f"{phrase}.")


def _problem(kind: Kind, detail: str, hint: str = "") -> Problem:
    def sendable(text: str) -> str:
        # What the asker sent may stand in it, and a lone surrogate has no UTF-8.
        return text.encode("utf-8", "replace").decode("utf-8")

    return Problem(
        type=f"/docs#{kind.code}",
        title=kind.title,
        status=kind.status,
        detail=sendable(detail),
        code=kind.code,
        hint=sendable(hint or kind.hint),
    )
