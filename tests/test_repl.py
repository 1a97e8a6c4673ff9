"""`whosays chat`, led by hand on a terminal and by lines on a pipe."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from rag.records import Answer
from rag.wiring import open_store
from service.repl import Exchange, to_markdown
from tests.conftest import SEEDS, settings_for
from tests.test_cli import QUESTION, WHOSAYS, Door, Screen

FOLLOW_UP = "When did he do that?"

PATIENT = """
import os, sys, time
from contextlib import closing
from pathlib import Path
from rag.settings import load_settings
from rag.wiring import open_answerer
from service.repl import Chat, run_chat


class Patient:
    '''The real answerer, which never comes to an end with a question about patience.'''

    def __init__(self, answerer):
        self._answerer = answerer
        self.store, self.model = answerer.store, answerer.model
        self.close = answerer.close

    def stream(self, question, history):
        while "patience" in question:
            print("reading", flush=True)
            time.sleep(0.05)
        yield from self._answerer.stream(question, history)


with closing(Chat(lambda model: Patient(open_answerer(load_settings(os.environ))), "builtin", "here")) as chat:
    sys.exit(run_chat(chat, sys.stdin, Path("history")))
"""


@pytest.fixture
def door(tmp_path: Path, seeds_index: Path) -> Door:
    return Door(tmp_path, seeds_index)


@pytest.fixture
def screen(door: Door) -> Iterator[Screen]:
    with closing(door.screen("chat", columns=100)) as screen:
        screen.wait_for("Ctrl-D leaves.")
        screen.wait_for("> ")
        yield screen


def piped(door: Door, *lines: str | bytes) -> subprocess.CompletedProcess[bytes]:
    return door.run("chat", stdin=b"\n".join(line if isinstance(line, bytes) else line.encode() for line in lines))


def leave(screen: Screen) -> None:
    """Ctrl-D, once the next prompt is there."""
    screen.wait_for("> ")
    screen.wait_until_idle()
    screen.type("\x04")
    assert screen.end() == 0


# ---- on a terminal ---------------------------------------------------------------------------------------------


def test_a_conversation_on_a_terminal(screen: Screen, seeds_index: Path) -> None:
    passages = open_store(settings_for(seeds_index)).passage_count
    assert f"5 sources, {passages} passages" in screen.text
    screen.type(f"{QUESTION}\r")
    assert "Alexandr Wang" in screen.wait_for("confidence")
    screen.type(f"{FOLLOW_UP}\r")
    assert "Wang" in screen.wait_for("confidence").partition("→")[2].splitlines()[0]
    screen.type("/sources 1\r")
    screen.wait_for(", line ")
    screen.type("/new\r")
    screen.wait_for("A new conversation.")
    screen.type("/json\r")
    screen.wait_for("There is no answer yet.")
    screen.type("/model\r")
    screen.wait_for("The model is builtin.")
    screen.type("/help\r")
    assert "/save FILE" in screen.wait_for("Tab key")
    leave(screen)
    assert "Traceback" not in screen.text


@pytest.mark.parametrize("keys", ["\x04", "/quit\r", "/exit\r"], ids=["Ctrl-D", "quit", "exit"])
def test_leaving_is_no_error(screen: Screen, keys: str) -> None:
    screen.type(keys)
    assert screen.end() == 0


def test_ctrl_c_clears_the_line_and_the_conversation_goes_on(screen: Screen) -> None:
    screen.type("/nonsense")
    screen.wait_for("/nonsense")
    screen.type("\x03")
    screen.wait_for("> ")
    screen.type("/model\r")
    assert "no command" not in screen.wait_for("The model is builtin.")


def test_ctrl_c_stops_an_answer_and_not_the_program(door: Door) -> None:
    program = [sys.executable, "-c", PATIENT]
    with closing(door.screen(program=program)) as screen:
        screen.wait_for("> ")
        screen.type("Who has patience?\r")
        screen.wait_for("reading")
        screen.type("\x03")
        screen.wait_for("Stopped.")
        screen.type(f"{QUESTION}\r")
        assert "Alexandr Wang" in screen.wait_for("confidence")
        leave(screen)
        assert "Traceback" not in screen.text


def test_the_tab_key_completes_commands_and_names(screen: Screen) -> None:
    screen.type("/mod\t\r")
    screen.wait_for("The model is builtin.")
    screen.type("What says 002\t")
    screen.wait_for("_2d9ecda08faa1a08.txt")


def test_earlier_questions_come_back_in_the_next_conversation(door: Door) -> None:
    for keys in ("/model\r", "\x1b[A\r"):
        with closing(door.screen("chat")) as screen:
            screen.wait_for("> ")
            screen.wait_until_idle()
            screen.type(keys)
            screen.wait_for("The model is builtin.")
            leave(screen)
    kept = door.folder / "state" / "whosays" / "history"
    assert kept.read_text().count("+/model\n") == 1
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_a_history_that_cannot_be_kept_is_told_and_no_obstacle(door: Door) -> None:
    (door.folder / "state").write_text("a file where the folder would be")
    with closing(door.screen("chat")) as screen:
        screen.wait_for("The history cannot be kept in ")
        screen.wait_for("> ")
        screen.type(f"{QUESTION}\r")
        screen.wait_for("confidence")
        leave(screen)


def test_keys_that_are_no_text_are_a_bad_question(screen: Screen) -> None:
    screen.type("who \udcff?\r")
    screen.wait_for("Error: ")
    screen.type("/model\r")
    screen.wait_for("The model is builtin.")


# ---- on a pipe -------------------------------------------------------------------------------------------------


def test_piped_questions_are_answered_in_turn(door: Door) -> None:
    done = piped(door, QUESTION, "", FOLLOW_UP, "/sources 1")
    told = done.stdout.decode()
    assert (done.returncode, done.stderr) == (0, b"")
    assert told.startswith(f"> {QUESTION}\n")
    assert told.count("confidence") == 2
    assert "Wang" in told.partition("→")[2].splitlines()[0]
    assert "\x1b" not in told


@pytest.mark.parametrize(
    ("line", "words"),
    [
        pytest.param("/nonsense", "/nonsense", id="unknown command"),
        pytest.param("/sources 9", "'9'", id="unknown source"),
        pytest.param("/json", "no answer yet", id="no answer to show"),
        pytest.param("/save a.md", "no answer yet", id="no answer to save"),
        pytest.param("why? " * 20_000, "", id="endless question"),
        pytest.param(b"who \xff?", "", id="question that is no text"),
        pytest.param("who\x00?", "", id="NUL"),
        pytest.param("/model oracle", "oracle", id="unknown model"),
    ],
)
def test_an_error_is_told_and_the_conversation_goes_on(door: Door, line: str | bytes, words: str) -> None:
    done = piped(door, line, "/model")
    told = done.stderr.decode()
    assert done.returncode == (4 if line == "/model oracle" else 2)
    assert told.startswith("Error: ") and words in told and "Traceback" not in told
    assert done.stdout.decode().endswith("The model is builtin.\n")


def test_the_record_is_the_one_that_ask_gives(door: Door) -> None:
    told = piped(door, QUESTION, "/json").stdout.decode()
    record = json.loads(told[told.index("{\n") :])
    assert {**record, "timings_ms": {}} == {**door.json("ask", QUESTION), "timings_ms": {}}


def test_sources_are_those_of_the_answer_or_else_of_the_index(door: Door) -> None:
    before, _, after = piped(door, "/sources", QUESTION, "/sources").stdout.decode().partition(f"> {QUESTION}")
    assert all(file.name in before for file in SEEDS.iterdir())
    cited, _, again = after.partition("> /sources\n")
    quotes = [line for line in cited.splitlines() if line.startswith("    “")]
    assert quotes and [line for line in again.splitlines() if line.startswith("    “")] == quotes


def test_a_cited_source_is_shown_around_its_quote(door: Door) -> None:
    citation = door.json("ask", QUESTION)["citations"][0]
    told = piped(door, QUESTION, "/sources 1").stdout.decode().partition("> /sources 1\n")[2]
    lines = (SEEDS / citation["source"]).read_text("utf-8").split("\n")
    assert f"{citation['source']}, line {citation['line']}" in " ".join(told.split("\n\n")[0].split())
    assert f" {citation['line']}  {lines[citation['line'] - 1][:40]}" in told


def test_a_conversation_is_saved_once_and_overwritten_only_on_demand(door: Door) -> None:
    file = door.folder / "talk.md"
    done = piped(door, QUESTION, "/save talk.md", "/save talk.md", FOLLOW_UP, "/save! talk.md", "/save nowhere/talk.md")
    told = done.stderr.decode()
    assert done.returncode == 2
    assert told.count("Error: ") == 2
    assert "talk.md exists" in told and "/save! talk.md" in told and "nowhere/talk.md cannot be written" in told
    saved = file.read_text("utf-8")
    assert saved.startswith(f"# A conversation with Whosays\n\n## {QUESTION}\n")
    assert f"## {FOLLOW_UP}\n" in saved
    for citation in door.json("ask", QUESTION)["citations"]:
        assert f"> {citation['quote']}\n" in saved


def test_a_saved_conversation_holds_what_was_understood() -> None:
    exchange = Exchange("And he?", "Who is he?", Answer("And he?", "not_in_sources", "The sources do not say."))
    assert to_markdown([exchange]) == (
        "# A conversation with Whosays\n\n## And he?\n\n*Who is he?*\n\nThe sources do not say.\n"
    )


def test_a_reader_that_leaves_early_ends_the_conversation_silently(door: Door) -> None:
    done = door.run("-c", f"yes '{QUESTION}' | '{WHOSAYS[0]}' chat | head -n 1", program=["bash"])
    assert done.stdout.decode() == f"> {QUESTION}\n"
    assert done.stderr == b""
