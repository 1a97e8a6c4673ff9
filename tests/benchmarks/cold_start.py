"""Wall time and peak memory of a whole `whosays ask`, beside importing the frameworks alone, in one run.

    python tests/benchmarks/cold_start.py [--runs 5]

Each command runs once unmeasured (warm disk), then in turns, so that a busy machine is busy for all; medians are given.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
QUESTION = "Who founded Scale AI?"


@dataclass(frozen=True)
class Measured:
    """One command's medians: seconds of wall time, MiB of peak resident memory."""

    name: str
    seconds: float
    memory: float


def once(command: list[str]) -> tuple[float, float]:
    """Wall seconds and peak MiB of one run of a command, which must succeed.

    Python keeps what it compiled of each module, as it does unless it is told otherwise.
    """
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=ROOT, env=environ)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begun
    if status != 0:
        raise SystemExit(f"{' '.join(command)} ended with status {status}")
    return seconds, usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        whosays = [sys.executable, "-m", "service.cli"]
        subprocess.run([*whosays, "index", "seeds", "--index", folder], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
        commands = {
            "whosays ask": [*whosays, "ask", QUESTION, "--index", folder],
            "whosays --help": [*whosays, "--help"],
            "import llama_index.core, sentence_transformers": [
                sys.executable,
                "-c",
                "import llama_index.core, sentence_transformers",
            ],
        }
        for command in commands.values():
            once(command)
        runs: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for _ in range(options.runs):
            for name, command in commands.items():
                runs[name].append(once(command))
    figures = [
        Measured(name, statistics.median(s for s, _ in measured), statistics.median(m for _, m in measured))
        for name, measured in runs.items()
    ]
    if options.json:
        print(json.dumps([vars(figure) for figure in figures], indent=2))
        return
    base = figures[0]
    for figure in figures:
        ratio = f"{figure.seconds / base.seconds:5.1f} x" if figure is not base else "       "
        print(f"{figure.name:50} {figure.seconds:6.2f} s {figure.memory:6.0f} MiB {ratio}")


if __name__ == "__main__":
    main()
