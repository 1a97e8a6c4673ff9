"""`whosays eval check`: every fault of a gold file with its line, what it holds, and what looks odd in it."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from eval.cases import KINDS, SPLITS, Case, Reading, read_cases
from rag.errors import IndexMissing
from rag.settings import load_settings
from rag.values import holds, normal
from rag.wiring import open_store

EXIT_FAULTS = 2
JUDGED_WORDS = ("yes", "no")
"""What an answer says of its evidence, and no evidence says itself."""


@dataclass(frozen=True, slots=True)
class Warned:
    """What is allowed in a gold file and still looks like a slip; line 0 is the file as a whole."""

    line: int
    message: str


def check(
    gold: Annotated[Path, typer.Argument(metavar="GOLD", help="Gold questions, JSON Lines.")],
    index: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="The index that holds the sources and quotes.", show_default=".whosays"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")] = False,
) -> None:
    """Check a gold file: list all faults with their lines, count the cases, warn of what looks odd.

    Sources and quotes are held against the index; without one they are taken on trust, and that is said. The exit code
    is 0 where there is no fault, warnings or not, else 2.
    """
    source_text = _source_text(index)
    reading = read_cases(gold, source_text)
    warnings = list(warnings_of(reading.cases))
    if as_json:
        typer.echo(json.dumps(_record(gold, reading, warnings, source_text is not None), ensure_ascii=False, indent=2))
    else:
        _print(gold, reading, warnings, source_text is not None)
    if reading.faults:
        raise typer.Exit(EXIT_FAULTS)


def warnings_of(cases: Sequence[Case]) -> Iterator[Warned]:
    """What looks like a slip: questions asked twice, gold strings that no quote holds, kinds without a case."""
    asked: dict[tuple[str, ...], Case] = {}
    for case in cases:
        turns = [text for turn in case.history for text in (turn.question, turn.answer)]
        key = tuple(normal(text) for text in (*turns, case.question))
        if first := asked.get(key):
            yield Warned(case.line, f"{case.id} asks what {first.id} in line {first.line} asks: {case.question}")
        asked.setdefault(key, case)
        yield from _unquoted(case)
    for kind in KINDS:
        if all(case.kind != kind for case in cases):
            yield Warned(0, f"No case is of the kind {kind}.")


def _unquoted(case: Case) -> Iterator[Warned]:
    """The groups of `any_of` of which no string stands in any quote, where there are quotes."""
    for group in case.any_of if case.evidence else ():
        judged = any(normal(string) in JUDGED_WORDS for string in group)
        if not judged and not any(holds(item.quote, string) for item in case.evidence for string in group):
            yield Warned(case.line, f"{case.id} wants {' | '.join(group)}, which stands in none of its quotes.")


def _source_text(index: str | None) -> Callable[[str], str] | None:
    """What gives the text of an indexed source; None where no index was named and there is none."""
    try:
        store = open_store(load_settings(os.environ, flags={"index": index}))
    except IndexMissing:
        if index:
            raise
        return None
    return lambda name: store.source(name).text


def _counts(cases: Sequence[Case]) -> dict[str, dict[str, int]]:
    """How many cases of each kind and split there are, of the kinds that occur."""
    counted = Counter((case.kind, case.split) for case in cases)
    kinds = [kind for kind in KINDS if any(counted[kind, split] for split in SPLITS)]
    return {kind: {split: counted[kind, split] for split in SPLITS} for kind in kinds}


def _record(gold: Path, reading: Reading, warnings: Sequence[Warned], against_index: bool) -> dict[str, Any]:
    return {
        "gold": gold.name,
        "sound": not reading.faults,
        "against_index": against_index,
        "cases": len(reading.cases),
        "kinds": _counts(reading.cases),
        "faults": [asdict(fault) for fault in reading.faults],
        "warnings": [asdict(warning) for warning in warnings],
    }


def _print(gold: Path, reading: Reading, warnings: Sequence[Warned], against_index: bool) -> None:
    console = Console(highlight=False, markup=False, soft_wrap=True)
    for fault in reading.faults:
        console.print(f"{fault.message} {fault.hint}", style="red")
    for warning in warnings:
        place = f"Line {warning.line}: " if warning.line else ""
        console.print(f"Warning: {place}{warning.message}", style="yellow")
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("kind")
    for column in (*SPLITS, "all"):
        table.add_column(column, justify="right")
    counts = _counts(reading.cases)
    for kind, splits in counts.items():
        table.add_row(kind, *(str(splits[split]) for split in SPLITS), str(sum(splits.values())))
    sums = [sum(splits[split] for splits in counts.values()) for split in SPLITS]
    table.add_row("all", *map(str, sums), str(sum(sums)), style="bold")
    console.print(table)
    if not against_index:
        console.print("There is no index: sources and quotes were not checked. First: whosays index PATH")
    faults, cases = len(reading.faults), len(reading.cases)
    said = f"{faults} fault{'s' * (faults != 1)}" if faults else "no fault"
    console.print(f"{gold}: {cases} sound case{'s' * (cases != 1)}, {said}.")
