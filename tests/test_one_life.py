"""A life as an encyclopedia, a daughter, a museum and a reviewer tell it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rag.answering import Answerer
from rag.deny import speaks_of_another
from rag.questions import analyse
from tests.conftest import answering_over

TEXTS = {
    "encyclopedia.txt": """Ilse Brandner
Ilse Brandner (born 4 March 1889 in Innsbruck, died 17 October 1961 in Zurich) was an Austrian \
mountaineer, physician and writer. She was the first woman to climb the Ortler by the Marltgrat, in 1912.

Brandner studied medicine in Vienna from 1908 to 1914 and was one of eleven women in her year. During the \
First World War she ran a field hospital in Trento with 120 beds. In 1919 she married the geologist Emil \
Haas, with whom she had two daughters, Marta and Lotte. They divorced in 1927.

Between 1921 and 1934 she led four expeditions, two to the Caucasus, one to the Pamir and one to Nanga \
Parbat, where three porters died in an avalanche in July 1934. She reached a height of 6,950 metres there, \
then a record for women.

In 1938 she fled to Switzerland, where she practised as a doctor in Davos until 1955. Her memoir "Thin \
Air" (1947) was translated into nine languages and sold 300,000 copies. A hut of the Alpine Club and a \
street in Innsbruck are named after her.
""",
    "daughter.txt": """My mother, the mountaineer
by Lotte Haas, in: Alpine Annals, 1979

My mother was born on 4 March 1891; she made herself two years older in order to be admitted to the \
university. She hated to be called brave. "I was careful," she used to say.

On Nanga Parbat four porters lost their lives, not three, as is written everywhere. She paid a pension to \
their families until her death, out of what the book earned. She never climbed again after that summer.

She was not easy. My sister and I grew up with our grandmother in Hall. Father left us in 1926. When we \
fled in March 1938, she carried the ice axe of 1912 in her luggage and nothing else of value. It lies in \
the museum in Innsbruck today.

She gave up her practice at sixty-four because of her eyes. She died of a stroke in Zurich, where I lived.
""",
    "museum_label.txt": """Object 2217: Ice axe
Ash wood and steel, length 98 cm, weight 1.1 kg. Made by Fulpmes, about 1910.
Used by Ilse Brandner on the first ascent of the Ortler's Marltgrat by a woman on 9 August 1912. Gift of \
Marta Haas, 1963.
The axe was stolen in 1987 and found again in 1991 in a flea market in Bolzano.
Not on display until the renovation of the east wing is finished (expected in autumn 2026).
""",
    "review.txt": """"Thin Air" after seventy years
Book review, The Alpine Post, 12 December 2017

Ilse Brandner's memoir of 1948 is back in print. The new edition, edited by Judith Kern, restores two \
chapters that the first publisher had cut: one on her divorce and one on the avalanche, for which she \
blames the expedition's financier, the newspaper owner Karl Auer, who had insisted on a late start.

It has 412 pages and costs 32 euros. Kern's notes are excellent, the maps too small. We learn that \
Brandner spoke five languages, played the cello badly and never learned to ski.

The book sold half a million copies in its day. A film by Anna Lenz, with Vera Moll as Brandner, is to be \
shot in 2018.
""",
}


@pytest.fixture(scope="module")
def answerer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Answerer]:
    with answering_over(tmp_path_factory.mktemp("life"), TEXTS) as answerer:
        yield answerer


@pytest.mark.parametrize(
    ("question", "short"),
    [
        ("When did Ilse Brandner die?", "17 October 1961"),
        ("How many expeditions did she lead?", "four"),
        # Of the four these are a part.
        ("How many expeditions went to the Caucasus?", "two"),
        ("How heavy is the ice axe?", "1.1 kg"),
        ("Who edited the new edition?", "Judith Kern"),
        ("Could Brandner ski?", "No."),
        ("When did the father leave?", "1926"),
        ("Did Brandner study in Berlin?", "No."),
    ],
)
def test_a_question_about_the_life_is_answered(answerer: Answerer, question: str, short: str) -> None:
    answer = answerer.ask(question)
    assert (answer.outcome, answer.short) == ("answered", short), answer.text


@pytest.mark.parametrize("question", ["How did Ilse Brandner die?", "What did Ilse Brandner die of?"])
def test_a_date_does_not_say_how(answerer: Answerer, question: str) -> None:
    assert answerer.ask(question).short != "17 October 1961"


def test_how_many_were_sold_is_a_dispute_though_one_source_says_it_in_fewer_words(answerer: Answerer) -> None:
    answer = answerer.ask("How many copies did the book sell?")
    assert [position.value for position in answer.positions] == ["half a million", "300,000"]


@pytest.mark.parametrize(
    ("question", "so"),
    [
        ("Did Brandner climb in 1934?", True),
        ("Did Brandner climb again after 1934?", False),
        ("What has Brandner climbed since 1910?", False),
        ("What did Brandner climb before the 1930 expedition?", False),
    ],
)
def test_a_year_that_bounds_is_no_other_year(question: str, so: bool) -> None:
    assert speaks_of_another(analyse(question), "Brandner climbed the Ortler in 1912.") is so
