"""Figures with their uncertainty: percentile bootstrap over cases (Efron and Tibshirani 1993, chapter 13), seeded.

10,000 resamples and the 2.5th and 97.5th percentile. Cases that are all alike, or a single case, give the point
itself. Nothing here is ever NaN: a figure over no cases is a ValueError.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 10_000
LEVEL = 0.95
SEED = 20_030_515
CELLS = 1_000_000  # values that are resampled at a time: 8 MB, however many cases there are

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure, the ends of its 95 % interval, and the number of cases behind it."""

    value: float
    low: float
    high: float
    n: int


def mean_interval(values: Sequence[float]) -> Interval:
    """The mean over cases; 1, 0, 1, 1 gives 0.75."""
    cases = _cases(values)
    if np.all(cases == cases[0]):
        return _point(float(cases[0]), cases.size)
    return _bootstrapped((cases,), lambda sample, axis: sample.mean(axis=axis), n=cases.size)


def ratio_interval(parts: Sequence[float], wholes: Sequence[float]) -> Interval:
    """The sum of the parts over the sum of the wholes, a micro-average; a case keeps its part and its whole together.

    Parts 1, 2 of wholes 2, 2 give 0.75. A resample whose wholes add to 0 counts as the point itself.
    """
    part, whole = _cases(parts), _cases(wholes)
    if part.size != whole.size or whole.sum() == 0:
        raise ValueError("A ratio needs a part for each whole, and a whole that is not 0.")
    point = float(part.sum() / whole.sum())
    if np.all(part == point * whole):
        return _point(point, part.size)

    def ratio(some_parts: Values, some_wholes: Values, axis: int) -> Values:
        below = some_wholes.sum(axis=axis)
        given = np.full(below.shape, point)
        np.divide(some_parts.sum(axis=axis), below, out=given, where=below != 0)
        return given

    return _bootstrapped((part, whole), ratio, n=part.size, paired=True)


def auroc(positives: Sequence[float], negatives: Sequence[float]) -> float:
    """The probability that a positive scores above a negative, a tie counting half (Hanley and McNeil 1982).

    Positives 3, 1 and negatives 2, 1: above are 3>2 and 3>1, 1=1 is half, so 2.5 of 4, 0.625.
    """
    return float(_rank_statistic(_cases(positives), _cases(negatives), axis=-1))


def auroc_interval(positives: Sequence[float], negatives: Sequence[float]) -> Interval:
    """The area under the ROC curve; positives and negatives are resampled apart, so that no resample lacks either."""
    good, bad = _cases(positives), _cases(negatives)
    n = good.size + bad.size
    if np.all(good == good[0]) and np.all(bad == bad[0]):
        return _point(auroc(positives, negatives), n)
    return _bootstrapped((good, bad), _rank_statistic, n=n)


Statistic = Callable[[NDArray[np.intp]], Values]
"""A figure of the cases with these numbers, which run along the last axis; never NaN."""


def cases_interval(statistic: Statistic, n: int) -> Interval:
    """Any figure of `n` cases, which are resampled whole."""
    return _bootstrapped((np.arange(n),), lambda cases, axis: statistic(np.moveaxis(cases, axis, -1)), n=n)


def paired_interval(statistic: Statistic, n: int) -> Interval:
    """The difference of a figure between two runs over the same `n` cases: cases 0 to n - 1 less cases n to 2n - 1.

    A case keeps both its answers in every resample, so that what is hard for both runs does not widen the interval.
    """
    return cases_interval(lambda cases: statistic(cases) - statistic(cases + n), n)


def permutation_p(statistic: Statistic, n: int) -> float:
    """How probable a difference at least as great would be, were it chance which run gave which answer; two-sided.

    The paired permutation test (Fisher 1935): in each of 10,000 resamples each case's two answers change places or do
    not; all the ways are tried where they are fewer. Cases are numbered as in `paired_interval`.
    """
    from scipy.stats import permutation_test

    if n == 1:
        return 1.0  # both ways to lay out one pair differ by as much; scipy wants two
    result = permutation_test(
        (np.arange(n), np.arange(n, 2 * n)),
        lambda now, then, axis: statistic(np.moveaxis(now, axis, -1)) - statistic(np.moveaxis(then, axis, -1)),
        permutation_type="samples",
        vectorized=True,
        n_resamples=RESAMPLES,
        batch=max(1, CELLS // n),
        axis=-1,
        rng=np.random.default_rng(SEED),
    )
    return float(result.pvalue)


def _rank_statistic(positives: Values, negatives: Values, axis: int) -> Values:
    """Mann and Whitney's U over the number of pairs."""
    from scipy.stats import rankdata

    above, below = positives.shape[axis], negatives.shape[axis]
    ranks = rankdata(np.concatenate([positives, negatives], axis=axis), axis=axis)
    of_positives = np.take(ranks, np.arange(above), axis=axis).sum(axis=axis)
    area: Values = (of_positives - above * (above + 1) / 2) / (above * below)
    return area


def _bootstrapped(
    samples: tuple[NDArray[Any], ...], statistic: Callable[..., Values], *, n: int, paired: bool = False
) -> Interval:
    from scipy.stats import bootstrap

    # scipy wants two cases of each kind; a case that stands twice gives what it gave once.
    doubled = tuple(np.repeat(sample, 2) if sample.size == 1 else sample for sample in samples)
    result = bootstrap(
        doubled,
        statistic,
        n_resamples=RESAMPLES,
        batch=max(1, CELLS // n),
        vectorized=True,
        paired=paired,
        axis=-1,
        confidence_level=LEVEL,
        method="percentile",
        rng=np.random.default_rng(SEED),
    )
    low, high = result.confidence_interval
    return Interval(float(statistic(*samples, axis=-1)), float(low), float(high), n)


def _point(value: float, n: int) -> Interval:
    return Interval(value, value, value, n)


def _cases(values: Sequence[float]) -> Values:
    cases = np.asarray(values, dtype=np.float64)
    if cases.size == 0:
        raise ValueError("There are no cases to measure.")
    if np.isnan(cases).any():
        raise ValueError("A case has no number.")
    return cases
