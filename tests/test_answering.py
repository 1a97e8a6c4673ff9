"""The ask path, end to end on the example articles."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eval.cases import load_cases
from rag.answering import Answerer
from rag.errors import BadQuestion
from rag.records import REFUSAL, Answer, Answered, Found, Rewritten, Token, Turn
from rag.wiring import open_answerer
from tests.conftest import settings_for, times

GOLD = Path(__file__).resolve().parent.parent / "eval" / "gold" / "seeds.jsonl"


@pytest.fixture(scope="module")
def answerer(seeds_index: Path) -> Iterator[Answerer]:
    answerer = open_answerer(settings_for(seeds_index))
    yield answerer
    answerer.close()


def check_laws(answer: Answer, answerer: Answerer) -> None:
    """The contract's laws that hold for every answer."""
    for citation in answer.citations:
        text = answerer.store.source(citation.source).text
        assert text[citation.start : citation.end] == citation.quote
        assert citation.line == 1 + text[: citation.start].count("\n")
    used = [int(n) for n in re.findall(r"\[(\d+)\]", answer.text)]
    assert list(dict.fromkeys(used)) == [citation.number for citation in answer.citations]
    assert [citation.number for citation in answer.citations] == list(range(1, len(answer.citations) + 1))
    assert 0 <= answer.confidence <= 1
    if answer.outcome == "not_in_sources":
        assert (answer.text, answer.claims, answer.citations, answer.short) == (REFUSAL, (), (), None)
        assert answer.reason is not None
    else:
        assert answer.reason is None
        assert answer.nearest == ()
        assert answer.claims
        assert all(claim.citations for claim in answer.claims)
    if answer.short and answer.short not in ("Yes.", "No."):
        assert any(answer.short in citation.quote for citation in answer.citations)
    for near in answer.nearest:
        assert answerer.store.source(near.source).text[near.start : near.end] == near.text
    assert Answer.from_json(json.loads(json.dumps(answer.to_json()))) == answer


def without_timings(answer: Answer) -> str:
    return json.dumps({**answer.to_json(), "timings_ms": None})


def test_gold_answers_keep_the_laws_and_are_the_same_twice(answerer: Answerer, seeds_index: Path) -> None:
    again = open_answerer(settings_for(seeds_index))
    cases = load_cases(GOLD, lambda name: answerer.store.source(name).text)
    # Some of all kinds; a second answerer takes as long again, and is asked a quarter of them.
    for place, case in enumerate(cases[:: times(8, 1)]):
        answer = answerer.ask(case.question, case.history)
        check_laws(answer, answerer)
        assert place % 4 or without_timings(again.ask(case.question, case.history)) == without_timings(answer)


def test_the_founder_is_named_with_the_sentence_that_says_so(answerer: Answerer) -> None:
    answer = answerer.ask("Who founded Scale AI?")
    assert (answer.outcome, answer.short) == ("answered", "Alexandr Wang")
    assert "Alexandr Wang" in answer.citations[0].quote


def test_a_disputed_value_is_shown_with_all_who_say_it(answerer: Answerer) -> None:
    answer = answerer.ask("What was Scale AI's last valuation?")
    assert answer.outcome == "disputed"
    assert [(p.value, sorted(source[:3] for source in p.sources)) for p in answer.positions] == [
        ("$13.8 billion", ["000", "002", "003", "004"]),
        ("$7.3 billion", ["001"]),
    ]
    assert all(claim.verdict == "disputed" for claim in answer.claims)


def test_what_no_source_says_is_refused_with_the_nearest_passages(answerer: Answerer) -> None:
    answer = answerer.ask("How long should sourdough bread be baked?")
    assert (answer.outcome, answer.reason, len(answer.nearest)) == ("not_in_sources", "no_passage_answers", 3)


def test_the_stream_is_the_answer(answerer: Answerer) -> None:
    events = list(answerer.stream("When was that?", [Turn("Who founded Scale AI?", "Alexandr Wang.")]))
    kinds = [type(event) for event in events]
    assert kinds == [Rewritten, Found, *[Token] * (len(events) - 3), Answered]
    last = events[-1]
    assert isinstance(last, Answered)
    assert "".join(event.text for event in events if isinstance(event, Token)) == last.answer.text


def test_parts_that_no_source_answers_are_named(answerer: Answerer) -> None:
    answer = answerer.ask("Who founded Scale AI, and how long should sourdough bread be baked?")
    assert (answer.outcome, answer.missing) == ("answered", ("How long should sourdough bread be baked?",))


@pytest.mark.parametrize(
    "question",
    [
        pytest.param("", id="empty"),
        pytest.param(" \n\t", id="blank"),
        pytest.param("x" * 100_000, id="100,000 characters"),
        pytest.param("Who\0?", id="NUL"),
        pytest.param("Who \ud800?", id="lone surrogate"),
    ],
)
def test_a_question_that_is_none_is_refused_with_one_message(answerer: Answerer, question: str) -> None:
    with pytest.raises(BadQuestion) as caught:
        answerer.ask(question)
    assert caught.value.message
    assert caught.value.hint


def test_a_history_that_is_no_text_is_refused(answerer: Answerer) -> None:
    with pytest.raises(BadQuestion, match="history"):
        answerer.ask("Who?", [Turn("Who \ud800?", "Somebody.")])


@pytest.mark.parametrize("question", ["Wer hat Scale AI gegründet?", "谁创立了 Scale AI？", "¿?", "?!…", "😀" * 50])
def test_a_question_in_any_script_keeps_the_laws(answerer: Answerer, question: str) -> None:
    check_laws(answerer.ask(question), answerer)


@settings(max_examples=times(12, 60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=60))
def test_any_text_keeps_the_laws(answerer: Answerer, question: str) -> None:
    if question.strip():
        check_laws(answerer.ask(question), answerer)


def test_many_threads_get_the_answers_of_one(answerer: Answerer) -> None:
    questions = [
        "Who founded Scale AI?",
        "What was Scale AI's last valuation?",
        "Is Defense Llama based on Llama 3?",
    ] * 2
    with ThreadPoolExecutor(4) as pool:
        together = [without_timings(answer) for answer in pool.map(answerer.ask, questions)]
    assert together == [without_timings(answerer.ask(question)) for question in questions]
