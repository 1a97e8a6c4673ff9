"""Question to hits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.records import Hit, Passage, Sentence, Source
from rag.retrieve import (
    DENSE_WEIGHT,
    Retriever,
    Scale,
    in_order,
    names_title,
    names_to_follow,
    spoken,
    spread,
    words_found,
)
from rag.store.contents import to_rows
from rag.store.local import LocalStore
from rag.store.writer import Writer


def hit(source: str, start: int, score: float = 0.0) -> Hit:
    return Hit(Passage(source, start, start + 1, "x", ()), score)


# ---- the whole, over a real index whose vectors are angles ----------------------------------------


class North:
    """An embedder to which every question points north, so that a passage's angle says how far it is."""

    digest, name = "north", "north"

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        return np.stack([at(0) for _ in texts])

    def embed_question(self, question: str) -> np.ndarray:
        return at(0)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]


def at(degrees: float) -> np.ndarray:
    return np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))], dtype=np.float32)


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    writer = Writer(tmp_path / "index", "north", "north", 2, rebuild=False)
    writer.begin()
    yield writer
    writer.close()


def put(writer: Writer, name: str, text: str, degrees: float, title: str | None = None) -> None:
    """A source of one passage of one sentence."""
    source = Source(name, f"/docs/{name}", text, digest=text, title=title)
    passage = Passage(name, 0, len(text), text, (Sentence(0, len(text)),))
    writer.put(source, "recipe", [passage], [text.encode()], to_rows(at(degrees)[None]))


def retrieve(writer: Writer, question: str, candidates: int = 50, top_k: int = 8, **more: Any) -> list[Hit]:
    with LocalStore(writer.folder).snapshot() as snapshot:
        retriever = Retriever(North(), candidates=candidates, top_k=top_k, per_source=3)
        return retriever.retrieve(question, snapshot, **more)


def order(hits: Sequence[Hit]) -> list[str]:
    return [hit.passage.source for hit in hits]


def test_meaning_and_words_are_weighed_together(writer: Writer) -> None:
    put(writer, "both.txt", "it rained", 10)
    put(writer, "meaning.txt", "it poured", 0)
    put(writer, "words.txt", "it rained too", 80)
    put(writer, "neither.txt", "the sun shone", 90)
    hits = retrieve(writer, "has it rained")
    assert order(hits) == ["both.txt", "meaning.txt", "words.txt", "neither.txt"]
    assert hits[1].score == pytest.approx(DENSE_WEIGHT, abs=1e-3)
    assert hits[3].score == 0
    assert [found.lexical is None for found in hits] == [False, True, False, True]


def test_a_name_of_several_words_counts_as_a_whole(writer: Writer) -> None:
    """Each of its words may stand often in passages about others."""
    put(writer, "wanted.txt", "Torlow Logistics was founded long ago, when ships were few and the river was clean", 60)
    for place in range(5):
        others = "Torlow Energy, Torlow Foods and Torlow Mining of Torlow founded Belmoor Logistics"
        put(writer, f"{place}.txt", others, 60)
    assert order(retrieve(writer, "Who founded Torlow Logistics?"))[0] == "wanted.txt"


def test_a_passage_found_by_its_words_has_its_own_cosine(writer: Writer) -> None:
    put(writer, "near.txt", "it poured", 0)
    put(writer, "far.txt", "it rained", 60)
    found = {hit.passage.source: hit.dense for hit in retrieve(writer, "has it rained", candidates=1)}
    assert found == {"near.txt": pytest.approx(1, abs=1e-3), "far.txt": pytest.approx(0.5, abs=1e-3)}


@pytest.mark.parametrize(
    ("title", "text"),
    [
        pytest.param("Two Dollar Radio (publisher)", "an independent house in Columbus", id="in its title"),
        pytest.param(None, "the house of Two Dollar Radio is in Columbus", id="in its text"),
    ],
)
def test_what_the_best_hit_names_moves_up(writer: Writer, title: str | None, text: str) -> None:
    put(writer, "novel.txt", "Her first novel came out at Two Dollar Radio in 2010.", 0)
    put(writer, "other.txt", "another house was founded", 30)
    put(writer, "named.txt", text, 40, title)
    for number in range(3):
        put(writer, f"far{number}.txt", f"day {number}", 90)
    hits = retrieve(writer, "where is the publisher of her first novel based")
    assert order(hits)[:3] == ["novel.txt", "named.txt", "other.txt"]
    assert hits[0].score == 1


def test_what_the_best_hit_names_is_found_though_no_search_gives_it(writer: Writer) -> None:
    put(writer, "novel.txt", "Her first novel came out at Two Dollar Radio.", 0)
    put(writer, "near.txt", "something else", 1)
    put(writer, "named.txt", "Two Dollar Radio is in Columbus.", 90)
    assert "named.txt" in order(retrieve(writer, "her first novel", candidates=2))


def test_a_restricted_search_gives_the_hits_of_an_index_of_these_sources(writer: Writer) -> None:
    put(writer, "novel.txt", "Her first novel came out at Two Dollar Radio in 2010.", 0)
    put(writer, "a/named.txt", "the house of Two Dollar Radio is in Columbus", 40)
    put(writer, "a/other.txt", "another house was founded", 30)
    question = "where is the publisher of her first novel based"
    assert order(retrieve(writer, question, sources=["a/*"])) == ["a/other.txt", "a/named.txt"]
    assert order(retrieve(writer, question, sources=["novel.txt", "a/n*"])) == ["novel.txt", "a/named.txt"]
    assert retrieve(writer, question, sources=["*.pdf"]) == []
    assert retrieve(writer, question, sources=["*"]) == retrieve(writer, question)


def test_as_many_hits_are_given_as_are_wanted(writer: Writer) -> None:
    for number in range(30):
        put(writer, f"{number:02}.txt", f"rain on day {number}", number)
    with LocalStore(writer.folder).snapshot() as snapshot:
        retriever = Retriever(North(), candidates=5, top_k=2, per_source=3)
        assert order(retriever.retrieve("sun", snapshot)) == ["00.txt", "01.txt"]
        assert order(retriever.retrieve("sun", snapshot, top_k=12)) == [f"{number:02}.txt" for number in range(12)]


def test_an_index_without_passages_gives_no_hits(writer: Writer) -> None:
    assert retrieve(writer, "who") == []


def test_the_same_index_and_question_give_the_same_hits(writer: Writer) -> None:
    for number in range(12):
        put(writer, f"{number:02}.txt", "Rome saw rain and Oslo saw Rome.", 10)
    hits = retrieve(writer, "where was rain")
    assert order(hits) == [f"{number:02}.txt" for number in range(8)]
    assert retrieve(writer, "where was rain") == hits


NAMES = ["Rome", "Oslo", "Two Dollar Radio"]


@settings(max_examples=40)  # each makes an index
@given(
    st.lists(
        st.tuples(st.lists(st.sampled_from([*NAMES, "rain", "sun"]), min_size=1, max_size=4), st.integers(0, 90)),
        min_size=1,
        max_size=6,
    ),
    st.lists(st.sampled_from([*NAMES, "rain", "sun"]), min_size=1, max_size=3),
)
def test_following_names_keeps_the_best_hit_and_lowers_none(
    tmp_path_factory: pytest.TempPathFactory, sources: list[tuple[list[str], int]], asked: list[str]
) -> None:
    writer = Writer(tmp_path_factory.mktemp("index"), "north", "north", 2, rebuild=False)
    writer.begin()
    for number, (words, degrees) in enumerate(sources):
        put(writer, f"{number}.txt", f"about {', '.join(words)}", degrees, words[0])
    hits = retrieve(writer, f"what of {' and '.join(asked)}")
    writer.close()
    assert hits == in_order(hits)
    assert sorted(order(hits)) == [f"{number}.txt" for number in range(len(sources))]
    scale = Scale.over([found.dense or 0 for found in hits], [found.lexical or 0 for found in hits])
    plain = [round(scale.score(found.dense or 0, found.lexical or 0), 6) for found in hits]
    assert hits[0].score == max(plain) == plain[0]
    assert all(found.score >= before for found, before in zip(hits, plain, strict=True))


# ---- its parts ------------------------------------------------------------------------------------


def test_the_best_of_both_searches_scores_one_and_the_worst_nothing() -> None:
    scale = Scale.over([0.2, 0.8], [4.0, 2.0])
    assert (scale.score(0.8, 4.0), scale.score(0.2, 0.0)) == (1, 0)
    assert scale.score(0.5, 2.0) == pytest.approx(0.5)


def test_one_passage_alone_is_as_near_as_can_be() -> None:
    assert Scale.over([0.3], []).score(0.3, 0.0) == DENSE_WEIGHT


def test_the_words_found_are_those_of_the_question_that_stand_in_the_hit_in_whatever_form() -> None:
    found = Hit(Passage("a.txt", 0, 1, "It was founded by Lee.", (), "Early years"), 0.5, title="Acme, Inc.")
    assert words_found("Who founds ACME, and what of its year in Rome?", found) == ["founds", "acme", "year"]


@pytest.mark.parametrize(
    ("text", "title", "stands"),
    [
        pytest.param("She starred in Charmed.", "Charmed (series)", True, id="without its brackets"),
        pytest.param("held on an aircraft carrier", "Aircraft carrier", True, id="in lower case"),
        pytest.param("They were enchanted.", "Chant", False, id="not within a word"),
        pytest.param("It was in the sea.", "It", False, id="no title of stop words"),
        pytest.param("Wet.", None, False, id="no title"),
        pytest.param("Wet.", "(?)", False, id="no word in the title"),
    ],
)
def test_a_title_stands_in_a_text_word_by_word(text: str, title: str | None, stands: bool) -> None:
    assert names_title(spoken(text), title) is stands


def test_names_that_the_question_holds_are_not_followed() -> None:
    first, second = "She is Grace Lee. ", "Grace wrote it at Two Dollar Radio, in Columbus, as Two Dollar Radio says."
    sentences = (Sentence(9, 9 + len(first)), Sentence(9 + len(first), 9 + len(first + second)))
    passage = Passage("a", 9, 9 + len(first + second), first + second, sentences)
    assert names_to_follow(passage, "Who published Grace?") == ["Grace Lee", "Two Dollar Radio", "Columbus"]


def test_one_source_does_not_crowd_out_the_others() -> None:
    hits = [hit("a", 0), hit("a", 1), hit("a", 2), hit("b", 0)]
    assert spread(hits, top_k=3, per_source=2) == [hits[0], hits[1], hits[3]]
    assert spread(hits[:3], top_k=3, per_source=2) == hits[:3]


PLACES = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 50)), unique=True)


@given(PLACES, st.integers(1, 9), st.integers(1, 9))
def test_spreading_loses_nothing_that_there_is_room_for(
    places: list[tuple[str, int]], top_k: int, per_source: int
) -> None:
    hits = [hit(source, start) for source, start in places]
    kept = spread(hits, top_k, per_source)
    assert len(kept) == min(top_k, len(hits))
    assert len(set(kept)) == len(kept)
    assert set(kept) <= set(hits)


@given(PLACES, st.randoms())
def test_the_order_of_hits_does_not_depend_on_how_they_came(places: list[tuple[str, int]], chance: Random) -> None:
    hits = [hit(source, start, (start % 3) / 3) for source, start in places]
    shuffled = list(hits)
    chance.shuffle(shuffled)
    assert in_order(shuffled) == in_order(hits)
