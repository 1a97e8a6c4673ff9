"""What every suite is given: the data's folder, where to index, the engines, and whom to tell how far it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Protocol, TypeVar

from eval.suites.data import evenly
from rag.records import Answer, Hit, Reading, Support, Turn
from rag.settings import Settings

T = TypeVar("T")

Report = Callable[[str, int, int], None]
"""Told what is being done, how many are done, and of how many."""


class Reads(Protocol):
    """Reads passages for a question."""

    def read(self, question: str, passages: Sequence[str]) -> list[Reading]:
        """What each passage says to the question, in their order."""


class Verifies(Protocol):
    """Holds claims against evidence."""

    def verify(self, pairs: Sequence[tuple[str, str]]) -> list[Support]:
        """For each (claim, evidence) how far the evidence bears the claim."""


class Retrieves(Protocol):
    """Finds passages; `snapshot` is what the store gave."""

    def retrieve(self, question: str, snapshot: Any) -> list[Hit]:
        """The best passages, best first."""


class Answers(Protocol):
    """Answers from an index."""

    def ask(self, question: str, history: Sequence[Turn] = (), *, sources: Sequence[str] = ()) -> Answer:
        """The answer to a question, from the sources named where there are any."""

    def close(self) -> None:
        """Let go of the index."""


@dataclass(frozen=True)
class Engines:
    """How the objects that are measured are opened from settings."""

    reader: Callable[[Settings], Reads]
    verifier: Callable[[Settings], Verifies]
    retriever: Callable[[Settings], Retrieves]
    answerer: Callable[[Settings], Answers]


def silent(what: str, done: int, of: int) -> None:
    """A report to nobody."""


@dataclass(frozen=True, eq=False)
class Bench:
    """One measuring; `limit` bounds the questions of each suite, `claims` is the file of made contradictions.

    What is left of a suite is drawn by `seed`, or evenly spaced where that is None.
    """

    data: Path
    work: Path
    settings: Settings
    engines: Engines
    limit: int | None = None
    claims: Path | None = None
    report: Report = silent
    seed: int | None = None

    def some(self, items: Sequence[T]) -> list[T]:
        """At most `limit` of the items, in their order."""
        if self.seed is None or self.limit is None or self.limit >= len(items):
            return evenly(items, self.limit)
        return [items[place] for place in sorted(Random(self.seed).sample(range(len(items)), self.limit))]

    def each(self, items: Sequence[T], what: str) -> Iterator[T]:
        """The items one by one, told to whoever looks on."""
        self.report(what, 0, len(items))
        for done, item in enumerate(items, start=1):
            yield item
            self.report(what, done, len(items))
