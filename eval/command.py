"""`whosays eval`: measuring, and beside it `draft` and `check`; `service/cli.py` mounts it by name."""

from __future__ import annotations

import importlib
import json
import os
import shlex
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from eval.cases import KINDS, SPLITS, Case, load_cases
from eval.compare import Comparison, check_comparable, compare
from eval.files import Unfinished, read_run
from eval.gate import Gate, read_gate, reasons
from eval.html import check_html, write_html
from eval.provenance import Origin, digest, machine, versions
from eval.report import WIDTH, print_comparison, print_gate, print_report, print_wrong
from eval.run import RISK, Result, Run, run
from eval.trace import ask_traced
from rag.errors import BadInput
from rag.settings import Settings, load_settings
from rag.wiring import open_answerer, open_store

EXIT_SHUT = 1
EXIT_INTERRUPTED = 130
RUNS = Path(".runs")
BESIDE = {"draft": ("eval.draft_command", "draft"), "check": ("eval.check_command", "check")}
"""The commands beside measuring, by name: the module and the function, imported when they are called."""


def command_named(arguments: list[str]) -> tuple[Callable[..., None], list[str], str]:
    """What a command line calls: the function, the arguments that are left, and its name ("" where it measures).

    `draft PATH` and `check GOLD` are commands; a gold file of such a name is called `./draft`.
    """
    name = arguments[0] if arguments else ""
    if name not in BESIDE:
        return evaluate, arguments, ""
    module, function = BESIDE[name]
    return getattr(importlib.import_module(module), function), arguments[1:], name


def evaluate(
    gold: Annotated[Path | None, typer.Argument(metavar="GOLD", hidden=True)] = None,
    index: Annotated[
        str | None, typer.Option(metavar="DIR", help="The index's folder.", show_default=".whosays")
    ] = None,
    split: Annotated[str, typer.Option(metavar="tune|test|all", help="Which cases to ask.")] = "all",
    kind: Annotated[
        list[str] | None, typer.Option(metavar="KIND", help="Only this kind; may be repeated.", show_default="all")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where the run goes, else .runs/GOLD-TIME.json.", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the run as JSON; write it only with --out.")] = False,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the report as a page.")] = None,
    wrong: Annotated[bool, typer.Option("--wrong", help="List the wrong answers.")] = False,
    worst: Annotated[int, typer.Option(metavar="N", min=0, help="List the N surest of them.", show_default=False)] = 0,
    against: Annotated[Path | None, typer.Option(metavar="RUN", help="Compare with an earlier run.")] = None,
    gate: Annotated[Path | None, typer.Option(metavar="TOML", help="Exit with 1 where the run does not pass.")] = None,
    risk: Annotated[float, typer.Option(metavar="SHARE", help="Wrong answers a threshold may give.")] = RISK,
    workers: Annotated[int, typer.Option(metavar="N", min=1, max=64, help="Questions at a time.")] = 1,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run that was interrupted.")] = False,
    suite: Annotated[
        str | None, typer.Option(metavar="NAME", help="A public benchmark: --data DIR --limit N --seed N.")
    ] = None,
    data: Annotated[Path | None, typer.Option(metavar="PATH", hidden=True)] = None,
    limit: Annotated[int | None, typer.Option(metavar="N", min=1, hidden=True)] = None,
    seed: Annotated[int, typer.Option(metavar="N", hidden=True)] = 0,
) -> None:
    """Measure the answers against the gold questions in GOLD, JSON Lines.

    whosays eval draft PATH proposes questions, whosays eval check GOLD finds slips.
    """
    if suite is not None:
        _measure_suite(suite, data, limit, seed, out, as_json)
        return
    if gold is None:
        raise BadInput("There is no gold file.", hint="Name one, or make one: whosays eval draft PATH")
    settings = load_settings(os.environ, flags={"index": index})
    if not 0 <= risk <= 1:
        raise BadInput(f"--risk is {risk:g}.", hint="Use a share from 0 to 1, such as 0.1.")
    wanted = _Wanted(gold, settings, split, tuple(kind or ()), risk, workers, quiet=as_json)
    if html:
        check_html(html)
    bars = _Bars(gate, against)
    out = _place(out, gold, wanted.created, resume, as_json)
    finished, record, source_text = _measured(wanted, out, resume, bars)
    if html:
        write_html(record, source_text, html)
    listed = finished.worst(worst) if worst else finished.wrong if wrong else ()
    _tell(finished, listed, record, bars, as_json, [path for path in (html, out) if path])


def _measured(
    wanted: _Wanted, out: Path | None, resume: bool, bars: _Bars
) -> tuple[Run, dict[str, Any], Callable[[str], str]]:
    """The run, its record as it stands in its file, and what gives a source's text."""
    store = open_store(wanted.settings)
    source_text = cache(lambda name: store.source(name).text)
    cases = _chosen(load_cases(wanted.gold, source_text), wanted.split, wanted.kinds)
    origin = wanted.origin(store.generation)
    bars.check(origin)
    unfinished = Unfinished(out, origin) if out else None
    finished = _asked(wanted, cases, source_text, unfinished, resume)
    record = finished.to_json(origin)
    if unfinished:
        unfinished.finish(record)
    return finished, record, source_text


def _tell(
    finished: Run, listed: tuple[Result, ...], record: dict[str, Any], bars: _Bars, as_json: bool, written: list[Path]
) -> None:
    """Print the run, and leave with its exit code."""
    comparison = bars.compared(record)
    shut = reasons(bars.gate, finished.summary, finished.kinds, comparison) if bars.gate else []
    if as_json:
        record = record | ({"comparison": comparison.to_json()} if comparison else {})
        record |= {"gate": {"open": not shut, "reasons": shut}} if bars.gate else {}
        typer.echo(json.dumps(record, ensure_ascii=False, indent=2))
    else:
        _print(finished, listed, comparison, shut if bars.gate else None, written)
    if finished.failures:
        raise typer.Exit(max(failure.exit_code for failure in finished.failures))
    if shut:
        raise typer.Exit(EXIT_SHUT)


@dataclass(frozen=True)
class _Wanted:
    """What is to be measured, and how."""

    gold: Path
    settings: Settings
    split: str
    kinds: tuple[str, ...]
    risk: float
    workers: int
    quiet: bool
    created: datetime = field(default_factory=lambda: datetime.now(UTC))

    def origin(self, generation: str) -> Origin:
        """Where the run comes from."""
        return Origin(
            created=f"{self.created:%Y-%m-%dT%H:%M:%SZ}",
            gold=self.gold.name,
            gold_digest=digest(self.gold),
            chosen={"split": self.split, "kinds": sorted(set(self.kinds))},
            settings=self.settings.to_json(),
            generation=generation,
            model=self.settings.model,
            versions=versions(),
            machine=machine(),
        )


class _Bars:
    """The gate and the earlier run that this one is held against, both read before the first question is asked."""

    def __init__(self, gate: Path | None, against: Path | None) -> None:
        self.gate: Gate | None = read_gate(gate) if gate else None
        self._path = against or (self.gate.baseline if self.gate else None)
        self._then: Mapping[str, Any] | None = read_run(self._path) if self._path else None
        if self.gate and self.gate.losses and not self._then:
            raise BadInput(
                f"{gate} allows losses, but against what?", hint='Give --against RUN, or set baseline = "run.json".'
            )

    def check(self, origin: Origin) -> None:
        """Raise BadInput where the earlier run cannot be compared."""
        if self._then and self._path:
            check_comparable(origin.to_json(), self._then, self._path.name)

    def compared(self, record: Mapping[str, Any]) -> Comparison | None:
        """The run held against the earlier one, if there is one."""
        return compare(record, self._then, self._path.name) if self._then and self._path else None


def _measure_suite(name: str, data: Path | None, limit: int | None, seed: int, out: Path | None, as_json: bool) -> None:
    if data is None:
        raise BadInput(f"The suite {name!r} needs its data.", hint="Name the folder: --data PATH")
    from eval.suites.command import run_suite

    run_suite(name, data, limit, seed, out, as_json)


def _place(out: Path | None, gold: Path, created: datetime, resume: bool, as_json: bool) -> Path | None:
    """Where the run goes: with `resume` to where the latest one of this gold file that broke off would have gone."""
    if out or (as_json and not resume):
        return out
    if not resume:
        return RUNS / f"{gold.stem}-{created:%Y%m%dT%H%M%SZ}.json"
    broken_off = sorted(RUNS.glob(f"{gold.stem}-*.json.part"))
    if not broken_off:
        raise BadInput(f"No run of {gold.name} in {RUNS} broke off.", hint="Name the run that did with --out FILE.")
    return broken_off[-1].with_suffix("")


def _asked(
    wanted: _Wanted,
    cases: tuple[Case, ...],
    source_text: Callable[[str], str],
    unfinished: Unfinished | None,
    resume: bool,
) -> Run:
    """The run over the cases, with a progress bar where a person looks on; what is done is kept if it breaks off."""
    done = unfinished.resume(cases) if unfinished and resume else {}
    if unfinished:
        unfinished.begin(done)
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    progress = Progress(*columns, console=console, transient=True, disable=wanted.quiet or not console.is_terminal)
    task = progress.add_task("Asking", total=len(cases), completed=len(done))

    def advance(result: Result) -> None:
        if unfinished:
            unfinished.add(result)
        progress.advance(task)

    try:
        with closing(open_answerer(wanted.settings)) as answerer, progress:
            return run(
                cases,
                ask_traced(answerer),
                source_text,
                advance,
                verify=answerer.verifier.verify,
                done=done,
                workers=wanted.workers,
                risk=wanted.risk,
            )
    except KeyboardInterrupt:
        if unfinished is None:
            raise
        unfinished.close()
        _tell_how_to_go_on(wanted, unfinished, len(cases))
        raise typer.Exit(EXIT_INTERRUPTED) from None
    finally:
        if unfinished:
            unfinished.close()


def _tell_how_to_go_on(wanted: _Wanted, unfinished: Unfinished, of: int) -> None:
    words = ["whosays", "eval", str(wanted.gold), "--index", wanted.settings.index, "--split", wanted.split]
    words += [word for kind in wanted.kinds for word in ("--kind", kind)]
    words += ["--out", str(unfinished.out), "--resume"]
    typer.echo(f"\nStopped after {unfinished.kept} of {of}. To go on:\n{shlex.join(words)}", err=True)


def _chosen(cases: tuple[Case, ...], split: str, kinds: tuple[str, ...]) -> tuple[Case, ...]:
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


def _print(
    finished: Run,
    listed: tuple[Result, ...],
    comparison: Comparison | None,
    shut: list[str] | None,
    written: list[Path],
) -> None:
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console = Console(highlight=False, markup=False, width=WIDTH)
    print_report(console, finished)
    print_wrong(console, listed)
    if comparison:
        print_comparison(console, comparison)
    if shut is not None:
        print_gate(console, shut)
    typer.echo("")
    for path in written:
        typer.echo(f"The {'report' if path.suffix in ('.html', '.htm') else 'run'} is in {path}")
