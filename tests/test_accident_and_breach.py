"""Articles on one accident and on one theft of data, which report, contradict and correct one another."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rag.answering import Answerer
from rag.deny import contests
from rag.questions import analyse
from rag.records import Turn
from rag.relations import gives_no_reason
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

BREACH = {
    "tribune.txt": """Velmora Bank says data of 1.2 million customers were stolen
The Tribune, 3 February 2026

Velmora Bank said on Tuesday that hackers had stolen the names, addresses and account numbers of 1.2 \
million customers. Passwords and card details were not taken, the bank said. It learned of the intrusion \
on 19 January and informed the regulator two days later.

The attackers entered through a server of a supplier, Datacord, whose software had not been updated since \
August 2025. They demanded a ransom of $6 million. The bank did not pay.

Shares of Velmora fell 7.4 percent to $31.20. "We are deeply sorry," chief executive Paula Renner said. \
Customers will receive a letter and two years of free credit monitoring.

Velmora, founded in 1921 in Ostrava, has 4.8 million customers in six countries and employs 11,400 people. \
Last year it earned $890 million on revenue of $5.2 billion.
""",
    "cyberwire.txt": """Velmora breach larger than told, researchers say
CyberWire, 9 February 2026

The files that hackers took from Velmora Bank hold records of about 2.1 million people, almost twice the \
number the bank has given, according to the security company Northgate, which examined a sample of 40,000 \
records offered for sale. Among them are card details of some 15,000 customers.

The group, which calls itself Pale Fox, asks for 90 bitcoin, roughly $5.8 million. A spokesman for \
Velmora, Tomas Hrdy, said the bank stood by its figure and could not confirm the authenticity of the \
sample.

Northgate's head of research, Amara Diallo, said the attackers had been inside the bank's network since \
early November, not for days as Velmora had suggested. "They had ten weeks," she said.

Datacord rejected the claim that its software was the way in. It said that it had released a patch in \
September and that Velmora had failed to install it.
""",
    "regulator.txt": """Order concerning Velmora Bank a.s.
Financial Conduct Office, 30 April 2026

1. The Office imposes a fine of 14 million euros on Velmora Bank for failing to protect customer data. The \
bank may appeal within 30 days.
2. The Office finds that data of 1,930,000 customers were copied between 4 November 2025 and 19 January \
2026.
3. Card details of 15,212 customers were among them. Passwords were stored in encrypted form and were not \
copied.
4. The bank informed the Office on 26 January 2026, after the period of 72 hours had passed.
5. The patch of the supplier Datacord had been available since 11 September 2025. It was installed on 20 \
January 2026.
6. The bank must have its systems examined by an independent auditor by 31 December 2026 and report every \
three months until then.
""",
    "court.txt": """Customers sue Velmora
Ostrava Courier, 12 May 2026

More than 3,000 customers have joined a lawsuit against Velmora Bank over the theft of their data. They \
demand 500 euros each, said their lawyer, Petra Novak of the firm Novak & Lind. The first hearing is set \
for 8 September at the regional court in Ostrava. Judge Milan Dvorak will preside.

The bank has announced an appeal against the fine that the regulator imposed last month. Paula Renner \
resigned on 4 May; finance chief Georg Adler leads the bank until a successor is found. Her severance pay \
of $3.4 million has been criticised by shareholders.

Police in Spain arrested two men, aged 19 and 24, in Valencia in March. A third suspect is still at large. \
The bank says it has spent 22 million euros on security since the attack and has hired 60 specialists.
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


@pytest.fixture(scope="module")
def of_the_breach(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Answerer]:
    with answering_over(tmp_path_factory.mktemp("breach"), BREACH) as answerer:
        yield answerer


@pytest.mark.parametrize(
    ("question", "short"),
    [
        # Of all the customers that are counted only these have joined a lawsuit.
        ("How many customers sue?", "More than 3,000"),
        ("How many customers' card details were stolen?", "15,212"),
        ("How much ransom was demanded?", "$6 million"),
        ("What was the share price after the fall?", "$31.20"),
        ("Who leads the bank now?", "Georg Adler"),
        ("Since when were the attackers in the network?", "early November"),
        ("When was the patch released?", "September"),
        ("What is Pale Fox?", None),
    ],
)
def test_a_question_about_the_breach_is_answered(of_the_breach: Answerer, question: str, short: str | None) -> None:
    answer = of_the_breach.ask(question)
    assert (answer.outcome, answer.short) == ("answered", short), answer.text


def test_a_source_agrees_with_the_best_that_it_says(of_the_breach: Answerer) -> None:
    # The order gives two dates of the patch: its release, as another does, and its installation.
    answer = of_the_breach.ask("When was the patch installed?")
    assert answer.positions[0].value == "20 January 2026"
    assert [position.sources for position in answer.positions] == [("regulator.txt",), ("cyberwire.txt",)]


def test_a_long_answer_with_a_date_agrees_by_its_date(of_the_breach: Answerer) -> None:
    assert "regulator also says 11 September 2025 [2]." in of_the_breach.ask("When was the patch released?").text


def test_the_name_of_somebody_is_a_name(of_the_breach: Answerer) -> None:
    assert of_the_breach.ask("What is the name of the third suspect?").outcome == "not_in_sources"


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


def test_a_topic_in_brackets_is_no_part_of_what_is_held_against_the_sources(answerer: Answerer) -> None:
    history = [Turn("What happened to the Astrid?", "The Astrid ran aground.")]
    answer = answerer.ask("Did anyone die?", history)
    assert answer.rewritten == "Did anyone die (Astrid)?"
    assert (answer.short, answer.citations[0].quote) == ("Yes.", "Nineteen people were injured and one died.")


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
