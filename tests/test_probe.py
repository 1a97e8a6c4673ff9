"""How to compute fastest: measured once on each machine, looked up from then on, and never in the asking path."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rag import wiring
from rag.backends.openvino import OpenVinoEmbedder, passages_a_second
from rag.backends.openvino_engine import by_flags
from rag.backends.sentence_transformers import best_device, device
from rag.doctor import check_up
from rag.errors import BadSettings
from rag.probe import Machine, Probed, Way, keep, kept, probed
from rag.processor import cores_granted, processor_name
from rag.settings import EmbeddingSettings, Settings, load_settings
from rag.wiring import open_embedder, open_indexer

HERE = Machine("A processor", 4, "2026.4", "model")
FOUND = Probed(Way("f32", 2), {"bf16, automatic streams": 50.0, "f32, 2 streams": 80.5})


def test_what_is_kept_is_found_again(tmp_path: Path) -> None:
    assert kept(tmp_path / "machines", HERE) is None
    keep(tmp_path / "machines", HERE, FOUND)
    assert kept(tmp_path / "machines", HERE) == FOUND
    assert [path.suffix for path in (tmp_path / "machines").iterdir()] == [".json"]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(replace(HERE, processor="Another"), id="another processor"),
        pytest.param(replace(HERE, cores=2), id="fewer cores granted"),
        pytest.param(replace(HERE, openvino="2026.5"), id="another OpenVINO"),
        pytest.param(replace(HERE, model="another"), id="another model"),
    ],
)
def test_another_machine_is_measured_anew(tmp_path: Path, other: Machine) -> None:
    keep(tmp_path, HERE, FOUND)
    assert kept(tmp_path, other) is None
    (file,) = tmp_path.iterdir()
    keep(tmp_path, other, replace(FOUND, way=Way("bf16", 1)))
    (mine,) = [path for path in tmp_path.iterdir() if path != file]
    mine.write_bytes(file.read_bytes())  # a file that was copied from elsewhere says so itself
    assert kept(tmp_path, other) is None


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff\xfe not text", id="not text"),
        pytest.param(b"[1, 2]", id="a list"),
        pytest.param(b'{"machine"', id="cut off"),
        pytest.param({"precision": "int1"}, id="no such precision"),
        pytest.param({"precision": None}, id="no precision"),
        pytest.param({"streams": -1}, id="negative streams"),
        pytest.param({"streams": 5}, id="more streams than cores"),
        pytest.param({"streams": True}, id="streams of truth"),
        pytest.param({"rates": {"f32": "fast"}}, id="a rate in words"),
        pytest.param({"rates": 3}, id="rates that are none"),
    ],
)
def test_a_damaged_file_counts_for_nothing(tmp_path: Path, damage: bytes | dict[str, object]) -> None:
    keep(tmp_path, HERE, FOUND)
    (file,) = tmp_path.iterdir()
    whole = json.loads(file.read_text("utf-8"))
    file.write_bytes(damage if isinstance(damage, bytes) else json.dumps(whole | damage).encode())
    assert kept(tmp_path, HERE) is None


def test_a_place_that_takes_no_file_costs_only_time(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    keep(tmp_path / "file" / "machines", HERE, FOUND)
    assert kept(tmp_path / "file" / "machines", HERE) is None


@pytest.mark.parametrize(
    ("rates", "chosen"),
    [
        pytest.param({"f32": 40, "bf16": 70, "bf16 1": 60, "bf16 2": 71, "bf16 4": 90}, Way("bf16", 4), id="streams"),
        pytest.param({"f32": 70, "bf16": 50, "f32 1": 60, "f32 2": 71, "f32 4": 72}, Way("f32"), id="no hardware"),
        pytest.param({"f32": 71, "bf16": 70, "bf16 1": 73, "bf16 2": 1, "bf16 4": 1}, Way("bf16"), id="noise"),
    ],
)
def test_what_is_clearly_fastest_is_chosen(rates: dict[str, float], chosen: Way) -> None:
    found = probed(Way("bf16"), 4, lambda way: rates[f"{way.precision} {way.streams or ''}".strip()])
    assert found.way == chosen
    assert sorted(found.rates.values()) == sorted(map(float, rates.values()))


@pytest.mark.parametrize(
    ("files", "most"),
    [
        pytest.param({"cpu.max": "100000 100000\n"}, 1, id="one core"),
        pytest.param({"cpu.max": "150000 100000\n"}, 2, id="one and a half, rounded up"),
        pytest.param({"cpu.max": "max 100000\n"}, None, id="no quota"),
        pytest.param({"cpu.max": "1000 100000\n"}, 1, id="less than a core"),
        pytest.param({"app/cpu.max": "100000 100000\n", "cpu.max": "max 100000\n"}, 1, id="of the own group"),
        pytest.param({"cpu/cpu.cfs_quota_us": "100000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1, id="version 1"),
        pytest.param({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None, id="none, version 1"),
        pytest.param({"cpu.max": "nonsense"}, None, id="nonsense"),
        pytest.param({}, None, id="no groups"),
    ],
)
def test_no_more_cores_are_used_than_granted(tmp_path: Path, files: dict[str, str], most: int | None) -> None:
    for name, text in files.items():
        (tmp_path / "cgroup" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "cgroup" / name).write_text(text)
    own = tmp_path / "own"
    own.write_text("0::/app\n1:cpu,cpuacct:/host/path\n2:memory:/elsewhere\n")
    bound = len(os.sched_getaffinity(0))
    assert cores_granted(tmp_path / "cgroup", own) == min(bound, most or bound)


def test_the_processor_has_a_name(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text(
        "processor : 0\nmodel name\t: A CPU\ncpu family\t: 6\nmodel\t: 143\nstepping : 8\n"
    )
    assert processor_name(tmp_path / "cpuinfo") == "A CPU 6 143 8"
    assert processor_name(tmp_path / "nowhere") != ""


# ---- with the real model -----------------------------------------------------------------------


@pytest.fixture
def own_cache(tmp_path: Path) -> Settings:
    """Settings whose cache holds the converted model and nothing measured."""
    cache = load_settings(os.environ).embedding.cache
    open_embedder(Settings(embedding=EmbeddingSettings(cache=cache)))
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "models").symlink_to(Path(cache).expanduser() / "models")
    return Settings(index=str(tmp_path / "index"), embedding=EmbeddingSettings(cache=str(tmp_path / "cache")))


def pace(settings: Settings) -> str:
    return next(check.detail for check in check_up(settings) if check.name == "embedding pace")


def test_the_first_indexing_measures_and_asking_does_not(own_cache: Settings) -> None:
    open_embedder(own_cache)
    machines = Path(own_cache.embedding.cache) / "machines"
    assert not machines.exists()
    assert "not measured yet" in pace(own_cache)
    open_indexer(own_cache).close()
    (file,) = machines.iterdir()
    rates = json.loads(file.read_text("utf-8"))["rates"]
    assert all(rate > 0 for rate in rates.values())
    assert {name[:3] for name in rates} == {"bf1", "f32"}
    assert all(name in pace(own_cache) for name in rates)
    written = file.stat().st_mtime_ns
    open_indexer(own_cache).close()
    assert file.stat().st_mtime_ns == written


def test_what_was_measured_and_what_is_set_decide(own_cache: Settings) -> None:
    def way(**changed: object) -> Way:
        settings = replace(own_cache, embedding=replace(own_cache.embedding, **changed))
        return wiring._way(settings, "model")("2026.4")

    assert way() == by_flags()
    other = "f32" if by_flags().precision == "bf16" else "bf16"
    here = Machine(processor_name(), cores_granted(), "2026.4", "model")
    keep(Path(own_cache.embedding.cache) / "machines", here, Probed(Way(other, 1)))
    assert way() == Way(other, 1)
    assert way(precision=by_flags().precision) == by_flags()
    assert way(streams=3) == Way(other, 3)
    with pytest.raises(BadSettings, match="int8"):
        way(precision="int8")


def test_every_way_gives_the_same_vectors(own_cache: Settings) -> None:
    cache = Path(own_cache.embedding.cache)
    (folder,) = [path for path in (cache / "models").iterdir() if (path / "embedder.json").is_file()][:1]
    texts = ["It rained.", "The council of the town met on Monday to speak about the harvest. " * 9]
    vectors = [
        OpenVinoEmbedder(folder, cache / "compiled", way=lambda _, way=way: way).embed(texts)  # type: ignore[misc]
        for way in (Way("f32", 1), Way("bf16", 1), Way("f32", 2))
    ]
    assert all(((rows * vectors[0]).sum(axis=1) >= 0.999).all() for rows in vectors)
    assert np.allclose(vectors[0], vectors[2], atol=1e-5)
    assert passages_a_second(folder, cache / "compiled", Way("f32", 1)) > 0


@pytest.mark.parametrize(
    ("cuda", "mps", "chosen"),
    [(True, True, "cuda"), (True, False, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_a_gpu_is_used_where_torch_sees_one(cuda: bool, mps: bool, chosen: str) -> None:
    assert best_device(cuda, mps) == chosen
    assert device() in ("cuda", "mps", "cpu")


@pytest.mark.parametrize(("name", "least"), [("EMBEDDING__STREAMS", 0), ("SEARCH__MEMORY_MB", 1)])
def test_a_number_that_is_too_small_is_refused_with_the_least_that_may_be(name: str, least: int) -> None:
    with pytest.raises(BadSettings, match=f"a whole number, {least} or more"):
        load_settings({f"WHOSAYS_{name}": "-1"})
    assert load_settings({f"WHOSAYS_{name}": str(least)})
