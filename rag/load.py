"""Files and folders to sources; what is not read is told with its reason."""

from __future__ import annotations

import hashlib
import os
import stat
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rag.errors import BackendMissing, BadInput, Unparsable
from rag.protocols import Parser
from rag.records import Skipped, Source

LONGEST_TITLE = 300


@dataclass(frozen=True, slots=True)
class File:
    """A file to read: its absolute path, and the name that it has in the index."""

    path: Path
    name: str

    @property
    def suffix(self) -> str:
        """The ending of its name in lower case, with the dot; empty where it has none."""
        return Path(self.name).suffix.lower()


@dataclass(frozen=True, slots=True)
class Listing:
    """What the given paths hold: the files to read, ordered by name, and what is not read, ordered by path."""

    files: tuple[File, ...]
    skipped: tuple[Skipped, ...]


# ---- files -----------------------------------------------------------------------------------


def find_files(paths: Sequence[Path], suffixes: Collection[str], leave_out: Collection[Path] = ()) -> Listing:
    """The files of the given files and folders, each once; raises BadInput for a path that is not there.

    Hidden files and folders are left out silently, and so are the folders in `leave_out`, such as the index. Links to
    folders are not followed. A name is the path below the given folder, and where two files would share it, both have
    as many folders in front as tell them apart.
    """
    hidden = {path.resolve() for path in leave_out}
    files: dict[Path, File] = {}
    skipped: dict[Path, str] = {}
    for given in paths:
        root = _existing(given)
        found = _walk(root, hidden, skipped) if root.is_dir() else [root]
        # A file goes before a link to it.
        for path in sorted(found, key=lambda path: (path.is_symlink(), path)):
            file = File(path, root.name if path == root else path.relative_to(root).as_posix())
            if reason := _reason_to_skip(file, suffixes):
                skipped[path] = reason
            else:
                files.setdefault(path.resolve() if path.is_symlink() else path, file)
    listed = sorted(_told_apart(list(files.values())), key=lambda file: file.name)
    return Listing(tuple(listed), tuple(Skipped(_printable(path), skipped[path]) for path in sorted(skipped)))


def _existing(given: Path) -> Path:
    try:
        root = given.resolve(strict=True)
        # A link to a file keeps its own name, in which its format stands.
        return root if root.is_dir() else given.parent.resolve() / given.name
    except (OSError, ValueError, RuntimeError) as error:
        there = isinstance(error, PermissionError)
        message = f"{_printable(given)} {'cannot be read: permission denied' if there else 'does not exist'}."
        raise BadInput(message, hint="Give the path of a file or of a folder that can be read.") from error


def _walk(root: Path, hidden: Collection[Path], skipped: dict[Path, str]) -> Iterator[Path]:
    """The files below a folder, hidden ones aside; what it cannot open goes into `skipped` with the reason."""
    folders = [root]
    while folders:
        folder = folders.pop()
        if folder in hidden:
            continue
        try:
            with os.scandir(folder) as entries:
                listed = [entry for entry in entries if not entry.name.startswith(".")]
        except OSError as error:
            skipped[folder] = _unreadable(error)
            continue
        for entry in listed:
            path = folder / entry.name
            if entry.is_dir(follow_symlinks=False):
                folders.append(path)
            elif entry.is_file(follow_symlinks=False) or path.is_file():
                yield path
            elif path.is_dir():
                skipped[path] = "a link to a folder (name it to read it)"
            else:
                skipped[path] = (
                    "unreadable (a link that leads nowhere)" if entry.is_symlink() else "unreadable (not a file)"
                )


def _reason_to_skip(file: File, suffixes: Collection[str]) -> str | None:
    if file.suffix not in suffixes:
        return f"not a format that is read ({_printable(Path(file.suffix)) if file.suffix else 'no ending'})"
    if _printable(file.path) != str(file.path):
        return "its name is not UTF-8"
    return None


def _printable(path: Path) -> str:
    """The path as text that can be shown and stored: bytes that are not UTF-8 are replaced."""
    return str(path).encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _told_apart(files: list[File]) -> list[File]:
    """The files with folders in front of the names that several of them would share."""
    while True:
        sharing = defaultdict(list)
        for position, file in enumerate(files):
            sharing[file.name].append(position)
        clashes = [position for positions in sharing.values() if len(positions) > 1 for position in positions]
        if not clashes:
            return files
        for position in clashes:
            files[position] = _with_folder(files[position])


def _with_folder(file: File) -> File:
    """The file with one more of its folders in front of its name: `a/notes.txt` -> `reports/a/notes.txt`."""
    depth = file.name.count("/") + 1
    return replace(file, name="/".join(file.path.parts[1:][-depth - 1 :]))


# ---- sources ---------------------------------------------------------------------------------


def read_source(file: File, parsers: Mapping[str, Parser], max_bytes: int) -> Source:
    """The source that a file holds, read by the parser of its ending; raises Unparsable with the reason."""
    parser = parsers.get(file.suffix)
    if parser is None:
        raise Unparsable(f"not a format that is read ({file.suffix or 'no ending'})")
    content = _content(file.path, max_bytes)
    try:
        parsed = parser.parse(content)
    except BackendMissing as missing:
        raise Unparsable(f"{missing.message} ({missing.hint})") from missing
    if not parsed.text.strip():
        raise Unparsable("empty")
    if "\x00" in parsed.text:
        raise Unparsable("binary file")
    title = " ".join("".join(c if c.isprintable() else " " for c in parsed.title or "").split())[:LONGEST_TITLE]
    digest = hashlib.sha256(content).hexdigest()
    return Source(file.name, str(file.path), parsed.text, digest, title or None, parsed.published, parsed.pages)


def file_digest(file: File, max_bytes: int) -> str:
    """The digest that `read_source` gives a file's source, without parsing it; raises Unparsable likewise."""
    return hashlib.sha256(_content(file.path, max_bytes)).hexdigest()


def _content(path: Path, max_bytes: int) -> bytes:
    try:
        status = path.stat()
        # Opening a pipe would wait for somebody to write into it.
        if not stat.S_ISREG(status.st_mode):
            raise Unparsable("unreadable (a folder)" if stat.S_ISDIR(status.st_mode) else "unreadable (not a file)")
        if status.st_size > max_bytes:
            raise Unparsable(_too_large(status.st_size, max_bytes))
        with path.open("rb") as stream:
            content = stream.read(max_bytes + 1)
    except OSError as error:
        raise Unparsable(_unreadable(error)) from error
    if len(content) > max_bytes:
        raise Unparsable(_too_large(len(content), max_bytes))
    if not content:
        raise Unparsable("empty")
    return content


def _too_large(size: int, max_bytes: int) -> str:
    return f"too large ({size / 1e6:.3g} MB, the limit is {max_bytes / 1e6:.3g} MB)"


def _unreadable(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "unreadable (it has vanished)"
    if isinstance(error, PermissionError):
        return "unreadable (permission denied)"
    return f"unreadable ({(error.strerror or type(error).__name__).lower()})"
