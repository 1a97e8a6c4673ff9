"""The vector index: its kind by size and memory, and what it finds of what comparing all finds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import faiss
import numpy as np
import pytest

from rag.doctor import check_up
from rag.records import Check, Passage, Sentence, Source
from rag.store import dense
from rag.store.contents import to_rows
from rag.store.dense import Card, DenseIndex
from rag.store.local import LocalStore
from rag.store.writer import Writer
from tests.conftest import settings_for

COUNT, DIMENSION = 3_000, 384


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    """Unit vectors in a hundred neighbourhoods, the first ten of them copies of one."""
    chance = np.random.default_rng(7)
    centres = chance.standard_normal((100, DIMENSION))
    made = centres[chance.integers(100, size=COUNT)] + 0.7 * chance.standard_normal((COUNT, DIMENSION))
    made[:10] = made[0]
    return unit(made)


def exact(stored: np.ndarray, asked: np.ndarray, k: int) -> list[int]:
    """The ids, which begin at 1, of the nearest by comparing all."""
    rows = stored.astype(np.float16).astype(np.float32) @ asked
    return [int(i) + 1 for i in np.argsort(-rows, kind="stable")[:k]]


def built(vectors: np.ndarray, **how: int) -> DenseIndex:
    rows = to_rows(vectors)
    return dense.build(lambda: enumerate(rows, start=1), len(vectors), vectors.shape[1], **how)


@pytest.mark.parametrize(
    ("memory_mb", "kind", "widen"),
    [
        pytest.param(5, "Flat", 1, id="room for every vector as it is"),
        pytest.param(3, "IVF219,SQfp16", 1, id="room for half of each"),
        pytest.param(2, "IVF219,SQ8", 2, id="room for a quarter"),
        pytest.param(1, "IVF219,SQ4", 4, id="room for an eighth"),
    ],
)
def test_the_memory_set_chooses_the_finest_vectors_that_fit(
    vectors: np.ndarray, tmp_path: Path, memory_mb: int, kind: str, widen: int
) -> None:
    index = built(vectors, memory_mb=memory_mb)
    assert (index.card.kind, index.card.widen, len(index), index.last_id) == (kind, widen, COUNT, COUNT)
    assert index.card.recall >= dense.RECALL
    dense.save(index, tmp_path / "vectors-x.faiss")
    assert (tmp_path / "vectors-x.faiss").stat().st_size < memory_mb * 1e6 * 1.5  # and the centres of the cells


def test_what_does_not_fit_is_stored_as_small_as_can_be_and_said(
    vectors: np.ndarray, caplog: pytest.LogCaptureFixture
) -> None:
    wide = unit(np.tile(vectors, (1, 3)))
    assert built(wide, memory_mb=1).card.kind.endswith("SQ4")
    assert "search.memory_mb is 1" in caplog.text


def test_more_vectors_than_are_compared_one_by_one_lie_in_cells(vectors: np.ndarray) -> None:
    assert built(vectors, exact=COUNT).card == Card()
    assert built(vectors, exact=COUNT - 1).card.kind == "IVF219,SQfp16"


def test_cells_are_added_until_the_recall_is_held(vectors: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    scattered = unit(np.random.default_rng(3).standard_normal((COUNT, 64)))  # no neighbourhoods: the hardest case
    index = built(scattered, exact=500)
    assert index.card.cells > built(vectors, exact=500).card.cells
    assert index.card.recall >= dense.RECALL
    asked = unit(np.random.default_rng(4).standard_normal((50, 64)))
    found = [len({i for i, _ in index.search(one, 10)} & set(exact(scattered, one, 10))) for one in asked]
    assert sum(found) / 500 >= 0.95
    monkeypatch.setattr(dense, "RECALL", 1.1)
    assert built(scattered, exact=500).card.cells == 219  # all, and no more


def test_a_search_runs_on_one_thread_and_leaves_the_others_to_whoever_builds(vectors: np.ndarray) -> None:
    index = built(vectors)
    seen: list[int] = []

    class Watched:
        """FAISS's index, which tells how many threads a search may use."""

        ntotal = len(index)

        def search(self, *asked: object, **how: object) -> object:
            seen.append(faiss.omp_get_max_threads())
            return index._index.search(*asked, **how)

    faiss.omp_set_num_threads(2)
    found = DenseIndex(Watched(), index.last_id).search(vectors[20], 3)
    assert (seen, faiss.omp_get_max_threads()) == ([1], 2)
    assert [i for i, _ in found] == exact(vectors, vectors[20], 3)


def test_the_recall_measured_is_the_recall(vectors: np.ndarray) -> None:
    """Where a tenth of the vectors is hidden from the index, about a tenth of the neighbours is missed."""
    rows = to_rows(vectors)
    index = built(vectors, memory_mb=2)
    ids = np.arange(1, COUNT + 1)
    sample = np.arange(10, COUNT, 15)
    neighbours = dense._Neighbours(ids[sample], vectors[sample])
    stored = np.stack([np.frombuffer(row, dtype=np.float16) for row in rows]).astype(np.float32)
    for start in range(0, COUNT, 700):
        neighbours.see(ids[start : start + 700], stored[start : start + 700])
    index._index.nprobe = index._index.nlist
    assert neighbours.recall(index._index, 4) >= 0.99
    index._index.remove_ids(ids[ids % 10 == 5])
    assert neighbours.recall(index._index, 4) == pytest.approx(0.9, abs=0.02)


# ---- in an index ------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(vectors: np.ndarray, tmp_path: Path) -> Iterator[Path]:
    """An index of one source of many passages whose vectors are stored as coarsely as can be."""
    writer = Writer(tmp_path / "index", "digest", "name", DIMENSION, rebuild=False, memory_mb=1)
    writer.begin()
    put(writer, "many.txt", vectors[:-1])
    put(writer, "last.txt", vectors[-1:])
    writer.finish()
    yield writer.folder
    writer.close()


def put(writer: Writer, name: str, vectors: np.ndarray) -> None:
    """A source of as many passages as there are vectors."""
    text = "\n".join(f"{name} {number}" for number in range(len(vectors)))
    passages, start = [], 0
    for line in text.split("\n"):
        passages.append(Passage(name, start, start + len(line), line, (Sentence(start, start + len(line)),)))
        start += len(line) + 1
    digests = [f"{name} {number}".encode() for number in range(len(vectors))]
    writer.put(Source(name, f"/{name}", text, digest=name), "recipe", passages, digests, to_rows(vectors))


def test_coarse_vectors_find_and_the_stored_ones_put_in_order(vectors: np.ndarray, folder: Path) -> None:
    found = 0
    with LocalStore(folder).snapshot() as snapshot:
        for number in range(20, 60):
            near = snapshot.nearest_to(vectors[number], 10)
            assert near[0][0] == number + 1
            assert near == sorted(near, key=lambda pair: (-pair[1], pair[0]))
            assert dict(near) == pytest.approx(snapshot.cosines(vectors[number], [i for i, _ in near]), abs=1e-5)
            found += len({i for i, _ in near} & set(exact(vectors, vectors[number], 10)))
    assert found >= 0.98 * 400


def test_coarse_vectors_do_so_among_some_sources_and_behind_removed_ones(vectors: np.ndarray, folder: Path) -> None:
    store = LocalStore(folder)
    with store.snapshot() as snapshot:
        assert [i for i, _ in snapshot.restricted_to(["last.txt"]).nearest_to(vectors[20], 10)] == [COUNT]
        assert snapshot.nearest_to(vectors[-1], 1)[0][0] == COUNT


def test_the_manifest_says_what_was_written_and_opening_reads_it(folder: Path) -> None:
    store = LocalStore(folder)
    written = store.vector_index()
    assert written is not None
    assert (written.card.kind, written.sound) == ("IVF219,SQ4", True)
    with store.snapshot() as snapshot:
        record = json.loads(snapshot.meta("dense") or "null")
        assert store.dense_at(snapshot).base.card == Card(**record["card"]) == written.card
    (folder / record["file"]).unlink()
    assert store.vector_index() is None


def test_the_doctor_shows_the_recall_and_says_how_to_raise_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def looked_at() -> Check:
        return next(check for check in check_up(settings_for(folder)) if check.name == "vectors")

    assert looked_at().ok
    assert "IVF219,SQ4" in looked_at().detail
    monkeypatch.setattr(dense, "RECALL", 1.1)
    assert not looked_at().ok
    assert "search.memory_mb" in looked_at().mend
