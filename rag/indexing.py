"""The index path: files to sources, to passages, to vectors, to the store."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from rag.errors import BadInput, Unparsable
from rag.load import File, file_digest, find_files
from rag.prepare import Cut, Prepared, Preparer, parts_by_length
from rag.records import IndexReport, Passage, Progress, Skipped, Source

GROUP = 256  # passages sorted by length together: measured, 2 % of what is embedded is padding, with 64 it is 5 %
AT_ONCE = 2  # parts being embedded: the next is under way while one ends
COMMIT_SECONDS = 0.5  # between two commits of what workers give
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
        """Add or replace a source; it is kept at the latest when `commit` has returned."""

    def remove(self, name: str) -> None:
        """Remove a source; it is gone at the latest when `commit` has returned."""

    def commit(self) -> None:
        """Keep all that was put and removed, whatever happens to this process later; each source wholly or not."""

    @property
    def waiting(self) -> int:
        """How many sources were put, the last ones, that are not kept yet."""

    def finish(self) -> None:
        """Bring what is derived from the store up to date."""

    def close(self) -> None:
        """Let go of the store."""


class Workers(Protocol):
    """Prepares files elsewhere, several at a time."""

    def prepared(self, files: Sequence[File]) -> Iterator[Prepared]:
        """Each file once, in their order where no worker fails."""

    def close(self) -> None:
        """Let go of the workers."""


_Part = Future[dict[bytes, bytes]]


@dataclass
class _Run:
    """What one run has done so far."""

    of: int
    report: dict[str, list[str]] = field(
        default_factory=lambda: {"added": [], "changed": [], "unchanged": [], "removed": []}
    )
    skipped: list[Skipped] = field(default_factory=list)
    new: set[str] = field(default_factory=set)
    put: deque[Cut] = field(default_factory=deque)  # not kept yet, and so not reported
    passages: int = 0
    embedded: int = 0

    @property
    def files(self) -> int:
        return len(self.skipped) + sum(len(self.report[kind]) for kind in ("added", "changed", "unchanged"))


@dataclass(frozen=True, slots=True)
class _Group:
    """Sources whose passages are embedded together: vectors by digest that are there, and parts that will give more.

    `shared` are parts of an earlier group that is not stored yet.
    """

    cuts: Sequence[Cut]
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
        preparer: Preparer,
        *,
        leave_out: Sequence[Path] = (),
        workers: Workers | None = None,
    ) -> None:
        self._store = store
        self._preparer = preparer
        self._leave_out = leave_out
        self._workers = workers

    def run(self, paths: Sequence[Path], on_progress: Callable[[Progress], None]) -> IndexReport:
        """Index files and folders, and forget indexed files that have vanished from them.

        `on_progress` is called after each committed source, and now and then while files are left alone. A source
        that was reported is in the index, whatever happens later.
        """
        begun = time.monotonic()
        listing = find_files(paths, self._preparer.parsers.keys(), self._leave_out)
        self._store.begin()
        known = self._store.known()
        run = _Run(of=len(listing.files), skipped=list(listing.skipped))
        run.of += len(listing.skipped)
        on_progress(Progress(0, run.of, 0))
        changed = self._changed(listing.files, known, run, on_progress)
        if self._workers is None:
            self._embed_and_put(self._cut(changed, run), run, on_progress)
        else:
            self._put_prepared(self._workers, list(changed), run, on_progress)
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
        """Let go of the index, and of the workers."""
        try:
            self._store.close()
        finally:
            if self._workers is not None:
                self._workers.close()

    def _changed(
        self, files: Iterable[File], known: Mapping[str, Known], run: _Run, on_progress: Callable[[Progress], None]
    ) -> Iterator[File]:
        """The files that are new or changed, each under the name of its source; the others are only counted."""
        names = {entry.name: path for path, entry in known.items()}
        for file in files:
            path = str(file.path)
            before = known.get(path)
            name = before.name if before else _free_name(file, names)
            names[name] = path
            file = replace(file, name=name)
            if before is None:
                run.new.add(path)
            elif before.recipe == self._preparer.recipe:
                try:
                    same = before.digest == file_digest(file, self._preparer.max_bytes)
                except Unparsable as error:
                    self._skip(path, name, error.message, run)
                    continue
                if same:
                    run.report["unchanged"].append(name)
                    if len(run.report["unchanged"]) % 100 == 0:
                        on_progress(Progress(run.files, run.of, run.passages))
                    continue
            yield file

    def _cut(self, files: Iterable[File], run: _Run) -> Iterator[Cut]:
        """The sources of files, read and cut here."""
        for file in files:
            try:
                yield self._preparer.cut(file)
            except Unparsable as error:
                self._skip(str(file.path), file.name, error.message, run)

    def _skip(self, path: str, name: str, reason: str, run: _Run) -> None:
        run.skipped.append(Skipped(path, reason))
        if path not in run.new:  # what was indexed of it is no longer what the file says
            self._store.remove(name)

    def _put_prepared(
        self, workers: Workers, files: Sequence[File], run: _Run, on_progress: Callable[[Progress], None]
    ) -> None:
        """Store the files as they come from the workers."""
        names = {str(file.path): file.name for file in files}
        committed = time.monotonic()
        for made in workers.prepared(files):
            if made.cut is None and made.unseen and Path(made.path).exists():
                raise BadInput(
                    f"A worker does not see {made.path}.",
                    hint="Workers read the documents themselves: share the folder with them under the same path.",
                )
            if made.cut is None:
                self._skip(made.path, names[made.path], made.reason, run)
            else:
                run.embedded += len(set(made.cut.digests))
                self._put(made.cut, made.vectors, run, on_progress)
                if time.monotonic() - committed > COMMIT_SECONDS:
                    self._commit(run, on_progress)
                    committed = time.monotonic()
        self._commit(run, on_progress)

    def _embed_and_put(self, cuts: Iterable[Cut], run: _Run, on_progress: Callable[[Progress], None]) -> None:
        """Embed sources group by group in threads, and store them in their order while the next are read and embedded.

        Reading and storing stay in the caller's thread: it is where errors, Ctrl-C and progress belong, and in Python
        two threads of them would only take turns.
        """
        begun: deque[_Group] = deque()
        group: list[Cut] = []
        threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="embedding")
        try:
            for cut in cuts:
                group.append(cut)
                if sum(len(other.passages) for other in group) >= GROUP:
                    begun.append(self._begin(group, begun, threads))
                    group = []
                while len(begun) > AHEAD or (begun and begun[0].done):
                    self._put_group(begun.popleft(), run, on_progress)
            if group:
                begun.append(self._begin(group, begun, threads))
            while begun:
                self._put_group(begun.popleft(), run, on_progress)
        finally:
            threads.shutdown(cancel_futures=True)

    def _begin(self, cuts: list[Cut], before: Iterable[_Group], threads: ThreadPoolExecutor) -> _Group:
        """A group whose new texts are being embedded, those that the groups before it embed aside."""
        texts = {digest: text for cut in cuts for digest, text in cut.texts().items()}
        group = _Group(cuts, self._store.vectors_of(list(texts)))
        for other in before:
            group.shared.update({digest: part for digest, part in other.parts.items() if digest in texts})
        new = {d: text for d, text in texts.items() if d not in group.vectors and d not in group.shared}
        for texts_of_part in parts_by_length(new):
            part = threads.submit(self._preparer.embedded, texts_of_part)
            group.parts.update(dict.fromkeys(texts_of_part, part))
        return group

    def _put_group(self, group: _Group, run: _Run, on_progress: Callable[[Progress], None]) -> None:
        """Store the sources of a group once all of it is embedded."""
        for digest, part in (group.shared | group.parts).items():
            group.vectors[digest] = part.result()[digest]
        run.embedded += len(group.parts)
        for cut in group.cuts:
            self._put(cut, [group.vectors[digest] for digest in cut.digests], run, on_progress)
        self._commit(run, on_progress)

    def _put(self, cut: Cut, vectors: Sequence[bytes], run: _Run, on_progress: Callable[[Progress], None]) -> None:
        self._store.put(cut.source, self._preparer.recipe, cut.passages, cut.digests, vectors)
        run.put.append(cut)
        self._report_kept(run, on_progress)

    def _commit(self, run: _Run, on_progress: Callable[[Progress], None]) -> None:
        self._store.commit()
        self._report_kept(run, on_progress)

    def _report_kept(self, run: _Run, on_progress: Callable[[Progress], None]) -> None:
        while len(run.put) > self._store.waiting:
            cut = run.put.popleft()
            run.report["added" if cut.source.path in run.new else "changed"].append(cut.source.name)
            run.passages += len(cut.passages)
            on_progress(Progress(run.files, run.of, run.passages, cut.source.name))


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
