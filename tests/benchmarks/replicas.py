"""Two services over one Milvus, asked all the while an index run after the other changes every document under them.

    python -m tests.benchmarks.replicas [--editions 8] [--documents 60] [--askers 4] [--json]

The Milvus is Milvus Lite's own server, a process of its own. Every document names its edition in every sentence, so an
answer that mixes two generations shows: in its citations, in the places they give, or as a dispute over what all
documents say alike. Counted are the answers, those that were no 200, and the mixed ones; timed is how long after its
publication either service sees a generation, in seconds.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import httpx

from rag.store.milvus_schema import read_state
from rag.store.milvus_server import Address, Server

ROOT = Path(__file__).resolve().parents[2]
GOODS = ("salt", "tea", "wool", "iron", "silk", "wax", "rum", "tin")
GENERATION = re.compile(r'whosays_index_generation\{generation="([^"]+)"')
FLEET = "What does the whole fleet carry this season?"
STARTED = 120.0  # seconds within which a service has to be there
LOOK = 0.05  # seconds between two looks at what a service sees


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def text_of(number: int, edition: str) -> str:
    return (
        f"The whole fleet carries {edition} this season. Ship {number} sails from port {number * 7 % 31}"
        f" with {edition}. Ship {number} carries {100 + number} tons of {edition}.\n"
    )


@dataclass
class Seen:
    """What the askers and the lookers saw."""

    statuses: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    editions: Counter[str] = field(default_factory=Counter)
    milliseconds: list[float] = field(default_factory=list)
    mixed: list[str] = field(default_factory=list)
    first: dict[tuple[int, str], float] = field(default_factory=dict)
    """(service, generation) to the moment it was first seen, in seconds since 1970."""
    lock: threading.Lock = field(default_factory=threading.Lock)


class Place:
    """A Milvus, documents, and what runs over them."""

    def __init__(self, folder: Path, documents: int) -> None:
        self.folder = folder
        self.documents = documents
        self.uri = f"http://127.0.0.1:{free_port()}"
        self.environment = {**os.environ, "PYTHONPATH": str(ROOT), "WHOSAYS_STORE__URI": self.uri}
        (folder / "documents").mkdir()

    @contextlib.contextmanager
    def running(self, *command: str, ready: str) -> Iterator[None]:
        """A process that is there, seen by an address that answers 200, or takes a connection."""
        log = (self.folder / f"log-{len(list(self.folder.glob('log-*')))}").open("w")
        child = subprocess.Popen([sys.executable, "-m", *command], env=self.environment, stdout=log, stderr=log)
        try:
            end = time.monotonic() + STARTED
            while not _answers(ready):
                if child.poll() is not None or time.monotonic() > end:
                    raise SystemExit(f"{command}: {Path(log.name).read_text()[-2000:]}")
                time.sleep(0.1)
            yield
        finally:
            child.kill()
            child.wait()

    def index(self, edition: str) -> tuple[str, float, float]:
        """Write and index an edition; its generation, when it was published, and how long the run took."""
        for number in range(self.documents):
            (self.folder / "documents" / f"{number:03}.txt").write_text(text_of(number, edition))
        begun = time.perf_counter()
        given = [sys.executable, "-m", "service.cli", "index", str(self.folder / "documents")]
        subprocess.run(given, env=self.environment, check=True, capture_output=True)
        took = time.perf_counter() - begun
        with contextlib.closing(Server(Address(self.uri))) as server:
            state = read_state(server)
        assert state is not None
        return state.generation, state.at, took


def _answers(ready: str) -> bool:
    if ready.startswith("http"):
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(ready).status_code == 200
        return False
    host, port = ready.split(":")
    with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
        return True
    return False


def ask_on(urls: list[str], place: Place, seen: Seen, over: threading.Event, turn: int) -> None:
    """Put questions to the services in turn."""
    with httpx.Client(timeout=60) as client:
        for number in itertools.count(turn):
            if over.is_set():
                return
            question = f"How many tons does ship {number * 13 % place.documents} carry?" if number % 2 else FLEET
            begun = time.perf_counter()
            try:
                response = client.post(f"{urls[(number // 2) % len(urls)]}/v1/ask", json={"question": question})
            except httpx.HTTPError as error:
                with seen.lock:
                    seen.statuses[type(error).__name__] += 1
                continue
            took = 1000 * (time.perf_counter() - begun)
            with seen.lock:
                seen.statuses[str(response.status_code)] += 1
                if response.status_code == 200:
                    seen.milliseconds.append(took)
                    _check(response.json(), seen)


def _check(answer: dict[str, Any], seen: Seen) -> None:
    seen.outcomes[answer["outcome"]] += 1
    words = {word for citation in answer["citations"] for word in re.findall(r"\w+", citation["quote"])}
    editions = words.intersection(GOODS)
    for edition in editions:
        seen.editions[edition] += 1
    exact = all(
        text_of(int(c["source"].rsplit("/", 1)[-1][:3]), edition)[c["start"] : c["end"]] == c["quote"]
        for edition in editions
        for c in answer["citations"]
    )
    at_odds = answer["question"] == FLEET and answer["outcome"] == "disputed"
    if len(editions) > 1 or at_odds or not exact:
        seen.mixed.append(json.dumps(answer))


def look_at(number: int, url: str, seen: Seen, over: threading.Event) -> None:
    """Note when a service first names a generation."""
    with httpx.Client(timeout=60) as client:
        while not over.wait(LOOK):
            with contextlib.suppress(httpx.HTTPError):
                if found := GENERATION.search(client.get(f"{url}/metrics").text):
                    seen.first.setdefault((number, found[1]), time.time())


def measure(editions: int, documents: int, askers: int) -> dict[str, Any]:
    """Editions indexed one after the other while the services are asked."""
    seen, over = Seen(), threading.Event()
    runs = []
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        place = Place(Path(folder), documents)
        port = place.uri.rsplit(":", 1)[1]
        lite = ("milvus_lite", "server", "--data-dir", f"{folder}/milvus", "--host", "127.0.0.1", "--port", port)
        stack.enter_context(place.running(*lite, ready=f"127.0.0.1:{port}"))
        place.index(GOODS[0])
        urls = [f"http://127.0.0.1:{free_port()}" for _ in range(2)]
        for url in urls:
            serve = ("service.cli", "serve", "--port", url.rsplit(":", 1)[1])
            stack.enter_context(place.running(*serve, ready=f"{url}/readyz"))
        threads = [threading.Thread(target=ask_on, args=(urls, place, seen, over, turn)) for turn in range(askers)]
        threads += [threading.Thread(target=look_at, args=(n, url, seen, over)) for n, url in enumerate(urls)]
        for thread in threads:
            thread.start()
        try:
            for number in range(1, editions + 1):
                runs.append(place.index(GOODS[number % len(GOODS)]))
                print(f"edition {number}: {runs[-1][2]:.1f} s", file=sys.stderr, flush=True)
                time.sleep(5)
        finally:
            over.set()
            for thread in threads:
                thread.join()
    delays = [round(seen.first[n, generation] - at, 2) for generation, at, _ in runs for n in range(len(urls))]
    return {
        "runs": len(runs),
        "run_s": round(median(took for *_, took in runs), 1),
        "statuses": dict(seen.statuses),
        "outcomes": dict(seen.outcomes),
        "editions_cited": dict(seen.editions),
        "mixed": len(seen.mixed),
        "mixed_first": seen.mixed[:1],
        "answer_p50_ms": round(median(seen.milliseconds)),
        "seen_after_s": {"median": round(median(delays), 2), "most": max(delays)},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--editions", type=int, default=8)
    parser.add_argument("--documents", type=int, default=60)
    parser.add_argument("--askers", type=int, default=4)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measure(options.editions, options.documents, options.askers)
    print(json.dumps(found, indent=2) if options.json else "\n".join(f"{key}: {value}" for key, value in found.items()))
    if found["mixed"] or set(found["statuses"]) != {"200"}:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
