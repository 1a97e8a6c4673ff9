"""Whether a command can run in the memory that it may use, told before it begins.

Where a limit (`ulimit -v`) leaves too little, the libraries that run the models do not say so: they end the program
without a word, or wait for ever. So the limit is compared with what was measured that a command needs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from rag.errors import MemoryTooSmall


@dataclass(frozen=True, slots=True)
class Need:
    """Megabytes of address space: some in any case, and some for the threads of each processor."""

    base: int
    each: int

    def on(self, processors: int) -> int:
        """The need with so many processors."""
        return self.base + self.each * processors


# Measured as the peak of address space with one and two processors (tests/benchmarks/endurance.py), and rounded up.
ASKING = Need(750, 400)
NEEDS = {"index": Need(450, 280), "sources": Need(250, 0), "show": Need(250, 0), "keys": Need(100, 0)}


@contextmanager
def enough_for(arguments: Sequence[str]) -> Iterator[None]:
    """Run a command line's command in here; raises MemoryTooSmall where memory is too little, before or meanwhile."""
    command = next((argument for argument in arguments if not argument.startswith("-")), "")
    if command and not {"-h", "--help"} & set(arguments):
        _check(command, limit())
    try:
        yield
    except MemoryError as error:
        raise MemoryTooSmall(
            "There is not enough memory to go on.",
            hint="Close other programs, or let this one use more (ulimit -v, or the container's limit).",
        ) from error


def limit() -> int | None:
    """The megabytes of address space that this process may use; None where they are not limited."""
    with suppress(ModuleNotFoundError):  # on systems without such limits
        from resource import RLIM_INFINITY, RLIMIT_AS, getrlimit

        most = getrlimit(RLIMIT_AS)[0]
        return None if most == RLIM_INFINITY else most // 1_000_000
    return None


def _check(command: str, most: int | None) -> None:
    if most is None:
        return
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    needed = NEEDS.get(command, ASKING).on(processors)
    if most < needed:
        raise MemoryTooSmall(
            f"This process may use {most:,} MB of memory, but `whosays {command}` needs about {needed:,} MB.",
            hint=f"Let it use more: ulimit -v {needed * 1_000_000 // 1024 + 1}",
        )
