"""What the README shows runs as written."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from rag.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    """The fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


COMMANDS = [line.removeprefix("$ ") for block in blocks("console") for line in block.splitlines()]
WHOSAYS = [command for command in COMMANDS if command.startswith("whosays ")]
MAKE = [command for command in COMMANDS if command.startswith("make ")]


def whosays(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command of the README as a reader would, in a folder that holds `seeds`."""
    arguments = [sys.executable, "-m", "service.cli", *shlex.split(command)[1:]]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(arguments, capture_output=True, text=True, cwd=folder, env=environment, check=False)


@pytest.fixture(scope="module")
def reader_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reader")
    shutil.copytree(ROOT / "seeds", folder / "seeds")
    indexed = whosays("whosays index seeds", folder)
    assert indexed.returncode == 0, indexed.stderr
    return folder


def test_every_command_is_one_of_ours() -> None:
    assert sorted(COMMANDS) == sorted([*MAKE, *WHOSAYS])
    assert len(MAKE) == 2
    assert len(WHOSAYS) >= 5


@pytest.mark.parametrize("command", WHOSAYS)
def test_the_commands_run_as_written(command: str, reader_folder: Path) -> None:
    done = whosays(command, reader_folder)
    assert (done.returncode, done.stdout != "") == (0, True), done.stderr


@pytest.mark.parametrize("command", MAKE)
def test_the_two_commands_are_targets(command: str) -> None:
    subprocess.run([*shlex.split(command), "--dry-run"], cwd=ROOT, check=True, capture_output=True)


def test_the_record_shown_is_the_record_given(reader_folder: Path) -> None:
    (shown,) = (json.loads(block) for block in blocks("json"))
    command = next(c for c in re.findall(r"`(whosays ask --json [^`]+)`", README))
    given = json.loads(whosays(command, reader_folder).stdout)
    changing = ("timings_ms", "fingerprint", "confidence")  # they depend on the machine's arithmetic and speed
    assert list(shown) == list(given)
    assert {k: v for k, v in shown.items() if k not in changing} == {
        k: v for k, v in given.items() if k not in changing
    }


def test_the_settings_shown_are_the_defaults() -> None:
    (shown,) = blocks("toml")
    assert tomllib.loads(shown) == Settings().to_json()


@pytest.mark.parametrize("code", blocks("python"))
def test_the_python_shown_runs(code: str, reader_folder: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=reader_folder, env=environment, check=False
    )
    assert (done.returncode, done.stdout.strip() != "") == (0, True), done.stderr


def test_ten_lines_bring_citations_into_llama_index(reader_folder: Path) -> None:
    (code,) = (block for block in blocks("python") if "llama_index" in block)
    assert len([line for line in code.splitlines() if line]) <= 10
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=reader_folder, env=environment, check=True
    ).stdout.splitlines()
    assert "$13 billion" in shown[0]
    assert "[1]" in shown[0]
    cited = re.fullmatch(r"\[1\] (\S+), line (\d+), supported: (.+)", shown[1])
    assert cited is not None
    source = (reader_folder / "seeds" / cited[1]).read_text("utf-8")
    assert cited[3] in source.splitlines()[int(cited[2]) - 1]


def test_every_file_linked_is_there() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
