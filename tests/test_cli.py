"""The terminal's commands, each run as a process of its own, on pipes and on terminals."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.records import Answer, Check, Citation, IndexReport, Nearest, Position, Skipped, Source, SourceSummary
from rag.records import Withheld as WithheldClaim
from rag.wiring import open_store
from service.render import Page, answering_words, one_line, printable, surroundings
from tests.conftest import FEW_PASSAGES, SEEDS, settings_for, some

WHOSAYS = [str(Path(sys.executable).with_name("whosays"))]
COMMANDS = ("index", "ask", "chat", "serve", "mcp", "eval", "sources", "show", "doctor", "keys")
SEED_FILES = sorted(SEEDS.iterdir())
ESCAPE = re.compile(r"\x1b(\[[0-9;?]*[ -/]*[@-~]|\][^\x07]*\x07|[=>()][A-Z0-9]?)")
HEAVY = ("torch", "transformers", "sentence_transformers", "llama_index", "faiss", "openvino", "numpy", "fastapi")
QUESTION = "Who founded Scale AI?"


# ---- a child process, on pipes or on a terminal ---------------------------------------------------------------


def environment(folder: Path, **more: str) -> dict[str, str]:
    """What a child process sees: nothing of the settings of whoever runs the tests but where models are kept."""
    unwanted = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "PYTHONIOENCODING", "XDG_STATE_HOME")
    kept = {n: v for n, v in os.environ.items() if n not in unwanted and not n.startswith("WHOSAYS_")}
    cache = os.environ.get("WHOSAYS_EMBEDDING__CACHE")
    mine = {"XDG_STATE_HOME": str(folder / "state"), "TERM": "xterm-256color", "PROMPT_TOOLKIT_NO_CPR": "1"}
    mine["WHOSAYS_SEARCH__TOP_K"] = str(FEW_PASSAGES)
    return {**kept, **mine, **({"WHOSAYS_EMBEDDING__CACHE": cache} if cache else {}), **more}


class Door:
    """`whosays`, run in a folder of its own with an index of the seeds."""

    def __init__(self, folder: Path, index: Path) -> None:
        self.folder = folder
        self.environment = environment(folder, WHOSAYS_INDEX=str(index))

    def run(
        self, *arguments: str | bytes, stdin: bytes = b"", program: list[str] | None = None, **more: str
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*(program or WHOSAYS), *arguments],
            input=stdin,
            capture_output=True,
            cwd=self.folder,
            env={**self.environment, **more},
            timeout=120,
            check=False,
        )

    def screen(self, *arguments: str, columns: int = 80, program: list[str] | None = None, **more: str) -> Screen:
        return Screen([*(program or WHOSAYS), *arguments], {**self.environment, **more}, self.folder, columns)

    def json(self, *arguments: str | bytes) -> Any:
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


class Screen:
    """A child process on a terminal of its own, and what it has written there."""

    def __init__(self, command: list[str], environment: Mapping[str, str], folder: Path, columns: int) -> None:
        self._terminal, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.child = subprocess.Popen(
            command,
            stdin=inner,
            stdout=inner,
            stderr=inner,
            env=dict(environment),
            cwd=folder,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(inner)
        self.raw = b""
        self._seen = 0

    @property
    def text(self) -> str:
        # prompt-toolkit writes the blank after its prompt as a movement of the cursor.
        told = self.raw.decode("utf-8", "replace").replace("\x08\x1b[2C", " ")
        return ESCAPE.sub("", told).replace("\r", "")

    def type(self, keys: str) -> None:
        os.write(self._terminal, keys.encode("utf-8", "surrogateescape"))

    def wait_for(self, words: str) -> str:
        """What was written since the last words that were waited for, to these words."""
        deadline = time.monotonic() + 60
        while (found := self.text.find(words, self._seen)) < 0:
            assert time.monotonic() < deadline, f"no {words!r} after {self.text[self._seen :]!r}"
            assert self._read(), f"ended before {words!r}: {self.text[self._seen :]!r}"
        told = self.text[self._seen : found + len(words)]
        self._seen = found + len(words)
        return told

    def wait_until_idle(self) -> None:
        """Until the child sleeps, as it does where it waits for input."""
        state = Path(f"/proc/{self.child.pid}/stat")
        while state.read_text().rpartition(")")[2].split()[0] != "S":
            time.sleep(0.05)

    def end(self) -> int:
        """The exit code, after everything that was written has been read."""
        while self._read():
            pass
        return self.child.wait(60)

    def close(self) -> None:
        self.child.kill()
        self.child.wait()
        os.close(self._terminal)

    def _read(self) -> bool:
        if not select.select([self._terminal], [], [], 60)[0]:
            return False
        try:
            piece = os.read(self._terminal, 65536)
        except OSError:  # Linux says EIO where the other end is closed
            return False
        self.raw += piece
        return bool(piece)


@pytest.fixture
def door(tmp_path: Path, seeds_index: Path) -> Door:
    return Door(tmp_path, seeds_index)


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> tuple[Door, subprocess.CompletedProcess[bytes]]:
    """An index of files whose text is easily bent, and the run that made it."""
    folder = tmp_path_factory.mktemp("odd")
    files = folder / "files"
    files.mkdir()
    (files / "lines.txt").write_bytes(
        b"\xef\xbb\xbfThe ferry sails at nine.\r\nIt is blue.\r\n\r\nNo newline \xe2\x80\x94 \xf0\x9f\x9b\xb3"
    )
    (files / "lines.txt:0-5.md").write_text("A file that is named like a span.")
    (files / "escape.txt").write_text("The lamp is \x9b31mred\x9b0m and stands in the hall.\n", "utf-8")
    (files / "picture.txt").write_bytes(bytes(range(256)) * 20)
    (files / "empty.txt").write_bytes(b"")
    door = Door(folder, folder / "index")
    return door, door.run("index", "files")


def failure(done: subprocess.CompletedProcess[bytes]) -> str:
    """The one message of a command that failed: nothing on standard output, and no traceback."""
    told = done.stderr.decode()
    assert done.stdout == b"", done.stdout
    assert told.startswith("Error: ") and "Traceback" not in told and len(told.splitlines()) <= 2, told
    return told


# ---- help, and what it costs -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command", [(), *((name,) for name in COMMANDS)], ids=lambda command: " ".join(command) or "main"
)
def test_help_fits_a_screen(door: Door, command: tuple[str, ...]) -> None:
    done = door.run(*command, "--help", COLUMNS="80")
    lines = done.stdout.decode().splitlines()
    assert (done.returncode, done.stderr) == (0, b"")
    assert 3 < len(lines) <= 23, len(lines)  # a line is left for the prompt
    assert max(map(len, lines)) <= 80


def test_help_lists_every_command_and_every_exit_code(door: Door) -> None:
    told = door.run("--help").stdout.decode()
    assert [line.split()[0] for line in re.findall(r"(?m)^  [a-z]+  +[A-Z].*$", told)] == list(COMMANDS)
    codes = "".join(told.partition("Exit codes:")[2].split("With")[0].split("\n"))
    assert re.findall(r"\b\d+\b", codes) == ["0", "2", "3", "4", "70", "130"]


def loaded(door: Door, *arguments: str) -> set[str]:
    """The packages that a command line loads."""
    program = "import sys\nfrom service.cli import main\nmain(sys.argv[1:])\nprint(*sys.modules, file=sys.stderr)"
    done = door.run(*arguments, program=[sys.executable, "-c", program])
    return {name.partition(".")[0] for name in done.stderr.decode().splitlines()[-1].split(" ")}


@pytest.mark.parametrize("command", [("--help",), ("--version",), ("ask", "--help"), ("serve", "--help")], ids=" ".join)
def test_help_loads_nothing_heavy(door: Door, command: tuple[str, ...]) -> None:
    packages = loaded(door, *command)
    assert "typer" in packages
    assert not packages & {*HEAVY, "eval", "rich", "prompt_toolkit"}


def test_asking_loads_no_training_framework(door: Door) -> None:
    packages = loaded(door, "ask", QUESTION)
    assert "openvino" in packages
    assert not packages & {"torch", "transformers", "sentence_transformers", "llama_index", "fastapi", "prompt_toolkit"}


@pytest.mark.parametrize("program", [WHOSAYS, [sys.executable, "-m", "service.cli"]], ids=["script", "module"])
def test_the_version_is_told(door: Door, program: list[str]) -> None:
    assert re.fullmatch(rb"whosays \d+\.\d+\.\d+\n", door.run("--version", program=program).stdout)


# ---- errors and exit codes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        pytest.param(["ask", ""], 2, "question", id="empty question"),
        pytest.param(["ask", " \n\t"], 2, "question", id="blank question"),
        pytest.param(["ask", "why? " * 20_000], 2, "100", id="endless question"),
        pytest.param(["ask", b"who \xff?"], 2, "", id="question that is no text"),
        pytest.param(["ask"], 2, "whosays ask --help", id="no question"),
        pytest.param(["ask", "why?", "--depth"], 2, "--depth", id="unknown option"),
        pytest.param(["answer"], 2, "answer", id="unknown command"),
        pytest.param(["ask", "why?", "--model", "oracle"], 4, "oracle", id="unknown model"),
        pytest.param(["ask", "why?", "--index", "nowhere"], 3, "whosays index", id="no index to ask"),
        pytest.param(["chat", "--index", "nowhere"], 3, "whosays index", id="no index to chat with"),
        pytest.param(["sources", "--index", "nowhere"], 3, "whosays index", id="no index to list"),
        pytest.param(["show", "x", "--index", "nowhere"], 3, "whosays index", id="no index to show"),
        pytest.param(["show", "nothing.txt"], 2, "nothing.txt", id="unknown source"),
        pytest.param(["show", b"\xff"], 2, "", id="source that is no text"),
        pytest.param(["show", ""], 2, "source", id="source without a name"),
        pytest.param(["show", "00"], 2, "000_dc2299e4ed74c16e.txt, 001_", id="ambiguous source"),
        pytest.param(["show", "002:5-5"], 2, "5-5", id="empty span"),
        pytest.param(["show", "002:0-99999"], 2, "99999", id="span beyond the end"),
        pytest.param(["index", "nowhere"], 2, "nowhere", id="nothing to index"),
        pytest.param(["serve", "--port", "http"], 2, "--port", id="wrong port"),
    ],
)
def test_an_error_is_one_message_and_has_its_exit_code(
    door: Door, arguments: list[str | bytes], code: int, words: str
) -> None:
    done = door.run(*arguments)
    assert done.returncode == code, done.stderr
    assert words in failure(done)


def test_without_a_command_help_goes_to_standard_error(door: Door) -> None:
    done = door.run()
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr == door.run("--help").stdout


def test_a_wrong_setting_is_told_with_its_place(door: Door) -> None:
    done = door.run("sources", WHOSAYS_SEARCH__TOP_K="many")
    assert done.returncode == 2
    assert "WHOSAYS_SEARCH__TOP_K" in failure(done)


@pytest.mark.parametrize(
    ("arguments", "code", "name"),
    [
        pytest.param(["ask", "", "--json"], 2, "bad_question", id="ours"),
        pytest.param(["sources", "--index", "nowhere", "--json"], 3, "index_missing", id="index"),
        pytest.param(["ask", "--json", "--depth"], 2, "bad_usage", id="usage"),
    ],
)
def test_with_json_an_error_is_json_too(door: Door, arguments: list[str], code: int, name: str) -> None:
    done = door.run(*arguments)
    assert (done.returncode, done.stdout) == (code, b"")
    told = json.loads(done.stderr)
    assert list(told) == ["error"] and list(told["error"]) == ["code", "message", "hint"]
    assert told["error"]["code"] == name and told["error"]["message"]


@pytest.mark.parametrize("debug", [(), ("--debug",)], ids=["plain", "debug"])
def test_a_bug_is_one_message_and_its_traceback_is_kept(door: Door, debug: tuple[str, ...]) -> None:
    program = "import sys\nfrom service.cli import main\nsys.modules['rag.wiring'] = None\nsys.exit(main(sys.argv[1:]))"
    done = door.run(*debug, "sources", program=[sys.executable, "-c", program])
    told = done.stderr.decode()
    log = door.folder / "state" / "whosays" / "bugs.log"
    assert (done.returncode, done.stdout) == (70, b"")
    assert "Error: This is a bug" in told and str(log) in told
    assert ("Traceback" in told) == bool(debug)
    assert "Traceback" in log.read_text() and "rag.wiring" in log.read_text()


def test_ctrl_c_ends_a_command_with_one_line(door: Door) -> None:
    program = "import sys\nfrom service.cli import main\nprint('ready', flush=True)\nsys.exit(main(['ask', '-']))"
    with closing(door.screen(program=[sys.executable, "-c", program])) as screen:
        screen.wait_for("ready")
        screen.wait_until_idle()
        screen.type("\x03")
        assert screen.end() == 130
        assert screen.text.splitlines()[-1] == "Interrupted."
        assert "Traceback" not in screen.text


# ---- answers ---------------------------------------------------------------------------------------------------


def test_an_answer_shows_its_sources_with_line_and_quote(door: Door) -> None:
    done = door.run("ask", QUESTION)
    told = done.stdout.decode()
    answer = Answer.from_json(door.json("ask", QUESTION))
    assert (done.returncode, done.stderr, answer.outcome) == (0, b"", "answered")
    assert "Alexandr Wang" in told and answer.citations
    flat = " ".join(told.split())
    for citation in answer.citations:
        assert f"[{citation.number}] " in told
        assert f"{citation.source}, line {citation.line}" in flat
        assert f"“{' '.join(citation.quote.split())}”" in flat


def test_a_question_that_the_sources_do_not_answer_is_no_error(door: Door) -> None:
    done = door.run("ask", "How many moons has Jupiter?")
    told = done.stdout.decode()
    assert (done.returncode, done.stderr) == (0, b"")
    assert told.startswith("The sources do not say.\n")
    assert "they are no answer" in told


def test_the_record_is_alone_on_standard_output_and_its_citations_hold(door: Door, seeds_index: Path) -> None:
    store = open_store(settings_for(seeds_index))
    record = door.json("ask", "What was Scale AI's last valuation?")
    assert list(record) == list(Answer.__dataclass_fields__)
    assert record["citations"]
    for citation in record["citations"]:
        text = store.source(citation["source"]).text
        assert text[citation["start"] : citation["end"]] == citation["quote"]
        shown = door.run("show", f"{citation['source']}:{citation['start']}-{citation['end']}")
        assert shown.stdout.decode() == citation["quote"]


def test_a_question_comes_from_words_or_from_standard_input(door: Door) -> None:
    def timeless(done: subprocess.CompletedProcess[bytes]) -> Any:
        return {**json.loads(done.stdout), "timings_ms": {}}

    whole = timeless(door.run("ask", QUESTION, "--json"))
    assert timeless(door.run("ask", *QUESTION.split(), "--json")) == whole
    assert timeless(door.run("ask", "-", "--json", stdin=QUESTION.encode() + b"\n")) == whole


@pytest.mark.parametrize("stdin", [b"", b"who \xff?", b"who\x00?"], ids=["empty", "not UTF-8", "NUL"])
def test_standard_input_that_holds_no_question_is_an_error(door: Door, stdin: bytes) -> None:
    done = door.run("ask", "-", stdin=stdin)
    assert done.returncode == 2
    failure(done)


# ---- colours, encodings, pipes ---------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [("ask", QUESTION), ("sources",), ("doctor",), ("show", "002:0-40")], ids=" ".join)
def test_no_escape_code_leaves_a_terminal(door: Door, command: tuple[str, ...]) -> None:
    assert b"\x1b" not in door.run(*command).stdout


@pytest.mark.parametrize(
    ("more", "coloured"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)],
    ids=["plain", "NO_COLOR", "dumb"],
)
def test_colours_are_for_terminals_that_want_them(door: Door, more: dict[str, str], coloured: bool) -> None:
    screen = door.screen("ask", QUESTION, **more)
    with closing(screen):
        assert screen.end() == 0
        assert (b"\x1b[" in screen.raw) == coloured
        assert "Alexandr Wang" in screen.text


def test_the_answering_words_are_marked_in_the_quote(door: Door) -> None:
    screen = door.screen("ask", QUESTION)
    with closing(screen):
        screen.end()
        quotes = screen.raw.decode().partition("“")[2]
        assert re.search("\x1b\\[1;4mAlexandr Wang\x1b\\[0m", quotes)


@pytest.mark.parametrize("encoding", some(["ascii", "latin-1"], 1))
def test_letters_that_the_output_lacks_do_no_harm(door: Door, encoding: str) -> None:
    plain = door.run("ask", QUESTION, PYTHONIOENCODING=encoding)
    assert plain.returncode == 0, plain.stderr
    assert '"' in plain.stdout.decode(encoding)
    for command in (("doctor",), ("sources",)):
        assert door.run(*command, PYTHONIOENCODING=encoding).returncode == 0
    record = json.loads(door.run("ask", QUESTION, "--json", PYTHONIOENCODING=encoding).stdout.decode(encoding))
    assert {**record, "timings_ms": {}} == {**door.json("ask", QUESTION), "timings_ms": {}}


@pytest.mark.parametrize("command", ["show 003", "sources", "ask Who founded Scale AI", "--help", "show 003 --json"])
def test_a_reader_that_leaves_early_ends_the_command_silently(door: Door, command: str) -> None:
    piped = f"'{WHOSAYS[0]}' {command} | true; echo ${{PIPESTATUS[0]}}"
    done = door.run("-c", f"sleep 0; {piped}", program=["bash"])
    assert done.stderr == b""
    assert done.stdout.strip() in (b"0", b"141")


def test_closed_streams_do_no_harm(door: Door) -> None:
    done = door.run("-c", f"'{WHOSAYS[0]}' sources >&- 2>&- <&-", program=["bash"])
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    closed = door.run("-c", f"'{WHOSAYS[0]}' ask - <&-", program=["bash"])
    assert closed.returncode == 2
    assert "closed" in failure(closed)


def test_a_full_disk_is_told(door: Door) -> None:
    done = door.run("-c", f"'{WHOSAYS[0]}' sources > /dev/full", program=["bash"])
    assert done.returncode == 2
    assert "disk is full" in failure(done)


def test_an_answer_fits_a_narrow_terminal(door: Door) -> None:
    screen = door.screen("ask", "What was Scale AI's last valuation?", columns=60)
    with closing(screen):
        assert screen.end() == 0
        assert 50 < max(map(len, screen.text.splitlines())) <= 60


# ---- sources and what they say ---------------------------------------------------------------------------------


@pytest.mark.parametrize("file", SEED_FILES, ids=lambda file: file.name[:3])
def test_show_gives_the_bytes_of_the_file(door: Door, file: Path) -> None:
    assert door.run("show", file.name).stdout == file.read_bytes()


def test_show_takes_the_beginning_of_a_name(door: Door) -> None:
    file = SEED_FILES[2]
    assert door.run("show", file.name[:3]).stdout == file.read_bytes()
    record = door.json("show", file.name[:3])
    assert (record["name"], record["text"].encode()) == (file.name, file.read_bytes())


def test_show_keeps_line_ends_and_drops_the_byte_order_mark(odd: tuple[Door, Any]) -> None:
    door, _ = odd
    whole = (door.folder / "files" / "lines.txt").read_bytes().removeprefix(b"\xef\xbb\xbf")
    assert door.run("show", "lines.txt").stdout == whole
    text = whole.decode()
    start = text.index("newline")
    assert door.run("show", f"lines.txt:{start}-{len(text)}").stdout.decode() == text[start:]
    part = door.json("show", f"lines.txt:{start}-{len(text)}")
    assert (part["start"], part["end"], part["text"]) == (start, len(text), text[start:])


def test_a_source_may_be_named_like_a_span(odd: tuple[Door, Any]) -> None:
    door, _ = odd
    names = [source["name"] for source in door.json("sources")]
    assert "lines.txt:0-5.md" in names
    assert door.run("show", "lines.txt:0-5.md").stdout == b"A file that is named like a span."
    assert door.run("show", "lines.txt:0-5.md:0-6").stdout == b"A file"


def test_a_span_is_shown_with_the_lines_around_it(door: Door, seeds_index: Path) -> None:
    source = open_store(settings_for(seeds_index)).source("002_2d9ecda08faa1a08.txt")
    lines = source.text.split("\n")
    start = source.text.index(lines[4])
    screen = door.screen("show", f"002:{start}-{start + 8}", columns=300)
    with closing(screen):
        assert screen.end() == 0
        shown = re.findall(r"(?m)^(> | +)(\d+)  \S", screen.text)
        assert shown == [("  ", "3"), ("  ", "4"), ("> ", "5"), ("  ", "6"), ("  ", "7")]
        assert f"\x1b[1;4m{lines[4][:8]}" in screen.raw.decode()


def test_a_terminal_obeys_no_source(odd: tuple[Door, Any]) -> None:
    door, _ = odd
    for command in (("show", "escape"), ("show", "escape.txt:0-20"), ("ask", "Where does the lamp stand?")):
        screen = door.screen(*command)
        with closing(screen):
            screen.end()
            assert "red" in screen.text and "\x9b" not in screen.text
    assert "\x9b31m" in door.run("show", "escape.txt").stdout.decode()


def test_the_list_of_sources_counts_what_is_there(door: Door, seeds_index: Path) -> None:
    store = open_store(settings_for(seeds_index))
    listed = door.json("sources")
    assert [source["name"] for source in listed] == [file.name for file in SEED_FILES]
    assert sum(source["passages"] for source in listed) == store.passage_count
    assert [source["characters"] for source in listed] == [len(file.read_text("utf-8")) for file in SEED_FILES]
    told = door.run("sources").stdout.decode()
    assert all(file.name in told for file in SEED_FILES)
    assert f"5 sources, {store.passage_count} passages" in told


def test_the_doctor_names_the_command_that_mends(door: Door) -> None:
    well = door.run("doctor")
    assert (well.returncode, well.stderr) == (0, b""), well.stdout.decode()
    ill = door.run("doctor", "--index", "nowhere")
    assert ill.returncode == 3
    assert re.search(r"✗ index .*\n +→ .*whosays index", ill.stdout.decode())
    record = json.loads(door.run("doctor", "--index", "nowhere", "--json").stdout)
    assert record["ok"] is False
    assert [check["name"] for check in record["checks"] if not check["ok"]] == ["index"]


def test_eval_is_the_command_of_its_package(door: Door) -> None:
    told = door.run("eval", "--help").stdout.decode()
    assert told.startswith("Usage: whosays eval") and "GOLD" in told
    done = door.run("eval", "nowhere.jsonl")
    assert done.returncode == 2
    assert "nowhere.jsonl" in failure(done)


# ---- indexing --------------------------------------------------------------------------------------------------


def test_indexing_reports_what_it_did_and_what_it_skipped(odd: tuple[Door, subprocess.CompletedProcess[bytes]]) -> None:
    door, done = odd
    told = " ".join(done.stdout.decode().split())
    assert done.returncode == 0, done.stderr
    assert "Skipped 2 files:" in told and "picture.txt: " in told and "empty.txt: " in told
    assert "Indexed: 3 added;" in told
    progress = done.stderr.decode().splitlines()
    assert [line.split()[1] for line in progress] == ["escape.txt", "lines.txt", "lines.txt:0-5.md"]
    again = door.json("index", "files")
    assert IndexReport(unchanged=tuple(again["unchanged"])).unchanged == ("escape.txt", "lines.txt", "lines.txt:0-5.md")
    assert (again["added"], again["embedded"]) == ([], 0)


def test_indexing_on_a_terminal_shows_a_bar_and_then_the_report(door: Door) -> None:
    screen = door.screen("index", str(SEEDS), "--index", "mine", columns=80)
    with closing(screen):
        assert screen.end() == 0
        assert "━" in screen.text and "5/5 files" in screen.text
        assert "Indexed: 5 added;" in screen.text
        drawn = ESCAPE.sub("", screen.raw.decode())
        assert max(map(len, re.split(r"[\r\n]", drawn))) <= 80


def test_a_folder_without_a_readable_file_is_bad_input(door: Door) -> None:
    folder = door.folder / "nothing"
    folder.mkdir()
    (folder / "empty.txt").touch()
    done = door.run("index", "nothing", "--index", "mine")
    assert done.returncode == 2
    assert b"empty.txt" in b"".join(done.stdout.split())
    assert done.stderr.startswith(b"Error: ") and b"nothing" in done.stderr


def test_ctrl_c_while_indexing_keeps_what_is_done_and_says_how_to_go_on(door: Door) -> None:
    folder = door.folder / "many"
    folder.mkdir()
    for n in range(900):
        (folder / f"{n:03}.txt").write_text(f"Ship {n} sails from port {n * 7 % 31}.")
    child = subprocess.Popen(
        [*WHOSAYS, "index", "many", "--index", "mine"],
        cwd=door.folder,
        env=door.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None and child.stderr is not None
    assert child.stderr.readline().startswith("indexed 000.txt")
    child.send_signal(signal.SIGINT)
    told = child.stderr.read()
    assert (child.wait(120), child.stdout.read()) == (130, "")
    found = re.search(
        r"Stopped\. (\d+) sources? in the index\. To go on, run again:\nwhosays index many --index mine\n", told
    )
    assert found, told
    kept = [source["name"] for source in door.json("sources", "--index", "mine")]
    assert 0 < len(kept) == int(found[1]) < 900
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / "last.txt").write_text("One is left.")
    assert len(door.json("index", "many", "--index", "mine")["removed"]) == len(kept)


# ---- laws of the page ------------------------------------------------------------------------------------------

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=300)
words = st.text("abc $1.", min_size=1, max_size=60).filter(str.strip)


@given(texts)
def test_what_is_printed_is_as_long_and_moves_no_cursor(text: str) -> None:
    assert len(printable(text)) == len(one_line(text)) == len(text)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", printable(text))
    assert "\n" not in one_line(text)


@given(st.lists(st.text("ab ", max_size=8), min_size=1, max_size=12).map("\n".join).filter(str.strip), st.data())
def test_surroundings_hold_the_span_and_two_lines_that_are_not_blank_on_each_side(
    text: str, data: st.DataObject
) -> None:
    letters = [n for n, letter in enumerate(text) if letter.strip()]
    start = data.draw(st.sampled_from(letters))
    end = data.draw(st.sampled_from([n for n in letters if n >= start])) + 1
    first, last = surroundings(text, start, end)
    assert first <= start < end <= last
    assert first == 0 or text[first - 1] == "\n"
    assert last == len(text) or text[last] == "\n"

    def filled(part: str) -> int:
        return sum(bool(line.strip()) for line in part.split("\n"))

    line_start, line_end = text.rfind("\n", 0, start) + 1, (text + "\n").find("\n", end - 1)
    assert filled(text[first:line_start]) == min(2, filled(text[:line_start]))
    assert filled(text[line_end:last]) == min(2, filled(text[line_end:]))


def test_a_line_without_end_is_cut_around_the_span() -> None:
    text = "a" * 5000
    assert surroundings(text, 2000, 2010) == (1400, 2610)


def citation(number: int, quote: str) -> Citation:
    return Citation(number, "a.txt", "A title", "2025-06-08", 3, 0, len(quote), 1, quote)


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    quotes = draw(st.lists(words, max_size=3))
    numbers = tuple(range(1, len(quotes) + 1))
    return Answer(
        question="?",
        outcome=draw(st.sampled_from(["answered", "disputed", "not_in_sources"])),
        text=draw(words),
        short=draw(st.none() | words),
        citations=tuple(citation(number, quote) for number, quote in zip(numbers, quotes, strict=True)),
        positions=tuple(Position(value, ("a.txt",), numbers) for value in draw(st.lists(words, max_size=2))),
        missing=tuple(draw(st.lists(words, max_size=1))),
        withheld=tuple(WithheldClaim(text, "no sentence") for text in draw(st.lists(words, max_size=1))),
        nearest=tuple(Nearest("a.txt", None, 0, 9, 1, text) for text in draw(st.lists(words, max_size=1))),
        reason=draw(st.none() | st.just("no_passage_answers")),
    )


@given(answers(), st.integers(20, 200))
def test_no_line_of_an_answer_is_longer_than_the_page(answer: Answer, columns: int) -> None:
    for line in written(columns, answer):
        assert len(line) <= columns
        assert line == line.rstrip()


def written(columns: int, answer: Answer) -> Iterator[str]:
    """The lines of an answer on a page of that many columns."""
    page = Page()
    page.terminal.size = (columns, 24)
    with page.terminal.capture() as capture:
        page.answer(answer)
    yield from capture.get().splitlines()


def test_a_disputed_answer_shows_every_value_with_who_says_it() -> None:
    quotes = ("It is worth $7.", "Some say $9.", "It is worth $7 now.")
    answer = Answer(
        question="What is it worth?",
        outcome="disputed",
        text="$7 [1][3]; b says $9 [2].",
        short="$7",
        citations=tuple(
            Citation(n, source, None, None, None, 0, 9, 1, quote)
            for n, source, quote in zip((1, 2, 3), ("a", "b", "c"), quotes, strict=True)
        ),
        positions=(Position("$7", ("a", "c"), (1, 3)), Position("$9", ("b",), (2,))),
    )
    assert [answering_words(answer, cited) for cited in answer.citations] == [["$7"], ["$9"], ["$7"]]
    assert list(written(80, answer))[:6] == [
        "$7 [1][3]; b says $9 [2].",
        "",
        "value  according to",
        "$7     a             [1]",
        "       c             [3]",
        "$9     b             [2]",
    ]


def test_reports_and_lists_are_written_whole() -> None:
    page = Page()
    page.terminal.size = (70, 24)
    with page.terminal.capture() as capture:
        page.report(IndexReport(added=("a",), removed=("b",), skipped=(Skipped("c.bin", "binary"),), passages=1234))
        page.space()
        page.sources([SourceSummary("a.txt", "A title", "2025-06-08", 12345, 7)])
        page.space()
        page.checks([Check("index", False, "There is none.", "whosays index PATH"), Check("python", True, "3.11")])
        page.space()
        page.span(Source("a.txt", "/a.txt", "One.\nTwo.\n", "", "A title"), 5, 9)
    assert capture.get() == (
        "Skipped 1 file:\n"
        "    c.bin: binary\n"
        "\n"
        "Indexed: 1 added, 1 removed; 1,234 passages written, 0 of them newly\n"
        "embedded; 0.0 s.\n"
        "\n"
        "source  title    date        characters  passages\n"
        "a.txt   A title  2025-06-08      12,345         7\n"
        "\n"
        "1 source, 7 passages\n"
        "\n"
        "✗ index   There is none.\n"
        "          → whosays index PATH\n"
        "✓ python  3.11\n"
        "\n"
        "1 thing to mend.\n"
        "\n"
        "A title, a.txt, line 2\n"
        "\n"
        "  1  One.\n"
        "> 2  Two.\n"
    )
