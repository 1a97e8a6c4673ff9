"""What every store writes and says alike: generations, vectors, sentences, and the errors in one wording."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rag.errors import IndexMismatch, SourceUnknown
from rag.records import Sentence, SentenceKind, Source

if TYPE_CHECKING:
    from rag.protocols import Vectors

MODULUS = 1 << 256
SENTENCE_KINDS: tuple[SentenceKind, ...] = ("prose", "item", "heading", "other")
NAMES_COMPARED = 10_000  # with a name that is unknown, to say which it is like


@dataclass(frozen=True, slots=True)
class Known:
    """What the index knows of a file: its source's name, its content and how it was cut."""

    name: str
    digest: str
    recipe: str


def mark_of(source: Source, recipe: str, vectors: Iterable[bytes]) -> int:
    """A number that stands for all that this source adds to answers."""
    parts = (source.name, source.digest, recipe, source.title or "", source.published or "")
    digest = hashlib.sha256("\0".join(parts).encode("utf-8"))
    for vector in vectors:
        digest.update(vector)
    return int.from_bytes(digest.digest(), "big")


def generation_of(total: int) -> str:
    """The generation of an index whose sources' marks have this sum: it tells the contents and not the history."""
    return f"{total % MODULUS:064x}"


def to_rows(vectors: Vectors) -> list[bytes]:
    """The vectors as they are stored, one a row of float16 numbers."""
    return [row.tobytes() for row in vectors.astype(np.float16)]


def written_sentences(sentences: Sequence[Sentence]) -> str:
    """Sentences as they are stored: JSON of [start, end, kind]."""
    spans = [[s.start, s.end, SENTENCE_KINDS.index(s.kind)] for s in sentences]
    return json.dumps(spans, separators=(",", ":"))


def read_sentences(written: str) -> tuple[Sentence, ...]:
    """Sentences from what `written_sentences` gave."""
    return tuple(Sentence(start, end, SENTENCE_KINDS[kind]) for start, end, kind in json.loads(written))


def mismatch(written: str, named: str, place: str, option: str) -> IndexMismatch:
    """The error for an index that was written with another embedding model; `option` is what names the index."""
    return IndexMismatch(
        f"The index in {place} was written with the embedding model {written}, but the settings name {named}.",
        hint=f"Name {written} in the settings, or index again: whosays index PATH {option}--rebuild",
    )


def unknown_source(name: str, names: Sequence[str]) -> SourceUnknown:
    """The error for a source that is not there; its hint tells the nearest of the names."""
    near = difflib.get_close_matches(name, names[:NAMES_COMPARED], n=3, cutoff=0.4)
    hint = f"Did you mean {', '.join(near)}?" if near else "See what is indexed: whosays sources"
    return SourceUnknown(f"There is no source named {name!r} in the index.", hint=hint)
