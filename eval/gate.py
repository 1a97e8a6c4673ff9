"""The gate: floors that figures must not fall below, ceilings, and the losses that are allowed against another run."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.cases import KINDS
from eval.compare import Comparison
from eval.measures import MEASURES, Summary
from rag.errors import BadInput

TABLES = ("floors", "ceilings", "losses", "kinds")


@dataclass(frozen=True, slots=True)
class Gate:
    """What a run must reach; `kinds` are floors and ceilings of single kinds; `baseline` is what losses are against."""

    floors: Mapping[str, float]
    ceilings: Mapping[str, float]
    losses: Mapping[str, float]
    kinds: Mapping[str, Gate]
    baseline: Path | None = None


def read_gate(path: Path) -> Gate:
    """The gate of a TOML file; raises BadInput for anything in it that is not known.

    `baseline = "run.json"` is sought beside the gate's file. Tables: `[floors]`, `[ceilings]` and `[losses]`, each of
    measures and numbers from 0 to 1, and `[kinds.KIND.floors]`, `[kinds.KIND.ceilings]`.
    """
    try:
        record = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} cannot be read: {error}.", hint="Name a gate in TOML with --gate.") from error
    baseline = record.pop("baseline", None)
    _check_names(path, "", record, TABLES)
    kinds = record.pop("kinds", {})
    _check_names(path, "kinds.", kinds, KINDS)
    for kind, tables in kinds.items():
        _check_names(path, f"kinds.{kind}.", tables, ("floors", "ceilings"))
    if baseline is not None and not isinstance(baseline, str):
        raise BadInput(f"{path} sets baseline to {baseline!r}.", hint="Name a run file, relative to the gate.")
    of_kinds = {kind: _gate(path, f"kinds.{kind}.", tables) for kind, tables in kinds.items()}
    gate = _gate(path, "", record)
    return Gate(gate.floors, gate.ceilings, gate.losses, of_kinds, path.parent / baseline if baseline else None)


def reasons(gate: Gate, summary: Summary, kinds: Mapping[str, Summary], comparison: Comparison | None) -> list[str]:
    """Why a run does not pass, a sentence each; none where it passes.

    A floor is held against the figure itself. A loss counts only where it is greater than allowed and the interval of
    the paired difference excludes zero. A figure that is set and that this run does not give fails.
    """
    found = _out_of_bounds(gate, summary, "")
    for kind, bounds in gate.kinds.items():
        if kind in kinds:
            found += _out_of_bounds(bounds, kinds[kind], f"{kind}: ")
        else:
            found.append(f"{kind}: the run has no case of this kind.")
    changes = {change.name: change for change in comparison.changes} if comparison else {}
    for name, allowed in gate.losses.items() if comparison else ():
        if name not in changes:
            found.append(f"{name} cannot be compared: one of the runs does not give it.")
        elif (change := changes[name]).loss > allowed and change.beyond_chance:
            found.append(
                f"{name} went from {change.then:.3f} to {change.now:.3f}: a loss of {change.loss:.3f} "
                f"[{change.low:+.3f}, {change.high:+.3f}], allowed {allowed:.3f}."
            )
    return found


def _out_of_bounds(gate: Gate, summary: Summary, place: str) -> list[str]:
    found = []
    for name, bound in [*gate.floors.items(), *gate.ceilings.items()]:
        value, is_floor = summary.rate(name), name in gate.floors
        if value is None:
            found.append(f"{place}{name} is not measured by this run.")
        elif value < bound if is_floor else value > bound:
            side = "below its floor" if is_floor else "above its ceiling"
            found.append(f"{place}{name} is {value:.3f}, {side} of {bound:.3f}.")
    return found


def _gate(path: Path, place: str, tables: Mapping[str, Any]) -> Gate:
    for table, bounds in tables.items():
        _check_names(path, f"{place}{table}.", bounds, tuple(MEASURES))
        for name, bound in bounds.items():
            if isinstance(bound, bool) or not isinstance(bound, (int, float)) or not 0 <= bound <= 1:
                raise BadInput(f"{path} sets {place}{table}.{name} to {bound!r}.", hint="Set a number from 0 to 1.")
            better = MEASURES[name].higher_is_better
            if (table, better) in (("floors", False), ("ceilings", True)):
                other = "ceilings" if table == "floors" else "floors"
                raise BadInput(
                    f"{path} sets {place}{table}.{name}, but {'more' if better else 'less'} of it is better.",
                    hint=f"Set it under [{place}{other}].",
                )
    return Gate(tables.get("floors", {}), tables.get("ceilings", {}), tables.get("losses", {}), {})


def _check_names(path: Path, place: str, table: Any, known: tuple[str, ...]) -> None:
    if not isinstance(table, dict):
        raise BadInput(f"{path} sets {place.rstrip('.')} to {table!r}.", hint="It is a table.")
    for name in table:
        if name not in known:
            raise BadInput(f"{path} names {place}{name}, which does not exist.", hint=f"Known are: {', '.join(known)}.")
