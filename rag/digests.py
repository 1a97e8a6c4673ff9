"""Whether files are still what was written: against damage, not against malice."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import xxhash

SEAL = "seal"


def file_digest(path: Path) -> str:
    """The XXH3 of a file, in hexadecimal: many times as fast as SHA-256 or CRC-32, so that it can always be asked."""
    digest = xxhash.xxh3_128()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def sealed(record: Mapping[str, Any], folder: Path) -> str:
    """A record as JSON, with the digests of all files that lie in the folder and its own."""
    files = {path.name: file_digest(path) for path in sorted(folder.iterdir())}
    whole = {**record, "files": files}
    return json.dumps({**whole, SEAL: _own(whole)}, indent=2)


def is_whole(card: Path) -> bool:
    """Whether a file that `sealed` gave, and every file that it names, is what was written."""
    try:
        record = json.loads(card.read_text("utf-8"))
        return record.pop(SEAL) == _own(record) and all(
            file_digest(card.parent / name) == digest for name, digest in record["files"].items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def text_digest(text: str) -> str:
    """The XXH3 of a text."""
    return xxhash.xxh3_128_hexdigest(text.encode("utf-8"))


def _own(record: Mapping[str, Any]) -> str:
    return text_digest(json.dumps(record, sort_keys=True))
