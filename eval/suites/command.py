"""Public benchmarks: `whosays eval --suite NAME`, and for several at a time `python -m eval.suites NAME...`.

`python -m eval.suites table FILE` prints the rows of BENCHMARKS.md.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shlex
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from eval.suites import (
    beir,
    bipia,
    claims,
    clapnq,
    mtrag,
    multihop,
    neighbours,
    news,
    nq,
    ramdocs,
    rewriting,
    squad,
    wice,
)
from eval.suites.bench import Bench, Engines
from eval.suites.figures import Figure, Measured, check_results, markdown_rows, merge_results, read_results
from eval.suites.published import BESIDE, UNKNOWN, Beside
from rag.errors import BadInput, WhosaysError
from rag.settings import load_settings
from rag.wiring import open_answerer, open_reader, open_retriever

SUITES: Mapping[str, Callable[[Bench], list[Figure]]] = {
    "squad": squad.measure,
    "neighbours": neighbours.measure,
    "nq": nq.measure,
    "hotpotqa": multihop.measure_hotpotqa,
    "musique": multihop.measure_musique,
    "clapnq": clapnq.measure,
    "fool-me-twice": claims.measure_fool_me_twice,
    "contradictions": claims.measure_contradictions,
    "rewriting": rewriting.measure,
    "mtrag": mtrag.measure,
    "wice": wice.measure,
    "bipia": bipia.measure,
    "multihop-rag": news.measure,
    "ramdocs": ramdocs.measure,
    "beir": beir.measure,
}
"""The suites by name, in the order in which they run and stand in the table."""

OTHER_NAMES = {"nq-oracle": "nq"}
SEPARATE = ("multihop-rag", "ramdocs", "beir")
"""What `all` leaves out: their data are got and kept apart from those of the others."""

REAL = Engines(open_reader, open_reader, open_retriever, open_answerer)

WIDTH = 110


def main(arguments: Sequence[str], engines: Engines) -> int:
    """Run a command line and give its exit code: 0, or that of the error, whose one message goes to stderr."""
    try:
        if arguments[:1] == ["table"]:
            _print_rows(_table_parser().parse_args(arguments[1:]).file)
        else:
            _measure(_parser().parse_args(arguments), engines)
    except WhosaysError as error:
        sys.stderr.write(f"{error.message}\n{error.hint}\n" if error.hint else f"{error.message}\n")
        return error.exit_code
    except SystemExit as done:  # how argparse ends, after its own message
        return int(done.code or 0)
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted.\n")
        return 130
    return 0


def run_suite(
    name: str, data: Path, limit: int | None, seed: int, out: Path | None, as_json: bool, engines: Engines = REAL
) -> None:
    """Measure one suite and print its figures, the published ones beside them, and where the protocols differ.

    `data` is the folder of the suite's files, or that of all suites; `limit` questions are drawn by `seed`. With `out`
    the figures are merged into a file, with `as_json` they are printed as JSON alone. Raises WhosaysError.
    """
    suite = OTHER_NAMES.get(name, name)
    if suite not in SUITES:
        raise BadInput(f"There is no suite {name!r}.", hint=f"There are: {', '.join((*SUITES, *OTHER_NAMES))}.")
    if not data.is_dir():
        raise BadInput(f"There is no folder {data}.", hint="--data takes the folder of the suite's files.")
    if out:
        check_results(out)
    words = ["whosays", "eval", "--suite", name, "--data", "DIR"]
    words += ["--limit", str(limit), "--seed", str(seed)] if limit else []
    bars = _Bars(quiet=as_json)
    with _working_folder(None) as work, bars.shown():
        settings = load_settings(os.environ)
        bench = Bench(data, work, settings, engines, limit, report=bars.report, seed=seed)
        measured = Measured(suite, shlex.join(words), tuple(SUITES[suite](bench)))
    if out:
        merge_results(out, measured)
    beside = _comparable(measured)
    if as_json:
        record = asdict(measured) | {"settings": settings.to_json(), **asdict(beside)}
        sys.stdout.write(json.dumps(record, ensure_ascii=False, indent=2) + "\n")
        return
    console = _console()
    _print_figures(console, measured, targets=False)
    _print_beside(console, beside)


def _comparable(measured: Measured) -> Beside:
    """The published figures of what was measured."""
    beside = BESIDE.get(measured.suite, UNKNOWN)
    names = {figure.name for figure in measured.figures}
    return Beside(tuple(row for row in beside.rows if row.figure in names), beside.differs)


def _measure(options: argparse.Namespace, engines: Engines) -> None:
    names = _named(options.names, has_claims=options.claims is not None)
    if not options.data.is_dir():
        raise BadInput(f"There is no folder {options.data}.", hint="--data takes the folder of the benchmarks' files.")
    if options.out:
        check_results(options.out)
    console = _console()
    bars = _Bars()
    with _working_folder(options.index_cache) as work:
        settings = load_settings(os.environ)
        bench = Bench(options.data, work, settings, engines, options.limit, options.claims, bars.report)
        for name in names:
            with bars.shown():
                measured = Measured(name, _command(name, options), tuple(SUITES[name](bench)))
            _print_figures(console, measured)
            if options.out:
                merge_results(options.out, measured)  # after each suite, so that a run cut short keeps what it has


def _named(names: Sequence[str], *, has_claims: bool) -> list[str]:
    """The suites to run, in the table's order; `all` leaves out what has no files here, and says so."""
    if "all" not in names:
        return [name for name in SUITES if name in names]
    if not has_claims:
        sys.stderr.write("Left out: contradictions, which needs --claims FILE.jsonl.\n")
    sys.stderr.write(f"Left out: {', '.join(SEPARATE)}, whose data lie apart; name them.\n")
    return [name for name in SUITES if name not in SEPARATE and (has_claims or name != "contradictions")]


def _command(name: str, options: argparse.Namespace) -> str:
    """The command that repeats a suite's figures, without the folders of this machine."""
    words = ["python", "-m", "eval.suites", name, "--data", "DIR"]
    words += ["--limit", str(options.limit)] if options.limit else []
    words += ["--claims", options.claims.name] if name == "contradictions" and options.claims else []
    return shlex.join(words)


@contextlib.contextmanager
def _working_folder(kept: Path | None) -> Iterator[Path]:
    """The folder of the indexes: the one that is kept, or one that is gone afterwards."""
    if kept is None:
        with tempfile.TemporaryDirectory(prefix="whosays-suites-") as folder:
            yield Path(folder)
        return
    try:
        kept.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"{kept} cannot be made: {error.strerror}.", hint="Name another --index-cache.") from error
    yield kept


class _Bars:
    """A bar for each thing that a suite does, with the time left, where a person looks on."""

    def __init__(self, quiet: bool = False) -> None:
        console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal)
        self._tasks: dict[str, TaskID] = {}

    @contextlib.contextmanager
    def shown(self) -> Iterator[None]:
        """Show the bars of one suite; they are gone before its figures are printed, which rich would send to stderr."""
        with self._progress:
            yield
        for task in self._tasks.values():
            self._progress.remove_task(task)
        self._tasks.clear()

    def report(self, what: str, done: int, of: int) -> None:
        """Move the bar of what is being done."""
        if what not in self._tasks:
            self._tasks[what] = self._progress.add_task(what)
        self._progress.update(self._tasks[what], completed=done, total=of)


def _console() -> Console:
    """Standard output, of a width of its own where it is no terminal."""
    console = Console(highlight=False, markup=False)
    return console if console.is_terminal else Console(highlight=False, markup=False, width=WIDTH)


def _print_figures(console: Console, measured: Measured, *, targets: bool = True) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold", show_header=True)
    table.add_column(measured.suite)
    for column in ("measured, 95 %", "n", *(["target"] if targets else [])):
        table.add_column(column, justify="right", no_wrap=True)
    for figure in measured.figures:
        table.add_row(figure.name, figure.measured, f"{figure.n:,}", *([figure.aim] if targets else []))
    console.print(table)
    console.print()


def _print_beside(console: Console, beside: Beside) -> None:
    if beside.rows:
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
        for column in ("published", "by", "value", "source"):
            table.add_column(column, justify="right" if column == "value" else "left", overflow="fold")
        for row in beside.rows:
            table.add_row(row.figure, row.system, f"{row.value:.3f}", row.source)
        console.print(table)
    else:
        console.print("Published figures to compare with: none known.")
    if beside.differs:
        console.print(f"\nWhere the protocol differs: {beside.differs}")


def _print_rows(path: Path) -> None:
    results = read_results(path)
    ordered = [results[name] for name in SUITES if name in results]
    sys.stdout.write("| figure | target | measured, 95 % interval | n | command |\n|---|---|---|---|---|\n")
    sys.stdout.writelines(f"{row}\n" for row in markdown_rows(ordered))
    beside = [(measured.suite, _comparable(measured)) for measured in ordered]
    published = [row for _, found in beside for row in found.rows]
    if published:
        sys.stdout.write("\n| published | by | value | source |\n|---|---|---|---|\n")
        sys.stdout.writelines(f"| {r.figure} | {r.system} | {r.value:.3f} | {r.source} |\n" for r in published)
    sys.stdout.write("\nWhere the protocols differ:\n\n")
    sys.stdout.writelines(f"- {suite}: {found.differs}\n" for suite, found in beside if found.differs)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m eval.suites",
        description="Measure on public benchmarks.",
        epilog="The rows of BENCHMARKS.md: python -m eval.suites table FILE.json",
    )
    parser.add_argument(
        "names", nargs="+", metavar="NAME", choices=(*SUITES, "all"), help=f"{', '.join(SUITES)} or all"
    )
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="the folder of the benchmarks' files")
    parser.add_argument(
        "--limit", type=_one_or_more, metavar="N", help="at most N questions of each suite, evenly spaced"
    )
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="merge the figures into this file")
    parser.add_argument("--index-cache", type=Path, metavar="DIR", help="keep the indexes here for the next run")
    parser.add_argument("--claims", type=Path, metavar="FILE.jsonl", help="made contradictions, for contradictions")
    return parser


def _table_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m eval.suites table", description="Print the rows of BENCHMARKS.md.")
    parser.add_argument("file", type=Path, metavar="FILE.json", help="figures that --out wrote")
    return parser


def _one_or_more(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number, 1 or more")
    return int(text)
