"""What a suite gives: figures, their file, and their rows in BENCHMARKS.md."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from eval.intervals import Interval
from rag.errors import BadInput

FORMAT = 1
"""The version of the results' file."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure, its 95 % interval, the cases behind it, and what is aimed at (None where nothing is)."""

    name: str
    value: float
    low: float
    high: float
    n: int
    target: float | None = None
    higher_is_better: bool = True

    @classmethod
    def of(
        cls, name: str, interval: Interval, targets: Mapping[str, float] | None = None, *, higher_is_better: bool = True
    ) -> Figure:
        """The figure of an interval; its target stands under its name."""
        target = (targets or {}).get(name)
        return cls(name, interval.value, interval.low, interval.high, interval.n, target, higher_is_better)

    @property
    def measured(self) -> str:
        """Value and interval, such as `0.812 [0.799, 0.825]`."""
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"

    @property
    def aim(self) -> str:
        """What is aimed at, such as `≥ 0.785`; empty where nothing is."""
        return "" if self.target is None else f"{'≥' if self.higher_is_better else '≤'} {self.target:.3f}"


@dataclass(frozen=True, slots=True)
class Measured:
    """The figures of one suite and the command that gave them."""

    suite: str
    command: str
    figures: tuple[Figure, ...]


def read_results(path: Path) -> dict[str, Measured]:
    """The suites of a results' file by name; raises BadInput."""
    try:
        record = json.loads(path.read_text("utf-8"))
        if record["version"] != FORMAT:
            raise BadInput(f"{path} has the format {record['version']!r}, not {FORMAT}.", hint="Measure again.")
        return {name: _measured(name, suite) for name, suite in record["suites"].items()}
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}.", hint="Make it: --out FILE.json") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"{path} is no file of results.", hint="Make one: --out FILE.json") from error


def check_results(path: Path) -> None:
    """Raise BadInput, before anything is measured, where figures could not be merged into this file."""
    if path.exists():
        read_results(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(path.name + ".part")
        draft.touch()
        draft.unlink()
    except OSError as error:
        raise _unwritable(path, error) from error


def merge_results(path: Path, measured: Measured) -> None:
    """Put a suite's figures into a results' file, in the place of its earlier ones; whole or not at all."""
    suites = read_results(path) if path.exists() else {}
    suites[measured.suite] = measured
    record = {
        "version": FORMAT,
        "suites": {
            name: {"command": suite.command, "figures": [asdict(figure) for figure in suite.figures]}
            for name, suite in sorted(suites.items())
        },
    }
    draft = path.with_name(path.name + ".part")
    try:
        draft.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps(record, ensure_ascii=False, indent=2) + "\n", "utf-8")
        draft.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from error


def markdown_rows(results: Sequence[Measured]) -> list[str]:
    """The rows of BENCHMARKS.md: figure, target, measured with interval, cases, command."""
    return [
        f"| {figure.name} | {figure.aim} | {figure.measured} | {figure.n:,} | `{suite.command}` |"
        for suite in results
        for figure in suite.figures
    ]


def _unwritable(path: Path, error: OSError) -> BadInput:
    return BadInput(f"{path} cannot be written: {error.strerror}.", hint="Name another file with --out.")


def _measured(name: str, record: Mapping[str, Any]) -> Measured:
    return Measured(name, record["command"], tuple(Figure(**figure) for figure in record["figures"]))
