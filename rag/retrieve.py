"""Question to hits: a dense and a lexical search, fused, with several sources among the best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rag.protocols import Embedder, Snapshot
from rag.questions import search_words
from rag.records import Hit

RANK_CONSTANT = 60  # Cormack, Clarke and Büttcher 2009, "Reciprocal rank fusion", section 2


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

    def retrieve(self, question: str, snapshot: Snapshot) -> list[Hit]:
        """The best passages, best first; ties go by source and place, so that the order is always the same."""
        dense = snapshot.nearest_to(self._embedder.embed_question(question), self._candidates)
        lexical = snapshot.holding_words(search_words(question), self._candidates)
        fused = reciprocal_ranks([[i for i, _ in dense], [i for i, _ in lexical]])
        cosines, words = dict(dense), dict(lexical)
        hits = [
            replace(hit, score=round(fused[i], 6), dense=cosines.get(i), lexical=words.get(i))
            for i, hit in snapshot.passages(sorted(fused)).items()
        ]
        hits.sort(key=lambda hit: (-hit.score, hit.passage.source, hit.passage.start))
        return spread(hits, self._top_k, self._per_source)


def reciprocal_ranks(rankings: Sequence[Sequence[int]]) -> dict[int, float]:
    """The fused score of every id: the sum of 1 / (60 + rank) over the rankings that hold it, ranks from 1."""
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, item in enumerate(ranking, start=1):
            scores[item] = scores.get(item, 0.0) + 1.0 / (RANK_CONSTANT + rank)
    return scores


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
