"""A run on the terminal: the figures, a row per kind, then what changed or went wrong; 100 columns, plain in a pipe."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from eval.calibration import Suggestion, suggest
from eval.compare import Comparison, Turned
from eval.measures import MEASURES, Rate, Summary
from eval.metrics import Score
from eval.retrieval import HINT, available
from eval.run import Result, Run

WIDTH = 100
"""The columns of a report that goes to a file or a pipe."""

_BY_KIND = ("correct", "answerable_refused", "evidence_recall", "citation_precision")
_HEADS = ("correct", "answerable, refused", "sources cited", "citations on gold")


def print_report(console: Console, run: Run) -> None:
    """Print the figures with their intervals, those of each kind, the latency, and every case that failed."""
    summary = run.summary
    console.print(_figures(summary))
    console.print()
    console.print(_kinds(run))
    console.print()
    console.print(_latency(summary))
    console.print()
    if not available():
        console.print(HINT)
    console.print(_suggested(suggest(run.scores, run.risk)))
    if run.failures:
        console.print(f"Failed, and counted in no figure: {len(run.failures)}")
    for failure in run.failures:
        console.print(Text(f"  {failure.case}  {one_line(failure.error, 300)}", style="red"))


def print_comparison(console: Console, comparison: Comparison) -> None:
    """Print each measure then and now, and every case that became right or wrong with both answers."""
    table = _table(f"%, against {one_line(comparison.against, 30)}", "then", "now", "difference", "95 %", "n", "p")
    for change in comparison.changes:
        table.add_row(
            MEASURES[change.name].title,
            _percent(change.then),
            _percent(change.now),
            f"{100 * change.difference:+.1f}",
            f"[{100 * change.low:+.1f}, {100 * change.high:+.1f}]",
            f"{change.n}",
            f"{change.p:.3f}",
            style="bold" if change.beyond_chance else None,
        )
    console.print()
    console.print(table)
    _print_turned(console, "Became right", comparison.became_right)
    _print_turned(console, "Became wrong", comparison.became_wrong)
    if comparison.left_out:
        console.print(f"\nFailed in one of the runs, and compared in nothing: {', '.join(comparison.left_out)}")


def print_gate(console: Console, reasons: Sequence[str]) -> None:
    """Print why the gate is shut, or that it is open."""
    console.print()
    console.print(Text("The gate is shut:", style="bold red") if reasons else "The gate is open.")
    for reason in reasons:
        console.print(Text(f"  {one_line(reason, 300)}", style="red"))


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


def _print_turned(console: Console, title: str, cases: Sequence[Turned]) -> None:
    if not cases:
        return
    console.print(Text(f"\n{title}: {len(cases)}", style="bold"))
    for turned in cases:
        console.print(Text(f"  {turned.case}  {turned.kind}"))
        lines = Table.grid(padding=(0, 1))
        lines.add_row("    asked", Text(one_line(turned.question, 200)))
        lines.add_row("    then", Text(one_line(turned.then, 300)))
        lines.add_row("    now", Text(one_line(turned.now, 300)))
        for fault in turned.faults:
            lines.add_row("    wrong", Text(one_line(fault, 200), style="red"))
        console.print(lines)


def _figures(summary: Summary) -> Table:
    table = _table(f"%, of {summary.n}", "", "95 % interval", "counted", "cases")
    for name, rate in summary.rates.items():
        lower = "" if MEASURES[name].higher_is_better else " (less is better)"
        table.add_row(
            f"{MEASURES[name].title}{lower}", _percent(rate.value), _interval(rate), _counted(rate), f"{rate.n}"
        )
    return table


def _kinds(run: Run) -> Table:
    table = _table("%", "n", *_HEADS)
    for kind, summary in (*run.kinds.items(), ("all", run.summary)):
        cells = [_cell(summary.rates.get(name)) for name in _BY_KIND]
        table.add_row(kind, f"{summary.n}", *cells, style="bold" if kind == "all" else None)
    return table


def _latency(summary: Summary) -> Table:
    table = _table("ms", *summary.timings_ms)
    for place, title in (("p50", "half within"), ("p95", "95 % within")):
        table.add_row(title, *(f"{of_stage[place]:.0f}" for of_stage in summary.timings_ms.values()))
    return table


def _table(head: str, *columns: str) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    table.add_column(head, no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _cell(rate: Rate | None) -> str:
    """The figure and its interval, as short as can be, for there are four in a row."""
    return "–" if rate is None else f"{_percent(rate.value)} {_interval(rate)}".replace("100.0", "100")


def _interval(rate: Rate) -> str:
    return f"[{_percent(rate.low)}, {_percent(rate.high)}]"


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"


def _counted(rate: Rate) -> str:
    return "" if rate.part is None or rate.part % 1 else f"{rate.part:.0f} of {rate.whole}"


def _suggested(suggestion: Suggestion) -> str:
    wrong = f"{_percent(suggestion.risk)} % wrong answers"
    if suggestion.threshold is None or suggestion.reached is None:
        return f"No answer.threshold gives {wrong} or fewer here."
    return (
        f"At most {wrong} here: answer.threshold = {suggestion.threshold:.3f}, which answers "
        f"{_percent(suggestion.coverage)} %, {_percent(suggestion.reached)} % of them wrongly."
    )
