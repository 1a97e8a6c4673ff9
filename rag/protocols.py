"""The seams: what an engine must give to be plugged in. Each has a contract test in `tests/contracts.py`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

from rag.records import Hit, Message, Parsed, Reading, Source, SourceSummary, Support

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]


class Embedder(Protocol):
    """Texts to unit vectors, so that a dot product is a cosine."""

    @property
    def digest(self) -> str:
        """What tells this model from every other; an index remembers it."""

    @property
    def name(self) -> str:
        """The model's name for people."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One row a text, float32, of length 1; texts longer than the model reads are cut."""

    def embed_question(self, question: str) -> Vectors:
        """One vector of length 1, with the model's prompt for questions where it has one."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text as this model counts them, special tokens aside."""


class Reader(Protocol):
    """Reads passages for a question."""

    def read(self, question: str, passages: Sequence[str]) -> list[Reading]:
        """What each passage's text says to the question, in the order of the passages."""


class Verifier(Protocol):
    """Holds claims against evidence."""

    def verify(self, pairs: Sequence[tuple[str, str]]) -> list[Support]:
        """How far the evidence of each (claim, evidence) bears the claim, which may be worded as a yes/no question."""


class LanguageModel(Protocol):
    """Answers in its own words, piece by piece; safe to use from several threads."""

    @property
    def name(self) -> str:
        """The model as the settings name it, such as `ollama/llama3.2`."""

    @property
    def context(self) -> int:
        """How many tokens it reads and writes in all."""

    def count_tokens(self, text: str) -> int:
        """The tokens of a text by the model's own tokenizer, or no fewer than by it where that is not to be had."""

    def stream(self, messages: Sequence[Message], max_tokens: int) -> Iterator[str]:
        """The reply in pieces, of at most so many tokens; closing the iterator cancels the call.

        Raises BackendProblem: at the first piece, or in mid-reply where the model fails then.
        """


class Parser(Protocol):
    """One family of file formats to text."""

    @property
    def suffixes(self) -> tuple[str, ...]:
        """The endings that it reads, lower case, with their dot."""

    def parse(self, content: bytes) -> Parsed:
        """Text, title, date and pages of a file's bytes; raises `Unparsable` with the reason where it cannot."""


class Snapshot(Protocol):
    """The index as it was at one moment, for one question."""

    @property
    def generation(self) -> str:
        """What tells this state of the index from every other."""

    @property
    def passage_count(self) -> int:
        """How many passages are indexed."""

    @property
    def source_count(self) -> int:
        """How many sources are indexed."""

    def restricted_to(self, sources: Sequence[str]) -> Snapshot:
        """The same moment with only the sources whose name is one of these, or matches one of these glob patterns."""

    def nearest_to(self, vector: Vectors, k: int) -> list[tuple[int, float]]:
        """The `k` passages nearest to a unit vector as (id, cosine), best first."""

    def cosines(self, vector: Vectors, ids: Sequence[int]) -> dict[int, float]:
        """How near the passages with these ids are to a unit vector."""

    def holding_words(self, words: Sequence[str], k: int) -> list[tuple[int, float]]:
        """The `k` passages with the best BM25 for any of the words or phrases as (id, score), best first."""

    def holding_names(self, lists: Sequence[Sequence[str]], k: int) -> list[list[tuple[int, float]]]:
        """What `holding_words` gives for each of several lists of names; it may leave out those that very many hold."""

    def passages(self, ids: Sequence[int]) -> dict[int, Hit]:
        """The passages with these ids as hits of score 0."""

    def line_at(self, name: str, offset: int) -> int:
        """The 1-based line of a source that holds `offset`."""

    def page_at(self, name: str, offset: int) -> int | None:
        """The 1-based page of a source that holds `offset`."""

    def source(self, name: str) -> Source:
        """One source with its text; raises SourceUnknown."""

    def passages_of(self, name: str) -> list[tuple[int, int, str | None]]:
        """The (start, end, heading) of a source's passages, in their order."""


class Store(Protocol):
    """The index for reading; safe to use from several threads."""

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """The index as it is at this moment."""

    def check_embedder(self, digest: str, name: str) -> None:
        """Raise IndexMismatch, now and at every later snapshot, unless this embedding model wrote the index."""

    @property
    def generation(self) -> str:
        """What tells this state of the index from every other."""

    @property
    def passage_count(self) -> int:
        """How many passages are indexed."""

    def sources(self) -> list[SourceSummary]:
        """Every source, by name."""

    def names(self) -> list[str]:
        """The name of every source, in order."""

    def source(self, name: str) -> Source:
        """One source with its text; raises SourceUnknown."""
