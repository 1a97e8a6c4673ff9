"""What every response bears and every request leaves behind: an id, headers for browsers, a log line, counts."""

from __future__ import annotations

import logging
import re
import time
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.journal import current_request
from service.metrics import Metrics
from service.problems import CLIENT_CLOSED
from service.traces import Traces

logger = logging.getLogger(__name__)

SANE_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
NOT_KEPT = ("/v1/", "/mcp", "/metrics")


class Envelope:
    """The outermost layer of the application."""

    def __init__(self, app: ASGIApp, metrics: Metrics, traces: Traces) -> None:
        self._app = app
        self._metrics = metrics
        self._traces = traces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and what it is answered with back."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.perf_counter()
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if SANE_ID.fullmatch(given) else uuid.uuid4().hex
        status = CLIENT_CLOSED

        async def addressed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith(NOT_KEPT):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        token = current_request.set(request_id)
        with self._traces.request(scope, request_id):
            try:
                await self._app(scope, receive, addressed)
            finally:
                seconds = time.perf_counter() - begun
                # The route's pattern, not the path: names of sources are nobody's business in a log.
                route = getattr(scope.get("route"), "path", "other")
                self._metrics.request(scope["method"], route, status, seconds)
                self._traces.responded(scope["method"], route, status)
                fields = {"method": scope["method"], "route": route, "status": status, "ms": round(seconds * 1000, 1)}
                logger.info("request", extra={"fields": fields})
                current_request.reset(token)
