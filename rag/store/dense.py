"""The vector index: FAISS over the vectors that SQLite holds; a file of it is only a cache."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np

from rag.digests import file_digest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rag.protocols import Vectors

logger = logging.getLogger(__name__)

IN_MEMORY = 2_000  # up to here reading the vectors from SQLite is as fast as opening a file
EXACT = 200_000  # up to here every vector is compared; above, the nearest cells of an inverted file


class Manifest(TypedDict):
    """What SQLite knows of the file: its name, its digest, and the vectors in it."""

    file: str
    digest: str
    last_id: int
    count: int


class DenseIndex:
    """Vectors by passage id; immutable once built, and safe to search from several threads."""

    def __init__(self, index: Any, last_id: int) -> None:
        self._index = index
        self.last_id = last_id

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def search(self, vector: Vectors, k: int, among: NDArray[np.int64] | None = None) -> list[tuple[int, float]]:
        """The `k` nearest passages as (id, cosine), best first, ties by id; with `among`, the nearest of these ids.

        Among given ids the search is exact, in cells also: the nearest of them may lie in any cell.
        """
        most = min(k, max(len(self), 1))
        parameters = None if among is None else _only(among, self._index)
        scores, ids = self._index.search(vector.reshape(1, -1).astype(np.float32), most, params=parameters)
        found = [(int(i), float(s)) for i, s in zip(ids[0], scores[0], strict=True) if i >= 0]  # -1: no neighbour
        return sorted(found, key=lambda pair: (-pair[1], pair[0]))


def build(rows: Iterable[tuple[int, bytes]], count: int, dimension: int) -> DenseIndex:
    """The index over (passage id, float16 bytes) rows in ascending order of id; `count` is a bound on their number."""
    import faiss

    matrix = np.empty((count, dimension), dtype=np.float16)
    ids = np.empty(count, dtype=np.int64)
    filled = 0
    for passage_id, content in rows:
        ids[filled] = passage_id
        matrix[filled] = np.frombuffer(content, dtype=np.float16)
        filled += 1
    matrix, ids = matrix[:filled], ids[:filled]
    if filled <= EXACT:
        index = faiss.IndexIDMap(faiss.IndexFlatIP(dimension))
    else:
        index = faiss.IndexIDMap(_trained(matrix, dimension))
    step = 100_000
    for start in range(0, filled, step):
        index.add_with_ids(matrix[start : start + step].astype(np.float32), ids[start : start + step])
    return DenseIndex(index, int(ids[-1]) if filled else 0)


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


def cosines(rows: Iterable[tuple[int, bytes]], vector: Vectors) -> dict[int, float]:
    """The cosine of a unit vector with each of the (passage id, float16 bytes) rows."""
    found = dict(rows)
    if not found:
        return {}
    matrix = np.frombuffer(b"".join(found.values()), dtype=np.float16).reshape(len(found), -1)
    return dict(zip(found, (matrix.astype(np.float32) @ vector).tolist(), strict=True))


def _trained(matrix: NDArray[np.float16], dimension: int) -> Any:
    """An empty inverted file, 4·sqrt(n) cells, 16-bit vectors, trained on a fixed sample (40 vectors a cell)."""
    import faiss

    cells = int(4 * len(matrix) ** 0.5)
    sample = np.random.default_rng(0).choice(len(matrix), size=min(len(matrix), 40 * cells), replace=False)
    index: Any = faiss.index_factory(dimension, f"IVF{cells},SQfp16", faiss.METRIC_INNER_PRODUCT)
    index.train(matrix[np.sort(sample)].astype(np.float32))
    index.nprobe = max(32, cells // 64)
    return index


def save(dense: DenseIndex, path: Path) -> Manifest | None:
    """Write the cache file whole or not at all; None where it cannot be written, which only costs time later."""
    import faiss

    temporary = path.with_suffix(".tmp")
    try:
        faiss.write_index(dense._index, str(temporary))
        digest = file_digest(temporary)
        temporary.replace(path)
        for old in path.parent.glob("vectors-*.faiss"):
            if old != path:
                old.unlink(missing_ok=True)
    except (OSError, RuntimeError) as error:
        temporary.unlink(missing_ok=True)
        logger.warning("the vector index was not cached at %s: %s", path, error)
        return None
    return Manifest(file=path.name, digest=digest, last_id=dense.last_id, count=len(dense))


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
        return DenseIndex(faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC), written["last_id"])
    except RuntimeError as error:
        logger.warning("the cached vector index %s is broken and is built anew: %s", path, error)
        return None
