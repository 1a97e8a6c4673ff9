"""Indexing by Ray beside indexing without: the same files, with killed workers and a killed command among them.

    python -m tests.benchmarks.spread FOLDER [--sources 20000] [--json]

Each way is a `whosays index` of its own, timed from start to end. `killed` kills three workers on the way and, half way
through, the command itself; what then goes on with it is a further `whosays index --workers ray`. Every index is
compared with the one made without Ray: by its generation, which tells its contents, and by every passage's identifier,
place, and vector.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rag.store.local import LocalStore
from tests.benchmarks.corpus import Corpus
from tests.benchmarks.scale import say
from tests.test_workers import children_named

ROOT = Path(__file__).resolve().parents[2]
KILLED_WORKERS = 3
SENTENCES = 2
DONE = re.compile(r"^indexed \S+ \(([\d,]+) of")


def write_sources(folder: Path, count: int) -> Path:
    """Title and first sentences of so many articles, a file each: what a source costs, rather than its length."""
    folder.mkdir(parents=True, exist_ok=True)
    corpus = Corpus(count, seed=8)
    for number in range(count):
        article = corpus.article(number)
        path = folder / article.name
        if not path.is_file():
            path.write_text(f"{article.title}\n\n{' '.join(article.paragraphs[0][:SENTENCES])}\n", "utf-8")
    return folder


def command(sources: Path, index: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "service.cli", "index", str(sources), "--index", str(index), *more]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def run(sources: Path, index: Path, *more: str) -> float:
    """The seconds that a whole run takes."""
    begun = time.perf_counter()
    done = subprocess.run(
        command(sources, index, *more), env=environment(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(more)}: {done.stderr[-2000:]}")
    return time.perf_counter() - begun


def killed_run(sources: Path, index: Path, count: int) -> tuple[float, int, int]:
    """The seconds until the command is killed, the workers killed before, and the sources that it left indexed."""
    begun = time.perf_counter()
    given = command(sources, index, "--workers", "ray")
    driver = subprocess.Popen(given, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert driver.stderr is not None
    killed = 0
    for line in driver.stderr:
        done = int(told[1].replace(",", "")) if (told := DONE.match(line)) else 0
        if killed < KILLED_WORKERS and done > (killed + 1) * count // (2 * KILLED_WORKERS + 2):
            os.kill(children_named("_Worker", driver.pid)[0], signal.SIGKILL)
            killed += 1
        if done > count // 2:
            break
    if driver.poll() is not None or killed < KILLED_WORKERS:
        raise SystemExit(f"The command ended before it could be killed, {killed} workers before it.")
    driver.kill()
    driver.wait()
    return time.perf_counter() - begun, killed, len(LocalStore(index).names())


def contents(index: Path) -> dict[str, str]:
    """What an index tells of itself: its generation, and digests of its passages' identifiers, places and vectors."""
    store = LocalStore(index)
    placed, numbered = [], []
    with store.snapshot() as snapshot:
        vectors = dict(snapshot.stored_vectors())
        for start in range(0, len(vectors), 500):
            ids = list(vectors)[start : start + 500]
            for passage_id, hit in snapshot.passages(ids).items():
                of = hit.passage
                place = (of.source, of.start, of.end, of.text, hashlib.sha256(vectors[passage_id]).hexdigest())
                placed.append(place)
                numbered.append((passage_id, *place))
        return {
            "generation": snapshot.generation,
            "passages": _digest(sorted(placed)),
            "identifiers": _digest(sorted(numbered)),
        }


def _digest(rows: Sequence[Any]) -> str:
    return hashlib.sha256(repr(rows).encode()).hexdigest()


def measure(folder: Path, count: int) -> dict[str, Any]:
    """All ways, each with its seconds, its milliseconds a source, and what of its index is as without Ray."""
    sources = write_sources(folder / f"sources-{count}", count)
    warm = write_sources(folder / "warm", 20)
    for more in ((), ("--workers", "ray")):  # models converted and compiled, files of Ray in memory
        shutil.rmtree(folder / "index", ignore_errors=True)
        start = run(warm, folder / "index", *more)
    say(f"20 sources by Ray: {start:.1f} s, nearly all of it Ray's start")
    made = {}
    seconds = {}
    for way, more in (("here", ()), ("ray", ("--workers", "ray"))):
        index = folder / way
        shutil.rmtree(index, ignore_errors=True)
        seconds[way] = run(sources, index, *more)
        made[way] = contents(index)
        say(f"{way}: {seconds[way]:.1f} s")
    index = folder / "killed"
    shutil.rmtree(index, ignore_errors=True)
    until, workers, left = killed_run(sources, index, count)
    say(f"killed: {workers} workers and, after {until:.1f} s with {left} sources indexed, the command")
    after = run_when_free(sources, index)
    seconds["killed"] = until + after
    made["killed"] = contents(index)
    return {
        "sources": count,
        "passages": LocalStore(folder / "here").passage_count,
        "ray_start_s": round(start, 1),
        "killed": {"workers": workers, "after_s": round(until, 1), "indexed": left, "rest_s": round(after, 1)},
        "ways": {
            way: {
                "s": round(seconds[way], 1),
                "ms_per_source": round(1000 * seconds[way] / count, 2),
                "same": {part: made[way][part] == value for part, value in made["here"].items()},
            }
            for way in made
        },
    }


def run_when_free(sources: Path, index: Path) -> float:
    """A run by Ray as soon as what was killed has let go of the index."""
    for _ in range(60):
        try:
            return run(sources, index, "--workers", "ray")
        except SystemExit as error:
            if "Another indexing run" not in str(error):
                raise
            time.sleep(1)
    raise SystemExit("The index stayed locked for a minute after the command was killed.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sources", type=int, default=20_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measure(options.folder, options.sources)
    if options.json:
        print(json.dumps(found, indent=2))
        return
    print(f"{found['sources']:,} sources, {found['passages']:,} passages")
    print(f"Ray with 20 sources, which is its start: {found['ray_start_s']} s")
    print("way      seconds   ms a source   the same as here")
    for way, row in found["ways"].items():
        same = ", ".join(part for part, is_same in row["same"].items() if is_same)
        print(f"{way:8} {row['s']:7.1f}   {row['ms_per_source']:11.2f}   {same}")
    print(f"killed: {found['killed']}")


if __name__ == "__main__":
    main()
