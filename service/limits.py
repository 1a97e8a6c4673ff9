"""How often one may ask: token buckets by key and by address, and how large a request may be."""

from __future__ import annotations

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.problems import ProblemResponse, problem_of

MOST_BUCKETS = 10_000
SECONDS = 60.0  # what a rate counts in, and how much may be saved up


class Buckets:
    """One bucket for each name, of `rate` tokens, that fills up again within a minute; a rate of 0 is no limit."""

    def __init__(self, rate: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_of(self, name: str) -> float:
        """Take a token: 0 where there was one, else the seconds until there is."""
        if not self._rate:
            return 0.0
        with self._lock:
            now = self._clock()
            tokens, then = self._buckets.pop(name, (float(self._rate), now))
            tokens = min(self._rate, tokens + (now - then) * self._rate / SECONDS)
            wait = 0.0 if tokens >= 1 else (1 - tokens) * SECONDS / self._rate
            self._buckets[name] = (tokens if wait else tokens - 1, now)
            # Those who have not asked for longest are forgotten; by then their buckets are most likely full again.
            if len(self._buckets) > MOST_BUCKETS:
                self._buckets.popitem(last=False)
            return wait


def network_of(address: str) -> str:
    """What counts as one address: of IPv6 the first half, for the rest of it is each one's own to choose."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    if known.version == 6 and known.ipv4_mapped is None:
        return str(ipaddress.ip_network((known, 64), strict=False))
    return str(known.ipv4_mapped or known) if known.version == 6 else str(known)


class BodyLimit:
    """Refuses a request whose body is larger than may be, announced or not, as a problem like any other."""

    # FastAPI's own max_body_size would not do: it puts plain text in the place of every answer to such a request.

    def __init__(self, app: ASGIApp, max_bytes: int, max_upload_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._max_upload_bytes = max_upload_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        upload = scope["method"] == "PUT" and scope["path"].startswith("/v1/sources/")
        most = self._max_upload_bytes if upload else self._max_bytes
        if int(Headers(scope=scope).get("content-length", "0")) > most:
            await ProblemResponse(problem_of(HTTPException(413)))(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > most:
                raise HTTPException(413)
            return message

        await self._app(scope, counted, send)
