"""Reading the published files, as they are or packed with gzip; a fault in them is one message, never a traceback."""

from __future__ import annotations

import contextlib
import gzip
import json
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from rag.errors import BadInput

T = TypeVar("T")


def find(data: Path, name: str) -> Path:
    """The file of this name below the data's folder, or the same with `.gz`; raises BadInput.

    The data's folder may be that of all benchmarks, or the one in which the file itself lies.
    """
    if not data.is_dir():
        raise BadInput(f"There is no folder {data}.", hint="--data takes the folder that holds the benchmarks' files.")
    alone = Path(name).name
    for path in (data / f"{name}.gz", data / name, data / f"{alone}.gz", data / alone):
        if path.is_file():
            return path
    raise BadInput(
        f"{data / name} is not there, nor the same with .gz.", hint="BENCHMARKS.md says where to get each file."
    )


def load_json(path: Path) -> Any:
    """The one value that a JSON file holds."""
    with _translated(path):
        return json.loads(_text(path))


def load_lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSON Lines file, in its order; blank lines are passed over."""
    with _translated(path):
        rows = [json.loads(line) for line in _text(path).split("\n") if line.strip()]
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise BadInput(f"{path} does not hold one JSON object a line.", hint="Get the file again.")
    return rows


@contextlib.contextmanager
def shaped(path: Path) -> Iterator[None]:
    """Turn a missing or odd field, met while a file's rows are read, into BadInput."""
    try:
        yield
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
        raise BadInput(
            f"{path} has not the fields that this suite reads ({type(error).__name__}: {error}).",
            hint="BENCHMARKS.md says where to get the file.",
        ) from error


def evenly(items: Sequence[T], most: int | None) -> list[T]:
    """At most so many items, evenly spaced, in their order; all of them for None."""
    if most is None or most >= len(items):
        return list(items)
    return [items[place * len(items) // most] for place in range(most)]


def _text(path: Path) -> str:
    content = path.read_bytes()
    return (gzip.decompress(content) if path.suffix == ".gz" else content).decode("utf-8")


@contextlib.contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise BadInput(f"{path} cannot be read: {error}.", hint="Get the file again.") from error
