"""The figures over many cases: sums, intervals, what is judged and what is not, and the judges' worked examples."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval import intervals
from eval.calibration import (
    Bin,
    Point,
    Suggestion,
    calibration_error,
    reliability,
    risk_area,
    risk_coverage,
    suggest,
)
from eval.citations import BorneOut, borne_out
from eval.measures import MEASURES, Rate, percentile, summarise
from eval.metrics import Failed, Score, Share
from eval.retrieval import retrieval, span_ranks
from rag.records import Answer, Citation, Claim, Support


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tested here holds for any number of resamples; 200 are quick."""
    monkeypatch.setattr(intervals, "RESAMPLES", 200)


def scored(right: bool = True, confidence: float = 0.5, *, refused: bool = False, **shares: Share) -> Score:
    faults = () if right else ("wrong",)
    return Score("c", faults, refused, False, confidence, confidence, {"correct": Share(int(right), 1), **shares})


# ---- retrieval ---------------------------------------------------------------------------------


def test_a_span_has_the_rank_of_the_first_passage_that_overlaps_one_of_its_places() -> None:
    spans = [[("a", 0, 5), ("a", 20, 25)], [("b", 3, 6)], [("a", 30, 31)]]
    hits = [("b", 0, 3), ("a", 20, 30), ("b", 4, 9), ("a", 0, 9)]
    assert span_ranks(spans, hits) == [2, 3, None]


@pytest.mark.parametrize(
    ("ranks", "figures"),
    [
        pytest.param(
            [2, None],
            {"recall@1": 0, "recall@3": 0.5, "hits@1": 0, "hits@3": 1, "mrr@10": 0.5, "ndcg@10": 0.38685},
            id="one of two, at rank 2",
        ),
        pytest.param([1, 1], {"recall@1": 1, "hits@1": 1, "mrr@10": 1, "ndcg@10": 1}, id="both in the first passage"),
        pytest.param([1, 4], {"recall@3": 0.5, "recall@5": 1, "hits@3": 1, "mrr@10": 1}, id="the second later"),
        pytest.param([None], {"recall@10": 0, "hits@10": 0, "mrr@10": 0, "ndcg@10": 0}, id="not found"),
        pytest.param([11], {"recall@10": 0, "hits@10": 0, "mrr@10": 0, "ndcg@10": 0}, id="found below the cut"),
    ],
)
def test_retrieval_by_worked_examples(ranks: list[int | None], figures: dict[str, float]) -> None:
    found = retrieval(ranks)
    assert {name: found[name] for name in figures} == pytest.approx(figures, abs=1e-5)


@given(st.lists(st.none() | st.integers(1, 14), min_size=1, max_size=6))
def test_retrieval_stays_between_0_and_1_and_grows_with_depth(ranks: list[int | None]) -> None:
    found = retrieval(ranks)
    assert all(0 <= value <= 1 + 1e-9 for value in found.values())
    for name in ("recall", "hits"):
        assert sorted(found[f"{name}@{k}"] for k in (1, 3, 5, 10)) == [found[f"{name}@{k}"] for k in (1, 3, 5, 10)]
    assert found["recall@10"] == pytest.approx(sum(rank is not None and rank <= 10 for rank in ranks) / len(ranks))


# ---- whether citations bear claims ---------------------------------------------------------------

QUOTES = ("Anna founded Acme in 2016.", "Anna founded Acme.", "Acme is old.", "Ben left.")


def holding(pairs: Sequence[tuple[str, str]]) -> list[Support]:
    """A verifier that wants every word of the claim in the evidence."""
    return [
        Support(1, 0, 0) if set(claim.split()) <= set(evidence.replace(".", "").split()) else Support(0, 0, 1)
        for claim, evidence in pairs
    ]


@pytest.mark.parametrize(
    ("claims", "recall", "precision"),
    [
        pytest.param([("Anna founded", (1,))], (1, 1), (1, 1), id="one that bears"),
        pytest.param([("Anna founded", (1, 2)), ("Ben founded", (3,))], (1, 2), (2, 3), id="each bears it alone"),
        pytest.param([("Anna founded", (1, 4))], (1, 1), (1, 2), id="one is idle"),
        pytest.param([("Anna old", (2, 3))], (1, 1), (2, 2), id="only both together"),
        pytest.param([("Carl", (1, 2))], (0, 1), (0, 2), id="nothing bears it"),
        pytest.param([("Anna", ())], (0, 1), (0, 0), id="nothing cited"),
        pytest.param([], (0, 0), (0, 0), id="no claims"),
    ],
)
def test_citations_bear_claims_as_in_alce(
    claims: list[tuple[str, tuple[int, ...]]], recall: tuple[int, int], precision: tuple[int, int]
) -> None:
    citations = tuple(Citation(n, "a", None, None, None, 0, 1, 1, quote) for n, quote in enumerate(QUOTES, 1))
    made = tuple(Claim(text, "supported", cited) for text, cited in claims)
    answer = Answer("?", "answered", "x", claims=made, citations=citations)
    assert borne_out(answer, holding) == BorneOut(recall, precision)


# ---- confidence ----------------------------------------------------------------------------------


def test_reliability_bins_hold_the_answers_and_not_the_refusals() -> None:
    scores = [scored(True, 0.92), scored(False, 0.98), scored(True, 1.0), scored(True, 0.31), scored(refused=True)]
    assert reliability(scores) == [
        Bin(0.3, 0.4, 1, 0.31, 1.0),
        Bin(0.9, 1.0, 3, pytest.approx(2.9 / 3), pytest.approx(2 / 3)),  # type: ignore[arg-type]
    ]


def test_the_calibration_error_weighs_bins_by_their_answers() -> None:
    scores = [scored(True, 0.92), scored(False, 0.98), scored(True, 0.5), scored(False, 0.5)]
    assert calibration_error(scores)(np.arange(4)) == pytest.approx(0.225)
    assert calibration_error(scores)(np.array([[0, 1], [2, 3]])) == pytest.approx([0.45, 0.0])


FOUR = [scored(True, 0.9), scored(False, 0.8), scored(True, 0.8), scored(False, 0.2, refused=True)]


def test_risk_over_coverage_covers_equal_confidences_together_and_never_a_refusal() -> None:
    assert risk_coverage(FOUR) == [Point(0.9, 0.25, 0.0), Point(0.8, 0.75, pytest.approx(1 / 3))]  # type: ignore[arg-type]


def test_the_area_is_the_mean_risk_over_the_answers() -> None:
    assert risk_area(FOUR[:3])(np.arange(3)) == pytest.approx(2 / 9)
    assert risk_area(FOUR[:3])(np.array([[2, 1, 0], [1, 1, 0]])) == pytest.approx([2 / 9, (0 + 2 / 3 + 2 / 3) / 3])


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 4)), min_size=1, max_size=9), st.randoms())
def test_no_order_of_the_cases_changes_the_area(told: list[tuple[bool, int]], random: Any) -> None:
    scores = [scored(right, sure / 4) for right, sure in told]
    area = float(risk_area(scores)(np.arange(len(scores))))
    curve = {point.confidence: point.risk for point in risk_coverage(scores)}
    assert area == pytest.approx(sum(curve[score.confidence] for score in scores) / len(scores))
    random.shuffle(scores)
    assert float(risk_area(scores)(np.arange(len(scores)))) == pytest.approx(area)


@pytest.mark.parametrize(
    ("risk", "suggestion"),
    [
        pytest.param(0.0, Suggestion(0.0, 0.5, 0.5, 0.0), id="none wrong"),
        pytest.param(1 / 3, Suggestion(1 / 3, 0.2, 0.75, pytest.approx(1 / 3)), id="one of three"),  # type: ignore[arg-type]
    ],
)
def test_a_threshold_is_suggested_for_a_risk(risk: float, suggestion: Suggestion) -> None:
    scores = [scored(False, 0.2), scored(True, 0.5), scored(True, 0.9), scored(False, 0.9, refused=True)]
    assert suggest(scores, risk) == suggestion


def test_no_threshold_is_suggested_where_none_does_it() -> None:
    assert suggest([scored(False, 0.9), scored(True, 0.5)], 0.1) == Suggestion(0.1, None, 0.0, None)
    assert suggest([], 0.1) == Suggestion(0.1, None, 0.0, None)


# ---- sums ------------------------------------------------------------------------------------------


def test_sums_weigh_every_citation_alike_and_leave_out_what_is_not_judged() -> None:
    scores = [
        scored(citation_precision=Share(1, 1)),
        scored(citation_precision=Share(0, 3)),
        scored(right=False),
        Failed("x", "bad_question: The question is empty.", 2),
    ]
    summary = summarise(scores)
    assert (summary.n, summary.failed) == (3, 1)
    rate = summary.rates["citation_precision"]
    assert (rate.value, rate.part, rate.whole, rate.n) == (0.25, 1, 4, 2)
    assert 0 <= rate.low <= 0.25 <= rate.high <= 1
    assert summary.rates["correct"].value == pytest.approx(2 / 3)
    assert "mrr@10" not in summary.rates


@pytest.mark.parametrize(
    ("precision", "recall", "expected"),
    [
        pytest.param(Share(1, 2), Share(1, 1), 2 / 3, id="half right, all found"),
        pytest.param(Share(3, 3), Share(3, 3), 1.0, id="all"),
        pytest.param(Share(0, 2), Share(0, 3), 0.0, id="none right"),
    ],
)
def test_position_f1_is_the_harmonic_mean(precision: Share, recall: Share, expected: float) -> None:
    summary = summarise([scored(position_precision=precision, position_recall=recall)])
    assert summary.rates["position_f1"].value == pytest.approx(expected)


def test_position_f1_is_0_where_no_positions_are_given_and_missing_where_none_are_wanted() -> None:
    assert summarise([scored(position_recall=Share(0, 3))]).rates["position_f1"] == Rate(0, 0, 0, 1)
    assert "position_f1" not in summarise([scored()]).rates


def test_a_sum_over_nothing_is_null_and_never_nan() -> None:
    record = summarise([]).to_json()
    assert {name: record[name] for name in MEASURES} == dict.fromkeys(MEASURES)
    assert (record["n"], record["timings_ms"]) == (0, {})


@settings(max_examples=20)
@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.floats(0, 1), st.integers(0, 2)), max_size=5))
def test_no_figure_is_ever_nan(cases: list[tuple[bool, bool, float, int]]) -> None:
    scores = [
        scored(right, sure, refused=refused, position_recall=Share(given, 2), position_precision=Share(given, 2))
        for right, refused, sure, given in cases
    ]
    record = summarise(scores).to_json()
    json.dumps(record, allow_nan=False)
    for name in MEASURES:
        if figure := record[name]:
            assert all(math.isfinite(figure[key]) for key in ("rate", "low", "high"))


def test_latency_has_the_median_and_the_95th_of_every_stage() -> None:
    scores = [
        Score("c", (), False, False, 0.5, timings_ms={"read": 10.0 * place, "total": 1.0}) for place in (1, 2, 3, 4)
    ]
    assert summarise(scores).timings_ms == {"read": {"p50": 20.0, "p95": 40.0}, "total": {"p50": 1.0, "p95": 1.0}}


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        pytest.param([], 50, None, id="of nothing"),
        pytest.param([7.0], 95, 7.0, id="of one"),
        pytest.param([40.0, 10.0, 30.0, 20.0], 50, 20.0, id="the median of four is the second"),
        pytest.param([40.0, 10.0, 30.0, 20.0], 95, 40.0, id="the 95th of four is the last"),
        pytest.param([float(value) for value in range(1, 101)], 95, 95.0, id="the 95th of a hundred"),
    ],
)
def test_percentiles_are_by_nearest_rank(values: list[float], percent: int, expected: float | None) -> None:
    assert percentile(values, percent) == expected


@given(st.lists(st.floats(0, 1e6), min_size=1), st.integers(1, 100))
def test_a_percentile_is_the_least_value_that_enough_do_not_exceed(values: list[float], percent: int) -> None:
    found = percentile(values, percent)
    assert found in values
    enough = [value for value in values if sum(other <= value for other in values) * 100 >= percent * len(values)]
    assert found == min(enough)
