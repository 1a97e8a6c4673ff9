"""The index in Milvus, for reading: a question sees one generation of it, however it changes meanwhile."""

from __future__ import annotations

import contextlib
import copy
import json
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rag.errors import IndexMissing
from rag.records import Hit, Passage, Source, SourceSummary
from rag.store.contents import NAMES_COMPARED, mismatch, read_sentences, unknown_source
from rag.store.globs import matching
from rag.store.milvus_schema import K1, B, State, read_state
from rag.store.milvus_server import PAGE, Server
from rag.store.words import Terms

if TYPE_CHECKING:
    from rag.protocols import Vectors

STATE_SECONDS = 1.0  # that a reader may go on with a generation after another was published
FRESH_SECONDS = 10.0  # after a new generation is seen, in which all replicas of Milvus are made to know of it
LISTED = 4_000  # identifiers in one condition
PHRASE_WIDTH = 4  # times the wanted passages among which phrases are looked for
TEXTS_KEPT = 20_000_000  # code points of sources' texts that are kept in memory
ESCAPED = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r"})
IDENTITY = ("id", "name", "facts")
PASSAGE = ("id", "source_id", "facts", "text", "vector")

Found = list[tuple[int, float, Mapping[str, Any]]]
"""What a search gave for one query: identifier, score and fields, best first."""


@dataclass(frozen=True, slots=True)
class Text:
    """A source's text and where its pages begin."""

    text: str
    pages: tuple[int, ...]


class MilvusStore:
    """The index for reading; safe to use from several threads. Each question gets its own snapshot."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._embedder: tuple[str, str] | None = None
        self._terms = Terms()
        self._lock = threading.Lock()
        self._state: State | None = None
        self._read_at = self._new_at = -math.inf
        self._texts: OrderedDict[tuple[str, int], Text] = OrderedDict()
        self._ids: tuple[State | None, dict[str, int]] = (None, {})
        with self.snapshot():
            pass  # a missing or damaged index shows now, not at the first question

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[MilvusSnapshot]:
        """The index as it is at this moment, or was up to a second ago, however it changes meanwhile."""
        with self._lock:
            state = self._current()
        if self._embedder is not None:
            _check_embedder(state, *self._embedder, str(self._server.address))
        yield MilvusSnapshot(self, self._server, state, "Strong" if self._is_new() else "Bounded", self._terms)

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
        """The name of every source, in order."""
        with self.snapshot() as snapshot:
            return snapshot.names()

    def source(self, name: str) -> Source:
        """One source with its text; raises SourceUnknown."""
        with self.snapshot() as snapshot:
            return snapshot.source(name)

    def text_at(self, state: State, source_id: int) -> Text:
        """The text of a source, kept for the next questions; identifiers are never used again."""
        key = (state.lineage, source_id)
        with self._lock:
            if kept := self._texts.get(key):
                self._texts.move_to_end(key)
                return kept
        parts: dict[str, list[tuple[int, str]]] = {"text": [], "pages": []}
        fields = ("id", "kind", "content")
        for row in self._server.every_row(state.collection("texts"), f"source_id == {source_id}", fields):
            parts[row["kind"]].append((row["id"], row["content"]))
        text, pages = ("".join(content for _, content in sorted(parts[kind])) for kind in ("text", "pages"))
        found = Text(text, tuple(json.loads(pages or "[]")))
        with self._lock:
            self._texts[key] = found
            while len(self._texts) > 1 and sum(len(kept.text) for kept in self._texts.values()) > TEXTS_KEPT:
                self._texts.popitem(last=False)
        return found

    def ids_at(self, snapshot: MilvusSnapshot) -> dict[str, int]:
        """The identifier of every source by its name, read once and kept until another generation is published."""
        of, ids = self._ids
        if of != snapshot.state:
            ids = {row["name"]: row["id"] for row in snapshot.source_rows()}
            self._ids = (snapshot.state, ids)
        return ids

    def _current(self) -> State:
        """What is published, as it was read at most a second ago."""
        now = time.monotonic()
        if self._state is None or now - self._read_at > STATE_SECONDS:
            state = read_state(self._server)
            if state is None:
                raise IndexMissing(f"There is no index in {self._server.address}.", hint="Make one: whosays index PATH")
            if self._state is None or state.lineage != self._state.lineage:
                for part in ("passages", "sources", "texts"):
                    self._server.load(state.collection(part))
            if state != self._state:
                self._new_at = now
            self._state, self._read_at = state, now
        return self._state

    def _is_new(self) -> bool:
        return time.monotonic() - self._new_at < FRESH_SECONDS


class MilvusSnapshot:
    """One unchanging view of the index; used by one thread, closed with its `with`."""

    def __init__(self, store: MilvusStore, server: Server, state: State, consistency: str, terms: Terms) -> None:
        self.state = state
        self._store = store
        self._server = server
        self._consistency = consistency
        self._terms = terms
        self._among: list[int] | None = None
        self._kept: dict[int, Any] = {}

    @property
    def generation(self) -> str:
        """What tells this state of the index from every other."""
        return self.state.generation

    @property
    def passage_count(self) -> int:
        """How many passages are indexed."""
        return self.state.passages

    @property
    def source_count(self) -> int:
        """How many sources are indexed."""
        return self.state.sources

    def restricted_to(self, sources: Sequence[str]) -> MilvusSnapshot:
        """The same moment, whose searches give only passages of sources with these names or matching these patterns.

        In a pattern `*` stands for any characters, `/` too, `?` for one, and `[ab]` for one of several.
        """
        restricted = copy.copy(self)
        ids = self._store.ids_at(self)
        restricted._among = sorted(ids[name] for name in matching(sources, ids))
        return restricted

    # ---- sources -------------------------------------------------------------------------------

    def source_rows(self) -> Iterator[Any]:
        """What is known of every source, in no order."""
        return self._server.every_row(self.state.collection("sources"), self.state.visible, IDENTITY)

    def sources(self) -> list[SourceSummary]:
        """Every source, by name."""
        return sorted((_summary(row) for row in self.source_rows()), key=lambda summary: summary.name)

    def names(self) -> list[str]:
        """The name of every source, in order."""
        return sorted(self._store.ids_at(self))

    def source(self, name: str) -> Source:
        """One source with its text; raises SourceUnknown with the nearest names."""
        row = self._source_row(name, (*IDENTITY, "path"))
        if row is None:
            raise unknown_source(name, self.names()[:NAMES_COMPARED])
        facts = json.loads(row["facts"])
        text = self._store.text_at(self.state, row["id"])
        return Source(name, row["path"], text.text, facts["digest"], facts["title"], facts["published"], text.pages)

    def passages_of(self, name: str) -> list[tuple[int, int, str | None]]:
        """The (start, end, heading) of a source's passages, in their order."""
        row = self._source_row(name)
        if row is None:
            return []
        condition = f"source_id == {row['id']} and {self.state.visible}"
        rows = self._server.every_row(self.state.collection("passages"), condition, ("id", "facts"))
        facts = [json.loads(row["facts"]) for row in rows]
        return sorted(((f["start"], f["end"], f["heading"]) for f in facts), key=lambda place: place[:2])

    def line_at(self, name: str, offset: int) -> int:
        """The 1-based line of a source that holds `offset`; lines end with \\n, \\r\\n or \\r."""
        before = self._text(name).text[:offset]
        return 1 + before.count("\n") + before.count("\r") - before.count("\r\n")

    def page_at(self, name: str, offset: int) -> int | None:
        """The 1-based page of a source that holds `offset`; None where its format has no pages."""
        return Source(name, "", "", "", pages=self._text(name).pages).page_at(offset)

    def _source_row(self, name: str, fields: Sequence[str] = IDENTITY) -> Any:
        if any("\ud800" <= mark <= "\udfff" for mark in name):
            return None  # a lone surrogate is in no name
        found = self._server.rows(
            self.state.collection("sources"), f"name == {literal(name)} and {self.state.visible}", fields
        )
        return found[0] if found else None

    def _text(self, name: str) -> Text:
        kept = next((row for row in self._kept.values() if row["source"] == name), None)
        row_id = kept["source_id"] if kept else self._source_row(name)["id"]
        return self._store.text_at(self.state, row_id)

    # ---- searches ------------------------------------------------------------------------------

    def nearest_to(self, vector: Vectors, k: int) -> list[tuple[int, float]]:
        """The `k` passages nearest to a unit vector as (id, cosine), best first."""
        (found,) = self._search([vector.astype(np.float32).tolist()], "vector", "COSINE", k, PASSAGE)
        for _, _, row in found:
            self._know(row)
        return [(passage_id, score) for passage_id, score, _ in found]

    def cosines(self, vector: Vectors, ids: Sequence[int]) -> dict[int, float]:
        """How near the passages with these ids are to a unit vector; ids that are gone are left out."""
        rows = self._rows(ids)
        if not rows:
            return {}
        matrix = np.array([row["vector"] for row in rows.values()], dtype=np.float32)
        return dict(zip(rows, (matrix @ vector).tolist(), strict=True))

    def passages(self, ids: Sequence[int]) -> dict[int, Hit]:
        """The passages with these ids as hits of score 0; ids that are gone are left out."""
        return {passage_id: self._hit(row) for passage_id, row in self._rows(ids).items()}

    def holding_words(self, words: Sequence[str], k: int) -> list[tuple[int, float]]:
        """The `k` passages with the best BM25 for any of the words as (id, score), best first.

        A word may be several: they are looked up as a phrase. The server scores words; for phrases it gives the
        passages that hold their words, and those where these stand side by side are scored here as it would.
        """
        return self.holding_names([words], k)[0]

    def holding_names(self, lists: Sequence[Sequence[str]], k: int) -> list[list[tuple[int, float]]]:
        """What `holding_words` gives for each of several lists of names, in one request."""
        terms = [[of for of in self._terms.of(words) if of] for words in lists]
        phrases = [[of for of in each if len(of) > 1] for each in terms]
        queries = [" ".join(term for of in each for term in of if len(of) == 1) for each in terms]
        queries += [" ".join(term for of in each for term in of) for each in phrases]
        asked = list(dict.fromkeys(query for query in queries if query))
        if not asked:
            return [[] for _ in lists]
        limit = (PHRASE_WIDTH if any(phrases) else 1) * k
        fields = ("id", "words") if any(phrases) else ("id",)
        found = dict(zip(asked, self._search(asked, "bm25", "BM25", limit, fields), strict=True))
        hits = [found.get(query, []) for query in queries]
        half = len(lists)
        return [self._weighed(*each)[:k] for each in zip(hits[:half], hits[half:], phrases, strict=True)]

    def _weighed(self, alone: Found, together: Found, phrases: Sequence[Sequence[str]]) -> list[tuple[int, float]]:
        """The passages that hold single words, and those that hold phrases, as (id, score), best first."""
        scores = {passage_id: score for passage_id, score, _ in alone if score > 0}
        texts = {passage_id: row["words"] for passage_id, _, row in together}
        for passage_id, score in self._phrase_scores(texts, phrases):
            scores[passage_id] = scores.get(passage_id, 0.0) + score
        return sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))

    def _phrase_scores(self, texts: Mapping[int, str], phrases: Sequence[Sequence[str]]) -> Iterator[tuple[int, float]]:
        """BM25 of each phrase for each of the passages that hold it (Robertson and Zaragoza 2009, section 3.4)."""
        mean = self.state.terms / max(self.state.passages, 1)
        for phrase in phrases:
            sought = f" {' '.join(phrase)} "
            counts = {i: f" {text} ".count(sought) for i, text in texts.items() if sought in f" {text} "}
            idf = math.log(1 + (self.state.passages - len(counts) + 0.5) / (len(counts) + 0.5)) if counts else 0.0
            for passage_id, count in counts.items():
                length = texts[passage_id].count(" ") + 1
                yield passage_id, idf * count * (K1 + 1) / (count + K1 * (1 - B + B * length / mean))

    def _search(
        self, queries: Sequence[Any], on: str, metric: str, limit: int, fields: Sequence[str] = ("id",)
    ) -> list[Found]:
        """For each query the best visible passages of the chosen sources."""
        conditions = [self.state.visible]
        if self._among is not None:
            conditions = [f"source_id in {part} and {self.state.visible}" for part in _parts(self._among)]
        found: list[Found] = [[] for _ in queries]
        for condition in conditions:
            results = self._server.search(
                self.state.collection("passages"),
                queries,
                on=on,
                metric=metric,
                condition=condition,
                limit=limit,
                consistency=self._consistency,
                fields=fields,
            )
            for hits, more in zip(found, results, strict=True):
                hits.extend(more)
        return [sorted(hits, key=lambda hit: (-hit[1], hit[0]))[:limit] for hits in found]

    def _rows(self, ids: Sequence[int]) -> dict[int, Any]:
        """The visible passages with these ids, fetched once for a question."""
        missing = sorted({int(i) for i in ids} - self._kept.keys())
        for start in range(0, len(missing), PAGE):
            condition = f"id in {missing[start : start + PAGE]} and {self.state.visible}"
            for row in self._server.rows(self.state.collection("passages"), condition, PASSAGE, self._consistency):
                self._know(row)
        return {i: self._kept[i] for i in sorted(set(ids)) if i in self._kept}

    def _know(self, row: Mapping[str, Any]) -> None:
        self._kept[row["id"]] = {**row, **json.loads(row["facts"])}

    def _hit(self, row: Any) -> Hit:
        start, end = row["start"], row["end"]
        # A passage may be longer than a field takes: its text is then read from the source's.
        text = row["text"] or self._store.text_at(self.state, row["source_id"]).text[start:end]
        passage = Passage(row["source"], start, end, text, read_sentences(row["sentences"]), row["heading"])
        return Hit(passage, 0.0, title=row["title"], published=row["published"])


def literal(text: str) -> str:
    """A text as it stands in a condition; other marks than these are read as they are by every Milvus."""
    return f'"{text.translate(ESCAPED)}"'


def _parts(ids: Sequence[int]) -> list[list[int]]:
    return [list(ids[start : start + LISTED]) for start in range(0, len(ids), LISTED)]


def _summary(row: Any) -> SourceSummary:
    facts = json.loads(row["facts"])
    return SourceSummary(row["name"], facts["title"], facts["published"], facts["length"], facts["passages"])


def _check_embedder(state: State, digest: str, name: str, place: str) -> None:
    if state.embedder != digest:
        raise mismatch(state.embedder_name, name, place, "")
