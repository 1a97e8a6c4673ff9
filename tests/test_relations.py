"""Offices, quantities and events that are easily taken for one another."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rag.answering import Answerer
from rag.relations import counts_nothing_asked, spelt_out, tells_of_another
from rag.values import figures
from tests.conftest import answering_over

FIRMS = {
    "acme.txt": "Acme Corp reported revenue of $5.2 billion in 2024. Its chief executive, Laura Stein, said the year"
    " was difficult. Acme did not buy Bolt Systems. Acme employs 12,000 people.",
    "bolt.txt": "Bolt Systems had revenue of $310 million in 2023. Its finance chief, Omar Diaz, left in March."
    " Bolt was founded in Graz in 1998 by two engineers. Acme Corp is its largest customer.",
    "crest.txt": "Crest Energy was bought by Halden Partners for $900 million in June 2025."
    " Its chief executive is Petra Novak. It was founded in Lyon.",
    "halden.txt": "Halden Partners paid $880 million for Crest Energy, two people with knowledge of the deal said."
    " Halden has 40 employees. It was founded in Zurich in 2005.",
    "dorn.txt": "Dorn Labs partnered with Acme Corp in 2024. It was started by Ida Roth.",
}


@pytest.fixture(scope="module")
def answerer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Answerer]:
    with answering_over(tmp_path_factory.mktemp("firms"), FIRMS) as answerer:
        yield answerer


@pytest.mark.parametrize(
    ("question", "short"),
    [
        ("Who is the CEO of Crest Energy?", "Petra Novak"),
        ("Who is the CEO of Acme?", "Laura Stein"),
        ("Who is Acme's chief executive?", "Laura Stein"),
        ("Who is the CFO of Bolt Systems?", "Omar Diaz"),
        ("Who is the finance chief of Bolt?", "Omar Diaz"),
        ("How many people work at Halden?", "40"),
        ("How many employees does Acme have?", "12,000"),
        ("When was Bolt founded?", "1998"),
        ("Did Halden Partners buy Crest Energy?", "Yes."),
        ("Did Acme buy Bolt Systems?", "No."),
        ("What was Bolt's revenue in 2023?", "$310 million"),
    ],
)
def test_an_office_a_quantity_or_an_event_is_found_by_its_other_name(
    answerer: Answerer, question: str, short: str
) -> None:
    assert answerer.ask(question).short == short


@pytest.mark.parametrize(
    "question",
    [
        "Who is the finance chief of Acme?",
        "Who is the CFO of Crest Energy?",
        "Who is the CEO of Bolt Systems?",
        "How many people work at Crest Energy?",
        "When was Crest Energy founded?",
        "How much was Bolt sold for?",
        "Did Dorn Labs buy Acme Corp?",
        "Did Acme buy Dorn Labs?",
        "Is Acme a customer of Dorn Labs?",
    ],
)
def test_another_office_quantity_or_event_is_no_answer(answerer: Answerer, question: str) -> None:
    answer = answerer.ask(question)
    assert answer.outcome == "not_in_sources", answer.text


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("Who is Acme's CFO?", "Its chief executive is Jane Doe."),
        ("Who is the chair of Acme?", "Acme's president is Jane Doe."),
        ("How much debt has Acme?", "Acme's revenue is $5 million."),
        ("When was Acme founded?", "Acme was bought in 2015."),
        ("When did Jane Doe die?", "Jane Doe was born in 1950."),
        ("Who is the vice president?", "The president is Jane Doe."),
    ],
)
def test_what_tells_of_another_is_known(question: str, text: str) -> None:
    assert tells_of_another(question, text)


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("Who is Acme's CEO?", "Its chief executive is Jane Doe."),
        ("Who is Acme's CEO?", "Jane Doe, its president, leads Acme."),
        ("Who is Acme's CEO?", "Jane Doe, founder and CEO of Acme, spoke."),
        ("How much debt has Acme?", "Acme owes $5 million on revenues of $7 million."),
        ("When was Acme founded?", "Acme began in 1990 and was bought in 2015."),
        ("When was Acme founded?", "It rained."),
        ("What is it?", "The chief executive was born in 1950 and bought it."),
        ("What did the CEO say about revenue?", "The chief executive said that sales rose."),
        ("Who is the president?", "The president is Jane Doe."),
    ],
)
def test_what_tells_of_the_same_or_of_nothing_is_none(question: str, text: str) -> None:
    assert not tells_of_another(question, text)


@pytest.mark.parametrize(
    ("text", "informants"),
    [
        ("Two people with knowledge of the deal said so.", True),
        ("Three people familiar with the matter said so.", True),
        ("Two sources close to the talks said so.", True),
        ("Four current and former employees who asked not to be named said so.", True),
        ("It has 12,000 people in Graz.", False),
        ("It named two sources of income.", False),
        ("Three people died.", False),
        ("Children under 14 pay half.", True),
        ("Children under 14 years pay half.", False),
    ],
)
def test_unnamed_informants_are_told_from_what_is_counted(text: str, informants: bool) -> None:
    assert counts_nothing_asked(text, figures(text)[0]) is informants


@pytest.mark.parametrize(
    ("question", "read"),
    [
        ("Who is the CFO?", "Who is the chief financial officer?"),
        ("who is acme's cfo", "who is acme's chief financial officer"),
        ("Who is the CEO?", "Who is the CEO?"),
        ("Who is the CTO?", "Who is the chief technology officer?"),
        ("Who is the boss?", "Who is the boss?"),
    ],
)
def test_an_office_that_no_text_abbreviates_is_spelt_out(question: str, read: str) -> None:
    assert spelt_out(question, ["The CEO left.", "Its finance chief left.", "THE DIRECTOR LEFT."]) == read
