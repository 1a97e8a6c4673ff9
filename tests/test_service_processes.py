"""Several processes behind one address, as `whosays serve` runs them."""

from __future__ import annotations

import os
import re
import shutil
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from rag.errors import BadSettings
from service.app import create_app
from service.processes import alive
from tests.conftest import only_in_long_runs, quick_settings_for, some
from tests.test_service import Process, ask, process, timeless
from tests.test_service_uploads import FOUNDED, QUESTION, finished, with_uploads


@pytest.fixture
def two(seeds_index: Path, tmp_path: Path) -> Iterator[tuple[Process, str]]:
    """A service of two processes with an index of its own, and the key of an admin."""
    shutil.copytree(seeds_index, tmp_path / "index")
    settings, key = with_uploads(tmp_path / "index", tmp_path, processes=2)
    with process(settings, tmp_path) as running:
        yield running, key


def children(running: Process) -> set[int]:
    """The processes that answer: those whose parent is the one that was started, but for its own helper."""
    found = set()
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            parent = re.search(r"^PPid:\t(\d+)$", status.read_text(), re.MULTILINE)
            command = (status.parent / "cmdline").read_bytes()
        except OSError:
            continue
        if parent and int(parent[1]) == running.child.pid and b"spawn_main" in command:
            found.add(int(status.parent.name))
    return found


def answered_by(running: Process, question: str, times: int) -> list[dict[str, object]]:
    """The answers over so many connections, whichever process takes each."""

    def once(_: int) -> dict[str, object]:
        with running.client() as client:
            return timeless(ask(client, question))

    with ThreadPoolExecutor(4) as threads:
        return list(threads.map(once, range(times)))


def test_all_processes_give_one_answer_and_the_new_one_as_soon_as_a_job_is_done(two: tuple[Process, str]) -> None:
    running, key = two
    before = answered_by(running, QUESTION, 12)
    assert before == before[:1] * 12 and before[0]["outcome"] == "not_in_sources"
    with httpx.Client(base_url=running.url, timeout=60, headers={"Authorization": f"Bearer {key}"}) as client:
        # The job is polled over many connections: each process knows of it.
        job = finished(client, client.put("/v1/sources/obs.txt", content=FOUNDED))
        assert job["status"] == "done", job
        shown = [httpx.get(f"{running.url}/v1/jobs/{job['id']}", headers=client.headers).json() for _ in range(8)]
        assert shown == [job] * 8
    after = answered_by(running, QUESTION, 12)
    assert after == after[:1] * 12
    assert [citation["source"] for citation in after[0]["citations"]] == ["obs.txt"]  # type: ignore[attr-defined]
    with running.client() as client:
        counts = client.get("/metrics").text
    counted = re.findall(r'whosays_answers_total\{model="builtin",outcome="(\w+)",reason="\w*"\} (\d+)', counts)
    assert dict(counted) == {"answered": "12", "not_in_sources": "12"}
    assert running.log.read_text() == ""


@only_in_long_runs
def test_uploads_that_different_processes_receive_at_once_are_all_indexed(two: tuple[Process, str]) -> None:
    running, key = two

    def put(number: int) -> str:
        with httpx.Client(base_url=running.url, timeout=60, headers={"Authorization": f"Bearer {key}"}) as client:
            content = FOUNDED.replace(b"1931", b"19%d" % (31 + number))
            return str(finished(client, client.put(f"/v1/sources/obs {number % 3}.txt", content=content))["status"])

    with ThreadPoolExecutor(6) as threads:
        assert list(threads.map(put, range(6))) == ["done"] * 6
    with running.client() as client:
        names = [source["name"] for source in client.get("/v1/sources").json()["sources"]]
        assert [name for name in names if name.startswith("obs")] == ["obs 0.txt", "obs 1.txt", "obs 2.txt"]
        for name in names[-3:]:
            shown = client.get(f"/v1/sources/{name}").json()["text"].encode()
            assert shown == (running.log.parent / "index" / "uploads" / name).read_bytes()


@pytest.mark.parametrize("how", some([signal.SIGKILL, signal.SIGTERM, signal.SIGINT], 1), ids=str)
def test_when_the_first_process_ends_all_do(two: tuple[Process, str], how: signal.Signals) -> None:
    running, _ = two
    answered_by(running, QUESTION, 2)
    others = children(running)
    assert len(others) == 2
    assert running.stop(how) == (-how if how == signal.SIGKILL else 0)
    pause = threading.Event()
    for _ in range(300):
        if not any(map(alive, others)):
            break
        pause.wait(0.1)
    assert not any(map(alive, others))
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{running.url}/healthz")


def test_more_processes_than_any_machine_holds_are_refused(seeds_index: Path) -> None:
    settings = quick_settings_for(seeds_index)
    with pytest.raises(BadSettings, match=r"service\.processes is 100,000; 64 is the most"):
        create_app(replace(settings, service=replace(settings.service, processes=100_000)))


def test_a_process_that_dies_is_replaced_and_no_more_counted_as_busy(two: tuple[Process, str]) -> None:
    running, _ = two
    answered_by(running, QUESTION, 8)
    before = children(running)
    assert len(before) == 2
    os.kill(min(before), signal.SIGKILL)
    replaced = threading.Event()
    for _ in range(600):
        now = children(running)
        if len(now) == 2 and min(before) not in now:
            break
        replaced.wait(0.1)
    assert len(now) == 2 and now != before
    answered_by(running, QUESTION, 8)
    with running.client() as client:
        assert "\nwhosays_questions_under_way 0.0\n" in client.get("/metrics").text
