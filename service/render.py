"""How answers, sources and reports look in a terminal."""

from __future__ import annotations

import codecs
import io
import json
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from rag.records import (
    Answer,
    Answered,
    Check,
    Citation,
    Event,
    IndexReport,
    Nearest,
    Position,
    Rewritten,
    Source,
    SourceSummary,
    Token,
)

MEASURE = 100
"""The longest line of prose, in columns; a wider terminal is left empty on the right."""

REASONS: Mapping[str, str] = {
    "nothing_retrieved": "Nothing in the index resembles the question.",
    "no_passage_answers": "No passage that was found answers the question.",
    "premise_not_in_sources": "The question takes something for granted that the sources do not say.",
    "model_refused": "The model found no answer in the passages that it was given.",
}

# Control characters would move the cursor or recolour the terminal; each is replaced one for one, so that spans hold.
_CONTROLS = dict.fromkeys((*range(32), *range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A)), "\ufffd")
_CONTROLS |= {ord("\n"): "\n", ord("\t"): "\t", ord("\r"): " "}

_NEAREST_LENGTH = 240
_CONTEXT_LENGTH = 600


def printable(text: str) -> str:
    """The text with every control character but line ends and tabs replaced, so that no terminal obeys it."""
    return text.translate(_CONTROLS)


def one_line(text: str) -> str:
    """The printable text with each line end or tab as a space: as long as it was."""
    return re.sub(r"\s", " ", printable(text))


def accept_every_letter(stream: TextIO) -> None:
    """Let the stream write a plain letter for each that its encoding lacks, and never fail for one."""
    codecs.register_error("whosays", _plain_letter)
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="whosays")


def _plain_letter(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    plain = {"“": '"', "”": '"', "‘": "'", "’": "'", "–": "-", "—": "-", "…": "...", "→": "->", "✓": "+", "✗": "x"}
    return "".join(plain.get(letter, "?") for letter in error.object[error.start : error.end]), error.end


def json_text(record: Any, stream: TextIO, indent: int | None = 2) -> str:
    """The record as JSON that the stream can encode: letters as they are where it can, else escaped."""
    text = json.dumps(record, ensure_ascii=False, indent=indent)
    try:
        text.encode(stream.encoding or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(record, ensure_ascii=True, indent=indent)
    return text


def failure_text(message: str, hint: str) -> str:
    """An error for people: one line that says what was wrong, and one that says what to do."""
    return f"Error: {one_line(message)}\n" + (f"{printable(hint)}\n" if hint else "")


def counted(n: int, one: str, many: str = "") -> str:
    """A number with its noun: `counted(1, "source")` is "1 source", `counted(2, "source")` "2 sources"."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


class Terminal(Console):
    """A rich console without colours where they are not wanted, and which leaves a broken pipe to its caller."""

    def __init__(self, stream: TextIO) -> None:
        accept_every_letter(stream)
        plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
        super().__init__(
            file=stream, color_system=None if plain else "auto", highlight=False, markup=False, emoji=False
        )

    def on_broken_pipe(self) -> None:
        """Raise the error again; rich would leave the program here."""
        raise BrokenPipeError


class Page:
    """Writes the records, one method each, onto a terminal, a file or a pipe."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.terminal = Terminal(stream or sys.stdout)

    @property
    def width(self) -> int:
        """The columns in use."""
        return max(20, min(MEASURE, self.terminal.width))

    def paragraph(self, text: Text | str, lead: str = "", indent: int | None = None) -> None:
        """Write the text wrapped, `lead` before its first line and every further line indented."""
        text = Text(text) if isinstance(text, str) else text
        depth = len(lead) if indent is None else indent
        for number, line in enumerate(text.wrap(self.terminal, self.width - depth, overflow="fold")):
            line.rstrip()
            margin = lead if number == 0 else ""
            self.terminal.print(Text(margin.ljust(depth) if line else margin).append_text(line), soft_wrap=True)

    def note(self, text: str) -> None:
        """Write a remark of the program's own, dimmed."""
        self.paragraph(Text(printable(text), style="dim"))

    def space(self) -> None:
        """Write an empty line."""
        self.terminal.print()

    def table(self, table: Table) -> None:
        """Write a table without blanks at the ends of its lines."""
        for segments in self.terminal.render_lines(table, pad=False):
            line = Text.assemble(*((segment.text, segment.style or "") for segment in segments))
            line.rstrip()
            self.terminal.print(line, soft_wrap=True)

    # ---- an answer ---------------------------------------------------------------------------

    def follow(self, events: Iterable[Event], *, live: bool) -> Answer:
        """Write an answer as it comes, and give it; `live` writes each sentence as soon as it stands."""
        told = False
        for event in events:
            if isinstance(event, Rewritten):
                self.note(f"→ {event.question}")
            elif isinstance(event, Token) and live:
                if not told:
                    self.space()
                told = True
                self._sentences(event.text.strip())
                self.terminal.file.flush()
            elif isinstance(event, Answered):
                if not told:
                    self.space()
                self.answer(event.answer, told=told)
                answer = event.answer
        return answer

    def _sentences(self, words: str) -> None:
        text = Text(printable(words))
        text.highlight_regex(r"\[\d+\]", "cyan")
        self.paragraph(text)

    def answer(self, answer: Answer, *, told: bool = False) -> None:
        """Write an answer: what it says, unless that is told, what speaks against it, and the numbered sources."""
        if _adds_something(answer) and not told:
            self.paragraph(Text(one_line(answer.short or ""), style="bold"))
            self.space()
        if not told:
            self._sentences(answer.text)
        if answer.fallback:
            self.paragraph(f"Answered without a language model: {one_line(answer.fallback)}")
        if answer.reason:
            self.paragraph(REASONS.get(answer.reason, answer.reason))
        if answer.outcome == "disputed" and answer.positions:
            self._positions(answer)
        self._gaps(answer)
        for citation in answer.citations:
            self.space()
            self.citation(citation, answering_words(answer, citation))
        if answer.nearest:
            self._nearest(answer.nearest)
        self.space()
        words = "" if answer.model == "builtin" else f", worded by {one_line(answer.model)} and checked"
        self.note(f"confidence {answer.confidence:.2f}{words}")

    def citation(self, citation: Citation, words: Sequence[str] = ()) -> None:
        """Write where a citation stands and its quote, the answering words in it marked."""
        lead = f"[{citation.number}] "
        self.paragraph(Text(place(citation), style="cyan"), lead=lead)
        quote = Text(one_line(citation.quote))
        for word in words:
            quote.highlight_regex(rf"(?<!\w){re.escape(one_line(word))}(?!\w)", "bold underline")
        self.paragraph(Text("“").append_text(quote).append("”"), lead=" " * len(lead))

    def _positions(self, answer: Answer) -> None:
        """The values in dispute, each with the sources that say it and where."""
        self.space()
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        table.add_column("value", overflow="fold", style="bold", max_width=self.width // 2)
        table.add_column("according to", overflow="fold")
        table.add_column("", no_wrap=True, style="cyan")
        for position in answer.positions:
            value = one_line(position.value)
            numbers = {source: _numbers(answer, position, source) for source in position.sources}
            for source in sorted(numbers, key=lambda source: numbers[source] or [len(answer.citations) + 1]):
                table.add_row(value, one_line(source), "".join(f"[{number}]" for number in numbers[source]))
                value = ""
        self.table(table)

    def _gaps(self, answer: Answer) -> None:
        """What the answer leaves open, and what was taken out of it."""
        if answer.missing:
            self.space()
            self.paragraph("The sources do not answer this part of the question:")
            for part in answer.missing:
                self.paragraph(one_line(part), lead="  - ")
        if answer.withheld:
            self.space()
            self.paragraph("Withheld, because the sources do not bear it out:")
            for claim in answer.withheld:
                self.paragraph(f"{one_line(claim.text)} ({one_line(claim.reason)})", lead="  - ")

    def _nearest(self, nearest: Iterable[Nearest]) -> None:
        self.space()
        self.paragraph("The passages that came nearest; they are no answer:")
        for passage in nearest:
            span = f"{one_line(passage.source)}:{passage.start}-{passage.end}, line {passage.line}"
            text = " ".join(printable(passage.text).split())
            cut = text if len(text) <= _NEAREST_LENGTH else text[:_NEAREST_LENGTH].rpartition(" ")[0] + " …"
            self.space()
            self.paragraph(Text(span, style="dim"), lead="  ")
            self.paragraph(Text(cut, style="dim"), lead="    ")

    # ---- sources -----------------------------------------------------------------------------

    def sources(self, sources: Sequence[SourceSummary]) -> None:
        """Write what is indexed, a row a source."""
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        whole = all(len(source.name) <= self.width // 2 for source in sources)
        table.add_column("source", overflow="fold", style="cyan", no_wrap=whole)
        table.add_column("title", overflow="fold")
        table.add_column("date", no_wrap=True)
        table.add_column("characters", justify="right", no_wrap=True)
        table.add_column("passages", justify="right", no_wrap=True)
        for source in sources:
            table.add_row(
                one_line(source.name),
                one_line(source.title or ""),
                source.published or "",
                f"{source.characters:,}",
                f"{source.passages:,}",
            )
        if sources:
            self.table(table)
            self.space()
        self.note(f"{counted(len(sources), 'source')}, {counted(sum(s.passages for s in sources), 'passage')}")

    def text(self, text: str) -> None:
        """Write a source's whole text, line for line."""
        self.terminal.file.write(printable(text) + ("" if text.endswith("\n") else "\n"))

    def span(self, source: Source, start: int, end: int) -> None:
        """Write a span of a source, marked, with the two lines before and after it that are not blank."""
        line = source.text.count("\n", 0, start) + 1
        citation = Citation(0, source.name, source.title, source.published, source.page_at(start), start, end, line, "")
        self.paragraph(Text(place(citation), style="cyan"))
        self.space()
        first, last = surroundings(source.text, start, end)
        text = Text(printable(source.text[first:last]))
        text.stylize("bold underline", start - first, end - first)
        number = source.text.count("\n", 0, first) + 1
        lines = text.split("\n", allow_blank=True)
        digits = len(str(number + len(lines) - 1))
        touched = range(line, source.text.count("\n", 0, end - 1) + 2)
        for at, content in enumerate(lines, number):
            self.paragraph(content, lead=f"{'>' if at in touched else ' '} {at:{digits}}  ")

    # ---- what a command did ------------------------------------------------------------------

    def report(self, report: IndexReport) -> None:
        """Write what an indexing run did, and every file that it skipped with the reason."""
        if report.skipped:
            self.paragraph(f"Skipped {counted(len(report.skipped), 'file')}:")
            for skipped in report.skipped:
                self.paragraph(f"{one_line(skipped.path)}: {one_line(skipped.reason)}", lead="  ", indent=4)
            self.space()
        counts = (
            (len(report.added), "added"),
            (len(report.changed), "changed"),
            (len(report.unchanged), "unchanged"),
            (len(report.removed), "removed"),
        )
        did = ", ".join(f"{count:,} {what}" for count, what in counts if count) or "no source"
        written = f"{counted(report.passages, 'passage')} written, {report.embedded:,} of them newly embedded"
        self.paragraph(f"Indexed: {did}; {written}; {report.seconds:.1f} s.")

    def checks(self, checks: Sequence[Check]) -> None:
        """Write what the doctor looked at, with the command that mends what is wrong."""
        width = max((len(check.name) for check in checks), default=0)
        for check in checks:
            lead = Text.assemble(("✓", "green") if check.ok else ("✗", "bold red"), f" {check.name.ljust(width)}  ")
            self._check(lead, check)
        self.space()
        wrong = sum(not check.ok for check in checks)
        self.paragraph("All is well." if not wrong else f"{counted(wrong, 'thing')} to mend.")

    def _check(self, lead: Text, check: Check) -> None:
        depth = min(len(lead), self.width // 2)
        lines = Text(printable(check.detail)).wrap(self.terminal, self.width - depth, overflow="fold")
        for number, line in enumerate(lines):
            line.rstrip()
            self.terminal.print(Text.assemble(lead if number == 0 else " " * depth, line), soft_wrap=True)
        if not check.ok and check.mend:
            self.paragraph(Text(printable(check.mend), style="bold"), lead=" " * depth + "→ ")


def place(citation: Citation) -> str:
    """Where a citation stands: title, source, line, page and date, as far as they are known."""
    page = f" (page {citation.page})" if citation.page else ""
    parts = (citation.title, citation.source, f"line {citation.line}{page}", citation.published)
    return one_line(", ".join(part for part in parts if part))


def answering_words(answer: Answer, citation: Citation) -> list[str]:
    """The words of a citation's quote that answer: the values it is cited for, else the short answer."""
    values = [position.value for position in answer.positions if citation.number in position.citations]
    return [word for word in dict.fromkeys([*values, answer.short or ""]) if word and word in citation.quote]


def surroundings(text: str, start: int, end: int, around: int = 2) -> tuple[int, int]:
    """The span widened to whole lines, and by `around` more on each side that are not blank.

    A line of unusual length is cut, 600 characters from the span.
    """
    lines = [match.span() for match in re.finditer(r"[^\n]*\S[^\n]*", text)]
    before = [line for line in lines if line[1] <= start][-around:]
    touched = [line for line in lines if line[0] < end and line[1] > start]
    after = [line for line in lines if line[0] >= end][:around]
    shown = [*before, (start, end), *touched, *after]
    first, last = min(line[0] for line in shown), max(line[1] for line in shown)
    return max(first, start - _CONTEXT_LENGTH), min(last, end + _CONTEXT_LENGTH)


def _adds_something(answer: Answer) -> bool:
    """Whether the short answer says on its own what the text does not already begin with."""
    return bool(answer.short) and not answer.text.casefold().startswith((answer.short or "").casefold().rstrip("."))


def _numbers(answer: Answer, position: Position, source: str) -> list[int]:
    """The citations of a source for a position."""
    return [c.number for c in answer.citations if c.source == source and c.number in position.citations]
