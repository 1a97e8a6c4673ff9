"""How many questions a service of two workers answers, measured by `hey` (Debian: apt-get install hey).

    python -m tests.benchmarks.service_load [--seconds 60] [--connections 1,8,32,128] [--questions 20000]

Each level asks one question again and again over so many connections for so many seconds. Then `--questions` questions
are put over eight connections, and resident memory is taken at the start, after a tenth, and at the end. Rates and
times are those of the answers; what was turned away is counted by its status.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.service_children import resident_mb, service_over_seeds

QUESTION = "What was Scale AI's last valuation?"
AT_ONCE = 8


@dataclass(frozen=True)
class Told:
    """What the tool said: milliseconds of each answer, statuses of all responses, and seconds until the last."""

    answered: tuple[float, ...]
    statuses: Counter[str]
    seconds: float

    def quantile(self, share: float) -> float:
        """The time within which so large a share was answered with 200."""
        return self.answered[min(len(self.answered) - 1, int(share * len(self.answered)))] if self.answered else 0.0


def hey(url: str, connections: int, *bound: str, **asked: int) -> Told:
    """Put the question over so many connections, as long or as often as `-z` or `-n` says."""
    body = json.dumps({"question": QUESTION, **asked})
    command = ["hey", "-o", "csv", "-c", str(connections), *bound, "-t", "70", "-m", "POST", "-T", "application/json"]
    done = subprocess.run([*command, "-d", body, f"{url}/v1/ask"], capture_output=True, text=True, check=True)
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    answered = sorted(float(row["response-time"]) * 1000 for row in rows if row["status-code"] == "200")
    last = max((float(row["offset"]) + float(row["response-time"]) for row in rows), default=0.0)
    return Told(tuple(answered), Counter(row["status-code"] for row in rows), last)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table of the levels, and what the questions leave of memory."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--connections", default="1,8,32,128")
    parser.add_argument("--questions", type=int, default=0)
    parser.add_argument("--top-k", type=int, default=8, help="passages that each of those questions reads")
    parser.add_argument("--processes", type=int, default=1)
    options = parser.parse_args(arguments)
    if shutil.which("hey") is None:
        sys.exit("hey is not installed: apt-get install hey")
    with tempfile.TemporaryDirectory() as folder, service_over_seeds(Path(folder), options.processes) as running:
        hey(running.url, AT_ONCE, "-n", str(AT_ONCE * 5))  # the first answers compile and cache
        print(f"{'connections':>11} {'answers/s':>9} {'p50 ms':>7} {'p95 ms':>7} {'p99 ms':>7}  statuses")
        for connections in map(int, filter(None, options.connections.split(","))):
            told = hey(running.url, connections, "-z", f"{options.seconds}s")
            times = " ".join(f"{told.quantile(share):7.0f}" for share in (0.5, 0.95, 0.99))
            rate = len(told.answered) / max(told.seconds, options.seconds)
            print(f"{connections:11} {rate:9.1f} {times}  {dict(told.statuses)}")
        if options.questions:
            measure_memory(running.url, running.child.pid, options.questions, options.top_k)
        print(f"alive: {running.child.poll() is None}; log: {running.log.read_text() or 'empty'}")
    print("In full: python -m tests.benchmarks.service_load --seconds 60 --questions 20000")


def measure_memory(url: str, process: int, questions: int, top_k: int) -> None:
    """Print resident memory before, after a tenth of, and after so many questions."""
    first = max(AT_ONCE, questions // 10)
    start = resident_mb(process)
    statuses = hey(url, AT_ONCE, "-n", str(first), top_k=top_k).statuses
    tenth = resident_mb(process)
    statuses += hey(url, AT_ONCE, "-n", str(questions - first), top_k=top_k).statuses
    end = resident_mb(process)
    sizes = f"{start:.0f} MB at the start, {tenth:.0f} MB after {first}, {end:.0f} MB at the end"
    print(f"{statuses.total()} questions: {dict(statuses)}; memory: {sizes}: {end / tenth:.3f}")


if __name__ == "__main__":
    main()
