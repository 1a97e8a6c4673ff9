"""Claims to numbered citations."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.cite import Draft, DraftPosition, Numbering, Part, Quote, marked
from rag.records import Hit, Passage, Sentence

TEXT = "It rained.\nIt rained hard. It stopped."


class Paper:
    """A source of three sentences as a snapshot: lines and pages that can be checked in the head."""

    generation = "one"

    def line_at(self, name: str, offset: int) -> int:
        return 1 + TEXT[:offset].count("\n")

    def page_at(self, name: str, offset: int) -> int | None:
        return 7 if name == "b.pdf" else None


def quote(source: str, start: int, end: int) -> Quote:
    sentences = (Sentence(0, 10), Sentence(11, 26), Sentence(27, 38))
    return Quote(Hit(Passage(source, 0, len(TEXT), TEXT, sentences), 1.0, title="Weather"), start, end)


def test_numbers_follow_the_text_and_a_span_is_one_citation() -> None:
    first, second = quote("a.txt", 0, 10), quote("b.pdf", 11, 26)
    drafts = [Draft((Part("Wet", (second,)), Part("; dry.", (first,)))), Draft((Part("Wet again.", (second,)),))]
    numbering = Numbering()
    told = tuple(numbering.add(draft) for draft in drafts)
    cited = numbering.cited([DraftPosition("wet", (second,))], Paper())  # type: ignore[arg-type]
    assert cited.sentences == told
    assert cited.sentences == ("Wet [1]; dry [2].", "Wet again [1].")
    assert [(c.number, c.source, c.line, c.page, c.quote) for c in cited.citations] == [
        (1, "b.pdf", 2, 7, "It rained hard."),
        (2, "a.txt", 1, None, "It rained."),
    ]
    assert [c.citations for c in cited.claims] == [(1, 2), (1,)]
    assert (cited.positions[0].sources, cited.positions[0].citations) == (("b.pdf",), (1,))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("It rained.", "It rained [1][2].", id="full stop"),
        pytest.param("It rained", "It rained [1][2]", id="no full stop"),
        pytest.param("It rained!", "It rained [1][2]!", id="exclamation mark"),
        pytest.param('He said "Go."', 'He said "Go." [1][2]', id="stop inside the quotation"),
        pytest.param("He said “go”.", "He said “go” [1][2].", id="stop behind the quotation"),
    ],
)
def test_marks_stand_before_the_closing_punctuation(text: str, expected: str) -> None:
    assert marked(text, [1, 2]) == expected


SPANS = st.sampled_from([(0, 10), (11, 26), (27, 38), (0, 26)])
QUOTES = st.lists(st.tuples(st.sampled_from(["a.txt", "b.pdf"]), SPANS), min_size=1, max_size=3)


@given(st.lists(st.lists(QUOTES, min_size=1, max_size=3), max_size=5))
def test_every_number_is_used_in_order_without_gap(shape: list[list[list[tuple[str, tuple[int, int]]]]]) -> None:
    drafts = [
        Draft(tuple(Part("word ", tuple(quote(source, *span) for source, span in quotes)) for quotes in draft))
        for draft in shape
    ]
    numbering = Numbering()
    for draft in drafts:
        numbering.add(draft)
    cited = numbering.cited([], Paper())  # type: ignore[arg-type]
    used = [int(n) for n in re.findall(r"\[(\d+)\]", " ".join(cited.sentences))]
    assert list(dict.fromkeys(used)) == sorted(set(used)) == [c.number for c in cited.citations]
    assert all(TEXT[c.start : c.end] == c.quote for c in cited.citations)
