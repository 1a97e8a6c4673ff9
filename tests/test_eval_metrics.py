"""What each figure counts, by examples that can be checked in the head."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from eval.cases import Case, GoldEvidence, GoldPosition
from eval.metrics import (
    Score,
    Share,
    citation_precision,
    evidence_recall,
    faults,
    position_precision,
    position_recall,
    retrieved,
    score,
    short_exact_match,
    short_token_f1,
    silent_pick,
    span_exactness,
)
from eval.trace import FoundPassage, Reading, ReadSentence, Trace
from rag.errors import SourceUnknown
from rag.records import REFUSAL, Answer, Citation, Claim, Outcome, Position, Support

TEXTS = {"a.txt": "Anna founded Acme. Acme is old. Anna founded Acme.", "b.txt": "Acme is worth $14 billion."}
FOUNDED = Citation(1, "a.txt", None, None, None, 0, 18, 1, "Anna founded Acme.")
OLD = Citation(2, "a.txt", None, None, None, 19, 31, 1, "Acme is old.")
FOUNDED_AGAIN = Citation(3, "a.txt", None, None, None, 32, 50, 1, "Anna founded Acme.")
WORTH = Citation(4, "b.txt", None, None, None, 0, 26, 1, "Acme is worth $14 billion.")


def source_text(name: str) -> str:
    if name not in TEXTS:
        raise SourceUnknown(f"There is no source {name!r}.")
    return TEXTS[name]


def case(**fields: Any) -> Case:
    plain = Case("c", "single", "tune", "Who?", (), (("Anna",),), (), (), (), 1)
    return replace(plain, **fields)


def answer(text: str = "Anna.", outcome: Outcome = "answered", **fields: Any) -> Answer:
    return Answer("Who?", outcome, text, **fields)


REFUSED = answer(REFUSAL, "not_in_sources")
UNANSWERABLE = case(kind="unanswerable", any_of=())


# ---- correct ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gold", "given_answer", "wrong"),
    [
        pytest.param(case(), answer("It was Anna [1]."), (), id="holds the string"),
        pytest.param(case(), answer("It was ANNA [1]."), (), id="in other letters"),
        pytest.param(case(), answer("It was Annabel [1]."), ("holds none of: Anna",), id="only as part of a word"),
        pytest.param(case(any_of=(("Anna", "Ann"),)), answer("Ann [1]."), (), id="one string of a group is enough"),
        pytest.param(
            case(any_of=(("Anna",), ("Ben", "Benjamin"))),
            answer("Anna [1]."),
            ("holds none of: Ben | Benjamin",),
            id="every group is needed",
        ),
        pytest.param(
            case(none_of=("Ben",)), answer("Anna and Ben [1]."), ("holds what it must not: Ben",), id="forbidden string"
        ),
        pytest.param(
            case(any_of=(("5",),)), answer("Several [5]."), ("holds none of: 5",), id="a citation's number is no figure"
        ),
        pytest.param(case(none_of=("1",)), answer("Anna [1]."), (), id="a citation's number is not forbidden"),
        pytest.param(case(), answer("Anna or Ben.", "disputed"), (), id="shown as disputed"),
        pytest.param(case(), REFUSED, ("refused, though the sources say",), id="refused though answerable"),
        pytest.param(
            case(any_of=(("sources",),)),
            REFUSED,
            ("refused, though the sources say",),
            id="a refusal that happens to hold the string",
        ),
        pytest.param(UNANSWERABLE, REFUSED, (), id="rightly refused"),
        pytest.param(
            UNANSWERABLE, answer(), ("answered, though the sources do not say",), id="answered though unanswerable"
        ),
        pytest.param(case(kind="false_premise", any_of=()), REFUSED, (), id="false premise refused"),
        pytest.param(case(kind="false_premise"), answer(), (), id="false premise corrected"),
        pytest.param(
            case(kind="false_premise"),
            REFUSED,
            ("refused, though the sources say",),
            id="false premise refused though the sources correct it",
        ),
    ],
)
def test_what_is_wrong_with_an_answer(gold: Case, given_answer: Answer, wrong: tuple[str, ...]) -> None:
    assert faults(gold, given_answer) == wrong


# ---- citations -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("citation", "exact"),
    [
        pytest.param(FOUNDED, 1, id="the slice is the quote"),
        pytest.param(replace(FOUNDED, start=1), 0, id="one off at the start"),
        pytest.param(replace(FOUNDED, end=17), 0, id="one short at the end"),
        pytest.param(replace(FOUNDED, start=32, end=50), 1, id="the same words elsewhere"),
        pytest.param(replace(FOUNDED, start=-18, end=50), 0, id="a start that counts from the end"),
        pytest.param(replace(FOUNDED, start=32, end=99), 0, id="past the end of the text"),
        pytest.param(replace(FOUNDED, start=5, end=5, quote=""), 0, id="empty"),
        pytest.param(replace(FOUNDED, source="gone.txt"), 0, id="a source that is not there"),
    ],
)
def test_a_citation_is_exact_where_its_span_is_its_quote(citation: Citation, exact: int) -> None:
    assert span_exactness(answer(citations=(citation,)), source_text) == Share(exact, 1)


EVIDENCE = (GoldEvidence("a.txt", "Anna founded"), GoldEvidence("a.txt", "old"), GoldEvidence("b.txt", "$14 billion"))


@pytest.mark.parametrize(
    ("gold", "citations", "share"),
    [
        pytest.param(
            case(evidence=EVIDENCE), (FOUNDED,), Share(1, 2), id="one source of two, though it has two quotes"
        ),
        pytest.param(case(evidence=EVIDENCE), (FOUNDED, OLD, WORTH), Share(2, 2), id="both"),
        pytest.param(case(evidence=EVIDENCE), (), Share(0, 2), id="nothing cited"),
        pytest.param(case(evidence=EVIDENCE[2:]), (FOUNDED,), Share(0, 1), id="another source"),
        pytest.param(case(), (FOUNDED,), Share(0, 0), id="no gold evidence"),
        pytest.param(case(kind="false_premise", any_of=(), evidence=EVIDENCE), (), Share(0, 0), id="refusing is right"),
    ],
)
def test_evidence_recall_counts_gold_sources_that_are_cited(
    gold: Case, citations: tuple[Citation, ...], share: Share
) -> None:
    assert evidence_recall(gold, answer(citations=citations)) == share


@pytest.mark.parametrize(
    ("gold", "citations", "share"),
    [
        pytest.param(case(evidence=EVIDENCE[:1]), (FOUNDED, OLD), Share(1, 2), id="one of two overlaps"),
        pytest.param(case(evidence=EVIDENCE[:1]), (FOUNDED_AGAIN,), Share(1, 1), id="where the quote stands again"),
        pytest.param(case(evidence=EVIDENCE[2:]), (FOUNDED,), Share(0, 1), id="the same span of another source"),
        pytest.param(
            case(evidence=(GoldEvidence("a.txt", " "),)),
            (replace(FOUNDED, end=4, quote="Anna"),),
            Share(0, 1),
            id="touching is not overlapping",
        ),
        pytest.param(case(evidence=EVIDENCE), (), Share(0, 0), id="nothing cited"),
        pytest.param(case(), (FOUNDED,), Share(0, 0), id="no gold evidence"),
        pytest.param(UNANSWERABLE, (FOUNDED, OLD), Share(0, 2), id="cited where refusing was right"),
    ],
)
def test_citation_precision_counts_citations_that_overlap_gold_quotes(
    gold: Case, citations: tuple[Citation, ...], share: Share
) -> None:
    assert citation_precision(gold, answer(citations=citations), source_text) == share


# ---- positions -------------------------------------------------------------------------------

HIGH = GoldPosition(("13.8 billion", "14 billion"), ("b.txt", "c.txt"))
LOW = GoldPosition(("7.3 billion",), ("a.txt",))
DISPUTED = case(kind="conflict", positions=(HIGH, LOW))


@pytest.mark.parametrize(
    ("positions", "precision", "recall"),
    [
        pytest.param(
            (Position("$13.8 billion", ("b.txt", "c.txt"), (1, 2)), Position("$7.3 billion", ("a.txt",), (3,))),
            Share(3, 3),
            Share(3, 3),
            id="all",
        ),
        pytest.param((Position("$13.8 billion", ("b.txt",), (1,)),), Share(1, 1), Share(1, 3), id="one pair of three"),
        pytest.param(
            (Position("about $14 billion", ("c.txt",), (1,)), Position("$13.8 billion", ("b.txt",), (2,))),
            Share(2, 2),
            Share(2, 3),
            id="another wording of the value",
        ),
        pytest.param(
            (Position("$13.8 billion", ("b.txt", "a.txt"), (1, 2)),), Share(1, 2), Share(1, 3), id="the wrong source"
        ),
        pytest.param((Position("$113.8 billion", ("b.txt",), (1,)),), Share(0, 1), Share(0, 3), id="a longer number"),
        pytest.param((), Share(0, 0), Share(0, 3), id="no positions"),
    ],
)
def test_positions_are_compared_as_pairs_of_value_and_source(
    positions: tuple[Position, ...], precision: Share, recall: Share
) -> None:
    given_answer = answer(positions=positions)
    assert (position_precision(DISPUTED, given_answer), position_recall(DISPUTED, given_answer)) == (precision, recall)


def test_positions_of_a_case_without_gold_positions_are_not_judged() -> None:
    given_answer = answer(positions=(Position("1", ("a.txt",), (1,)),))
    assert (position_precision(case(), given_answer), position_recall(case(), given_answer)) == (Share(0, 0),) * 2


@pytest.mark.parametrize(
    ("gold", "outcome", "share"),
    [
        pytest.param(DISPUTED, "answered", Share(1, 1), id="picked silently"),
        pytest.param(DISPUTED, "disputed", Share(0, 1), id="shown as disputed"),
        pytest.param(DISPUTED, "not_in_sources", Share(0, 1), id="refused"),
        pytest.param(case(positions=(HIGH,)), "answered", Share(0, 0), id="nothing in dispute"),
    ],
)
def test_a_silent_pick_is_a_disputed_case_that_is_just_answered(gold: Case, outcome: Outcome, share: Share) -> None:
    assert silent_pick(gold, answer(outcome=outcome)) == share


# ---- the short answer ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gold", "short", "exact", "f1"),
    [
        pytest.param(case(), "Anna", Share(1, 1), Share(1.0, 1), id="the same"),
        pytest.param(case(), "the Anna!", Share(1, 1), Share(1.0, 1), id="articles and punctuation aside"),
        pytest.param(case(), "Anna Berg", Share(0, 1), Share(2 / 3, 1), id="a word too many"),
        pytest.param(case(any_of=(("Ann", "Anna Berg"),)), "Anna Berg", Share(1, 1), Share(1.0, 1), id="the best gold"),
        pytest.param(case(), None, Share(0, 1), Share(0.0, 1), id="none given"),
        pytest.param(case(any_of=(("Anna",), ("Ben",))), "Anna", Share(0, 0), Share(0, 0), id="two groups"),
        pytest.param(case(any_of=(("a b c d e f",),)), "a", Share(0, 0), Share(0, 0), id="a long gold string"),
        pytest.param(UNANSWERABLE, None, Share(0, 0), Share(0, 0), id="refusing is right"),
    ],
)
def test_the_short_answer_is_held_against_short_gold_strings(
    gold: Case, short: str | None, exact: Share, f1: Share
) -> None:
    assert (short_exact_match(gold, answer(short=short)), short_token_f1(gold, answer(short=short))) == (exact, f1)


# ---- the whole score -------------------------------------------------------------------------


def bears(pairs: Sequence[tuple[str, str]]) -> list[Support]:
    """A verifier that wants the claim's words in the evidence."""
    return [Support(1, 0, 0) if claim.rstrip(".") in evidence else Support(0, 0, 1) for claim, evidence in pairs]


TRACE = Trace(
    (FoundPassage("b.txt", 0, 26, 0.9, None, None), FoundPassage("a.txt", 0, 31, 0.5, None, None)),
    (Reading("Who?", 0.1, (ReadSentence("a.txt", 0, 18, 0.8, None, False, True),)),),
)


def test_a_score_holds_every_figure_that_judges_its_case_and_comes_back_from_its_json() -> None:
    given_answer = answer(
        "Anna [1], old [2].",
        short="Anna",
        claims=(Claim("Anna founded.", "supported", (1,)), Claim("Ben is old.", "supported", (2,))),
        citations=(FOUNDED, OLD),
        timings_ms={"read": 1.0, "total": 8.0},
        confidence=0.9,
    )
    scored = score(case(evidence=EVIDENCE[:1]), given_answer, source_text, TRACE, bears)
    assert scored == Score(
        case="c",
        faults=(),
        refused=False,
        refusal_expected=False,
        confidence=0.9,
        best=0.8,
        shares={
            "correct": Share(1, 1),
            "answerable_correct": Share(1, 1),
            "answerable_refused": Share(0, 1),
            "exact_match": Share(1, 1),
            "token_f1": Share(1.0, 1),
            "span_exactness": Share(2, 2),
            "evidence_recall": Share(1, 1),
            "citation_precision": Share(1, 2),
            "alce_recall": Share(1, 2),
            "alce_precision": Share(1, 2),
            **{f"recall@{k}": Share(float(k > 1), 1) for k in (1, 3, 5, 10)},
            **{f"hits@{k}": Share(float(k > 1), 1) for k in (1, 3, 5, 10)},
            "mrr@10": Share(0.5, 1),
            "ndcg@10": Share(pytest.approx(1 / math.log2(3)), 1),  # type: ignore[arg-type]
        },
        timings_ms={"read": 1.0, "total": 8.0},
    )
    assert Score.from_json(json.loads(json.dumps(scored.to_json()))) == scored


def test_a_score_keeps_what_changes_from_run_to_run_apart() -> None:
    quick, slow = (score(case(), answer(timings_ms={"total": ms}), source_text).to_json() for ms in (8.0, 9.0))
    assert quick.pop("timings_ms") == {"total": 8.0}
    assert slow.pop("timings_ms") == {"total": 9.0}
    assert quick == slow


def test_retrieval_is_not_judged_where_refusing_is_right_or_nothing_is_named() -> None:
    for gold in (UNANSWERABLE, case(kind="false_premise", any_of=(), evidence=EVIDENCE), case()):
        assert retrieved(gold, TRACE, source_text) == {}
