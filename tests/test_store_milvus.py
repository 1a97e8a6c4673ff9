"""Milvus where it differs from a folder: a server that is away or refuses, and runs that are killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import grpc
import pytest
from milvus_lite.adapter.grpc.servicer import MilvusServicer
from milvus_lite.db import MilvusLite
from milvus_lite.storage.memtable import MemTable
from pymilvus.grpc_gen import milvus_pb2_grpc

from rag.errors import BadSettings, IndexDamaged, IndexLocked, IndexRefused, IndexUnreachable
from rag.store import milvus_server
from rag.store.milvus import MilvusStore
from rag.store.milvus_schema import read_row, write_row
from rag.store.milvus_server import Address, Server, address_of
from rag.store.milvus_writer import MilvusWriter
from tests.conftest import times
from tests.contracts import NORTH, put

ROOT = Path(__file__).parent.parent


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(Address(str(tmp_path / "index.db")))
    yield server
    server.close()


def begun(server: Server, **how: Any) -> MilvusWriter:
    writer = MilvusWriter(server, "model", "model", 2, rebuild=how.get("rebuild", False))
    writer.begin()
    return writer


def index(server: Server, *texts: str) -> None:
    writer = begun(server)
    for number, text in enumerate(texts):
        put(writer, f"{number}.txt", text)
    writer.finish()
    writer.close()


def test_an_address_is_a_file_or_a_server(tmp_path: Path) -> None:
    assert address_of(f"milvus:{tmp_path}/a.db", {}) == Address(f"{tmp_path}/a.db")
    environ = {"MILVUS_TOKEN": "user:secret", "MILVUS_DATABASE": "tenant"}
    remote = address_of("https://host:19530", environ)
    assert remote == Address("https://host:19530", "user:secret", "tenant")
    assert "secret" not in f"{remote} {remote!r}"
    for nowhere in ("http://", "https://:19530", "http://[bad", "http://host:99999", "http://host:x"):
        with pytest.raises(BadSettings, match="names no host and port"):
            address_of(nowhere, {})
    with pytest.raises(BadSettings, match="holds a name or a password") as caught:
        address_of("http://user:secret@host:19530", {})
    assert "MILVUS_TOKEN" in caught.value.hint
    assert "secret" not in f"{caught.value} {caught.value.hint}"
    for neither in ("milvus:a", "HTTP://host:19530"):
        with pytest.raises(BadSettings, match=neither) as caught:
            address_of(neither, {})
        assert "milvus:index.db" in caught.value.hint
        assert "http://HOST:19530" in caught.value.hint


def test_a_server_that_is_away_is_named(unused_port: int) -> None:
    with pytest.raises(IndexUnreachable, match=f"127.0.0.1:{unused_port} does not answer") as caught:
        Server(Address(f"http://127.0.0.1:{unused_port}"))
    assert "store.uri" in caught.value.hint


def test_a_search_beside_a_flush_misses_nothing(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    index(server, "It rained.")
    with MilvusStore(server).snapshot() as snapshot, ThreadPoolExecutor(1) as pool:
        passages = snapshot.state.collection("passages")
        (row,) = server.rows(passages, "id > 0", ("id", "source_id", "digest", "facts", "text", "words", "vector"))
        server.upsert(passages, [{**row, "born": 1, "died": 9}])
        flushes = []

        def flush_after(memory: MemTable) -> Any:
            known = snapshot_of(memory)
            if not flushes:
                flushes.append(pool.submit(server.flush, passages))
                wait(flushes, timeout=0.5)
            return known

        snapshot_of = MemTable.pk_index_snapshot
        monkeypatch.setattr(MemTable, "pk_index_snapshot", flush_after)
        assert len(snapshot.holding_words(["rained"], 9)) == 1
        flushes[0].result()


@pytest.fixture
def unused_port() -> int:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class Guard(grpc.ServerInterceptor):  # type: ignore[misc]
    """Lets in those who bring the one token, as a server of Milvus with authorization does."""

    def __init__(self, token: str) -> None:
        self.wanted = token

    def intercept_service(self, continuation: Callable[[Any], Any], details: Any) -> Any:
        import base64

        given = dict(details.invocation_metadata).get("authorization", "")
        if base64.b64decode(given).decode() == self.wanted:
            return continuation(details)

        def refuse(_request: Any, context: grpc.ServicerContext) -> None:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "auth check failure, please check username and password")

        return grpc.unary_unary_rpc_method_handler(refuse)


@contextlib.contextmanager
def served(folder: Path, interceptor: grpc.ServerInterceptor) -> Iterator[str]:
    """The address of a server of Milvus Lite with something before it."""
    database = MilvusLite(str(folder / "data"))
    listening = grpc.server(ThreadPoolExecutor(4), interceptors=[interceptor])
    milvus_pb2_grpc.add_MilvusServiceServicer_to_server(MilvusServicer(database), listening)
    port = listening.add_insecure_port("127.0.0.1:0")
    listening.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        listening.stop(None)
        database.close()


def test_a_wrong_token_is_refused_and_the_right_one_let_in(tmp_path: Path) -> None:
    with served(tmp_path, Guard("root:Milvus")) as uri:
        with pytest.raises(IndexRefused, match="refuses the token") as caught:
            Server(Address(uri, "root:wrong")).collections()
        assert "MILVUS_TOKEN" in caught.value.hint
        right = Server(Address(uri, "root:Milvus"))
        index(right, "It rained.")
        assert MilvusStore(right).names() == ["0.txt"]
        right.close()


class Delay(grpc.ServerInterceptor):  # type: ignore[misc]
    """Keeps searches waiting, as an overloaded server does."""

    def __init__(self) -> None:
        self.over = threading.Event()

    def intercept_service(self, continuation: Callable[[Any], Any], details: Any) -> Any:
        if details.method.endswith("/Search"):
            self.over.wait(60.0)
        return continuation(details)


def test_a_search_that_takes_too_long_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    delay = Delay()
    with served(tmp_path, delay) as uri:
        server = Server(Address(uri))
        index(server, "It rained.")
        with MilvusStore(server).snapshot() as snapshot:
            monkeypatch.setattr(milvus_server, "SECONDS", 0.2)
            with pytest.raises(IndexUnreachable, match=r"does not answer: Deadline Exceeded\.$"):
                snapshot.nearest_to(NORTH, 1)
        delay.over.set()
        server.close()


def test_an_index_of_another_version_is_named_so(server: Server) -> None:
    index(server, "It rained.")
    write_row(server, "state", {**read_row(server, "state"), "version": 0})
    with pytest.raises(IndexDamaged, match="format 0, but this is format") as caught:
        MilvusStore(server)
    assert "--rebuild" in caught.value.hint
    writer = begun(server, rebuild=True)
    writer.finish()
    writer.close()
    assert MilvusStore(server).names() == []


def test_an_open_store_sees_the_next_generation_and_forgets_the_last(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rag.store.milvus.STATE_SECONDS", 0.0)
    monkeypatch.setattr("rag.store.milvus_writer.READERS_SECONDS", 0.0)
    index(server, "It rained.", "It snowed.")
    store = MilvusStore(server)
    first = store.generation
    for text in ("It hailed.", "It froze."):
        index(server, text)  # replaces 0.txt; what was replaced before is cleared away at the beginning of a run
    assert store.generation != first
    assert store.source("0.txt").text == "It froze."
    state = store._current()
    texts = {row["content"] for row in server.every_row(state.collection("texts"), "id > 0", ("id", "content"))}
    assert texts == {"It snowed.", "It hailed.", "It froze."}


def test_a_rebuild_is_unseen_until_it_ends(server: Server) -> None:
    index(server, "It rained.")
    writer = begun(server, rebuild=True)
    put(writer, "new.txt", "It snowed.")
    assert MilvusStore(server).names() == ["0.txt"]
    writer.finish()
    writer.close()
    assert MilvusStore(server).names() == ["new.txt"]


KILLED = """
import os, signal, sys, threading, time
sys.path.insert(0, sys.argv[3])
from rag.store.milvus_server import Address, Server
from rag.store.milvus_writer import MilvusWriter
from tests.contracts import put
writer = MilvusWriter(Server(Address(sys.argv[1])), "model", "model", 2, rebuild=False)
writer.begin()
print("begun", flush=True)
for number in range(1000):
    put(writer, f"{number % 40}.txt", f"It rained {sys.argv[2]} {number} times.")
    if number % 3 == 2:
        writer.commit()
"""


def test_a_killed_run_shows_nothing_and_the_next_goes_on_with_it(tmp_path: Path) -> None:
    path = tmp_path / "index.db"
    for kill in range(times(2, 5)):
        command = [sys.executable, "-c", KILLED, str(path), str(kill), str(ROOT)]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)})
        assert child.stdout is not None
        assert child.stdout.readline() == b"begun\n"
        time.sleep(0.3 + 0.37 * kill)
        child.send_signal(signal.SIGKILL)
        child.wait()
    server = Server(Address(str(path)))
    assert MilvusStore(server).names() == []
    writer = begun(server)
    left = {entry.name for entry in writer.known().values()}
    assert left
    for name in sorted(left)[1:]:
        writer.remove(name)
    put(writer, "last.txt", "It snowed.")
    writer.finish()
    writer.close()
    store = MilvusStore(server)
    assert store.names() == sorted([min(left), "last.txt"])
    with store.snapshot() as snapshot:
        found = snapshot.nearest_to(NORTH, 50)
        assert len(found) == snapshot.passage_count == 2
    server.close()


def test_a_file_that_another_program_has_open_is_named(tmp_path: Path) -> None:
    path = tmp_path / "index.db"
    command = [sys.executable, "-c", KILLED, str(path), "0", str(ROOT)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)})
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == b"begun\n"
        with pytest.raises(IndexLocked, match="another program") as caught:
            Server(Address(str(path)))
        assert "store.uri" in caught.value.hint
    finally:
        child.kill()
        child.wait()
