"""The index path's laws where reading, embedding and storing overlap: order, errors, Ctrl-C, memory."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from rag.backends.plain_text import PlainTextParser
from rag.errors import ModelDamaged
from rag.indexing import AHEAD, GROUP, Indexer
from rag.prepare import PART, Preparer
from rag.records import Parsed, Progress
from rag.store.contents import to_rows
from rag.store.local import LocalStore
from rag.store.writer import Writer
from tests.conftest import only_in_long_runs

if TYPE_CHECKING:
    from rag.protocols import Vectors

ROOT = Path(__file__).resolve().parent.parent


class Hashing:
    """An embedder whose vectors are hashes, so that only equal texts are near; `before` is called with each part."""

    name = digest = "hashing"

    def __init__(self, before: Callable[[Sequence[str]], object] = lambda _: None) -> None:
        self._before = before
        self.seen: list[str] = []

    def embed(self, texts: Sequence[str]) -> Vectors:
        self._before(texts)
        self.seen += texts
        rows = np.array([list(sha256(text.encode()).digest()) for text in texts], dtype=np.float32) - 127.5
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    def embed_question(self, question: str) -> Vectors:
        row: Vectors = self.embed([question])[0]
        return row

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]


class Watched(PlainTextParser):
    """The parser of text files, which says what it reads."""

    def __init__(self, reads: Callable[[], object]) -> None:
        self._reads = reads

    def parse(self, content: bytes) -> Parsed:
        self._reads()
        return super().parse(content)


@contextlib.contextmanager
def indexer(
    folder: Path, embedder: Hashing | None = None, reads: Callable[[], object] = lambda: None
) -> Iterator[Indexer]:
    store = Writer(folder, "hashing", "hashing", 32, rebuild=False)
    parser = Watched(reads)
    parsers = {".txt": parser}
    opened = Indexer(store, Preparer(embedder or Hashing(), parsers, to_rows, tokens=50, overlap=0, max_file_mb=1))
    try:
        yield opened
    finally:
        opened.close()


def write(folder: Path, count: int, text: Callable[[int], str] = lambda n: f"On day {n} it rained.") -> Path:
    folder.mkdir(exist_ok=True)
    for number in range(count):
        (folder / f"{number:05}.txt").write_text(text(number))
    return folder


def names(folder: Path) -> list[str]:
    return [source.name for source in LocalStore(folder).sources()]


def test_sources_are_stored_in_their_order_however_long_parts_take(tmp_path: Path) -> None:
    docs, seen = write(tmp_path / "docs", 3 * GROUP + 7), []
    moments = random.Random(3)
    with indexer(tmp_path / "index", Hashing(lambda _: time.sleep(moments.uniform(0, 0.01)))) as opened:
        report = opened.run([docs], lambda progress: seen.append(progress.source))
    wanted = [path.name for path in sorted(docs.iterdir())]
    assert seen == [None, *wanted]
    assert list(report.added) == wanted
    assert (report.passages, report.embedded) == (len(wanted), len(wanted))


def test_two_runs_over_the_same_files_give_the_same_index(tmp_path: Path) -> None:
    docs, generations = write(tmp_path / "docs", 2 * GROUP), set()
    for place in ("one", "two"):
        with indexer(tmp_path / place) as opened:
            opened.run([docs], lambda _: None)
        generations.add(LocalStore(tmp_path / place).generation)
    assert len(generations) == 1


def test_a_text_that_is_being_embedded_is_not_embedded_again(tmp_path: Path) -> None:
    docs = write(tmp_path / "docs", 4 * GROUP, lambda number: f"On day {number % 100} it rained.")
    embedder = Hashing()
    with indexer(tmp_path / "index", embedder) as opened:
        report = opened.run([docs], lambda _: None)
    assert (len(embedder.seen), report.embedded, report.passages) == (100, 100, 4 * GROUP)
    with LocalStore(tmp_path / "index").snapshot() as snapshot:
        for number in range(100):
            text = f"On day {number} it rained."
            near = [i for i, cosine in snapshot.nearest_to(embedder.embed_question(text), 4 * GROUP) if cosine > 0.99]
            assert {hit.passage.text for hit in snapshot.passages(near).values()} == {text}
            assert len(near) == len(range(number, 4 * GROUP, 100))


def test_files_are_read_while_others_are_embedded(tmp_path: Path) -> None:
    docs = write(tmp_path / "docs", 2 * GROUP)
    read, beyond, met = 0, threading.Event(), []

    def reads() -> None:
        nonlocal read
        read += 1
        if read > GROUP + 10:
            beyond.set()

    with indexer(tmp_path / "index", Hashing(lambda _: met.append(beyond.wait(60))), reads) as opened:
        opened.run([docs], lambda _: None)
    assert met == [True] * (2 * GROUP // PART)


def test_what_is_read_but_not_stored_is_bounded(tmp_path: Path) -> None:
    docs = write(tmp_path / "docs", 6 * GROUP)
    held = most = 0

    def reads() -> None:
        nonlocal held, most
        held += 1
        most = max(most, held)

    def on_progress(progress: Progress) -> None:
        nonlocal held
        held -= progress.source is not None

    with indexer(tmp_path / "index", Hashing(lambda _: time.sleep(0.01)), reads) as opened:
        opened.run([docs], on_progress)
    assert held == 0
    assert GROUP < most <= (AHEAD + 1) * GROUP


def test_an_error_in_an_embedding_thread_ends_the_run_with_that_error(tmp_path: Path) -> None:
    docs = write(tmp_path / "docs", 4 * GROUP)
    damaged, seen = ModelDamaged("The model is damaged."), []

    def fail(texts: Sequence[str]) -> None:
        if any(f"day {2 * GROUP + 5} " in text for text in texts):
            raise damaged

    with indexer(tmp_path / "index", Hashing(fail)) as opened, pytest.raises(ModelDamaged) as raised:
        opened.run([docs], lambda progress: seen.append(progress.source))
    assert raised.value is damaged
    stored = [path.name for path in sorted(docs.iterdir())][: 2 * GROUP]
    assert seen[1:] == stored == names(tmp_path / "index")
    with indexer(tmp_path / "index") as opened:
        report = opened.run([docs], lambda _: None)
    assert (len(report.unchanged), report.embedded) == (2 * GROUP, 2 * GROUP)
    assert [thread for thread in threading.enumerate() if thread.name.startswith("embedding")] == []


def test_an_error_while_reading_ends_the_run_and_its_threads(tmp_path: Path) -> None:
    docs, left = write(tmp_path / "docs", 3 * GROUP), [2 * GROUP]

    def reads() -> None:
        left[0] -= 1
        if left[0] < 0:
            raise RuntimeError("a bug in a parser")

    with indexer(tmp_path / "index", reads=reads) as opened, pytest.raises(RuntimeError, match="a bug in a parser"):
        opened.run([docs], lambda _: None)
    assert [thread for thread in threading.enumerate() if thread.name.startswith("embedding")] == []
    assert len(names(tmp_path / "index")) >= GROUP


def test_files_that_cannot_be_read_stop_nothing(tmp_path: Path) -> None:
    docs = write(tmp_path / "docs", 2 * GROUP, lambda n: "\x00\x01binary" if n % 3 == 0 else f"On day {n} it rained.")
    with indexer(tmp_path / "index") as opened:
        report = opened.run([docs], lambda _: None)
    assert len(report.skipped) == len(range(0, 2 * GROUP, 3))
    assert list(report.added) == names(tmp_path / "index")
    assert len(report.added) + len(report.skipped) == 2 * GROUP


SCRIPT = """
import sys, time
from pathlib import Path
from tests.test_indexing_pace import Hashing, indexer
with indexer(Path(sys.argv[1]), Hashing(lambda _: time.sleep(0.02))) as opened:
    opened.run([Path(sys.argv[2])], lambda progress: print(progress.source, flush=True))
"""


@only_in_long_runs
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill"])
def test_whatever_ends_a_run_leaves_all_that_was_reported(tmp_path: Path, sent: signal.Signals) -> None:
    docs = write(tmp_path / "docs", 5 * GROUP)
    moments, ended, whole = random.Random(5), 0, {path.name for path in docs.iterdir()}
    for attempt in range(8):
        folder = tmp_path / f"index{attempt // 4}"
        with subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(folder), str(docs)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "None\n"
            time.sleep(moments.uniform(0, 0.8))
            process.send_signal(sent)
            out, err = process.communicate(timeout=60)
        ended += process.returncode != 0
        assert process.returncode in (0, -sent, 1), err
        # Python's last act is to give Ctrl-C back to the system, whose end of a program is without a word.
        assert process.returncode in (0, -sent) or "KeyboardInterrupt" in err
        reported = {line for line in out.splitlines() if line.endswith(".txt")}
        assert reported <= set(names(folder)) <= whole
    assert ended
    with indexer(folder) as opened:
        opened.run([docs], lambda _: None)
    assert set(names(folder)) == whole


@hypothesis_settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.sampled_from(["keep", "old", "far"]))))
def test_a_change_is_seen_whatever_the_clock_says(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int, str]]
) -> None:
    """Same size, same moment, a time restored to what it was or set far ahead: the content alone counts."""
    place = tmp_path_factory.mktemp("racy")
    docs = write(place / "docs", 6, lambda _: "It rained 0.")
    before = {path.name: path.stat() for path in docs.iterdir()}
    with indexer(place / "index") as opened:
        opened.run([docs], lambda _: None)
    wanted = set()
    for number, digit, clock in changes:
        path = docs / f"{number:05}.txt"
        path.write_text(f"It rained {digit}.")
        then = before[path.name].st_mtime_ns + (10**18 if clock == "far" else 0)
        if clock != "keep":
            os.utime(path, ns=(then, then))
    wanted = {path.name for path in docs.iterdir() if path.read_text() != "It rained 0."}
    with indexer(place / "index") as opened:
        report = opened.run([docs], lambda _: None)
    assert set(report.changed) == wanted
    store = LocalStore(place / "index")
    assert {path.name: path.read_text() for path in docs.iterdir()} == {
        name: store.source(name).text for name in names(place / "index")
    }
