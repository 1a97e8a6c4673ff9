"""Whether the time that a wrong key takes tells how near it was: microseconds for near and far misses.

    python -m tests.benchmarks.service_keys [--keys 100] [--rounds 5000]

A near miss differs from a valid key in its last letter, a far one everywhere. They take turns, so that whatever else
the machine does is borne by both alike.
"""

from __future__ import annotations

import argparse
import random
import secrets
import statistics
import tempfile
import time
from pathlib import Path

from service.keys import KeyFile


def main() -> None:
    """Print the medians of both and how far apart they are."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--keys", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        keys = KeyFile(Path(folder) / "keys.json")
        valid = [keys.add(f"key {number}", "asker") for number in range(options.keys)]
        taken: dict[str, list[float]] = {"near": [], "far": []}
        chance = random.Random(1)
        for _ in range(options.rounds):
            known = chance.choice(valid)
            near = known[:-1] + ("A" if known[-1] != "A" else "B")
            pair = [("near", near), ("far", f"whosays_{secrets.token_urlsafe(32)}")]
            chance.shuffle(pair)
            for kind, wrong in pair:
                begun = time.perf_counter()
                found = keys.find(wrong)
                taken[kind].append((time.perf_counter() - begun) * 1e6)
                if found is not None:
                    raise ValueError("A wrong key was let in.")
    medians = {kind: statistics.median(times) for kind, times in taken.items()}
    spread = statistics.quantiles(taken["far"], n=4)
    print(f"{options.keys} keys, {options.rounds} rounds: near {medians['near']:.1f} us, far {medians['far']:.1f} us")
    print(f"apart {abs(medians['near'] - medians['far']):.2f} us; half of all within {spread[2] - spread[0]:.1f} us")


if __name__ == "__main__":
    main()
