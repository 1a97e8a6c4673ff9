"""How far confidence can be believed: reliability bins, the curve of risk over coverage, and a threshold for a risk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eval.intervals import Statistic, Values
from eval.metrics import Score

BINS = 10
"""Bins of equal width over confidences from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Bin:
    """The answers whose confidence lies from `low` up to `high`: how sure they were, and how many were right."""

    low: float
    high: float
    answers: int
    confidence: float
    correct: float


@dataclass(frozen=True, slots=True)
class Point:
    """Of all cases, the share that is answered with this confidence or more, and the share of those that is wrong."""

    confidence: float
    coverage: float
    risk: float


@dataclass(frozen=True, slots=True)
class Suggestion:
    """The least `answer.threshold` at which the answers that are left are wrong no oftener than `risk`.

    `threshold` is None where no threshold does it; `coverage` is the share of all cases that is then answered.
    """

    risk: float
    threshold: float | None
    coverage: float
    reached: float | None


def answered(scores: Sequence[Score]) -> list[Score]:
    """The cases that were not refused."""
    return [score for score in scores if not score.refused]


def reliability(scores: Sequence[Score]) -> list[Bin]:
    """The reliability diagram of the answers that are no refusals, without the bins that are empty.

    Guo, Pleiss, Sun and Weinberger 2017, "On Calibration of Modern Neural Networks", section 2. Answers of confidence
    .92 (right) and .98 (wrong) make the bin .9 to 1: confidence .95, correct .5.
    """
    told = answered(scores)
    bins = []
    for place in range(BINS):
        inside = [score for score in told if _bin(score) == place]
        if inside:
            confidence = sum(score.confidence for score in inside) / len(inside)
            correct = sum(score.correct for score in inside) / len(inside)
            bins.append(Bin(place / BINS, (place + 1) / BINS, len(inside), confidence, correct))
    return bins


def calibration_error(scores: Sequence[Score]) -> Statistic:
    """ECE: the distance of confidence and correctness, averaged over bins by their answers (Guo et al. 2017).

    The bin of the example in `reliability` is .45 off; with a second bin of two answers that is exact ECE is .225.
    """
    off = np.zeros((len(scores), BINS))
    for row, score in enumerate(scores):
        off[row, _bin(score)] = score.confidence - score.correct

    def error(cases: np.typing.NDArray[np.intp]) -> Values:
        # One bin at a time, or a resample of many cases would hold ten times as many numbers.
        sums = [np.abs(off[cases, place].sum(axis=-1)) for place in range(BINS)]
        found: Values = np.sum(sums, axis=0) / cases.shape[-1]
        return found

    return error


def risk_coverage(scores: Sequence[Score]) -> list[Point]:
    """Risk over coverage, surest answers first, a point for each confidence that occurs (El-Yaniv and Wiener 2010).

    Refused cases are never covered. Of four cases, answers of .9 (right), .8 (wrong), .8 (right) and a refusal:
    coverage .25 at risk 0, then .75 at risk 1/3.
    """
    told = answered(scores)
    points = []
    for confidence in sorted({score.confidence for score in told}, reverse=True):
        covered = [score for score in told if score.confidence >= confidence]
        wrong = sum(not score.correct for score in covered)
        points.append(Point(confidence, len(covered) / len(scores), wrong / len(covered)))
    return points


def risk_area(scores: Sequence[Score]) -> Statistic:
    """AURC: the mean risk over the answers, each at the coverage that its confidence reaches; less is better.

    Geifman, Uziel and El-Yaniv 2019, "Bias-Reduced Uncertainty Estimation for Deep Neural Classifiers". Equal
    confidences are covered together, so that no order among them counts. The example in `risk_coverage` has risks
    0, 1/3 and 1/3, so 2/9.
    """
    levels = sorted({score.confidence for score in scores}, reverse=True)
    order = np.array([levels.index(score.confidence) for score in scores])
    wrong = np.array([not score.correct for score in scores], dtype=np.float64)

    def area(cases: np.typing.NDArray[np.intp]) -> Values:
        n = cases.shape[-1]
        ranked = np.take_along_axis(cases, np.argsort(order[cases], axis=-1, kind="stable"), axis=-1)
        risks = np.cumsum(wrong[ranked], axis=-1) / np.arange(1, n + 1)
        level = order[ranked]
        last = np.concatenate([level[..., 1:] != level[..., :-1], np.ones((*level.shape[:-1], 1), bool)], axis=-1)
        ends = np.where(last, np.arange(n), n)
        ends = np.minimum.accumulate(ends[..., ::-1], axis=-1)[..., ::-1]
        found: Values = np.take_along_axis(risks, ends, axis=-1).mean(axis=-1)
        return found

    return area


def suggest(scores: Sequence[Score], risk: float) -> Suggestion:
    """The threshold for a risk that is chosen, on these cases; choose it on other cases than it is reported on.

    It can only be raised: what is refused already has no answer to judge. Best sentences of .2 (wrong), .5 (right)
    and .9 (right), risk 0: threshold .5, which two of three cases reach.
    """
    told = [(score.best, score.correct) for score in answered(scores) if score.best is not None]
    for threshold in sorted({best for best, _ in told}):
        kept = [correct for best, correct in told if best >= threshold]
        wrong = kept.count(False) / len(kept)
        if wrong <= risk:
            return Suggestion(risk, threshold, len(kept) / len(scores), wrong)
    return Suggestion(risk, None, 0.0, None)


def _bin(score: Score) -> int:
    return min(int(score.confidence * BINS), BINS - 1)
