"""Five articles on one accident, which report, contradict and correct one another."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rag.answering import Answerer
from rag.deny import contests
from rag.questions import analyse
from rag.relations import gives_no_reason
from rag.values import same_time
from tests.conftest import answering_over

TEXTS = {
    "harbour_times.md": """# Ferry runs aground off Tolsund, at least 11 hurt

*Harbour Times, 14 March 2025*

The passenger ferry Astrid ran aground on rocks near Tolsund shortly after 6 a.m. on Thursday with 212 \
people on board, the coastguard said. At least 11 people were injured, two of them seriously. No one was \
killed.

Captain Henrik Moen, 54, told investigators that the steering failed minutes before the ship struck the \
rocks. The ferry was built in 1998 and was refitted in 2019 for 40 million kroner.

Three lifeboats and a helicopter took part in the rescue, which was over by 9:30 a.m. All passengers were \
brought to the harbour of Tolsund, where the Red Cross had opened a shelter in the school.

The operator, Nordline, said that it would suspend the route until further notice. Tickets will be \
refunded within ten days, spokeswoman Karin Dahl said.
""",
    "daily_coast.md": """# Astrid accident: captain was asleep, crew member says

*The Daily Coast, 16 March 2025*

A member of the crew has told police that the captain of the ferry Astrid was asleep when the ship hit \
rocks off Tolsund on Thursday morning, a person familiar with the inquiry said. Nordline denies the claim. \
"Captain Moen was on the bridge and awake," the company's chief executive, Lars Brekke, said.

The number of injured has risen to 17, the hospital in Tolsund said on Saturday. One man, a 71-year-old \
passenger from Bergen, died of his injuries on Friday night.

There were 198 passengers and 14 crew on board. Damage to the hull is put at 25 million kroner by the \
insurer, Skagen Mutual; Nordline speaks of 18 million.

The ferry will be towed to a yard in Stavanger next week, where repairs are expected to take four months. \
The accident investigation board will publish its first findings in May.
""",
    "union_letter.md": """# Open letter on the Astrid accident

*Seafarers' Union, 20 March 2025*

The seafarers' union rejects the reports about Captain Moen. Our members worked fourteen-hour shifts on \
the route because Nordline cut the crew from 18 to 14 last year. The union had warned the company twice, \
in October 2024 and in January 2025, about faults in the steering gear.

We demand that the company hire at least four more people for each ship, and that the route not be \
reopened before the steering has been examined by an independent engineer. The union represents 3,200 \
seafarers. Its chairman is Odd Sletten.

The union does not say who was at the wheel. Nobody at Nordline has answered our letters.
""",
    "board_findings.md": """# Preliminary findings on the grounding of the ferry Astrid

*Accident Investigation Board, 22 May 2025*

The board finds that the steering gear of the Astrid did not fail. A cable had been replaced in February \
2025 and was in order. The master was on the bridge; the second officer, who had the watch, had left it \
for about six minutes to answer a call.

The ship struck the rocks at 6:07 a.m. at a speed of 16 knots. There were 212 persons on board, 198 of \
them passengers. Nineteen people were injured and one died.

The wind was from the southwest at 9 metres per second and visibility was good. The voyage data recorder \
was recovered on 18 March and read out in Oslo.

The board recommends that two officers be on the bridge at all times in narrow waters. The final report is \
due in spring 2026.
""",
    "nordline_q2.md": """# Nordline: second quarter of 2025

*Nordline, press release, 21 August 2025*

Nordline's revenue fell by 6 percent to 412 million kroner in the second quarter, after 438 million a year \
before. The company made a loss of 31 million kroner; a year earlier it had earned a profit of 12 million. \
Costs of the Astrid accident came to 44 million kroner, of which insurance paid 19 million.

The route between Tolsund and Haugvik will reopen on 1 October 2025 with the ferry Signe, which carries \
180 passengers. The Astrid, which can carry 260, will return in December. A single ticket will cost 145 \
kroner instead of 129; children under six travel free.

Chief executive Lars Brekke will step down at the end of the year. His successor is Ingrid Vik, who now \
heads the freight division. Nordline employs 640 people and runs nine ferries on five routes.
""",
}


@pytest.fixture(scope="module")
def answerer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Answerer]:
    with answering_over(tmp_path_factory.mktemp("event"), TEXTS) as answerer:
        yield answerer


@pytest.mark.parametrize(
    ("question", "short", "sources"),
    [
        # Nineteen were injured and 212 were on board: neither is a number of dead.
        ("How many people died?", "One", {"daily_coast.md", "board_findings.md"}),
        # 212 on board are not all passengers, and the 180 are those of another ship.
        ("How many passengers were on board?", "198", {"daily_coast.md", "board_findings.md"}),
        ("How many people were on board?", "212", {"harbour_times.md", "board_findings.md"}),
        ("How fast was the ferry going?", "16 knots", {"board_findings.md"}),
        # "6:07 a.m." and "on Thursday morning" do not contradict each other.
        ("When did the ship hit the rocks?", "6:07 a.m.", {"board_findings.md"}),
        ("What was Nordline's revenue in the second quarter?", "412 million kroner", {"nordline_q2.md"}),
        ("How much profit did Nordline make a year earlier?", "12 million", {"nordline_q2.md"}),
        ("Who chairs the union?", "Odd Sletten", {"union_letter.md"}),
        ("Who is Odd Sletten?", "chairman", {"union_letter.md"}),
    ],
)
def test_a_question_is_answered_by_those_who_tell(
    answerer: Answerer, question: str, short: str, sources: set[str]
) -> None:
    answer = answerer.ask(question)
    assert answer.outcome == "answered", answer.text
    assert (answer.short, {citation.source for citation in answer.citations}) == (short, sources), answer.text


def test_counts_of_one_thing_that_differ_are_a_dispute(answerer: Answerer) -> None:
    answer = answerer.ask("How many people were injured?")
    assert answer.outcome == "disputed"
    assert {position.value for position in answer.positions} == {"17", "Nineteen"}


@pytest.mark.parametrize(
    "question",
    ["What was Nordline's revenue in the first quarter?", "How many children were on board?", "Who owns Nordline?"],
)
def test_what_is_told_of_others_is_no_answer(answerer: Answerer, question: str) -> None:
    assert answerer.ask(question).outcome == "not_in_sources"


def test_who_denies_a_claim_stands_behind_it(answerer: Answerer) -> None:
    answer = answerer.ask("Was the captain asleep?")
    assert answer.text.endswith("Nordline denies the claim [2].")


def test_why_is_not_answered_by_what_shares_its_subject(answerer: Answerer) -> None:
    answer = answerer.ask("Why did the ferry run aground?")
    assert "built in 1998" not in answer.text


@pytest.mark.parametrize(
    ("text", "so"),
    [
        ("The ferry was built in 1998 and was refitted in 2019 for 40 million kroner.", True),
        ("The ferry ran onto rocks.", False),
        ("It did so because of the wind.", False),
    ],
)
def test_a_reason_is_told_of_in_two_words_of_the_question_or_as_a_cause(text: str, so: bool) -> None:
    assert gives_no_reason(analyse("Why did the ferry run aground on the rocks?"), text) is so


@pytest.mark.parametrize(
    ("text", "so"),
    [
        ("Nordline denies the claim.", True),
        ("The minister rejected all these reports.", True),
        ("Acme called the story untrue.", True),
        ("The council rejected the toll.", False),
        ("She disputed the parking fine.", False),
    ],
)
def test_a_denial_names_what_was_said(text: str, so: bool) -> None:
    assert contests(text) is so


@pytest.mark.parametrize(
    ("one", "other", "so"),
    [
        ("6:07 a.m.", "Thursday morning", True),
        ("6 a.m. on Thursday", "6:07 a.m.", True),
        ("19:00", "7 p.m.", True),
        ("8:15", "8:15 p.m.", True),
        ("7 a.m.", "7 p.m.", False),
        ("8:15", "8:20", False),
        ("Friday", "Thursday", False),
        ("midnight", "noon", False),
    ],
)
def test_times_are_the_same_as_far_as_they_are_told(one: str, other: str, so: bool) -> None:
    assert same_time(one, other) is so
    assert same_time(other, one) is so
