"""Full-text search that stays fast: a search does not begin with words that very many passages hold.

The best passages for "Selwell", "insurance" and "founded" are among those that hold "Selwell": where a quarter of a
million passages hold "founded", computing BM25 for all of them would only find that out. Such common words add their
weight to passages that the others found. An index of at most `MOST` passages is searched by all words alike.
"""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Protocol

import apsw

TOKENIZER = "porter unicode61 remove_diacritics 2"
# Passages that one search computes BM25 for: about a microsecond each, and as much again where their scores are added
# to. Counting a word's passages takes a twentieth of that.
MOST = 5_000
LEADING = 1_000  # passages in all that are scored for the names of a good passage; names that more hold lead nowhere
REMEMBERED = MOST // 20  # words of fewer passages are not remembered
ADDED = 8  # of the common words, the rarest, that add their weight
TOGETHER = 3  # of them, the rarest, that are looked for together where all words are common


@dataclass(frozen=True, slots=True)
class Weighted:
    """A common word, and what holding it adds to a passage's score: BM25's for one mention in a usual passage."""

    word: str
    weight: float


@dataclass(frozen=True, slots=True)
class Parted:
    """The words that a search begins with, and those that it adds, the rarest first."""

    first: tuple[str, ...]
    added: tuple[Weighted, ...]


class Terms:
    """Cuts words into the terms that the full-text index knows them by; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connection = apsw.Connection(":memory:")
        self._connection.execute(f"CREATE VIRTUAL TABLE texts USING fts5(text, tokenize='{TOKENIZER}')")
        self._connection.execute("CREATE VIRTUAL TABLE terms USING fts5vocab(texts, instance)")

    def of(self, words: Sequence[str]) -> list[list[str]]:
        """The terms of each word, most often one, in the order of the word."""
        found: list[list[str]] = [[] for _ in words]
        with self._lock:
            self._connection.execute("BEGIN")
            try:
                self._connection.executemany("INSERT INTO texts(rowid, text) VALUES (?, ?)", enumerate(words))
                for place, term in self._connection.execute("SELECT doc, term FROM terms ORDER BY doc, offset"):
                    found[place].append(term)
            finally:
                self._connection.execute("ROLLBACK")
        return found


class CommonWords:
    """How many passages hold the words that many hold, counted when the index was last finished."""

    def __init__(self, passages: int, holding: Mapping[str, int]) -> None:
        self._passages = passages
        self._holding = holding
        self._terms = Terms()

    @classmethod
    def from_json(cls, text: str) -> CommonWords:
        """What `counted` gave."""
        return cls(**json.loads(text))

    def parted(self, words: Sequence[str], most: int) -> Parted:
        """The words parted so that no more than about `most` passages hold one of the first.

        A word of several terms is held by no more passages than the rarest of its terms is.
        """
        holding = [min((self._holding.get(term, 0) for term in terms), default=0) for terms in self._terms.of(words)]
        order = sorted(range(len(words)), key=lambda place: holding[place])
        sums = accumulate(holding[place] for place in order)
        rare = sum(total <= most for total in sums)
        first = tuple(words[place] for place in sorted(order[:rare]))
        return Parted(first, tuple(Weighted(words[place], self._weight(holding[place])) for place in order[rare:]))

    def _weight(self, holding: int) -> float:
        """BM25's inverse document frequency, as FTS5 computes it, but never below 0."""
        return max(math.log((self._passages - holding + 0.5) / (holding + 0.5)), 0.0)


class Index(Protocol):
    """The full-text index at one moment."""

    def best(self, expression: str, k: int, *, among: int | None = None) -> list[tuple[int, float]]:
        """The `k` passages with the best BM25 for an expression as (id, score), best first.

        With `among` they are the best of so many passages that match it, the first of them all.
        """

    def matching(self, expression: str) -> Iterable[int]:
        """The passages that match an expression."""


def holding(words: Sequence[str], k: int, index: Index, common: CommonWords | None) -> list[tuple[int, float]]:
    """The `k` passages with the best score for any of the words as (id, score), best first."""
    parted = common.parted(words, MOST) if common else Parted(tuple(words), ())
    if not parted.added:
        return index.best(_any(words), k)
    scores: dict[int, float] = {}
    if parted.first:
        begun = _any(parted.first)
        scores.update(index.best(begun, MOST, among=MOST))
        for extra in parted.added[:ADDED]:
            for passage_id in index.matching(f"({begun}) AND {_quoted(extra.word)}") if extra.weight else ():
                if passage_id in scores:
                    scores[passage_id] += extra.weight
    else:
        for width in range(min(len(parted.added), TOGETHER), 0, -1):
            every = " AND ".join(_quoted(extra.word) for extra in parted.added[:width])
            scores = {**dict(index.best(every, k, among=MOST)), **scores}
            if len(scores) >= k:
                break
    return sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))[:k]


def holding_names(names: Sequence[str], k: int, index: Index, common: CommonWords | None) -> list[tuple[int, float]]:
    """The same for names that are to lead somewhere: those that very many passages hold are left out."""
    rare = common.parted(names, LEADING).first if common else names
    return index.best(_any(rare), k) if rare else []


def _any(words: Sequence[str]) -> str:
    return " OR ".join(map(_quoted, words))


def _quoted(word: str) -> str:
    """A word or phrase as the full-text index takes it, whatever characters it holds."""
    return '"' + word.replace('"', '""') + '"'


def counted(connection: Any, passages: int) -> str:
    """How many passages hold each common word, as JSON; reads the whole vocabulary of the full-text index."""
    connection.execute("CREATE VIRTUAL TABLE IF NOT EXISTS temp.vocabulary USING fts5vocab('main', 'words', 'row')")
    rows = connection.execute("SELECT term, doc FROM temp.vocabulary WHERE doc >= ?", (REMEMBERED,))
    return json.dumps({"passages": passages, "holding": dict(rows)}, ensure_ascii=False)
