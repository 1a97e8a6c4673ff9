"""Malformed requests against a service in a process of its own: statuses, leaks and memory, for BENCHMARKS.md.

    python -m tests.benchmarks.service_fuzz [--requests 10000] [--seed 1] [--processes 1]

Every request is made from its seed and its number alone. A leak is a response that holds a traceback or a path of the
server; memory is compared with what it was after a tenth of the requests.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import socket
import tempfile
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.benchmarks.service_children import resident_mb, service_over_seeds

LEAK = re.compile(rb"Traceback|File \"|site-packages|\.sqlite|/(?:tmp|root|home|usr|srv|work)/|\.py\b")
QUIET = 1.0  # seconds without a word, after which the asker goes
POSTS = ("/v1/ask", "/v1/search", "/v1/chat/completions", "/mcp")
PATHS = (
    "/", "/v1/ask", "/v1/sources", "/v1/sources/a.txt", "/v1/jobs/0", "/metrics", "/healthz", "/page/page.js", "/docs",
    "/mcp",
)  # fmt: skip
TRICKS = (
    "..%2f..%2f..%2fetc%2fpasswd", "../../../../etc/passwd", "%00", "a%00.txt", "%2e%2e/%2e%2e/etc/passwd",
    "//etc/passwd",
    "%ff%fe", "%ed%a0%80", "....//....//etc/passwd", "..\\..\\etc\\passwd", "%5c..%5c", ";/etc/passwd", "%", "%zz",
    "%252e%252e%252f", "?a=%00", "?limit=NaN&offset=-1", "?limit=" + "9" * 400, "#x", "file:///etc/passwd", "\u00e9",
)  # fmt: skip
METHODS = (
    "GET",
    "POST",
    "PUT",
    "DELETE",
    "PATCH",
    "HEAD",
    "OPTIONS",
    "TRACE",
    "CONNECT",
    "PROPFIND",
    "get",
    "G\u00cbT",
    "X" * 300,
)
HEADERS = (
    "Content-Length: -1", "Content-Length: 1_0", "Content-Length: 5, 6", "Content-Length: 99999999999999999999",
    "Content-Length: +5", "Transfer-Encoding: chunked, identity", "Transfer-Encoding: gzip", "Content-Encoding: gzip",
    "Expect: 100-continue", "Expect: nothing", "Host: a\r\nHost: b", "X: a\r\n b", "X : a", ": a", "X\x00: a",
    "X: \x00",
    "X: \xff\xfe", "Authorization: Bearer \xff", "Authorization: Bearer " + "x" * 9000, "Authorization: Basic ====",
    "Cookie: " + "a=b; " * 2000, "X-Request-Id: \x01\x02", "Range: bytes=9-1",
    "Upgrade: websocket\r\nConnection: Upgrade",
    "Upgrade: h2c\r\nHTTP2-Settings: AAA", "Content-Type: application/json; charset=utf-16", "Content-Type: \x7f",
    "Content-Type: multipart/form-data", "If-None-Match: \xff", "Accept: " + "*/*," * 500, "X-Forwarded-For: \xff",
)  # fmt: skip
CHUNKED = (
    b"zz\r\nabc\r\n0\r\n\r\n", b"-5\r\nabc\r\n0\r\n\r\n", b"ffffffffffffffffff\r\nabc", b"5\r\nab",
    b"3\r\nabc0\r\n\r\n",
    b"3;x=" + b"y" * 5000 + b"\r\nabc\r\n0\r\n\r\n", b"0\r\nContent-Length: 5\r\n\r\n", b"\r\n\r\n",
    b"0x3\r\nabc\r\n0\r\n\r\n",
    b"1\n{\n0\n\n", b"5\r\n\xff\xfe\xfd\xfc\xfb\r\n0\r\n\r\n",
)  # fmt: skip


def request(seed: int, number: int) -> bytes:
    """One malformed request: the same for the same seed and number."""
    chance = random.Random(f"{seed} {number}")
    return MAKERS[number % len(MAKERS)](chance)


def answer_to(url: str, sent: bytes) -> bytes:
    """All that the service says to some bytes, until it closes or waits for more."""
    place = urlsplit(url)
    told = b""
    with socket.create_connection((place.hostname or "", place.port or 0), timeout=20) as connection:
        try:
            connection.sendall(sent)
            connection.settimeout(QUIET)
            while piece := connection.recv(65536):
                told += piece
        except (ConnectionError, TimeoutError):
            pass  # it was told to go away before all was sent, or nothing more is said
    return told


def status_of(told: bytes) -> str:
    """The status of the first response in some bytes."""
    found = re.match(rb"HTTP/1\.\d (\d{3})", told)
    return found[1].decode() if found else "closed"


def _post(body: bytes, path: str = "/v1/ask", *headers: str, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    lines = [f"POST {path} HTTP/1.1", "Host: x", "Connection: close", "Content-Type: application/json", *headers]
    return "\r\n".join([*lines, f"Content-Length: {size}", "", ""]).encode("latin-1") + body


def _value(chance: random.Random, depth: int = 0) -> Any:
    """Some JSON, of any type."""
    plain = (None, True, -1, 1e308, 10**30, 0.1, "", " ", "\0", "\ud800", "Who?", "x" * 5000, float("nan"), [], {})
    if depth > 3 or chance.random() < 0.6:
        return chance.choice(plain)
    if chance.random() < 0.5:
        return [_value(chance, depth + 1) for _ in range(chance.randrange(5))]
    return {chance.choice(("question", "role", "\0", "a")): _value(chance, depth + 1) for _ in range(3)}


def _wrong_types(chance: random.Random) -> bytes:
    names = (
        "question",
        "history",
        "sources",
        "top_k",
        "stream",
        "model",
        "messages",
        "jsonrpc",
        "method",
        "params",
        "x",
    )
    fields = {name: _value(chance) for name in chance.sample(names, chance.randrange(1, 6))}
    if chance.random() < 0.5:
        fields |= {"question": "Who founded Scale AI?", "messages": [{"role": "user", "content": _value(chance)}]}
    return _post(json.dumps(fields).encode(), chance.choice(POSTS), "Accept: application/json, text/event-stream")


def _huge(chance: random.Random) -> bytes:
    kind = chance.randrange(5)
    if kind == 0:
        return _post(b'{"question": "' + b"x" * chance.randrange(500_000, 1_200_000) + b'"}')
    if kind == 1:
        return _post(b"[" * chance.randrange(1_000, 300_000))
    if kind == 2:
        return b"GET /" + b"a" * chance.randrange(10_000, 200_000) + b" HTTP/1.1\r\nHost: x\r\n\r\n"
    if kind == 3:
        return _post(b"{}", "/v1/ask", f"X: {'y' * chance.randrange(10_000, 200_000)}")
    return _post(b"{}", "/v1/ask", *(f"X-{n}: y" for n in range(chance.randrange(100, 3000))))


def _cut_short(chance: random.Random) -> bytes:
    whole = _post(b'{"question": "Who founded Scale AI?", "stream": true}', chance.choice(POSTS))
    if chance.random() < 0.3:
        return _post(b'{"question": "Who', length=chance.randrange(1, 900_000))
    return whole[: chance.randrange(1, len(whole))]


def _bad_bytes(chance: random.Random) -> bytes:
    wrong = bytes(chance.randrange(128, 256) for _ in range(chance.randrange(1, 40)))
    return _post(b'{"question": "' + wrong + b'"}', chance.choice(POSTS))


def _headers(chance: random.Random) -> bytes:
    chosen = chance.sample(HEADERS, chance.randrange(1, 4))
    if chance.random() < 0.5:
        return _post(b'{"question": "Who?"}', chance.choice(POSTS), *chosen)
    start = f"{chance.choice(('GET', 'PUT'))} {chance.choice(PATHS)} HTTP/1.1\r\n"
    return start.encode() + "\r\n".join([*chosen, "", ""]).encode("latin-1")


def _paths(chance: random.Random) -> bytes:
    path = chance.choice(("/", "/v1/sources/", "/page/", "/v1/jobs/", "", "/v1/")) + chance.choice(TRICKS)
    method = chance.choice(("GET", "GET", "PUT", "DELETE", "HEAD"))
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()


def _chunks(chance: random.Random) -> bytes:
    start = (
        f"POST {chance.choice(POSTS)} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n"
    )
    both = chance.choice(("", "Content-Length: 5\r\n"))
    return f"{start}{both}Transfer-Encoding: chunked\r\n\r\n".encode() + chance.choice(CHUNKED)


def _versions(chance: random.Random) -> bytes:
    path = chance.choice(PATHS)
    return chance.choice(
        (f"GET {path}\r\n", f"GET {path} HTTP/0.9\r\n\r\n", f"GET {path} HTTP/9.9\r\n\r\n", f"GET {path} HTTP/1.1\n\n",
         f"{path} GET HTTP/1.1\r\n\r\n", f"GET  {path}  HTTP/1.1\r\n\r\n", "\r\n" * 50, "\0" * 100,
         "HTTP/1.1 200 OK\r\n\r\n",
         "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
         "OPTIONS * HTTP/1.1\r\n\r\n",
         f"GET http://elsewhere{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    ).encode("latin-1")  # fmt: skip


def _methods(chance: random.Random) -> bytes:
    method, path = chance.choice(METHODS), chance.choice(PATHS)
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode("latin-1")


def _mutated(chance: random.Random) -> bytes:
    whole = bytearray(_post(b'{"question": "Who founded Scale AI?", "top_k": 3}', chance.choice(POSTS)))
    for _ in range(chance.randrange(1, 12)):
        place = chance.randrange(len(whole))
        change = chance.randrange(3)
        if change == 0:
            whole[place] = chance.randrange(256)
        elif change == 1:
            del whole[place]
        else:
            whole.insert(place, chance.randrange(256))
    return bytes(whole)


MAKERS: tuple[Callable[[random.Random], bytes], ...] = (
    _wrong_types, _huge, _cut_short, _bad_bytes, _headers, _paths, _chunks, _versions, _methods, _mutated,
)  # fmt: skip


def fuzz(url: str, seed: int, numbers: range) -> tuple[Counter[str], list[int]]:
    """How often each status came, and the numbers of the requests that were answered with a 500 or a leak."""

    def one(number: int) -> tuple[str, bool]:
        told = answer_to(url, request(seed, number))
        status = status_of(told)
        # The page and its scripts may speak of files of their own.
        return status, status == "500" or (status != "200" and bool(LEAK.search(told)))

    with ThreadPoolExecutor(12) as threads:
        found = list(threads.map(one, numbers))
    bad = [number for number, (_, wrong) in zip(numbers, found, strict=True) if wrong]
    return Counter(status for status, _ in found), bad


def main() -> None:
    """Print what came back."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=1)
    options = parser.parse_args()
    first = options.requests // 10
    with tempfile.TemporaryDirectory() as folder, service_over_seeds(Path(folder), options.processes) as running:
        statuses, bad = fuzz(running.url, options.seed, range(first))
        level = resident_mb(running.child.pid)
        more, worse = fuzz(running.url, options.seed, range(first, options.requests))
        end = resident_mb(running.child.pid)
        with running.client() as client:
            answered = client.post("/v1/ask", json={"question": "Who founded Scale AI?"}).json()
        log = running.log.read_text()
        statuses += more
        print(f"{options.requests} requests, seed {options.seed}: {dict(sorted(statuses.items()))}")
        print(
            f"500 or a leak: {len(bad + worse)} {(bad + worse)[:20]}; tracebacks in the log: {log.count('traceback')}"
        )
        print(f"alive: {running.child.poll() is None}; answers afterwards: {answered['outcome']}")
        print(f"memory: {level:.0f} MB after {first}, {end:.0f} MB after all: {end / level:.3f}")


if __name__ == "__main__":
    main()
