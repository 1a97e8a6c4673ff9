"""Whether the gold evidence was found: recall, hits, reciprocal rank and nDCG over spans of sources, by `ir_measures`.

The relevant thing is a gold span, not a file: a passage holds a span where the two overlap, and a quote that stands
several times in its source is held wherever it stands. Reciprocal rank is Voorhees 1999 (the TREC-8 question answering
track), nDCG that of Järvelin and Kekäläinen 2002, both cut at 10. For them a passage is a document whose grade is the
number of spans that no better passage held, and a span that no passage holds is a document of grade 1 that was missed.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from functools import cache

Span = tuple[str, int, int]
"""A source, and where in it the span starts and ends."""

DEPTHS = (1, 3, 5, 10)
CUT = 10
HINT = 'Retrieval is not measured: pip install "whosays[eval]"'
_QUESTION = "q"


@cache
def available() -> bool:
    """Whether `ir_measures` is installed; without it there are no figures of retrieval."""
    return importlib.util.find_spec("ir_measures") is not None


def span_ranks(spans: Sequence[Sequence[Span]], hits: Sequence[Span]) -> list[int | None]:
    """The rank of the first hit that holds each gold span, from 1; None where none does.

    Each span is given with all the places where its quote stands.
    """
    return [
        next((rank for rank, hit in enumerate(hits, 1) if any(_overlap(hit, place) for place in places)), None)
        for places in spans
    ]


def retrieval(ranks: Sequence[int | None]) -> dict[str, float]:
    """Recall and hits at each depth, the reciprocal rank and nDCG at 10, of the ranks at which gold spans were found.

    Ranks 2 and None: recall@1 0, recall@3 1/2, hits@1 0, hits@3 1, mrr@10 1/2, and nDCG@10
    (1 / log2 3) / (1 + 1 / log2 3) = 0.387.
    """
    import ir_measures
    from ir_measures import RR, Qrel, ScoredDoc, SetR, Success, nDCG

    found = sorted({rank for rank in ranks if rank})
    graded = [Qrel(_QUESTION, f"rank-{rank}", sum(other == rank for other in ranks)) for rank in found]
    graded += [Qrel(_QUESTION, f"missed-{place}", 1) for place, rank in enumerate(ranks) if rank is None]
    last = max(found, default=CUT)
    run = [ScoredDoc(_QUESTION, f"rank-{rank}", float(-rank)) for rank in range(1, max(last, CUT) + 1)]
    names = {RR @ CUT: f"mrr@{CUT}", nDCG @ CUT: f"ndcg@{CUT}", **{Success @ k: f"hits@{k}" for k in DEPTHS}}
    figures = {names[metric]: float(value) for metric, value in ir_measures.calc_aggregate(names, graded, run).items()}

    spans = [Qrel(_QUESTION, f"span-{place}", 1) for place in range(len(ranks))]
    for k in DEPTHS:
        held = [ScoredDoc(_QUESTION, f"span-{i}", 1.0) for i, rank in enumerate(ranks) if rank and rank <= k]
        recall = ir_measures.calc_aggregate([SetR], spans, held)[SetR] if held else 0.0
        figures[f"recall@{k}"] = float(recall)
    return dict(sorted(figures.items()))


def _overlap(hit: Span, place: Span) -> bool:
    return hit[0] == place[0] and hit[1] < place[2] and place[1] < hit[2]
