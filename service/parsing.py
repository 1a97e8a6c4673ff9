"""Reads one uploaded document in a process of its own, with bounds on time and memory: `python -m service.parsing`.

The document comes on standard input and what was read goes to standard output as JSON: `parsed`, or the `reason` why
not. Whatever a document makes a parser do, it does it here.
"""

from __future__ import annotations

import json
import resource
import sys
from dataclasses import asdict
from typing import Any

MOST_CHARACTERS = 20_000_000
MOST_FILES = 64
TOO_LITTLE_MEMORY = 3
"""The exit status for a document that needs more memory than it may have."""


def main() -> int:
    """Read standard input as the format that the arguments name, within their limits."""
    suffix, seconds, megabytes = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    limit(seconds, megabytes * 1_000_000)
    try:
        json.dump(read(suffix, sys.stdin.buffer.read()), sys.stdout)
        sys.stdout.flush()
    except MemoryError:
        return TOO_LITTLE_MEMORY
    return 0


def limit(seconds: int, size: int) -> None:
    """Bound this process: processor time, memory, no file written, no memory dumped."""
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (MOST_FILES, MOST_FILES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def read(suffix: str, content: bytes) -> dict[str, Any]:
    """What a document holds, or why it cannot be read."""
    from rag.errors import BackendMissing, Unparsable
    from rag.wiring import parsers

    try:
        parsed = parsers()[suffix].parse(content)
    except Unparsable as error:
        return {"reason": error.message}
    except BackendMissing as error:
        return {"reason": f"{error.message} ({error.hint})"}
    if not parsed.text.strip():
        return {"reason": "empty"}
    if "\0" in parsed.text:
        return {"reason": "binary file"}
    if len(parsed.text) > MOST_CHARACTERS:
        return {"reason": f"too much text ({len(parsed.text):,} characters, the limit is {MOST_CHARACTERS:,})"}
    return {"parsed": asdict(parsed)}


if __name__ == "__main__":
    sys.exit(main())
