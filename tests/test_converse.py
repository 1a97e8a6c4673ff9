"""Follow-ups to questions that stand alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.converse import standalone
from rag.questions import STOP_WORDS, WORD, stem
from rag.records import Turn

FOUNDED = Turn("Who founded Acme Robotics?", "Acme Robotics was founded by Jane Doe.")
INVESTED = Turn("How much did Bigcorp invest in Acme in 2024?", "Bigcorp invested $5 million.")


@pytest.mark.parametrize(
    ("follow_up", "turn", "expected"),
    [
        pytest.param("When did she do that?", FOUNDED, "When did Jane Doe found Acme Robotics?", id="pronoun and verb"),
        pytest.param("What is her age?", FOUNDED, "What is Jane Doe's age?", id="possessive of a person"),
        pytest.param("Where is the company based?", FOUNDED, "Where is Acme Robotics based?", id="the company"),
        pytest.param("And when was that?", FOUNDED, "When was Acme Robotics founded?", id="bare question word"),
        pytest.param("Why?", Turn("Did Acme fail?", "Yes."), "Why did Acme fail?", id="why, after a yes/no question"),
        pytest.param("And in 2025?", INVESTED, "How much did Bigcorp invest in Acme in 2025?", id="another year"),
        pytest.param("And Microsoft?", INVESTED, "How much did Microsoft invest in Acme in 2024?", id="another name"),
        pytest.param(
            "what about amazon?", INVESTED, "How much did Amazon invest in Acme in 2024?", id="name in lower case"
        ),
        pytest.param("And Scale AI's?", Turn("Who is Meta's CEO?", "Jane Doe."), "Who is Scale AI's CEO?", id="whose"),
        pytest.param("Who paid for it?", Turn("Who drew the tower?", "Jane Doe."), "Who paid for the tower?", id="it"),
        pytest.param(
            "Who approved it?", Turn("When was the new pier opened?", "In May."), "Who approved the new pier?", id="the"
        ),
        pytest.param("Who runs Bigcorp?", INVESTED, "Who runs Bigcorp?", id="stands alone already"),
        pytest.param(
            "And how many clerks?",
            Turn("How many customers does Acme have?", "Acme has 40."),
            "How many clerks does Acme have?",
            id="something else is counted",
        ),
        pytest.param(
            "And the loss?",
            Turn("What was the revenue of Acme?", "Acme took 40 euros."),
            "What was the loss of Acme?",
            id="something else of the same",
        ),
        pytest.param(
            "What about the year before?",
            Turn("What was the revenue of Acme?", "Acme took 40 euros."),
            "What was the revenue of Acme the year before?",
            id="another time in words",
        ),
        pytest.param(
            "Did it warn the company?",
            Turn("What does the union demand?", "It demands more pay."),
            "Did the union warn the company?",
            id="it is not the company beside it",
        ),
        pytest.param(
            "How many of them were hurt?",
            Turn("How many people were on board the Astrid?", "There were 212 on board."),
            "How many of the people were hurt?",
            id="of them, who are people",
        ),
        pytest.param(
            "How many passengers does it carry?",
            Turn("When will the route reopen?", "In May."),
            "How many passengers does the route carry?",
            id="a verb at the end is no topic",
        ),
    ],
)
def test_what_is_left_out_is_filled_in(follow_up: str, turn: Turn, expected: str) -> None:
    assert standalone(follow_up, [turn]) == expected


@pytest.mark.parametrize("odd", ["And?", "ok", "'s?", "And C:\\Users?", "What about \\1?", "And \\g<x>?", "and 's"])
def test_an_odd_follow_up_is_a_question_all_the_same(odd: str) -> None:
    assert standalone(odd, [INVESTED]).strip()


def test_the_nearest_turn_that_names_somebody_is_meant() -> None:
    history = [FOUNDED, Turn("Is it big?", "No."), Turn("Since when?", "Since 2016.")]
    assert standalone("What did she study?", history) == "What did Jane Doe study?"


CHIPS = Turn("Which Nvidia chips does Meta use for its AI projects?", "Meta uses Nvidia H100 chips.")
CANCER = (Turn("What is throat cancer?", ""), Turn("Is it treatable?", ""), Turn("Is it the same as lung cancer?", ""))
YOGA = Turn("What is yoga good for?", "")


@pytest.mark.parametrize(
    ("follow_up", "history", "expected"),
    [
        pytest.param(
            "What causes it?", CANCER, "What causes throat cancer?", id="a topic stays through questions on it"
        ),
        pytest.param(
            "How do they differ?", CANCER, "How do throat cancer and lung cancer differ?", id="two set side by side"
        ),
        pytest.param(
            "Who are its rivals?",
            [Turn("Which startup is Meta in talks with?", "Scale AI."), Turn("Did it grow?", "Scale AI grew fast.")],
            "Who are Scale AI's rivals?",
            id="what an answer to a pronoun named",
        ),
        pytest.param(
            "How many of those does it have?", [CHIPS], "How many of Nvidia chips does Meta have?", id="those"
        ),
        pytest.param("What are the main types?", [YOGA], "What are the main types (yoga)?", id="nothing is named"),
        pytest.param("How many types are there?", [YOGA], "How many types are there (yoga)?", id="existential there"),
        pytest.param("What is a genre?", [YOGA], "What is a genre?", id="a topic of its own"),
        pytest.param("How do whales sleep?", [YOGA], "How do whales sleep?", id="a subject of its own"),
        pytest.param(
            "What came after the collapse?",
            [Turn("Tell me about the Bronze Age collapse.", "")],
            "What came after the Bronze Age collapse?",
            id="the last word of a name",
        ),
        pytest.param(
            "What is Rock City and why is it famous?",
            [Turn("What is Chattanooga known for?", "")],
            "What is Rock City and why is it famous?",
            id="it is named in the question",
        ),
        pytest.param(
            "And in government?",
            [Turn("Who are Scale AI's customers in the private sector?", "")],
            "Who are Scale AI's customers in government?",
            id="another place",
        ),
        pytest.param(
            "Why would it do that?",
            [Turn("Which company does Meta want to put money into?", "Scale AI.")],
            "Why would Meta want to put money into?",
            id="do that",
        ),
        pytest.param(
            "How much did that round bring in?",
            [Turn("Did Meta invest before?", "Yes, in Scale AI's Series F.")],
            "How much did that round bring in (Meta invest before, Scale AI, Series F)?",
            id="that, and what was told",
        ),
        pytest.param("Why did it win?", [Turn("Did it win?", "Yes.")], "Why did it win?", id="nothing was ever named"),
        pytest.param("x " * 400 + "it?", [YOGA], "x " * 400 + "it?", id="a long question says enough"),
    ],
)
def test_topics_are_carried_over(follow_up: str, history: list[Turn], expected: str) -> None:
    assert standalone(follow_up, history) == expected


@pytest.mark.parametrize("history", [[FOUNDED], [INVESTED], [CHIPS, FOUNDED], list(CANCER)])
@pytest.mark.parametrize(
    "complete",
    [
        "Who runs Bigcorp?",
        "When did Jane Doe found Acme Robotics?",
        "How much did Microsoft invest in Acme in 2024?",
        "Tell me about lung cancer.",
        "Who are Scale AI's customers in government?",
    ],
)
def test_a_question_that_stands_alone_stays_as_it_is(complete: str, history: list[Turn]) -> None:
    assert standalone(complete, history) == complete


questions = st.sampled_from([
    "Who founded Acme Robotics?", "What is throat cancer?", "When was the new pier opened?",
    "Which firms invest in AI?",
    "Is it big?", "How do they differ?", "And in 2025?", "Why?", "What about Bigcorp?", "Why would it do that?",
    "What are the main types?", "And the cost?", "Tell me more about that round.", "Did she found it?",
    "How does its revenue compare?", "What do these chips cost there?", "Over what?", "who dropped them",
])  # fmt: skip
answers = st.sampled_from(
    ["", "Yes.", "Jane Doe founded Acme in 2016.", "Meta and Scale AI did.", "It sells red shoes."]
)
histories = st.lists(st.builds(Turn, questions, answers), max_size=5)


def content(*texts: str) -> set[str]:
    words = (word.lower() for text in texts for word in WORD.findall(text))
    return {stem(word) for word in words if word not in STOP_WORDS}


@given(questions, histories)
def test_every_word_that_is_added_was_said_before(question: str, history: list[Turn]) -> None:
    said = content(question, *(text for turn in history for text in (turn.question, turn.answer)))
    assert content(standalone(question, history)) <= said


@given(questions, histories)
def test_what_was_said_long_ago_is_forgotten(question: str, history: list[Turn]) -> None:
    recent = [*history, *[Turn("Who runs Bigcorp?", "Jane Doe.")] * 10]
    assert standalone(question, [Turn("Tell me about yoga.", "Yoga is old."), *recent]) == standalone(question, recent)


@given(st.text(max_size=80))
def test_without_history_a_question_stays_as_it_is(question: str) -> None:
    assert standalone(question, []) == question


odd = st.one_of(
    st.text(max_size=80),
    st.lists(st.sampled_from(["it", "And", "that", "?", "'s", "\\1", "Is", "in", "US", "of"])).map(" ".join),
)


@given(odd.filter(str.strip), st.lists(st.builds(Turn, odd, odd), min_size=1, max_size=3))
def test_any_history_gives_a_question(question: str, history: list[Turn]) -> None:
    assert standalone(question, history).strip()
