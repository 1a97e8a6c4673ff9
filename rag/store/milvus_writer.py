"""Writing the index in Milvus: what a run writes is seen when it has ended; a run that was killed is gone on with."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rag.errors import IndexLocked
from rag.records import Passage, Source
from rag.store.contents import Known, generation_of, mark_of, mismatch, written_sentences
from rag.store.milvus_schema import (
    ALIVE,
    FOREVER,
    LONGEST,
    PARTS,
    TEXT_PART,
    State,
    collection_of,
    create_lineage,
    create_state,
    lineages,
    read_row,
    read_state,
    remove_row,
    write_row,
    write_state,
)
from rag.store.milvus_server import PAGE, Server
from rag.store.words import Terms

BEAT_SECONDS = 10.0  # between two signs of life of a writer
SILENT_SECONDS = 60.0  # after which another may write
READERS_SECONDS = 60.0  # after a generation was published, in which readers may still see the one before it
IDS_OF_A_RUN = 1 << 40
DIGESTS = 256  # looked up at a time


@dataclass(frozen=True, slots=True)
class _Entry:
    """A source as it is indexed."""

    id: int
    name: str
    path: str
    born: int
    facts: dict[str, Any]


class MilvusWriter:
    """The one writer of an index; nothing it does is seen before `finish`, and then all of it at once."""

    def __init__(self, server: Server, embedder: str, embedder_name: str, dimension: int, *, rebuild: bool) -> None:
        self._server = server
        self._embedder = (embedder, embedder_name, dimension)
        self._rebuild = rebuild
        self._terms = Terms()
        self._lease = _Lease(server)
        self._entries: dict[str, _Entry] = {}
        self._paths: dict[str, str] = {}
        self._waiting: dict[str, list[dict[str, Any]]] = {"passages": [], "texts": [], "sources": []}
        self._ended: list[_Entry] = []
        self._state: State
        self._lineage = ""
        self._run = self._next_id = 0

    def begin(self) -> None:
        """Open the index to be written; a rebuild is written beside the old one, which is seen until it ends."""
        state = read_state(self._server) if not self._rebuild else None
        if state is not None and state.embedder != self._embedder[0]:
            raise mismatch(state.embedder_name, self._embedder[1], str(self._server.address), "")
        published = read_row(self._server, "state")
        self._lineage = state.lineage if state else secrets.token_hex(4)
        for lineage in lineages(self._server) - {self._lineage, (published or {}).get("lineage")}:
            for part in PARTS:  # of a rebuild that was stopped, or of the index before the last one
                self._drop(collection_of(lineage, part))
        if state is None:
            create_lineage(self._server, self._lineage, self._embedder[2])
            state = State(self._lineage, 0, generation_of(0), *self._embedder)
            if published is None:
                write_state(self._server, state)
        else:
            for part in PARTS:
                self._server.load(state.collection(part))
        self._state = state
        self._run = 1 + int(read_row(self._server, "run") or 0)
        write_row(self._server, "run", self._run)
        self._next_id = self._run * IDS_OF_A_RUN
        self._entries, self._paths = {}, {}
        self._clear()

    def close(self) -> None:
        """Let go of the index."""
        self._lease.release()

    def known(self) -> dict[str, Known]:
        """Every indexed file by its path, what a run that was killed left among them."""
        return {
            entry.path: Known(entry.name, entry.facts["digest"], entry.facts["recipe"])
            for entry in self._entries.values()
        }

    def vectors_of(self, digests: Sequence[bytes]) -> dict[bytes, bytes]:
        """The stored vectors of texts that were embedded before, by the text's digest."""
        self.commit()
        sought = sorted({digest.hex() for digest in digests})
        found: dict[bytes, bytes] = {}
        for start in range(0, len(sought) if self._entries else 0, DIGESTS):
            condition = f"digest in {json.dumps(sought[start : start + DIGESTS])}"
            # A text may stand in very many passages, of which one is enough.
            for row in self._server.rows(self._in("passages"), condition, ("digest", "vector")):
                found[bytes.fromhex(row["digest"])] = np.array(row["vector"], dtype=np.float16).tobytes()
        return found

    def put(
        self,
        source: Source,
        recipe: str,
        passages: Sequence[Passage],
        digests: Sequence[bytes],
        vectors: Sequence[bytes],
    ) -> None:
        """Add a source, or replace the one of the same path, at the next `commit`; rows align with the passages."""
        source_id = self._id()
        words = [self._words(source, passage) for passage in passages]
        self._waiting["passages"] += (
            self._passage_row(source_id, source, *parts)
            for parts in zip(passages, words, digests, vectors, strict=True)
        )
        self._waiting["texts"] += self._text_rows(source_id, source)
        facts = {
            "digest": source.digest,
            "recipe": recipe,
            "title": source.title,
            "published": source.published,
            "length": len(source.text),
            "passages": len(passages),
            "terms": sum(text.count(" ") + 1 for text in words if text),
            "mark": f"{mark_of(source, recipe, vectors):064x}",
        }
        entry = _Entry(source_id, source.name, source.path, self._run, facts)
        self._waiting["sources"].append(self._source_row(entry))
        self._keep(entry)
        if len(self._waiting["passages"]) >= PAGE:
            self.commit()

    def remove(self, name: str) -> None:
        """Remove a source, at the next `commit`."""
        if name in self._paths:
            self._end(self._paths[name])

    def commit(self) -> None:
        """Write what was put and removed, so that it is kept, seen or unseen, whatever happens to this run.

        The sources' own rows are the last that are added: without them, what else was written does not count.
        """
        for part, rows in self._waiting.items():
            self._server.insert(self._in(part), rows)
            rows.clear()
        if self._ended:
            rows = [self._source_row(entry, died=self._run) for entry in self._ended]
            self._server.upsert(self._in("sources"), rows)
            self._end_passages([entry.id for entry in self._ended])
            self._ended.clear()

    @property
    def waiting(self) -> int:
        """How many sources were put that are not written yet."""
        return len(self._waiting["sources"])

    def finish(self) -> None:
        """Publish what was written: from now on readers see it, all at once."""
        self._lease.check()
        self.commit()
        for part in PARTS:
            self._server.flush(self._in(part))
        facts = [entry.facts for entry in self._entries.values()]
        self._state = replace(
            self._state,
            published=self._run,
            generation=generation_of(sum(int(of["mark"], 16) for of in facts)),
            sources=len(facts),
            passages=sum(of["passages"] for of in facts),
            terms=sum(of["terms"] for of in facts),
            at=_now(),
        )
        write_state(self._server, self._state)
        self._rebuild = False

    # ---- rows ----------------------------------------------------------------------------------

    def _passage_row(
        self, source_id: int, source: Source, passage: Passage, words: str, digest: bytes, vector: bytes
    ) -> dict[str, Any]:
        facts = {
            "source": source.name,
            "start": passage.start,
            "end": passage.end,
            "heading": passage.heading,
            "title": source.title,
            "published": source.published,
            "sentences": written_sentences(passage.sentences),
        }
        return {
            "id": self._id(),
            "born": self._run,
            "died": ALIVE,
            "source_id": source_id,
            "digest": digest.hex(),
            "facts": json.dumps(facts, ensure_ascii=False),
            "text": passage.text if len(passage.text.encode("utf-8")) <= LONGEST else "",
            "words": words,
            "vector": np.frombuffer(vector, dtype=np.float16).astype(np.float32),
        }

    def _text_rows(self, source_id: int, source: Source) -> list[dict[str, Any]]:
        contents = {"text": source.text, "pages": json.dumps(source.pages) if source.pages else ""}
        return [
            {
                "id": self._id(),
                "born": self._run,
                "died": ALIVE,
                "source_id": source_id,
                "kind": kind,
                "content": content[start : start + TEXT_PART],
                "vector": [1.0, 0.0],
            }
            for kind, content in contents.items()
            for start in range(0, len(content), TEXT_PART)
        ]

    def _source_row(self, entry: _Entry, died: int = ALIVE) -> dict[str, Any]:
        return {
            "id": entry.id,
            "born": entry.born,
            "died": died,
            "name": entry.name,
            "path": entry.path,
            "facts": json.dumps(entry.facts, ensure_ascii=False),
            "vector": [1.0, 0.0],
        }

    def _words(self, source: Source, passage: Passage) -> str:
        """The terms of a passage and of what stands above it, with a blank between each."""
        text = " ".join(filter(None, (source.title, passage.heading, passage.text)))
        terms = " ".join(self._terms.of([text])[0])
        return terms.encode("utf-8")[:LONGEST].decode("utf-8", "ignore")

    def _id(self) -> int:
        self._next_id += 1
        return self._next_id

    def _in(self, part: str) -> str:
        return collection_of(self._lineage, part)

    # ---- the dead ------------------------------------------------------------------------------

    def _end(self, path: str) -> None:
        """Have the source of a path end with this run: readers see it until the run is published."""
        entry = self._entries.pop(path)
        del self._paths[entry.name]
        self._ended.append(entry)

    def _end_passages(self, source_ids: Sequence[int]) -> None:
        fields = ("id", "born", "died", "source_id", "digest", "facts", "text", "words", "vector")
        for start in range(0, len(source_ids), PAGE):
            condition = f"source_id in {list(source_ids[start : start + PAGE])} and {FOREVER}"
            while rows := self._server.rows(self._in("passages"), condition, fields):
                self._server.upsert(self._in("passages"), [{**row, "died": self._run} for row in rows])

    def _clear(self) -> None:
        """Read what is indexed, complete what a run that was killed had begun, and forget what nobody sees any more."""
        published = self._state.published
        unseen = _now() - self._state.at > READERS_SECONDS
        alive: list[_Entry] = []
        ended: list[int] = []
        dead: list[int] = []
        new: set[int] = set()
        fields = ("id", "born", "died", "name", "path", "facts")
        for row in self._server.every_row(self._in("sources"), "id > 0", fields):
            if row["born"] > published:
                new.add(row["id"])
            if row["died"] == ALIVE:
                alive.append(_Entry(row["id"], row["name"], row["path"], row["born"], json.loads(row["facts"])))
            else:
                (ended if row["died"] > published else dead).append(row["id"])
        if unseen and dead:
            self._forget("texts", dead)
            for part in ("passages", "sources"):
                self._server.delete(self._in(part), f"died <= {published}")
        for part in ("passages", "texts"):
            rows = self._server.every_row(self._in(part), f"born > {published}", ("id", "source_id"))
            self._forget(part, sorted({row["source_id"] for row in rows} - new))
        self._end_passages(ended)
        for entry in sorted(alive, key=lambda entry: entry.id):
            self._keep(entry)
        self.commit()

    def _keep(self, entry: _Entry) -> None:
        """Know a source, which ends those that have its path or its name."""
        for path in {entry.path, self._paths.get(entry.name, entry.path)} & self._entries.keys():
            self._end(path)
        self._entries[entry.path] = entry
        self._paths[entry.name] = entry.path

    def _forget(self, part: str, source_ids: Sequence[int]) -> None:
        """Remove the rows of these sources, which have no row of their own or are seen by nobody."""
        for start in range(0, len(source_ids), PAGE):
            self._server.delete(self._in(part), f"source_id in {list(source_ids[start : start + PAGE])}")

    def _drop(self, name: str) -> None:
        if name in self._server.collections():
            self._server.drop(name)


class _Lease:
    """The right to write, kept by a sign of life now and then, and lost by whoever gives none for a minute."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._own = secrets.token_hex(8)
        create_state(server)
        self._take()
        self._ended = threading.Event()
        self._beating = threading.Thread(target=self._beat, name="lease", daemon=True)
        self._beating.start()

    def check(self) -> None:
        """Raise IndexLocked where another has taken the right meanwhile."""
        holder = read_row(self._server, "writer") or {}
        if holder.get("own") != self._own:
            raise self._locked(holder)

    def release(self) -> None:
        """Let another write."""
        self._ended.set()
        self._beating.join()
        with contextlib.suppress(IndexLocked):
            self.check()
            remove_row(self._server, "writer")

    def _take(self) -> None:
        holder = read_row(self._server, "writer")
        if holder and abs(_now() - holder["at"]) < SILENT_SECONDS and not _has_ended(holder):
            raise self._locked(holder)
        self._sign()
        time.sleep(0.1)  # of two that came at once the later has it
        self.check()

    def _sign(self) -> None:
        here = {"own": self._own, "host": socket.gethostname(), "process": os.getpid(), "at": _now()}
        write_row(self._server, "writer", here)

    def _beat(self) -> None:
        while not self._ended.wait(BEAT_SECONDS):
            with contextlib.suppress(Exception):  # a sign that is not heard is missed, and the run goes on
                self.check()
                self._sign()

    def _locked(self, holder: dict[str, Any]) -> IndexLocked:
        where = f"process {holder.get('process')} on {holder.get('host')}"
        return IndexLocked(
            f"Another indexing run ({where}) is writing the index in {self._server.address}.",
            hint=f"Wait until it is done, or stop it; {SILENT_SECONDS:.0f} seconds after its end it no longer counts.",
        )


def _now() -> float:
    """Seconds since 1970, the one clock that machines have in common."""
    return time.time()


def _has_ended(holder: dict[str, Any]) -> bool:
    """Whether the holder was a process of this machine that is no more."""
    if holder.get("host") != socket.gethostname() or holder.get("process") == os.getpid():
        return False
    try:
        os.kill(int(holder["process"]), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
