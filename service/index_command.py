"""`whosays index`: bring the index in line with files and folders."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from rag.errors import BadInput, IndexProblem
from rag.settings import Settings
from service.options import EXIT_INTERRUPTED, IndexOption, JsonOption, print_json, settings_from


def index(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH", help="Files, and folders with all they hold.")],
    index: IndexOption = None,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Make the index anew.")] = False,
    workers: Annotated[
        str,
        typer.Option("--workers", metavar="RAY", help="ray: in processes here; ray://HOST:10001: a cluster's."),
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Index files and folders, or bring their index up to date.

    Reads .txt, .md, .html, .pdf and .docx. Unchanged files are left alone, changed ones read again, and those that
    have vanished are removed. What cannot be read is listed with the reason, and the exit code is still 0, unless
    nothing could be read. Ctrl-C loses nothing that was done; run the command again to go on.
    """
    settings = settings_from(index)
    from rag.wiring import open_indexer
    from service.advance import Advance
    from service.render import Page

    advance = Advance(sys.stderr)
    try:
        with advance, closing(open_indexer(settings, rebuild=rebuild, workers=workers)) as indexer:
            advance.begin()
            report = indexer.run(paths, advance)
    except KeyboardInterrupt:
        _stop_indexing(settings, paths, index)
    if as_json:
        print_json(asdict(report))
    else:
        Page().report(report)
    if not (report.added or report.changed or report.unchanged or report.removed):
        where = ", ".join(map(str, paths))
        raise BadInput(f"Nothing in {where} could be indexed.", hint="Name files or folders of the formats above.")


def _stop_indexing(settings: Settings, paths: Sequence[Path], index: str | None) -> NoReturn:
    """Say what is safe after Ctrl-C, and how to go on."""
    from rag.wiring import open_store
    from service.render import counted, printable

    try:
        count = len(open_store(settings).names())
    except IndexProblem:
        count = 0
    kept = f"{counted(count, 'source')} in the index."
    if settings.store.uri:  # what a run changed in Milvus is seen when it has ended
        kept = "What was done is kept, and is seen once a run has ended."
    again = shlex.join(["whosays", "index", *map(str, paths), *(["--index", index] if index else [])])
    sys.stderr.write(f"\nStopped. {kept} To go on, run again:\n{printable(again)}\n")
    raise typer.Exit(EXIT_INTERRUPTED)
