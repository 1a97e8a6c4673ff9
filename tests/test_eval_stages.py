"""The stage that lost a case, by worked examples: the source is two sentences long, the gold is the first of them."""

from __future__ import annotations

from typing import Any

import pytest

from eval.stages import Fate, Stage, fates, lost_at
from rag.errors import SourceUnknown

TEXT = "Anna founded Acme. Ben left."
GOLD = {"source": "a.txt", "quote": "Anna founded"}
FIRST, SECOND = (0, 18), (19, 28)
WHOLE = (0, 28)


def source_text(name: str) -> str:
    if name != "a.txt":
        raise SourceUnknown(f"There is no source {name!r}.")
    return TEXT


def at(span: tuple[int, int], **more: Any) -> dict[str, Any]:
    return {"source": "a.txt", "start": span[0], "end": span[1], **more}


def read(span: tuple[int, int], score: float, chosen: bool = False) -> dict[str, Any]:
    return at(span, score=score, answer=None, contradicts=False, chosen=chosen)


def case(
    text: str,
    *sentences: dict[str, Any],
    found: tuple[tuple[int, int], ...] = (WHOLE,),
    cited: tuple[tuple[int, int], ...] = (),
    refused: bool = False,
    withheld: tuple[Any, ...] = (),
    **of_case: Any,
) -> dict[str, Any]:
    """A wrong case of a run file, with the sentences that were read for it."""
    return {
        "case": {"any_of": [["Anna"]], "none_of": [], "evidence": [GOLD], **of_case},
        "answer": {
            "outcome": "not_in_sources" if refused else "answered",
            "text": text,
            "citations": [at(span, number=number) for number, span in enumerate(cited, 1)],
            "withheld": list(withheld),
        },
        "score": {"faults": ["wrong"], "refusal_expected": False},
        "failure": None,
        "trace": {
            "found": [at(span) for span in found],
            "readings": [{"question": "Who?", "threshold": 0.13, "sentences": list(sentences)}],
        },
    }


@pytest.mark.parametrize(
    ("record", "stage"),
    [
        pytest.param(case("Ben [1].", found=(SECOND,), cited=(SECOND,)), Stage.NOT_RETRIEVED, id="not retrieved"),
        pytest.param(case("Ben [1].", read(SECOND, 0.5, True), cited=(SECOND,)), Stage.NOT_READ, id="not read"),
        pytest.param(
            case("Ben [1].", read(SECOND, 0.5, True), read(FIRST, 0.4), cited=(SECOND,)),
            Stage.NOT_CHOSEN,
            id="another sentence scored higher",
        ),
        pytest.param(
            case("No.", read(SECOND, 0.1), read(FIRST, 0.05), refused=True),
            Stage.NOT_CHOSEN,
            id="refused, and another sentence scored higher",
        ),
        pytest.param(case("No.", read(FIRST, 0.1), refused=True), Stage.REFUSED, id="the best was refused"),
        pytest.param(
            case("Ben [1].", read(FIRST, 0.9, True), cited=(SECOND,), withheld=({"text": "Anna.", "reason": "no"},)),
            Stage.CHECKED_AWAY,
            id="withheld after the check",
        ),
        pytest.param(case("Ben [1].", read(FIRST, 0.9, True), cited=(SECOND,)), Stage.LEFT_OUT, id="not cited"),
        pytest.param(case("She [1].", read(FIRST, 0.9, True), cited=(FIRST,)), Stage.NOT_SAID, id="cited, not said"),
        pytest.param(case("Anna or Ben [1].", cited=(FIRST,), none_of=["Ben"]), Stage.SAID_TOO_MUCH, id="too much"),
        pytest.param(case("Ben [1].", evidence=[]), Stage.UNTRACED, id="no evidence named"),
        pytest.param(case("Ben.", evidence=[GOLD | {"source": "b.txt"}]), Stage.UNTRACED, id="the source is gone"),
        pytest.param(case("Ben.") | {"trace": None}, Stage.UNTRACED, id="no trace"),
        pytest.param(
            case("Ben.") | {"score": {"faults": ["answered"], "refusal_expected": True}}, Stage.NOT_REFUSED, id="refuse"
        ),
        pytest.param(case("Anna.") | {"score": {"faults": [], "refusal_expected": False}}, None, id="right"),
        pytest.param(case("") | {"answer": None, "score": None}, Stage.FAILED, id="failed"),
    ],
)
def test_a_case_is_lost_at_the_stage_that_lost_its_evidence(record: dict[str, Any], stage: Stage | None) -> None:
    assert lost_at(record, source_text) == stage


def test_a_citations_number_is_no_wording() -> None:
    assert lost_at(case("Ben [1].", cited=(FIRST,), any_of=[["1"]]), source_text) == Stage.NOT_SAID


def test_one_quote_of_several_is_enough_so_that_the_furthest_counts() -> None:
    other = {"source": "a.txt", "quote": "Anna founded Acme. Ben"}
    record = case("She [1].", read(SECOND, 0.9, True), found=(SECOND,), cited=(SECOND,), evidence=[GOLD, other])
    assert [fate.stage for fate in fates(record, source_text)] == [Stage.NOT_RETRIEVED, Stage.NOT_SAID]
    assert lost_at(record, source_text) == Stage.NOT_SAID


def test_of_two_wordings_that_are_lacking_the_one_lost_first_counts() -> None:
    ben = {"source": "a.txt", "quote": "Ben left"}
    record = case(
        "No [1].",
        read(SECOND, 0.9, True),
        found=(SECOND,),
        cited=(SECOND,),
        evidence=[GOLD, ben],
        any_of=[["Anna"], ["Ben"]],
    )
    assert lost_at(record, source_text) == Stage.NOT_RETRIEVED
    assert lost_at(record | {"case": record["case"] | {"any_of": [["Ben"]]}}, source_text) == Stage.NOT_SAID


def test_a_quotes_fate_tells_its_ranks_its_score_and_its_citations() -> None:
    sentences = (read(SECOND, 0.5), read(FIRST, 0.4, True))
    record = case("Ben [1].", *sentences, found=(SECOND, WHOLE), cited=(SECOND, FIRST))
    assert fates(record, source_text) == [
        Fate("a.txt", "Anna founded", (("a.txt", 0, 12),), Stage.NOT_SAID, 2, 2, 0.4, True, (2,))
    ]


def test_every_stage_has_a_meaning() -> None:
    assert all(stage.meaning.endswith(".") for stage in Stage)
