"""Writing the index: one transaction a source, one writer at a time."""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rag.errors import IndexLocked
from rag.records import Passage, Source
from rag.store import dense as dense_index
from rag.store import words as full_text
from rag.store.local import SENTENCE_KINDS, LocalStore, mismatch
from rag.store.schema import FILE, open_for_writing, translated

if TYPE_CHECKING:
    from rag.protocols import Vectors

LOCK = "writer.lock"
REBUILD_SHARE = 0.1  # the cached vector index is made anew when more than this share of it is new or gone
MODULUS = 1 << 256


@dataclass(frozen=True, slots=True)
class Known:
    """What the index knows of a file: its source's name, its content and how it was cut."""

    name: str
    digest: str
    recipe: str


class Writer:
    """The one writer of an index; a kill at any moment leaves every finished source in it."""

    def __init__(
        self,
        folder: Path,
        embedder: str,
        embedder_name: str,
        dimension: int,
        *,
        rebuild: bool,
        memory_mb: int = dense_index.MEMORY_MB,
    ) -> None:
        self.folder = folder
        self._memory_mb = memory_mb
        self._embedder = (embedder, embedder_name, dimension)
        self._rebuild = rebuild
        self._connection: sqlite3.Connection
        with translated(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = _lock(folder)

    def begin(self) -> None:
        """Open the index to be written; a rebuild throws the old one away here and not before."""
        if self._rebuild:
            with translated(self.folder):
                for path in (*self.folder.glob(f"{FILE}*"), *self.folder.glob("vectors-*.faiss")):
                    path.unlink()
        self._connection = open_for_writing(self.folder)
        with self._transaction():
            self._remember_embedder(*self._embedder)

    def close(self) -> None:
        """Let go of the index."""
        if hasattr(self, "_connection"):
            self._connection.close()
        self._lock.close()

    def known(self) -> dict[str, Known]:
        """Every indexed file by its path."""
        with translated(self.folder):
            rows = self._connection.execute("SELECT path, name, digest, recipe FROM sources").fetchall()
        return {path: Known(name, digest, recipe) for path, name, digest, recipe in rows}

    def vectors_of(self, digests: Sequence[bytes]) -> dict[bytes, bytes]:
        """The stored vectors of texts that were embedded before, by the text's digest."""
        found: dict[bytes, bytes] = {}
        with translated(self.folder):
            for digest in set(digests):
                row = self._connection.execute("SELECT vector FROM vectors WHERE digest = ?", (digest,)).fetchone()
                if row is not None:
                    found[digest] = row[0]
        return found

    def put(
        self,
        source: Source,
        recipe: str,
        passages: Sequence[Passage],
        digests: Sequence[bytes],
        vectors: Sequence[bytes],
    ) -> None:
        """Add a source, or replace the one of the same path, in one transaction; rows align with the passages."""
        mark = _mark(source, recipe, vectors)
        with self._transaction():
            self._delete("path = ?", source.path)
            self._delete("name = ?", source.name)
            cursor = self._connection.execute(
                "INSERT INTO sources(name, path, digest, recipe, title, published, pages, text, passages, mark)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    source.name,
                    source.path,
                    source.digest,
                    recipe,
                    source.title,
                    source.published,
                    json.dumps(source.pages),
                    source.text,
                    len(passages),
                    mark.to_bytes(32, "big"),
                ),
            )
            for passage, digest, vector in zip(passages, digests, vectors, strict=True):
                self._insert_passage(cursor.lastrowid, source, passage, digest, vector)
            self._move_generation(mark)

    def remove(self, name: str) -> None:
        """Remove a source in one transaction."""
        with self._transaction():
            self._delete("name = ?", name)

    def finish(self) -> None:
        """Make the cached vector index, and the count of common words, anew where it is worth it."""
        self._count_words()
        store = LocalStore(self.folder, self._memory_mb)
        with store.snapshot() as snapshot:
            count = snapshot.passage_count
            if count <= dense_index.IN_MEMORY:
                return
            written = json.loads(snapshot.meta("dense") or "null")
            current = written is not None and (self.folder / written["file"]).is_file()
            if current and self._drift(written) <= REBUILD_SHARE * count:
                return
            dense = snapshot.build_dense()
            lineage, generation, last_id = snapshot.state
            name = f"vectors-{generation[:16]}-{lineage[:8]}-{last_id}.faiss"
        dense_index.save(dense, self.folder / name)
        with self._transaction():
            written = {"file": name, "last_id": dense.last_id, "count": len(dense), "card": dense.card.to_json()}
            self._set("dense", json.dumps(written))

    def _count_words(self) -> None:
        """Count which words very many passages hold, where the index has grown or shrunk much since."""
        passages = int(self._connection.execute("SELECT count(*) FROM passages").fetchone()[0])
        with self._transaction():
            meta = dict(self._connection.execute("SELECT name, value FROM meta WHERE name != 'common_words'"))
            before = meta.get("common_words_of")
            if passages <= full_text.MOST:
                self._connection.execute("DELETE FROM meta WHERE name IN ('common_words', 'common_words_of')")
            elif before is None or abs(passages - int(before.split()[0])) > REBUILD_SHARE * passages:
                self._set("common_words", full_text.counted(self._connection, passages))
                self._set("common_words_of", f"{passages} {meta['generation']}")

    def _drift(self, written: dict[str, int]) -> int:
        """How many passages of the cached vector index are gone, and how many are not in it."""
        kept, new = self._connection.execute(
            "SELECT sum(passage_id <= :last), sum(passage_id > :last) FROM vectors", {"last": written["last_id"]}
        ).fetchone()
        return int(written["count"] - (kept or 0) + (new or 0))

    def _insert_passage(
        self, source_id: int | None, source: Source, passage: Passage, digest: bytes, vector: bytes
    ) -> None:
        sentences = [[s.start, s.end, SENTENCE_KINDS.index(s.kind)] for s in passage.sentences]
        cursor = self._connection.execute(
            "INSERT INTO passages(source_id, start, end, heading, sentences, head, text) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                source_id,
                passage.start,
                passage.end,
                passage.heading,
                json.dumps(sentences, separators=(",", ":")),
                " ".join(filter(None, (source.title, passage.heading))),
                passage.text,
            ),
        )
        self._connection.execute("INSERT INTO vectors VALUES (?, ?, ?)", (cursor.lastrowid, digest, vector))

    def _delete(self, condition: str, value: str) -> None:
        for source_id, mark in self._connection.execute(
            f"SELECT id, mark FROM sources WHERE {condition}", (value,)
        ).fetchall():
            self._connection.execute("DELETE FROM passages WHERE source_id = ?", (source_id,))
            self._connection.execute("DELETE FROM sources WHERE id = ?", (source_id,))
            self._move_generation(-int.from_bytes(mark, "big"))

    def _move_generation(self, mark: int) -> None:
        """Keep the generation the sum of the sources' marks, so that it tells the contents and not the history."""
        row = self._connection.execute("SELECT value FROM meta WHERE name = 'generation'").fetchone()
        total = (int(row[0], 16) if row else 0) + mark
        self._set("generation", f"{total % MODULUS:064x}")

    def _remember_embedder(self, digest: str, name: str, dimension: int) -> None:
        rows = dict(self._connection.execute("SELECT name, value FROM meta").fetchall())
        if rows.get("embedder", digest) != digest:
            raise mismatch(rows.get("embedder_name", "another"), name, self.folder)
        for key, value in (("embedder", digest), ("embedder_name", name), ("dimension", str(dimension))):
            self._set(key, value)

    def _set(self, name: str, value: str) -> None:
        self._connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        with translated(self.folder):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise


def to_rows(vectors: Vectors) -> list[bytes]:
    """The vectors as they are stored, one a row."""
    return [row.tobytes() for row in vectors.astype(np.float16)]


def _mark(source: Source, recipe: str, vectors: Iterable[bytes]) -> int:
    """A number that stands for all that this source adds to answers."""
    parts = (source.name, source.digest, recipe, source.title or "", source.published or "")
    digest = hashlib.sha256("\0".join(parts).encode("utf-8"))
    for vector in vectors:
        digest.update(vector)
    return int.from_bytes(digest.digest(), "big")


def _lock(folder: Path) -> sqlite3.Connection:
    """The writer's lock, let go by the system when its process ends, however it ends."""
    lock = sqlite3.connect(folder / LOCK, timeout=0, isolation_level=None, check_same_thread=False)
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        lock.close()
        if "locked" not in str(error):
            raise
        raise IndexLocked(
            f"Another indexing run is writing the index in {folder}.", hint="Wait until it is done, or stop it."
        ) from error
    return lock
