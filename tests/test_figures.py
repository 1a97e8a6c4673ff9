"""Figures in text: what is one, what its words allow, what it counts."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from rag.figures import Figure, figures

SEEDS = Path(__file__).parent.parent / "seeds"


def _one(text: str) -> Figure:
    (figure,) = figures(text)
    return figure


def _written(text: str) -> list[str]:
    return [figure.written for figure in figures(text)]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("Last valued at approximately $14 billion in 2024", ["approximately $14 billion"]),
        ("reached $13.8 billion after", ["$13.8 billion"]),
        ("to invest over $10 billion in", ["over $10 billion"]),
        ("as much as $65 billion in AI", ["as much as $65 billion"]),
        ("between $60 billion and $65 billion in AI", ["between $60 billion and $65 billion"]),
        ("more than $10 billion.", ["more than $10 billion"]),
        ("the potential $10 billion-plus investment", ["$10 billion-plus"]),
        ("A $10 billion+ deal", ["$10 billion+"]),
        ("A $10 Billion Deal", ["$10 Billion"]),
        ("could exceed $10 billion", ["exceed $10 billion"]),
        ("operating 1.3 million GPUs and", ["1.3 million"]),
        ("about 350,000, it said", ["about 350,000"]),
        ("a 2-gigawatt data center", ["2-gigawatt"]),
        ("nearly one billion monthly users", ["nearly one billion"]),
        ("nearly a billion users", ["nearly a billion"]),
        ("13.8bn or $13.8bn or €5m", ["13.8bn", "$13.8bn", "€5m"]),
        ("13.8 billion dollars", ["13.8 billion dollars"]),
        ("USD 5 million and USD5m", ["USD 5 million", "USD5m"]),
        ("5 percent, 5 %, 12.5 per cent", ["5 percent", "5 %", "12.5 per cent"]),
        ("three offices, two dozen desks", ["three", "two dozen"]),
        ("half a million", ["half a million"]),
        ("two hundred and fifty people", ["two hundred and fifty"]),
        ("three and a half million", ["three and a half million"]),
        ("5k users", ["5k"]),
        ("from $60 to $65 billion", ["from $60 to $65 billion"]),
        ("$60-65 billion", ["$60-65 billion"]),
        ("60 to 65 percent", ["60 to 65 percent"]),
        ("rose from $5 billion to $7 billion", ["$5 billion", "$7 billion"]),
        ("grew 5 percent to 7 percent", ["5 percent", "7 percent"]),
        ("just over $10 billion", ["just over $10 billion"]),
        ("no more than 5 offices", ["no more than 5"]),
        ("$10 billion or more than that", ["$10 billion or more"]),
        ("~$14bn, >$5m", ["~$14bn", ">$5m"]),
        ("$13.8\nbillion", ["$13.8\nbillion"]),
        ("a heading that goes over\n\n5 offices", ["5"]),
        ("a fall of -5%", ["-5%"]),
        ("$ 2000 or CHF 2000", ["$ 2000", "CHF 2000"]),
        ("Ten firms reached 41.5 °C", ["Ten", "41.5 °C"]),
        ("up to 5 km", ["up to 5 km"]),
        ("a 10-year deal with a 12-member board", ["10-year", "12"]),
        ("at least one user", ["at least one"]),
        ("one user, one billion", ["one", "one billion"]),
    ],
)
def test_a_figure_is_the_shortest_exact_answer(text: str, written: list[str]) -> None:
    assert _written(text) == written


@pytest.mark.parametrize(
    "text",
    [
        "Llama 3.",
        "its Llama 4 launch",
        "Nvidia H100",
        "GPT-4",
        "Series F",
        "founded in 2016",
        "in May 2024",
        "two years ago",
        "◄ Terminator 2 Idiocracy 0 ►",
        "24/7",
        "1. Foo\n2. Bar",
        "growth [3]",
        "one of the largest",
        "one company's",
        "no one user",
        "5G and 3D and the 3rd",
        "page 3",
        "No. 5",
        "3:30, 3 p.m.",
        "a three-way deal, two-thirds of it",
        "a 2-1 win",
        "1.2.3",
        "1.000,5",
        "1-800-555-1234",
        "10000000000000000000000000",
        "4K video",
        "over 2024",
        "JPY-backed notes of 2024",
        "iPhone 15 sales",
        "the Group of Seven",
    ],
)
def test_names_dates_and_marks_are_no_figures(text: str) -> None:
    assert _written(text) == []


@pytest.mark.parametrize(
    ("text", "figure"),
    [
        (
            "$13.8bn",
            Figure(
                0, 7, "$13.8bn", _v := Fraction(13_800_000_000), _s := Fraction(10**8), _v - _s / 2, _v + _s / 2, "$"
            ),
        ),
        ("over 5 km", Figure(0, 9, "over 5 km", Fraction(5000), Fraction(1000), Fraction(5000), None, "m", "", "over")),
        ("up to 5%", Figure(0, 8, "up to 5%", Fraction(5), Fraction(1), None, Fraction(5), "%", "", "at_most")),
        (
            "5 to 7 firms",
            Figure(0, 6, "5 to 7", Fraction(7), Fraction(1), Fraction(5), Fraction(7), "", "firm", "between"),
        ),
    ],
    ids=["exact", "over", "at most", "between"],
)
def test_a_figure_knows_what_its_words_allow(text: str, figure: Figure) -> None:
    assert _one(text) == figure


@pytest.mark.parametrize(
    ("text", "noun"),
    [
        ("1.3 million GPUs and", "gpu"),
        ("350,000 Nvidia H100 chips for", "chip"),
        ("one billion monthly users across", "user"),
        ("two companies recently launched", "company"),
        ("300 people", "person"),
        ("one user says", "user"),
        ("$1 billion Series F", ""),
        ("350,000 in all", ""),
        ("5 s", "s"),
    ],
)
def test_a_count_knows_what_it_counts(text: str, noun: str) -> None:
    assert _one(text).noun == noun


SEED_FIGURES = {
    "000_dc2299e4ed74c16e.txt": "over $10 billion|approximately $14 billion|$25 billion|over $13 billion"
    "|as much as $65 billion|1 billion|$870 million|$2 billion|two|$10 billion-plus",
    "001_9eb630c19336d33f.txt": "more than $10 billion|$7.3 billion|$10 billion+",
    "002_2d9ecda08faa1a08.txt": "$10 Billion|exceeding $10 billion|$870 million|$2 billion|$13.8 billion|$25 billion"
    "|between $60 billion and $65 billion|1.3 million|$10 Billion|nearly one billion|over $13 billion|two|$10 Billion",
    "003_0a4d6a4e2c9f2246.txt": "$10 Billion|exceed $10 billion|$1 billion|$10 Billion|more than $10 billion|two"
    "|exceed $10 billion|$870 million|$2 billion|$1 billion|$13.8 billion|exceed $10 billion|two|exceed $10 billion"
    "|$870 million|$2 billion|more than $10 billion|exceeding $10 billion",
    "004_074847769e106522.txt": "exceed $10 billion|$870 million|exceed $2 billion|$1 billion"
    "|approximately $13.8 billion|$25 billion|2-gigawatt|approximately 350,000|one billion|over $13 billion",
}


@pytest.mark.parametrize("source", SEED_FIGURES)
def test_every_figure_of_an_article_is_found_and_no_other(source: str) -> None:
    assert _written((SEEDS / source).read_text("utf-8")) == SEED_FIGURES[source].split("|")
