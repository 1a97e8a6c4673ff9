"""The vector index: FAISS over the vectors that SQLite holds; a file of it is only a cache.

Up to `EXACT` vectors every one is compared. Above, an inverted file compares those of the nearest cells, in the finest
of `CODES` that keeps within the memory set; how many cells is found by measuring, so that `RECALL` is held.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np

from rag.digests import file_digest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rag.protocols import Vectors

logger = logging.getLogger(__name__)

IN_MEMORY = 2_000  # up to here reading the vectors from SQLite is as fast as opening a file
EXACT = 200_000
MEMORY_MB = 1_000
RECALL = 0.98
NEIGHBOURS = 10  # of which RECALL is the share that must be found
KEPT = 5
ASKED = 200  # stored vectors whose neighbours are looked for to measure it
BLOCK = 20_000  # vectors in memory at a time while an index is built
ID_BYTES = 8
PER_CELL = 40  # vectors that a cell's centre is trained on; FAISS warns below 39
# A code's name in FAISS, its bytes a dimension, and how many times the wanted neighbours are fetched by it and then
# put in order by their stored vectors.
CODES = (("SQfp16", 2.0, 1), ("SQ8", 1.0, 2), ("SQ4", 0.5, 4))

Row = tuple[int, bytes]


@dataclass(frozen=True, slots=True)
class Card:
    """What kind of index it is: FAISS's name for it, the recall@10 measured, the cells searched, the fetched share."""

    kind: str = "Flat"
    recall: float = 1.0
    cells: int = 0
    widen: int = 1

    def to_json(self) -> dict[str, Any]:
        """The card as it stands in the manifest."""
        return asdict(self)


class Manifest(TypedDict):
    """What SQLite knows of the file: its name, its digest, the vectors in it, and what kind of index it is."""

    file: str
    digest: str
    last_id: int
    count: int
    card: dict[str, Any]


class DenseIndex:
    """Vectors by passage id; immutable once built, and safe to search from several threads.

    Where `card.widen` is above 1 the cosines are rough, and so many times the wanted neighbours should be looked at.
    """

    def __init__(self, index: Any, last_id: int, card: Card | None = None) -> None:
        self._index = index
        self.last_id = last_id
        self.card = card or Card()

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def search(self, vector: Vectors, k: int, among: NDArray[np.int64] | None = None) -> list[tuple[int, float]]:
        """The `k` nearest passages as (id, cosine), best first, ties by id; with `among`, the nearest of these ids.

        Among given ids all are compared, in cells also: the nearest of them may lie in any cell.
        """
        most = min(k, max(len(self), 1))
        parameters = None if among is None else _only(among, self._index)
        with _one_thread():
            scores, ids = self._index.search(vector.reshape(1, -1).astype(np.float32), most, params=parameters)
        found = [(int(i), float(s)) for i, s in zip(ids[0], scores[0], strict=True) if i >= 0]  # -1: no neighbour
        return sorted(found, key=lambda pair: (-pair[1], pair[0]))


@contextmanager
def _one_thread() -> Iterator[None]:
    """FAISS with one thread: for one vector two are no faster, and on a busy machine they wait 8 to 30 ms."""
    import faiss

    library: Any = faiss  # its stubs know nothing of threads
    before = library.omp_get_max_threads()
    library.omp_set_num_threads(1)
    try:
        yield
    finally:
        library.omp_set_num_threads(before)


def build(
    rows: Callable[[], Iterable[Row]], count: int, dimension: int, *, memory_mb: int = MEMORY_MB, exact: int = EXACT
) -> DenseIndex:
    """The index over (passage id, float16 bytes) rows in ascending order of id; `count` is a bound on their number.

    `rows` gives them anew at each call, since they are read twice. At no time are more vectors in memory than the index
    itself holds, a block, and what its cells are trained on, at most half of the memory set.
    """
    import faiss

    library: Any = faiss  # its stubs know little of this
    card = _chosen(count, dimension, memory_mb, exact)
    index: Any = library.IndexIDMap(library.IndexFlatIP(dimension))
    neighbours = None
    if card.kind != "Flat":
        trained_on = max(int(memory_mb * 1e6 / 2 / (4 * dimension)), 2 * ASKED)
        index, asked = _trained(_blocks(rows(), dimension), count, dimension, card, trained_on)
        neighbours = _Neighbours(*asked)
    last_id = 0
    for ids, matrix in _blocks(rows(), dimension):
        index.add_with_ids(matrix, ids)
        if neighbours is not None:
            neighbours.see(ids, matrix)
        last_id = int(ids[-1])
    if neighbours is not None:
        card = _probed(index, neighbours, card)
    return DenseIndex(index, last_id, card)


def _chosen(count: int, dimension: int, memory_mb: int, exact: int) -> Card:
    """The kind of index for so many vectors: the first that keeps within the memory set, else the smallest."""
    most = memory_mb * 1e6
    if count <= exact and count * (4 * dimension + ID_BYTES) <= most:
        return Card()
    fitting = [code for code in CODES if count * (code[1] * dimension + ID_BYTES) <= most]
    if not fitting:
        least = count * (CODES[-1][1] * dimension + ID_BYTES) / 1e6
        logger.warning("the vector index takes %.0f MB, but search.memory_mb is %d", least, memory_mb)
    name, _, widen = (fitting or CODES[-1:])[0]
    return Card(f"IVF{max(int(4 * count**0.5), 1)},{name}", widen=widen)


def _blocks(rows: Iterable[Row], dimension: int) -> Iterator[tuple[NDArray[np.int64], Vectors]]:
    """The rows as (ids, float32 vectors), some thousand at a time."""
    iterator = iter(rows)
    while block := list(islice(iterator, BLOCK)):
        ids = np.array([passage_id for passage_id, _ in block], dtype=np.int64)
        content = np.frombuffer(b"".join(vector for _, vector in block), dtype=np.float16)
        yield ids, content.reshape(len(block), dimension).astype(np.float32)


def _trained(
    blocks: Iterable[tuple[NDArray[np.int64], Vectors]], count: int, dimension: int, card: Card, most: int
) -> tuple[Any, tuple[NDArray[np.int64], Vectors]]:
    """An empty inverted file, trained on a fixed sample of at most so many vectors, and the vectors to measure with."""
    import faiss

    index: Any = faiss.index_factory(dimension, card.kind, faiss.METRIC_INNER_PRODUCT)
    index.cp.min_points_per_centroid = 1  # fewer than it likes, where memory is short, and no words to standard error
    chance = np.random.default_rng(0)
    size = min(count, max(PER_CELL * index.nlist, ASKED), most)
    wanted = np.sort(chance.choice(count, size=size, replace=False))
    sample = np.empty((size, dimension), dtype=np.float32)
    ids = np.empty(size, dtype=np.int64)
    seen = filled = 0
    for block_ids, matrix in blocks:
        places = wanted[filled : np.searchsorted(wanted, seen + len(matrix))] - seen
        ids[filled : filled + len(places)] = block_ids[places]
        sample[filled : filled + len(places)] = matrix[places]
        filled += len(places)
        seen += len(matrix)
    index.train(sample[:filled])
    asked = chance.choice(filled, size=min(filled, ASKED), replace=False)
    return index, (ids[asked], sample[asked])


class _Neighbours:
    """The nearest of all vectors to some of them, themselves aside, found by comparing all as they pass.

    Copies of one text are equally near, and any of them will do: so more are kept than must be found.
    """

    def __init__(self, ids: NDArray[np.int64], vectors: Vectors) -> None:
        self.ids = ids
        self.vectors = vectors
        self.nearest = np.empty((len(ids), 0), dtype=np.int64)
        self._cosines = np.empty((len(ids), 0), dtype=np.float32)

    def see(self, ids: NDArray[np.int64], matrix: Vectors) -> None:
        """Keep what of this block is nearer than what was seen before."""
        cosines = self.vectors @ matrix.T
        cosines[self.ids[:, None] == ids[None, :]] = -np.inf
        cosines = np.hstack([self._cosines, cosines])
        every = np.hstack([self.nearest, np.broadcast_to(ids, (len(self.ids), len(ids)))])
        best = np.argsort(-cosines, axis=1, kind="stable")[:, : KEPT * NEIGHBOURS]
        self._cosines = np.take_along_axis(cosines, best, axis=1)
        self.nearest = np.take_along_axis(every, best, axis=1)

    def recall(self, index: Any, widen: int) -> float:
        """The share of the nearest that the index finds among `widen` times as many."""
        # One more, for each vector finds itself.
        _, found = index.search(self.vectors, NEIGHBOURS * widen + 1)
        wanted = min(NEIGHBOURS, self.nearest.shape[1])
        near = [ids[row >= row[wanted - 1]] for ids, row in zip(self.nearest, self._cosines, strict=True)]
        hits = sum(min(len(np.intersect1d(*pair)), wanted) for pair in zip(near, found, strict=True))
        return hits / (wanted * len(near))


def _probed(index: Any, neighbours: _Neighbours, card: Card) -> Card:
    """Set how many cells a search looks into: twice as many until the recall is held, at most all."""
    probes = min(max(32, index.nlist // 64), index.nlist)
    while True:
        index.nprobe = probes
        recall = neighbours.recall(index, card.widen)
        if recall >= RECALL or probes == index.nlist:
            return replace(card, recall=round(recall, 4), cells=probes)
        probes = min(2 * probes, index.nlist)


def _only(ids: NDArray[np.int64], index: Any) -> Any:
    """FAISS's parameters for a search among these ids."""
    import faiss

    library: Any = faiss  # its stubs know no selectors
    chosen = np.zeros(int(ids.max(initial=0)) + 1, dtype=np.bool_)
    chosen[ids] = True
    selector = library.IDSelectorBitmap(np.packbits(chosen, bitorder="little"))
    cells = library.try_extract_index_ivf(index)
    if cells is None:
        return library.SearchParameters(sel=selector)
    return library.SearchParametersIVF(sel=selector, nprobe=cells.nlist)


def cosines(rows: Iterable[Row], vector: Vectors) -> dict[int, float]:
    """The cosine of a unit vector with each of the (passage id, float16 bytes) rows."""
    found = dict(rows)
    if not found:
        return {}
    matrix = np.frombuffer(b"".join(found.values()), dtype=np.float16).reshape(len(found), -1)
    return dict(zip(found, (matrix.astype(np.float32) @ vector).tolist(), strict=True))


def save(dense: DenseIndex, path: Path) -> Manifest | None:
    """Write the cache file whole or not at all; None where it cannot be written, which only costs time later."""
    import faiss

    temporary = path.with_suffix(".tmp")
    try:
        faiss.write_index(dense._index, str(temporary))
        digest = file_digest(temporary)
        temporary.replace(path)
        for old in path.parent.glob("vectors-*"):  # a run that was killed leaves a part of one
            if old != path:
                old.unlink(missing_ok=True)
    except (OSError, RuntimeError) as error:
        temporary.unlink(missing_ok=True)
        logger.warning("the vector index was not cached at %s: %s", path, error)
        return None
    return Manifest(file=path.name, digest=digest, last_id=dense.last_id, count=len(dense), card=dense.card.to_json())


def sound(folder: Path, written: Manifest) -> bool:
    """Whether the cache file is there and is byte for byte what was written."""
    try:
        return file_digest(folder / written["file"]) == written["digest"]
    except OSError:
        return False


def load(folder: Path, written: Manifest) -> DenseIndex | None:
    """The cached index, memory-mapped so that several processes share it; None where there is none or it is damaged.

    All of it is read before a vector of it counts: FAISS itself notices few damages.
    """
    import faiss

    path = folder / written["file"]
    if not sound(folder, written):
        if path.exists():
            logger.warning(
                "the cached vector index %s is damaged and is built anew; to have it written again: whosays index PATH",
                path,
            )
        return None
    try:
        card = Card(**written["card"])
        return DenseIndex(faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC), written["last_id"], card)
    except RuntimeError as error:
        logger.warning("the cached vector index %s is broken and is built anew: %s", path, error)
        return None
