"""Traces of what is asked, collected by a real server that speaks OTLP over HTTP."""

from __future__ import annotations

import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import quick_settings_for
from tests.test_service import SEEDS, ask, process

otlp = pytest.importorskip(
    "opentelemetry.proto.collector.trace.v1.trace_service_pb2", reason="OpenTelemetry is not installed"
)
pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="OpenTelemetry is not installed")

ASKERS_TRACE, ASKERS_SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Collector(http.server.ThreadingHTTPServer):
    """Keeps the spans that it is sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Keep)
        self.spans: list[Any] = []
        self.bodies = b""


class Keep(http.server.BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        sent = otlp.ExportTraceServiceRequest.FromString(body)
        self.server.bodies += body
        self.server.spans += [s for r in sent.resource_spans for scope in r.scope_spans for s in scope.spans]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def attributes(span: Any) -> dict[str, Any]:
    return {each.key: each.value.string_value or each.value.int_value for each in span.attributes}


def test_a_question_leaves_a_span_within_the_askers_with_one_for_each_stage_and_none_of_its_words(
    collector: Collector, seeds_index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{collector.server_port}")
    with process(quick_settings_for(seeds_index), tmp_path) as running, running.client() as client:
        client.headers["traceparent"] = f"00-{ASKERS_TRACE}-{ASKERS_SPAN}-01"
        record = ask(client, "Who founded Scale AI?")
        client.get("/v1/sources/nowhere.txt")
        client.get("/healthz")
        running.stop()
    spans = {span.name: span for span in collector.spans}
    stages = record["timings_ms"].keys() - {"total"}
    assert spans.keys() == {"POST /v1/ask", "GET /v1/sources/{source:path}", *stages}
    assert {span.trace_id.hex() for span in collector.spans} == {ASKERS_TRACE}
    asked = spans["POST /v1/ask"]
    assert asked.parent_span_id.hex() == ASKERS_SPAN
    assert attributes(asked).items() >= {"http.route": "/v1/ask", "http.response.status_code": 200}.items()
    assert attributes(asked).items() >= {"whosays.outcome": "answered", "whosays.model": "builtin"}.items()
    for stage in stages:
        assert spans[stage].parent_span_id == asked.span_id
        assert asked.start_time_unix_nano <= spans[stage].start_time_unix_nano <= spans[stage].end_time_unix_nano
    assert b"founded" not in collector.bodies and b"nowhere" not in collector.bodies


def test_without_an_endpoint_nothing_is_loaded_and_without_the_packages_it_is_said() -> None:
    program = (
        "import sys\n{before}\nfrom service.traces import Traces\ntraces = Traces()\ntraces.open()\n"
        "print(any(name.startswith('opentelemetry.sdk') for name in sys.modules))"
    )
    plain = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}

    def ran(before: str, **more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", program.format(before=before)]
        return subprocess.run(
            command, capture_output=True, text=True, check=True, cwd=SEEDS.parent, env={**plain, **more}
        )

    assert ran("").stdout == "False\n"
    lacking = ran("sys.modules['opentelemetry.sdk'] = None", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1")
    assert "whosays[otel]" in lacking.stderr and "Traceback" not in lacking.stderr
