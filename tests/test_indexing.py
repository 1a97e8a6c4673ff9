"""The index path: real files, real model, real kills."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rag.errors import BadInput, IndexLocked, IndexUnwritable
from rag.records import IndexReport, Progress
from rag.settings import PassageSettings, Settings, load_settings
from rag.wiring import open_indexer, open_store
from tests.conftest import times

ROOT = Path(__file__).resolve().parent.parent
CACHE = load_settings(os.environ).embedding


def settings(index: Path, **passages: int) -> Settings:
    return Settings(index=str(index), embedding=CACHE, passages=PassageSettings(**passages))


def index(folder: Path, *paths: Path, **passages: int) -> IndexReport:
    indexer = open_indexer(settings(folder, **passages))
    try:
        return indexer.run(paths, lambda _: None)
    finally:
        indexer.close()


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    for name, text in {"a.txt": "It rained in Rome.", "b.md": "# Sun\n\nThe sun shone in Oslo.", "c.txt": ""}.items():
        (folder / name).write_text(text)
    return folder


def test_only_what_changed_is_done_again(docs: Path, tmp_path: Path) -> None:
    first = index(tmp_path / "index", docs)
    assert (first.added, first.unchanged, [s.path for s in first.skipped]) == (
        ("a.txt", "b.md"),
        (),
        [str(docs / "c.txt")],
    )
    assert first.embedded == first.passages == 2
    again = index(tmp_path / "index", docs)
    assert (again.added, again.changed, again.unchanged, again.embedded) == ((), (), ("a.txt", "b.md"), 0)
    (docs / "a.txt").write_text("It snowed in Rome.")
    (docs / "b.md").unlink()
    third = index(tmp_path / "index", docs)
    assert (third.changed, third.removed, third.embedded) == (("a.txt",), ("b.md",), 1)
    assert open_store(settings(tmp_path / "index")).source("a.txt").text == "It snowed in Rome."


def test_a_file_that_moved_is_not_embedded_again(docs: Path, tmp_path: Path) -> None:
    index(tmp_path / "index", docs)
    (docs / "a.txt").rename(docs / "moved.txt")
    report = index(tmp_path / "index", docs)
    assert (report.added, report.removed, report.embedded) == (("moved.txt",), ("a.txt",), 0)


def test_other_passage_sizes_cut_every_source_anew(docs: Path, tmp_path: Path) -> None:
    index(tmp_path / "index", docs)
    assert index(tmp_path / "index", docs, tokens=50).changed == ("a.txt", "b.md")


def test_files_of_one_name_from_two_folders_stay_apart(docs: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "a.txt").write_text("It hailed in Bern.")
    index(tmp_path / "index", docs)
    assert index(tmp_path / "index", other).added == ("other/a.txt",)
    store = open_store(settings(tmp_path / "index"))
    assert [source.name for source in store.sources()] == ["a.txt", "b.md", "other/a.txt"]
    assert index(tmp_path / "index", other).unchanged == ("other/a.txt",)


def test_a_file_that_became_unreadable_is_no_longer_quoted(docs: Path, tmp_path: Path) -> None:
    index(tmp_path / "index", docs)
    (docs / "a.txt").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    report = index(tmp_path / "index", docs)
    assert str(docs / "a.txt") in [skipped.path for skipped in report.skipped]
    assert [source.name for source in open_store(settings(tmp_path / "index")).sources()] == ["b.md"]


def test_what_is_reported_is_in_the_index(docs: Path, tmp_path: Path) -> None:
    seen: list[str | None] = []

    def on_progress(progress: Progress) -> None:
        seen.append(progress.source)
        names = [source.name for source in open_store(settings(tmp_path / "index")).sources()]
        assert progress.source is None or progress.source in names

    indexer = open_indexer(settings(tmp_path / "index"))
    indexer.run([docs], on_progress)
    indexer.close()
    assert seen == [None, "a.txt", "b.md"]


def test_one_index_has_one_writer(docs: Path, tmp_path: Path) -> None:
    first = open_indexer(settings(tmp_path / "index"))
    with pytest.raises(IndexLocked):
        open_indexer(settings(tmp_path / "index"))
    first.close()
    index(tmp_path / "index", docs)


def test_a_place_that_takes_no_index_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(IndexUnwritable, match="file"):
        open_indexer(settings(tmp_path / "file" / "index"))


def test_a_rebuild_of_a_path_that_is_not_there_loses_nothing(docs: Path, tmp_path: Path) -> None:
    index(tmp_path / "index", docs)
    indexer = open_indexer(settings(tmp_path / "index"), rebuild=True)
    with pytest.raises(BadInput, match="nowhere"):
        indexer.run([tmp_path / "nowhere"], lambda _: None)
    indexer.close()
    assert len(open_store(settings(tmp_path / "index")).sources()) == 2


KILLS = times(5, 50)


def test_a_kill_at_any_moment_leaves_an_index_that_opens(tmp_path: Path) -> None:
    """Runs are killed at random moments; each leaves a readable index with all that was reported done."""
    docs = tmp_path / "docs"
    docs.mkdir()
    for number in range(60):
        text = " ".join(f"On day {day} of year {number} it rained {day * number} drops." for day in range(12))
        (docs / f"{number:02}.txt").write_text(text)
    folder = tmp_path / "index"
    index(folder, docs)  # the model's files are made before the clock runs
    whole = [source.name for source in open_store(settings(folder)).sources()]
    script = (
        "import os, sys\nfrom pathlib import Path\nfrom rag.settings import load_settings\n"
        "from rag.wiring import open_indexer\n"
        "indexer = open_indexer(load_settings(os.environ, flags={'index': sys.argv[1]}))\n"
        "print('begun', flush=True)\n"
        "indexer.run([Path(sys.argv[2])], lambda p: print(p.source, flush=True))\n"
    )
    moments = random.Random(11)
    killed, number, longest = 0, 0, 0.6
    while killed < KILLS:
        if number % 5 == 0:
            shutil.rmtree(folder)  # begin anew now and then, so that kills meet every stage
        number += 1
        for changed in moments.sample(range(60), 15):
            path = docs / f"{changed:02}.txt"
            path.write_text(f"{path.read_text()} Round {number}.")
        with subprocess.Popen(
            [sys.executable, "-c", script, str(folder), str(docs)], stdout=subprocess.PIPE, text=True, cwd=ROOT
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "begun\n"
            time.sleep(moments.uniform(0, longest))
            process.send_signal(signal.SIGKILL)
            reported = [line for line in process.stdout.read().splitlines() if line.endswith(".txt")]
        if process.returncode == -signal.SIGKILL:
            killed += 1
        else:  # it ended before it was killed: on this machine the next must be sooner
            assert process.returncode == 0
            longest *= 0.8
        store = open_store(settings(folder))
        names = {source.name for source in store.sources()}
        assert set(reported) <= names
        for name in reported:
            assert store.source(name).text == (docs / name).read_text()
    index(folder, docs)
    store = open_store(settings(folder))
    assert [source.name for source in store.sources()] == whole
    assert all(store.source(name).text == (docs / name).read_text() for name in whole)


def test_what_lies_in_the_index_s_own_folder_does_not_vanish_with_the_folder_around_it(docs: Path) -> None:
    kept = docs / "index" / "uploads"
    kept.mkdir(parents=True)
    (kept / "kept.txt").write_text("It hailed in Rome.")
    index(docs / "index", kept)
    report = index(docs / "index", docs)
    assert (report.added, report.removed) == (("a.txt", "b.md"), ())
    (docs / "a.txt").unlink()
    assert index(docs / "index", docs).removed == ("a.txt",)
    (kept / "kept.txt").unlink()
    assert index(docs / "index", kept).removed == ("kept.txt",)
