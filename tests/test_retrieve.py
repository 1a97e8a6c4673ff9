"""Question to hits."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rag.records import Hit, Passage
from rag.retrieve import RANK_CONSTANT, reciprocal_ranks, spread


def hit(source: str, start: int) -> Hit:
    return Hit(Passage(source, start, start + 1, "x", ()), 0.0)


def test_ranks_are_fused_by_their_reciprocals() -> None:
    fused = reciprocal_ranks([[7, 8], [8]])
    assert fused == {7: 1 / (RANK_CONSTANT + 1), 8: 1 / (RANK_CONSTANT + 2) + 1 / (RANK_CONSTANT + 1)}


def test_one_source_does_not_crowd_out_the_others() -> None:
    hits = [hit("a", 0), hit("a", 1), hit("a", 2), hit("b", 0)]
    assert spread(hits, top_k=3, per_source=2) == [hits[0], hits[1], hits[3]]
    assert spread(hits[:3], top_k=3, per_source=2) == hits[:3]


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 50)), unique=True), st.integers(1, 9), st.integers(1, 9)
)
def test_spreading_loses_nothing_that_there_is_room_for(
    places: list[tuple[str, int]], top_k: int, per_source: int
) -> None:
    hits = [hit(source, start) for source, start in places]
    kept = spread(hits, top_k, per_source)
    assert len(kept) == min(top_k, len(hits))
    assert len(set(kept)) == len(kept)
    assert set(kept) <= set(hits)
