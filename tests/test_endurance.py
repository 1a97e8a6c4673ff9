"""What disks, clocks, neighbours and too little memory do to an index, with real processes."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rag.errors import MemoryTooSmall
from rag.settings import Settings
from rag.wiring import open_answerer, open_indexer, open_store
from service.memory import ASKING, NEEDS, enough_for
from tests.benchmarks import endurance
from tests.conftest import only_in_long_runs, settings_for, some, times
from tests.test_cli import environment
from tests.test_service import assert_problem, process

ROOT = Path(__file__).resolve().parent.parent
QUESTION = "Which port does ship 7 sail from?"
MEGABYTE = 1_000_000
MANY = 2_100  # passages, so that the index has a file of vectors


class Shell:
    """`whosays`, run in a folder with an index and documents of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.documents = folder / "documents"
        self.documents.mkdir()
        self.index = folder / "index"
        self.limits: dict[int, int] = {}

    @property
    def settings(self) -> Settings:
        return settings_for(self.index)

    def write(self, count: int, edition: str = "salt") -> None:
        for number in range(count):
            text = f"Ship {number} sails from port {number * 7 % 31}. It carries {number} tons of {edition}.\n"
            (self.documents / f"{number:03}.txt").write_text(text)

    def fill(self, count: int, edition: str = "salt") -> None:
        """Add documents of one text, which is embedded only once."""
        for number in range(count):
            (self.documents / f"f{number:03}.txt").write_text(f"All day it rained {edition} on the river.\n" * 60)

    def start(self, *arguments: str, **more: str) -> subprocess.Popen[str]:
        limits = dict(self.limits)

        def limited() -> None:
            for limit, most in limits.items():
                resource.setrlimit(limit, (most, most))

        return subprocess.Popen(
            [sys.executable, "-m", "service.cli", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            env=environment(self.folder, WHOSAYS_INDEX=str(self.index), PYTHONPATH=str(ROOT), **more),
            preexec_fn=limited,
        )

    def run(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        with self.start(*arguments, **more) as child:
            told = child.communicate(timeout=120)
        return subprocess.CompletedProcess(arguments, child.returncode, *told)

    def brought_up_to_date(self, **more: str) -> subprocess.CompletedProcess[str]:
        done = self.run("index", "documents", **more)
        assert done.returncode == 0, done.stderr
        return done

    def texts(self) -> dict[str, str]:
        store = open_store(self.settings)
        return {source.name: store.source(source.name).text for source in store.sources()}

    def wanted(self) -> dict[str, str]:
        return dict(endurance.texts_in(self.documents))


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@contextlib.contextmanager
def disk(place: Path, size: int) -> Iterator[Callable[[str], None]]:
    """A disk of so many bytes at a folder; what is given changes its options."""
    place.mkdir()

    def mount(options: str) -> bool:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
        return os.geteuid() == 0 and subprocess.run(command, check=False, capture_output=True).returncode == 0

    if not mount(f"size={size}"):
        pytest.skip("this needs a disk of its own, which only root may mount")

    def change(options: str) -> None:
        assert mount(f"remount,{options}")

    try:
        yield change
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def error_of(done: subprocess.CompletedProcess[str]) -> tuple[str, str]:
    """The one message that a command ended with, and what it says to do."""
    lines = [line for line in done.stderr.splitlines() if not line.startswith("indexed ")]
    assert len(lines) == 2 and lines[0].startswith("Error: "), done.stderr
    assert "Traceback" not in done.stderr + done.stdout and "bug" not in lines[0]
    return lines[0].removeprefix("Error: "), lines[1]


def reported(done: subprocess.CompletedProcess[str]) -> list[str]:
    return endurance.DONE.findall(done.stderr)


# ---- kills --------------------------------------------------------------------------------------------------------


def test_kills_lose_and_spoil_nothing() -> None:
    assert endurance.kills(times(3, 20), 7, sizes={"small": (8, 4)}) == []


def test_a_lost_a_stale_and_a_strange_source_are_faults() -> None:
    old, new = {"a": "old", "b": "old"}, {"a": "new", "b": "new"}
    assert endurance.wrong_texts(old, new, {"a": "new", "b": "old"}, ["a"], ended=False) == []
    assert endurance.wrong_texts(old, new, {"a": "new", "b": "old"}, ["a", "b"], ended=False)
    assert endurance.wrong_texts(old, new, {"a": "new", "b": "old"}, ["a"], ended=True)
    assert endurance.wrong_texts(old, new, {"a": "new"}, [], ended=False)
    assert endurance.wrong_texts(old, new, {"a": "new", "b": "else"}, [], ended=False)
    assert endurance.wrong_texts(old, new, {**new, "c": "?"}, [], ended=False)


def test_a_log_that_outlives_its_index_does_not_get_into_the_next_one(shell: Shell) -> None:
    shell.fill(300)
    with shell.start("index", "documents") as child:
        assert child.stderr is not None and child.stderr.readline().startswith("indexed ")
        child.kill()
    assert (shell.index / "index.sqlite-wal").stat().st_size
    (shell.index / "index.sqlite").unlink()
    for path in shell.documents.iterdir():
        path.unlink()
    shell.write(4)
    shell.brought_up_to_date()
    assert shell.texts() == shell.wanted()


# ---- disks --------------------------------------------------------------------------------------------------------


def test_a_disk_that_fills_while_indexing_is_one_clear_error_and_keeps_what_was_reported(shell: Shell) -> None:
    shell.fill(600)
    with disk(shell.index, 1_500_000) as change:
        done = shell.run("index", "documents")
        message, hint = error_of(done)
        assert (done.returncode, "disk is full" in message, "Free some space" in hint) == (3, True, True), message
        texts, wanted = shell.texts(), shell.wanted()
        assert reported(done) and set(reported(done)) <= texts.keys() and texts.items() <= wanted.items()
        change("size=20000000")
        shell.brought_up_to_date()
        assert shell.texts() == wanted


@only_in_long_runs
def test_a_limit_on_the_size_of_files_is_one_clear_error_and_keeps_what_was_reported(shell: Shell) -> None:
    shell.fill(600)
    shell.limits = {resource.RLIMIT_FSIZE: 800_000}
    done = shell.run("index", "documents")
    message, hint = error_of(done)
    assert done.returncode == 3 and str(shell.index) in message and "disk" in hint
    texts, wanted = shell.texts(), shell.wanted()
    assert reported(done) and set(reported(done)) <= texts.keys() and texts.items() <= wanted.items()
    shell.limits = {}
    shell.brought_up_to_date()
    assert shell.texts() == wanted


@only_in_long_runs
def test_a_disk_too_full_for_the_file_of_vectors_costs_time_and_nothing_else(shell: Shell, tmp_path: Path) -> None:
    small = {"WHOSAYS_PASSAGES__TOKENS": "8", "WHOSAYS_PASSAGES__OVERLAP": "1"}
    (shell.documents / "rain.txt").write_text("It rained all day.\n" * MANY)
    shell.write(8)
    shell.brought_up_to_date(**small)
    (vectors,) = shell.index.glob("vectors-*")
    size = sum(path.stat().st_size for path in shell.index.iterdir())
    of_vectors = vectors.stat().st_size
    made = shell.index.rename(tmp_path / "made")
    with disk(shell.index, size + 500_000):
        shutil.copytree(made, shell.index, dirs_exist_ok=True)
        (shell.index / vectors.name).unlink()
        (shell.index / "filler").write_bytes(b"0" * of_vectors)
        done = shell.brought_up_to_date(**small)
        assert "the vector index was not cached" in done.stderr and "Traceback" not in done.stderr
        assert not [path for path in shell.index.iterdir() if path.name.startswith("vectors-")]
        assert json.loads(shell.run("ask", QUESTION, "--json").stdout)["citations"][0]["source"] == "007.txt"


def test_a_read_only_disk_is_asked_and_not_written(shell: Shell) -> None:
    shell.write(8)
    with disk(shell.index, 20 * MEGABYTE) as change:
        shell.brought_up_to_date()
        change("ro")
        assert json.loads(shell.run("ask", QUESTION, "--json").stdout)["citations"][0]["source"] == "007.txt"
        done = shell.run("index", "documents")
        message, hint = error_of(done)
        assert done.returncode == 3 and str(shell.index) in message and "permissions" in hint


def test_what_a_killed_run_left_is_asked_on_a_read_only_disk(shell: Shell) -> None:
    shell.write(8)
    shell.fill(300)
    with disk(shell.index, 20 * MEGABYTE) as change:
        with shell.start("index", "documents") as child:
            assert child.stderr is not None
            lines = [child.stderr.readline() for _ in range(9)]
            child.kill()
        change("ro")
        assert all(line.startswith("indexed ") for line in lines)
        assert json.loads(shell.run("ask", QUESTION, "--json").stdout)["citations"][0]["source"] == "007.txt"


# ---- neighbours ---------------------------------------------------------------------------------------------------


def test_of_two_indexing_runs_the_second_is_told_so_and_the_first_goes_on(shell: Shell) -> None:
    shell.fill(400)
    with shell.start("index", "documents") as first:
        assert first.stderr is not None and first.stderr.readline().startswith("indexed ")
        first.send_signal(signal.SIGSTOP)
        done = shell.run("index", "documents")
        message, hint = error_of(done)
        assert done.returncode == 3 and "Another indexing run" in message and "Wait until it is done" in hint
        first.send_signal(signal.SIGCONT)
        first.communicate(timeout=120)
    assert first.returncode == 0
    assert shell.texts() == shell.wanted()


@only_in_long_runs
def test_an_answer_that_is_given_while_indexing_quotes_one_state_of_each_source(shell: Shell) -> None:
    editions = []
    for edition in ("salt", "tea", "wool"):
        shell.write(8, edition)
        shell.fill(100, edition)
        editions.append(shell.wanted())
    shell.brought_up_to_date()
    answerer = open_answerer(shell.settings)
    asked = 0
    for edition in ("salt", "tea", "wool"):
        shell.write(8, edition)
        shell.fill(100, edition)
        with shell.start("index", "documents") as child:
            while child.poll() is None or asked % 3:
                answer = answerer.ask("What does ship 7 carry, and which port does it sail from?")
                asked += 1
                assert answer.citations
                for source in {citation.source for citation in answer.citations}:
                    quoted = [c for c in answer.citations if c.source == source]
                    states = [texts[source] for texts in editions]
                    assert any(all(text[c.start : c.end] == c.quote for c in quoted) for text in states), quoted
        assert child.returncode == 0
        answer, now = answerer.ask("What does ship 7 carry, and which port does it sail from?"), shell.wanted()
        assert any(edition in citation.quote for citation in answer.citations)
        assert all(now[c.source][c.start : c.end] == c.quote for c in answer.citations)
    assert asked >= 3


@only_in_long_runs
def test_an_index_that_is_deleted_under_askers_is_told_and_found_again(shell: Shell, tmp_path: Path) -> None:
    shell.write(8)
    shell.brought_up_to_date()
    answerer = open_answerer(shell.settings)
    before = answerer.ask(QUESTION)
    assert before.citations
    (tmp_path / "service").mkdir()
    with process(shell.settings, tmp_path / "service") as running, running.client() as client:
        assert client.post("/v1/ask", json={"question": QUESTION}).json()["citations"]
        for path in shell.index.glob("index.sqlite*"):
            path.unlink()
        problem = assert_problem(client.post("/v1/ask", json={"question": QUESTION}), 503, "index_missing")
        assert "whosays index" in problem.hint
        chat = shell.run("ask", QUESTION)
        message, hint = error_of(chat)
        assert (chat.returncode, "There is no index" in message, "whosays index" in hint) == (3, True, True)
        shell.write(8, "tea")
        shell.brought_up_to_date()
        assert "port 18" in client.post("/v1/ask", json={"question": QUESTION}).json()["text"]
        after = answerer.ask(QUESTION)
        assert after.citations
        assert after.fingerprint != before.fingerprint  # which names what the index holds
        assert "Traceback" not in running.log.read_text()


# ---- clocks -------------------------------------------------------------------------------------------------------

ANCIENT, FUTURE = 1, 4_000_000_000


def test_the_clock_of_files_decides_nothing(shell: Shell) -> None:
    shell.write(3)
    for path, moment in zip(sorted(shell.documents.iterdir()), (ANCIENT, FUTURE, ANCIENT), strict=True):
        os.utime(path, (moment, moment))
    assert len(json.loads(shell.run("index", "documents", "--json").stdout)["added"]) == 3
    changed = shell.documents / "000.txt"
    changed.write_text(changed.read_text().replace("salt", "wool"))  # as long as before
    os.utime(changed, (ANCIENT, ANCIENT))
    os.utime(shell.documents / "001.txt", (ANCIENT, ANCIENT))
    os.utime(shell.index / "index.sqlite", (FUTURE, FUTURE))
    report = json.loads(shell.run("index", "documents", "--json").stdout)
    assert (report["changed"], report["unchanged"]) == (["000.txt"], ["001.txt", "002.txt"])
    assert shell.texts() == shell.wanted()


def test_no_duration_is_taken_from_a_clock_that_may_jump() -> None:
    """The wall clock is read where a date is told, for what is kept for a day, and between machines; nowhere else.

    Writers of one Milvus have no other clock in common. One that jumps there costs a run, which says so at its end:
    what it wrote is not published (`_Lease.check`).
    """
    found = [
        f"{path.relative_to(ROOT)} {node.attr}"
        for package in ("rag", "service", "eval")
        for path in sorted((ROOT / package).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in ("time", "time_ns") and ast.unparse(node.value) == "time"
    ]
    assert found == [
        "rag/store/milvus_writer.py time",
        "service/jobs.py time",
        "service/openai.py time",
        "service/traces.py time_ns",
    ]


# ---- memory -------------------------------------------------------------------------------------------------------

PROCESSORS = len(os.sched_getaffinity(0))


@pytest.mark.parametrize("command", some(["index", "ask", "sources"], 1))
def test_a_command_with_too_little_memory_says_what_it_needs_and_harms_nothing(shell: Shell, command: str) -> None:
    shell.write(4)
    shell.brought_up_to_date()
    before = shell.texts()
    shell.write(4, "tea")
    needed = NEEDS.get(command, ASKING).on(PROCESSORS)
    arguments = {"index": ["documents"], "ask": [QUESTION], "sources": []}[command]
    for most in (60, needed // 2, needed - 1):
        shell.limits = {resource.RLIMIT_AS: most * MEGABYTE}
        done = shell.run(command, *arguments)
        message, hint = error_of(done)
        assert done.returncode == MemoryTooSmall.exit_code == 4
        assert f"may use {most:,} MB of memory" in message and f"needs about {needed:,} MB" in message
    assert shell.texts() == before
    found = re.search(r"ulimit -v (\d+)$", hint)
    assert found
    shell.limits = {resource.RLIMIT_AS: int(found[1]) * 1024}
    done = shell.run(command, *arguments)
    assert (done.returncode, "Error" in done.stderr) == (0, False), done.stderr


def test_help_is_given_in_any_memory(shell: Shell) -> None:
    shell.limits = {resource.RLIMIT_AS: 60 * MEGABYTE}
    assert "QUESTION" in shell.run("ask", "--help").stdout


def test_memory_that_ends_in_the_middle_is_no_bug() -> None:
    with pytest.raises(MemoryTooSmall, match="not enough memory") as caught, enough_for(["index", "documents"]):
        raise MemoryError
    assert "ulimit -v" in caught.value.hint


@only_in_long_runs
def test_a_document_that_needs_more_memory_than_there_is_harms_no_other(shell: Shell) -> None:
    shell.write(4)
    shell.brought_up_to_date()
    shell.write(6, "tea")
    (shell.documents / "huge.txt").write_text("Rain, " * 6_000_000)
    shell.limits = {resource.RLIMIT_AS: NEEDS["index"].on(PROCESSORS) * MEGABYTE}
    done = shell.run("index", "documents")
    if done.returncode == 0:
        assert "huge.txt" in done.stdout
        return
    message, hint = error_of(done)
    assert done.returncode == 4 and "memory" in message and "ulimit -v" in hint
    assert set(reported(done)) <= shell.texts().keys()
    indexer = open_indexer(shell.settings)
    indexer.close()
