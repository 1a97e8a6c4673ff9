"""A hotel as its website, two guests and a guidebook tell of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rag.answering import Answerer
from rag.deny import takes_back
from tests.conftest import answering_over
from tests.test_answering import check_laws

TEXTS = {
    "website.txt": """Hotel Seeblick, Lindau
Our family-run hotel stands directly on the shore of the lake, eight minutes' walk from the railway \
station. It has 42 rooms, all with a balcony, a sauna, an outdoor pool (heated from April to October) and \
a restaurant with a terrace.

Double rooms cost from 148 euros, breakfast included. Children under six stay free in their parents' room. \
Dogs are welcome at a charge of 15 euros a night. Check-in is from 3 p.m., check-out until 11 a.m. Parking \
in our garage costs 18 euros a day; charging an electric car is free for guests.

Reservations can be cancelled free of charge until three days before arrival. The hotel is closed from 7 \
January to 20 February. Wireless internet is free in the whole house. The lift goes to all floors; two \
rooms are fit for wheelchairs.
""",
    "review_anna.txt": """"Lovely, but noisy" - review by Anna P., stayed in August 2025
We had room 304 for four nights. The view is wonderful, the breakfast plentiful. But the railway runs \
right behind the house: the last train passes at half past midnight. There was no air conditioning, and \
the pool was closed for repairs the whole week, which nobody had told us. Parking cost us 22 euros a day. \
The staff, above all Mr. Jovanovic at the reception, were very helpful. Our dog cost 20 euros a night. I \
would come again in autumn.
""",
    "review_max.txt": """"Not for people in a wheelchair" - review by Max T., stayed in May 2025
The website says that the lift goes to all floors. It does not: the sauna and the pool are on the lower \
level and can only be reached by a staircase of 16 steps. My room was spacious, the bathroom well \
equipped. The walk from the station took me 20 minutes. Wi-Fi worked in the lobby only. The restaurant is \
closed on Mondays and Tuesdays. Breakfast is served from 7 to 10:30. I paid 171 euros for a double room.
""",
    "guidebook.txt": """Lindau: where to stay
Seeblick. Three stars, 38 rooms. Built in 1904 as a villa for the brewer Johann Strehle, a hotel since \
1927, run by the Marte family in the third generation. Quiet situation, pool, sauna. No air conditioning. \
Good cooking; try the whitefish. Doubles 150 to 190 euros.
Alte Post. Four stars, 24 rooms in the old town, no parking. Doubles from 165 euros. The oldest inn of the \
town, first mentioned in 1520. Pets are not allowed.
""",
}


@pytest.fixture(scope="module")
def answerer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Answerer]:
    with answering_over(tmp_path_factory.mktemp("hotel"), TEXTS) as answerer:
        yield answerer


@pytest.mark.parametrize(
    ("question", "short"),
    [
        ("When is check-in?", "3 p.m."),
        ("Until when is check-out?", "11 a.m."),
        ("When is the restaurant closed?", "Mondays and Tuesdays"),
        ("Is there air conditioning?", "No."),
        ("Is the restaurant open on Mondays?", "No."),
        ("Can I cancel free of charge?", "Yes."),
    ],
)
def test_a_question_about_the_hotel_is_answered(answerer: Answerer, question: str, short: str) -> None:
    answer = answerer.ask(question)
    assert (answer.outcome, answer.short) == ("answered", short), answer.text


@pytest.mark.parametrize(
    ("question", "values"),
    [
        ("How much is parking?", {"18 euros", "22 euros"}),
        ("How much does a dog cost?", {"15 euros", "20 euros"}),
        ("How long is the walk from the station?", {"eight minutes", "20 minutes"}),
    ],
)
def test_what_guests_found_otherwise_is_a_dispute(answerer: Answerer, question: str, values: set[str]) -> None:
    answer = answerer.ask(question)
    check_laws(answer, answerer)
    assert {position.value for position in answer.positions} == values


def test_who_says_so_and_takes_it_back_says_no(answerer: Answerer) -> None:
    answer = answerer.ask("Does the lift go to all floors?")
    check_laws(answer, answerer)
    assert {position.value: position.sources for position in answer.positions} == {
        "Yes": ("website.txt",),
        "No": ("review_max.txt",),
    }
    assert "No according to review_max: It does not: the sauna and the pool are on the lower level" in answer.text


@pytest.mark.parametrize(
    ("text", "so"),
    [
        ("It does not: the sauna is on the lower level.", True),
        ("They were not.", True),
        ("That is wrong.", True),
        ("It does not open on Mondays.", False),
        ("It is not far.", False),
    ],
)
def test_what_is_taken_back(text: str, so: bool) -> None:
    assert takes_back(text) is so
