"""The SQLite file: its tables, how it is opened, and what its errors mean in our words."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from rag.errors import IndexDamaged, IndexLocked, IndexMissing, IndexUnwritable, WhosaysError

FILE = "index.sqlite"
VERSION = "1"
BUSY_SECONDS = 5.0

# Identifiers of passages are never reused (AUTOINCREMENT): a cached vector index stays right for every passage it
# holds, whatever is removed or added later.
TABLES = """
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
    head, text, content='passages', content_rowid='id', tokenize='porter unicode61 remove_diacritics 2'
);
CREATE TRIGGER passages_added AFTER INSERT ON passages BEGIN
    INSERT INTO words(rowid, head, text) VALUES (new.id, new.head, new.text);
END;
CREATE TRIGGER passages_removed AFTER DELETE ON passages BEGIN
    INSERT INTO words(words, rowid, head, text) VALUES ('delete', old.id, old.head, old.text);
    DELETE FROM vectors WHERE passage_id = old.id;
END;
"""


def open_for_reading(folder: Path) -> sqlite3.Connection:
    """A connection that never writes; raises IndexMissing or IndexDamaged."""
    path = folder / FILE
    with translated(folder):
        if not path.is_file():
            raise IndexMissing(f"There is no index in {folder}.", hint=f"Make one: whosays index PATH --index {folder}")
    # A write-ahead log cannot be opened in a folder that takes no files; what nobody can write is read as it stands.
    frozen = not os.access(folder, os.W_OK) and not path.with_name(f"{FILE}-wal").exists()
    with translated(folder):
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if frozen else ''}",
            uri=True,
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
        check_version(connection, folder)
    return connection


def open_for_writing(folder: Path) -> sqlite3.Connection:
    """A connection to the index, which is made where there is none."""
    with translated(folder):
        folder.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(folder / FILE, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        if not connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
            born = "INSERT INTO meta VALUES ('lineage', hex(randomblob(16)));"
            connection.executescript(f"BEGIN;{TABLES}{born}INSERT INTO meta VALUES ('version', '{VERSION}');COMMIT;")
        check_version(connection, folder)
    return connection


def check_version(connection: sqlite3.Connection, folder: Path) -> None:
    """Raise IndexDamaged unless the file is an index of this version."""
    hint = f"Remove the folder and index again: whosays index PATH --index {folder} --rebuild"
    try:
        row = connection.execute("SELECT value FROM meta WHERE name = 'version'").fetchone()
    except sqlite3.OperationalError as error:
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
    except sqlite3.Error as error:
        raise _ours(error, folder) from error
    except OSError as error:
        raise IndexUnwritable(
            f"The index in {folder} cannot be used: {error.strerror or error}.",
            hint="Check the folder's permissions and the disk, or name another folder with --index.",
        ) from error


def _ours(error: sqlite3.Error, folder: Path) -> WhosaysError:
    name = getattr(error, "sqlite_errorname", "") or ""
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return IndexLocked(f"The index in {folder} is locked by another program.", hint="Wait until it is done.")
    if name.startswith("SQLITE_FULL"):
        return IndexUnwritable(
            f"The disk is full: {folder} cannot be written.", hint="Free some space and index again."
        )
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_IOERR")):
        return IndexUnwritable(
            f"The index in {folder} cannot be used: {error}.",
            hint="Check the folder's permissions and the disk, or name another folder with --index.",
        )
    return IndexDamaged(
        f"The index in {folder} is damaged: {error}.",
        hint=f"Build it anew from the documents: whosays index PATH --index {folder} --rebuild",
    )
