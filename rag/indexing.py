"""The index path: files to sources, to passages, to vectors, to the store."""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from rag.errors import Unparsable
from rag.load import File, file_digest, find_files, read_source
from rag.protocols import Embedder, Parser
from rag.records import IndexReport, Passage, Progress, Skipped, Source
from rag.split import passages

if TYPE_CHECKING:
    from rag.protocols import Vectors

GROUP = 256  # passages sorted by length together: measured, 2 % of what is embedded is padding, with 64 it is 5 %
PART = 32  # passages embedded at a time: Ctrl-C waits for no more
AT_ONCE = 2  # parts being embedded: the next is under way while one ends
AHEAD = 1  # groups that are read while another is being embedded: what is held in memory is two groups and one source


class Known(Protocol):
    """What the store knows of an indexed file."""

    @property
    def name(self) -> str:
        """The source's name."""

    @property
    def digest(self) -> str:
        """The SHA-256 of the file's bytes."""

    @property
    def recipe(self) -> str:
        """How it was cut."""


class WritableStore(Protocol):
    """The writer's side of a store."""

    def begin(self) -> None:
        """Open the store to be written."""

    def known(self) -> Mapping[str, Known]:
        """Every indexed file by its path."""

    def vectors_of(self, digests: Sequence[bytes]) -> dict[bytes, bytes]:
        """The vectors of texts that were embedded before."""

    def put(
        self,
        source: Source,
        recipe: str,
        passages: Sequence[Passage],
        digests: Sequence[bytes],
        vectors: Sequence[bytes],
    ) -> None:
        """Add or replace a source in one transaction."""

    def remove(self, name: str) -> None:
        """Remove a source in one transaction."""

    def finish(self) -> None:
        """Bring what is derived from the store up to date."""

    def close(self) -> None:
        """Let go of the store."""


_Part = Future[dict[bytes, bytes]]


@dataclass
class _Run:
    """What one run has done so far."""

    of: int
    report: dict[str, list[str]] = field(
        default_factory=lambda: {"added": [], "changed": [], "unchanged": [], "removed": []}
    )
    skipped: list[Skipped] = field(default_factory=list)
    passages: int = 0
    embedded: int = 0

    @property
    def files(self) -> int:
        return len(self.skipped) + sum(len(self.report[kind]) for kind in ("added", "changed", "unchanged"))


@dataclass(frozen=True, slots=True)
class _Cut:
    """A source ready to be embedded."""

    source: Source
    passages: list[Passage]
    digests: list[bytes]
    new: bool


@dataclass(frozen=True, slots=True)
class _Group:
    """Sources whose passages are embedded together: vectors by digest that are there, and parts that will give more.

    `shared` are parts of an earlier group that is not stored yet.
    """

    cuts: Sequence[_Cut]
    vectors: dict[bytes, bytes]
    parts: dict[bytes, _Part] = field(default_factory=dict)
    shared: dict[bytes, _Part] = field(default_factory=dict)

    @property
    def done(self) -> bool:
        """Whether storing it waits for nothing."""
        return all(part.done() for part in {*self.parts.values(), *self.shared.values()})


class Indexer:
    """Brings the index in line with files and folders; what did not change is left alone."""

    def __init__(
        self,
        store: WritableStore,
        embedder: Embedder,
        parsers: Mapping[str, Parser],
        to_rows: Callable[[Vectors], list[bytes]],
        *,
        tokens: int,
        overlap: int,
        max_file_mb: int,
        leave_out: Sequence[Path] = (),
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._parsers = parsers
        self._to_rows = to_rows
        self._tokens = tokens
        self._overlap = overlap
        self._leave_out = leave_out
        self._max_bytes = max_file_mb * 1_000_000
        # A source is read again when its bytes or the way it is cut have changed.
        self._recipe = f"1:{tokens}:{overlap}"

    def run(self, paths: Sequence[Path], on_progress: Callable[[Progress], None]) -> IndexReport:
        """Index files and folders, and forget indexed files that have vanished from them.

        `on_progress` is called after each committed source, and now and then while files are left alone. A source
        that was reported is in the index, whatever happens later.
        """
        begun = time.monotonic()
        listing = find_files(paths, self._parsers.keys(), self._leave_out)
        self._store.begin()
        known = self._store.known()
        run = _Run(of=len(listing.files), skipped=list(listing.skipped))
        run.of += len(listing.skipped)
        on_progress(Progress(0, run.of, 0))
        self._embed_and_put(self._changed(listing.files, known, run, on_progress), run, on_progress)
        gone = _vanished(known, {str(file.path) for file in listing.files}, paths, self._leave_out)
        for name in gone:
            self._store.remove(name)
        run.report["removed"] = gone
        self._store.finish()
        lists = {kind: tuple(names) for kind, names in run.report.items()}
        seconds = round(time.monotonic() - begun, 3)
        return IndexReport(
            **lists, skipped=tuple(run.skipped), passages=run.passages, embedded=run.embedded, seconds=seconds
        )

    def close(self) -> None:
        """Let go of the index."""
        self._store.close()

    def _changed(
        self, files: Iterable[File], known: Mapping[str, Known], run: _Run, on_progress: Callable[[Progress], None]
    ) -> Iterator[_Cut]:
        """The sources that are new or changed, read and cut; the others are only counted."""
        names = {entry.name: path for path, entry in known.items()}
        for file in files:
            path = str(file.path)
            before = known.get(path)
            name = before.name if before else _free_name(file, names)
            names[name] = path
            file = replace(file, name=name)
            try:
                if before and before.recipe == self._recipe and before.digest == file_digest(file, self._max_bytes):
                    run.report["unchanged"].append(name)
                    if len(run.report["unchanged"]) % 100 == 0:
                        on_progress(Progress(run.files, run.of, run.passages))
                    continue
                source = read_source(file, self._parsers, self._max_bytes)
            except Unparsable as error:
                run.skipped.append(Skipped(path, error.message))
                if before:  # what was indexed of it is no longer what the file says
                    self._store.remove(name)
                continue
            yield self._cut(source, new=before is None)

    def _cut(self, source: Source, *, new: bool) -> _Cut:
        cut = passages(source, self._tokens, self._overlap, self._embedder.count_tokens)
        digests = [hashlib.sha256(embedded_text(source, passage).encode("utf-8")).digest() for passage in cut]
        return _Cut(source, cut, digests, new)

    def _embed_and_put(self, cuts: Iterable[_Cut], run: _Run, on_progress: Callable[[Progress], None]) -> None:
        """Embed sources group by group in threads, and store them in their order while the next are read and embedded.

        Reading and storing stay in the caller's thread: it is where errors, Ctrl-C and progress belong, and in Python
        two threads of them would only take turns.
        """
        begun: deque[_Group] = deque()
        group: list[_Cut] = []
        threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="embedding")
        try:
            for cut in cuts:
                group.append(cut)
                if sum(len(other.passages) for other in group) >= GROUP:
                    begun.append(self._begin(group, begun, threads))
                    group = []
                while len(begun) > AHEAD or (begun and begun[0].done):
                    self._put(begun.popleft(), run, on_progress)
            if group:
                begun.append(self._begin(group, begun, threads))
            while begun:
                self._put(begun.popleft(), run, on_progress)
        finally:
            threads.shutdown(cancel_futures=True)

    def _begin(self, cuts: list[_Cut], before: Iterable[_Group], threads: ThreadPoolExecutor) -> _Group:
        """A group whose new texts are being embedded, those that the groups before it embed aside."""
        texts = {
            digest: embedded_text(cut.source, passage)
            for cut in cuts
            for passage, digest in zip(cut.passages, cut.digests, strict=True)
        }
        group = _Group(cuts, self._store.vectors_of(list(texts)))
        for other in before:
            group.shared.update({digest: part for digest, part in other.parts.items() if digest in texts})
        new = [digest for digest in texts if digest not in group.vectors and digest not in group.shared]
        new.sort(key=lambda digest: -len(texts[digest]))
        for start in range(0, len(new), PART):
            digests = new[start : start + PART]
            part = threads.submit(self._embedded, digests, [texts[digest] for digest in digests])
            group.parts.update(dict.fromkeys(digests, part))
        return group

    def _embedded(self, digests: Sequence[bytes], texts: Sequence[str]) -> dict[bytes, bytes]:
        return dict(zip(digests, self._to_rows(self._embedder.embed(texts)), strict=True))

    def _put(self, group: _Group, run: _Run, on_progress: Callable[[Progress], None]) -> None:
        """Store the sources of a group once all of it is embedded."""
        for digest, part in (group.shared | group.parts).items():
            group.vectors[digest] = part.result()[digest]
        run.embedded += len(group.parts)
        for cut in group.cuts:
            vectors = [group.vectors[digest] for digest in cut.digests]
            self._store.put(cut.source, self._recipe, cut.passages, cut.digests, vectors)
            run.report["added" if cut.new else "changed"].append(cut.source.name)
            run.passages += len(cut.passages)
            on_progress(Progress(run.files, run.of, run.passages, cut.source.name))


def embedded_text(source: Source, passage: Passage) -> str:
    """What the embedding model reads of a passage: title and heading in front of its words."""
    return "\n".join(filter(None, (source.title, passage.heading, passage.text)))


def _vanished(
    known: Mapping[str, Known], found: set[str], paths: Sequence[Path], leave_out: Sequence[Path]
) -> list[str]:
    """The indexed sources that lay in the given folders and lie there no more, by name.

    What lies in a folder that was left out was not looked for and has not vanished, unless that folder, or one in it,
    is the one given.
    """
    missing = {Path(path): entry.name for path, entry in known.items() if path not in found}
    gone: set[str] = set()
    for root in (path.resolve() for path in paths):
        spared = [
            folder for folder in (path.resolve() for path in leave_out) if _within(folder, root) and folder != root
        ]
        gone |= {
            name
            for path, name in missing.items()
            if _within(path, root) and not any(_within(path, folder) for folder in spared)
        }
    return sorted(gone)


def _within(path: Path, folder: Path) -> bool:
    return folder == path or folder in path.parents


def _free_name(file: File, names: Mapping[str, str]) -> str:
    """The file's name, with folders in front where another indexed file already has it."""
    name: str = file.name
    folders = list(file.path.parts[1 : -len(Path(file.name).parts)])
    while name in names and folders:
        name = f"{folders.pop()}/{name}"
    return name
