"""What several test modules stand on."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import hypothesis
import pytest

from rag.settings import EmbeddingSettings, SearchSettings, Settings

if TYPE_CHECKING:
    from rag.answering import Answerer

# A shell that starts the tests in the background has them ignore Ctrl-C, and every program that they start, too.
signal.signal(signal.SIGINT, signal.default_int_handler)

hypothesis.settings.register_profile("untimed", deadline=None)  # a busy machine is no fault of what is tested
hypothesis.settings.load_profile("untimed")

SEEDS = Path(__file__).parent.parent / "seeds"
LONG = bool(os.environ.get("LONG_TESTS"))  # no WHOSAYS_ in front: that would be a setting
FEW_PASSAGES = 5  # the fewest with which the seeds still disagree on the valuation

T = TypeVar("T")

only_in_long_runs = pytest.mark.skipif(not LONG, reason="takes long: make test-long")
FIRST = ("test_workers.py", "test_reader.py", "test_service_processes.py", "test_endurance.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files, so that no process is left alone with one at the end."""
    items.sort(key=lambda item: item.path.name not in FIRST)


def times(usual: int, in_long_runs: int) -> int:
    """How often something is done, such as a kill: more often in `make test-long`."""
    return in_long_runs if LONG else usual


def some(values: Sequence[T], usual: int) -> Sequence[T]:
    """The first few of them, or all in `make test-long`."""
    return values if LONG else values[:usual]


@pytest.fixture(scope="session")
def seeds_index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an index of the five seeds, made once; copy it before changing it."""
    from rag.wiring import open_indexer

    folder = tmp_path_factory.mktemp("seeds") / "index"
    indexer = open_indexer(settings_for(folder))
    try:
        report = indexer.run([SEEDS], lambda _: None)
    finally:
        indexer.close()
    assert len(report.added) == 5, report
    return folder


@contextlib.contextmanager
def answering_over(folder: Path, texts: Mapping[str, str]) -> Iterator[Answerer]:
    """An answerer over texts by their file names, indexed in a new folder."""
    from rag.wiring import open_answerer, open_indexer

    (folder / "docs").mkdir()
    for name, text in texts.items():
        (folder / "docs" / name).write_text(text)
    made = settings_for(folder / "index")
    indexer = open_indexer(made)
    try:
        indexer.run([folder / "docs"], lambda _: None)
    finally:
        indexer.close()
    answerer = open_answerer(made)
    try:
        yield answerer
    finally:
        answerer.close()


def settings_for(index: Path, **changed: Any) -> Settings:
    """The default settings for an index, with the cache of converted models that the environment names, if any."""
    cache = os.environ.get("WHOSAYS_EMBEDDING__CACHE", EmbeddingSettings.cache)
    return Settings(index=str(index), embedding=EmbeddingSettings(cache=cache), **changed)


def quick_settings_for(index: Path, **changed: Any) -> Settings:
    """Settings for tests of the doors, which let questions through whatever is answered: few passages are read."""
    return replace(settings_for(index, **changed), search=SearchSettings(top_k=FEW_PASSAGES))
