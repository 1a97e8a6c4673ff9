"""When values agree, what moment a figure speaks of, text as it is compared, and laws for any text."""

from __future__ import annotations

import random
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.values import Date, Figure, Moment, agree, dates, figures, groups, holds, moment, normal, same_moment


def _one(text: str) -> Figure:
    (figure,) = figures(text)
    return figure


# ---- agreement ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("$13.8bn", "approximately $14 billion"),
        ("$13.8bn", "$14bn"),
        ("$13.8bn", "over $13bn"),
        ("$13.8bn", "13.8 billion dollars"),
        ("$13.8bn", "$13,800,000,000"),
        ("$13.8bn", "$13,800 million"),
        ("as much as $65 billion", "between $60 billion and $65 billion"),
        ("over $10bn", "$10bn"),
        ("over $10bn", "more than $10bn"),
        ("exceeding $10bn", "$10bn"),
        ("$10 billion-plus", "exceed $10 billion"),
        ("over $10bn", "$14.3bn"),
        ("nearly one billion", "1 billion"),
        ("nearly one billion users", "one billion people"),
        ("$10bn", "$10.4bn"),
        ("approximately 350,000", "347,512"),
        ("$870 million", "$0.87 billion"),
        ("at least $10bn", "at most $10bn"),
        ("2-gigawatt", "2,000 MW"),
        ("5 percent", "5%"),
        ("between 60 and 65", "between 64 and 70"),
        ("0", "0.4"),
    ],
)
def test_figures_agree(a: str, b: str) -> None:
    assert agree(_one(a), _one(b))
    assert agree(_one(b), _one(a))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("$7.3bn", "$13.8bn"),
        ("$7.3bn", "approximately $14bn"),
        ("$80bn", "$150bn"),
        ("$13.8bn", "$13.9bn"),
        ("$10bn", "$13bn"),
        ("$10bn", "$10.6bn"),
        ("over $10bn", "$9bn"),
        ("over $10bn", "$9.9bn"),
        ("over $10bn", "$20bn"),
        ("over $10bn", "$25bn"),
        ("up to $65bn", "$30bn"),
        ("over $10bn", "under $10bn"),
        ("over $10bn", "nearly $10bn"),
        ("at least $10bn", "less than $10bn"),
        ("$5m", "€5m"),
        ("$5m", "5m users"),
        ("5%", "5"),
    ],
)
def test_figures_do_not_agree(a: str, b: str) -> None:
    assert not agree(_one(a), _one(b))
    assert not agree(_one(b), _one(a))


def test_agreement_is_not_transitive() -> None:
    low, round_, high = (_one(text) for text in ("$13.8bn", "$14bn", "$14.2bn"))
    assert (agree(low, round_), agree(round_, high), agree(low, high)) == (True, True, False)


def test_the_positions_of_the_contract_are_two_groups() -> None:
    said = [
        "approximately $14 billion",
        "$7.3 billion",
        "$13.8 billion",
        "$13.8 billion",
        "approximately $13.8 billion",
    ]
    assert groups([_one(text) for text in said]) == [[0, 2, 3, 4], [1]]


def test_a_round_figure_joins_the_nearest_group() -> None:
    assert groups([_one(text) for text in ("$14bn", "$13.6bn", "$14.1bn")]) == [[0, 2], [1]]


MANTISSAS = st.builds(
    lambda whole, decimals: f"{whole}{decimals}", st.integers(1, 999), st.sampled_from(["", ".0", ".3", ".8", ".25"])
)
HEDGES = st.sampled_from(
    ["{}", "about {}", "nearly {}", "over {}", "at least {}", "under {}", "up to {}", "{}-plus", "{} or less"]
)


@st.composite
def amounts(draw: st.DrawFn, scale: str = "billion") -> str:
    if draw(st.booleans()):
        return draw(HEDGES).format(f"${draw(MANTISSAS)} {scale}")
    low = draw(st.integers(1, 500))
    return f"between ${low} {scale} and ${low + draw(st.integers(1, 500))} {scale}"


@given(amounts(), amounts())
def test_agreement_is_symmetric_and_reflexive(a: str, b: str) -> None:
    assert agree(_one(a), _one(b)) == agree(_one(b), _one(a))
    assert agree(_one(a), _one(a))


@given(amounts(), amounts(), st.sampled_from(["thousand", "million", "trillion", "bn"]))
def test_agreement_does_not_depend_on_the_scale(a: str, b: str, scale: str) -> None:
    smaller = [_one(text.replace("billion", scale)) for text in (a, b)]
    assert agree(*smaller) == agree(_one(a), _one(b))


@given(st.lists(amounts(), max_size=8), st.randoms())
def test_groups_part_the_figures_whatever_their_order(said: list[str], chance: random.Random) -> None:
    made = groups([_one(text) for text in said])
    assert sorted(place for group in made for place in group) == list(range(len(said)))
    order = list(range(len(said)))
    chance.shuffle(order)
    shuffled = groups([_one(said[place]) for place in order])
    assert sorted(sorted(said[order[place]] for place in group) for group in shuffled) == sorted(
        sorted(said[place] for place in group) for group in made
    )


# ---- moments --------------------------------------------------------------------------------

AHEAD, FACT = True, False


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Last valued at approximately $14 billion in 2024, Scale has since been in talks for a tender offer"
            " that could raise its valuation to $25 billion.",
            [("2024", FACT), (None, AHEAD)],
        ),
        ("Its latest valuation reached $13.8 billion after a major funding round in May 2024.", [("May 2024", FACT)]),
        (
            "The company generated $870 million in revenue in 2024 and projects $2 billion for 2025.",
            [("2024", FACT), ("2025", AHEAD)],
        ),
        (
            "Meta is considering a multi-year commitment that could value Scale AI significantly above its last known"
            " valuation of $7.3 billion.",
            [(None, FACT)],
        ),
        (
            "Scale grew, with 2024 revenues hitting $870 million and expectations of $2 billion in sales in 2025.",
            [("2024", FACT), ("2025", AHEAD)],
        ),
        (
            "The company saw $870 million in revenue last year and expects to bring in $2 billion this year.",
            [("last year", FACT), ("this year", AHEAD)],
        ),
        (
            "It has demonstrated growth, reporting $870 million in revenue last year and projecting sales to"
            " exceed $2 billion this year.",
            [("last year", FACT), ("this year", AHEAD)],
        ),
        (
            "Scale AI’s most recent valuation, following a $1 billion Series F funding round in 2024 (which included"
            " Meta), stood at approximately $13.8 billion.",
            [("2024", FACT), ("2024", FACT)],
        ),
        ("That funding round valued Scale AI at $13.8 billion.", [(None, FACT)]),
        ("The company is also discussing a tender offer that could value it at $25 billion.", [(None, AHEAD)]),
        (
            "Mark Zuckerberg declared in January that the company will invest between $60 billion and $65 billion in AI"
            " infrastructure and development in 2025.",
            [("2025", AHEAD)],
        ),
        ("In January, he declared AI a priority, announcing plans to invest $65 billion in 2025.", [("2025", AHEAD)]),
        ("A $10 Billion Scale AI Deal Could Deepen Meta’s AI Push", [(None, AHEAD)]),
        ("Microsoft has poured over $13 billion into OpenAI, while others could follow.", [(None, FACT)]),
        (
            "Earlier this year, reports indicated discussions that could elevate it to $25 billion.",
            [("Earlier this year", AHEAD)],
        ),
        ("In 2024, Scale AI generated $870 million.", [("2024", FACT)]),
        ("In 2023, revenue was $5 million, costs were $3 million.", [("2023", FACT), ("2023", FACT)]),
        ("Scale generated $870 million, up from $500 million in 2023.", [(None, FACT), ("2023", FACT)]),
        ("Revenue rose from $870 million in 2024 to $2 billion in 2025.", [("2024", FACT), ("2025", FACT)]),
        ("Revenue rose from 2024's $870 million to 2025's $2 billion.", [("2024", FACT), ("2025", FACT)]),
        ("The 2024 revenue of $870 million makes it likely to go public in 2026.", [("2024", FACT)]),
        ("Founded in 2016, Scale AI has 900 employees.", [(None, FACT)]),
        ("It raised $5 million. In 2024 it moved.", [(None, FACT)]),
        ("It is expected to be valued at $25 billion.", [(None, AHEAD)]),
        ("It may raise the value from $13.8 billion to $25 billion.", [(None, FACT), (None, AHEAD)]),
        ("It is worth $13.8 billion, as of May 2024.", [("May 2024", FACT)]),
    ],
)
def test_a_figure_speaks_of_its_moment(text: str, expected: list[tuple[str | None, bool]]) -> None:
    moments = [moment(text, figure) for figure in figures(text)]
    found = [(text[m.date.start : m.date.end] if m.date else None, m.prospective) for m in moments]
    assert found == expected


def test_the_day_of_writing_resolves_a_moment() -> None:
    text = "It made $870 million last year."
    date = Date(text.index("last"), len(text) - 1, year=2024, relative=-1)
    assert moment(text, _one(text), "2025-06-08") == Moment(date, prospective=False)


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("It made $5 in 2024.", "It made $6 in May 2024.", True),
        ("It made $5 in 2024.", "It made $6.", True),
        ("It made $5 in 2024.", "It made $6 in 2025.", False),
        ("It made $5 in 2024.", "It could make $6 in 2024.", False),
        ("It made $5 in 2024.", "It made $6 last year.", True),
    ],
)
def test_an_unknown_moment_is_the_same_as_all_but_plans_are_not_facts(a: str, b: str, same: bool) -> None:
    assert same_moment(moment(a, _one(a)), moment(b, _one(b))) == same
    assert same_moment(moment(b, _one(b)), moment(a, _one(a))) == same


# ---- text as it is compared -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("One  Billion\nUsers", "1 billion users"),
        ("US$13.8bn and 13.8 bn", "$13.8 billion and 13.8 billion"),
        ("12 per cent, 12 percent, 12 %", "12%, 12%, 12%"),
        ("1,000 of 1,000,000, not 2024,100", "1000 of 1000000, not 2024,100"),
        ("two hundred and fifty, half a million", "250, 0.5 million"),
        ("$10-billion, 2-gigawatt", "$10 billion, 2 gigawatt"),
        ("“Meta’s” — x–y", '"meta\'s" - x-y'),
        ("5k, €5m", "5 thousand, €5 million"),
        ("Twenty-five oneself", "25 oneself"),
    ],
)
def test_normal_text(text: str, form: str) -> None:
    assert normal(text) == form


@pytest.mark.parametrize(
    ("text", "string", "held"),
    [
        ("worth $13.8bn now", "13.8 billion", True),
        ("$870 million", "870 million", True),
        ("nearly one billion users", "1 Billion", True),
        ("It is 13.", "13", True),
        ("said “no” – twice", '"no" - twice', True),
        ("213.8 billion", "13.8 billion", False),
        ("13.8 billion", "3.8 billion", False),
        ("13.8 billion", "8 billion", False),
        ("13.8", "13", False),
        ("11,000", "1,000", False),
        ("Metadata", "Meta", False),
        ("213.8 billion or 13.8 billion", "13.8 billion", True),
        ("anything", "", False),
    ],
)
def test_a_text_holds_a_string_between_word_bounds(text: str, string: str, held: bool) -> None:
    assert holds(text, string) == held


# ---- laws for any text --------------------------------------------------------------------------

PIECES = (
    "one two-three twenty-five a an half hundred dozen million billion bn m k % percent per cent $ US$ € 1 13.8 1,000"
    " 2024 2,0 - – , . ' “ ” ( ) [ ] + / : May 8 June in last year ago between and from to over nearly up about more"
    " than or so plus Q3 1990s users company's Llama could expects was while \n \t \n\n \u017f \u0131 \u0130 \u212a"
    " laſt yeaſ ſix ßu x²"
).split(" ")
TEXTS = st.one_of(
    st.text(),
    st.lists(st.sampled_from([*PIECES, " "]), max_size=25).map(" ".join),
    st.lists(st.sampled_from([*PIECES, " "]), max_size=25).map("".join),
)


@given(TEXTS)
def test_spans_are_exact_and_in_order(text: str) -> None:
    found = figures(text)
    assert all(text[figure.start : figure.end] == figure.written.strip() != "" for figure in found)
    for spans in (found, dates(text)):
        ends = [place for each in spans for place in (each.start, each.end)]
        assert ends == sorted(ends)
        assert all(0 <= each.start < each.end <= len(text) for each in spans)
    assert all(figure.end <= date.start or date.end <= figure.start for figure in found for date in dates(text))


@given(TEXTS)
def test_a_figure_allows_what_it_says(text: str) -> None:
    for figure in figures(text):
        assert figure.low is None or figure.low <= figure.value
        assert figure.high is None or figure.value <= figure.high
        assert agree(figure, figure)


@given(TEXTS)
def test_every_figure_has_a_moment_in_its_sentence(text: str) -> None:
    for figure in figures(text):
        date = moment(text, figure, "2025-06-08").date
        assert date is None or 0 <= date.start < date.end


@given(TEXTS)
def test_normal_text_is_its_own_normal_form(text: str) -> None:
    assert normal(normal(text)) == normal(text)


@given(TEXTS)
def test_a_text_holds_itself(text: str) -> None:
    assert holds(text, text)


@pytest.mark.parametrize(
    "piece",
    [
        "1",
        "1.",
        "1,",
        "1,111,",
        " ",
        "\n",
        "$",
        "1 ",
        "a ",
        "half a ",
        "twenty ",
        "between 1 and ",
        "May ",
        "in May ",
        "could ",
        "- ",
    ],
    ids=repr,
)
def test_a_hostile_text_of_100_000_characters_is_read(piece: str) -> None:
    """A pattern that looks at every pair of places would not come to an end here."""
    text = (piece * 100_000)[:100_000]
    found = figures(text)
    assert len(dates(text)) <= len(text)
    assert holds(text, normal(text)[: len(text) // 2] + "!") is False
    assert all(moment(text, figure).date is None for figure in found[:: max(1, len(found) // 3)])


def test_importing_compiles_no_pattern() -> None:
    code = "import re, dataclasses, fractions, functools, typing\nre.compile = None\nimport rag.values"
    assert subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=False).returncode == 0
