"""Documents that come and go over HTTP: kept in the index's folder, indexed in the background, one after the other
whichever process of the service received them.

    INDEX/uploads/NAME      the documents, each under the name of its source
    INDEX/staging/          what is being received or read, under names made here
    INDEX/jobs/ID.json      what became of each request, for every process of the service to tell
    INDEX/jobs/turn.lock    held by the one process that is at work

A name is checked against the few marks that it may have before it meets the file system.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import re
import secrets
import threading
import time
import unicodedata
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from rag.errors import IndexLocked, IndexMissing, IndexUnwritable, SourceUnknown, Unparsable, WhosaysError
from rag.indexing import Indexer
from rag.records import IndexReport
from rag.settings import Settings
from rag.wiring import open_indexer, open_store
from service.problems import BAD_NAME, BUSY, JOB_UNKNOWN, NOT_READ, NOT_UPLOADED, Refusal, problem_of
from service.processes import alive
from service.sandbox import Sandbox, known_suffixes, suffix_of

logger = logging.getLogger(__name__)

NAME = re.compile(r"[\w(][\w .,()+&'-]{0,119}")
DOCUMENTED_NAME = r"^[\p{L}\p{Nd}_(][\p{L}\p{Nd}_ .,()+&'-]{0,119}$"
"""The same for other programs' patterns: Python's letters hold superscripts and fractions, which are none here."""
LONGEST_NAME_BYTES = 200
JOB_ID = re.compile(r"[0-9a-f]{32}")
SECONDS_KEPT = 86_400
MOST_WAITING = 100
SECONDS_FOR_LOCK = 600
LOCK_TRIED_EVERY = 0.5


@dataclass(frozen=True, slots=True)
class Job:
    """One change of the index: `reason` says why it failed; times are ISO 8601."""

    id: str
    action: Literal["put", "delete"]
    source: str
    status: Literal["queued", "running", "done", "failed"]
    reason: str | None
    created: str
    finished: str | None


class Uploads:
    """The uploaded documents, and the one thread that indexes them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        folder = Path(settings.index).expanduser()
        self._documents, self._staging, self._jobs = (folder / part for part in ("uploads", "staging", "jobs"))
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="upload")
        self._lock = threading.Lock()
        self._waiting = 0

    def name_for(self, given: str, content_type: str) -> str:
        """The name of the source that a document becomes, which ends like its format; raises a Refusal."""
        name = unicodedata.normalize("NFC", given)
        refused = Refusal(BAD_NAME, f"A document cannot be named {given[:80]!r}.")
        strange = any(mark.isalnum() and not (mark.isalpha() or mark.isdecimal()) for mark in name)
        if strange or not NAME.fullmatch(name):
            raise refused
        suffix = suffix_of(name, content_type)
        if suffix is None:
            endings = ", ".join(sorted(known_suffixes()))
            raise Refusal(NOT_READ, "Neither the name nor the content type is of a format that is read.", hint=endings)
        if not name.lower().endswith(suffix):
            name += suffix
        if len(name.encode("utf-8")) > LONGEST_NAME_BYTES:
            raise refused
        return name

    def check_own(self, name: str) -> Path | None:
        """The document of an uploaded source, None where there is no such source; raises a Refusal for any other."""
        try:
            path = Path(open_store(self._settings).source(name).path)
        except (SourceUnknown, IndexMissing):
            return None
        if path.parent != self._documents.resolve():
            raise Refusal(NOT_UPLOADED, f"{name} is read from a file of the server's own.")
        return path

    def stage(self) -> Path:
        """A new file for a document that is being received."""
        self._make_folders()
        return self._staging / secrets.token_hex(16)

    def put(self, name: str, staged: Path) -> Job:
        """Have a received document indexed under this name, in the place of the one that had it."""
        return self._begin("put", name, lambda: self._put(name, staged))

    def delete(self, name: str) -> Job:
        """Have an uploaded document and its source removed."""
        return self._begin("delete", name, lambda: self._delete(name))

    def job(self, job_id: str) -> Job:
        """What became of a request; raises a Refusal where none has this id."""
        if JOB_ID.fullmatch(job_id):
            try:
                kept = json.loads((self._jobs / f"{job_id}.json").read_text("utf-8"))
            except FileNotFoundError:
                kept = None
            if kept is not None:
                process = kept.pop("process")
                job = Job(**kept)
                if job.finished is None and not alive(process):
                    return replace(job, status="failed", reason="the service was stopped meanwhile")
                return job
        raise Refusal(JOB_UNKNOWN, "There is no such job.")

    def catch_up(self) -> None:
        """Index uploaded documents that the index lacks: it was made anew, or the service was stopped too early."""
        if not self._documents.is_dir():
            return
        try:
            indexed = set(open_store(self._settings).names())
        except WhosaysError:
            indexed = set()
        lacking = [path.name for path in self._documents.iterdir() if path.name not in indexed]
        if lacking:
            self._begin("put", lacking[0], lambda: self._index(self._documents))

    def close(self) -> None:
        """Finish what is under way, and nothing more."""
        self._thread.shutdown(cancel_futures=True)

    def _begin(self, action: Literal["put", "delete"], name: str, work: Callable[[], object]) -> Job:
        job = Job(secrets.token_hex(16), action, name, "queued", None, _now(), None)
        with self._lock:
            if self._waiting >= MOST_WAITING:
                raise Refusal(BUSY, f"{MOST_WAITING} documents are waiting already.", retry_after=10)
            self._waiting += 1
        self._make_folders()
        self._forget_old()
        self._keep(job)
        self._thread.submit(self._run, job, work)
        return job

    def _run(self, job: Job, work: Callable[[], object]) -> None:
        self._keep(replace(job, status="running"))
        reason: str | None = None
        try:
            with self._turn():
                work()
        except (Unparsable, Refusal) as error:
            reason = str(error) if isinstance(error, Unparsable) else error.detail
        except WhosaysError as error:
            reason = problem_of(error).detail
        except Exception:
            logger.exception("A job failed.")
            reason = "the service failed"
        finally:
            with self._lock:
                self._waiting -= 1
        self._keep(replace(job, status="failed" if reason else "done", reason=reason, finished=_now()))

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Hold back the jobs of this service's other processes: each moves documents about before it indexes them."""
        with (self._jobs / "turn.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _put(self, name: str, staged: Path) -> None:
        before = self._staging / secrets.token_hex(16)
        target = self._documents / name
        try:
            sandbox = self._sandboxes()[target.suffix.lower()]
            sandbox.parse(staged.read_bytes())  # what cannot be read replaces nothing
            self.check_own(name)
            if target.exists():
                target.replace(before)
            staged.replace(target)
            try:
                self._index(target, sandbox)
            except BaseException:
                target.unlink()
                if before.exists():
                    before.replace(target)
                raise
        finally:
            staged.unlink(missing_ok=True)
            before.unlink(missing_ok=True)

    def _delete(self, name: str) -> None:
        document = self.check_own(name)
        if document:
            document.unlink(missing_ok=True)
        self._index(self._documents)

    def _index(self, path: Path, sandbox: Sandbox | None = None) -> IndexReport:
        """Bring the index in line with an uploaded document, or with all of them."""
        read_by = self._sandboxes() | ({path.suffix.lower(): sandbox} if sandbox else {})
        with closing(self._indexer(read_by)) as indexer:
            report = indexer.run([path.resolve()], lambda _: None)
        if sandbox and report.skipped:
            raise Unparsable(report.skipped[0].reason)
        return report

    def _indexer(self, read_by: dict[str, Sandbox]) -> Indexer:
        """The indexer, waited for while another run writes."""
        until = time.monotonic() + SECONDS_FOR_LOCK
        while True:
            try:
                return open_indexer(self._settings, read_by=read_by)
            except IndexLocked:
                if time.monotonic() > until:
                    raise
                time.sleep(LOCK_TRIED_EVERY)

    def _sandboxes(self) -> dict[str, Sandbox]:
        service = self._settings.service
        return {suffix: Sandbox(suffix, service.parse_seconds, service.parse_mb) for suffix in known_suffixes()}

    def _keep(self, job: Job) -> None:
        temporary = self._staging / secrets.token_hex(16)
        temporary.write_text(json.dumps({**asdict(job), "process": os.getpid()}), "utf-8")
        temporary.replace(self._jobs / f"{job.id}.json")

    def _make_folders(self) -> None:
        try:
            for folder in (self._documents, self._staging, self._jobs):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise IndexUnwritable(
                f"{folder} cannot be made: {error}.", hint="Check the folder's permissions."
            ) from error

    def _forget_old(self) -> None:
        oldest = time.time() - SECONDS_KEPT
        for path in (*self._jobs.glob("*.json"), *self._staging.iterdir()):
            with suppress(FileNotFoundError):  # another process forgets it, too
                if path.stat().st_mtime < oldest:
                    path.unlink()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
