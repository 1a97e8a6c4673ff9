"""What a question asks for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.questions import analyse, parts, premise, search_words


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("Who founded Acme?", "name"),
        ("By whom was Acme founded?", "name"),
        ("When was Acme founded?", "date"),
        ("In which year did Acme begin?", "date"),
        ("Where is Acme based?", "place"),
        ("How much did Acme earn?", "amount"),
        ("How many people work there?", "amount"),
        ("What is Acme's valuation?", "amount"),
        ("acme revenue 2024", "amount"),
        ("Why did Acme sell?", "reason"),
        ("What made Jane Doe leave?", "reason"),
        ("Is Acme profitable?", "yesno"),
        ("Is it true that Acme is broke?", "yesno"),
        ("Could you please tell me when Acme began?", "date"),
        ("Did Acme build it alone or with others?", "text"),
        ("Which companies use Acme's services?", "list"),
        ("What does Acme do?", "text"),
    ],
)
def test_the_kind_of_answer_is_read_from_the_wording(question: str, kind: str) -> None:
    assert analyse(question).kind == kind


def test_words_names_and_years_are_found() -> None:
    asked = analyse("How much did Acme Corp. lose in 2024?")
    assert (asked.words, asked.names, asked.years) == (("Acme", "Corp", "lose", "2024"), ("Acme Corp",), ("2024",))


def test_a_possessive_ends_a_name() -> None:
    assert analyse("What did Acme’s Series F say of Big Corp's CEO?").names == ("Acme", "Series F", "Big Corp")


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Who founded Acme?", ["Who founded Acme?"]),
        ("Who are Tom and Jerry?", ["Who are Tom and Jerry?"]),
        ("When and why did Acme sell?", ["When and why did Acme sell?"]),
        (
            "In which year was Acme launched, and by whom?",
            ["In which year was Acme launched?", "By whom was Acme launched?"],
        ),
        ("Who founded Acme and how much is it worth?", ["Who founded Acme?", "How much is Acme worth?"]),
        (
            "How many shops does Acme own, and what is its target for Bolt?",
            ["How many shops does Acme own?", "What is Acme's target for Bolt?"],
        ),
        (
            "Who are the chairs of Acme, Bolt and Cord?",
            ["Who is the chair of Acme?", "Who is the chair of Bolt?", "Who is the chair of Cord?"],
        ),
        ("Who are the chairs of Acme?", ["Who are the chairs of Acme?"]),
    ],
)
def test_a_many_part_question_is_split(question: str, expected: list[str]) -> None:
    assert parts(question) == expected


def test_words_to_search_leave_out_what_every_text_holds() -> None:
    assert search_words("What is Acme's valuation?") == ["acme", "valuation"]
    assert search_words("Who is who?") == ["Who", "is", "who"] or search_words("Who is who?") == ["who", "is"]


@given(st.text(max_size=300))
def test_any_text_can_be_analysed(question: str) -> None:
    assert analyse(question).kind in ("amount", "date", "name", "place", "yesno", "reason", "list", "text")
    assert parts(question)
    assert len(search_words(question)) <= 64


@pytest.mark.parametrize(
    ("question", "taken"),
    [
        ("Why did Rome fall?", "Did Rome fall?"),
        ("What made Rome fall?", "Did Rome fall?"),
        ("In which year was Rome built?", "Was Rome built?"),
        ("Please tell me, why is Rome old?", "Is Rome old?"),
        ("Who built Rome?", None),
        ("Was Rome built?", None),
    ],
)
def test_what_a_question_takes_for_granted(question: str, taken: str | None) -> None:
    assert premise(question) == taken
