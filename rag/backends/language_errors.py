"""What goes wrong with a language model, in our words; never with a key or a password in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit, urlunsplit

from rag.errors import (
    BackendMissing,
    BackendProblem,
    ContextTooSmall,
    ModelOverloaded,
    ModelRefused,
    ModelTimeout,
    ModelUnavailable,
    ModelUnreachable,
)

LONGEST_DETAIL = 300
OVERFLOW = re.compile(
    r"context.{0,3}(length|window|size)|maximum context|prompt is too long|too many (input )?tokens"
    r"|exceeds? (the )?(available )?context",
    re.IGNORECASE,
)
# Errors that come in the midst of a reply have no status of their own; their type says it.
STATUS_OF_TYPE = {
    "overloaded_error": 529,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "timeout_error": 504,
}
OVERLOADED = (429, 503, 529)
TIMEOUTS = {"TimeoutException", "APITimeoutError", "TimeoutError"}
UNREACHABLE = {"TransportError", "APIConnectionError", "ConnectionError", "JSONDecodeError", "StreamError"}


@dataclass(frozen=True)
class Place:
    """A model and where it is, for messages: `url` without credentials, `variable` what the key is called."""

    name: str
    url: str = ""
    variable: str = ""
    timeout: float = 0.0
    absent: str = "See that the name is right."
    secrets: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class Failure:
    """An error of ours, whether asking again may help, and how many seconds the server wants to be left alone."""

    problem: BackendProblem
    again: bool = False
    wait: float | None = None


class BrokenOff(ConnectionError):
    """The reply ended before the model said that it had done."""


def failure(error: Exception, place: Place) -> Failure:
    """What an error of a client library means."""
    chain = list(_chain(error))
    kinds = {kind.__name__ for link in chain for kind in type(link).__mro__}
    status = _status(error)
    detail = _detail(error, place)
    where = f" at {place.url}" if place.url else ""
    if OVERFLOW.search(detail) and status not in OVERLOADED:
        return Failure(_too_small(place, detail))
    if status in OVERLOADED:
        overloaded = ModelOverloaded(
            f"{place.name}{where} turns the question away ({status}): {detail}",
            hint="Ask again later, or name another model.",
        )
        return Failure(overloaded, again=True, wait=_retry_after(chain))
    if status in (408, 504) or (not status and kinds & TIMEOUTS):
        return Failure(
            ModelTimeout(
                f"{place.name}{where} gave nothing for {place.timeout:g} seconds.",
                hint="Set language.timeout higher, or name a smaller model.",
            )
        )
    if status == 502 or (not status and kinds & UNREACHABLE):
        broken = any(isinstance(link, BrokenOff) for link in chain)
        what = "broke off in the midst of its reply" if broken else f"cannot be reached: {detail}"
        unreachable = ModelUnreachable(f"{place.name}{where} {what.rstrip('.')}.", hint="See that the server runs.")
        return Failure(unreachable, again=True)
    return Failure(_by_status(status, place, where, detail))


def _by_status(status: int, place: Place, where: str, detail: str) -> BackendProblem:
    if status in (401, 403):
        variable = place.variable or "the server's key"
        return ModelRefused(
            f"{place.name}{where} refuses the key in {variable} ({status}).", hint=f"Set {variable} to a valid key."
        )
    if status == 404:
        return ModelUnavailable(f"{place.name} is not there{where}: {detail}", hint=place.absent)
    code = f" ({status})" if status else ""
    return ModelUnavailable(f"{place.name}{where} failed{code}: {detail}", hint="See the server's own log.")


def missing(extra: str, error: ModuleNotFoundError) -> BackendMissing:
    """The error for a package that an extra of ours brings."""
    return BackendMissing(
        f"Models of the kind {extra} need the package {error.name}.", hint=f'pip install "whosays[{extra}]"'
    )


def too_long(place: Place, tokens: int, context: int) -> ContextTooSmall:
    """The error for a prompt of so many tokens where the model reads fewer."""
    return _too_small(place, f"the prompt has {tokens} tokens, and it reads {context}")


def _too_small(place: Place, detail: str) -> ContextTooSmall:
    return ContextTooSmall(
        f"{place.name} reads too little at once: {detail}",
        hint="Set language.context to what the server was started with, or name a model that reads more.",
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _status(error: Exception) -> int:
    """The HTTP status that an error speaks of, or 0."""
    body = getattr(error, "body", None)
    inner = body.get("error", body) if isinstance(body, dict) else None
    if isinstance(inner, dict):
        for key in ("type", "code"):
            if str(inner.get(key)) in STATUS_OF_TYPE:
                return STATUS_OF_TYPE[str(inner[key])]
    status = getattr(error, "status_code", 0)
    return status if isinstance(status, int) and status >= 400 else 0


def _retry_after(chain: list[BaseException]) -> float | None:
    """The seconds of a Retry-After header, which may be a number or a date."""
    for link in chain:
        headers = getattr(getattr(link, "response", None), "headers", None) or {}
        value = str(headers.get("retry-after", "")).strip()
        if re.fullmatch(r"\d+(\.\d+)?", value):
            return float(value)
        if value:
            try:
                return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
            except (ValueError, TypeError):
                return None
    return None


def _detail(error: Exception, place: Place) -> str:
    """What the server or the library said, in one line, without the key."""
    text = " ".join((str(error) or type(error).__name__).split())
    for secret in place.secrets:
        text = text.replace(secret, "***")
    text = re.sub(r"(\w+://)[^/@\s]+@", r"\1", text)
    return text if len(text) <= LONGEST_DETAIL else f"{text[:LONGEST_DETAIL]}…"


def without_credentials(url: str) -> str:
    """A URL without its user, password and query, for messages."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
