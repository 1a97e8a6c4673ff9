"""Four local texts about one bridge, which disagree: what is asked of a newspaper's archive."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rag.answering import Answerer
from rag.deny import denies
from rag.questions import analyse
from rag.relations import lacks_the_office
from tests.conftest import answering_over

NEWS = {
    "herald.txt": """Bridge over the Tarn reopens after repairs

By Lena Fuchs, The Herald, 4 April 2025

The Old Bridge in Marlow reopened on Thursday after repairs that cost 4.2 million dollars. The work took 14 months, \
five months longer than planned. Mayor Denise Albright cut the ribbon. About 600 people came to the ceremony. The \
bridge, built in 1887, carries 9,000 cars a day. Engineer Paul Osei led the repairs. He said that the stone piers \
would last another century.
""",
    "gazette.txt": """Marlow's Old Bridge is open again

By Omar Haddad, Marlow Gazette, 4 April 2025

Marlow's Old Bridge is open to cars again. The renovation cost $5.1 million, according to the council's treasurer, \
Ruth Vance. It began in February 2024. Some 1,500 residents attended the opening. The bridge dates from 1889. Critics \
say that the new lights are too bright. The council rejected a toll.
""",
    "radio.txt": """Radio Tarn, 3 April 2025. Good evening. The Old Bridge has been handed back to the people of \
Marlow. Repairs cost about four million dollars, the mayor told us. She added that the council had considered closing \
the bridge for good in 2022 but that residents had protested. Buses will use the bridge from May. A second bridge, the \
Hill Bridge, is to be repaired in 2026 for an estimated 2 million dollars.
""",
    "letter.txt": """To the editor: I was at the opening of the Old Bridge and I counted no more than 400 people. The \
mayor's speech lasted forty minutes. Why was there no wheelchair ramp? Anna Kowalski, Marlow.
""",
}


@pytest.fixture(scope="module")
def answerer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Answerer]:
    with answering_over(tmp_path_factory.mktemp("news"), NEWS) as answerer:
        yield answerer


@pytest.mark.parametrize(
    ("question", "short", "sources"),
    [
        ("When was the Old Bridge built?", "1887", {"herald.txt"}),
        ("When did the bridge reopen?", "Thursday", {"herald.txt"}),
        ("Who led the repairs?", "Paul Osei", {"herald.txt"}),
        ("Who is the treasurer?", "Ruth Vance", {"gazette.txt"}),
        ("Is there a toll?", "No.", {"gazette.txt"}),
        ("Did the council reject a toll?", "Yes.", {"gazette.txt"}),
        ("Is the bridge closed?", "No.", {"gazette.txt", "radio.txt"}),
        ("Will buses use the bridge?", "Yes.", {"radio.txt"}),
        ("How much will the Hill Bridge repair cost?", "an estimated 2 million dollars", {"radio.txt"}),
    ],
)
def test_a_question_is_answered_from_the_text_that_tells(
    answerer: Answerer, question: str, short: str, sources: set[str]
) -> None:
    answer = answerer.ask(question)
    assert (answer.short, {citation.source for citation in answer.citations}) == (short, sources), answer.text


@pytest.mark.parametrize(
    ("question", "positions"),
    [
        (
            "How much did the repairs of the Old Bridge cost?",
            [{"herald.txt", "radio.txt"}, {"gazette.txt"}],
        ),
        ("How many people came to the opening?", [{"gazette.txt"}, {"letter.txt"}, {"herald.txt"}]),
    ],
)
def test_who_says_what_is_shown_where_they_disagree(
    answerer: Answerer, question: str, positions: list[set[str]]
) -> None:
    answer = answerer.ask(question)
    assert answer.outcome == "disputed", answer.text
    assert [{answer.citations[n - 1].source for n in position.citations} for position in answer.positions] == positions


def test_who_signs_a_letter_is_no_mayor(answerer: Answerer) -> None:
    answer = answerer.ask("Who is the mayor of Marlow?")
    assert answer.short == "Denise Albright", answer.text


def test_what_nobody_measured_is_refused(answerer: Answerer) -> None:
    assert answerer.ask("How tall is the bridge?").outcome == "not_in_sources"


@pytest.mark.parametrize(
    ("question", "text", "lacks"),
    [
        ("Who is the mayor of Marlow?", "Anna Kowalski, Marlow.", True),
        ("Who is the mayor of Marlow?", "Mayor Denise Albright cut the ribbon.", False),
        ("Who was the founder of Acme?", "Acme was started by Jane Doe.", False),
        ("Who is Acme's CEO?", "Jane Doe runs it.", False),
        ("Who is Acme's CEO?", "Jane Doe wrote it.", True),
        ("Who hired the CEO?", "Jane Doe wrote it.", False),
        ("Who is the tallest?", "Jane Doe wrote it.", False),
    ],
)
def test_who_holds_an_office_is_said_where_it_is_named(question: str, text: str, lacks: bool) -> None:
    assert lacks_the_office(question, text) is lacks


@pytest.mark.parametrize(
    ("question", "text", "denied"),
    [
        ("Is there a toll?", "The council rejected a toll.", True),
        ("Did the council reject a toll?", "The council rejected a toll.", False),
        ("Is there a toll?", "The council introduced a toll.", False),
        ("Was the concert held?", "They cancelled the concert.", True),
        ("Is the bridge closed?", "They considered closing the bridge.", True),
    ],
)
def test_what_was_rejected_did_not_come_about(question: str, text: str, denied: bool) -> None:
    assert denies(analyse(question), text) is denied
