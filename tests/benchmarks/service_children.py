"""What the measurements of the service stand on: a service over the example articles, and what it takes of memory."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from rag.settings import EmbeddingSettings, ServiceSettings, Settings
from rag.wiring import open_indexer
from tests.test_service import SEEDS, Process, process


@contextlib.contextmanager
def service_over_seeds(folder: Path, processes: int = 1) -> Iterator[Process]:
    """A service over a fresh index of the example articles, which is ready."""
    cache = os.environ.get("WHOSAYS_EMBEDDING__CACHE", EmbeddingSettings.cache)
    service = ServiceSettings(processes=processes)
    settings = Settings(index=str(folder / "index"), embedding=EmbeddingSettings(cache=cache), service=service)
    with contextlib.closing(open_indexer(settings)) as indexer:
        indexer.run([SEEDS], lambda _: None)
    with process(settings, folder) as running, running.client() as client:
        client.get("/readyz").raise_for_status()
        yield running


def resident_mb(process_id: int) -> float:
    """The resident memory of a process and of those that it started, in megabytes."""
    started = Path(f"/proc/{process_id}/task/{process_id}/children").read_text().split()
    own = re.search(r"^VmRSS:\s+(\d+) kB", Path(f"/proc/{process_id}/status").read_text(), re.MULTILINE)
    return (int(own[1]) / 1024 if own else 0.0) + sum(resident_mb(int(each)) for each in started)
