"""How long a search takes in the index's folder and in Milvus Lite, at several sizes; each measured by itself.

    python -m tests.benchmarks.stores FOLDER [--passages 10000,100000] [--real 5000] [--stores local,lite]
        [--questions 100] [--patience 100] [--json]

Passages and vectors are those of scale.py. `nearest` is the search by vector, `words` the one by BM25, `retrieve` all
that a question needs of the store, its embedding included; milliseconds of the very first search, and over the first
planted questions, each once, in a process that has asked some of them before. Where a search fails, `stopped` says so;
`--patience` lets a request to a file take longer than the program does.
`fill` is what adding all sources takes, without their embedding. A second start goes on where the first ended.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from eval.cases import load_cases
from rag.errors import WhosaysError
from rag.questions import search_words
from rag.retrieve import Retriever
from rag.settings import Settings, StoreSettings, load_settings
from rag.store import milvus_server
from rag.store.milvus_server import Server, address_of
from rag.store.milvus_writer import MilvusWriter
from rag.wiring import open_embedder, open_store
from tests.benchmarks.scale import Build, memory, say

ROOT = Path(__file__).resolve().parents[2]
WARM_UP = 10  # questions at most


def settings_of(folder: Path, store: str) -> Settings:
    """Settings that name an index in the folder, or in a file of Milvus there."""
    uri = f"milvus:{folder}/index.db" if store == "lite" else ""
    return replace(load_settings(os.environ), index=str(folder / "index"), store=StoreSettings(uri=uri))


def fill(folder: Path, store: str, passages: int, real: int) -> float:
    """The seconds that it takes to add all that is not there yet."""
    settings = settings_of(folder, store)
    build = Build(folder, passages, real, 0, settings)
    begun = time.perf_counter()
    if store == "local":
        build.run()
    else:
        dimension = len(build.embedder.embed_question("dimension"))
        with closing(Server(address_of(settings.store.uri, {}))) as server:
            build.run(MilvusWriter(server, build.embedder.digest, build.embedder.name, dimension, rebuild=False))
    return time.perf_counter() - begun


def measure(folder: Path, store: str, count: int) -> dict[str, Any]:
    """Milliseconds of each search, memory, and the disk that the index takes."""
    settings = settings_of(folder, store)
    embedder = open_embedder(settings)
    questions = [case.question for case in load_cases(folder / "gold.jsonl", None)][:count]
    before = memory()
    begun = time.perf_counter()
    opened = open_store(settings)
    figures: dict[str, Any] = {"passages": opened.passage_count, "opened_s": round(time.perf_counter() - begun, 2)}
    wanted = settings.search.candidates
    retriever = Retriever(
        embedder, candidates=wanted, top_k=settings.search.top_k, per_source=settings.search.per_source
    )

    def nearest(question: str) -> None:
        vector = embedder.embed_question(question)
        clock.append(time.perf_counter())
        snapshot.nearest_to(vector, wanted)

    def words(question: str) -> None:
        clock.append(time.perf_counter())
        snapshot.holding_words(search_words(question), wanted)

    def retrieve(question: str) -> None:
        clock.append(time.perf_counter())
        retriever.retrieve(question, snapshot)

    with opened.snapshot() as snapshot:
        timed: Callable[[str], None]
        for timed in (nearest, words, retrieve):
            clock: list[float] = []
            laps = []
            before_them = questions[: min(WARM_UP, 1 + len(questions) // 10)]
            try:
                for question in [*before_them, *questions]:
                    timed(question)
                    laps.append(1000 * (time.perf_counter() - clock[-1]))
            except WhosaysError as error:
                figures["stopped"] = f"{timed.__name__} after {time.perf_counter() - clock[-1]:.0f} s: {error}"
                break
            figures[f"{timed.__name__}_first_ms"] = round(laps[0], 1)
            for p in (50, 95):
                figures[f"{timed.__name__}_p{p}_ms"] = round(float(np.percentile(laps[len(before_them) :], p)), 1)
    figures["store_mb"] = memory()["resident_mb"] - before["resident_mb"]
    place = Path(settings.index) if store == "local" else folder / "index.db"
    files = [place] if place.is_file() else [path for path in place.rglob("*") if path.is_file()]
    figures["disk_mb"] = round(sum(path.stat().st_size for path in files) / 1e6, 1)
    return figures


def in_its_own_process(folder: Path, part: str, *plan: str) -> str:
    """What a part prints; a file of Milvus is held by a process until it ends."""
    command = [sys.executable, "-m", "tests.benchmarks.stores", str(folder), "--part", part, *plan]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT).stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--passages", default="10000,100000")
    parser.add_argument("--stores", default="local,lite")
    parser.add_argument("--real", type=int, default=5_000, help="passages with vectors of the real model")
    parser.add_argument("--questions", type=int, default=100, help="asked at most")
    parser.add_argument(
        "--patience", type=float, default=10 * milvus_server.SECONDS, help="seconds for a file's request"
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--part", choices=("fill", "measure"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.questions < 1:
        parser.error(f"--questions is {options.questions}: ask at least 1.")
    milvus_server.SECONDS = options.patience / 10
    if options.part == "fill":
        print(fill(options.folder, options.stores, int(options.passages), options.real))
        return
    if options.part == "measure":
        print(json.dumps(measure(options.folder, options.stores, options.questions)))
        return
    rows = []
    for passages in map(int, options.passages.split(",")):
        folder = (options.folder / str(passages)).resolve()
        for store in options.stores.split(","):
            plan = [f"--stores={store}", f"--passages={passages}"]
            plan += [f"--real={options.real}", f"--questions={options.questions}", f"--patience={options.patience}"]
            took = float(in_its_own_process(folder, "fill", *plan))
            say(f"{passages:,} in {store}: filled in {took:.1f} s")
            told = json.loads(in_its_own_process(folder, "measure", *plan))
            rows.append({"store": store, "fill_s": round(took, 1), **told})
            say(json.dumps(rows[-1]))
    if options.json:
        print(json.dumps(rows, indent=2))
        return
    for name in dict.fromkeys(name for row in rows for name in row):
        print(f"{name:18}" + "".join(f"{row.get(name, '')!s:>12}" for row in rows))


if __name__ == "__main__":
    main()
