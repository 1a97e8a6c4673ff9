"""Evidence to a judgement."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.compose import compose, positions, short
from rag.questions import analyse
from rag.records import Evidence, Hit, Passage, Sentence
from rag.subject import with_names
from rag.weigh import Judgement, weigh

WORTH = analyse("How much is Acme worth?")


def says(source: str, text: str, answer: str | None, score: float = 0.9, contradicts: bool = False) -> Evidence:
    """A source of one sentence, and the words of it that answer."""
    sentence = Sentence(0, len(text))
    span = None if answer is None else (text.index(answer), text.index(answer) + len(answer))
    return Evidence(Hit(Passage(source, 0, len(text), text, (sentence,)), 1.0), sentence, score, span, contradicts)


def values(judgement: Judgement) -> list[tuple[str | None, list[str]]]:
    return [(stand.best.value, [saying.source for saying in stand.sayings]) for stand in judgement.stands]


def text_of(judgement: Judgement) -> list[str]:
    return ["".join(part.text for part in draft.parts) for draft in compose(judgement, 4)]


def test_figures_that_agree_are_one_stand_and_others_dispute_it() -> None:
    judgement = weigh(
        WORTH,
        [
            says("b", "Acme was valued at $13.8 billion.", "$13.8 billion"),
            says("a", "Acme is worth approximately $14 billion.", "approximately $14 billion", 0.8),
            says("c", "Acme's last known valuation is $7.3 billion.", "$7.3 billion", 0.7),
        ],
        0.5,
    )
    assert judgement.outcome == "disputed"
    assert values(judgement) == [("$13.8 billion", ["b", "a"]), ("$7.3 billion", ["c"])]
    assert text_of(judgement) == [
        "$13.8 billion according to b; approximately $14 billion according to a.",
        "$7.3 billion according to c.",
    ]
    assert [p.value for p in positions(WORTH, judgement)] == ["$13.8 billion", "$7.3 billion"]


def test_names_and_citations_stand_in_the_same_order() -> None:
    told = [
        says("b", "Acme is worth $9.", "$9"),
        says("a", "Acme is worth $9 now.", "$9", 0.8),
        says("c", "Acme: $5.", "$5"),
    ]
    first = compose(weigh(WORTH, told, 0.5), 4)[0]
    assert first.parts[0].text == "$9 according to a and b"
    assert [quote.hit.passage.source for quote in first.parts[0].quotes] == ["a", "b"]


def test_a_forecast_does_not_dispute_what_is() -> None:
    judgement = weigh(
        WORTH,
        [
            says("b", "Acme was valued at $13.8 billion.", "$13.8 billion"),
            says("c", "A tender offer could value Acme at $25 billion.", "$25 billion"),
        ],
        0.5,
    )
    assert (judgement.outcome, values(judgement)) == ("answered", [("$13.8 billion", ["b"])])
    asked = analyse("How much could Acme be worth soon?")
    assert values(weigh(asked, judgement_of_both(), 0.5))[0] == ("$25 billion", ["c"])


def judgement_of_both() -> list[Evidence]:
    return [
        says("b", "Acme was valued at $13.8 billion.", "$13.8 billion"),
        says("c", "A tender offer could value Acme at $25 billion.", "$25 billion"),
    ]


def test_figures_of_different_years_are_not_in_dispute() -> None:
    judgement = weigh(
        analyse("What is Acme's revenue?"),
        [
            says("a", "Acme's revenue was $870 million in 2024.", "$870 million"),
            says("b", "Acme's revenue was $500 million in 2023.", "$500 million", 0.8),
        ],
        0.5,
    )
    assert judgement.outcome == "answered"


@pytest.mark.parametrize(
    "question",
    [
        "How many tons does the Aurora carry?",
        "In Norway, how many tons will the Aurora carry?",
        "In May, how many tons were on the Aurora?",
        "how many tons on the aurora",
    ],
)
def test_a_figure_of_something_else_neither_disputes_nor_agrees(question: str) -> None:
    """The other sources speak of other ships, and never of the one that is asked about."""
    told = [
        says("a", "The Aurora left Bergen. It carries 4,200 tons.", "4,200"),
        says("b", "The Borealis left Hamburg. It carries 7,900 tons.", "7,900", 0.8),
        says("c", "The Cassia left Oslo. It carries 4,200 tons.", "4,200", 0.8),
    ]
    judgement = weigh(with_names(analyse(question), [e.hit for e in told]), told, 0.5)
    assert (judgement.outcome, values(judgement)) == ("answered", [("4,200 tons", ["a"])])


@pytest.mark.parametrize(
    ("question", "leads", "rival"),
    [
        ("How many tons does the Aurora carry?", "The Aurora carries 4,200 tons.", "Aurora's load: 7,900 tons"),
        ("How many tons does the ship carry?", "The Aurora carries 4,200 tons.", "The ship carries 7,900 tons."),
        ("How many men did the United States send?", "The United States sent 400 men.", "The U.S. sent 500 men."),
        ("How many men did the United States send?", "The United States sent 400 men.", "The US sent 500 men."),
        ("How many shares does Alexandr Wang own?", "Alexandr Wang owns 400 shares.", "Wang owns 500 shares."),
        ("How many tons does the Borealis carry?", "The ship carries 4,200 tons.", "The Aurora carries 7,900 tons."),
    ],
)
def test_a_source_disputes_what_it_names_in_its_own_way(question: str, leads: str, rival: str) -> None:
    """As it does where the leading source names it no better."""
    told = [says("a", leads, words_of(leads)), says("b", rival, words_of(rival), 0.8)]
    assert weigh(analyse(question), told, 0.5).outcome == "disputed"


def words_of(text: str) -> str:
    """The figure in a text."""
    return next(word for word in text.split() if word[0].isdigit())


def test_a_word_that_all_companies_have_in_their_names_tells_none_of_them() -> None:
    asked = analyse("How many branches does Meridian Bank have?")
    told = [
        says("a", "Meridian Bank has 40 branches, the bank says.", "40"),
        says("b", "Harbour Bank has 70 branches.", "70", 0.8),
    ]
    assert values(weigh(asked, told, 0.5)) == [("40", ["a"])]


def test_one_source_does_not_dispute_itself() -> None:
    first = says("a", "Acme is worth $13.8 billion.", "$13.8 billion")
    second = says("a", "Acme is worth $7.3 billion.", "$7.3 billion", 0.8)
    assert weigh(WORTH, [first, second], 0.5).outcome == "answered"


def test_below_the_threshold_the_sources_do_not_say() -> None:
    judgement = weigh(WORTH, [says("a", "Acme is worth $1.", "$1", 0.3)], 0.5)
    assert (judgement.outcome, judgement.reason, judgement.stands) == ("not_in_sources", "no_passage_answers", ())
    assert weigh(WORTH, [], 0.5).reason == "nothing_retrieved"


def test_agreement_is_said_with_its_own_words() -> None:
    judgement = weigh(
        WORTH,
        [
            says("a", "Acme is worth $14 billion.", "$14 billion"),
            says("b", "Today Acme is worth about $14 billion!", "about $14 billion", 0.6),
            says("c", "Acme: $14 billion.", "$14 billion", 0.2),
        ],
        0.5,
    )
    assert text_of(judgement) == ["Acme is worth $14 billion.", "c also says $14 billion; b says about $14 billion."]
    assert short(judgement) == "$14 billion"


@pytest.mark.parametrize(("contradicts", "word"), [(False, "Yes"), (True, "No")])
def test_yes_or_no_comes_with_its_reason(contradicts: bool, word: str) -> None:
    asked = analyse("Is Acme profitable?")
    judgement = weigh(asked, [says("a", "Acme makes money.", None, 0.9, contradicts)], 0.5)
    assert text_of(judgement) == [f"{word}: Acme makes money."]
    assert short(judgement) == f"{word}."


def test_the_same_sentence_in_two_sources_is_said_once() -> None:
    asked = analyse("What does Acme do?")
    told = [says(source, "Acme makes anvils.", None) for source in "ab"]
    judgement = weigh(asked, [*told, says("c", "It ships them by train.", None, 0.7)], 0.5)
    assert [[s.source for s in stand.sayings] for stand in judgement.stands] == [["a", "b"], ["c"]]


FIGURES = st.sampled_from(["$1 million", "$2 million", "about $2 million", "$9 billion", "5 percent"])
TOLD = st.lists(st.tuples(st.sampled_from("abcd"), FIGURES, st.floats(0, 1)), max_size=8)


@given(TOLD, st.sampled_from(["How much is Acme worth?", "Is Acme rich?", "Why is Acme rich?", "Who is Acme?"]))
def test_every_judgement_rests_on_what_was_read(told: list[tuple[str, str, float]], question: str) -> None:
    evidence = [says(source, f"Acme is worth {figure}.", figure, score) for source, figure, score in told]
    asked = analyse(question)
    judgement = weigh(asked, evidence, 0.5)
    assert 0 <= judgement.confidence <= 1
    assert (judgement.outcome == "not_in_sources") == (not judgement.stands)
    assert all(saying.evidence in evidence for stand in judgement.stands for saying in stand.sayings)
    drafts = compose(judgement, 4)
    assert all(any(part.quotes for part in draft.parts) for draft in drafts)
    if judgement.outcome == "disputed":
        assert len({stand.best.value for stand in judgement.stands}) == len(judgement.stands) > 1


@pytest.mark.parametrize("question", ["Why?", "In May?", "In June 2024?", "And in 2025?", "What is it?", "How much?"])
def test_a_question_that_asks_nothing_is_not_answered(question: str) -> None:
    told = [says("a", "Acme was worth $9 in May.", "$9")]
    judgement = weigh(analyse(question), told, 0.5)
    assert (judgement.outcome, judgement.confidence, judgement.reason) == ("not_in_sources", 1.0, "no_passage_answers")


@pytest.mark.parametrize("question", ["acme?", "Acme in May?", "What happened in 2024?", "Acme worth", "Who came?"])
def test_a_question_of_a_single_word_is_one(question: str) -> None:
    told = [says("a", "Acme was worth $9 in May.", "$9")]
    assert weigh(analyse(question), told, 0.5).outcome == "answered"
