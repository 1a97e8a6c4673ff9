"""`whosays eval draft`: gold questions from a user's own documents, for a person to keep, mend or drop."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from eval.cases import read_cases
from eval.draft import Proposal
from eval.draft import draft as drafted_by_rules
from rag.errors import BadGold, BadInput, Unparsable
from rag.load import find_files, read_source
from rag.records import Source
from rag.settings import Settings, load_settings
from rag.wiring import open_language_model, parsers

BUILTIN = "builtin"


def draft(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="The documents: the folder or file that was indexed.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The gold file that questions are added to.")] = Path(
        "gold.jsonl"
    ),
    count: Annotated[int, typer.Option(metavar="N", min=1, help="How many questions to propose.")] = 20,
    seed: Annotated[int, typer.Option(metavar="S", help="Another seed proposes other questions.")] = 0,
    yes: Annotated[bool, typer.Option("--yes", help="Keep all without asking.")] = False,
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="What proposes them.", show_default="as in the settings")
    ] = None,
) -> None:
    """Propose gold questions from documents, each with the sentence that answers it; keep, mend or drop them.

    What is kept is added to the file at once, so that the review can be broken off and taken up again; no question of
    the file is proposed twice. Read every question before you trust a figure: they are made by rules, or by a model.
    """
    if not yes and not sys.stdin.isatty():
        raise BadInput("The questions are kept or dropped in a terminal, and this is none.", hint="Keep all: --yes")
    settings = load_settings(os.environ, flags={"model": model})
    known = _known(out)
    sources = _sources(path, settings)
    proposals = _proposals(sources, settings, count, seed, known)
    if not proposals:
        more = "beyond those of the file " if known else ""
        raise BadInput(
            f"No question {more}could be made from {path}: no sentence is plain enough.",
            hint="Name more documents, or a language model: --model NAME",
        )
    kept = _append(out, proposals if yes else _reviewed(proposals))
    typer.echo(f"{kept} question{'s' * (kept != 1)} added to {out}. Next: whosays eval {out}")


def _known(out: Path) -> list[str]:
    """The questions that the file holds already; raises BadGold where it is no gold file."""
    if not out.exists():
        return []
    reading = read_cases(out, None)
    for fault in reading.faults:
        if fault.line:
            raise BadGold(fault.message, hint=f"See all faults: whosays eval check {out}")
    return [case.question for case in reading.cases]


def _sources(path: Path, settings: Settings) -> list[Source]:
    """The documents as indexing reads them; those that cannot be read are told."""
    read_by = parsers()
    listing = find_files([path], read_by.keys(), [Path(settings.index).expanduser()])
    skipped = [(row.path, row.reason) for row in listing.skipped]
    sources = []
    for file in listing.files:
        try:
            sources.append(read_source(file, read_by, settings.passages.max_file_mb * 1_000_000))
        except Unparsable as error:
            skipped.append((str(file.path), error.message))
    for name, reason in skipped:
        typer.echo(f"Skipped {name}: {reason}", err=True)
    if not sources:
        raise BadInput(f"{path} holds no document that can be read.", hint="Name the folder of your documents.")
    return sources


def _proposals(
    sources: list[Source], settings: Settings, count: int, seed: int, known: Iterable[str]
) -> list[Proposal]:
    if settings.model == BUILTIN:
        return drafted_by_rules(sources, count, seed, known)
    from eval.draft_model import draft_with

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("Drafting", total=count)
        drafted = draft_with(
            open_language_model(settings),
            sources,
            count,
            seed,
            known,
            lambda done: progress.update(task, completed=done),
        )
    for reason, times in sorted(drafted.dropped.items()):
        typer.echo(f"Dropped {times} of the model's: {reason}.", err=True)
    return drafted.proposals


def _reviewed(proposals: list[Proposal]) -> Iterator[Proposal]:
    from prompt_toolkit import PromptSession

    from eval.draft_review import reviewed

    return reviewed(proposals, Console(highlight=False, markup=False), PromptSession())


def _append(out: Path, proposals: Iterable[Proposal]) -> int:
    """Add each proposal to the file as it comes; gives their number."""
    added = 0
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        unended = out.exists() and out.read_bytes()[-1:] not in (b"", b"\n")
        with out.open("a", encoding="utf-8") as file:
            file.write("\n" if unended else "")
            for proposal in proposals:
                file.write(json.dumps(proposal.to_json(), ensure_ascii=False) + "\n")
                file.flush()
                added += 1
    except OSError as error:
        raise BadInput(f"{out} cannot be written: {error.strerror}.", hint="Name another file: --out FILE") from error
    return added
