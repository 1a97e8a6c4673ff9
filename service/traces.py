"""OpenTelemetry traces of what is asked: a span for each request, and one for each stage of its answer.

They are sent only where OTEL_EXPORTER_OTLP_ENDPOINT names who collects them, and never hold a question or a source.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.types import Scope

from rag.records import Answer

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

logger = logging.getLogger(__name__)

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
TRACED = ("/v1/", "/mcp")
NANOSECONDS = 1_000_000  # of a millisecond


class Traces:
    """The traces of one process; without the packages, or with nobody to collect them, all of it does nothing."""

    def __init__(self) -> None:
        self._provider: TracerProvider | None = None

    def open(self) -> None:
        """Begin to trace where the environment asks for it; the exporter reads its other variables itself."""
        if not any(os.environ.get(name) for name in ENDPOINTS):
            return
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ModuleNotFoundError:
            logger.warning('There are no traces: OpenTelemetry is not installed. pip install "whosays[otel]"')
            return
        named = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": "whosays"}
        self._provider = TracerProvider(resource=Resource.create(named))
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))

    def close(self) -> None:
        """Send what is left."""
        if self._provider is not None:
            self._provider.shutdown()
            self._provider = None

    @contextmanager
    def request(self, scope: Scope, request_id: str) -> Iterator[None]:
        """The span of a request, within the asker's own where its headers name one."""
        if self._provider is None or not scope["path"].startswith(TRACED):
            yield
            return
        from opentelemetry.propagate import extract
        from opentelemetry.trace import SpanKind

        tracer = self._provider.get_tracer("whosays")
        context = extract(dict(Headers(scope=scope)))
        attributes = {"http.request.method": scope["method"], "whosays.request_id": request_id}
        with tracer.start_as_current_span(scope["method"], context, SpanKind.SERVER, attributes):
            yield

    def responded(self, method: str, route: str, status: int) -> None:
        """Say in the span of the request under way what it came to."""
        if self._provider is None:
            return
        from opentelemetry.trace import StatusCode, get_current_span

        span = get_current_span()
        span.update_name(f"{method} {route}")
        span.set_attributes({"http.route": route, "http.response.status_code": status})
        if status >= 500:
            span.set_status(StatusCode.ERROR)

    def answered(self, answer: Answer) -> None:
        """Add the stages of an answer, which has just been given, to the span of the request under way."""
        if self._provider is None:
            return
        from opentelemetry.trace import get_current_span

        get_current_span().set_attributes({"whosays.outcome": answer.outcome, "whosays.model": answer.model})
        tracer = self._provider.get_tracer("whosays")
        begun = time.time_ns() - round(answer.timings_ms.get("total", 0) * NANOSECONDS)
        for stage, milliseconds in answer.timings_ms.items():
            if stage != "total":
                span = tracer.start_span(stage, start_time=begun)
                begun += round(milliseconds * NANOSECONDS)
                span.end(begun)
