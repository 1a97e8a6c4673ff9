"""The figures over many cases: each measure by name, summed or computed over the cases that it judges."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from eval.calibration import calibration_error, risk_area
from eval.intervals import Interval, Statistic, Values, cases_interval, mean_interval, ratio_interval
from eval.metrics import NOTHING, Failed, Score, Share
from eval.retrieval import CUT, DEPTHS

Cases = np.typing.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure over cases: which cases it judges, and how it is computed of any choice of them.

    `of` is given the scores that it judges, and gives a function from their numbers to the figure.
    """

    name: str
    title: str
    judges: Callable[[Score], bool]
    of: Callable[[Sequence[Score]], Statistic]
    higher_is_better: bool = True
    summed: bool = True


@dataclass(frozen=True, slots=True)
class Rate:
    """A figure with its 95 % interval; `part` and `whole` where it is a share, `n` the cases that it judges."""

    value: float
    low: float
    high: float
    n: int
    part: float | None = None
    whole: int | None = None

    def to_json(self) -> dict[str, Any]:
        """The figure under `rate`, the ends of its interval, and its counts."""
        record = asdict(self)
        return {"rate": record.pop("value"), **record}


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures over the cases that were answered; those that failed are counted in `failed` and in nothing else.

    A measure that judges none of the cases is missing from `rates`. `timings_ms` holds the median and the 95th
    percentile of each stage.
    """

    n: int
    failed: int
    rates: Mapping[str, Rate]
    timings_ms: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def rate(self, name: str) -> float | None:
        """A figure, or None where nothing is judged."""
        return self.rates[name].value if name in self.rates else None

    def to_json(self) -> dict[str, Any]:
        """Every measure by name, null where nothing is judged; what changes from run to run is under `timings_ms`."""
        rates = {name: self.rates[name].to_json() if name in self.rates else None for name in MEASURES}
        return {"n": self.n, "failed": self.failed, **rates, "timings_ms": dict(self.timings_ms)}


def summarise(verdicts: Iterable[Score | Failed]) -> Summary:
    """The figures over cases."""
    verdicts = list(verdicts)
    scores = [verdict for verdict in verdicts if isinstance(verdict, Score)]
    rates = {measure.name: rate for measure in MEASURES.values() if (rate := _rate(measure, scores))}
    return Summary(len(scores), len(verdicts) - len(scores), rates, _timings(scores))


def percentile(values: Sequence[float], percent: int) -> float | None:
    """The least value that `percent` % of the values do not exceed (nearest rank, no interpolation); None of nothing.

    Of 10, 20, 30 and 40 the 50th is 20 and the 95th is 40: always a value that was measured.
    """
    if not values:
        return None
    rank = max(1, -(-percent * len(values) // 100))
    return sorted(values)[rank - 1]


def _timings(scores: Sequence[Score]) -> dict[str, dict[str, float]]:
    """The 50th and 95th percentile of each stage's milliseconds, in the order of the stages."""
    found = {}
    for stage in dict.fromkeys(stage for score in scores for stage in score.timings_ms):
        values = [score.timings_ms[stage] for score in scores if stage in score.timings_ms]
        found[stage] = {f"p{percent}": percentile(values, percent) or 0.0 for percent in (50, 95)}
    return found


def _rate(measure: Measure, scores: Sequence[Score]) -> Rate | None:
    judged = [score for score in scores if measure.judges(score)]
    if not judged:
        return None
    if measure.summed:
        shares = [score.shares[measure.name] for score in judged]
        interval = _share_interval(shares)
        return _with_interval(interval, sum(share.part for share in shares), sum(share.whole for share in shares))
    return _with_interval(cases_interval(measure.of(judged), len(judged)))


def _share_interval(shares: Sequence[Share]) -> Interval:
    parts, wholes = [share.part for share in shares], [float(share.whole) for share in shares]
    return mean_interval(parts) if set(wholes) == {1.0} else ratio_interval(parts, wholes)


def _with_interval(interval: Interval, part: float | None = None, whole: int | None = None) -> Rate:
    return Rate(interval.value, interval.low, interval.high, interval.n, part, whole)


# ---- the measures --------------------------------------------------------------------------------


def _share(name: str, title: str, *, higher_is_better: bool = True) -> Measure:
    """A share that is summed over cases."""

    def of(scores: Sequence[Score]) -> Statistic:
        return _ratio(*_columns(scores, name))

    return Measure(name, title, lambda score: name in score.shares, of, higher_is_better)


def _columns(scores: Sequence[Score], name: str) -> tuple[Values, Values]:
    """The parts and the wholes of a share; nothing of nothing where it does not judge a case."""
    shares = [score.shares.get(name, NOTHING) for score in scores]
    return np.array([s.part for s in shares], dtype=np.float64), np.array([s.whole for s in shares], dtype=np.float64)


def _ratio(parts: Values, wholes: Values) -> Statistic:
    """The sum of the parts over that of the wholes; over nothing, as of all cases together."""
    point = parts.sum() / wholes.sum()

    def ratio(cases: Cases) -> Values:
        below = wholes[cases].sum(axis=-1)
        given = np.full(below.shape, point)
        np.divide(parts[cases].sum(axis=-1), below, out=given, where=below != 0)
        return given

    return ratio


def _position_f1(scores: Sequence[Score]) -> Statistic:
    """The harmonic mean of position precision and recall; 0 where nothing was given or nothing found.

    1 of 2 given is right, 1 of 1 wanted is found: 2 * 0.5 * 1 / 1.5 = 0.667.
    """
    right, given = _columns(scores, "position_precision")
    found, wanted = _columns(scores, "position_recall")

    def quotient(above: Values, below: Values) -> Values:
        return np.divide(above, below, out=np.zeros(below.shape), where=below != 0)

    def f1(cases: Cases) -> Values:
        precision = quotient(right[cases].sum(axis=-1), given[cases].sum(axis=-1))
        recall = quotient(found[cases].sum(axis=-1), wanted[cases].sum(axis=-1))
        return quotient(2 * precision * recall, precision + recall)

    return f1


def _is_answered(score: Score) -> bool:
    return not score.refused


_ALL = (
    _share("correct", "correct"),
    _share("answerable_correct", "of the answerable, correct"),
    _share("exact_match", "short answer, exact match"),
    _share("token_f1", "short answer, F1 of words"),
    _share("refusal_precision", "refusals that are right"),
    _share("refusal_recall", "unanswerable, refused"),
    _share("answerable_refused", "answerable, refused", higher_is_better=False),
    _share("span_exactness", "citations whose span is exact"),
    _share("evidence_recall", "gold sources that are cited"),
    _share("citation_precision", "citations that hold gold evidence"),
    _share("alce_recall", "claims their citations bear (ALCE recall)"),
    _share("alce_precision", "citations that help (ALCE precision)"),
    _share("position_precision", "positions that are right"),
    _share("position_recall", "positions that are found"),
    Measure(
        "position_f1", "positions, F1", lambda score: "position_recall" in score.shares, _position_f1, summed=False
    ),
    _share("silent_picks", "disputes, one value picked", higher_is_better=False),
    *(_share(f"recall@{k}", f"gold spans in the first {k}") for k in DEPTHS),
    *(_share(f"hits@{k}", f"any gold span in the first {k}") for k in DEPTHS),
    _share(f"mrr@{CUT}", f"reciprocal rank at {CUT}"),
    _share(f"ndcg@{CUT}", f"nDCG at {CUT}"),
    Measure("aurc", "risk over coverage, area", _is_answered, risk_area, higher_is_better=False, summed=False),
    Measure("ece", "calibration error", _is_answered, calibration_error, higher_is_better=False, summed=False),
)

MEASURES: Mapping[str, Measure] = {measure.name: measure for measure in _ALL}
"""Every measure by its name, in the order of the report."""
