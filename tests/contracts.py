"""One suite a seam: what every implementation must keep."""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.errors import IndexLocked, IndexMismatch, IndexMissing, SourceUnknown, Unparsable
from rag.indexing import WritableStore
from rag.protocols import Embedder, LanguageModel, Parser, Reader, Store, Verifier
from rag.records import Message, Parsed, Passage, Sentence, Source
from rag.store.contents import Known, to_rows

# ---- Embedder ----------------------------------------------------------------------------------


def embedder_contract(embedder: Embedder) -> None:
    """Unit float32 vectors, one a text in the order of the texts, likeness by meaning, long texts cut, no surprises."""
    texts = ["A cat sat on the mat.", "Stocks fell sharply.", "x" * 100_000, "", "Ein Café 😀"]
    vectors = embedder.embed(texts)
    assert vectors.dtype == np.float32
    assert vectors.shape[0] == len(texts)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)
    assert embedder.embed([]).shape[0] == 0
    assert np.allclose(embedder.embed(texts[1:2])[0], vectors[1], atol=1e-2)
    question = embedder.embed_question("Where was the kitten?")
    assert question.shape == vectors[0].shape
    assert question @ vectors[0] > question @ vectors[1]
    assert embedder.count_tokens(["cat", "cat cat cat", ""]) == [1, 3, 0]
    assert len(embedder.digest) == 64
    assert embedder.name


# ---- Parser ------------------------------------------------------------------------------------


def parser_contract(parser: Parser, sample: bytes, words: str) -> None:
    """A sound file gives its words and the same each time; damage gives lawful text or Unparsable, nothing else."""
    assert parser.suffixes
    assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in parser.suffixes)
    parsed = parser.parse(sample)
    assert words in parsed.text
    assert parser.parse(sample) == parsed
    _check_parsed(parsed)
    with pytest.raises(Unparsable):
        parser.parse(bytes(range(256)) * 40)
    chance = random.Random(7)
    damaged = [sample[: len(sample) * part // 10] for part in range(10)]
    for _ in range(20):
        flipped = bytearray(sample)
        for place in chance.sample(range(len(sample)), 5):
            flipped[place] ^= 1 << chance.randrange(8)
        damaged.append(bytes(flipped))
    for content in damaged:
        try:
            _check_parsed(parser.parse(content))
        except Unparsable as error:
            assert 3 < len(error.message) < 120


def _check_parsed(parsed: Parsed) -> None:
    parsed.text.encode("utf-8")
    assert "\x00" not in parsed.text
    assert list(parsed.pages) == sorted(parsed.pages)
    assert all(0 <= start <= len(parsed.text) for start in parsed.pages)
    assert parsed.pages[:1] in ((), (0,))
    assert parsed.published is None or date.fromisoformat(parsed.published).isoformat() == parsed.published


# ---- Reader and Verifier -----------------------------------------------------------------------


def reader_contract(reader: Reader) -> None:
    """A reading a passage in their order, spans inside the text and apart, the best first, whatever the text is."""
    passages = ["Acme was founded by Jane Doe in 1998.", "", "It rained. " * 2000, "Café 😀 — ok"]
    readings = reader.read("Who founded Acme?", passages)
    assert len(readings) == len(passages)
    assert reader.read("Who founded Acme?", []) == []
    for passage, reading in zip(passages, readings, strict=True):
        scores = [span.score for span in reading.spans]
        assert scores == sorted(scores, reverse=True)
        places = sorted((span.start, span.end) for span in reading.spans)
        assert all(0 <= start < end <= len(passage) for start, end in places)
        assert all(before[1] <= after[0] for before, after in pairwise(places))
    assert readings[1].spans == ()
    assert readings[0].answerable > readings[2].answerable
    alone = reader.read("Who founded Acme?", passages[:1])[0]
    assert abs(alone.answerable - readings[0].answerable) < 0.1
    assert len(reader.read("who? " * 5000, passages)) == len(passages)


def verifier_contract(verifier: Verifier) -> None:
    """Probabilities that add to 1, one a pair in their order, whatever the text is."""
    pairs = [("It rained.", "It rained."), ("", ""), ("x" * 9000, "y" * 9000), ("Did it rain?", "😀")]
    supports = verifier.verify(pairs)
    assert len(supports) == len(pairs)
    assert verifier.verify([]) == []
    for support in supports:
        shares = (support.supported, support.contradicted, support.neither)
        assert all(0 <= share <= 1 for share in shares)
        assert abs(sum(shares) - 1) < 1e-4


# ---- LanguageModel -----------------------------------------------------------------------------


def language_model_contract(model: LanguageModel) -> None:
    """Pieces of text, the same for the same question, in several threads at once, and after a reply left early."""
    messages = [Message("system", "Be short."), Message("user", "Who founded Acme? Café 😀")]
    assert model.name
    assert model.context > 100
    assert model.count_tokens("") <= 1
    assert model.count_tokens("Acme was founded.") < model.count_tokens("Acme was founded in 1998 by Jane Doe.")
    pieces = list(model.stream(messages, 16))
    assert pieces
    assert all(isinstance(piece, str) and piece for piece in pieces)
    early = iter(model.stream(messages, 16))
    assert next(early) == pieces[0]
    early.close()  # type: ignore[attr-defined]  # an iterator that can be closed, says the seam
    with ThreadPoolExecutor(4) as pool:
        replies = list(pool.map(lambda _: "".join(model.stream(messages, 16)), range(8)))
    assert replies == ["".join(pieces)] * 8


# ---- Store -------------------------------------------------------------------------------------

NORTH, EAST = np.eye(2, dtype=np.float32)
DAY = "2025-06-08"


NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=40) | st.text(
    "\"'\\%_*?[]{}\n\t ", min_size=1, max_size=6
)


class Stores(Protocol):
    """One index, opened anew at each call."""

    def writer(self, *, rebuild: bool = False, model: str = "model", dimension: int = 2) -> WritableStore:
        """What writes it; `begin` is still to be called."""

    def reader(self) -> Store:
        """What reads it."""


def digest_of(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def put(writer: WritableStore, name: str, text: str, vector: Any = NORTH, *, pages: tuple[int, ...] = ()) -> None:
    """A source of one passage of one sentence."""
    source = Source(name, f"/docs/{name}", text, digest_of(text).hex(), "Weather", DAY, pages)
    passage = Passage(name, 0, len(text), text, (Sentence(0, len(text), "item"),), "Today")
    writer.put(source, "recipe", [passage], [digest_of(text)], to_rows(vector[None]))


@contextmanager
def writing(stores: Stores, **how: Any) -> Iterator[WritableStore]:
    """One run of a writer, published at its end."""
    writer = stores.writer(**how)
    try:
        writer.begin()
        yield writer
        writer.finish()
    finally:
        writer.close()


def found_in(store: Store, vector: Any = NORTH, words: Sequence[str] = ("rained",)) -> tuple[set[str], set[str]]:
    """The names of the sources whose passages are found by meaning and by words."""
    with store.snapshot() as snapshot:
        near, holding = snapshot.nearest_to(vector, 50), snapshot.holding_words(words, 50)
        hits = snapshot.passages([i for i, _ in (*near, *holding)])
        assert len(hits) == len({i for i, _ in (*near, *holding)})
        return tuple({hits[i].passage.source for i, _ in found} for found in (near, holding))  # type: ignore[return-value]


def what_was_put_is_found(stores: Stores) -> None:
    """By meaning and by words, the best first, with all that was put of it, spans to the code point."""
    text = "It rained 😀 in Zürich."
    with writing(stores) as writer:
        put(writer, "wet.txt", text)
        put(writer, "dry.txt", "The sun shone.", EAST)
        put(writer, "odd.txt", "", EAST)
    with stores.reader().snapshot() as snapshot:
        (near, one), *others = snapshot.nearest_to(NORTH, 5)
        assert abs(one - 1) < 1e-3
        assert [abs(score) < 1e-3 for _, score in others] == [True, True]
        assert snapshot.cosines(NORTH, [near, others[0][0], 1 << 50]) == {near: 1.0, others[0][0]: 0.0}
        (word, score), *more = snapshot.holding_words(["raining", "zurich"], 5)
        assert (word, score > 0, more) == (near, True, [])
        assert snapshot.holding_words([], 5) == snapshot.holding_words(["hail", "!?"], 5) == []
        hit = snapshot.passages([near, 1 << 50])[near]
        assert hit.passage == Passage("wet.txt", 0, len(text), text, (Sentence(0, len(text), "item"),), "Today")
        assert (hit.title, hit.published, hit.score) == ("Weather", DAY, 0.0)
        assert snapshot.passages([]) == snapshot.cosines(NORTH, []) == {}
        assert (snapshot.passage_count, snapshot.source_count) == (3, 3)


def titles_and_headings_are_words_too(stores: Stores) -> None:
    """What stands above a passage is found, and none of it where nothing stands there."""
    with writing(stores) as writer:
        put(writer, "a.txt", "It rained.")
        bare = Source("b.txt", "/docs/b.txt", "It hailed.", "digest")
        passage = Passage("b.txt", 0, 10, "It hailed.", (Sentence(0, 10),))
        writer.put(bare, "recipe", [passage], [b"2" * 32], to_rows(EAST[None]))
    store = stores.reader()
    assert found_in(store, words=["weather"])[1] == found_in(store, words=["today"])[1] == {"a.txt"}
    with store.snapshot() as snapshot:
        (hit,) = snapshot.passages([snapshot.nearest_to(EAST, 1)[0][0]]).values()
        assert (hit.title, hit.published, hit.passage.heading) == (None, None, None)
        assert snapshot.passages_of("b.txt") == [(0, 10, None)]
        assert snapshot.passages_of("none.txt") == []


def several_words_are_a_phrase(stores: Stores) -> None:
    """They count where they stand side by side, whatever their form, and add to what single words score."""
    with writing(stores) as writer:
        put(writer, "a.txt", "Two Dollar Radio")
        put(writer, "b.txt", "two radios for a dollar")
        put(writer, "c.txt", "a dollar")
    store = stores.reader()
    assert found_in(store, words=["Two Dollar Radio"])[1] == {"a.txt"}
    assert found_in(store, words=["$two-dollar"])[1] == {"a.txt"}
    with store.snapshot() as snapshot:
        alone = dict(snapshot.holding_words(["dollar"], 5))
        (best, score), *_ = snapshot.holding_words(["dollar", "two dollar"], 5)
        assert score > alone[best]
        assert snapshot.passages([best])[best].passage.source == "a.txt"


def a_source_is_replaced_and_removed(stores: Stores) -> None:
    """By its path, by its name, and without leaving anything behind; what is unknown is removed without a word."""
    with writing(stores) as writer:
        for name in ("a.txt", "b.txt", "c.txt"):
            put(writer, name, "It rained.")
    with writing(stores) as writer:
        put(writer, "a.txt", "It snowed.", EAST)
        writer.remove("b.txt")
        writer.remove("none.txt")
        moved = Source("c.txt", "/elsewhere/c.txt", "It hailed.", "digest")
        passage = Passage("c.txt", 0, 10, "It hailed.", (Sentence(0, 10),))
        writer.put(moved, "recipe", [passage], [b"2" * 32], to_rows(EAST[None]))
    store = stores.reader()
    assert found_in(store, EAST) == ({"a.txt", "c.txt"}, set())
    assert [(s.name, s.characters, s.passages) for s in store.sources()] == [("a.txt", 10, 1), ("c.txt", 10, 1)]
    assert store.names() == ["a.txt", "c.txt"]
    assert store.passage_count == 2
    assert store.source("c.txt").path == "/elsewhere/c.txt"
    with pytest.raises(SourceUnknown):
        store.source("b.txt")


STEPS = st.tuples(st.sampled_from(["put", "put", "put", "remove", "commit", "stop"]), st.sampled_from("abc"))


def the_last_that_was_put_stands(stores: Stores) -> None:
    """However sources are put, moved, removed and committed, by one run or by several of which the last ends."""

    @given(st.lists(st.tuples(STEPS, st.sampled_from("abc")), max_size=12))
    @settings(max_examples=12)
    def check(steps: Sequence[tuple[tuple[str, str], str]]) -> None:
        with writing(stores, rebuild=True):
            pass
        there: dict[str, tuple[str, str]] = {}
        writer = stores.writer()
        writer.begin()
        for number, ((step, name), folder) in enumerate(steps):
            if step == "put":
                text = f"It rained {number} times."
                source = Source(name, f"/{folder}", text, digest_of(text).hex())
                passage = Passage(name, 0, len(text), text, (Sentence(0, len(text)),))
                writer.put(source, "recipe", [passage], [digest_of(text)], to_rows(NORTH[None]))
                there = {n: kept for n, kept in there.items() if n != name and kept[0] != f"/{folder}"}
                there[name] = (f"/{folder}", text)
            elif step == "remove":
                writer.remove(name)
                there.pop(name, None)
            else:
                writer.commit()
            if step == "stop":
                writer.close()
                writer = stores.writer()
                writer.begin()
            assert {(known.name, path) for path, known in writer.known().items()} == {
                (n, path) for n, (path, _) in there.items()
            }
        writer.finish()
        writer.close()
        store = stores.reader()
        assert {n: (store.source(n).path, store.source(n).text) for n in store.names()} == there
        assert found_in(store) == (set(there), set(there))
        assert store.passage_count == len(there)

    check()


def texts_are_kept_to_the_code_point(stores: Stores) -> None:
    """Long ones too, with their lines and pages, and passages that are longer than a database's field."""
    text = "one\r\ntwo\nthree\rfour " + "😀 é\n" * 30_000
    long = "x" * 70_000 + " ends."
    with writing(stores) as writer:
        put(writer, "long.txt", text, pages=(0, 5, 60_000))
        put(writer, 'a "quoted" \\ name [1]\n.txt', long, EAST)
        put(writer, "empty.txt", "", EAST)
    store = stores.reader()
    assert store.source("long.txt") == Source(
        "long.txt", "/docs/long.txt", text, digest_of(text).hex(), "Weather", DAY, (0, 5, 60_000)
    )
    assert store.source("empty.txt").text == ""
    with store.snapshot() as snapshot:
        assert [snapshot.line_at("long.txt", offset) for offset in (0, 5, 9, 15)] == [1, 2, 3, 4]
        assert [snapshot.page_at("long.txt", offset) for offset in (0, 5, 70_000)] == [1, 2, 3]
        assert snapshot.page_at("empty.txt", 0) is None
        best = [i for i, score in snapshot.nearest_to(EAST, 2) if score > 0.9]
        assert long in {hit.passage.text for hit in snapshot.passages(best).values()}
        assert snapshot.source('a "quoted" \\ name [1]\n.txt').text == long


def searches_keep_to_chosen_sources(stores: Stores) -> None:
    """Chosen by name or pattern, by meaning and by words alike; none where nothing is chosen."""
    names = ("a/one.txt", "a/two.txt", "b/one.txt", "c[1].txt", "c1.txt")
    with writing(stores) as writer:
        for name in names:
            put(writer, name, "It rained.")
    cases: list[tuple[list[str], set[str]]] = [
        (["a/*"], {"a/one.txt", "a/two.txt"}),
        (["*one.txt"], {"a/one.txt", "b/one.txt"}),
        (["b/one.txt", "a/t?o.txt"], {"b/one.txt", "a/two.txt"}),
        (["c[1].txt"], {"c[1].txt", "c1.txt"}),
        (["[^ab]*"], {"c[1].txt", "c1.txt"}),
        (["nothing*", "\udcff"], set()),
    ]
    with stores.reader().snapshot() as snapshot:
        for chosen, wanted in cases:
            restricted = snapshot.restricted_to(chosen)
            for found in (restricted.nearest_to(NORTH, 9), restricted.holding_words(["rained", "it rained"], 9)):
                hits = restricted.passages([i for i, _ in found])
                assert {hit.passage.source for hit in hits.values()} == wanted, chosen
        assert len(snapshot.nearest_to(NORTH, 9)) == 5


def the_generation_tells_the_contents(stores: Stores) -> None:
    """And not the history: the same contents have the same generation, in a rebuilt index too."""
    with writing(stores) as writer:
        put(writer, "a.txt", "It rained.")
    first = stores.reader().generation
    with writing(stores) as writer:
        put(writer, "b.txt", "It snowed.")
    second = stores.reader().generation
    with writing(stores) as writer:
        writer.remove("b.txt")
    assert stores.reader().generation == first != second
    with writing(stores) as writer:
        put(writer, "a.txt", "It rained.", EAST)
    assert stores.reader().generation not in (first, second)
    with writing(stores, rebuild=True) as writer:
        assert writer.known() == {}
        put(writer, "b.txt", "It snowed.")
        put(writer, "a.txt", "It rained.")
    assert stores.reader().generation == second
    assert stores.reader().names() == ["a.txt", "b.txt"]


def a_snapshot_does_not_move(stores: Stores) -> None:
    """Whatever is added, replaced, removed or published meanwhile."""
    with writing(stores) as writer:
        put(writer, "a.txt", "It rained.")
        put(writer, "b.txt", "It rained.")
    with stores.reader().snapshot() as snapshot:

        def seen() -> Any:
            return (
                snapshot.nearest_to(NORTH, 9),
                {i for i, _ in snapshot.holding_words(["rained"], 9)},
                snapshot.names(),
            )

        before = seen()
        with writing(stores) as writer:
            put(writer, "a.txt", "It snowed.")
            writer.remove("b.txt")
            put(writer, "c.txt", "It rained.")
            assert seen() == before
        assert seen() == before
        hits = snapshot.passages([i for i, _ in before[0]])
        assert {hit.passage.text for hit in hits.values()} == {"It rained."}
        assert snapshot.source("b.txt").text == "It rained."
    assert found_in(stores.reader())[1] == {"c.txt"}


def readers_beside_a_writer_see_one_thing(stores: Stores) -> None:
    """In one snapshot all questions are answered from the same texts, from several threads, whatever is written."""
    names = [f"{number}.txt" for number in range(6)]
    weathers = ("rained", "snowed", "hailed", "thawed")

    def write(weather: str) -> None:
        with writing(stores) as writer:
            for number, name in enumerate(names):
                put(writer, name, f"It {weather} {'long ' * number}in {number}.")

    write(weathers[0])
    store, over, looks = stores.reader(), threading.Event(), []

    def look() -> None:
        while not over.is_set():
            with store.snapshot() as snapshot:
                holding = [passage_id for passage_id, _ in snapshot.holding_words(weathers, 50)]
                hits = snapshot.passages(sorted({*holding, *(i for i, _ in snapshot.nearest_to(NORTH, 50))}))
                assert sorted(hit.passage.source for hit in hits.values()) == snapshot.names() == names
                assert set(holding) == hits.keys()
                for hit in hits.values():
                    assert snapshot.source(hit.passage.source).text == hit.passage.text
                looks.append(frozenset(hit.passage.text.split()[1] for hit in hits.values()))

    with ThreadPoolExecutor(3) as pool:
        looking = [pool.submit(look) for _ in range(3)]
        try:
            for weather in weathers[1:]:
                write(weather)
                seen = len(looks)
                while len(looks) == seen and not any(each.done() for each in looking):
                    time.sleep(0.01)  # so that each state is looked at, however long a look takes
        finally:
            over.set()
        for each in looking:
            each.result()
    assert len(set(looks)) > 1
    assert found_in(stores.reader(), words=weathers[-1:])[1] == set(names)


def any_name_is_a_name(stores: Stores) -> None:
    """Whatever marks it holds, a source is found by its name, and only that one is removed."""

    @given(st.lists(NAMES, min_size=2, max_size=8, unique=True))
    @settings(max_examples=6)
    def check(names: list[str]) -> None:
        with writing(stores, rebuild=True) as writer:
            for name in names:
                put(writer, name, f"It rained in {name}.")
        store = stores.reader()
        assert store.names() == sorted(names)
        assert all(store.source(name).text == f"It rained in {name}." for name in names)
        assert found_in(store)[0] == set(names)
        with writing(stores) as writer:
            writer.remove(names[0])
        assert stores.reader().names() == sorted(names[1:])

    check()


def vectors_are_known_by_their_text(stores: Stores) -> None:
    """Those of this run and of earlier ones, as they were put."""
    digests = [digest_of(text) for text in ("It rained.", "It snowed.", "It hailed.")]
    with writing(stores) as writer:
        assert writer.vectors_of(digests) == {}
        put(writer, "a.txt", "It rained.", EAST)
        assert writer.vectors_of(digests) == {digests[0]: to_rows(EAST[None])[0]}
    with writing(stores) as writer:
        put(writer, "b.txt", "It snowed.", NORTH)
        rows = {digests[0]: to_rows(EAST[None])[0], digests[1]: to_rows(NORTH[None])[0]}
        assert writer.vectors_of(digests) == rows
        assert writer.known() == {
            "/docs/a.txt": Known("a.txt", digests[0].hex(), "recipe"),
            "/docs/b.txt": Known("b.txt", digests[1].hex(), "recipe"),
        }


def a_run_that_stops_is_gone_on_with(stores: Stores) -> None:
    """What it committed is known to the next run, and seen at the latest when that has ended."""
    writer = stores.writer()
    writer.begin()
    put(writer, "a.txt", "It rained.")
    put(writer, "b.txt", "It snowed.")
    writer.commit()
    writer.close()
    with writing(stores) as again:
        assert {entry.name for entry in again.known().values()} == {"a.txt", "b.txt"}
        again.remove("b.txt")
    assert found_in(stores.reader()) == ({"a.txt"}, {"a.txt"})


def errors_are_ours(stores: Stores) -> None:
    """Nothing there, another writer, another model, each with what to do."""
    with pytest.raises(IndexMissing) as missing:
        stores.reader()
    assert "whosays index" in missing.value.hint
    with writing(stores) as writer:
        with pytest.raises(IndexLocked, match="Another indexing run"):
            stores.writer()
        put(writer, "report.txt", "It rained.")
    store = stores.reader()
    with pytest.raises(SourceUnknown) as unknown:
        store.source("reprot.txt")
    assert "report.txt" in unknown.value.hint
    with pytest.raises(SourceUnknown):
        store.source("\udcff")
    with pytest.raises(IndexMismatch, match=r"model.*another") as mismatched:
        store.check_embedder("another", "another")
    assert "--rebuild" in mismatched.value.hint
    with pytest.raises(IndexMismatch), writing(stores, model="another", dimension=3):
        pass
    with writing(stores, model="another", dimension=3, rebuild=True) as writer:
        put(writer, "a.txt", "It rained.", np.eye(3, dtype=np.float32)[0])
    stores.reader().check_embedder("another", "another")
    assert found_in(stores.reader(), np.eye(3, dtype=np.float32)[0])[0] == {"a.txt"}


STORE_CONTRACT: tuple[Callable[[Stores], None], ...] = (
    what_was_put_is_found,
    titles_and_headings_are_words_too,
    several_words_are_a_phrase,
    a_source_is_replaced_and_removed,
    the_last_that_was_put_stands,
    texts_are_kept_to_the_code_point,
    searches_keep_to_chosen_sources,
    the_generation_tells_the_contents,
    a_snapshot_does_not_move,
    readers_beside_a_writer_see_one_thing,
    any_name_is_a_name,
    vectors_are_known_by_their_text,
    a_run_that_stops_is_gone_on_with,
    errors_are_ours,
)
