"""What people keep in one folder: a school's letter and minutes, a bicycle's manual and review, a museum's page."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rag.answering import Answerer
from rag.deny import denies, told_otherwise
from rag.questions import analyse
from rag.records import Turn
from rag.relations import deals_with_the_office
from rag.roles import tells_of_nobody, tells_of_the_other
from rag.values import figures, names_weekday_or_time
from tests.conftest import answering_over

TEXTS = {
    "newsletter.md": """# Riverside Primary School: newsletter, September 2025

Dear parents,

welcome back to Riverside. We have 312 pupils this year, 24 more than last year, and three new teachers: \
Anna Pohl teaches class 2b, Marek Dvorak takes over sports, and Lucy Adeyemi is our new music teacher. Our \
head teacher, Mrs Hannah Brandt, is on leave until November; until then her deputy, Paul Reiter, runs the \
school.

## Lunch

Lunch costs 3.80 euros a day, or 68 euros a month. The kitchen is closed on Fridays, so please give your \
child a packed lunch. Nuts are not allowed in school because two children have allergies.

## Dates

- Parents' evening: 18 September, 7 p.m., in the gym
- School photographs: 25 September
- Autumn holidays: 13 to 24 October
- Open day: 8 November, 10 a.m. to 2 p.m.

## Swimming

Classes 3a and 3b swim on Tuesday mornings at the Lido. The bus leaves at 8:15 sharp. Children without a \
swimming badge need a signed form, which you get from the school office. Mobile phones must stay switched \
off during lessons; they may be used in the yard after 1 p.m.

The roof of the gym was repaired over the summer for 41,000 euros, half of which the town paid. The parents' \
association donated a climbing frame worth 6,500 euros.
""",
    "minutes.txt": """Riverside Primary School
Minutes of the parents' association, 2 October 2025

Present: Julia Stein (chair), Tom Okafor (treasurer), Ines Weber (secretary), Paul Reiter for the school, \
eleven parents.

1. Treasurer's report. Tom Okafor reported a balance of 2,340 euros. The summer fair brought in 1,875 euros, \
about 400 euros less than in 2024 because of the rain. The climbing frame cost 6,200 euros.

2. Lunch. Several parents complained that portions are too small. Paul Reiter said that the caterer, \
Grünkost, had raised its price to 4.10 euros from 1 October and that the school had no influence on it. A \
vote on changing the caterer was postponed to the next meeting.

3. Traffic. The town refused to build a zebra crossing in front of the school. Julia Stein will write to the \
mayor again. Until then two parents will stand at the crossing each morning from 7:30 to 8.

4. Elections. Julia Stein does not stand again. Ines Weber was elected chair with nine votes; two abstained. \
Tom Okafor remains treasurer. The post of secretary stays vacant.

Next meeting: 27 November 2025, 7:30 p.m., room 12.
""",
    "manual.txt": """Ferrum E40 cargo bike: owner's manual (excerpt)

The E40 carries up to 180 kg, including the rider. The front box takes at most 80 kg, or two children up to \
the age of seven. Children must wear the belts at all times.

Battery. The battery holds 545 Wh and lasts for 50 to 80 km, depending on load and terrain. A full charge \
takes about four hours with the charger supplied. Do not charge the battery below 5 degrees Celsius. In \
winter, store it indoors at half charge. The battery is guaranteed for two years or 500 charges, whichever \
comes first; the frame is guaranteed for ten years.

Tyres. Keep the tyre pressure between 3.5 and 4.5 bar. The front tyre is a 20-inch one, the rear tyre a \
26-inch one.

If the display shows E07, the motor is too hot: stop and let it cool for ten minutes. E12 means that the \
brake sensor is dirty. If the bike does not start, check whether the battery is locked in; the red key must \
be turned to the left.

Service. Have the brakes checked after the first 300 km and every 1,500 km after that. The E40 is made by \
Ferrum Werke in Linz. Spare parts are sold by Velohaus and other dealers.
""",
    "review.txt": """We rode it for six weeks: the Ferrum E40
By Claire Dubois, Two Wheels, 14 June 2025

The Ferrum E40 costs 4,890 euros, 600 more than its rival, the Lasten One. For that you get a stronger motor \
and a lighter frame: at 38 kg it is the lightest bike in our test. The Lasten One weighs 44 kg.

In our test the battery lasted for just 43 km with two children on board. We liked the brakes, which are \
made by Magura, and the quiet motor. We did not like the stand, which broke after two weeks, nor the app, \
which crashed daily.

Ferrum was founded in 2009 by the brothers Karl and Emil Haas and has sold 60,000 bikes since. Last year it \
took over the Danish maker Nordcykel. Emil Haas told us that a folding version will follow in 2026.

Verdict: the best cargo bike for families that live on hills, but buy a better stand. Lasten One remains the \
better buy for flat towns.
""",
    "recipe.txt": """Grandmother's plum cake

For the dough, mix 500 g of flour with 30 g of fresh yeast, 80 g of sugar, a pinch of salt, 250 ml of \
lukewarm milk and 80 g of soft butter. Let it rise for one hour in a warm place. Stone 1.5 kg of plums and \
cut them in halves. Roll the dough out on a tray, lay the plums on it and let it rise for another 20 \
minutes. Bake at 190 degrees for 35 minutes. Sprinkle with cinnamon and sugar while it is still hot. The \
cake keeps for two days, or for three months in the freezer. Without plums you can take apricots, but then \
use only 60 g of sugar.
""",
    "museum.md": """# Harbour Museum: visitor information

The museum is open from Tuesday to Sunday, 10 a.m. to 5 p.m.; on Thursdays it stays open until 8 p.m. It is \
closed on Mondays and on 24 and 25 December. Admission is 9 dollars for adults and 4 dollars for children \
under 14; members and children under six enter free. Guided tours start at 11 a.m. and 3 p.m. and last fifty \
minutes. They cost 5 dollars extra.

Dogs are not admitted, except guide dogs. Photography without flash is permitted in all rooms but the map \
room. Large bags must be left in the cloakroom. The café on the second floor is run by the Santos family. \
There is a lift; wheelchairs can be borrowed at the entrance.

The museum was founded in 1921 by the shipowner Cornelius Vane. Its most famous object is the figurehead of \
the Amelia, a barque that sank off the Skerries in 1868 with 41 people on board; only the cook survived. The \
collection holds 12,400 objects, of which 900 are on show.

Director: Dr Miriam Okoye. Telephone: 555 0142. Address: 3 Quay Street, Port Ellis.
""",
    "courier.txt": """Harbour Museum to close for two years
Port Ellis Courier, 12 May 2026. By Dan Levitt

The Harbour Museum will close on 1 September for a renovation that will cost 18.5 million dollars, the city \
announced on Monday. It is to reopen in the autumn of 2028. The city pays 11 million; the rest comes from \
the Vane Foundation and from donors.

"The roof leaks and the wiring dates from 1954," said director Miriam Okoye, who has led the museum since \
2019. Her predecessor, Lars Holm, had asked for a renovation in vain for ten years.

The new wing was designed by the architect Yuki Tanabe and will house the ship models. Opponents say that \
the wing is too tall: at 24 metres it will tower over the old customs house. A petition against it has been \
signed by 3,100 people. The city council approved the plan in March by 14 votes to 9.

Last year 86,000 people visited the museum, 5,000 more than the year before. During the works a part of the \
collection will be shown in the town hall.
""",
}


@pytest.fixture(scope="module")
def answerer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Answerer]:
    with answering_over(tmp_path_factory.mktemp("everyday"), TEXTS) as answerer:
        yield answerer


@pytest.mark.parametrize(
    ("question", "short", "sources"),
    [
        ("Who teaches music?", "Lucy Adeyemi", {"newsletter.md"}),
        ("Who teaches class 2b?", "Anna Pohl", {"newsletter.md"}),
        ("How much does lunch cost a month?", "68 euros", {"newsletter.md"}),
        ("When does the bus leave?", "8:15 sharp", {"newsletter.md"}),
        # What other things cost is no price of a roof.
        ("How much did the roof cost?", "41,000 euros", {"newsletter.md"}),
        # Neither "on leave until November" nor two children who have allergies.
        ("When is the next meeting?", "27 November 2025", {"minutes.txt"}),
        ("How many children fit in the box?", "two", {"manual.txt"}),
        ("What should I do if the bike does not start?", None, {"manual.txt"}),
        ("Can I use apricots instead of plums?", "Yes.", {"recipe.txt"}),
        ("At what temperature is the cake baked?", "190 degrees", {"recipe.txt"}),
        ("Is the museum open on Mondays?", "No.", {"museum.md"}),
        ("When do guided tours start?", "11 a.m.", {"museum.md"}),
        ("How heavy is the Lasten One?", "44 kg", {"review.txt"}),
    ],
)
def test_a_question_is_answered_from_the_text_that_tells(
    answerer: Answerer, question: str, short: str | None, sources: set[str]
) -> None:
    answer = answerer.ask(question)
    assert answer.outcome == "answered"
    assert (answer.short, {citation.source for citation in answer.citations}) == (short, sources), answer.text


def test_a_code_is_not_another_code(answerer: Answerer) -> None:
    answer = answerer.ask("What does E07 mean?")
    assert [citation.quote for citation in answer.citations] == [
        "If the display shows E07, the motor is too hot: stop and let it cool for ten minutes."
    ]


@pytest.mark.parametrize(
    "question",
    [
        "Who is the mayor?",
        "How much does the Lasten One cost?",
        "Who was the director before Okoye?",
        "What is the school's phone number?",
        "What colour is the E40?",
    ],
)
def test_what_no_text_tells_is_refused(answerer: Answerer, question: str) -> None:
    answer = answerer.ask(question)
    assert answer.outcome == "not_in_sources", answer.text


def test_two_prices_of_one_thing_are_a_dispute(answerer: Answerer) -> None:
    answer = answerer.ask("How much did the climbing frame cost?")
    assert {position.value for position in answer.positions} == {"6,500 euros", "6,200 euros"}


def test_a_talk_goes_on(answerer: Answerer) -> None:
    history: list[Turn] = []
    for question, alone, short in (
        ("Who designed the new wing?", None, "Yuki Tanabe"),
        ("How tall is it?", "How tall is the new wing?", "24 metres"),
        ("Who is its architect?", "Who is the new wing's architect?", "Yuki Tanabe"),
        ("How long do I bake the cake?", None, "35 minutes"),
        ("At what temperature?", "At what temperature do I bake the cake?", "190 degrees"),
    ):
        answer = answerer.ask(question, history)
        assert (answer.rewritten, answer.short) == (alone, short)
        history.append(Turn(question, answer.text))


@pytest.mark.parametrize(
    ("question", "text", "so"),
    [
        ("Who is the mayor?", "Julia Stein will write to the mayor again.", True),
        ("Who is the mayor?", "Julia Stein thanked the mayor.", True),
        ("Who is the mayor?", "She was received by the mayor, Denise Albright.", False),
        ("Who is the mayor?", "She wrote to Mayor Denise Albright.", False),
        ("Who is the president of Mediabase?", "That is due to the president of Mediabase, Rich Meyer.", False),
        ("Who wrote to the mayor?", "Julia Stein will write to the mayor again.", False),
    ],
)
def test_who_deals_with_an_office_does_not_hold_it(question: str, text: str, so: bool) -> None:
    assert deals_with_the_office(question, text) is so


@pytest.mark.parametrize(
    ("question", "text", "so"),
    [
        ("How much does the Bolt cost?", "The Acme costs 90 euros, 10 more than the Bolt.", True),
        ("How much does the Bolt cost?", "The Bolt costs 80 euros, 10 less than the Acme.", False),
        ("How much does the Bolt cost?", "It costs 80 euros, unlike the older Bolt.", False),
        ("How much does the Bolt cost?", "For the Bolt they ask 80 euros.", False),
        ("What does the Bolt cost?", "The Acme costs 90 euros, 10 more than the Bolt.", False),
    ],
)
def test_what_is_said_of_another_thing_beside_it(question: str, text: str, so: bool) -> None:
    assert tells_of_the_other(analyse(question), text) is so


def test_who_somebody_is_tells_only_what_names_them() -> None:
    assert tells_of_nobody("Who is Dan Levitt?", "The Harbour Museum will close on 1 September.")
    assert not tells_of_nobody("Who is Dan Levitt?", "Levitt writes for the Courier.")
    assert not tells_of_nobody("Who is Dan Levitt?", "He writes for the Courier.")
    assert not tells_of_nobody("Who is the director?", "The Harbour Museum will close on 1 September.")


def test_opposites_deny() -> None:
    asked = analyse("Is the museum open on Mondays?")
    assert told_otherwise(asked.question, "It is closed on Mondays.") == ["open"]
    assert denies(asked, "It is closed on Mondays.")
    assert not told_otherwise(asked.question, "It is open on Mondays and closed on Tuesdays.")
    assert denies(analyse("Did sales rise?"), "Sales fell by 3 percent.")
    assert not denies(analyse("Did the shop close?"), "The shop opened with a party.")


@pytest.mark.parametrize("text", ["at 8:15", "from 7 p.m.", "7:30pm", "at noon", "on Thursdays", "at 6 o'clock"])
def test_a_time_of_day_says_when(text: str) -> None:
    assert names_weekday_or_time(text)


@pytest.mark.parametrize("text", ["a ratio of 3:1", "8,150 people", "section 7.30", "a.m. radio", "Monsanto"])
def test_other_numbers_do_not(text: str) -> None:
    assert not names_weekday_or_time(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("500 g of flour", [("500 g", "kg")]),
        ("60g of sugar", [("60g", "kg")]),
        ("250 ml of milk and 2 l of water", [("250 ml", "l"), ("2 l", "l")]),
        ("a battery of 545 Wh", [("545 Wh", "Wh")]),
        ("a 5G network", []),
        ("5 mg a day", [("5 mg", "kg")]),
        ("24 crowns, or 3 francs", [("24 crowns", "kr"), ("3 francs", "franc")]),
    ],
)
def test_small_units(text: str, told: list[tuple[str, str]]) -> None:
    assert [(figure.written, figure.unit) for figure in figures(text)] == told
