"""The write-ahead log: whether all that was committed to it is still there.

Where a writer was killed the log stays, and SQLite reads it up to the first frame whose checksum is wrong: damage would
pass for an interrupted commit, and the index go back, in whole or in part, to what it was before. So the writer notes
after each commit how far the log reaches, and readers look whether it still does.
"""

from __future__ import annotations

import functools
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rag.digests import text_digest

if TYPE_CHECKING:
    from numpy.typing import NDArray

NOTE = "-note"
LOG = "-wal"
# https://sqlite.org/fileformat2.html#the_write_ahead_log
HEADER, FRAME_HEADER = 32, 24
MAGIC = 0x377F0682  # its last bit is set where the checksums are over big-endian words


@dataclass(frozen=True, slots=True)
class Note:
    """How far the log of this salt reached at the last commit; `whole`: all of it had been copied into the index."""

    salt: int
    frames: int
    whole: bool

    def write(self, index: Path) -> None:
        """Put the note beside the index, whole or not at all."""
        text = json.dumps(asdict(self))
        temporary = index.with_name(f"{index.name}{NOTE}.tmp")
        temporary.write_text(f"{text}\n{text_digest(text)}\n", "ascii")
        temporary.replace(index.with_name(f"{index.name}{NOTE}"))


def noted(index: Path) -> Note | None:
    """The note beside the index, None where there is none; raises ValueError where it is not what was written."""
    try:
        text, digest = index.with_name(f"{index.name}{NOTE}").read_text("ascii").splitlines()
    except FileNotFoundError:
        return None
    if text_digest(text) != digest:
        raise ValueError
    return Note(**json.loads(text))


def salt_of(index: Path) -> int:
    """What tells this log from those before it; 0 where there is none."""
    try:
        with index.with_name(f"{index.name}{LOG}").open("rb") as file:
            return int.from_bytes(file.read(HEADER)[16:20], "big")
    except FileNotFoundError:
        return 0


class LogFault(Exception):
    """What of the log is missing or not what was written."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How many pages the index has by the last commit noted, and the numbers of those that the log holds."""

    pages: int
    logged: NDArray[np.uint32]

    def missing(self, in_file: int) -> int:
        """How many pages are neither among so many in the file nor in the log."""
        beyond = self.logged[(self.logged > in_file) & (self.logged <= self.pages)]
        return max(self.pages - in_file, 0) - len(np.unique(beyond))


def reach(index: Path) -> Reach | None:
    """What the log adds to the index by its note; None where it adds nothing, or nothing is noted.

    Raises LogFault where what was noted is no longer there.
    """
    try:
        note = noted(index)
    except ValueError as error:
        raise LogFault("the note of its last commit is spoilt") from error
    if note is None:
        return None
    gone = LogFault("what was written last is gone from its log")
    try:
        with index.with_name(f"{index.name}{LOG}").open("rb") as file:
            header = file.read(HEADER)
            size = int.from_bytes(header[8:12], "big")
            salt = int.from_bytes(header[16:20], "big")
            if not _is_header(header) or salt != note.salt:  # then SQLite does not read it, or it is another log
                # A log begins again with the next salt, when all of it is in the index.
                begun_again = _is_header(header) and salt == (note.salt + 1) % (1 << 32)
                if note.whole or begun_again:
                    return None
                raise gone
            content = file.read(note.frames * (FRAME_HEADER + size))
    except FileNotFoundError:
        if note.whole:
            return None
        raise gone from None
    if not _are_whole(header, content, note.frames, size):
        raise LogFault("its log is not what was written")
    if not note.frames:
        return None
    heads = np.frombuffer(content, dtype=np.uint8).reshape(note.frames, -1)[:, :8].tobytes()
    numbers = np.frombuffer(heads, dtype=">u4").astype(np.uint32).reshape(-1, 2)
    return Reach(pages=int(numbers[-1, 1]), logged=numbers[:, 0])


def _is_header(header: bytes) -> bool:
    if len(header) < HEADER or int.from_bytes(header[:4], "big") & ~1 != MAGIC:
        return False
    words = _words(header[:24], header)
    return bool(np.array_equal((words * _weights(3)).sum(axis=1, dtype=np.uint32), _stored(header[24:32])[0]))


def _are_whole(header: bytes, content: bytes, count: int, size: int) -> bool:
    """Whether these are that many frames of this log, each with its checksum, which goes on from the one before."""
    step = FRAME_HEADER + size
    if len(content) < count * step:
        return False
    frames = np.frombuffer(content, dtype=np.uint8).reshape(count, step)
    if not np.array_equal(frames[:, 8:16], np.broadcast_to(np.frombuffer(header[16:24], np.uint8), (count, 8))):
        return False
    covered = np.concatenate((frames[:, :8], frames[:, FRAME_HEADER:]), axis=1)
    words = _words(covered.tobytes(), header).reshape(count, -1)
    pairs = words.shape[1] // 2
    sums = words @ _weights(pairs).T
    stored = _stored(frames[:, 16:24].tobytes())
    before = np.concatenate((_stored(header[24:32]), stored[:-1]))
    return bool(np.array_equal(before @ _power(pairs).T + sums, stored))


def _words(content: bytes, header: bytes) -> NDArray[np.uint32]:
    return np.frombuffer(content, dtype=">u4" if header[3] & 1 else "<u4").astype(np.uint32)


def _stored(content: bytes) -> NDArray[np.uint32]:
    return np.frombuffer(content, dtype=">u4").astype(np.uint32).reshape(-1, 2)


# SQLite's checksum takes two words x, y at a time: s += x + t, then t += y + s, modulo 2^32. That is linear: each word
# counts with a weight of its own, and so does the checksum before.
STEP = np.array([[1, 1], [1, 2]], np.uint32)


@functools.cache
def _weights(pairs: int) -> NDArray[np.uint32]:
    """What each word adds to s and to t, one row each."""
    columns = [np.array([[1, 0], [1, 1]], np.uint32)]
    while len(columns) < pairs:
        columns.append(STEP @ columns[-1])
    return np.concatenate(columns[::-1], axis=1)


@functools.cache
def _power(pairs: int) -> NDArray[np.uint32]:
    """What the checksum before adds to that after so many pairs of words."""
    power = np.eye(2, dtype=np.uint32)
    for _ in range(pairs):
        power = STEP @ power
    return power
