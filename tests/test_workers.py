"""Indexing by workers of Ray: the same index as without them, whoever crashes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rag.errors import BadInput, IndexLocked
from rag.store.local import LocalStore
from rag.wiring import open_indexer
from rag.workers import CRASHED
from tests.conftest import SEEDS, only_in_long_runs, settings_for, times

ROOT = Path(__file__).parent.parent


def documents(folder: Path, count: int, years: int = 10) -> Path:
    folder.mkdir()
    for number in range(count):
        text = "".join(f"On day {number} of year {year} it rained {number * year % 97} mm. " for year in range(years))
        (folder / f"{number:04}.txt").write_text(f"Rain {number}\n\n{text}")
    return folder


def indexed(index: Path, *paths: Path, workers: str = "") -> tuple[str, list[tuple[str, str]], list[int]]:
    """What an index of these paths tells of itself, what was skipped, and its passages' identifiers."""
    indexer = open_indexer(settings_for(index), workers=workers)
    try:
        report = indexer.run(paths, lambda _: None)
    finally:
        indexer.close()
    store = LocalStore(index)
    with store.snapshot() as snapshot:
        ids = [passage_id for passage_id, _ in snapshot.stored_vectors()]
        starts = [(hit.passage.source, str(hit.passage.start)) for hit in snapshot.passages(ids).values()]
    return store.generation + repr(starts), [(Path(s.path).name, s.reason) for s in report.skipped], ids


def test_workers_make_the_same_index(tmp_path: Path) -> None:
    folder = documents(tmp_path / "documents", 12)
    (folder / "empty.txt").write_text("")
    (folder / "odd.pdf").write_bytes(b"%PDF-nonsense")
    here = indexed(tmp_path / "here", folder, SEEDS)
    there = indexed(tmp_path / "there", folder, SEEDS, workers="ray")
    assert here == there
    assert [name for name, _ in there[1]] == ["empty.txt", "odd.pdf"]


@only_in_long_runs
def test_a_ray_that_does_not_start_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray waits half a minute for its own process."""
    ray = pytest.importorskip("ray")
    hung = tmp_path / "raylet"
    hung.write_text("#!/bin/sh\nexec sleep 120\n")
    hung.chmod(0o700)
    monkeypatch.setattr("ray._private.services.RAYLET_EXECUTABLE", str(hung))
    try:
        with pytest.raises(BadInput, match=r"Ray on this machine does not answer: .*timed out") as caught:
            open_indexer(settings_for(tmp_path / "index"), workers="ray")
        assert "busy machine" in caught.value.hint
    finally:
        ray.shutdown()


def command(index: Path, *paths: Path) -> list[str]:
    given = ["index", *map(str, paths), "--index", str(index), "--workers", "ray"]
    return [sys.executable, "-m", "service.cli", *given]


def children_named(name: str, of: int) -> list[int]:
    """The processes below one whose command line holds a name."""
    found = subprocess.run(["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True)
    rows = [line.split(None, 2) for line in found.stdout.splitlines()[1:]]
    below, grown = {of}, True
    while grown:
        more = {int(pid) for pid, parent, *_ in rows if int(parent) in below} - below
        below, grown = below | more, bool(more)
    return [int(pid) for pid, _, *args in rows if int(pid) in below and args and name in args[0]]


@only_in_long_runs
def test_killed_workers_and_a_killed_driver_lose_nothing(tmp_path: Path) -> None:
    count = times(160, 300)
    folder = documents(tmp_path / "documents", count, years=30)  # long enough to be killed on the way
    index = tmp_path / "there"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    driver = subprocess.Popen(command(index, folder), stderr=subprocess.PIPE, text=True, env=environment)
    assert driver.stderr is not None
    killed = 0
    for line in driver.stderr:
        done = int(line.split("(")[1].split()[0]) if line.startswith("indexed") else 0
        if done and killed < 2 and done > 10 * killed:
            for pid in children_named("_Worker", driver.pid)[:1]:
                os.kill(pid, signal.SIGKILL)
                killed += 1
        if killed == 2 and done > 40:
            break
    assert killed == 2
    driver.kill()
    driver.wait()
    assert 40 < len(LocalStore(index).names()) < count
    end = time.monotonic() + 20
    while (left := indexed_or_locked(index, folder)) is None and time.monotonic() < end:
        time.sleep(0.5)
    assert left is not None
    here = indexed(tmp_path / "here", folder)
    assert left[0] == here[0].partition("[")[0]
    assert left[1] == here[1] == []


def indexed_or_locked(index: Path, folder: Path) -> tuple[str, list[tuple[str, str]]] | None:
    try:
        generation, skipped, _ = indexed(index, folder, workers="ray")
    except IndexLocked:
        return None
    return generation.partition("[")[0], skipped


CRASHING = """
import os, sys
sys.path.insert(0, sys.argv[1])
from functools import partial
from pathlib import Path
from rag import wiring
from rag.wiring import open_preparer
from rag.backends.plain_text import PlainTextParser
from rag.settings import load_settings
import rag.workers, rag.indexing, cloudpickle

class Fatal(PlainTextParser):
    def parse(self, content):
        if b"fatal" in content:
            os._exit(1)
        return super().parse(content)

def fatal_preparer(settings):
    preparer = open_preparer(settings)
    preparer.parsers[".txt"] = Fatal()
    return preparer

cloudpickle.register_pickle_by_value(sys.modules["__main__"])
settings = load_settings(os.environ, flags={"index": sys.argv[3]})
indexer = wiring.open_indexer(settings)
indexer._workers = rag.workers.RayWorkers("ray", partial(fatal_preparer, settings))
report = indexer.run([Path(sys.argv[2])], lambda _: None)
indexer.close()
print(len(report.added), [(Path(s.path).name, s.reason) for s in report.skipped])
"""


@only_in_long_runs
def test_a_file_that_takes_its_worker_with_it_is_reported_and_the_others_are_indexed(tmp_path: Path) -> None:
    folder = documents(tmp_path / "documents", 20)
    (folder / "0007.txt").write_text("This one is fatal.")
    done = subprocess.run(
        [sys.executable, "-c", CRASHING, str(ROOT), str(folder), str(tmp_path / "there")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == f"19 [('0007.txt', '{CRASHED}')]\n", done.stderr
    (folder / "0007.txt").unlink()
    indexed(tmp_path / "here", folder)
    assert LocalStore(tmp_path / "there").generation == LocalStore(tmp_path / "here").generation


def test_workers_that_are_none_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no workers 'rya'") as caught:
        open_indexer(settings_for(tmp_path / "index"), workers="rya")
    assert "ray://" in caught.value.hint
