"""A benchmark's texts as sources of a real index, and what is found in it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from eval.suites.bench import Bench
from rag.errors import BadInput
from rag.records import Hit
from rag.settings import Settings
from rag.wiring import open_indexer

PER_SOURCE = 10


@dataclass(frozen=True, slots=True)
class Text:
    """One text of a benchmark under its title; it becomes one source, and equal texts become the same."""

    title: str
    body: str

    @property
    def heading(self) -> str:
        """What stands before the body in the file."""
        title = " ".join(self.title.split())
        return f"# {title}\n\n" if title else ""

    @property
    def content(self) -> str:
        """The source's text; the body begins at `len(heading)`."""
        return self.heading + self.body


@dataclass(frozen=True, slots=True)
class Corpus:
    """Texts that are indexed: the settings that name the index, and the source of every text."""

    settings: Settings
    sources: Mapping[Text, str]


def indexed(bench: Bench, name: str, texts: Sequence[Text]) -> Corpus:
    """Index the texts as `00001.md`, `00002.md`, ..., or bring an index that was kept in line with them."""
    distinct = list(dict.fromkeys(texts))
    sources = {text: f"{place:05}.md" for place, text in enumerate(distinct, start=1)}
    folder = bench.work / name
    settings = replace(bench.settings, index=str(folder / "index"))
    _write(folder / "sources", sources)
    indexer = open_indexer(settings)
    try:
        report = indexer.run(
            [folder / "sources"], lambda progress: bench.report(f"Indexing {name}", progress.files, progress.of)
        )
    finally:
        indexer.close()
    bench.report(f"Indexing {name}", len(distinct), len(distinct))
    if report.skipped:
        first = report.skipped[0]
        raise BadInput(f"{first.path} of {name} cannot be indexed: {first.reason}", hint="Get the data again.")
    return Corpus(settings, sources)


def widened(settings: Settings, sources: int) -> Settings:
    """Settings under which the best passages very likely come from so many sources, as a long source has several."""
    return replace(settings, search=replace(settings.search, top_k=2 * sources, per_source=PER_SOURCE))


def ranked(hits: Sequence[Hit], most: int) -> list[str]:
    """The sources of the hits, each at its best hit, at most so many."""
    return list(dict.fromkeys(hit.passage.source for hit in hits))[:most]


def all_words(question: str) -> list[str]:
    """Every word of a question in lower case, each once: what a plain BM25 looks up."""
    return list(dict.fromkeys(re.findall(r"\w+", question.lower())))


def _write(folder: Path, sources: Mapping[Text, str]) -> None:
    """Make the folder hold exactly these files; one that is there already is left alone."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        if path.name not in sources.values():
            path.unlink()
    for text, name in sources.items():
        content = text.content.encode("utf-8")
        path = folder / name
        if not path.is_file() or path.read_bytes() != content:
            path.write_bytes(content)
