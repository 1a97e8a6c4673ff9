"""A run on the terminal: a row per kind, then what went wrong; 100 columns, plain where there is no terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from eval.metrics import Score, Share, Summary
from eval.run import Result, Run

WIDTH = 100
"""The columns of a report that goes to a file or a pipe."""

_COLUMNS = (
    "n",
    "correct",
    "refusal\nprec.",
    "refusal\nrecall",
    "answerable\nrefused",
    "spans\nexact",
    "evidence\nrecall",
    "citation\nprec.",
    "position\nF1",
    "p50\nms",
    "p95\nms",
)


def print_report(console: Console, run: Run) -> None:
    """Print the table of kinds, the figures that belong beside it, and every case that failed."""
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("%", no_wrap=True)
    for column in _COLUMNS:
        table.add_column(column, justify="right", no_wrap=True)
    for kind, summary in run.kinds.items():
        table.add_row(kind, *_cells(summary))
    table.add_row("all", *_cells(run.summary), style="bold")
    console.print(table)
    summary = run.summary
    console.print()
    console.print(f"Of the answerable, correct: {_counted(summary.answerable_correct)}")
    console.print(f"Of the disputed, one value picked silently: {_counted(summary.silent_picks)}")
    if run.failures:
        console.print(f"Failed, and counted in no figure: {len(run.failures)}")
    for failure in run.failures:
        console.print(Text(f"  {failure.case}  {one_line(failure.error, 300)}", style="red"))


def print_wrong(console: Console, results: Iterable[Result]) -> None:
    """Print each wrong case: its id and kind, the question, what was answered, and what is wrong with it."""
    for result in results:
        if not isinstance(result.verdict, Score) or result.answer is None:
            continue
        console.print()
        console.print(Text.assemble((result.case.id, "bold"), f"  {result.case.kind}  line {result.case.line}"))
        lines = Table.grid(padding=(0, 1))
        lines.add_row("  asked", Text(one_line(result.case.question, 200)))
        lines.add_row("  answered", Text(one_line(result.answer.text, 300)))
        for fault in result.verdict.faults:
            lines.add_row("  wrong", Text(one_line(fault, 200), style="red"))
        console.print(lines)


def one_line(text: str, length: int) -> str:
    """The text on one line, cut at `length` characters, without what a terminal would obey."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return line if len(line) <= length else line[: length - 1] + "…"


def _cells(summary: Summary) -> list[str]:
    return [
        f"{summary.n}",
        _percent(summary.correct.rate),
        _percent(summary.refusal_precision.rate),
        _percent(summary.refusal_recall.rate),
        _percent(summary.answerable_refused.rate),
        _percent(summary.span_exactness.rate),
        _percent(summary.evidence_recall.rate),
        _percent(summary.citation_precision.rate),
        _percent(summary.position_f1),
        _milliseconds(summary.p50_ms),
        _milliseconds(summary.p95_ms),
    ]


def _percent(rate: float | None) -> str:
    return "–" if rate is None else f"{100 * rate:.1f}"


def _milliseconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f}"


def _counted(share: Share) -> str:
    return f"{share.part} of {share.whole} ({_percent(share.rate)} %)" if share.whole else "–"
