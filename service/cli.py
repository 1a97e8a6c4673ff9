"""The terminal's commands: `whosays index`, `ask`, `chat`, `serve`, `eval`, `sources`, `show` and `doctor`.

Results go to standard output; progress, notes and errors to standard error. Whatever a command needs is imported when
it runs, so that `whosays --help` is quick.
"""

from __future__ import annotations

import errno
import gc
import io
import logging
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
import typer.core
import typer.main
from typer.exceptions import TyperException

from rag.errors import BadInput, WhosaysError
from rag.logs import set_up_logs
from service import index_command, keys_command, memory
from service.options import (
    EXIT_INTERRUPTED,
    HostOption,
    IndexOption,
    JsonOption,
    ModelOption,
    PortOption,
    print_json,
    settings_from,
)

if TYPE_CHECKING:
    from rag.answering import Answerer

EXIT_DOCTOR = 3
EXIT_BUG = 70
EXIT_BROKEN_PIPE = 141  # what a shell reports of a program that SIGPIPE ended


class LazyCommand(typer.core.TyperCommand):
    """`eval`, by name until it is called: importing it would make every other command slower."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Import the command and hand over to it."""
        from eval.command import command_named
        from service.render import accept_every_letter

        accept_every_letter(sys.stdout)
        function, args, name = command_named(args)
        command = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings=HELP_NAMES)
        command.command()(function)
        return typer.main.get_command(command).make_context(f"{info_name} {name}".strip(), args, parent, **extra)


HELP_NAMES = {"help_option_names": ["-h", "--help"]}
EPILOG = """
Exit codes: 0 answered, or not in the sources; 2 bad input; 3 index; 4 model; 70 a bug; 130 Ctrl-C. With --json errors
are JSON on standard error.
"""
app = typer.Typer(
    add_completion=False, rich_markup_mode=None, context_settings=HELP_NAMES, epilog=EPILOG, invoke_without_command=True
)


@app.callback()
def whosays(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Log everything, and show the traceback of a bug.")] = False,
) -> None:
    """Ask your documents, see who says so. First: whosays index FOLDER"""
    if version:
        from importlib.metadata import version as version_of

        sys.stdout.write(f"whosays {version_of('whosays')}\n")
        raise typer.Exit
    if debug:
        # Each command reads its settings itself; the environment reaches them all.
        os.environ["WHOSAYS_LOG_LEVEL"] = "debug"
        set_up_logs("debug")
    if context.invoked_subcommand is None:
        sys.stderr.write(context.get_help() + "\n")
        raise typer.Exit(BadInput.exit_code)


app.command("index")(index_command.index)


@app.command()
def ask(
    question: Annotated[list[str], typer.Argument(metavar="QUESTION", help='The question; "-" reads standard input.')],
    index: IndexOption = None,
    model: ModelOption = None,
    as_json: JsonOption = False,
) -> None:
    """Answer a question, with the source of every sentence.

    Sources that disagree are shown side by side. Where the sources do not say, the answer says so, and the exit code
    is 0 all the same.
    """
    settings = settings_from(index, model)
    asked = " ".join(question)
    if asked == "-":
        asked = _standard_input().read().strip("\r\n")
    with _one_numpy_thread():
        from rag.wiring import open_answerer
    from service.render import Page

    with closing(open_answerer(settings)) as answerer:
        if as_json:
            print_json(answerer.ask(asked).to_json())
        elif answerer.model == "builtin":
            Page().answer(answerer.ask(asked))
        else:
            Page().follow(answerer.stream(asked), live=True)


@app.command()
def chat(index: IndexOption = None, model: ModelOption = None) -> None:
    """Ask question after question; follow-ups are understood.

    /help lists the commands. Ctrl-C stops an answer, Ctrl-D leaves. Questions can also be piped in, one a line.
    """
    settings = settings_from(index, model)
    from rag.wiring import open_answerer
    from service.repl import Chat, run_chat

    def answerer_of(model: str) -> Answerer:
        return open_answerer(replace(settings, model=model))

    with closing(Chat(answerer_of, settings.model, settings.index)) as conversation:
        code = run_chat(conversation, _standard_input(), state_folder() / "history")
    raise typer.Exit(code)


@app.command()
def serve(
    index: IndexOption = None, model: ModelOption = None, host: HostOption = None, port: PortOption = None
) -> None:
    """Answer over HTTP; the interface is described at /docs."""
    settings = settings_from(index, model, {"service.host": host, "service.port": port})
    from service.app import serve

    serve(settings)


@app.command()
def mcp(index: IndexOption = None, model: ModelOption = None) -> None:
    """Answer over MCP on standard input and output, for programs that start it themselves."""
    settings = settings_from(index, model)
    from service.mcp import serve_stdio

    serve_stdio(settings)


app.add_typer(keys_command.app, name="keys")


@app.command("eval", cls=LazyCommand)
def evaluate() -> None:
    """Measure the answers against gold questions."""


@app.command()
def sources(index: IndexOption = None, as_json: JsonOption = False) -> None:
    """List what is indexed."""
    settings = settings_from(index)
    from rag.wiring import open_store
    from service.render import Page

    listed = open_store(settings).sources()
    if as_json:
        print_json([asdict(source) for source in listed])
    else:
        Page().sources(listed)


@app.command()
def show(
    source: Annotated[str, typer.Argument(metavar="SOURCE[:START-END]", help="Its name, or the beginning of it.")],
    index: IndexOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print a source, or the part that a citation names.

    START and END count Unicode code points, as in citations. The text is printed as it is, in UTF-8; a part is shown
    on a terminal with the lines around it.
    """
    settings = settings_from(index)
    from rag.wiring import open_store
    from service.naming import slice_of, source_and_span
    from service.render import Page

    store = open_store(settings)
    name, span = source_and_span([listed.name for listed in store.sources()], source)
    shown = store.source(name)
    text = shown.text if span is None else slice_of(shown, *span)
    if as_json:
        record = asdict(shown)
        if span is not None:
            record |= {"start": span[0], "end": span[1], "text": text}
        print_json(record)
    elif not sys.stdout.isatty():
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode("utf-8"))
    elif span is None:
        Page().text(text)
    else:
        Page().span(shown, *span)


@app.command()
def doctor(index: IndexOption = None, as_json: JsonOption = False) -> None:
    """Look for what is wrong, and say how to mend it.

    Versions, packages, models and the index are looked at. The exit code is 0 where all is well, else 3.
    """
    settings = settings_from(index)
    from rag.doctor import check_up
    from service.render import Page

    checks = check_up(settings)
    well = all(check.ok for check in checks)
    if as_json:
        print_json({"ok": well, "checks": [asdict(check) for check in checks]})
    else:
        Page().checks(checks)
    raise typer.Exit(0 if well else EXIT_DOCTOR)


# ---- what every command shares -----------------------------------------------------------------


@contextmanager
def _one_numpy_thread() -> Iterator[None]:
    """What imports numpy in here gets it without threads, which would spin beside those that read the one question."""
    name = "OPENBLAS_NUM_THREADS"
    given = os.environ.get(name)
    os.environ[name] = given or "1"
    yield
    if given is None:
        del os.environ[name]  # FAISS, which may have an index to build, reads it too


def _standard_input() -> io.TextIOWrapper:
    """Standard input as UTF-8; bytes that are not become lone surrogates, which no question may hold."""
    if sys.stdin is None:
        raise BadInput("Standard input is closed.", hint="Pipe the question in, or give it as an argument.")
    return io.TextIOWrapper(sys.stdin.buffer, "utf-8", errors="surrogateescape")


def state_folder() -> Path:
    """Where the history of questions and the tracebacks of bugs are kept."""
    home = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(home).expanduser() / "whosays"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and give its exit code; every error ends here, in one message."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in given
    # A stream that was closed before the start is None.
    sys.stdout = sys.stdout or io.TextIOWrapper(io.BytesIO())
    sys.stderr = sys.stderr or io.TextIOWrapper(io.BytesIO())
    try:
        return _run(given)
    except WhosaysError as error:
        return _fail(error.code, error.message, error.hint, error.exit_code, as_json)
    except TyperException as error:
        used = getattr(error, "ctx", None)
        hint = f"Try: {used.command_path} --help" if used else ""
        return _fail("bad_usage", error.format_message(), hint, BadInput.exit_code, as_json)
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted.\n")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        _discard_output()
        return EXIT_BROKEN_PIPE
    except OSError as error:
        if error.errno != errno.ENOSPC or error.filename is not None:
            return _report_bug(as_json)
        _discard_output()
        return _fail("output_full", "The output cannot be written: the disk is full.", "", BadInput.exit_code, as_json)
    except Exception:  # noqa: BLE001 - the last door: what is not ours is a bug, and is logged as one
        return _report_bug(as_json)


def _run(arguments: list[str]) -> int:
    code = 0
    try:
        with memory.enough_for(arguments), typer.main.get_command(app).make_context("whosays", arguments) as context:
            context.command.invoke(context)
    except typer.Exit as done:
        code = done.exit_code
    sys.stdout.flush()
    return code


def _fail(code: str, message: str, hint: str, exit_code: int, as_json: bool) -> int:
    from service.render import failure_text, json_text

    if as_json:
        record = {"error": {"code": code, "message": message, "hint": hint}}
        sys.stderr.write(json_text(record, sys.stderr, indent=None) + "\n")
    else:
        sys.stderr.write(failure_text(message, hint))
    return exit_code


def _report_bug(as_json: bool) -> int:
    """Keep the traceback for the makers, and spare the user it."""
    trace = traceback.format_exc()
    try:
        log = state_folder() / "bugs.log"
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"{datetime.now().isoformat(timespec='seconds')}\n{trace}\n")
        hint = f"The traceback is in {log}"
    except (OSError, RuntimeError):
        hint = "Run it again with: whosays --debug"
    if logging.getLogger(__package__).isEnabledFor(logging.DEBUG):
        sys.stderr.write(trace)
    reason = trace.rstrip().rpartition("\n")[2]
    return _fail("bug", f"This is a bug in whosays: {reason}", hint, EXIT_BUG, as_json)


def _discard_output() -> None:
    """Point standard output nowhere: Python flushes it once more when it ends, and would complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def program() -> NoReturn:
    """Run the command line of this process and end it."""
    one_question = sys.argv[1:2] == ["ask"]
    if one_question:
        gc.disable()
    code = main()
    if one_question:
        # Measured: looking for garbage, and taking the models apart at the end, are a ninth of a cold start.
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    program()
