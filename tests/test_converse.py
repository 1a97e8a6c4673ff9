"""Follow-ups to questions that stand alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.converse import standalone
from rag.records import Turn

FOUNDED = Turn("Who founded Acme Robotics?", "Acme Robotics was founded by Jane Doe.")
INVESTED = Turn("How much did Bigcorp invest in Acme in 2024?", "Bigcorp invested $5 million.")


@pytest.mark.parametrize(
    ("follow_up", "turn", "expected"),
    [
        pytest.param("When did she do that?", FOUNDED, "When did Jane Doe found Acme Robotics?", id="pronoun and verb"),
        pytest.param("What is her age?", FOUNDED, "What is Jane Doe's age?", id="possessive of a person"),
        pytest.param("Where is the company based?", FOUNDED, "Where is Acme Robotics based?", id="the company"),
        pytest.param("And when was that?", FOUNDED, "When was Acme Robotics founded?", id="bare question word"),
        pytest.param("Why?", Turn("Did Acme fail?", "Yes."), "Why did Acme fail?", id="why, after a yes/no question"),
        pytest.param("And in 2025?", INVESTED, "How much did Bigcorp invest in Acme in 2025?", id="another year"),
        pytest.param("And Microsoft?", INVESTED, "How much did Microsoft invest in Acme in 2024?", id="another name"),
        pytest.param(
            "what about amazon?", INVESTED, "How much did Amazon invest in Acme in 2024?", id="name in lower case"
        ),
        pytest.param("And Scale AI's?", Turn("Who is Meta's CEO?", "Jane Doe."), "Who is Scale AI's CEO?", id="whose"),
        pytest.param("Who paid for it?", Turn("Who drew the tower?", "Jane Doe."), "Who paid for the tower?", id="it"),
        pytest.param(
            "Who approved it?", Turn("When was the new pier opened?", "In May."), "Who approved the new pier?", id="the"
        ),
        pytest.param("Who runs Bigcorp?", INVESTED, "Who runs Bigcorp?", id="stands alone already"),
    ],
)
def test_what_is_left_out_is_filled_in(follow_up: str, turn: Turn, expected: str) -> None:
    assert standalone(follow_up, [turn]) == expected


@pytest.mark.parametrize("odd", ["And?", "ok", "'s?", "And C:\\Users?", "What about \\1?", "And \\g<x>?", "and 's"])
def test_an_odd_follow_up_is_a_question_all_the_same(odd: str) -> None:
    assert standalone(odd, [INVESTED]).strip()


def test_the_nearest_turn_that_names_somebody_is_meant() -> None:
    history = [FOUNDED, Turn("Is it big?", "No."), Turn("Since when?", "Since 2016.")]
    assert standalone("What did she study?", history) == "What did Jane Doe study?"


@given(st.text(max_size=80))
def test_without_history_a_question_stays_as_it_is(question: str) -> None:
    assert standalone(question, []) == question


@given(st.text(min_size=1, max_size=80).filter(str.strip), st.text(max_size=80), st.text(max_size=80))
def test_any_history_gives_a_question(question: str, before: str, answer: str) -> None:
    assert standalone(question, [Turn(before, answer)]).strip()
