"""`whosays eval`: the command that `service/cli.py` mounts by name."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from eval.cases import KINDS, SPLITS, Case, load_cases
from eval.report import WIDTH, print_report, print_wrong
from eval.run import Origin, Result, Run, run
from rag.errors import BadInput
from rag.settings import Settings, load_settings
from rag.wiring import open_answerer, open_store


def evaluate(
    gold: Annotated[Path, typer.Argument(metavar="GOLD", help="Gold questions, JSON Lines.")],
    index: Annotated[
        str | None, typer.Option(metavar="DIR", help="The index's folder.", show_default=".whosays")
    ] = None,
    split: Annotated[str, typer.Option(metavar="tune|test|all", help="Which cases to ask.")] = "all",
    kind: Annotated[
        list[str] | None, typer.Option(metavar="KIND", help="Only this kind; may be repeated.", show_default="all")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where the run goes.", show_default=".runs/GOLD-TIME.json")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the run as JSON; write it only with --out.")] = False,
    wrong: Annotated[bool, typer.Option("--wrong", help="List the wrong answers.")] = False,
    worst: Annotated[
        int, typer.Option(metavar="N", min=0, help="List the N wrong answers that were surest.", show_default=False)
    ] = 0,
) -> None:
    """Measure the answers against gold questions, per kind, with the index as it is.

    Prints percentages and milliseconds and writes the run, with every answer, as JSON.
    The exit code is 0 however many answers are wrong; if a case fails, it is that of the failure.
    """
    settings = load_settings(os.environ, flags={"index": index})
    created = datetime.now(UTC)
    if out is None and not as_json:
        out = Path(".runs") / f"{gold.stem}-{created:%Y%m%dT%H%M%SZ}.json"
    store = open_store(settings)
    source_text = cache(lambda name: store.source(name).text)
    cases = _chosen(load_cases(gold, source_text), split, kind or [])
    if out:
        _make_room(out)
    finished = _asked(cases, settings, source_text, quiet=as_json)
    time = f"{created:%Y-%m-%dT%H:%M:%SZ}"
    origin = Origin(time, gold.name, settings.to_json(), store.generation, settings.model)
    record = finished.to_json(origin)
    if as_json:
        typer.echo(json.dumps(record, ensure_ascii=False, indent=2))
    else:
        _print(finished, finished.worst(worst) if worst else finished.wrong if wrong else ())
    if out:
        _write(out, record)
        if not as_json:
            typer.echo(f"\nThe run is in {out}")
    if finished.failures:
        raise typer.Exit(max(failure.exit_code for failure in finished.failures))


def _asked(cases: tuple[Case, ...], settings: Settings, source_text: Callable[[str], str], quiet: bool) -> Run:
    """The run over the cases, with a progress bar where a person looks on."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    disable = quiet or not console.is_terminal
    with (
        closing(open_answerer(settings)) as answerer,
        Progress(*columns, console=console, transient=True, disable=disable) as progress,
    ):
        task = progress.add_task("Asking", total=len(cases))
        return run(cases, answerer.ask, source_text, lambda _: progress.advance(task))


def _chosen(cases: tuple[Case, ...], split: str, kinds: list[str]) -> tuple[Case, ...]:
    """The cases of the split and kinds asked for, in the order of the file."""
    splits = (*SPLITS, "all")
    if split not in splits:
        raise BadInput(f"--split is {split!r}.", hint=f"Use one of: {', '.join(splits)}.")
    for kind in kinds:
        if kind not in KINDS:
            raise BadInput(f"--kind is {kind!r}.", hint=f"Use one of: {', '.join(KINDS)}.")
    chosen = tuple(case for case in cases if split in (case.split, "all") and (not kinds or case.kind in kinds))
    if not chosen:
        raise BadInput(
            f"No case has split {split!r} and kind {' or '.join(kinds) or 'any'}.",
            hint="Choose another --split or --kind.",
        )
    return chosen


def _print(finished: Run, wrong: tuple[Result, ...]) -> None:
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console = Console(highlight=False, markup=False, width=WIDTH)
    print_report(console, finished)
    print_wrong(console, wrong)


def _make_room(out: Path) -> None:
    """Make the run file's folder before the first question, so that no finished run is lost for want of it."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(out, error) from error
    if out.is_dir():
        raise BadInput(f"{out} is a folder.", hint="Name a file with --out.")


def _write(out: Path, record: dict[str, Any]) -> None:
    """Write the run file whole or not at all."""
    draft = out.with_name(out.name + ".part")
    try:
        draft.write_text(json.dumps(record, ensure_ascii=False, indent=2) + "\n", "utf-8")
        draft.replace(out)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise _unwritable(out, error) from error


def _unwritable(out: Path, error: OSError) -> BadInput:
    return BadInput(f"{out} cannot be written: {error.strerror}.", hint="Name another file with --out.")
