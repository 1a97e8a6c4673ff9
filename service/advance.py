"""How far an indexing run is, for people."""

from __future__ import annotations

from datetime import timedelta
from time import monotonic
from typing import TextIO

from rich.progress import BarColumn, SpinnerColumn, TextColumn
from rich.progress import Progress as Bar

from rag.records import Progress
from service.render import Terminal, counted, one_line


class Advance:
    """Tells how far an indexing run is: a bar on a terminal, else a line for each source and later now and then."""

    FIRST_LINES = 20
    SECONDS = 5.0

    def __init__(self, stream: TextIO) -> None:
        self._committed = 0
        self._terminal = Terminal(stream)
        self._bar = _bar(self._terminal) if self._terminal.is_terminal and not self._terminal.is_dumb_terminal else None
        self._task = self._bar.add_task("Loading the embedding model", total=None, told="") if self._bar else None
        self._started = self._told = monotonic()

    def __enter__(self) -> Advance:
        if self._bar:
            self._bar.start()
        return self

    def begin(self) -> None:
        """Start the clock: the model is there and the run begins."""
        self._started = self._told = monotonic()
        if self._bar and self._task is not None:
            self._bar.update(self._task, description="Reading")

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()

    def __call__(self, progress: Progress) -> None:
        """Take note of what `Indexer.run` reports."""
        self._committed += progress.source is not None
        now = monotonic()
        elapsed = max(now - self._started, 0.001)
        rate = f"{progress.passages / elapsed:,.0f}/s"
        if self._bar and self._task is not None:
            # Sources are committed in bursts, from which rich would guess far too short a time.
            left = timedelta(seconds=round(elapsed * (progress.of / progress.files - 1))) if progress.files else "?"
            done = f"{progress.files:,}/{counted(progress.of, 'file')}  {counted(progress.passages, 'passage')}"
            told = f"{done}  {rate}  {left} left"
            self._bar.update(self._task, description="Indexing", completed=progress.files, total=progress.of, told=told)
        elif progress.source and (self._committed <= self.FIRST_LINES or now - self._told >= self.SECONDS):
            self._told = now
            done = f"{progress.files:,} of {counted(progress.of, 'file')}, {counted(progress.passages, 'passage')}"
            self._terminal.print(f"indexed {one_line(progress.source)} ({done}, {rate})", soft_wrap=True)


def _bar(terminal: Terminal) -> Bar:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(16), TextColumn("{task.fields[told]}"))
    return Bar(*columns, console=terminal, transient=True)
