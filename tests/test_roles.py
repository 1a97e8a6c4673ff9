"""Who does it and who it is done to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.questions import analyse
from rag.roles import doer


def told(question: str, text: str, answer: str) -> str | None:
    start = text.index(answer)
    place = doer(analyse(question), text, (start, start + len(answer)))
    return text[slice(*place)] if place else None


@pytest.mark.parametrize(
    ("question", "text", "read", "answer"),
    [
        ("Who takes over testing?", "Dmitri takes over testing from Carla.", "Carla", "Dmitri"),
        ("Who takes over testing?", "In May, Dmitri Pavlov takes over testing from Carla.", "Carla", "Dmitri Pavlov"),
        ("Who redesigns the hinge?", "Bo will redesign the hinge by 30 May.", "Bo will redesign the hinge", "Bo"),
        ("Who bought Crest?", "Halden bought Crest in 2025.", "Halden", "Halden"),
        ("Who bought Crest?", "Halden has now bought Crest.", "Halden has now bought Crest", "Halden"),
        # The roles are reversed: the Normans are who replaced.
        ("Who replaced the Normans?", "The invading Normans replaced the Anglo-Saxons.", "Anglo-Saxons", None),
        ("Who betrayed the duke?", "They betrayed the duke and his brother, Odo.", "Odo", None),
        ("Who scored the most points?", "Only three men scored more than Wilt Chamberlain.", "Wilt Chamberlain", None),
        # A passive names the doer behind the verb.
        ("Who bought Crest?", "Crest was bought by Halden.", "Halden", "Halden"),
        ("Who owns the paper?", "The paper, owned by Booth, is a daily.", "Booth", "Booth"),
        (
            "Who raised Victoria?",
            "Victoria was raised under the eyes of Princess Louise.",
            "Princess Louise",
            "Princess Louise",
        ),
        (
            "Who introduced the plague?",
            "The plague spread after it introduced itself via traders.",
            "traders",
            "traders",
        ),
        ("Who scored most?", "Only one player, who scored 100 points, beat him: Wilt.", "Wilt", "Wilt"),
        # Another verb, a noun, another kind of question.
        ("Who founded Acme?", "Acme's founder is Jane Doe.", "Jane Doe", "Jane Doe"),
        ("Who purchased Crest?", "The purchase of Crest was led by Halden.", "Halden", "Halden"),
        ("Who did Halden buy?", "Halden buys Crest.", "Crest", "Crest"),
        ("Who is replaced?", "Bo replaces Carla.", "Carla", "Carla"),
        ("Who was the duke?", "Odo was the duke.", "Odo", "Odo"),
    ],
)
def test_who_does_it_stands_before_an_active_verb(question: str, text: str, read: str, answer: str | None) -> None:
    assert told(question, text, read) == answer


WORDS = st.sampled_from(
    ["Who", "who", "bought", "buys", "Halden", "Crest", "by", "was", "will", "quickly", "the", "Only", "."]
)


@given(st.lists(WORDS, max_size=8).map(" ".join), st.lists(WORDS, min_size=1, max_size=9).map(" ".join), st.data())
def test_the_doer_is_told_in_the_sentence(question: str, text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    place = doer(analyse(question), text, (start, end))
    assert place is None or 0 <= place[0] < place[1] <= len(text)
