"""A server on loopback that speaks the wire formats of Ollama, OpenAI and Anthropic, and misbehaves as it is told."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

WORDS = ("Jane ", "Doe ", "founded ", "Acme.")


@dataclass(frozen=True)
class Reply:
    """What the server does: a status of its own, or words, and then `end`.

    `whole` ends as the format wants it; `cut` resets the connection in the midst; `short` ends it between two pieces
    as if nothing were amiss; `endless` goes on until the client leaves; `silent` says nothing for a long time, and
    `stalled` nothing more.
    """

    end: str = "whole"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    before: int = 2


class ModelServer(ThreadingHTTPServer):
    """Answers each request by the next reply of its script; the last one stays."""

    daemon_threads = True

    def __init__(self, speech: str, words: Sequence[str] = WORDS) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.speech = speech
        self.words = words
        self.script = [Reply()]
        self.requests: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.client_left = threading.Event()
        self.closing = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{'/v1' if self.speech == 'openai' else ''}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Broken pipes are what the tests are about."""


@contextmanager
def model_server(speech: str, words: Sequence[str] = WORDS) -> Iterator[ModelServer]:
    server = ModelServer(speech, words)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ModelServer

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self.server.requests.append((self.path, dict(self.headers), {}))
        model = {
            "id": "tiny",
            "object": "model",
            "type": "model",
            "created": 1,
            "owned_by": "us",
            "max_model_len": 4096,
        }
        listed = {"object": "list", "data": [model], "has_more": False}
        self._answer(self._next(), listed if self.path.endswith("/models") else model)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
        self.server.requests.append((self.path, dict(self.headers), body))
        if self.path == "/api/show":
            details = {"format": "gguf", "family": "llama", "parameter_size": "1B", "quantization_level": "Q4"}
            facts = {"general.architecture": "llama", "llama.context_length": 2048}
            reply = self._next() if self.server.script[0].status != 200 else Reply()
            self._answer(reply, {"details": details, "model_info": facts, "capabilities": ["completion"]})
            return
        reply = self._next()
        if reply.status != 200:
            self._answer(reply, None)
        else:
            self._speak(reply)

    def _next(self) -> Reply:
        script = self.server.script
        return script.pop(0) if len(script) > 1 else script[0]

    def _answer(self, reply: Reply, body: Any) -> None:
        if reply.end == "silent":
            self.server.closing.wait(30)
        content = json.dumps(body if reply.status == 200 else reply.body or {"error": "no"}).encode()
        self.send_response(reply.status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _speak(self, reply: Reply) -> None:
        if reply.end == "silent":
            self.server.closing.wait(30)
        self.send_response(200)
        self.send_header(
            "Content-Type", "text/event-stream" if self.server.speech != "ollama" else "application/x-ndjson"
        )
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        opening, piece, ending = FORMATS[self.server.speech]
        self._write(opening)
        words = self.server.words
        count = len(words) if reply.end == "whole" else reply.before
        for word in words[:count]:
            self._write(piece(word))
        if reply.body is not None:
            self._write(reply.body)
        if reply.end == "endless":
            self._go_on(piece("on "))
        elif reply.end == "stalled":
            self.server.closing.wait(30)
        elif reply.end == "cut":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            self.close_connection = True
            self.connection.close()
            return
        elif reply.end == "whole":
            self._write(ending)
        self.wfile.write(b"0\r\n\r\n")

    def _go_on(self, text: str) -> None:
        try:
            while not self.server.closing.wait(0.01):
                self._write(text)
        except OSError:
            self.server.client_left.set()
            raise

    def _write(self, text: str) -> None:
        content = text.encode()
        if content:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))
            self.wfile.flush()


def _ollama(word: str, **more: Any) -> str:
    message = {"role": "assistant", "content": word}
    made = {"model": "tiny", "created_at": "2026-01-02T03:04:05.678Z", "message": message, "done": False}
    return json.dumps({**made, **more}) + "\n"


def _openai(word: str | None, finish: str | None = None) -> str:
    choice = {"index": 0, "delta": {"content": word} if word is not None else {}, "finish_reason": finish}
    made = {"id": "c-1", "object": "chat.completion.chunk", "created": 1, "model": "tiny", "choices": [choice]}
    return f"data: {json.dumps(made)}\n\n"


def event(name: str, **more: Any) -> str:
    """One of Anthropic's events."""
    return f"event: {name}\ndata: {json.dumps({'type': name, **more})}\n\n"


def _anthropic(word: str) -> str:
    return event("content_block_delta", index=0, delta={"type": "text_delta", "text": word})


_MESSAGE = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "tiny", "content": [], "stop_reason": None,
    "stop_sequence": None, "usage": {"input_tokens": 9, "output_tokens": 1},
}  # fmt: skip
FORMATS: dict[str, Any] = {
    "ollama": ("", _ollama, _ollama("", done=True, done_reason="stop", prompt_eval_count=9, eval_count=4)),
    "openai": ("", _openai, _openai(None, "stop") + "data: [DONE]\n\n"),
    "anthropic": (
        event("message_start", message=_MESSAGE)
        + event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        _anthropic,
        event("content_block_stop", index=0)
        + event("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None}, usage={"output_tokens": 4})
        + event("message_stop"),
    ),
}
