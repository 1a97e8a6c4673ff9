"""Which sources speak of what a question names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rag.answering import Answerer
from rag.protocols import Snapshot
from rag.questions import analyse
from rag.records import Hit, Passage, Sentence
from rag.subject import Topic, beside_the_point, naming, speaking, with_names
from tests.conftest import answering_over

SHIPS = {
    "aurora.txt": "The Aurora left Bergen on Monday. It turned back because of ice at sea. It weighs 4,200 tons.",
    "borealis.txt": "The Borealis left Hamburg on Tuesday. It turned back because of a fire. It carries grain."
    " It weighs 7,900 tons.",
    # Long enough for several passages, of which the last names no ship.
    "log.txt": f"This is the log of the Aurora. {'The crew met at noon and spoke of the weather. ' * 60}\n\n"
    "The captain is Nils Berg.",
}


@pytest.fixture(scope="module")
def answerer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Answerer]:
    with answering_over(tmp_path_factory.mktemp("ships"), SHIPS) as answerer:
        yield answerer


@pytest.fixture
def snapshot(answerer: Answerer) -> Iterator[Snapshot]:
    with answerer.store.snapshot() as snapshot:
        yield snapshot


@pytest.mark.parametrize(
    ("question", "outcome", "short", "sources"),
    [
        ("How many tons does the Aurora weigh?", "answered", "4,200", ["aurora.txt"]),
        ("How many tons does the Borealis weigh?", "answered", "7,900", ["borealis.txt"]),
        ("Does the Borealis carry grain?", "answered", "Yes", ["borealis.txt"]),
        ("Does the Aurora carry grain?", "not_in_sources", "", []),
        ("does the aurora carry grain?", "not_in_sources", "", []),
        ("Did the Aurora turn back because of a fire?", "answered", "No", ["aurora.txt"]),
    ],
)
def test_what_is_said_of_one_ship_answers_no_question_about_another(
    answerer: Answerer, question: str, outcome: str, short: str, sources: list[str]
) -> None:
    answer = answerer.ask(question)
    assert (answer.outcome, [citation.source for citation in answer.citations]) == (outcome, sources)
    assert short in (answer.short or "")


def test_a_source_that_names_it_in_another_passage_speaks_of_it_all_the_same(
    answerer: Answerer, snapshot: Snapshot
) -> None:
    hits = [hit for hit in answerer.search("Who is the captain?") if "Nils" in hit.passage.text]
    hits += [hit for hit in answerer.search("Aurora and Borealis") if hit.passage.source != "log.txt"]
    assert "Aurora" not in hits[0].passage.text
    found = speaking(analyse("Who is the captain of the Aurora?"), hits, snapshot)
    assert {hit.passage.source for hit in found} == {"log.txt", "aurora.txt"}


@pytest.mark.parametrize("question", ["Who is the captain of the Delphin?", "Who is the captain?", "What left in May?"])
def test_where_no_source_names_it_or_nothing_is_named_all_are_read(
    answerer: Answerer, snapshot: Snapshot, question: str
) -> None:
    hits = answerer.search(question)
    assert speaking(analyse(question), hits, snapshot) == hits


@pytest.mark.parametrize(
    ("name", "text", "held"),
    [
        ("Alexandr Wang", "Wang left.", True),
        ("United States", "The US sent ships.", True),
        ("United States", "The U.S. sent ships.", True),
        ("United States", "It asked us.", False),
        ("Meridian Bank", "Harbour Bank opened. The bank is small.", False),
        ("Acme", "ACME's owner", True),
        ("Acme", "Acmeville", False),
        ("Bank", "The bank is small.", True),
    ],
)
def test_a_source_may_name_it_in_its_own_way(name: str, text: str, held: bool) -> None:
    assert naming([name], {"a": text, "b": "Nothing"}) == ({"a"} if held else set())


def passage(*sentences: str, title: str | None = None) -> Hit:
    """A hit of so many sentences."""
    text = " ".join(sentences)
    starts = [text.index(sentence) for sentence in sentences]
    spans = tuple(Sentence(start, start + len(told)) for start, told in zip(starts, sentences, strict=True))
    return Hit(Passage("deal.txt", 0, len(text), text, spans), 1.0, title=title)


# Names that stand inside sentences, and so are known to be names.
OTHERS = passage("They met with Halden and with Crest in Bolt Hall, the company said, as did Petra Novak on Monday.")


@pytest.mark.parametrize(
    ("sentences", "another"),
    [
        (["It was founded in Lyon."], False),
        (["Crest is small.", "It was founded in Lyon."], False),
        (["Crest is small.", "The rain fell.", "It was founded in Lyon."], False),
        (["Crest is small.", "Halden has 40 employees.", "It was founded in Lyon."], True),
        (["Crest is small.", "Its chief is Petra Novak.", "It was founded in Lyon."], False),
        (["Halden is small.", "Its chief is Petra Novak.", "It was founded in Lyon."], True),
        (["Halden was founded in Lyon."], True),
        (["Crest is small.", "Halden was founded in Lyon."], True),
        (["Crest is small.", "Halden was founded in Lyon by its owner."], False),
        (["Crest is small.", "The firm was founded in Lyon by Halden."], False),
        (["On Monday it was founded in Lyon."], False),
        (["Halden says that Crest was founded in Lyon."], False),
    ],
)
def test_a_sentence_that_points_back_to_another_speaks_of_another(sentences: list[str], another: bool) -> None:
    hit = passage(*sentences)
    topic = Topic(analyse("Where was Crest founded?"), [hit, OTHERS])
    assert topic.is_another(hit, hit.passage.sentences[-1]) is another


def test_a_name_that_nothing_holds_gives_way_to_one_that_is_held() -> None:
    hit = passage("Crest was founded in Lyon.")
    for question in ("Wo wurde Crest gegründet?", "Wurde Crest in Lyon gegründet?"):
        assert not Topic(analyse(question), [hit, OTHERS]).is_another(hit, hit.passage.sentences[0])


@given(st.lists(st.sampled_from(["The outage lasted long.", "Probation lasts six months.", "It rained."]), max_size=5))
def test_only_what_holds_no_word_of_the_question_is_beside_the_point(told: list[str]) -> None:
    hits = [
        replace(passage(text), passage=replace(passage(text).passage, source=f"{n}.txt")) for n, text in enumerate(told)
    ]
    beside = beside_the_point(analyse("How long did the outage last?"), hits)
    without = {(f"{n}.txt", 0) for n, text in enumerate(told) if "outage" not in text}
    assert beside == (without if len(without) < len(told) else set())


@pytest.mark.parametrize(
    ("question", "sentence", "another"),
    [
        ("When was the Old Bridge built?", "The bridge dates from 1889.", False),
        ("When was the Old Bridge built?", "Halden dates from 1889.", True),
        ("Who is the mayor of Crest?", "Mayor Petra Novak spoke.", False),
        ("Who is the chief of Crest?", "Mayor Petra Novak spoke.", True),
    ],
)
def test_what_it_is_called_in_short_is_not_another(question: str, sentence: str, another: bool) -> None:
    hit = passage("Halden is big.", sentence)
    told = passage(
        "They met on the bridge, the Old Bridge, with Mayor Petra Novak, who was the mayor, and with Halden and Crest."
    )
    assert Topic(analyse(question), [hit, told]).is_another(hit, hit.passage.sentences[-1]) is another


def test_what_another_is_called_in_short_is_another() -> None:
    told = passage("They met on the bridge, the Old Bridge, and not on the Hill Bridge.")
    for before, another in (("The Hill Bridge is new.", True), ("The Old Bridge is grey.", False), ("It is.", False)):
        hit = passage(before, "The bridge dates from 1889.")
        topic = Topic(analyse("When was the Old Bridge built?"), [hit, told])
        assert topic.is_another(hit, hit.passage.sentences[-1]) is another


def test_a_title_that_names_it_is_enough() -> None:
    hit = passage("Halden was told that the firm was founded in Lyon.", title="Crest in the news")
    assert not Topic(analyse("Where was Crest founded?"), [hit, OTHERS]).is_another(hit, hit.passage.sentences[0])


@pytest.mark.parametrize("question", ["Where was it founded?", "where was crest founded?", "Who left in May?"])
def test_a_question_that_surely_names_nothing_is_about_anything(question: str) -> None:
    hit = passage("Halden was founded in Lyon.")
    assert not Topic(analyse(question), [hit, OTHERS]).is_another(hit, hit.passage.sentences[0])


def test_a_common_word_at_the_beginning_of_a_question_is_no_name() -> None:
    hit = passage("Halden was founded in Lyon, and other firms, too.")
    assert not Topic(analyse("Firms are founded where?"), [hit, OTHERS]).is_another(hit, hit.passage.sentences[0])


@given(
    st.text(max_size=60)
    | st.lists(st.sampled_from(["Aurora", "Borealis", "Nils Berg", "who", "May", "(["])).map(" ".join)
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_some_of_the_hits_are_left_in_their_order(answerer: Answerer, snapshot: Snapshot, question: str) -> None:
    hits = answerer.search("What did the Aurora and the Borealis do?")
    found = speaking(analyse(question), hits, snapshot)
    assert found
    assert found == [hit for hit in hits if hit in found]


@pytest.mark.parametrize(
    ("sentence", "lacks"),
    [
        ("Halden did not buy Bolt.", True),
        ("Halden did not buy Crest.", False),
        ("Halden did not buy the company from Bolt.", False),
        ("Halden bought nothing.", False),
        ("Bolt bought nothing.", False),
        ("It rained.", False),
    ],
)
def test_a_sentence_about_one_name_and_a_stranger_lacks_the_other(sentence: str, lacks: bool) -> None:
    hit = passage(sentence)
    assert Topic(analyse("Did Halden buy Crest?"), [hit, OTHERS]).lacks_a_name(hit, hit.passage.sentences[0]) is lacks


@pytest.mark.parametrize(
    ("question", "names"),
    [
        ("who runs bolt hall", ("bolt", "hall")),
        ("who is halden's chief", ("halden",)),
        ("Did Halden buy crest?", ("Halden",)),
        ("is it in halden or in halden", ("halden",)),
        ("who is the ceo of crest", ("crest",)),
        ("is it small", ()),
        ("", ()),
    ],
)
def test_a_question_without_capitals_has_the_names_that_are_told(question: str, names: tuple[str, ...]) -> None:
    hits = [
        OTHERS,
        passage("The Company Is In Halden, and the hall is small, its CEO said.", title="What Is Small In The Hall"),
    ]
    assert with_names(analyse(question), hits).names == names
