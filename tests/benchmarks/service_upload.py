"""A document is uploaded while eight clients ask: failed and mixed answers, and how soon the new source is cited.

python -m tests.benchmarks.service_upload [--uploads 5] [--processes 1]
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

from service.keys import KeyFile
from tests.benchmarks.service_children import service_over_seeds
from tests.test_service import Process, timeless

CLIENTS = 8


def asking(url: str, question: str, stop: threading.Event) -> list[tuple[float, int, dict[str, Any]]]:
    """When each answer came, its status and its record, until told to stop."""
    told = []
    with httpx.Client(base_url=url, timeout=60) as client:
        while not stop.is_set():
            response = client.post("/v1/ask", json={"question": question})
            told.append((time.monotonic(), response.status_code, timeless(response.json())))
    return told


def upload(running: Process, client: httpx.Client, number: int) -> None:
    """Upload one document while others ask for what it says, and print what they were told."""
    name, question = f"station {number}.txt", f"Who founded the Quillfeather Station {number}?"
    content = f"Marta Quist founded the Quillfeather Station {number} in 19{number + 31}.\n".encode()
    stop = threading.Event()
    with ThreadPoolExecutor(CLIENTS) as threads:
        askers = [threads.submit(asking, running.url, question, stop) for _ in range(CLIENTS)]
        before = timeless(client.post("/v1/ask", json={"question": question}).json())
        begun = time.monotonic()
        job = client.put(f"/v1/sources/{name}", content=content).json()
        while job["status"] in ("queued", "running"):
            time.sleep(0.02)
            job = client.get(f"/v1/jobs/{job['id']}").json()
        ended = time.monotonic()
        after = timeless(client.post("/v1/ask", json={"question": question}).json())
        cited = time.monotonic()
        stop.set()
        told = [each for asker in askers for each in asker.result()]
    failed = sum(status != 200 for _, status, _ in told)
    mixed = sum(record not in (before, after) for _, _, record in told)
    sources = [citation["source"] for citation in after["citations"]]
    print(
        f"{job['status']} after {ended - begun:.2f} s; cited {sources} {cited - ended:.2f} s later; "
        f"{len(told)} answers meanwhile, {failed} failed, {mixed} mixed"
    )


def main() -> None:
    """Print a line for each upload."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--uploads", type=int, default=5)
    parser.add_argument("--processes", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        key = KeyFile(Path(folder) / "index" / "keys.json").add("admin", "admin")
        with service_over_seeds(Path(folder), options.processes) as running, running.client() as client:
            client.headers["Authorization"] = f"Bearer {key}"
            for number in range(options.uploads):
                upload(running, client, number)


if __name__ == "__main__":
    main()
