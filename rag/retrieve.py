"""Question to hits: a dense and a lexical search, weighed together, and a second look for what the first hits name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rag.protocols import Embedder, Snapshot
from rag.questions import STOP_WORDS, names_in, search_words, stem
from rag.records import Hit, Passage

if TYPE_CHECKING:
    from rag.protocols import Vectors

# Measured on half of Natural Questions, HotpotQA-100, MuSiQue-100 and the gold questions for tuning: between .5 and .7
# little changes, and all beat ranks fused by their reciprocals (Natural Questions, Hit@1: .90 against .86).
DENSE_WEIGHT = 0.6
FIRST_HITS = 2  # whose names are followed; 1 and 3 are about as good
NAMES = 20  # of one hit that are looked up; 5, 10 and 40 are about as good
NAMED = 0.4
TITLED = 0.4
"""How far a passage that a better hit names, and one whose title it names, moves up towards that hit; below 1 together.

Recall@5 rises from .825 to .95 on HotpotQA-100 and from .63 to .71 on MuSiQue-100; Natural Questions lose nothing.
"""

WORD = re.compile(r"\w+")
IN_BRACKETS = re.compile(r"\s*\([^()]*\)\s*$")


class Retriever:
    """Finds the passages that a question may be answered from.

    `candidates` passages come from each search, `top_k` are given back, at most `per_source` of them from one source
    as long as other sources have candidates.
    """

    def __init__(self, embedder: Embedder, *, candidates: int, top_k: int, per_source: int) -> None:
        self._embedder = embedder
        self._candidates = candidates
        self._top_k = top_k
        self._per_source = per_source

    def retrieve(
        self, question: str, snapshot: Snapshot, *, sources: Sequence[str] = (), top_k: int | None = None
    ) -> list[Hit]:
        """The best passages, best first; ties go by source and place, so that the order is always the same.

        `sources` are names and glob patterns that restrict the search; `top_k` stands in for the one that is set.
        """
        if sources:
            snapshot = snapshot.restricted_to(sources)
        wanted = top_k or self._top_k
        vector = self._embedder.embed_question(question)
        search = _Search(question, vector, snapshot, max(self._candidates, wanted))
        return spread(search.followed(search.found()), wanted, self._per_source)


class _Search:
    """One question's search of one snapshot."""

    def __init__(self, question: str, vector: Vectors, snapshot: Snapshot, candidates: int) -> None:
        self._question = question
        self._vector = vector
        self._snapshot = snapshot
        self._candidates = candidates
        self._hits: dict[int, Hit] = {}
        self._scale = Scale(0.0, 0.0, 0.0)

    def found(self) -> list[Hit]:
        """The passages near to the question in meaning and those that hold its words, best first."""
        near = [passage_id for passage_id, _ in self._snapshot.nearest_to(self._vector, self._candidates)]
        # Names of several words count once more as a whole: each word may stand often in passages about others.
        names = [name for name in names_in(self._question) if " " in name]
        words = [*search_words(self._question), *names]
        bm25 = dict(self._snapshot.holding_words(words, self._candidates))
        cosines = self._snapshot.cosines(self._vector, sorted({*near, *bm25}))
        self._scale = Scale.over(cosines.values(), bm25.values())
        self._add(cosines, bm25)
        return in_order(self._hits.values())

    def followed(self, hits: Sequence[Hit]) -> list[Hit]:
        """The hits, best first, when what the first of them name has moved up, at most to the hit that names it."""
        firsts: dict[str, Hit] = {}
        for hit in hits:
            firsts.setdefault(hit.passage.source, hit)
        scores: dict[int, float] = {}
        bests = list(firsts.values())[:FIRST_HITS]
        names = [names_to_follow(best.passage, self._question) for best in bests]
        named = [dict(found) for found in self._snapshot.holding_names(names, self._candidates)]
        new = sorted(set().union(*named) - self._hits.keys())
        cosines = self._snapshot.cosines(self._vector, new)
        for best, bm25 in zip(bests, named, strict=True):
            self._add({i: cosines[i] for i in bm25 if i in cosines}, {})
            shares = self._naming_what(best, bm25)
            words = spoken(best.passage.text)
            for passage_id, hit in self._hits.items():
                share = NAMED * shares.get(passage_id, 0.0) + TITLED * names_title(words, hit.title)
                if share and hit.score < best.score and hit.passage.source != best.passage.source:
                    lifted = hit.score + share * (best.score - hit.score)
                    scores[passage_id] = max(lifted, scores.get(passage_id, lifted))
        lifted_hits = {i: replace(self._hits[i], score=round(score, 6)) for i, score in scores.items()}
        return in_order((self._hits | lifted_hits).values())

    def _naming_what(self, best: Hit, bm25: Mapping[int, float]) -> dict[int, float]:
        """Passages of other sources among those that hold names of this hit, as shares of the best one's BM25."""
        others = {i: score for i, score in bm25.items() if self._hits[i].passage.source != best.passage.source}
        most = max(others.values(), default=0.0)
        return {passage_id: score / most for passage_id, score in others.items()}

    def _add(self, cosines: Mapping[int, float], bm25: Mapping[int, float]) -> None:
        for passage_id, hit in self._snapshot.passages(sorted(cosines)).items():
            dense, lexical = cosines[passage_id], bm25.get(passage_id)
            score = round(self._scale.score(dense, lexical or 0.0), 6)
            self._hits[passage_id] = replace(hit, score=score, dense=dense, lexical=lexical)


@dataclass(frozen=True, slots=True)
class Scale:
    """What the cosines and BM25 scores of one search are measured by, since neither is alike from question to question.

    A passage with the highest cosine and the best BM25 scores 1; one with the lowest cosine and no word scores 0.
    """

    lowest: float
    highest: float
    most: float

    @classmethod
    def over(cls, cosines: Iterable[float], bm25: Iterable[float]) -> Scale:
        """The scale of a search that gave these."""
        known = list(cosines) or [0.0]
        return cls(min(known), max(known), max(bm25, default=0.0))

    def score(self, cosine: float, bm25: float) -> float:
        """The weighted sum of both, BM25 being 0 for a passage that the lexical search did not give."""
        width = self.highest - self.lowest
        dense = (cosine - self.lowest) / width if width else 1.0
        return DENSE_WEIGHT * dense + (1 - DENSE_WEIGHT) * (bm25 / self.most if self.most else 0.0)


def names_to_follow(passage: Passage, question: str) -> list[str]:
    """The names in a passage that bring something new to the question, in their order, at most `NAMES`."""
    asked = {stem(word) for word in WORD.findall(question)}
    found = dict.fromkeys(name for s in passage.sentences for name in names_in(passage.sentence_text(s)))
    new = [n for n in found if len(n) > 3 and any(stem(w) not in asked | STOP_WORDS for w in WORD.findall(n))]
    return new[:NAMES]


def words_found(question: str, hit: Hit) -> list[str]:
    """The words that are looked up for a question and stand in a hit's title, heading or text, in whatever form.

    "who founds Acme" and "Acme was founded in 1990" -> founds, acme.
    """
    held = " ".join(filter(None, (hit.title, hit.passage.heading, hit.passage.text)))
    stems = {stem(word) for word in set(WORD.findall(held.lower()))}
    return [word for word in search_words(question) if stems.issuperset(map(stem, WORD.findall(word)))]


def spoken(text: str) -> str:
    """A text's words in lower case with a blank around each, so that words are found whole: " wet in rome "."""
    return f" {' '.join(WORD.findall(text.lower()))} "


def names_title(words: str, title: str | None) -> bool:
    """Whether a title stands in `spoken` words: "Charmed (series)" does in " she starred in charmed "."""
    named = spoken(IN_BRACKETS.sub("", title or ""))
    return named in words and not STOP_WORDS.issuperset(named.split())


def in_order(hits: Iterable[Hit]) -> list[Hit]:
    """The hits, best first; ties go by source and place."""
    return sorted(hits, key=lambda hit: (-hit.score, hit.passage.source, hit.passage.start))


def spread(hits: Sequence[Hit], top_k: int, per_source: int) -> list[Hit]:
    """The best `top_k` with at most `per_source` of one source; the rest fills up what places remain."""
    taken: dict[str, int] = {}
    first: list[Hit] = []
    rest: list[Hit] = []
    for hit in hits:
        source = hit.passage.source
        taken[source] = taken.get(source, 0) + 1
        (first if taken[source] <= per_source else rest).append(hit)
    return (first + rest)[:top_k]
