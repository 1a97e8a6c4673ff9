"""Clients that go away in the middle of a streamed answer: places and memory afterwards, for BENCHMARKS.md.

    python -m tests.benchmarks.service_disconnects [--clients 1000] [--processes 1]

Every client closes its connection after so many bytes, drawn from the seed; some before anything has come. Memory is
compared with what it was after a tenth of the clients.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import socket
import struct
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from tests.benchmarks.service_children import resident_mb, service_over_seeds

QUESTION = "Who founded Scale AI?"
BODY = json.dumps({"question": QUESTION, "stream": True}).encode()
HEAD = "POST /v1/ask HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: "
REQUEST = f"{HEAD}{len(BODY)}\r\n\r\n".encode() + BODY


def leave(url: str, seed: int, number: int) -> bytes:
    """Ask, read a little, and go, with or without taking leave; gives what was read."""
    chance = random.Random(f"{seed} {number}")
    place = urlsplit(url)
    read = b""
    with socket.create_connection((place.hostname or "", place.port or 0), timeout=60) as connection:
        connection.sendall(REQUEST)
        for _ in range(chance.randrange(4)):
            read += connection.recv(chance.randrange(12, 400))
        if chance.random() < 0.5:  # closed with a reset, as by a cable that is pulled
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return read


def leave_all(url: str, seed: int, numbers: range, at_once: int = 8) -> list[bytes]:
    """What each of so many clients read before it went."""
    with ThreadPoolExecutor(at_once) as threads:
        return list(threads.map(lambda number: leave(url, seed, number), numbers))


def under_way(client: httpx.Client) -> float:
    """How many places are taken, by the service's own count."""
    found = re.search(r"^whosays_questions_under_way (\S+)$", client.get("/metrics").text, re.MULTILINE)
    if found is None:
        raise ValueError("/metrics does not count the questions under way.")
    return float(found[1])


def emptied(client: httpx.Client, patience: float = 30) -> bool:
    """Whether all places are free before patience ends."""
    until = time.monotonic() + patience
    while under_way(client):
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def main() -> None:
    """Print what they leave behind."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=1)
    options = parser.parse_args()
    first = options.clients // 10
    with tempfile.TemporaryDirectory() as folder, service_over_seeds(Path(folder), options.processes) as running:
        with running.client() as client:
            read = leave_all(running.url, options.seed, range(first))
            free_first, level = emptied(client), resident_mb(running.child.pid)
            read += leave_all(running.url, options.seed, range(first, options.clients))
            free, end = emptied(client), resident_mb(running.child.pid)
            answered = client.post("/v1/ask", json={"question": QUESTION}).json()
        log = running.log.read_text()
    refused = sum(each[9:12] == b"503" for each in read)
    print(f"{options.clients} clients went, {read.count(b'')} of them before a word; {refused} were refused with 503")
    print(f"all places free: {free_first and free}; answers afterwards: {answered['outcome']}; log: {log or 'empty'}")
    print(f"memory: {level:.0f} MB after {first}, {end:.0f} MB after all: {end / level:.3f}")


if __name__ == "__main__":
    main()
