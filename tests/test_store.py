"""The index on disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from rag.errors import IndexDamaged, IndexLocked, IndexMismatch, IndexMissing, SourceUnknown
from rag.records import Passage, Sentence, Source
from rag.store import dense
from rag.store.contents import to_rows
from rag.store.local import LocalStore
from rag.store.schema import FILE, open_for_writing
from rag.store.writer import Writer

NORTH, EAST = np.eye(2, dtype=np.float32)


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    writer = Writer(tmp_path / "index", "digest", "two directions", 2, rebuild=False)
    writer.begin()
    yield writer
    writer.close()


def put(writer: Writer, name: str, text: str, vector: np.ndarray = NORTH) -> None:
    """A source of one passage of one sentence."""
    source = Source(name, f"/docs/{name}", text, digest=f"digest of {text}", title="Weather", published="2025-06-08")
    passage = Passage(name, 0, len(text), text, (Sentence(0, len(text)),), "Today")
    writer.put(source, "recipe", [passage], [text.encode()], to_rows(vector[None]))


def test_what_was_put_is_found_by_meaning_and_by_word(writer: Writer) -> None:
    put(writer, "wet.txt", "It rained.", NORTH)
    put(writer, "dry.txt", "The sun shone.", EAST)
    with LocalStore(writer.folder).snapshot() as snapshot:
        (near, _), (far, _) = snapshot.nearest_to(EAST, 5)
        (word, score), *others = snapshot.holding_words(["rains"], 5)
        hits = snapshot.passages([near, far, word, 999])
        assert [hits[i].passage.source for i in (near, far, word)] == ["dry.txt", "wet.txt", "wet.txt"]
        assert (others, score > 0, snapshot.passage_count) == ([], True, 2)
        assert hits[near].passage == Passage("dry.txt", 0, 14, "The sun shone.", (Sentence(0, 14),), "Today")
        assert (hits[near].title, hits[near].published) == ("Weather", "2025-06-08")


def test_cosines_of_given_passages_are_those_of_the_search(writer: Writer) -> None:
    put(writer, "wet.txt", "It rained.", NORTH)
    put(writer, "dry.txt", "The sun shone.", EAST)
    with LocalStore(writer.folder).snapshot() as snapshot:
        near = dict(snapshot.nearest_to(EAST, 5))
        assert snapshot.cosines(EAST, [*near, 999]) == near == {1: 0.0, 2: 1.0}
        assert snapshot.cosines(EAST, []) == {}


def test_several_words_are_looked_up_as_a_phrase(writer: Writer) -> None:
    put(writer, "a.txt", "Two Dollar Radio")
    put(writer, "b.txt", "two radios for a dollar")
    with LocalStore(writer.folder).snapshot() as snapshot:
        assert [i for i, _ in snapshot.holding_words(["Two Dollar Radio"], 5)] == [1]


def test_a_source_that_changed_replaces_the_old_one(writer: Writer) -> None:
    put(writer, "a.txt", "It rained.")
    put(writer, "a.txt", "It snowed.")
    store = LocalStore(writer.folder)
    assert [(s.name, s.passages) for s in store.sources()] == [("a.txt", 1)]
    with store.snapshot() as snapshot:
        assert snapshot.holding_words(["rained"], 5) == []
        assert len(snapshot.holding_words(["snowed"], 5)) == 1


def test_a_removed_source_is_gone_from_every_search(writer: Writer) -> None:
    put(writer, "a.txt", "It rained.")
    put(writer, "b.txt", "It rained.")
    writer.remove("a.txt")
    with LocalStore(writer.folder).snapshot() as snapshot:
        found = {i for i, _ in (*snapshot.nearest_to(NORTH, 5), *snapshot.holding_words(["rained"], 5))}
        assert {hit.passage.source for hit in snapshot.passages(sorted(found)).values()} == {"b.txt"}


def test_the_generation_tells_the_contents_and_not_the_history(writer: Writer) -> None:
    put(writer, "a.txt", "It rained.")
    first = LocalStore(writer.folder).generation
    put(writer, "b.txt", "It snowed.")
    second = LocalStore(writer.folder).generation
    writer.remove("b.txt")
    assert LocalStore(writer.folder).generation == first != second
    put(writer, "a.txt", "It rained.", EAST)
    assert LocalStore(writer.folder).generation != first


def test_a_snapshot_does_not_move_under_a_question(writer: Writer) -> None:
    put(writer, "a.txt", "It rained.")
    with LocalStore(writer.folder).snapshot() as snapshot:
        put(writer, "b.txt", "It rained.")
        assert len(snapshot.holding_words(["rained"], 5)) == 1
        assert len(snapshot.nearest_to(NORTH, 5)) == 1


def test_vectors_are_reused_by_text(writer: Writer) -> None:
    put(writer, "a.txt", "It rained.", EAST)
    found = writer.vectors_of([b"It rained.", b"It snowed."])
    assert found == {b"It rained.": to_rows(EAST[None])[0]}


def test_two_writers_do_not_meet(writer: Writer) -> None:
    with pytest.raises(IndexLocked, match="Another indexing run"):
        Writer(writer.folder, "digest", "two directions", 2, rebuild=False)


def test_an_index_remembers_its_embedding_model(writer: Writer) -> None:
    with pytest.raises(IndexMismatch, match=r"two directions.*three directions") as caught:
        LocalStore(writer.folder).check_embedder("other", "three directions")
    assert "--rebuild" in caught.value.hint
    writer.close()
    other = Writer(writer.folder, "other", "three directions", 3, rebuild=False)
    with pytest.raises(IndexMismatch):
        other.begin()
    other.close()
    again = Writer(writer.folder, "other", "three directions", 3, rebuild=True)
    again.begin()
    again.close()
    LocalStore(writer.folder).check_embedder("other", "three directions")


def test_a_missing_index_is_named_with_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(IndexMissing) as caught:
        LocalStore(tmp_path / "nowhere")
    assert "whosays index" in caught.value.hint


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty file"),
        pytest.param(b"not a database at all, but long enough to be read as one" * 20, id="another format"),
    ],
)
def test_a_file_that_is_no_index_is_damaged(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(IndexDamaged) as caught:
        LocalStore(tmp_path)
    assert "--rebuild" in caught.value.hint


def test_half_an_index_is_damaged_and_a_rebuild_mends_it(writer: Writer) -> None:
    for number in range(40):
        put(writer, f"{number}.txt", f"It rained {number} times. " * 40)
    writer.close()
    path = writer.folder / FILE
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(IndexDamaged):
        store = LocalStore(writer.folder)
        with store.snapshot() as snapshot:
            snapshot.nearest_to(NORTH, 5)
            snapshot.passages(list(range(50)))
    again = Writer(writer.folder, "digest", "two directions", 2, rebuild=True)
    again.begin()
    again.close()
    assert LocalStore(writer.folder).sources() == []


def test_an_index_of_another_version_is_named_so(writer: Writer) -> None:
    writer.close()
    connection = open_for_writing(writer.folder)
    connection.execute("UPDATE meta SET value = '0' WHERE name = 'version'")
    connection.close()
    with pytest.raises(IndexDamaged, match="format 0, but this is format"):
        LocalStore(writer.folder)


def test_an_unknown_source_is_answered_with_the_nearest_names(writer: Writer) -> None:
    put(writer, "report.txt", "It rained.")
    with pytest.raises(SourceUnknown) as caught:
        LocalStore(writer.folder).source("reprot.txt")
    assert "report.txt" in caught.value.hint
    with pytest.raises(SourceUnknown):
        LocalStore(writer.folder).source("\udcff")


def test_lines_are_counted_whatever_ends_them(writer: Writer) -> None:
    put(writer, "a.txt", "one\r\ntwo\nthree\rfour")
    with LocalStore(writer.folder).snapshot() as snapshot:
        assert [snapshot.line_at("a.txt", offset) for offset in (0, 5, 9, 15)] == [1, 2, 3, 4]


@pytest.fixture
def large(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> Writer:
    """A writer whose index is large enough, by a lowered bound, to have its vectors in a file."""
    monkeypatch.setattr(dense, "IN_MEMORY", 3)
    for number in range(20):
        angle = number / 20
        put(writer, f"{number:02}.txt", f"Day {number}.", np.array([np.cos(angle), np.sin(angle)], dtype=np.float32))
    writer.finish()
    return writer


def nearest(folder: Path, k: int = 3) -> list[str]:
    with LocalStore(folder).snapshot() as snapshot:
        ids = [i for i, _ in snapshot.nearest_to(NORTH, k)]
        hits = snapshot.passages(ids)
        return [hits[i].passage.source for i in ids]


def test_the_vector_file_is_only_a_cache(large: Writer) -> None:
    (file,) = large.folder.glob("vectors-*.faiss")
    whole = nearest(large.folder)
    assert whole == ["00.txt", "01.txt", "02.txt"]
    file.write_bytes(file.read_bytes()[:100])
    assert nearest(large.folder) == whole
    file.unlink()
    assert nearest(large.folder) == whole


def test_the_vector_file_serves_though_sources_came_and_went(large: Writer) -> None:
    (file,) = large.folder.glob("vectors-*.faiss")
    large.remove("01.txt")
    put(large, "new.txt", "Day 99.", NORTH)
    large.finish()
    assert [path.name for path in large.folder.glob("vectors-*.faiss")] == [file.name]
    assert nearest(large.folder) == ["00.txt", "new.txt", "02.txt"]
    for number in range(4, 10):
        large.remove(f"{number:02}.txt")
    large.finish()
    assert [path.name for path in large.folder.glob("vectors-*.faiss")] != [file.name]
    assert nearest(large.folder) == ["00.txt", "new.txt", "02.txt"]


def test_many_vectors_are_searched_by_cells(tmp_path: Path) -> None:
    vectors = np.random.default_rng(7).standard_normal((2000, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    index = dense.build(lambda: enumerate(to_rows(vectors), start=1), 2000, 16, exact=500)
    written = dense.save(index, tmp_path / "vectors-x.faiss")
    assert written is not None
    loaded = dense.load(tmp_path, written)
    assert loaded is not None
    assert [loaded.search(vectors[i], 1)[0][0] for i in range(0, 2000, 100)] == list(range(1, 2001, 100))


def test_a_rebuilt_index_of_the_same_generation_is_read_anew(writer: Writer) -> None:
    put(writer, "gone.txt", "Gone.", EAST)
    put(writer, "a.txt", "It rained.", NORTH)
    put(writer, "b.txt", "The sun shone.", EAST)
    writer.remove("gone.txt")
    store = LocalStore(writer.folder)
    before = store.generation
    assert nearest_in(store, EAST) == "b.txt"
    writer.close()
    again = Writer(writer.folder, "digest", "two directions", 2, rebuild=True)
    again.begin()
    put(again, "b.txt", "The sun shone.", EAST)
    put(again, "a.txt", "It rained.", NORTH)
    again.close()
    assert store.generation == before
    assert (nearest_in(store, NORTH), nearest_in(store, EAST)) == ("a.txt", "b.txt")


def nearest_in(store: LocalStore, vector: np.ndarray) -> str:
    with store.snapshot() as snapshot:
        ((passage_id, _),) = snapshot.nearest_to(vector, 1)
        return snapshot.passages([passage_id])[passage_id].passage.source


def test_an_index_without_sources_finds_nothing(writer: Writer) -> None:
    with LocalStore(writer.folder).snapshot() as snapshot:
        assert (snapshot.nearest_to(NORTH, 5), snapshot.holding_words(["rain"], 5), snapshot.passages([])) == (
            [],
            [],
            {},
        )


def test_contents_that_come_back_are_read_anew(writer: Writer) -> None:
    put(writer, "a.txt", "It rained.", NORTH)
    store = LocalStore(writer.folder)
    before = store.generation
    assert nearest_in(store, NORTH) == "a.txt"
    writer.remove("a.txt")
    put(writer, "a.txt", "It rained.", NORTH)
    assert store.generation == before
    assert nearest_in(store, NORTH) == "a.txt"


def test_neighbours_are_found_behind_removed_ones(large: Writer) -> None:
    for number in range(2):
        large.remove(f"{number:02}.txt")
    assert nearest(large.folder, 1) == ["02.txt"]


def test_an_open_store_notices_another_embedding_model(writer: Writer) -> None:
    put(writer, "a.txt", "It rained.")
    store = LocalStore(writer.folder)
    store.check_embedder("digest", "two directions")
    writer.close()
    again = Writer(writer.folder, "other", "three directions", 3, rebuild=True)
    again.begin()
    again.close()
    with pytest.raises(IndexMismatch):
        store.sources()


# ---- a search among some sources ----------------------------------------------------------------------------------


def found_among(folder: Path, patterns: list[str], k: int = 50) -> set[str]:
    """The sources of all passages that either search gives when it is restricted."""
    with LocalStore(folder).snapshot() as snapshot:
        restricted = snapshot.restricted_to(patterns)
        near = [i for i, _ in restricted.nearest_to(NORTH, k)]
        words = [i for i, _ in restricted.holding_words(["day"], k)]
        assert set(near) == set(words)
        return {hit.passage.source for hit in snapshot.passages(near).values()}


@pytest.mark.parametrize(
    ("patterns", "chosen"),
    [
        pytest.param(["03.txt"], {"03.txt"}, id="a name"),
        pytest.param(["0[23].txt"], {"02.txt", "03.txt"}, id="one of several letters"),
        pytest.param(["0?.txt", "1*"], {f"{number:02}.txt" for number in range(20)}, id="several patterns"),
        pytest.param(["*"], {f"{number:02}.txt" for number in range(20)}, id="all"),
        pytest.param(["*.md", "nowhere", "\udcff", ""], set(), id="none"),
        pytest.param(["03.TXT"], set(), id="letters count as they are"),
    ],
)
def test_a_restricted_search_gives_passages_of_the_chosen_sources_alone(
    large: Writer, patterns: list[str], chosen: set[str]
) -> None:
    assert found_among(large.folder, patterns) == chosen


def test_a_name_with_brackets_chooses_itself(writer: Writer) -> None:
    for name in ("day[1].txt", "day1.txt"):
        put(writer, name, "Day.")
    assert found_among(writer.folder, ["day[1].txt"]) == {"day[1].txt", "day1.txt"}
    assert found_among(writer.folder, ["day[[]1].txt"]) == {"day[1].txt"}


def test_a_restricted_search_knows_what_came_and_went_since_the_file_of_vectors(large: Writer) -> None:
    large.remove("01.txt")
    put(large, "new.txt", "Day 99.", NORTH)
    assert found_among(large.folder, ["0[01].txt", "new.txt"]) == {"00.txt", "new.txt"}


def test_the_nearest_of_given_passages_is_found_in_whatever_cell_it_lies() -> None:
    vectors = np.random.default_rng(7).standard_normal((2000, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    index = dense.build(lambda: enumerate(to_rows(vectors), start=1), 2000, 16, exact=500)
    stored = vectors.astype(np.float16).astype(np.float32)
    for asked in range(20):
        among = np.random.default_rng(asked).choice(np.arange(1, 2001), size=15, replace=False)
        scores = stored[among - 1] @ vectors[asked]
        wanted = [int(i) for i in among[np.argsort(-scores)][:5]]
        assert [i for i, _ in index.search(vectors[asked], 5, among)] == wanted
    assert index.search(vectors[0], 5, np.array([], dtype=np.int64)) == []


def test_many_stars_in_a_pattern_take_no_longer(writer: Writer) -> None:
    put(writer, "a" * 250, "Day.")
    assert found_among(writer.folder, ["*a" * 60 + "b"]) == set()
