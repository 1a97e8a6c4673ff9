"""Writing the index: one transaction a source, one writer at a time."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import apsw

from rag.errors import IndexLocked
from rag.records import Passage, Source
from rag.store import dense as dense_index
from rag.store import words as full_text
from rag.store.contents import Known, generation_of, mark_of, mismatch, written_sentences
from rag.store.dense import Manifest
from rag.store.local import LocalStore
from rag.store.schema import FILE, close_written, note_commit, open_for_writing, translated

LOCK = "writer.lock"
REBUILD_SHARE = 0.1  # the cached vector index is made anew when more than this share of it is new or gone


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
        self._frames = 0
        self._connection: Any  # apsw's types cannot say what a table holds
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
        self._connection.set_wal_hook(self._count_frames)
        with self._transaction():
            self._remember_embedder(*self._embedder)

    def close(self) -> None:
        """Let go of the index."""
        try:
            if hasattr(self, "_connection"):
                connection = self._connection
                del self._connection
                with translated(self.folder):
                    close_written(connection, self.folder)
        finally:
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
        mark = mark_of(source, recipe, vectors)
        with self._transaction():
            self._delete("path = ?", source.path)
            self._delete("name = ?", source.name)
            self._connection.execute(
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
            source_id = self._connection.last_insert_rowid()
            for passage, digest, vector in zip(passages, digests, vectors, strict=True):
                self._insert_passage(source_id, source, passage, digest, vector)
            self._move_generation(mark)

    def remove(self, name: str) -> None:
        """Remove a source in one transaction."""
        with self._transaction():
            self._delete("name = ?", name)

    def commit(self) -> None:
        """Nothing is left to do: each source was a transaction of its own."""

    @property
    def waiting(self) -> int:
        """How many sources were put that are not kept yet: none."""
        return 0

    def finish(self) -> None:
        """Make the cached vector index, and the count of common words, anew where it is worth it."""
        self._count_words()
        store = LocalStore(self.folder, self._memory_mb)
        with store.snapshot() as snapshot:
            count = snapshot.passage_count
            if count <= dense_index.IN_MEMORY:
                return
            written = json.loads(snapshot.meta("dense") or "null")
            current = written is not None and dense_index.sound(self.folder, written)
            if current and self._drift(written) <= REBUILD_SHARE * count:
                return
            dense = snapshot.build_dense()
            lineage, generation, last_id = snapshot.state
            name = f"vectors-{generation[:16]}-{lineage[:8]}-{last_id}.faiss"
        saved = dense_index.save(dense, self.folder / name)
        with self._transaction():
            self._set("dense", json.dumps(saved))

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

    def _drift(self, written: Manifest) -> int:
        """How many passages of the cached vector index are gone, and how many are not in it."""
        kept, new = self._connection.execute(
            "SELECT sum(passage_id <= :last), sum(passage_id > :last) FROM vectors", {"last": written["last_id"]}
        ).fetchone()
        return int(written["count"] - (kept or 0) + (new or 0))

    def _insert_passage(self, source_id: int, source: Source, passage: Passage, digest: bytes, vector: bytes) -> None:
        self._connection.execute(
            "INSERT INTO passages(source_id, start, end, heading, sentences, head, text) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                source_id,
                passage.start,
                passage.end,
                passage.heading,
                written_sentences(passage.sentences),
                " ".join(filter(None, (source.title, passage.heading))),
                passage.text,
            ),
        )
        passage_id = self._connection.last_insert_rowid()
        self._connection.execute("INSERT INTO vectors VALUES (?, ?, ?)", (passage_id, digest, vector))

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
        self._set("generation", generation_of(total))

    def _remember_embedder(self, digest: str, name: str, dimension: int) -> None:
        rows = dict(self._connection.execute("SELECT name, value FROM meta").fetchall())
        if rows.get("embedder", digest) != digest:
            raise mismatch(rows.get("embedder_name", "another"), name, str(self.folder), f"--index {self.folder} ")
        for key, value in (("embedder", digest), ("embedder_name", name), ("dimension", str(dimension))):
            self._set(key, value)

    def _set(self, name: str, value: str) -> None:
        self._connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    def _count_frames(self, _connection: apsw.Connection, _database: str, frames: int) -> int:
        self._frames = frames
        return apsw.SQLITE_OK

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        with translated(self.folder):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
                note_commit(self._connection, self.folder, self._frames)
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise


def _lock(folder: Path) -> apsw.Connection:
    """The writer's lock, let go by the system when its process ends, however it ends."""
    path = folder / LOCK
    if path.exists() and path.stat().st_size:
        os.truncate(path, 0)  # nothing is ever written to it: what stands there is damage
    lock = apsw.Connection(str(path))
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except apsw.BusyError as error:
        lock.close()
        raise IndexLocked(
            f"Another indexing run is writing the index in {folder}.", hint="Wait until it is done, or stop it."
        ) from error
    return lock
