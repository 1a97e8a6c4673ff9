"""A parser that runs the real one in a process of its own: what it does there harms nobody here."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

from rag.errors import Unparsable
from rag.records import Parsed
from service.parsing import TOO_LITTLE_MEMORY

logger = logging.getLogger(__name__)

OF_CONTENT_TYPES = {
    "text/plain": ".txt",
    "text/markdown": ".md",
    "text/html": ".html",
    "application/pdf": ".pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
}
HOUSE = Path(__file__).resolve().parent.parent
WAITING = 10  # seconds beyond twice the processor time: a process may also sleep


class Sandbox:
    """Reads documents of one format, each in a process with so many seconds and megabytes; remembers the last one."""

    def __init__(self, suffix: str, seconds: int, megabytes: int) -> None:
        self._suffix = suffix
        self._seconds = seconds
        self._megabytes = megabytes
        self._last: tuple[bytes, Parsed] | None = None

    @property
    def suffixes(self) -> tuple[str, ...]:
        """The ending that it reads."""
        return (self._suffix,)

    def parse(self, content: bytes) -> Parsed:
        """Text, title, date and pages of a document; raises Unparsable with the reason where it cannot."""
        if self._last is None or self._last[0] != content:
            self._last = (content, self._parsed(content))
        return self._last[1]

    def _parsed(self, content: bytes) -> Parsed:
        command = [sys.executable, "-B", "-P", "-m", "service.parsing", self._suffix]
        inherited = {name: os.environ[name] for name in ("PATH", "LANG", "VIRTUAL_ENV") if name in os.environ}
        try:
            done = subprocess.run(
                [*command, str(self._seconds), str(self._megabytes)],
                input=content,
                capture_output=True,
                cwd="/",
                # Threads of number libraries would take memory for nothing.
                env={**inherited, "PYTHONPATH": str(HOUSE), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
                timeout=2 * self._seconds + WAITING,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise Unparsable(f"reading it takes longer than {2 * self._seconds + WAITING} seconds") from None
        if done.returncode:
            raise Unparsable(self._reason(done.returncode, done.stderr))
        told = json.loads(done.stdout)
        if "reason" in told:
            raise Unparsable(told["reason"])
        return Parsed(**told["parsed"] | {"pages": tuple(told["parsed"]["pages"])})

    def _reason(self, code: int, said: bytes) -> str:
        last = said.decode("utf-8", "replace").strip().rpartition("\n")[2]
        if code in (-signal.SIGXCPU, -signal.SIGKILL):
            return f"reading it takes more than {self._seconds} seconds of processor time"
        if code == TOO_LITTLE_MEMORY or "MemoryError" in last or "bad_alloc" in last:
            return f"reading it takes more than {self._megabytes} MB of memory"
        logger.warning("Reading an uploaded %s document failed with status %d: %s", self._suffix, code, last)
        return "its parser failed on it"


def suffix_of(name: str, content_type: str) -> str | None:
    """The ending of the format that a document is read as: its name's, else the one of its content type."""
    ending = Path(name).suffix.lower()
    if ending in known_suffixes():
        return ending
    return OF_CONTENT_TYPES.get(content_type.partition(";")[0].strip().lower())


def known_suffixes() -> frozenset[str]:
    """The endings of all formats that are read."""
    from rag.wiring import parsers

    return frozenset(parsers())
