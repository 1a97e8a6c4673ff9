"""Indexing again after one of many sources changed: seconds over those that Python itself takes to start.

python tests/benchmarks/incremental.py [--sources 10000] [--runs 5]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "benchmarks")]

from cold_start import once  # noqa: E402 - found by the line above

PASS = [sys.executable, "-c", "pass"]


def touched(work: Path, sources: int, runs: int) -> list[tuple[float, float]]:
    """For each run the seconds of `whosays index` after one source changed, and of `python -c pass`."""
    docs = work / "docs"
    docs.mkdir(parents=True)
    for number in range(sources):
        text = f"On day {number} it rained {7 * number} drops, and the mayor called it a good year for the harvest."
        (docs / f"{number:06}.txt").write_text(text, "utf-8")
    command = [sys.executable, "-m", "service.cli", "index", str(docs), "--index", str(work / "index")]
    subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    measured = []
    for run in range(runs):
        (docs / f"{sources // 2:06}.txt").write_text(f"In round {run} nobody saw the mayor.", "utf-8")
        measured.append((once(command)[0], once(PASS)[0]))
    return measured


def main() -> None:
    """Print the median, the least and the most."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sources", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        over = [whole - start for whole, start in touched(Path(folder), options.sources, options.runs)]
    print(f"{statistics.median(over):.2f} s ({min(over):.2f} to {max(over):.2f}) over process start")


if __name__ == "__main__":
    main()
