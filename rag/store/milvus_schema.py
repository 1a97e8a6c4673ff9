"""What the index is in Milvus: its collections, its generations, and the one row that says what readers see.

    whosays_state               one row a name: what is published, the last run's number, who writes
    whosays_passages_LINEAGE    passages with their vectors, and their words for BM25
    whosays_sources_LINEAGE     what is known of each source, its text aside
    whosays_texts_LINEAGE       the texts of the sources, in parts

A run of the indexer has a number. A row says in which run it was born and in which it died: at generation G the rows
with `born <= G < died` are seen. A run's last act is to write its number into the row `state`, and so all that it
changed is seen at once, in all collections, by whoever asks from then on; an alias could switch only one of them. A
rebuilt index is a new lineage, with collections of its own.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from pymilvus import CollectionSchema, DataType, FieldSchema, Function, FunctionType
from pymilvus.milvus_client import IndexParams

from rag.errors import IndexDamaged
from rag.store.milvus_server import Address, Server

VERSION = 1
STATE = "whosays_state"
PARTS = ("passages", "sources", "texts")
ALIVE = 1 << 62  # the run in which what still is there died
LONGEST = 65_535  # bytes of a VARCHAR
LONGEST_NAME = 8_192
TEXT_PART = 16_000  # code points, of at most four bytes each
FOREVER = f"died == {ALIVE}"
K1, B = 1.2, 0.75  # BM25's, as SQLite's full-text index has them


@dataclass(frozen=True, slots=True)
class State:
    """What is published: the run that readers see, and what it holds; `at` is when, in seconds since 1970."""

    lineage: str
    published: int
    generation: str
    embedder: str
    embedder_name: str
    dimension: int
    sources: int = 0
    passages: int = 0
    terms: int = 0
    at: float = 0.0
    version: int = VERSION

    @property
    def visible(self) -> str:
        """The condition that is true of the rows that readers see."""
        return f"born <= {self.published} and died > {self.published}"

    def collection(self, part: str) -> str:
        """The name of one of the lineage's collections."""
        return collection_of(self.lineage, part)


def collection_of(lineage: str, part: str) -> str:
    """The name of a lineage's collection."""
    return f"whosays_{part}_{lineage}"


def read_row(server: Server, name: str) -> Any:
    """What a row of `whosays_state` says; None where it is not there."""
    found = server.rows(STATE, f'name == "{name}"', ("value",))
    return json.loads(found[0]["value"]) if found else None


def write_row(server: Server, name: str, value: Any) -> None:
    """Write a row of `whosays_state`."""
    server.upsert(STATE, [{"name": name, "value": json.dumps(value), "vector": [1.0, 0.0]}])


def remove_row(server: Server, name: str) -> None:
    """Remove a row of `whosays_state`."""
    server.delete(STATE, f'name == "{name}"')


def read_state(server: Server) -> State | None:
    """What is published; None where there is no index; raises IndexDamaged for one of another version."""
    if STATE not in server.collections():
        return None
    server.load(STATE)
    written = read_row(server, "state")
    if written is None:
        return None
    check_version(written.get("version"), server.address)
    return State(**written)


def write_state(server: Server, state: State) -> None:
    """Publish a state: whoever reads from now on sees it."""
    write_row(server, "state", asdict(state))


def check_version(version: Any, address: Address) -> None:
    """Raise IndexDamaged unless an index of this version can be read."""
    if version != VERSION:
        raise IndexDamaged(
            f"The index in {address} has format {version}, but this is format {VERSION}.",
            hint="Index again: whosays index PATH --rebuild",
        )


def create_state(server: Server) -> None:
    """Make the collection of states, unless it is there, and have it loaded."""
    if STATE in server.collections():
        server.load(STATE)
        return
    name = FieldSchema("name", DataType.VARCHAR, is_primary=True, max_length=64)
    value = FieldSchema("value", DataType.VARCHAR, max_length=LONGEST)
    server.create(STATE, CollectionSchema([name, value, _no_vector()]), _indices())


def create_lineage(server: Server, lineage: str, dimension: int) -> None:
    """Make the empty collections of a new lineage."""
    words = FieldSchema("words", DataType.VARCHAR, max_length=LONGEST, enable_analyzer=True, analyzer_params=ANALYZER)
    passages = CollectionSchema(
        [
            *_lives(),
            FieldSchema("source_id", DataType.INT64),
            FieldSchema("digest", DataType.VARCHAR, max_length=64),
            FieldSchema("facts", DataType.VARCHAR, max_length=LONGEST),
            FieldSchema("text", DataType.VARCHAR, max_length=LONGEST),
            words,
            FieldSchema("vector", DataType.FLOAT_VECTOR, dim=dimension),
            FieldSchema("bm25", DataType.SPARSE_FLOAT_VECTOR),
        ],
        functions=[Function("bm25_of_words", FunctionType.BM25, ["words"], ["bm25"])],
    )
    indices = _indices("source_id", "digest", "born", "died", dense=server.dense_index)
    indices.add_index(
        "bm25", index_type="SPARSE_INVERTED_INDEX", metric_type="BM25", params={"bm25_k1": K1, "bm25_b": B}
    )
    server.create(collection_of(lineage, "passages"), passages, indices)
    sources = [
        *_lives(),
        FieldSchema("name", DataType.VARCHAR, max_length=LONGEST_NAME),
        FieldSchema("path", DataType.VARCHAR, max_length=LONGEST_NAME),
        FieldSchema("facts", DataType.VARCHAR, max_length=LONGEST),
        _no_vector(),
    ]
    server.create(collection_of(lineage, "sources"), CollectionSchema(sources), _indices("name"))
    texts = [
        *_lives(),
        FieldSchema("source_id", DataType.INT64),
        FieldSchema("kind", DataType.VARCHAR, max_length=8),
        FieldSchema("content", DataType.VARCHAR, max_length=LONGEST),
        _no_vector(),
    ]
    server.create(collection_of(lineage, "texts"), CollectionSchema(texts), _indices("source_id"))


def lineages(server: Server) -> set[str]:
    """The lineages of which there are collections."""
    starts = tuple(collection_of("", part) for part in PARTS)
    return {name.rpartition("_")[2] for name in server.collections() if name.startswith(starts)}


# Words are cut and stemmed here, as for the local store, so that both find by the same terms: the analyzer only parts
# them again. Milvus Lite has no stemming.
ANALYZER = {"type": "standard"}


def _lives() -> list[FieldSchema]:
    born, died = (FieldSchema(name, DataType.INT64) for name in ("born", "died"))
    return [FieldSchema("id", DataType.INT64, is_primary=True), born, died]


def _no_vector() -> FieldSchema:
    """The vector that every collection must have."""
    return FieldSchema("vector", DataType.FLOAT_VECTOR, dim=2)


def _indices(*scalars: str, dense: str = "FLAT") -> IndexParams:
    indices = IndexParams()
    indices.add_index("vector", index_type=dense, metric_type="COSINE")
    for name in scalars:
        indices.add_index(name, index_type="INVERTED")
    return indices
