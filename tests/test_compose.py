"""Quotes to the sentences of an answer."""

from __future__ import annotations

import pytest

from rag.compose import names_of, quote, shown
from rag.records import Evidence, Hit, Passage, Sentence
from rag.weigh import Saying, Stand

LIST = "It could give Acme:\n- Speed\n- Money\nThat is all."


def evidence(source: str = "a.txt", place: int = 0) -> Evidence:
    bullets = (Sentence(20, 21, "other"), Sentence(28, 29, "other"))
    items = (Sentence(22, 27, "item"), Sentence(30, 35, "item"))
    sentences = (Sentence(0, 19), bullets[0], items[0], bullets[1], items[1], Sentence(36, 48))
    return Evidence(Hit(Passage(source, 0, len(LIST), LIST, sentences), 1.0), sentences[place], 0.9)


@pytest.mark.parametrize("place", [0, 2, 4])
def test_a_short_list_is_quoted_whole_from_its_opening(place: int) -> None:
    span = quote(evidence(place=place))
    assert LIST[span.start : span.end] == "It could give Acme:\n- Speed\n- Money"
    assert shown(LIST[span.start : span.end]) == "It could give Acme: Speed; Money."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It rained.", "It rained."),
        ("It rained\nall day.", "It rained all day."),
        ("- Faster cycles", "Faster cycles."),
        ("It rained.[12]", "It rained."),
        ("It **rained**.", "It rained."),
        ("| 2022 | 187 boats |", "2022 | 187 boats."),
        ("Did it rain?", "Did it rain?"),
        ("He said “it rains.”", "He said “it rains.”"),
        ("• Data matters:", "Data matters."),
    ],
)
def test_a_quote_is_shown_as_one_sentence(text: str, expected: str) -> None:
    assert shown(text) == expected


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        (["000_dc2299e4ed74c16e.txt", "001_9eb630c19336d33f.txt"], ["000", "001"]),
        (["reports/may.md", "june.md"], ["may", "june"]),
        (["a/notes.md", "b/notes.md"], ["a/notes.md", "b/notes.md"]),
        (["annual_report_2024.pdf"], ["annual_report_2024"]),
        (["report [5].txt"], ["report (5)"]),
    ],
)
def test_sources_are_called_by_the_shortest_name_that_tells_them_apart(sources: list[str], expected: list[str]) -> None:
    names = names_of([Stand(tuple(Saying(evidence(source)) for source in sources))])
    assert [names[source] for source in sources] == expected
