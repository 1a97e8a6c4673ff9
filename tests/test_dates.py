"""Dates in text: which there are, and which are the same."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.dates import Date, dates, resolved, same_date, same_time, share_a_part, tells_when
from rag.deny import speaks_of_another
from rag.questions import analyse


@pytest.mark.parametrize(
    ("text", "written", "date"),
    [
        ("Founded in 2016 by", "2016", Date(0, 0, 2016)),
        ("2024’s best", "2024", Date(0, 0, 2024)),
        ("in mid-2024", "mid-2024", Date(0, 0, 2024)),
        ("round in May 2024.", "May 2024", Date(0, 0, 2024, 5)),
        ("Jan. 2024", "Jan. 2024", Date(0, 0, 2024, 1)),
        ("on June 8, 2025,", "June 8, 2025", Date(0, 0, 2025, 6, 8)),
        ("on JUNE 8, 2025,", "JUNE 8, 2025", Date(0, 0, 2025, 6, 8)),
        ("on 8 June 2025", "8 June 2025", Date(0, 0, 2025, 6, 8)),
        ("on the 8th of June", "8th of June", Date(0, 0, None, 6, 8)),
        ("date 2025-06-08 Meta", "2025-06-08", Date(0, 0, 2025, 6, 8)),
        ("on 13/08/2025", "13/08/2025", Date(0, 0, 2025, 8, 13)),
        ("on 06/08/2025", "06/08/2025", Date(0, 0, 2025)),
        ("in Q3 2024", "Q3 2024", Date(0, 0, 2024, quarter=3)),
        ("third quarter of 2024", "third quarter of 2024", Date(0, 0, 2024, quarter=3)),
        ("fiscal 2024", "fiscal 2024", Date(0, 0, 2024)),
        ("in the 1990s", "the 1990s", Date(0, 0, 1990, years=10)),
        ("revenue last year and", "last year", Date(0, 0, relative=-1)),
        ("Earlier this year, it", "Earlier this year", Date(0, 0, relative=0)),
        ("two years ago", "two years ago", Date(0, 0, relative=-2)),
        ("12 years ago", "12 years ago", Date(0, 0, relative=-12)),
        ("declared in January that", "January", Date(0, 0, None, 1)),
        ("January", "January", Date(0, 0, None, 1)),
        ("built in 1849", "1849", Date(0, 0, 1849)),
        ("in the 17th century", "the 17th century", Date(0, 0, 1600, years=101)),
        ("a late nineteenth-century house", "late nineteenth-century", Date(0, 0, 1800, years=101)),
        ("in the first half of the 5th century BC", "the 5th century BC", Date(0, 0, -500, years=101)),
        ("died in AD 14, aged", "AD 14", Date(0, 0, 14)),
        ("by 800 CE", "800 CE", Date(0, 0, 800)),
        ("in 44 BC.", "44 BC", Date(0, 0, -44)),
        ("the fire (1834)", "1834", Date(0, 0, 1834)),
    ],
)
def test_a_date_is_found_with_its_exact_words(text: str, written: str, date: Date) -> None:
    start = text.index(written)
    assert dates(text) == (replace(date, start=start, end=start + len(written)),)


def test_a_span_of_years_is_two() -> None:
    assert [(date.start, date.year) for date in dates("The war (1754–1763) ended.")] == [(9, 1754), (14, 1763)]


@pytest.mark.parametrize(
    ("question", "text", "another"),
    [
        ("Who ruled in 1847?", "In the 19th century the Lees ruled.", False),
        ("Who ruled in 1947?", "In the 19th century the Lees ruled.", True),
        ("Who ruled in 1994?", "The Lees ruled in the 1990s.", False),
        ("Who ruled in 1984?", "The Lees ruled in the 1990s.", True),
    ],
)
def test_a_year_lies_in_its_century_and_decade(question: str, text: str, another: bool) -> None:
    assert speaks_of_another(analyse(question), text) is another


@pytest.mark.parametrize(
    ("answer", "so"),
    [
        ("1347", True),
        ("66 million years ago", True),
        ("at 8:15", True),
        ("Thursday", True),
        ("1,347", False),
        ("$1347", False),
        ("a pump", False),
    ],
)
def test_what_may_tell_when(answer: str, so: bool) -> None:
    assert tells_when(answer) is so


@pytest.mark.parametrize(
    "text",
    [
        "$2000",
        "2000 km",
        "2000 employees",
        "USD 2000",
        "1849 ships",
        "it may 20 times",
        "May 20,000 people",
        "2016.5",
        "Mars 2000x",
    ],
)
def test_amounts_and_verbs_are_no_dates(text: str) -> None:
    assert dates(text) == ()


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("May 2024", "2024", True),
        ("May 2024", "Q2 2024", True),
        ("May 2024", "in May", True),
        ("in 1994", "the 1990s", True),
        ("2024", "last year", True),
        ("8 June 2025", "2025-06-08", True),
        ("8 June 2025", "9 June 2025", False),
        ("May 2024", "June 2024", False),
        ("May 2024", "Q3 2024", False),
        ("May 2024", "May 2025", False),
        ("2004", "the 1990s", False),
    ],
)
def test_a_coarser_date_is_the_same_date(a: str, b: str, same: bool) -> None:
    assert same_date(*dates(a), *dates(b)) == same
    assert same_date(*dates(b), *dates(a)) == same


@pytest.mark.parametrize(
    ("a", "b", "share"),
    [
        ("2022", "11 February", False),
        ("last year", "11 February", False),
        ("2024", "last year", True),
        ("last year", "last year", True),
        ("May 2024", "2024", True),
        ("in May", "May 2024", True),
        ("in May", "Q2", True),
    ],
)
def test_a_year_and_a_day_tell_nothing_of_each_other(a: str, b: str, share: bool) -> None:
    assert share_a_part(*dates(a), *dates(b)) == share
    assert share_a_part(*dates(b), *dates(a)) == share


@pytest.mark.parametrize(
    ("text", "published", "year"),
    [
        ("last year", "2025-06-08", 2024),
        ("this year", "2025-06-08T10:00:00Z", 2025),
        ("in January", "2025-06-08", 2025),
        ("in August", "2025-06-08", 2024),
        ("in 2016", "2025-06-08", 2016),
        ("in August", "2025", None),
        ("last year", None, None),
        ("last year", "June 2025", None),
    ],
)
def test_a_relative_date_is_resolved_from_the_day_of_writing(
    text: str, published: str | None, year: int | None
) -> None:
    (date,) = dates(text)
    assert resolved(date, published).year == year


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


MOMENTS = st.lists(
    st.sampled_from(
        ["Thursday", "on Fridays", "noon", "midnight", "8:15", "8 a.m.", "20:15", "7 o'clock", "rain", "24:00"]
    )
).map(" and ".join)


@given(MOMENTS, MOMENTS)
def test_whether_times_are_the_same_holds_both_ways(one: str, other: str) -> None:
    assert same_time(one, one)
    assert same_time(one, other) is same_time(other, one)
