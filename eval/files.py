"""The files of a run: written whole or not at all, and kept case by case until then, so that it can be continued."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from eval.cases import Case
from eval.provenance import Origin
from eval.run import FORMAT, Result
from rag.errors import BadInput

SAME = ("gold_digest", "chosen", "settings", "generation", "model", "versions")
"""What must not have changed where a run is continued."""


class Unfinished:
    """The `.part` file beside a run file: its first line is the origin, each other line a case that is done.

    Raises BadInput where the run file would be a folder.
    """

    def __init__(self, out: Path, origin: Origin) -> None:
        if out.is_dir():
            raise BadInput(f"{out} is a folder.", hint="Name a file with --out.")
        self.path = out.with_name(out.name + ".part")
        self.out = out
        self._origin = origin
        self._file: IO[str] | None = None

    def resume(self, cases: Sequence[Case]) -> dict[str, Result]:
        """The results of the run that broke off, by the cases' ids; raises BadInput where it was another run.

        A line that was cut off by the break is left out. A case that failed is asked again.
        """
        try:
            lines = self.path.read_text("utf-8").split("\n")
        except OSError as error:
            raise BadInput(
                f"{self.path} cannot be read: {error.strerror}.", hint="Without --resume the run begins anew."
            ) from error
        records = [record for line in lines if (record := _record(line)) is not None]
        began = records[0] if records else {}
        now = {"version": FORMAT, **json.loads(json.dumps(self._origin.to_json()))}
        changed = [name for name in ("version", *SAME) if began.get(name) != now[name]]
        if changed:
            raise BadInput(
                f"{self.path} is of another run: {', '.join(changed)} changed.",
                hint="Without --resume the run begins anew.",
            )
        by_id = {case.id: case for case in cases}
        done = [Result.from_json(by_id[record["case"]["id"]], record) for record in records[1:]]
        return {result.case.id: result for result in done if result.answer}

    def begin(self, done: Mapping[str, Result]) -> None:
        """Open the file with what is done already; raises BadInput where that cannot be.

        Until all of it is written, the file of the run that broke off stays as it was.
        """
        draft = self.path.with_name(self.path.name + ".draft")
        try:
            self.out.parent.mkdir(parents=True, exist_ok=True)
            self._file = draft.open("w", encoding="utf-8")
        except OSError as error:
            raise unwritable(self.out, error) from error
        self._line({"version": FORMAT, **self._origin.to_json()})
        for result in done.values():
            self.add(result)
        try:
            draft.replace(self.path)
        except OSError as error:
            raise unwritable(self.out, error) from error

    def add(self, result: Result) -> None:
        """Keep a case that is done."""
        self._line(result.to_json())

    def finish(self, record: Mapping[str, Any]) -> None:
        """Put the whole run in the place of the unfinished one."""
        self.close()
        draft = self.out.with_name(self.out.name + ".draft")
        try:
            draft.write_text(json.dumps(record, ensure_ascii=False, indent=2) + "\n", "utf-8")
            draft.replace(self.out)
            self.path.unlink(missing_ok=True)
        except OSError as error:
            raise unwritable(self.out, error) from error

    @property
    def kept(self) -> int:
        """How many cases stand in the file: wherever Ctrl-C came, the file knows."""
        if not self.path.exists():
            return 0
        return sum(_record(line) is not None for line in self.path.read_text("utf-8").split("\n")) - 1

    def close(self) -> None:
        """Let go of the file, which stays."""
        if self._file:
            self._file.close()

    def _line(self, record: Mapping[str, Any]) -> None:
        if self._file is None:
            return
        try:
            self._file.write(json.dumps(record, ensure_ascii=False) + "\n")
            self._file.flush()
        except OSError as error:
            raise unwritable(self.out, error) from error


def read_run(path: Path) -> dict[str, Any]:
    """The record of a run file; raises BadInput where it is none, or has another format."""
    try:
        record = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise BadInput(
            f"{path} cannot be read: {error.strerror}.", hint="Make one: whosays eval GOLD --out FILE"
        ) from error
    except ValueError as error:
        raise BadInput(f"{path} is no run file: {error}.", hint="Make one: whosays eval GOLD --out FILE") from error
    if not isinstance(record, dict) or "cases" not in record or "version" not in record:
        raise BadInput(f"{path} is no run file.", hint="Make one: whosays eval GOLD --out FILE")
    if record["version"] != FORMAT:
        raise BadInput(
            f"{path} has the format {record['version']}; this version reads {FORMAT}.", hint="Make the run again."
        )
    return record


def unwritable(path: Path, error: OSError) -> BadInput:
    """The error for a file that cannot be written."""
    return BadInput(f"{path} cannot be written: {error.strerror}.", hint="Name another file with --out.")


def _record(line: str) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None
