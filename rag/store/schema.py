"""The SQLite file: its tables, how it is opened, and what its errors mean in our words.

Every page ends with a checksum, which SQLite's own extension "cksumvfs" writes and compares whenever a page comes from
the disk (https://sqlite.org/cksumvfs.html). What no page can tell, that pages are missing, is asked of the header and
of the log.
"""

from __future__ import annotations

import contextlib
import functools
import os
import time
from collections.abc import Iterator
from pathlib import Path

import apsw

from rag.errors import BackendMissing, IndexDamaged, IndexLocked, IndexMissing, IndexUnwritable, WhosaysError
from rag.store.log import LOG, LogFault, Note, reach, salt_of
from rag.store.words import TOKENIZER

FILE = "index.sqlite"
VERSION = "2"
BUSY_SECONDS = 5.0
FRAMES = 1_000  # of the log, from which on it is copied into the index
RACES = 5  # how often a fault is looked for again before it is believed
PAGE_BYTES = 4096
CHECKSUM_BYTES = 8  # at the end of every page; any other number in the file's header would switch the checksums off
DAMAGE = (apsw.SQLITE_IOERR_DATA, apsw.SQLITE_IOERR_CORRUPTFS, apsw.SQLITE_IOERR_SHORT_READ)

# Identifiers of passages are never reused (AUTOINCREMENT): a cached vector index stays right for every passage it
# holds, whatever is removed or added later.
TABLES = f"""
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE sources (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, path TEXT NOT NULL UNIQUE, digest TEXT NOT NULL,
    recipe TEXT NOT NULL, title TEXT, published TEXT, pages TEXT NOT NULL, text TEXT NOT NULL,
    passages INTEGER NOT NULL, mark BLOB NOT NULL
);
CREATE TABLE passages (
    id INTEGER PRIMARY KEY AUTOINCREMENT, source_id INTEGER NOT NULL REFERENCES sources(id),
    start INTEGER NOT NULL, end INTEGER NOT NULL, heading TEXT, sentences TEXT NOT NULL,
    head TEXT NOT NULL, text TEXT NOT NULL
);
CREATE INDEX passages_of_source ON passages(source_id, start);
CREATE TABLE vectors (passage_id INTEGER PRIMARY KEY, digest BLOB NOT NULL, vector BLOB NOT NULL);
CREATE INDEX vectors_of_text ON vectors(digest);
CREATE VIRTUAL TABLE words USING fts5(
    head, text, content='passages', content_rowid='id', tokenize='{TOKENIZER}'
);
CREATE TRIGGER passages_added AFTER INSERT ON passages BEGIN
    INSERT INTO words(rowid, head, text) VALUES (new.id, new.head, new.text);
END;
CREATE TRIGGER passages_removed AFTER DELETE ON passages BEGIN
    INSERT INTO words(words, rowid, head, text) VALUES ('delete', old.id, old.head, old.text);
    DELETE FROM vectors WHERE passage_id = old.id;
END;
"""


def open_for_reading(folder: Path) -> apsw.Connection:
    """A connection that never writes; raises IndexMissing or IndexDamaged."""
    path = folder / FILE
    with translated(folder):
        # A journal there is only until the first transaction has made the tables; from then on there is a log.
        journal = path.with_name(f"{FILE}-journal")
        if not path.is_file() or (journal.exists() and journal.stat().st_size):
            raise IndexMissing(f"There is no index in {folder}.", hint=f"Make one: whosays index PATH --index {folder}")
    # A write-ahead log cannot be opened in a folder that takes no files; what nobody can write is read as it stands.
    frozen = not os.access(folder, os.W_OK) and not path.with_name(f"{FILE}{LOG}").exists()
    with translated(folder):
        connection = _connected(
            f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if frozen else ''}",
            apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI,
        )
        check_version(connection, folder)
        check_whole(folder)
    return connection


def open_for_writing(folder: Path) -> apsw.Connection:
    """A connection to the index, which is made where there is none."""
    path = folder / FILE
    with translated(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            for left in folder.glob(f"{FILE}-*"):  # of an index that is gone
                left.unlink()
        new = not path.exists() or not path.stat().st_size
        connection = _connected(str(path), apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE)
        if new:
            connection.reserve_bytes(reserve=CHECKSUM_BYTES)
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)  # `close_written` notes it first
        connection.execute("PRAGMA synchronous = NORMAL")
        if not connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
            born = "INSERT INTO meta VALUES ('lineage', hex(randomblob(16)));"
            connection.execute(f"BEGIN;{TABLES}{born}INSERT INTO meta VALUES ('version', '{VERSION}');COMMIT;")
        check_version(connection, folder)
        check_whole(folder)
    return connection


def note_commit(connection: apsw.Connection, folder: Path, frames: int) -> None:
    """Note how many frames the log has after a commit, and copy it into the index now and then, as SQLite would."""
    path = folder / FILE
    Note(salt_of(path), frames, whole=False).write(path)
    if frames >= FRAMES:
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)


def close_written(connection: apsw.Connection, folder: Path) -> None:
    """Copy the log into the index, unless somebody reads an older state of it, and close."""
    path = folder / FILE
    try:
        frames, copied = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        if frames == copied:
            Note(salt_of(path), frames, whole=True).write(path)
            connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0)
    except apsw.BusyError:
        pass  # the log stays, and is read with the index
    finally:
        connection.close()


def _connected(name: str, flags: int) -> apsw.Connection:
    connection = apsw.Connection(name, flags=flags, vfs=_checking())
    connection.set_busy_timeout(round(BUSY_SECONDS * 1000))
    return connection


@functools.cache
def _checking() -> str:
    """The name of the file system layer that compares checksums, once SQLite knows it."""
    from apsw import sqlite_extra

    connection = apsw.Connection(":memory:")
    try:
        sqlite_extra.load(connection, "cksumvfs")
    except (sqlite_extra.NotAvailable, LookupError) as missing:
        raise BackendMissing(
            "This build of apsw has no checksums for SQLite.", hint="pip install --force-reinstall --no-deps apsw"
        ) from missing
    finally:
        connection.close()
    return "cksmvfs"


def check_whole(folder: Path) -> None:
    """Raise IndexDamaged unless the file's header has it checked, and no page of it is missing."""
    for _ in range(RACES):
        if _fault(folder / FILE) is None:
            return
        time.sleep(0.02)  # a writer may have moved it between two looks
    if fault := _fault(folder / FILE):
        raise damaged(folder, fault)


def _fault(path: Path) -> str | None:
    """What is wrong with the file as a whole."""
    log = path.with_name(f"{FILE}{LOG}")
    before = log.stat().st_size if log.exists() else 0
    try:
        added = reach(path)
    except LogFault as fault:
        return str(fault)
    with path.open("rb") as file:
        header = file.read(100)
        size = os.fstat(file.fileno()).st_size
    if len(header) < 100 or header[20] != CHECKSUM_BYTES or int.from_bytes(header[16:18], "big") != PAGE_BYTES:
        return "its header is spoilt"
    if added is not None:
        missing = added.missing(size // PAGE_BYTES)
        return f"{missing} of its pages are missing" if missing else None
    expected = PAGE_BYTES * int.from_bytes(header[28:32], "big")
    # Pages may have been copied from a log before the header was.
    logged = before or (log.exists() and log.stat().st_size)
    return None if size == expected or (logged and size > expected) else f"it has {size} bytes and not {expected}"


def check_version(connection: apsw.Connection, folder: Path) -> None:
    """Raise IndexDamaged unless the file is an index of this version."""
    hint = f"Index again: whosays index PATH --index {folder} --rebuild"
    try:
        row = connection.execute("SELECT value FROM meta WHERE name = 'version'").fetchone()
    except apsw.SQLError as error:
        if "no such table" not in str(error):
            raise
        raise IndexDamaged(f"{folder / FILE} is not an index of Whosays.", hint=hint) from error
    if row is None or row[0] != VERSION:
        written = row[0] if row else "unknown"
        raise IndexDamaged(f"The index in {folder} has format {written}, but this is format {VERSION}.", hint=hint)


@contextlib.contextmanager
def translated(folder: Path) -> Iterator[None]:
    """Turn the errors of SQLite and of the file system into ours."""
    try:
        yield
    except apsw.Error as error:
        raise _ours(error, folder) from error
    except OSError as error:
        raise IndexUnwritable(
            f"The index in {folder} cannot be used: {error.strerror or error}.",
            hint="Check the folder's permissions and the disk, or name another folder with --index.",
        ) from error


def _ours(error: apsw.Error, folder: Path) -> WhosaysError:
    if isinstance(error, (apsw.BusyError, apsw.LockedError)):
        return IndexLocked(f"The index in {folder} is locked by another program.", hint="Wait until it is done.")
    if isinstance(error, apsw.FullError):
        return IndexUnwritable(
            f"The disk is full: {folder} cannot be written.", hint="Free some space and index again."
        )
    if getattr(error, "extendedresult", 0) in DAMAGE:
        return damaged(folder, "a page is not what was written")
    if isinstance(error, (apsw.ReadOnlyError, apsw.CantOpenError, apsw.PermissionsError, apsw.IOError)):
        return IndexUnwritable(
            f"The index in {folder} cannot be used: {error}.",
            hint="Check the folder's permissions and the disk, or name another folder with --index.",
        )
    return damaged(folder, str(error))


def damaged(folder: Path, reason: str) -> IndexDamaged:
    """The error for an index that is not what was written; its hint is the command that mends it."""
    return IndexDamaged(
        f"The index in {folder} is damaged: {reason}.",
        hint=f"Build it anew from the documents: whosays index PATH --index {folder} --rebuild",
    )
