"""Full-text search with common words."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from rag.records import Passage, Sentence, Source
from rag.store import words as full_text
from rag.store.contents import to_rows
from rag.store.local import LocalStore
from rag.store.words import CommonWords, Parted, Terms
from rag.store.writer import Writer

NORTH = np.array([0, 1], dtype=np.float32)


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    writer = Writer(tmp_path / "index", "digest", "two directions", 2, rebuild=False)
    writer.begin()
    yield writer
    writer.close()


def put(writer: Writer, name: str, *texts: str) -> None:
    """A source of a passage a text."""
    whole = "\n".join(texts)
    source, passages, start = Source(name, f"/docs/{name}", whole, digest=whole), [], 0
    for text in texts:
        passages.append(Passage(name, start, start + len(text), text, (Sentence(start, start + len(text)),)))
        start += len(text) + 1
    rows = to_rows(np.stack([NORTH] * len(texts)))
    writer.put(source, "recipe", passages, [text.encode() for text in texts], rows)


def held(writer: Writer, words: list[str], k: int = 5) -> list[tuple[str, float]]:
    """The texts that a search for words gives, with their scores."""
    with LocalStore(writer.folder).snapshot() as snapshot:
        found = snapshot.holding_words(words, k)
        hits = snapshot.passages([passage_id for passage_id, _ in found])
        return [(hits[passage_id].passage.text, score) for passage_id, score in found]


def texts(found: list[tuple[str, float]]) -> list[str]:
    return [text for text, _ in found]


@pytest.fixture
def crowded(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> Writer:
    """An index of 103 passages that counts as large: "rain" is in all but two, "oslo" in 50, "selwell" in 3."""
    monkeypatch.setattr(full_text, "MOST", 20)
    monkeypatch.setattr(full_text, "REMEMBERED", 5)
    put(writer, "weather.txt", *(f"rain {'in oslo' if day % 2 else 'in lima'} day{day}" for day in range(100)))
    put(writer, "firm.txt", "selwell saw sun", "rain at selwell", "selwell of oslo")
    writer.finish()
    return writer


def test_terms_are_those_of_the_full_text_index() -> None:
    assert Terms().of(["Founded", "New York", "café", "…", ""]) == [["found"], ["new", "york"], ["cafe"], [], []]


def test_words_are_parted_by_how_many_passages_hold_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(full_text, "MOST", 100)
    common = CommonWords(1000, {"rain": 600, "oslo": 90, "sun": 20})
    parted = common.parted(["Oslo", "raining", "wet", "sun", "wet rain"], 100)
    assert parted.first == ("wet", "sun", "wet rain")
    assert [(extra.word, extra.weight) for extra in parted.added] == [
        ("Oslo", pytest.approx(math.log(910.5 / 90.5))),
        ("raining", 0),
    ]
    assert common.parted(["oslo"], 100) == Parted(("oslo",), ())


def test_a_common_word_alone_finds_nothing_but_lifts_what_the_rare_ones_found(crowded: Writer) -> None:
    assert texts(held(crowded, ["selwell"])) == ["selwell saw sun", "rain at selwell", "selwell of oslo"]
    lifted = ["selwell of oslo", "selwell saw sun", "rain at selwell"]
    assert texts(held(crowded, ["oslo", "selwell", "rain"])) == lifted


def test_the_best_passages_and_their_order_are_those_that_all_words_give(
    crowded: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    parted = held(crowded, ["selwell", "oslo"], 1)
    monkeypatch.setattr(full_text, "MOST", 1000)
    whole = held(crowded, ["selwell", "oslo"], 1)
    assert texts(parted) == texts(whole) == ["selwell of oslo"]
    assert parted[0][1] == pytest.approx(whole[0][1], rel=0.3)


def test_a_name_that_very_many_hold_leads_nowhere(crowded: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(full_text, "LEADING", 20)
    with LocalStore(crowded.folder).snapshot() as snapshot:
        alone, both, common, none = snapshot.holding_names([["selwell"], ["oslo", "selwell"], ["oslo"], []], 5)
    assert {passage_id for passage_id, _ in alone} == {101, 102, 103}
    assert both == alone
    assert common == none == []


def test_common_words_alone_are_looked_for_together(crowded: Writer) -> None:
    put(crowded, "late.txt", "lima and oslo")
    assert texts(held(crowded, ["oslo", "lima"], 1)) == ["lima and oslo"]
    assert len(held(crowded, ["oslo", "lima"], 5)) == 5
    assert held(crowded, ["rain", "oslo"], 3) == held(crowded, ["rain", "oslo"], 3)


def test_a_restricted_search_keeps_to_its_sources(crowded: Writer) -> None:
    with LocalStore(crowded.folder).snapshot() as snapshot:
        restricted = snapshot.restricted_to(["firm.txt"])
        assert [i for i, _ in restricted.holding_words(["oslo", "selwell"], 5)] == [103, 101, 102]
        assert [i for i, _ in restricted.holding_words(["oslo", "rain"], 5)] == [103]


def test_a_small_index_is_searched_by_all_words_alike(crowded: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(full_text, "MOST", 200)
    crowded.finish()
    with LocalStore(crowded.folder).snapshot() as snapshot:
        assert (snapshot.meta("common_words"), snapshot.meta("common_words_of")) == (None, None)
        assert len(snapshot.holding_words(["rain"], 200)) == 101


def test_common_words_are_counted_anew_when_the_index_has_grown(crowded: Writer) -> None:
    store = LocalStore(crowded.folder)

    def counted() -> int | None:
        with store.snapshot() as snapshot:
            common = store.common_words_at(snapshot)
            return common._holding.get("oslo") if common else None

    assert counted() == 51
    put(crowded, "more.txt", *(f"oslo again day{day}" for day in range(8)))
    crowded.finish()
    assert counted() == 51
    put(crowded, "yet.txt", *(f"oslo again day{day}" for day in range(20)))
    crowded.finish()
    assert counted() == 79
