"""A company's handbook, what has been changed in it since, a welcome and the minutes of a meeting."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import pytest

from rag.answering import Answerer
from rag.backends.offline import Scripted
from rag.check import Checker
from rag.generate import Generator
from rag.records import Message
from tests.conftest import answering_over
from tests.test_answering import check_laws

TEXTS = {
    "handbook_2024.md": """# Employee handbook, Tarn Software, edition of January 2024

## Holidays
Full-time employees have 25 days of paid holiday a year, besides public holidays. Up to five unused days \
may be carried over and must be taken by 31 March. Requests go to the team lead at least two weeks ahead.

## Working from home
Employees may work from home up to two days a week. Tuesdays are spent in the office by everyone. Working \
from abroad is not permitted.

## Equipment
Each employee gets a laptop and may choose between a ThinkPad and a MacBook. Laptops are replaced after \
three years. Lost equipment must be reported to it@tarn.example within 24 hours.

## Expenses
Trips by train are booked in second class. Hotels may cost up to 120 euros a night, in London and Zurich \
up to 180. Receipts are handed in within 30 days through the tool Spendly. Alcohol is not reimbursed.

## Sick leave
Call your team lead before 9:30 on the first day. A doctor's note is needed from the fourth day on.
""",
    "update_2025.md": """# Changes from 1 July 2025

Dear all,

the works council and the management have agreed on the following:

- The holiday entitlement rises from 25 to 28 days.
- Working from home is possible on three days a week. The common office day is now Wednesday.
- Working from abroad is allowed for up to 20 days a year within the EU, with the consent of your team \
lead and of HR.
- The hotel limit rises to 140 euros; the exceptions stay as they are.
- A doctor's note is needed from the third day on, not from the fourth.
- The tool Spendly is replaced by Kosto. Receipts may be handed in until the end of the following quarter.

Whoever has been with us for five years gets one additional day of holiday; after ten years it is three.

Questions? Write to Nora Feld in HR (extension 204).
""",
    "onboarding.txt": """Welcome to Tarn!

Your first day begins at 10 o'clock at the reception on the ground floor. Ask for Ben. Please bring your \
passport, your tax number and the signed contract. You get your badge and your laptop on the same day; the \
password for the guest network is on the board in the kitchen.

In the first week you meet your mentor, a colleague from another team. After four weeks there is a talk \
with your team lead, and the probation period ends after six months. During it the notice period is two \
weeks, afterwards three months.

Lunch is subsidised with 6.50 euros a day. The canteen is open from 11:45 to 14:00 and closed on Fridays. \
Dogs are welcome on the second floor only. Bicycles can be parked in the yard; there are 14 car parking \
spaces, which are given out by lot each January.

Salaries are paid on the 28th of the month. A Christmas bonus of half a month's salary is paid with the \
November salary.

The fire exits are at both ends of the corridor. Our data protection officer is an external lawyer, Dr. \
Silke Amann.
""",
    "minutes.txt": """Minutes of the staff meeting, 6 October 2025
Present: 61 of 84 employees. Chair: Ruth Abel. Minutes: Ben Oduya.

1. Ruth Abel (managing director) reports: orders of 9.1 million euros by the end of September, 12 percent \
more than in the year before. Two of the five open positions have been filled.
2. Nora Feld reports on the new working from home rule: on average 47 desks of 90 are in use. The \
management would like to give up the third floor in 2026; nothing has been decided.
3. Leo Marsh asks whether there will be a pay rise. Ruth Abel: there will be talks in January; last year \
it was 3.5 percent.
4. The summer party cost 11,300 euros, 800 less than planned. The majority wishes for a winter party \
instead of the summer party (34 to 21, 6 abstentions).
5. The coffee machine on the second floor will be replaced. Leo Marsh volunteers to get offers.
Next meeting: 12 January 2026.
""",
}


@pytest.fixture(scope="module")
def answerer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Answerer]:
    with answering_over(tmp_path_factory.mktemp("handbook"), TEXTS) as answerer:
        yield answerer


@pytest.mark.parametrize(
    ("question", "old", "new"),
    [
        ("How many days of holiday do I get?", "25 days", "28 days"),
        ("How many days a week may I work from home?", "up to two days", "three days"),
        ("How expensive may a hotel be?", "up to 120 euros", "140 euros"),
        ("Can I work from abroad?", "No", "Yes"),
    ],
)
def test_what_has_been_changed_is_a_dispute_of_the_old_and_the_new(
    answerer: Answerer, question: str, old: str, new: str
) -> None:
    answer = answerer.ask(question)
    assert answer.outcome == "disputed"
    told = {position.value: position.sources for position in answer.positions}
    assert told == {old: ("handbook_2024.md",), new: ("update_2025.md",)}


def test_a_dispute_over_yes_or_no_says_who_says_what(answerer: Answerer) -> None:
    answer = answerer.ask("Can I work from abroad?")
    check_laws(answer, answerer)
    assert answer.text == (
        "No according to handbook_2024: Working from abroad is not permitted [1]. "
        "Yes according to update_2025: Working from abroad is allowed for up to 20 days a year within the EU, with the "
        "consent of your team lead and of HR [2]."
    )
    assert [claim.verdict for claim in answer.claims] == ["disputed", "disputed"]
    assert [(position.value, position.citations) for position in answer.positions] == [("No", (1,)), ("Yes", (2,))]


def test_a_model_that_gives_one_side_is_joined_by_the_other(answerer: Answerer) -> None:
    class OneSided(Scripted):
        def reply(self, messages: Sequence[Message]) -> str:
            line = re.search(r"^(\d+\.\d+) Working from abroad is not permitted", messages[1].text, re.MULTILINE)
            return f"Working from abroad is not permitted [{line[1] if line else ''}]."

    model = OneSided("")
    spoken = answerer.with_model(Generator(model, Checker(answerer.verifier), max_tokens=200, history=500, flag=False))
    answer = spoken.ask("Can I work from abroad?")
    check_laws(answer, spoken)
    assert answer.outcome == "disputed"
    said, added = answer.claims
    assert said.text == "Working from abroad is not permitted."
    assert added.text.startswith("Yes according to update_2025: Working from abroad is allowed")


@pytest.mark.parametrize(
    ("question", "short"),
    [
        ("Is alcohol reimbursed?", "No."),
        # That work from abroad is not permitted says nothing of dogs.
        ("Are dogs allowed?", "Yes."),
        ("How much did the summer party cost?", "11,300 euros"),
        ("How long is the probation period?", "six months"),
        ("Who is the managing director?", "Ruth Abel"),
    ],
)
def test_what_one_source_tells_is_no_dispute(answerer: Answerer, question: str, short: str) -> None:
    answer = answerer.ask(question)
    assert (answer.outcome, answer.short) == ("answered", short), answer.text


def test_a_time_of_something_else_is_no_answer_where_a_better_sentence_has_none(answerer: Answerer) -> None:
    assert "9:30" not in answerer.ask("When do I need a doctor's note?").text


@pytest.mark.parametrize(
    "question", ["Will there be a pay rise?", "Will the third floor be given up?", "Is there a gym?"]
)
def test_what_is_asked_or_undecided_is_not_told(answerer: Answerer, question: str) -> None:
    assert answerer.ask(question).outcome == "not_in_sources"
