"""Answers in a language model's words, in the terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.test_cli import QUESTION, Door


@pytest.fixture
def door(tmp_path: Path, seeds_index: Path) -> Door:
    return Door(tmp_path, seeds_index)


def test_a_model_is_chosen_by_flag_and_named_under_the_answer(door: Door) -> None:
    done = door.run("ask", QUESTION, "--model", "offline/copy")
    told = done.stdout.decode()
    assert done.returncode == 0, done.stderr
    assert "Alexandr Wang" in told
    assert "[1]" in told
    assert "worded by offline/copy and checked" in told


def test_what_is_withheld_is_shown_with_the_reason(door: Door) -> None:
    told = door.run("ask", QUESTION, WHOSAYS_MODEL="offline/lie").stdout.decode()
    assert "Withheld, because the sources do not bear it out:" in told


def test_the_record_is_the_same_with_json(door: Door) -> None:
    record = door.json("ask", QUESTION, "--model", "offline/refuse")
    assert (record["outcome"], record["reason"], record["model"]) == (
        "not_in_sources",
        "model_refused",
        "offline/refuse",
    )


@pytest.mark.parametrize("name", ["nonsense/model", "offline/nonsense", "ollama", "openai-like/some"])
def test_a_model_that_cannot_be_had_is_one_message(door: Door, name: str) -> None:
    done = door.run("ask", QUESTION, "--model", name)
    lines = done.stderr.decode().strip().splitlines()
    assert done.returncode in (2, 4)
    assert lines[0].startswith("Error: ")
    assert "Traceback" not in done.stderr.decode()


def test_a_model_that_cannot_be_had_falls_back_and_says_so(door: Door) -> None:
    done = door.run("ask", QUESTION, "--model", "nonsense/model", WHOSAYS_FALLBACK="builtin")
    told = done.stdout.decode()
    assert done.returncode == 0, done.stderr
    assert "Answered without a language model:" in told
    assert "Alexandr Wang" in told


@pytest.mark.parametrize(
    ("variable", "value"), [("WHOSAYS_FALLBACK", "ollama/x"), ("WHOSAYS_ANSWER__UNSUPPORTED", "hide")]
)
def test_settings_that_take_few_words_say_which(door: Door, variable: str, value: str) -> None:
    done = door.run("ask", QUESTION, **{variable: value})
    assert done.returncode == 2
    assert value in done.stderr.decode()


def test_the_doctor_looks_at_the_model(door: Door) -> None:
    checks = {check["name"]: check for check in door.json("doctor")["checks"]}
    assert checks["model"]["ok"]
    sick = door.run("doctor", WHOSAYS_MODEL="nonsense/model")
    assert sick.returncode == 3
    assert "nonsense/model" in sick.stdout.decode()


def test_the_conversation_changes_its_model_and_streams(door: Door) -> None:
    lines = f"/model offline/copy\n{QUESTION}\n/model nonsense/model\n/model\n"
    done = door.run("chat", stdin=lines.encode())
    told = done.stdout.decode()
    assert "worded by offline/copy and checked" in told
    assert "nonsense/model" in done.stderr.decode()
    assert told.rstrip().endswith("The model is offline/copy.")
