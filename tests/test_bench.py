"""`make bench`: its table, its plot, and what it writes where."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "benchmarks"))

import bench  # noqa: E402 - found by the line above
import pace  # noqa: E402

FAST = bench.Figure("embedder", "`encode`", [2.0, 4.0, 3.0], aim=2.5)
SLOW = bench.Figure("again", "a bare start", [2.5], aim=2.0, at_most=True, unit="s")


def test_a_row_gives_the_median_its_spread_and_whether_the_aim_is_met() -> None:
    assert FAST.row() == "| embedder | `encode` | ≥ 2.5 x | 3.00 x (2.00 to 4.00) | |"
    assert SLOW.row() == "| again | a bare start | ≤ 2 s | 2.50 s (2.50 to 2.50) | missed |"


def test_only_what_stands_between_the_marks_is_written() -> None:
    before = f"# Title\n\n{bench.MARKS[0]}\n\nold\n\n{bench.MARKS[1]}\n\nAfter.\n"
    after = bench.written(before, "new")
    assert after == f"# Title\n\n{bench.MARKS[0]}\n\nnew\n\n{bench.MARKS[1]}\n\nAfter.\n"
    assert bench.written(after, "new") == after
    with pytest.raises(ValueError, match="substring"):
        bench.written("# Title\n", "new")


def test_the_project_s_document_has_the_marks() -> None:
    assert bench.written((ROOT / "BENCHMARKS.md").read_text("utf-8"), "new")


def test_the_plot_is_the_same_for_the_same_figures(tmp_path: Path) -> None:
    for name in ("one.svg", "two.svg"):
        bench.plot([FAST, SLOW], tmp_path / name)
    drawn = (tmp_path / "one.svg").read_text("utf-8")
    assert drawn == (tmp_path / "two.svg").read_text("utf-8")
    assert "<svg" in drawn


def test_articles_are_the_same_each_time_and_none_is_like_another(tmp_path: Path) -> None:
    for name in ("one", "two"):
        pace.write_articles(tmp_path / name, 5)
    texts = [path.read_text("utf-8") for path in sorted((tmp_path / "one").iterdir())]
    assert texts == [path.read_text("utf-8") for path in sorted((tmp_path / "two").iterdir())]
    assert len(set(texts)) == 5
