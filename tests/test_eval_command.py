"""`whosays eval` over a real index: what it prints and writes, what it refuses, and what its gate catches."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from eval.command import command_named, evaluate
from rag.errors import BadGold, BadInput, IndexMissing, WhosaysError
from rag.settings import load_settings
from tests.conftest import only_in_long_runs

ROOT = Path(__file__).parent.parent
SEEDS_GOLD = ROOT / "eval" / "gold" / "seeds.jsonl"

GOLD = (
    {
        "id": "who",
        "kind": "single",
        "question": "Who founded Scale AI?",
        "any_of": [["Alexandr Wang", "Alexander Wang"]],
        "evidence": [
            {"source": "002_2d9ecda08faa1a08.txt", "quote": "Scale AI, founded in 2016 by Alexandr Wang, specializes"}
        ],
    },
    {"id": "moon", "kind": "unanswerable", "split": "test", "question": "Who baked the moon?", "any_of": []},
    {
        "id": "when",
        "kind": "followup",
        "question": "When did he do that?",
        "history": [{"question": "Who founded Scale AI?", "answer": "Alexandr Wang founded it."}],
        "any_of": [["2016"]],
    },
)


@pytest.fixture
def index(seeds_index: Path) -> Path:
    return seeds_index


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder with a gold file of three cases."""
    (tmp_path / "gold.jsonl").write_text("\n".join(map(json.dumps, GOLD)), "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def invoke(*arguments: str) -> Any:
    """Run the command as a program would; an error that is ours comes back as itself."""
    app = typer.Typer()
    app.command("eval")(evaluate)
    result = CliRunner().invoke(app, list(arguments))
    if isinstance(result.exception, WhosaysError):
        raise result.exception
    return result


def without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: without_times(v) for k, v in value.items() if k not in ("created", "timings_ms")}
    return [without_times(item) for item in value] if isinstance(value, list) else value


def test_two_runs_give_the_same_figures_bit_for_bit_however_many_workers_there_are(index: Path, place: Path) -> None:
    for name, workers in (("one.json", "1"), ("two.json", "3")):
        result = invoke("gold.jsonl", "--index", str(index), "--out", name, "--workers", workers)
        assert result.exit_code == 0, result.output
        assert result.output.splitlines()[-1] == f"The run is in {name}"
    one, two = (json.loads((place / name).read_text("utf-8")) for name in ("one.json", "two.json"))
    assert without_times(one) == without_times(two)
    assert [row["case"]["id"] for row in one["cases"]] == ["who", "moon", "when"]
    exactness = one["summary"]["span_exactness"]
    assert exactness["part"] == exactness["whole"] > 0
    assert one["summary"]["recall@10"]["rate"] == 1
    assert one["summary"]["alce_recall"]["whole"] == sum(len(row["answer"]["claims"]) for row in one["cases"])
    assert sorted(path.name for path in place.iterdir()) == ["gold.jsonl", "one.json", "two.json"]


def test_the_run_goes_to_a_dot_folder_by_default_and_the_place_is_printed(index: Path, place: Path) -> None:
    result = invoke("gold.jsonl", "--index", str(index), "--split", "test")
    (written,) = (place / ".runs").iterdir()
    assert result.output.splitlines()[-1] == f"The run is in .runs/{written.name}"
    record = json.loads(written.read_text("utf-8"))
    assert record["created"].replace("-", "").replace(":", "") in written.name
    assert record["settings"] == load_settings({}, flags={"index": str(index)}).to_json()


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        pytest.param(["--split", "tune"], ["who", "when"], id="tuning cases"),
        pytest.param(["--split", "test"], ["moon"], id="held-out cases"),
        pytest.param(["--kind", "followup", "--kind", "unanswerable"], ["moon", "when"], id="two kinds"),
    ],
)
def test_a_split_and_kinds_can_be_chosen_and_json_is_printed_alone(
    index: Path, place: Path, options: list[str], ids: list[str]
) -> None:
    result = invoke("gold.jsonl", "--index", str(index), "--json", *options)
    record = json.loads(result.stdout)
    assert [row["case"]["id"] for row in record["cases"]] == ids
    assert [path.name for path in place.iterdir()] == ["gold.jsonl"]


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["gold.jsonl", "--split", "dev"], "--split is 'dev'", id="unknown split"),
        pytest.param(["gold.jsonl", "--kind", "hard"], "--kind is 'hard'", id="unknown kind"),
        pytest.param(["gold.jsonl", "--kind", "multi"], "No case has split 'all' and kind multi", id="no case left"),
        pytest.param(["none.jsonl"], "none.jsonl cannot be read", id="no gold file"),
        pytest.param(["gold.jsonl", "--out", "gold.jsonl/run.json"], "cannot be written", id="no room for the run"),
        pytest.param(["gold.jsonl", "--out", "."], "is a folder", id="the run's place is a folder"),
        pytest.param([], "There is no gold file", id="neither gold nor a suite"),
        pytest.param(["--suite", "squad"], "needs its data", id="a suite without data"),
        pytest.param(["gold.jsonl", "--resume"], "No run of gold.jsonl", id="nothing broke off"),
        pytest.param(["gold.jsonl", "--against", "none.json"], "none.json cannot be read", id="no earlier run"),
        pytest.param(["gold.jsonl", "--gate", "none.toml"], "none.toml cannot be read", id="no gate"),
    ],
)
def test_bad_input_is_told_before_the_first_question(index: Path, arguments: list[str], message: str) -> None:
    with pytest.raises(BadInput, match=message) as caught:
        invoke(*arguments, "--index", str(index))
    assert caught.value.hint


def test_a_source_that_is_not_indexed_is_told_with_its_line(index: Path, place: Path) -> None:
    line = GOLD[0] | {"evidence": [{"source": "999.txt", "quote": "x"}]}
    (place / "gold.jsonl").write_text(json.dumps(line), "utf-8")
    with pytest.raises(BadGold, match=r"Line 1 of gold\.jsonl names the source '999\.txt'"):
        invoke("gold.jsonl", "--index", str(index))


def test_a_missing_index_is_told(place: Path) -> None:
    with pytest.raises(IndexMissing) as caught:
        invoke("gold.jsonl", "--index", "nowhere")
    assert caught.value.hint
    assert [path.name for path in place.iterdir()] == ["gold.jsonl"]


@pytest.mark.parametrize("page", ["nowhere/report.html", "."])
def test_a_report_that_cannot_be_written_is_told_before_anything_is_asked(index: Path, place: Path, page: str) -> None:
    with pytest.raises(BadInput, match="The report cannot be written"):
        invoke("gold.jsonl", "--index", str(index), "--html", page)
    assert not (place / ".runs").exists()


def test_a_case_that_fails_is_printed_and_gives_its_exit_code(index: Path, place: Path) -> None:
    too_long = GOLD[1] | {"question": "Why? " * 20_000}
    (place / "gold.jsonl").write_text(json.dumps(too_long), "utf-8")
    result = invoke("gold.jsonl", "--index", str(index))
    assert result.exit_code == 2
    assert "Failed, and counted in no figure: 1\n  moon  bad_question: " in result.output


# ---- broken off, and the commands beside ---------------------------------------------------------


def test_an_interrupted_run_says_how_to_go_on_and_goes_on(index: Path, place: Path) -> None:
    lines = [json.dumps(GOLD[0] | {"id": f"who-{n}"}) for n in range(300)]
    (place / "gold.jsonl").write_text("\n".join(lines), "utf-8")
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-m", "service.cli", "eval", "gold.jsonl", "--index", str(index), "--out", "run.json"]
    program = subprocess.Popen([*words, "--workers", "2"], cwd=place, env=environ, stderr=subprocess.PIPE, text=True)
    part = place / "run.json.part"
    while program.poll() is None and (not part.exists() or part.read_bytes().count(b"\n") < 4):
        time.sleep(0.05)
    program.send_signal(signal.SIGINT)
    _, told = program.communicate(timeout=120)
    assert program.returncode == 130, told
    kept = part.read_text("utf-8").count("\n") - 1
    assert f"Stopped after {kept} of 300. To go on:" in told
    assert "--out run.json --resume" in told
    # Most of the rest is kept as if it had been asked, so that the test need not wait for it.
    first, answered, *_ = part.read_text("utf-8").splitlines()
    rest = [answered.replace('"who-0"', f'"who-{n}"').replace('"who-1"', f'"who-{n}"') for n in range(298)]
    part.write_text("\n".join([first, *rest]) + "\n", "utf-8")
    result = invoke("gold.jsonl", "--index", str(index), "--out", "run.json", "--resume")
    assert result.exit_code == 0, result.output
    record = json.loads((place / "run.json").read_text("utf-8"))
    assert [row["case"]["id"] for row in record["cases"]] == [f"who-{n}" for n in range(300)]
    assert not part.exists()


@pytest.mark.parametrize("name", ["draft", "check"])
def test_the_commands_beside_are_called_by_name(name: str) -> None:
    function, left, called = command_named([name, "x"])
    assert (function.__name__, left, called) == (name, ["x"], name)


def test_anything_else_is_a_gold_file() -> None:
    assert command_named(["./draft", "--wrong"]) == (evaluate, ["./draft", "--wrong"], "")
    assert command_named([]) == (evaluate, [], "")


# ---- compared and gated --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def earlier(seeds_index: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ten plain questions of the project's gold, a run over them, and a gate against that run."""
    folder = tmp_path_factory.mktemp("earlier")
    cases = [json.loads(line) for line in SEEDS_GOLD.read_text("utf-8").splitlines()]
    single = [case for case in cases if case["kind"] == "single" and len(case["evidence"]) > 1][:10]
    (folder / "gold.jsonl").write_text("\n".join(map(json.dumps, single)), "utf-8")
    (folder / "gate.toml").write_text('baseline = "run.json"\n[losses]\ncorrect = 0\n"recall@5" = 0\n', "utf-8")
    result = invoke(
        str(folder / "gold.jsonl"), "--index", str(seeds_index), "--out", str(folder / "run.json"), "--workers", "2"
    )
    assert result.exit_code == 0, result.output
    return folder


@pytest.mark.parametrize(
    ("changed", "lost"),
    [
        pytest.param(
            {"WHOSAYS_ANSWER__THRESHOLD": "0.95"},
            "correct went from",
            id="the threshold moved",
            marks=only_in_long_runs,
        ),
        pytest.param({"WHOSAYS_SEARCH__TOP_K": "1"}, "recall@5 went from", id="only one passage is read"),
        pytest.param({"WHOSAYS_SEARCH__CANDIDATES": "60"}, None, id="harmless: more candidates"),
    ],
)
def test_the_gate_catches_a_planted_regression_and_lets_a_harmless_change_pass(
    seeds_index: Path, earlier: Path, monkeypatch: pytest.MonkeyPatch, changed: dict[str, str], lost: str | None
) -> None:
    for name, value in changed.items():
        monkeypatch.setenv(name, value)
    gold, gate = str(earlier / "gold.jsonl"), str(earlier / "gate.toml")
    result = invoke(gold, "--index", str(seeds_index), "--gate", gate, "--json", "--workers", "2")
    record = json.loads(result.stdout)
    if lost:
        assert (result.exit_code, record["gate"]["open"]) == (1, False)
        assert any(reason.startswith(lost) for reason in record["gate"]["reasons"])
    else:
        assert (result.exit_code, record["gate"]) == (0, {"open": True, "reasons": []})
    assert record["comparison"]["against"] == "run.json"


def test_a_run_over_other_gold_is_refused_before_the_first_question(index: Path, place: Path, earlier: Path) -> None:
    with pytest.raises(BadInput, match=r"run\.json was made with another gold file"):
        invoke("gold.jsonl", "--index", str(index), "--against", str(earlier / "run.json"))
    assert [path.name for path in place.iterdir()] == ["gold.jsonl"]


def test_allowed_losses_need_an_earlier_run(index: Path, place: Path) -> None:
    (place / "gate.toml").write_text("[losses]\ncorrect = 0\n", "utf-8")
    with pytest.raises(BadInput, match="allows losses, but against what"):
        invoke("gold.jsonl", "--index", str(index), "--gate", "gate.toml")


def test_a_run_compared_with_itself_has_changed_nowhere_and_is_printed(index: Path, place: Path) -> None:
    invoke("gold.jsonl", "--index", str(index), "--out", "run.json", "--kind", "single")
    result = invoke(
        *("gold.jsonl", "--index", str(index), "--out", "next.json", "--kind", "single", "--against", "run.json"),
        *("--html", "report.html"),
    )
    assert result.exit_code == 0, result.output
    assert "%, against run.json" in result.output
    assert "Became" not in result.output
    assert result.output.splitlines()[-2:] == ["The report is in report.html", "The run is in next.json"]
    assert "Who founded Scale AI?" in (place / "report.html").read_text("utf-8")
