"""A damaged index, or cache of models: the same answer, or an error that says what to do, and never anything else."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rag.digests import is_whole
from rag.errors import IndexDamaged, IndexMissing, WhosaysError
from rag.settings import EmbeddingSettings
from rag.store import dense
from rag.store.local import LocalStore
from rag.store.schema import FILE
from rag.store.writer import Writer
from rag.wiring import open_embedder, open_indexer, open_store
from tests.benchmarks.damage import Damage, Judge, files_of, make_index
from tests.conftest import SEEDS, only_in_long_runs, settings_for, times
from tests.test_store import NORTH, nearest, put

QUESTION = "Who founded Scale AI?"
ROOT = Path(__file__).resolve().parent.parent

shares = st.floats(0, 1, exclude_max=True)
places = st.one_of(shares, st.floats(0, 0.001))  # the first bytes say what kind of file it is
bits = st.integers(0, 7)
damages = st.one_of(
    st.builds(Damage, flips=st.lists(st.tuples(places, bits), min_size=1, max_size=4).map(tuple)),
    st.builds(Damage, cut=shares, whole_pages=st.booleans()),
)


@pytest.fixture(scope="module")
def judge(seeds_index: Path) -> Judge:
    return Judge(settings_for(seeds_index))


@pytest.fixture(scope="module")
def expected(judge: Judge, seeds_index: Path) -> dict[str, dict[str, Any]]:
    answer = judge.answer(seeds_index, QUESTION)
    assert answer["citations"]
    return {QUESTION: answer}


@settings(max_examples=times(15, 100), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damage=damages, which=st.integers(0, 9))
def test_a_damaged_index_gives_the_same_answer_or_an_error_of_ours(
    judge: Judge,
    expected: dict[str, dict[str, Any]],
    seeds_index: Path,
    tmp_path: Path,
    damage: Damage,
    which: int,
) -> None:
    folder = tmp_path / "index"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(seeds_index, folder)
    files = files_of(folder)
    damage.do_to(files[which % len(files)])
    verdict, told = judge.verdict(folder, expected)
    assert verdict in ("same", "refused"), told


def test_a_damage_in_any_page_is_seen_when_all_is_read(seeds_index: Path, tmp_path: Path) -> None:
    """One bit in each page: nothing that SQLite itself would overlook, such as a letter of a text."""
    whole = (seeds_index / FILE).read_bytes()
    for start in range(0, len(whole), 4096):
        content = bytearray(whole)
        content[start + 2000] ^= 4
        (tmp_path / FILE).write_bytes(content)
        with pytest.raises(IndexDamaged) as caught:
            store = LocalStore(tmp_path)
            with store.snapshot() as snapshot:
                connection = snapshot._connection
                for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE rootpage > 0").fetchall():
                    if not table.startswith(("passages_of", "vectors_of", "sqlite_auto")):
                        connection.execute(f'SELECT * FROM "{table}"').fetchall()
                assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert f"whosays index PATH --index {tmp_path} --rebuild" in caught.value.hint


@pytest.mark.parametrize(
    ("place", "value"),
    [
        pytest.param(20, 0, id="checksums switched off"),
        pytest.param(20, 12, id="another reserve"),
        pytest.param(18, 1, id="another journal"),
        pytest.param(31, 200, id="more pages than there are"),
        pytest.param(0, 0, id="another format"),
    ],
)
def test_a_spoilt_header_is_damage(writer: Writer, place: int, value: int) -> None:
    put(writer, "a.txt", "It rained.")
    writer.close()
    path = writer.folder / FILE
    content = bytearray(path.read_bytes())
    content[place] = value
    path.write_bytes(content)
    with pytest.raises(IndexDamaged):
        LocalStore(writer.folder)


@pytest.mark.parametrize("pages", [-1, 1])
def test_a_file_with_fewer_or_more_pages_is_damage(writer: Writer, pages: int) -> None:
    put(writer, "a.txt", "It rained.")
    writer.close()
    path = writer.folder / FILE
    os.truncate(path, path.stat().st_size + pages * 4096)
    with pytest.raises(IndexDamaged):
        LocalStore(writer.folder)


# ---- the log of a writer that was killed -----------------------------------------------------------------------


@pytest.fixture
def writer(tmp_path: Path) -> Any:
    writer = Writer(tmp_path / "index", "digest", "two directions", 2, rebuild=False)
    writer.begin()
    yield writer
    writer.close()


def cut_pages(path: Path, count: int) -> None:
    os.truncate(path, path.stat().st_size - count * 4096)


def killed(tmp_path: Path) -> Path:
    """The folder of an index of three sources whose writer was killed after the third; the first is in the file."""
    script = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom rag.store.writer import Writer\n"
        "from tests.test_store import put\n"
        "writer = Writer(Path(sys.argv[1]), 'digest', 'two directions', 2, rebuild=False)\nwriter.begin()\n"
        "for number in range(3):\n    put(writer, f'{number}.txt', 'It rained. ' * 600)\n"
        "    if not number:\n        writer._connection.wal_checkpoint()\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path / "index")], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    return tmp_path / "index"


def names(folder: Path) -> list[str]:
    return [source.name for source in LocalStore(folder).sources()]


def test_the_log_of_a_killed_writer_is_read_with_the_index(tmp_path: Path) -> None:
    folder = killed(tmp_path)
    assert names(folder) == ["0.txt", "1.txt", "2.txt"]
    again = Writer(folder, "digest", "two directions", 2, rebuild=False)
    again.begin()
    put(again, "3.txt", "It snowed.")
    again.close()
    assert names(folder) == ["0.txt", "1.txt", "2.txt", "3.txt"]
    assert not (folder / f"{FILE}-wal").exists() or not (folder / f"{FILE}-wal").stat().st_size


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda log: log.unlink(), id="gone"),
        pytest.param(lambda log: os.truncate(log, 0), id="empty"),
        pytest.param(lambda log: os.truncate(log, log.stat().st_size // 2), id="half of it"),
        pytest.param(lambda log: Damage(flips=((0.0, 0),)).do_to(log), id="a bit of its header"),
        pytest.param(lambda log: Damage(flips=((0.5, 3),)).do_to(log), id="a bit in the middle"),
        pytest.param(lambda log: Damage(flips=((0.999, 3),)).do_to(log), id="a bit of its last frame"),
        pytest.param(lambda log: Damage(cut=0.5).do_to(log.with_name(f"{FILE}-note")), id="half of the note"),
        pytest.param(lambda log: cut_pages(log.with_name(FILE), 1), id="the last page of the index"),
        pytest.param(lambda log: cut_pages(log.with_name(FILE), 12), id="many pages of the index"),
    ],
)
def test_a_damaged_log_does_not_bring_back_what_was_before(tmp_path: Path, spoil: Any) -> None:
    folder = killed(tmp_path)
    spoil(folder / f"{FILE}-wal")
    with pytest.raises(IndexDamaged) as caught:
        LocalStore(folder)
    assert "--rebuild" in caught.value.hint
    again = Writer(folder, "digest", "two directions", 2, rebuild=True)
    again.begin()
    put(again, "3.txt", "It snowed.")
    again.close()
    assert names(folder) == ["3.txt"]


def test_an_index_whose_writer_was_killed_at_its_birth_is_none_yet(tmp_path: Path) -> None:
    """SQLite keeps a journal until it has a log: what is read only cannot be rolled back."""
    script = (
        "import os, signal, sys, apsw\nconnection = apsw.Connection(sys.argv[1])\nconnection.reserve_bytes(reserve=8)\n"
        "connection.execute('CREATE TABLE one (x)')\nconnection.execute('BEGIN')\n"
        "connection.execute('CREATE TABLE two (x)')\nconnection.cache_flush()\nos.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path / FILE)], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    assert (tmp_path / f"{FILE}-journal").stat().st_size
    with pytest.raises(IndexMissing) as caught:
        LocalStore(tmp_path)
    assert f"whosays index PATH --index {tmp_path}" in caught.value.hint


# ---- the file of vectors ---------------------------------------------------------------------------------------


def test_a_bit_in_the_file_of_vectors_is_seen_and_the_next_run_writes_it_anew(
    writer: Writer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(dense, "IN_MEMORY", 3)
    for number in range(20):
        angle = number / 20
        put(writer, f"{number:02}.txt", f"Day {number}.", np.array([np.cos(angle), np.sin(angle)], dtype=np.float32))
    writer.finish()
    (file,) = writer.folder.glob("vectors-*.faiss")
    whole, sound = nearest(writer.folder), file.read_bytes()
    for share in (0.0, 0.5, 0.9, 0.999):
        Damage(flips=((share, 6),)).do_to(file)
        caplog.clear()
        assert nearest(writer.folder) == whole
        assert len(caplog.records) == 1
        assert "whosays index PATH" in caplog.text
        file.write_bytes(sound)
    Damage(flips=((0.5, 6),)).do_to(file)
    writer.finish()
    assert file.read_bytes() == sound


# ---- what mends ------------------------------------------------------------------------------------------------


def test_indexing_again_refuses_a_damaged_index_and_a_rebuild_mends_it(
    seeds_index: Path, tmp_path: Path, judge: Judge, expected: dict[str, dict[str, Any]]
) -> None:
    folder = tmp_path / "index"
    shutil.copytree(seeds_index, folder)
    path = folder / FILE
    path.write_bytes(bytes(byte ^ 1 if n >= 4096 else byte for n, byte in enumerate(path.read_bytes())))
    chosen = settings_for(folder)
    with pytest.raises(IndexDamaged) as caught:
        make_index(chosen, SEEDS)
    assert f"whosays index PATH --index {folder} --rebuild" in caught.value.hint
    indexer = open_indexer(chosen, rebuild=True)
    try:
        indexer.run([SEEDS], lambda _: None)
    finally:
        indexer.close()
    assert judge.verdict(folder, expected) == ("same", "")


def test_a_lock_with_something_in_it_is_only_a_lock(tmp_path: Path) -> None:
    (tmp_path / "writer.lock").write_bytes(b"damage" * 1000)
    writer = Writer(tmp_path, "digest", "two directions", 2, rebuild=False)
    writer.begin()
    put(writer, "a.txt", "It rained.", NORTH)
    writer.close()
    assert names(tmp_path) == ["a.txt"]


# ---- the cache of models ---------------------------------------------------------------------------------------


def test_every_file_of_a_converted_model_is_checked(seeds_index: Path, tmp_path: Path) -> None:
    models = Path(settings_for(seeds_index).embedding.cache).expanduser() / "models"
    (card,) = (path for path in models.glob("*/embedder.json") if "all-MiniLM-L6-v2" in path.read_text("utf-8"))
    folder = tmp_path / "model"
    shutil.copytree(card.parent, folder)
    assert is_whole(folder / card.name)
    for path in files_of(folder):
        sound = path.read_bytes()
        Damage(flips=((0.5, 1),)).do_to(path)
        assert not is_whole(folder / card.name), path.name
        path.write_bytes(sound)
    (folder / "model.xml").unlink()
    assert not is_whole(folder / card.name)


@only_in_long_runs
def test_a_damaged_model_is_converted_and_compiled_anew(seeds_index: Path, tmp_path: Path) -> None:
    models = Path(settings_for(seeds_index).embedding.cache).expanduser() / "models"
    shutil.copytree(models, tmp_path / "models")
    chosen = replace(settings_for(seeds_index), embedding=EmbeddingSettings(cache=str(tmp_path)))
    vector = open_embedder(chosen).embed_question(QUESTION)
    (blob,) = (tmp_path / "compiled").rglob("*.blob")
    for path in (blob, blob.with_suffix(".xxh3"), next((tmp_path / "models").glob("*/model.bin"))):
        Damage(flips=((0.5, 1),)).do_to(path)
        assert np.array_equal(open_embedder(chosen).embed_question(QUESTION), vector), path.name
    assert blob.with_suffix(".xxh3").is_file()


def test_every_refusal_says_what_to_do(seeds_index: Path, tmp_path: Path) -> None:
    folder = tmp_path / "index"
    shutil.copytree(seeds_index, folder)
    os.truncate(folder / FILE, 50)
    with pytest.raises(WhosaysError) as caught:
        open_store(settings_for(folder))
    assert caught.value.hint
