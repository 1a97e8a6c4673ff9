"""A run from end to end: asked in order, failures kept apart, the same each time, the table within 100 columns."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from eval.cases import KINDS, Case
from eval.command import evaluate
from eval.metrics import Failed
from eval.report import one_line, print_report, print_wrong
from eval.run import Origin, Result, Run, run
from rag.errors import BadGold, BadInput, BadQuestion, IndexMissing, SourceUnknown, WhosaysError
from rag.records import REFUSAL, Answer, Citation, Turn
from rag.settings import Settings, load_settings

SEEDS = Path(__file__).parent.parent / "seeds"
TEXT = "Anna founded Acme. Acme is old."
CITATION = Citation(1, "a.txt", None, None, None, 0, 18, 1, "Anna founded Acme.")
ORIGIN = Origin("2025-06-08T12:00:00Z", "gold.jsonl", {"index": ".whosays"}, "7", "builtin")


def case(id: str, kind: Any = "single", **fields: Any) -> Case:
    any_of = () if kind == "unanswerable" else (("Anna",),)
    plain = {"history": (), "any_of": any_of, "none_of": (), "evidence": (), "positions": (), "line": 1}
    return Case(id, kind, "tune", question=f"Question {id}?", **(plain | fields))


def source_text(name: str) -> str:
    if name != "a.txt":
        raise SourceUnknown(f"There is no source {name!r}.")
    return TEXT


def scripted(question: str, history: Sequence[Turn]) -> Answer:
    """An end that answers by the question: right, wrong, refused, refused by us, or broken."""
    if "empty" in question:
        raise BadQuestion("The question is empty.")
    if "broken" in question:
        raise ZeroDivisionError("secret")
    if "refused" in question:
        return Answer(question, "not_in_sources", REFUSAL, timings_ms={"total": 1.0})
    name = "Ben" if "wrong" in question else "Anna"
    confidence = 0.9 if "surely" in question else 0.6
    text = f"{name} [1], after {len(history)}."
    return Answer(question, "answered", text, citations=(CITATION,), confidence=confidence, timings_ms={"total": 2.0})


CASES = (
    case("right"),
    case("wrong"),
    case("broken"),
    case("refused", "unanswerable"),
    case("surely-wrong", "yesno", history=(Turn("Who?", "Ben."),)),
    case("empty", "yesno"),
)


def test_every_case_is_asked_in_order_and_failures_do_not_stop_the_run(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[Result] = []
    finished = run(CASES, scripted, source_text, seen.append)
    assert tuple(seen) == finished.results
    assert [result.case for result in finished.results] == list(CASES)
    assert finished.failures == (
        Failed("broken", "a bug: ZeroDivisionError", 70),
        Failed("empty", "bad_question: The question is empty.", 2),
    )
    assert [result.case.id for result in finished.wrong] == ["wrong", "surely-wrong"]
    assert [result.case.id for result in finished.worst(1)] == ["surely-wrong"]
    assert "Traceback" in caplog.text
    assert "The case broken failed." in caplog.text


def test_a_case_is_asked_with_its_history() -> None:
    finished = run([CASES[4]], scripted, source_text, lambda _: None)
    assert finished.results[0].answer is not None
    assert finished.results[0].answer.text == "Ben [1], after 1."


def test_only_an_interrupt_stops_the_run() -> None:
    def interrupted(_question: str, _history: Sequence[Turn]) -> Answer:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(CASES, interrupted, source_text, lambda _: None)


def test_kinds_stand_in_the_contracts_order_and_only_those_that_occur() -> None:
    finished = run(CASES[::-1], scripted, source_text, lambda _: None)
    assert list(finished.kinds) == ["single", "unanswerable", "yesno"]
    assert [(kind.n, kind.failed) for kind in finished.kinds.values()] == [(2, 1), (1, 0), (1, 1)]
    assert (finished.summary.n, finished.summary.failed) == (4, 2)


def test_the_run_file_holds_its_origin_the_sums_and_every_record() -> None:
    record = json.loads(json.dumps(run(CASES, scripted, source_text, lambda _: None).to_json(ORIGIN)))
    assert list(record) == [
        "version", "created", "gold", "settings", "generation", "model", "summary", "kinds", "cases",
    ]  # fmt: skip
    right, _, broken, *_ = record["cases"]
    assert Answer.from_json(right["answer"]) == scripted("Question right?", ())
    assert right["score"] == {
        "case": "right",
        "correct": True,
        "faults": [],
        "refused": False,
        "refusal_expected": False,
        "span_exactness": {"part": 1, "whole": 1},
        "evidence_recall": {"part": 0, "whole": 0},
        "citation_precision": {"part": 0, "whole": 0},
        "position_precision": {"part": 0, "whole": 0},
        "position_recall": {"part": 0, "whole": 0},
        "silent_pick": {"part": 0, "whole": 0},
        "timings_ms": {"total": 2.0},
    }
    assert right["failure"] is None
    assert (broken["answer"], broken["score"]) == (None, None)
    assert broken["failure"] == {"case": "broken", "error": "a bug: ZeroDivisionError", "exit_code": 70}
    assert record["summary"]["correct"] == {"rate": 0.5, "part": 2, "whole": 4}


# ---- on the terminal -------------------------------------------------------------------------


def printed(finished: Run, wrong: Sequence[Result] = (), **options: Any) -> str:
    console = Console(file=io.StringIO(), highlight=False, markup=False, width=100, **options)
    print_report(console, finished)
    print_wrong(console, wrong)
    return console.file.getvalue()  # type: ignore[attr-defined]  # it is the StringIO above


def test_the_table_has_a_row_per_kind_and_a_dash_where_there_is_nothing() -> None:
    lines = printed(run(CASES[:4], scripted, source_text, lambda _: None)).splitlines()
    rows = [line.split() for line in lines[2:5]]
    assert rows == [
        ["single", "2", "50.0", "–", "–", "0.0", "100.0", "–", "–", "–", "2", "2"],
        ["unanswerable", "1", "100.0", "100.0", "100.0", "–", "–", "–", "–", "–", "1", "1"],
        ["all", "3", "66.7", "100.0", "100.0", "0.0", "100.0", "–", "–", "–", "2", "2"],
    ]
    assert "Of the answerable, correct: 1 of 2 (50.0 %)" in lines
    assert "Of the disputed, one value picked silently: –" in lines
    assert "  broken  a bug: ZeroDivisionError" in lines


def test_the_report_fits_a_hundred_columns_and_is_plain_without_a_terminal() -> None:
    every_kind = run([case(f"{kind}-wrong", kind) for kind in KINDS], slow, source_text, lambda _: None)
    text = printed(every_kind)
    assert max(len(line) for line in text.splitlines()) <= 100
    assert "\x1b" not in text
    assert "…" not in text
    assert all(kind in text for kind in KINDS)


def slow(question: str, _history: Sequence[Turn]) -> Answer:
    """An end that takes eleven seconds and gets everything right, so that every cell is at its widest."""
    return Answer(question, "answered", "Anna [1].", citations=(CITATION,), timings_ms={"total": 11_000.0})


def test_wrong_cases_are_listed_with_what_was_asked_and_answered() -> None:
    finished = run(CASES[:2], scripted, source_text, lambda _: None)
    listed = printed(finished, finished.wrong).splitlines()[-4:]
    assert [line.rstrip() for line in listed] == [
        "wrong  single  line 1",
        "  asked    Question wrong?",
        "  answered Ben [1], after 0.",
        "  wrong    holds none of: Anna",
    ]


def test_a_listed_text_is_one_line_that_no_terminal_obeys() -> None:
    assert one_line("a\x1b[2Jb\r\nc\u202ed", 20) == "a [2Jb c d"
    assert one_line("abcdef", 4) == "abc…"


# ---- the command over a real index -----------------------------------------------------------

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


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from rag.wiring import open_indexer

    folder = tmp_path_factory.mktemp("index")
    indexer = open_indexer(Settings(index=str(folder)))
    indexer.run([SEEDS], lambda _: None)
    indexer.close()
    return folder


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


def test_two_runs_differ_only_in_their_times(index: Path, place: Path) -> None:
    for name in ("one.json", "two.json"):
        result = invoke("gold.jsonl", "--index", str(index), "--out", name)
        assert result.exit_code == 0, result.output
        assert result.output.splitlines()[-1] == f"The run is in {name}"
    one, two = (json.loads((place / name).read_text("utf-8")) for name in ("one.json", "two.json"))
    assert without_times(one) == without_times(two)
    assert [row["case"]["id"] for row in one["cases"]] == ["who", "moon", "when"]
    exactness = one["summary"]["span_exactness"]
    assert exactness["part"] == exactness["whole"] > 0
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
    assert [row["case"]["id"] for row in json.loads(result.stdout)["cases"]] == ids
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


def test_a_case_that_fails_is_printed_and_gives_its_exit_code(index: Path, place: Path) -> None:
    too_long = GOLD[1] | {"question": "Why? " * 20_000}
    (place / "gold.jsonl").write_text(json.dumps(too_long), "utf-8")
    result = invoke("gold.jsonl", "--index", str(index))
    assert result.exit_code == 2
    assert "Failed, and counted in no figure: 1\n  moon  bad_question: " in result.output
