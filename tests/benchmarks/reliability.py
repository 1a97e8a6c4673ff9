"""How far the confidence of answers can be believed: the reliability diagram of a run, as a Markdown table.

    whosays eval eval/gold/seeds.jsonl --split test --out run.json
    python tests/benchmarks/reliability.py run.json

Answers that are no refusals, in bins of equal width over 0 to 1; ECE is the mean distance of confidence and
correctness, weighted by bin (Guo et al. 2017, "On calibration of modern neural networks", section 2).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

BINS = 5


def main() -> None:
    cases = json.loads(Path(sys.argv[1]).read_text("utf-8"))["cases"]
    told = [
        (c["answer"]["confidence"], c["score"]["correct"]) for c in cases if c["answer"]["outcome"] != "not_in_sources"
    ]
    distance = 0.0
    print("| confidence | answers | mean confidence | correct | |\n|---|---|---|---|---|")
    for place in range(BINS):
        inside = [(sure, right) for sure, right in told if min(int(sure * BINS), BINS - 1) == place]
        if not inside:
            continue
        mean = sum(sure for sure, _ in inside) / len(inside)
        share = sum(right for _, right in inside) / len(inside)
        distance += abs(mean - share) * len(inside) / len(told)
        bounds = f"{place / BINS:.1f} to {(place + 1) / BINS:.1f}"
        print(f"| {bounds} | {len(inside)} | {mean:.2f} | {share:.2f} | `{'█' * round(20 * share):20}` |")
    print(f"\nECE {distance:.3f} over {len(told)} answers.")


if __name__ == "__main__":
    main()
