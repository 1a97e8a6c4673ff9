"""`whosays chat`: question after question, with history, and commands that begin with a slash."""

from __future__ import annotations

import importlib.metadata
import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import WordCompleter
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.shortcuts import CompleteStyle

from rag.answering import BUILTIN, Answerer
from rag.errors import BadInput, WhosaysError
from rag.records import Answer, Citation, Turn
from service.render import Page, answering_words, counted, failure_text, json_text, place, printable

logger = logging.getLogger(__name__)

HELP = {
    "/sources": "what the last answer cites, or else what is indexed",
    "/sources N": "source [N] of the last answer, around its quote",
    "/new": "begin a new conversation",
    "/model [NAME]": "which model composes the answers, or another one",
    "/json": "the last answer's record",
    "/save FILE": "write the conversation to a Markdown file; /save! overwrites",
    "/help": "this list",
    "/quit": "leave, as Ctrl-D does",
}


@dataclass(frozen=True)
class Exchange:
    """A question as it was asked, and its answer."""

    question: str
    rewritten: str | None
    answer: Answer


class Chat:
    """A conversation: takes lines, which are questions or commands, and writes to standard output."""

    def __init__(self, open_answerer: Callable[[str], Answerer], model: str, place: str) -> None:
        self._open_answerer = open_answerer
        self._answerer = open_answerer(model)
        self._model = model
        self._place = place
        self._page = Page()
        self._exchanges: list[Exchange] = []
        self.exit_code = 0

    def close(self) -> None:
        """Let go of the index and the models."""
        self._answerer.close()

    def greet(self) -> None:
        """Write what there is to ask, and how to get help."""
        store = self._answerer.store
        holds = f"{counted(len(store.sources()), 'source')}, {counted(store.passage_count, 'passage')}"
        version = importlib.metadata.version("whosays")
        self._page.note(f"whosays {version}: {holds} in {self._place}")
        self._page.note("Ask a question, or type /help. Ctrl-D leaves.")

    def words(self) -> list[str]:
        """What the Tab key completes: the commands, and the names of the sources."""
        commands = [usage.partition(" ")[0] for usage in HELP]
        return [*dict.fromkeys(commands), *(source.name for source in self._answerer.store.sources())]

    def take(self, line: str) -> bool:
        """Answer a question or obey a command; False to leave. An error is told, and the conversation goes on."""
        text = line.strip()
        try:
            if text.startswith("/"):
                return self._obey(text)
            if text:
                self._answer(text)
        except WhosaysError as error:
            self.exit_code = error.exit_code
            self._page.terminal.file.flush()
            sys.stderr.write(failure_text(error.message, error.hint))
        return True

    def stop(self) -> None:
        """Say that the answer was stopped."""
        self._page.note("Stopped.")

    def _answer(self, question: str) -> None:
        # A follow-up to a follow-up needs the earlier one as it was understood.
        history = [Turn(done.rewritten or done.question, done.answer.text) for done in self._exchanges]
        events = self._answerer.stream(question, history)
        answer = self._page.follow(events, live=self._answerer.model != BUILTIN)
        self._page.space()
        self._exchanges.append(Exchange(question, answer.rewritten, answer))

    def _obey(self, text: str) -> bool:
        name, _, argument = text.partition(" ")
        commands: dict[str, Callable[[str], None]] = {
            "/sources": self._sources,
            "/new": self._new,
            "/model": self._choose_model,
            "/json": self._json,
            "/save": self._save,
            "/save!": self._overwrite,
            "/help": self._help,
        }
        if name in ("/quit", "/exit"):
            return False
        if name not in commands:
            raise BadInput(f"There is no command {name!r}.", hint="/help lists the commands.")
        commands[name](argument.strip())
        return True

    # ---- the commands ------------------------------------------------------------------------

    def _sources(self, number: str) -> None:
        cited = self._exchanges[-1].answer.citations if self._exchanges else ()
        if number:
            self._source(cited, number)
        elif cited:
            for citation in cited:
                self._page.citation(citation, answering_words(self._last(), citation))
        else:
            self._page.sources(self._answerer.store.sources())

    def _source(self, cited: Iterable[Citation], number: str) -> None:
        for citation in cited:
            if number.strip("[]") == str(citation.number):
                self._page.span(self._answerer.store.source(citation.source), citation.start, citation.end)
                return
        numbers = ", ".join(f"[{citation.number}]" for citation in cited)
        hint = f"It cites {numbers}." if numbers else "It cites nothing."
        raise BadInput(f"The last answer has no source {number!r}.", hint=hint)

    def _new(self, _: str) -> None:
        self._exchanges.clear()
        self._page.note("A new conversation.")

    def _choose_model(self, name: str) -> None:
        if name and name != self._model:
            chosen = self._open_answerer(name)
            self._answerer.close()
            self._answerer, self._model = chosen, name
        self._page.note(f"The model is {self._model}.")

    def _json(self, _: str) -> None:
        stream = self._page.terminal.file
        stream.write(json_text(self._last().to_json(), sys.stdout) + "\n")

    def _overwrite(self, name: str) -> None:
        self._save(name, overwrite=True)

    def _save(self, name: str, overwrite: bool = False) -> None:
        self._last()
        if not name:
            raise BadInput("/save needs the name of a file.", hint="/save conversation.md")
        path = Path(name)
        try:
            path = path.expanduser()
            with path.open("w" if overwrite else "x", encoding="utf-8") as file:
                file.write(to_markdown(self._exchanges))
        except FileExistsError:
            raise BadInput(f"{path} exists.", hint=f"Name another file, or overwrite it: /save! {name}") from None
        except (OSError, RuntimeError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise BadInput(f"{path} cannot be written: {reason}.", hint="Name another file.") from error
        self._page.note(f"{counted(len(self._exchanges), 'answer')} saved in {path}")

    def _help(self, _: str) -> None:
        width = max(map(len, HELP)) + 2
        for usage, use in HELP.items():
            self._page.paragraph(use, lead=usage.ljust(width))
        self._page.note("Ctrl-C stops an answer. The Tab key completes commands and names of sources.")

    def _last(self) -> Answer:
        if not self._exchanges:
            raise BadInput("There is no answer yet.", hint="Ask a question first.")
        return self._exchanges[-1].answer


def to_markdown(exchanges: Iterable[Exchange]) -> str:
    """The conversation as Markdown, with the sources under every answer."""
    parts = ["# A conversation with Whosays"]
    for exchange in exchanges:
        parts.append(f"## {exchange.question}")
        if exchange.rewritten:
            parts.append(f"*{exchange.rewritten}*")
        parts.append(exchange.answer.text)
        for citation in exchange.answer.citations:
            quote = citation.quote.replace("\n", "\n> ")
            parts.append(f"[{citation.number}] {place(citation)}:")
            parts.append(f"> {quote}")
    return "\n\n".join(parts) + "\n"


# ---- where the lines come from -------------------------------------------------------------------


def run_chat(chat: Chat, piped: TextIO, history: Path) -> int:
    """Lead a conversation to its end and give the exit code, that of the last error where questions are piped in.

    On a terminal lines are edited and remembered in the file `history`; else they are read from `piped`.
    """
    if sys.stdin.isatty() and sys.stdout.isatty():
        chat.greet()
        session: PromptSession[str] = PromptSession(
            "> ",
            history=remembered(history),
            completer=WordCompleter(chat.words, WORD=True),
            complete_style=CompleteStyle.READLINE_LIKE,
            complete_while_typing=False,
        )
        for line in typed_lines(session):
            try:
                if not chat.take(line):
                    break
            except KeyboardInterrupt:
                chat.stop()
        return 0
    for line in piped:
        sys.stdout.write(f"> {printable(line.rstrip())}\n" if line.strip() else "")
        if not chat.take(line):
            break
    return chat.exit_code


def typed_lines(session: PromptSession[str]) -> Iterator[str]:
    """The lines that are typed, until Ctrl-D; Ctrl-C clears a line."""
    while True:
        try:
            line = session.prompt()
        except KeyboardInterrupt:
            continue
        except EOFError:
            return
        yield line


class KeptHistory(FileHistory):
    """The lines of earlier conversations; a disk that takes no more is told of and costs nothing else."""

    def store_string(self, string: str) -> None:
        """Append a line to the file."""
        try:
            super().store_string(string)
        except OSError as error:
            logger.warning("The history cannot be kept in %s: %s.", self.filename, error.strerror)


def remembered(path: Path) -> History:
    """The history kept in a file that only its owner reads, or one kept in memory where that cannot be."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        with path.open("ab"):
            return KeptHistory(path)
    except OSError as error:
        logger.warning("The history cannot be kept in %s: %s.", path, error.strerror)
        return InMemoryHistory()
