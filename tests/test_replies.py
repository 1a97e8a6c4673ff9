"""A model's reply to statements, whatever way it writes its ids and however it arrives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.records import REFUSAL
from rag.replies import Reply, Statement, statements

RAIN = Statement("It rained in Rome.", ("2.3",))


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        pytest.param("It rained in Rome [2.3].", [RAIN], id="before the full stop"),
        pytest.param("It rained in Rome. [2.3]", [RAIN], id="behind the full stop"),
        pytest.param("[2.3] It rained in Rome.", [RAIN], id="in front"),
        pytest.param("It rained in Rome (2.3).", [RAIN], id="round brackets"),
        pytest.param("It rained in Rome 【2.3】.", [RAIN], id="lens brackets"),
        pytest.param("It rained in Rome [source 2.3].", [RAIN], id="with a word"),
        pytest.param("- **It rained** in Rome [2.3].", [RAIN], id="Markdown item"),
        pytest.param("1. It rained in Rome [2.3].", [RAIN], id="numbered item"),
        pytest.param("Here is the answer:\n\nIt rained in Rome [2.3].", [RAIN], id="preamble"),
        pytest.param("Based on the sources, it rained in Rome [2.3].", [RAIN], id="lead"),
        pytest.param("It rained in Rome [2.3].\n\nSources:\n[2.3] The Times, page 4.", [RAIN], id="list of sources"),
        pytest.param("<think>Was it 2.3? [1.1]</think>It rained in Rome [2.3].", [RAIN], id="a thought"),
        pytest.param("It rained in Rome [2.3][2.4].", [Statement(RAIN.text, ("2.3", "2.4"))], id="two brackets"),
        pytest.param("It rained in Rome [2.3, 1.4].", [Statement(RAIN.text, ("2.3", "1.4"))], id="two ids"),
        pytest.param("It rained in Rome [2.3-2.5].", [Statement(RAIN.text, ("2.3", "2.4", "2.5"))], id="a range"),
        pytest.param("It rained in Rome [2].", [Statement(RAIN.text, ("2",))], id="a whole source"),
        pytest.param("It rained in Rome.", [Statement(RAIN.text, ())], id="no id"),
        pytest.param("It rose by 2.3 percent [1.1].", [Statement("It rose by 2.3 percent.", ("1.1",))], id="a figure"),
        pytest.param(
            "It rained in Rome [2.3]. Snow fell in the U.S. [1.1]",
            [RAIN, Statement("Snow fell in the U.S.", ("1.1",))],
            id="two sentences",
        ),
        pytest.param(
            "It rained all day in Ghent [2.3] Snow fell in Bruges [1.1].",
            [Statement("It rained all day in Ghent", ("2.3",)), Statement("Snow fell in Bruges.", ("1.1",))],
            id="no full stop",
        ),
        pytest.param(
            "In May [2.3] Rome had rain [1.1] and Ghent had snow.",
            [Statement("In May Rome had rain and Ghent had snow.", ("2.3", "1.1"))],
            id="ids inside",
        ),
        pytest.param("", [], id="nothing"),
        pytest.param("Sure! Here are the facts:", [], id="only talk"),
        pytest.param("[2.3]", [], id="only an id"),
    ],
)
def test_a_reply_gives_its_statements(reply: str, expected: list[Statement]) -> None:
    assert statements(reply) == expected


def test_the_refusal_is_known_in_whatever_dress() -> None:
    assert [s.refuses for s in statements(REFUSAL)] == [True]
    assert [s.refuses for s in statements(f"**{REFUSAL.rstrip('.')}**")] == [True]
    assert statements("The sources do not say when it was.")[0].refuses
    assert not statements("The sources do not say why, but Acme closed in 1990 [1.1].")[0].refuses
    assert not statements("The sources do say so [1.1].")[0].refuses


SENTENCES = st.lists(
    st.sampled_from(
        [
            "It rained in Rome [2.3].",
            "Snow fell in the north of Italy. [1.1, 1.2]",
            "Mr. Brown paid $13.8 billion (4.5).",
            "The U.S. market grew by 2.3 percent last year [3.1]!",
            "Nobody knows why.",
            REFUSAL,
        ]
    ),
    max_size=6,
)


@given(SENTENCES, st.sampled_from([" ", "\n", "\n\n- "]), st.lists(st.integers(1, 9), min_size=1))
def test_in_pieces_a_reply_says_the_same_as_whole(parts: list[str], joint: str, sizes: list[int]) -> None:
    whole = joint.join(parts)
    reply, given_, at = Reply(), [], 0
    for place in range(len(whole)):
        size = sizes[place % len(sizes)]
        given_ += reply.feed(whole[at : at + size])
        at += size
    assert [*given_, *reply.end()] == statements(whole)


@given(st.text())
def test_no_reply_is_too_odd(text: str) -> None:
    for statement in statements(text):
        assert statement.text.strip()
        assert not set(statement.text) & {chr(c) for c in range(0xE000, 0xE010)}


def test_a_statement_is_given_as_soon_as_the_next_one_is_under_way() -> None:
    reply = Reply()
    assert reply.feed("It rained in Rome") == []
    assert reply.feed(" [2.3].") == []
    assert reply.feed(" Snow fell in the north") == [RAIN]
    assert reply.end() == [Statement("Snow fell in the north", ())]
