"""Figures with their intervals: worked examples, what must hold of any cases, and what must never be NaN."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval import intervals
from eval.intervals import (
    Interval,
    auroc,
    auroc_interval,
    mean_interval,
    paired_interval,
    permutation_p,
    ratio_interval,
)

few = st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=12)


@pytest.fixture
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Properties hold for any number of resamples; 200 are quick."""
    monkeypatch.setattr(intervals, "RESAMPLES", 200)


# ---- worked examples ---------------------------------------------------------------------------


def test_the_mean_of_half_right_answers_has_the_binomial_interval() -> None:
    interval = mean_interval([0.0, 1.0] * 50)
    # The 2.5th and 97.5th percentile of a binomial with n = 100 and p = 0.5 are 40 and 60.
    assert interval == Interval(0.5, pytest.approx(0.40, abs=0.011), pytest.approx(0.60, abs=0.011), 100)


def test_a_ratio_is_the_sum_of_parts_over_the_sum_of_wholes() -> None:
    interval = ratio_interval([1, 2, 0], [2, 2, 4])
    assert interval.value == 3 / 8
    assert 0 <= interval.low < 3 / 8 < interval.high <= 1


def test_auroc_counts_pairs_and_ties_by_half() -> None:
    assert auroc([3, 1], [2, 1]) == 2.5 / 4
    assert auroc([2, 3], [0, 1]) == 1
    assert auroc([0, 1], [2, 3]) == 0
    assert auroc([float("-inf"), 0], [float("-inf")]) == 0.75


def test_auroc_resamples_positives_and_negatives_apart() -> None:
    interval = auroc_interval([3, 1, 2], [2, 1])
    assert interval == Interval(4 / 6, pytest.approx(0.25, abs=0.1), 1.0, 5)


def test_intervals_are_the_same_each_time() -> None:
    values = [0.1, 0.9, 0.4, 0.3]
    assert mean_interval(values) == mean_interval(values)
    assert auroc_interval(values, [0.2, 0.5]) == auroc_interval(values, [0.2, 0.5])


def test_many_cases_are_resampled_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    values = [0.0, 0.25, 1.0] * 7
    whole = mean_interval(values)
    monkeypatch.setattr(intervals, "CELLS", 50)
    monkeypatch.setattr(intervals, "RESAMPLES", 500)
    parts = mean_interval(values)
    assert (parts.low, parts.high) == (pytest.approx(whole.low, abs=0.04), pytest.approx(whole.high, abs=0.04))


# ---- degenerate cases --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        pytest.param(lambda: mean_interval([0.1] * 7), Interval(0.1, 0.1, 0.1, 7), id="all cases alike"),
        pytest.param(lambda: mean_interval([0.3]), Interval(0.3, 0.3, 0.3, 1), id="one case"),
        pytest.param(lambda: ratio_interval([1, 2], [2, 4]), Interval(0.5, 0.5, 0.5, 2), id="one ratio in every case"),
        pytest.param(lambda: ratio_interval([0, 3], [0, 3]), Interval(1, 1, 1, 2), id="a case without a whole"),
        pytest.param(lambda: auroc_interval([1], [1]), Interval(0.5, 0.5, 0.5, 2), id="one pair that ties"),
        pytest.param(lambda: auroc_interval([2, 3], [0]), Interval(1, 1, 1, 3), id="one negative, told apart"),
    ],
)
def test_cases_without_spread_give_the_point(measure: Callable[[], Interval], expected: Interval) -> None:
    assert measure() == expected


@pytest.mark.parametrize(
    "measure",
    [
        pytest.param(lambda: mean_interval([]), id="a mean of nothing"),
        pytest.param(lambda: mean_interval([1.0, math.nan]), id="a case that is NaN"),
        pytest.param(lambda: ratio_interval([1], [1, 2]), id="parts without wholes"),
        pytest.param(lambda: ratio_interval([0, 0], [0, 0]), id="a ratio over nothing"),
        pytest.param(lambda: auroc([], [1]), id="no positives"),
        pytest.param(lambda: auroc_interval([1], []), id="no negatives"),
    ],
)
def test_nothing_to_measure_is_an_error(measure: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"case|whole"):
        measure()


# ---- laws --------------------------------------------------------------------------------------


@given(few, few)
def test_auroc_is_the_share_of_pairs(positives: list[float], negatives: list[float]) -> None:
    pairs = [float(p > n) + float(p == n) / 2 for p in positives for n in negatives]
    assert auroc(positives, negatives) == pytest.approx(sum(pairs) / len(pairs))
    assert auroc(positives, negatives) + auroc(negatives, positives) == pytest.approx(1)


@given(few, few)
def test_auroc_knows_only_the_order(positives: list[float], negatives: list[float]) -> None:
    def stretched(values: Sequence[float]) -> list[float]:
        return [math.exp(value) for value in values]

    assert auroc(stretched(positives), stretched(negatives)) == auroc(positives, negatives)


@pytest.mark.usefixtures("few_resamples")
@settings(max_examples=25)
@given(few)
def test_a_mean_lies_in_its_interval_and_that_among_the_cases(values: list[float]) -> None:
    interval = mean_interval(values)
    assert interval.value == pytest.approx(np.mean(values))
    assert min(values) <= interval.low <= interval.value + 1e-9
    assert interval.value - 1e-9 <= interval.high <= max(values)


@pytest.mark.usefixtures("few_resamples")
@settings(max_examples=25)
@given(few, few)
def test_an_area_stays_between_0_and_1(positives: list[float], negatives: list[float]) -> None:
    interval = auroc_interval(positives, negatives)
    assert interval.value == pytest.approx(auroc(positives, negatives))
    assert 0 <= interval.low <= interval.high <= 1


@pytest.mark.usefixtures("few_resamples")
@settings(max_examples=25)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)).map(lambda p: (min(p), max(p))), min_size=1, max_size=9)
)
def test_a_ratio_is_never_nan(pairs: list[tuple[int, int]]) -> None:
    parts, wholes = [float(part) for part, _ in pairs], [float(whole) for _, whole in pairs]
    if sum(wholes) == 0:
        return
    interval = ratio_interval(parts, wholes)
    assert 0 <= interval.low <= interval.high <= 1
    assert interval.value == sum(parts) / sum(wholes)


# ---- two runs over the same cases ----------------------------------------------------------------


def mean_of(values: Sequence[float]) -> intervals.Statistic:
    told = np.array(values)
    return lambda cases: told[cases].mean(axis=-1)


def test_a_difference_has_the_interval_of_the_pairs_and_not_that_of_the_runs() -> None:
    hard_and_easy = [0.0, 1.0] * 20
    better = [value + 0.1 for value in hard_and_easy]
    interval = paired_interval(mean_of([*better, *hard_and_easy]), 40)
    assert interval == Interval(*[pytest.approx(0.1)] * 3, 40)  # type: ignore[list-item]


def test_permutations_are_all_tried_where_they_are_few() -> None:
    # Of the 8 ways to swap three pairs, 2 give a difference as great as 1.
    assert permutation_p(mean_of([1, 1, 1, 0, 0, 0]), 3) == pytest.approx(2 / 8)
    assert permutation_p(mean_of([1, 0, 1, 1, 0, 1]), 3) == 1
    assert permutation_p(mean_of([1, 0]), 1) == 1


def test_chance_hardly_gives_ten_changes_that_all_point_one_way() -> None:
    now, then = [1.0] * 40, [0.0] * 10 + [1.0] * 30
    p = permutation_p(mean_of([*now, *then]), 40)
    assert p == pytest.approx(2 / 2**10, abs=0.002)
    assert p == permutation_p(mean_of([*now, *then]), 40)


@pytest.mark.usefixtures("few_resamples")
@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=9))
def test_a_run_held_against_another_is_the_other_way_round_the_other_way_round(pairs: list[tuple[int, int]]) -> None:
    now, then = [float(a) for a, _ in pairs], [float(b) for _, b in pairs]
    there, back = (paired_interval(mean_of(both), len(pairs)) for both in ([*now, *then], [*then, *now]))
    assert there.value == pytest.approx(-back.value)
    assert there.low - 1e-9 <= there.value <= there.high + 1e-9
    assert 0 < permutation_p(mean_of([*now, *then]), len(pairs)) <= 1
