"""A language model behind the HTTP door: chosen by the asker, checked, and killed in mid-answer."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from rag.settings import LanguageSettings, ServiceSettings
from tests.conftest import quick_settings_for, times
from tests.model_servers import Reply, model_server
from tests.test_service import Process, ask, process, stream

QUESTION = "Who founded Scale AI?"
KILLED = times(20, 200)
WARM = times(15, 30)
GROWTH = 1.05


class Model(BaseHTTPRequestHandler):
    """Speaks OpenAI's streaming format: a true sentence and its id, then nothing more, as a server that is killed."""

    protocol_version = "HTTP/1.1"
    breaks_off = True

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        prompt = json.loads(self.rfile.read(length))["messages"][-1]["content"]
        line = re.search(r"^(\d+\.\d+) .*[Ff]ounded in 2016 by (?:CEO )?Alexandr Wang", prompt, re.M)
        id_ = line[1] if line else "1.1"
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in (f"Scale AI was founded in 2016 by Alexandr Wang [{id_}].", " Its office in Paris is", " large."):
            delta = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
            delta["choices"] = [{"index": 0, "delta": {"role": "assistant", "content": piece}, "finish_reason": None}]
            self._chunk(f"data: {json.dumps(delta)}\n\n")
        if not self.breaks_off:
            delta["choices"] = [{"index": 0, "delta": {}, "finish_reason": "stop"}]
            self._chunk(f"data: {json.dumps(delta)}\n\ndata: [DONE]\n\n")
            self.wfile.write(b"0\r\n\r\n")
        self.close_connection = True

    def _chunk(self, text: str) -> None:
        self.wfile.write(f"{len(text.encode()):x}\r\n{text}\r\n".encode())

    def log_message(self, *_: Any) -> None:
        pass


class WholeModel(Model):
    breaks_off = False


@pytest.fixture(scope="module", params=[Model, WholeModel], ids=["killed", "whole"])
def door(
    request: pytest.FixtureRequest, seeds_index: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[type[Model], Process, httpx.Client]]:
    pytest.importorskip("openai")
    server = ThreadingHTTPServer(("127.0.0.1", 0), request.param)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    language = LanguageSettings(base_url=f"http://127.0.0.1:{server.server_port}/v1", retries=0, timeout=20)
    settings = replace(
        quick_settings_for(seeds_index),
        model="openai-like/m",
        language=language,
        service=ServiceSettings(models="builtin, offline/copy"),
    )
    with process(settings, tmp_path_factory.mktemp("door")) as running, running.client() as client:
        assert client.get("/readyz").status_code == 200, running.log.read_text()
        yield request.param, running, client
    server.shutdown()


def memory(process: Process) -> int:
    """Kilobytes that a process holds."""
    status = Path(f"/proc/{process.child.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


def test_the_asker_may_choose_among_the_models_offered(door: tuple[type[Model], Process, httpx.Client]) -> None:
    _, _, client = door
    for model in ("builtin", "offline/copy"):
        record = ask(client, QUESTION, model=model)
        assert record["model"] == model
        assert "Alexandr Wang" in record["text"]
    refused = client.post("/v1/ask", json={"question": QUESTION, "model": "openai/gpt"})
    assert refused.status_code == 422
    assert "offline/copy" in refused.json()["hint"]


def test_a_whole_answer_is_checked_and_cited(door: tuple[type[Model], Process, httpx.Client]) -> None:
    kind, _, client = door
    if kind.breaks_off:
        pytest.skip("this server breaks off")
    record = ask(client, QUESTION)
    assert (record["model"], record["text"]) == (
        "openai-like/m",
        "Scale AI was founded in 2016 by Alexandr Wang [1].",
    )
    assert [claim["text"] for claim in record["withheld"]] == ["Its office in Paris is large."]


def test_a_model_killed_in_mid_answer_is_an_error_event_and_the_service_stays_up(
    door: tuple[type[Model], Process, httpx.Client],
) -> None:
    kind, running, client = door
    if not kind.breaks_off:
        pytest.skip("this server does not break off")
    before = 0
    for turn in range(KILLED + WARM):
        told = stream(client, QUESTION, top_k=1)
        assert [name for name, _ in told][-2:] == ["token", "error"]
        assert told[-2][1]["text"] == "Scale AI was founded in 2016 by Alexandr Wang [1]."
        assert told[-1][1]["code"] == "model_unreachable"
        if turn == WARM:
            before = memory(running)
    assert memory(running) <= before * GROWTH
    assert client.get("/healthz").status_code == 200
    assert "Traceback" not in running.log.read_text()


def test_a_client_that_leaves_ends_the_call_of_a_silent_model(seeds_index: Path, tmp_path: Path) -> None:
    pytest.importorskip("openai")
    with model_server("openai") as model:
        model.script = [Reply("silent")]
        language = LanguageSettings(base_url=model.url, retries=0, timeout=600, context=2000)
        settings = replace(quick_settings_for(seeds_index), model="openai-like/m", language=language)
        with process(settings, tmp_path) as running, running.client() as client:
            with pytest.raises(httpx.ReadTimeout):
                client.post("/v1/ask", json={"question": QUESTION, "stream": True}, timeout=httpx.Timeout(30, read=3))
            assert any(settled(client) for _ in range(400))  # in seconds, where the model may be silent for 600


def settled(client: httpx.Client) -> bool:
    """Whether, a moment later, the service is busy with no question."""
    time.sleep(0.05)
    return "\nwhosays_questions_under_way 0.0\n" in client.get("/metrics").text
