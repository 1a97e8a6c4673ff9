"""Two runs over the same gold: what changed, case by case, and whether chance would change as much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from eval.intervals import paired_interval, permutation_p
from eval.measures import MEASURES, Measure
from eval.metrics import Score
from rag.errors import BadInput


@dataclass(frozen=True, slots=True)
class Change:
    """One measure in two runs over the same cases.

    `difference` is now less then, with its paired 95 % interval; `p` is that of the paired permutation test; `loss` is
    how much worse it is now, 0 where it is better or as good.
    """

    name: str
    then: float
    now: float
    difference: float
    low: float
    high: float
    n: int
    p: float

    @property
    def beyond_chance(self) -> bool:
        """Whether the interval of the difference excludes zero."""
        return self.low > 0 or self.high < 0

    @property
    def loss(self) -> float:
        """How much worse it is now, whatever is better for this measure."""
        worse = -self.difference if MEASURES[self.name].higher_is_better else self.difference
        return max(0.0, worse)


@dataclass(frozen=True, slots=True)
class Turned:
    """A case that became right or wrong, with the answer of each run."""

    case: str
    kind: str
    question: str
    then: str
    now: str
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A run held against an earlier one: `left_out` are cases that failed in one of them, and count in nothing."""

    against: str
    changes: tuple[Change, ...]
    became_right: tuple[Turned, ...]
    became_wrong: tuple[Turned, ...]
    left_out: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The comparison as plain dictionaries and lists."""
        record = asdict(self)
        for change, made in zip(record["changes"], self.changes, strict=True):
            change |= {"beyond_chance": made.beyond_chance, "loss": made.loss}
        return record


def check_comparable(now: Mapping[str, Any], then: Mapping[str, Any], name: str) -> None:
    """Raise BadInput where an earlier run was over other gold, or over other cases of it; `name` is its file's."""
    if now["gold_digest"] != then.get("gold_digest"):
        raise BadInput(
            f"{name} was made with another gold file, or an earlier state of it: {then.get('gold')}.",
            hint=f"Make it again with {now['gold']} as it is now.",
        )
    if now["chosen"] != then.get("chosen"):
        raise BadInput(
            f"{name} asked the cases of {_told(then.get('chosen') or {})}, this run those of {_told(now['chosen'])}.",
            hint="Use the same --split and --kind for both.",
        )


def compare(now: Mapping[str, Any], then: Mapping[str, Any], name: str) -> Comparison:
    """Hold a run against an earlier one, both as the records of their files; raises BadInput where they differ in gold.

    Of the cases "a" right, "b" wrong then and both right now, "b" became right, and `correct` went from 1/2 to 1.
    """
    check_comparable(now, then, name)
    rows_then = {row["case"]["id"]: row for row in then["cases"]}
    pairs = [(row, rows_then[row["case"]["id"]]) for row in now["cases"] if row["case"]["id"] in rows_then]
    judged = [(new, old) for new, old in pairs if new["score"] and old["score"]]
    scores_now = [Score.from_json(new["score"]) for new, _ in judged]
    scores_then = [Score.from_json(old["score"]) for _, old in judged]
    changes = [_change(measure, scores_now, scores_then) for measure in MEASURES.values()]
    turned = [(old, new) for new, old in judged if new["score"]["correct"] != old["score"]["correct"]]
    return Comparison(
        against=name,
        changes=tuple(change for change in changes if change),
        became_right=tuple(_turned(old, new, old) for old, new in turned if new["score"]["correct"]),
        became_wrong=tuple(_turned(old, new, new) for old, new in turned if old["score"]["correct"]),
        left_out=tuple(new["case"]["id"] for new, old in pairs if not (new["score"] and old["score"])),
    )


def _change(measure: Measure, now: Sequence[Score], then: Sequence[Score]) -> Change | None:
    """A measure in both runs, over the cases that it judges in one of them; None where it judges none in one run."""
    if not any(map(measure.judges, now)) or not any(map(measure.judges, then)):
        return None
    if measure.summed:
        both = [(new, old) for new, old in zip(now, then, strict=True) if measure.judges(new) or measure.judges(old)]
    else:
        # A figure that is no sum has no place for a case that it does not judge.
        both = [(new, old) for new, old in zip(now, then, strict=True) if measure.judges(new) and measure.judges(old)]
    if not both:
        return None
    n = len(both)
    statistic = measure.of([new for new, _ in both] + [old for _, old in both])
    difference = paired_interval(statistic, n)
    value_now, value_then = float(statistic(np.arange(n))), float(statistic(np.arange(n, 2 * n)))
    return Change(
        measure.name, value_then, value_now, difference.value, difference.low, difference.high, n,
        permutation_p(statistic, n),
    )  # fmt: skip


def _turned(old: Mapping[str, Any], new: Mapping[str, Any], wrong: Mapping[str, Any]) -> Turned:
    return Turned(
        new["case"]["id"],
        new["case"]["kind"],
        new["case"]["question"],
        old["answer"]["text"],
        new["answer"]["text"],
        tuple(wrong["score"]["faults"]),
    )


def _told(chosen: Mapping[str, Any]) -> str:
    kinds = " and ".join(chosen.get("kinds") or ["any kind"])
    return f"split {chosen.get('split', 'all')!r}, {kinds}"
