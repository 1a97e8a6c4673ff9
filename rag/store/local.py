"""One SQLite file is the truth: sources, passages, vectors and full-text; the vector index is derived from it."""

from __future__ import annotations

import contextlib
import copy
import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rag.records import Hit, Passage, Source, SourceSummary
from rag.store import dense as dense_index
from rag.store import words as full_text
from rag.store.contents import NAMES_COMPARED, mismatch, read_sentences, unknown_source
from rag.store.dense import Card, DenseIndex
from rag.store.schema import open_for_reading, translated
from rag.store.words import CommonWords

if TYPE_CHECKING:
    import apsw
    from numpy.typing import NDArray

    from rag.protocols import Vectors

# `?` is a JSON list: a name counts as itself, for it may hold brackets, and as a pattern.
# Names are looked up, and only a pattern goes through the names of all sources.
CHOSEN = """SELECT id FROM sources WHERE name IN (SELECT value FROM json_each(?1)) UNION
    SELECT sources.id FROM json_each(?1) AS given CROSS JOIN sources
    WHERE given.value GLOB '*[*?[]*' AND name GLOB given.value"""
AMONG = "SELECT value FROM json_each(?1)"  # the identifiers of the chosen sources
LISTED = "SELECT value FROM json_each(?)"  # of a JSON list: SQLite takes only so many single values


@dataclass(frozen=True, slots=True)
class Dense:
    """The vectors of one state of the index: a base that may come from a file, and what was added since.

    Identifiers of passages mean something within one lineage only: a rebuilt index may have the same generation with
    other identifiers.
    """

    state: tuple[str, str, int]
    base: DenseIndex
    file: str
    delta: DenseIndex | None = None


@dataclass(frozen=True, slots=True)
class VectorFile:
    """What the file of vectors is, and its size in megabytes."""

    card: Card
    megabytes: float

    @property
    def sound(self) -> bool:
        """Whether it finds enough of the nearest passages."""
        return self.card.recall >= dense_index.RECALL


class LocalStore:
    """The index for reading; safe to use from several threads. Each question gets its own snapshot."""

    def __init__(self, folder: Path, memory_mb: int = dense_index.MEMORY_MB) -> None:
        self.folder = folder
        self.memory_mb = memory_mb
        self._dense: Dense | None = None
        self._common: tuple[str | None, CommonWords | None] = (None, None)
        self._embedder: tuple[str, str] | None = None
        self._lock = threading.Lock()
        with self.snapshot():
            pass  # a missing or damaged index shows now, not at the first question

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """The index as it is at this moment, however it changes meanwhile."""
        connection = open_for_reading(self.folder)
        try:
            with translated(self.folder):
                connection.execute("BEGIN")
                snapshot = Snapshot(self, connection)
            if self._embedder is not None:
                snapshot.check_embedder(*self._embedder)
            with translated(self.folder):
                yield snapshot
        finally:
            connection.close()

    def check_embedder(self, digest: str, name: str) -> None:
        """Raise IndexMismatch, now and at every later snapshot, unless this embedding model wrote the index."""
        self._embedder = (digest, name)
        with self.snapshot():
            pass

    @property
    def generation(self) -> str:
        """What tells this state of the index from every other: the same contents have the same generation."""
        with self.snapshot() as snapshot:
            return snapshot.generation

    @property
    def passage_count(self) -> int:
        """How many passages are indexed."""
        with self.snapshot() as snapshot:
            return snapshot.passage_count

    def sources(self) -> list[SourceSummary]:
        """Every source, by name."""
        with self.snapshot() as snapshot:
            return snapshot.sources()

    def names(self) -> list[str]:
        """The name of every source, in order; far cheaper than the sources, whose texts are measured."""
        with self.snapshot() as snapshot:
            return snapshot.names()

    def source(self, name: str) -> Source:
        """One source with its text; raises SourceUnknown."""
        with self.snapshot() as snapshot:
            return snapshot.source(name)

    def vector_index(self) -> VectorFile | None:
        """The file of vectors that the manifest names; None where there is none."""
        with self.snapshot() as snapshot:
            written = json.loads(snapshot.meta("dense") or "null")
        path = self.folder / written["file"] if written else None
        if path is None or not path.is_file():
            return None
        return VectorFile(Card(**written["card"]), path.stat().st_size / 1e6)

    def dense_at(self, snapshot: Snapshot) -> Dense:
        """The vectors of the snapshot's generation, read once and kept until the index changes."""
        with self._lock:
            kept = self._dense
            if kept is None or kept.state != snapshot.state:
                self._dense = kept = self._read_dense(snapshot)
            return kept

    def common_words_at(self, snapshot: Snapshot) -> CommonWords | None:
        """The common words of the snapshot's index, read once and kept until they are counted anew."""
        of = snapshot.meta("common_words_of")
        with self._lock:
            if of != self._common[0]:
                text = snapshot.meta("common_words")
                self._common = (of, CommonWords.from_json(text) if text else None)
            return self._common[1]

    def _read_dense(self, snapshot: Snapshot) -> Dense:
        written = json.loads(snapshot.meta("dense") or "null")
        if written is not None:
            kept = self._dense
            if kept is not None and (kept.state[0], kept.file) != (snapshot.state[0], written["file"]):
                kept = None
            base = kept.base if kept else dense_index.load(self.folder, written)
            if base is not None:
                added = snapshot.build_dense(after=base.last_id)
                delta = added if len(added) else None
                return Dense(snapshot.state, base, written["file"], delta)
        return Dense(snapshot.state, snapshot.build_dense(), file="")


class Snapshot:
    """One unchanging view of the index; used by one thread, closed with its `with`."""

    def __init__(self, store: LocalStore, connection: apsw.Connection) -> None:
        self._store = store
        self._connection: Any = connection  # apsw's types cannot say what a table holds
        self.generation = self.meta("generation") or "empty"
        # The same contents may come back with other identifiers, in a rebuilt index or after a removal.
        row = self._connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'passages'").fetchone()
        self.state = (self.meta("lineage") or "", self.generation, int(row[0]) if row else 0)
        self._chosen: str | None = None
        self._among: NDArray[np.int64] | None = None

    def restricted_to(self, sources: Sequence[str]) -> Snapshot:
        """The same moment, whose searches give only passages of sources with these names or matching these patterns.

        In a pattern `*` stands for any characters, `/` too, `?` for one, and `[ab]` for one of several.
        """
        restricted = copy.copy(self)
        names = json.dumps([name.encode("utf-8", "replace").decode("utf-8") for name in sources])
        restricted._chosen = json.dumps([source_id for (source_id,) in self._connection.execute(CHOSEN, (names,))])
        rows = self._connection.execute(
            f"SELECT id FROM passages WHERE source_id IN ({AMONG}) ORDER BY id", (restricted._chosen,)
        )
        restricted._among = np.fromiter((passage_id for (passage_id,) in rows), dtype=np.int64)
        return restricted

    def meta(self, name: str) -> str | None:
        """A named value of the index."""
        row = self._connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def check_embedder(self, digest: str, name: str) -> None:
        """Raise IndexMismatch unless the index was written with this embedding model."""
        written = self.meta("embedder")
        if written is not None and written != digest:
            folder = self._store.folder
            raise mismatch(self.meta("embedder_name") or written, name, str(folder), f"--index {folder} ")

    @property
    def passage_count(self) -> int:
        """How many passages are indexed."""
        return int(self._connection.execute("SELECT count(*) FROM passages").fetchone()[0])

    @property
    def source_count(self) -> int:
        """How many sources are indexed."""
        return int(self._connection.execute("SELECT count(*) FROM sources").fetchone()[0])

    def sources(self) -> list[SourceSummary]:
        """Every source, by name."""
        rows = self._connection.execute(
            "SELECT name, title, published, length(text), passages FROM sources ORDER BY name"
        )
        return [SourceSummary(*row) for row in rows]

    def names(self) -> list[str]:
        """The name of every source, in order."""
        return [name for (name,) in self._connection.execute("SELECT name FROM sources ORDER BY name")]

    def source(self, name: str) -> Source:
        """One source with its text; raises SourceUnknown with the nearest names."""
        name = name.encode("utf-8", "replace").decode("utf-8")  # a lone surrogate is in no name
        row = self._connection.execute(
            "SELECT name, path, text, digest, title, published, pages FROM sources WHERE name = ?", (name,)
        ).fetchone()
        if row is None:
            names = [
                n for (n,) in self._connection.execute(f"SELECT name FROM sources ORDER BY name LIMIT {NAMES_COMPARED}")
            ]
            raise unknown_source(name, names)
        name, path, text, digest, title, published, pages = row
        return Source(name, path, text, digest, title, published, tuple(json.loads(pages)))

    def nearest_to(self, vector: Vectors, k: int) -> list[tuple[int, float]]:
        """The `k` passages nearest to a unit vector as (id, cosine), best first."""
        dense = self._store.dense_at(self)
        if self._among is not None:
            return self._nearest_among(self._among, dense, vector, k)
        width = k * dense.base.card.widen
        found = self._alive(dense.base, vector, dense.base.search(vector, width))
        while len(found) < k and width < len(dense.base):  # the base may still hold passages that were removed since
            width *= 4
            found = self._alive(dense.base, vector, dense.base.search(vector, width))
        if dense.delta is not None:
            found = sorted(found + dense.delta.search(vector, k), key=lambda pair: (-pair[1], pair[0]))
        return found[:k]

    def _nearest_among(
        self, among: NDArray[np.int64], dense: Dense, vector: Vectors, k: int
    ) -> list[tuple[int, float]]:
        if not len(among):
            return []
        found = dense.base.search(vector, k * dense.base.card.widen, among)
        found = self._alive(dense.base, vector, found) if dense.base.card.widen > 1 else found
        if dense.delta is not None:
            found = sorted(found + dense.delta.search(vector, k, among), key=lambda pair: (-pair[1], pair[0]))
        return found[:k]

    def _alive(self, base: DenseIndex, vector: Vectors, found: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
        """What of the found is still indexed; by the stored vectors where those of the base are rough."""
        if base.card.widen > 1:
            exact = self.cosines(vector, [passage_id for passage_id, _ in found])
            return sorted(exact.items(), key=lambda pair: (-pair[1], pair[0]))
        ids = json.dumps([passage_id for passage_id, _ in found])
        rows = self._connection.execute(f"SELECT passage_id FROM vectors WHERE passage_id IN ({LISTED})", (ids,))
        alive = {passage_id for (passage_id,) in rows}
        return [(passage_id, score) for passage_id, score in found if passage_id in alive]

    def cosines(self, vector: Vectors, ids: Sequence[int]) -> dict[int, float]:
        """How near the passages with these ids are to a unit vector; ids that are gone are left out."""
        rows = self._connection.execute(
            f"SELECT passage_id, vector FROM vectors WHERE passage_id IN ({LISTED}) ORDER BY passage_id",
            (json.dumps(list(ids)),),
        )
        return dense_index.cosines(rows, vector)

    def holding_words(self, words: Sequence[str], k: int) -> list[tuple[int, float]]:
        """The `k` passages with the best BM25 for any of the words as (id, score), best first; titles count half.

        A word may be several: they are looked up as a phrase.
        """
        return full_text.holding(words, k, self, self._store.common_words_at(self)) if words else []

    def holding_names(self, lists: Sequence[Sequence[str]], k: int) -> list[list[tuple[int, float]]]:
        """For each list the `k` passages with the best BM25 for any of its names that few passages hold."""
        common = self._store.common_words_at(self)
        return [full_text.holding_names(names, k, self, common) for names in lists]

    def best(self, expression: str, k: int, *, among: int | None = None) -> list[tuple[int, float]]:
        """The `k` passages with the best BM25 for an expression of the full-text index as (id, score), best first.

        With `among` they are the best of so many passages that match it, the first of them all.
        """
        rows = self._connection.execute(
            f"SELECT id, score FROM (SELECT rowid AS id, -bm25(words, 0.5, 1.0) AS score FROM words"
            f" WHERE words MATCH ?2 {self._chosen_alone()} LIMIT ?4) ORDER BY score DESC, id LIMIT ?3",
            (self._chosen, expression, k, -1 if among is None else among),
        )
        return [(int(passage_id), float(score)) for passage_id, score in rows]

    def matching(self, expression: str) -> list[int]:
        """The passages that match an expression of the full-text index."""
        rows = self._connection.execute(
            f"SELECT rowid FROM words WHERE words MATCH ?2 {self._chosen_alone()}", (self._chosen, expression)
        )
        return [passage_id for (passage_id,) in rows]

    def _chosen_alone(self) -> str:
        # Asked of each match: given to the full-text index, the restriction would search it once for every passage.
        return f"AND (SELECT source_id FROM passages WHERE id = words.rowid) IN ({AMONG})" if self._chosen else ""

    def passages(self, ids: Sequence[int]) -> dict[int, Hit]:
        """The passages with these ids as hits of score 0; ids that are gone are left out."""
        rows = self._connection.execute(
            "SELECT p.id, s.name, p.start, p.end, p.text, p.sentences, p.heading, s.title, s.published"
            f" FROM passages p JOIN sources s ON s.id = p.source_id WHERE p.id IN ({LISTED})",
            (json.dumps(list(ids)),),
        )
        return {row[0]: _hit(*row[1:]) for row in rows}

    def passages_of(self, name: str) -> list[tuple[int, int, str | None]]:
        """The (start, end, heading) of a source's passages, in their order."""
        rows: list[tuple[int, int, str | None]] = self._connection.execute(
            "SELECT start, end, heading FROM passages WHERE source_id = (SELECT id FROM sources WHERE name = ?)"
            " ORDER BY start, end",
            (name,),
        ).fetchall()
        return rows

    def line_at(self, name: str, offset: int) -> int:
        """The 1-based line of a source that holds `offset`; lines end with \\n, \\r\\n or \\r."""
        row = self._connection.execute(
            "SELECT substr(text, 1, ?) FROM sources WHERE name = ?", (offset, name)
        ).fetchone()
        before: str = row[0]
        return 1 + before.count("\n") + before.count("\r") - before.count("\r\n")

    def page_at(self, name: str, offset: int) -> int | None:
        """The 1-based page of a source that holds `offset`; None where its format has no pages."""
        row = self._connection.execute("SELECT pages FROM sources WHERE name = ?", (name,)).fetchone()
        return Source(name, "", "", "", pages=tuple(json.loads(row[0]))).page_at(offset)

    def build_dense(self, after: int = 0) -> DenseIndex:
        """The vector index over all passages, or over those added after a passage id."""
        count = self._connection.execute("SELECT count(*) FROM vectors WHERE passage_id > ?", (after,)).fetchone()[0]
        return dense_index.build(
            lambda: self.stored_vectors(after),
            count,
            int(self.meta("dimension") or 1),
            memory_mb=self._store.memory_mb,
        )

    def stored_vectors(self, after: int = 0) -> Iterator[tuple[int, bytes]]:
        """The (passage id, float16 bytes) of all passages, or of those added after a passage id, in order."""
        yield from self._connection.execute(
            "SELECT passage_id, vector FROM vectors WHERE passage_id > ? ORDER BY passage_id", (after,)
        )


def _hit(
    source: str, start: int, end: int, text: str, sentences: str, heading: str | None, title: str, published: str
) -> Hit:
    return Hit(
        Passage(source, start, end, text, read_sentences(sentences), heading), 0.0, title=title, published=published
    )
