"""Checking a gold file: all faults at once with their lines, counts, warnings, and the exit code."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from eval.cases import load_cases, read_cases
from eval.check_command import check, warnings_of
from rag.errors import BadGold, IndexMissing, SourceUnknown

GOLD = Path(__file__).parent.parent / "eval" / "gold" / "seeds.jsonl"
TEXT = "Anna founded Acme in 1990. Acme is old."


def row(id: str, **fields: Any) -> dict[str, Any]:
    return {"id": id, "kind": "single", "question": f"Who is {id}?", "any_of": [["Anna"]], **fields}


def quoting(quote: str, source: str = "a.txt") -> dict[str, Any]:
    return {"evidence": [{"source": source, "quote": quote}]}


def source_text(name: str) -> str:
    if name != "a.txt":
        raise SourceUnknown(f"There is no source {name!r}.")
    return TEXT


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    def write(*rows: Any) -> Path:
        path = tmp_path / "gold.jsonl"
        path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in rows), "utf-8")
        return path

    return write


def run_check(*arguments: str) -> Result:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(check)
    return CliRunner().invoke(app, list(arguments))


def test_all_faults_of_all_lines_are_found(written: Callable[..., Path]) -> None:
    path = written(
        row("good", **quoting("Anna founded Acme")),
        "{not json",
        {"id": "", "kind": "sing", "question": 7, "any_of": "x", "answer": "y"},
        "",
        row("astray", evidence=[{"source": "a.txt", "quote": "Ben"}, {"source": "b.txt", "quote": "Cy"}]),
        row("good"),
        row("none", kind="unanswerable"),
    )
    reading = read_cases(path, source_text)
    assert [case.id for case in reading.cases] == ["good"]
    told = [(fault.line, fault.message.partition(": ")[2] or fault.message) for fault in reading.faults]
    assert [line for line, _ in told] == [2, 3, 3, 3, 3, 3, 5, 5, 6, 7]
    messages = " ".join(fault.message for fault in reading.faults)
    for said in ("answer is not a known field", "id is ''", "kind is 'sing'", "question is 7", "any_of is 'x'"):
        assert said in messages
    for said in ("the source 'b.txt'", "quotes 'Ben'", "id 'good', which line 1", "must be empty"):
        assert said in messages
    assert all(fault.hint for fault in reading.faults)
    with pytest.raises(BadGold, match=r"Line 2 of gold\.jsonl is not valid JSON"):
        load_cases(path, source_text)


fields = st.sampled_from(["id", "kind", "question", "any_of", "evidence"])
values = st.recursive(st.none() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(fields, x))
lines = st.lists(
    st.one_of(
        st.builds(lambda id, quote: json.dumps(row(id, **quoting(quote))), st.text(), st.sampled_from([TEXT, "Ben"])),
        st.builds(json.dumps, values),
        st.text(st.characters(exclude_characters="\r\n", codec="utf-8")),
    ),
    max_size=5,
)


@given(lines)
def test_a_file_loads_exactly_where_it_has_no_fault(tmp_path_factory: pytest.TempPathFactory, some: list[str]) -> None:
    path = tmp_path_factory.mktemp("gold") / "gold.jsonl"
    path.write_bytes("\n".join(some).encode("utf-8"))
    reading = read_cases(path, source_text)
    if reading.faults:
        with pytest.raises(BadGold) as first:
            load_cases(path, source_text)
        assert (first.value.message, first.value.hint) == (reading.faults[0].message, reading.faults[0].hint)
    else:
        assert load_cases(path, source_text) == reading.cases
    assert [fault.line for fault in reading.faults] == sorted(fault.line for fault in reading.faults)


def test_the_projects_own_gold_has_no_fault(seeds_index: Path) -> None:
    done = run_check(str(GOLD), "--index", str(seeds_index), "--json")
    record = json.loads(done.stdout)
    assert (done.exit_code, record["sound"], record["against_index"], record["faults"]) == (0, True, True, [])
    assert record["cases"] == sum(sum(splits.values()) for splits in record["kinds"].values())


def test_faults_are_printed_and_give_exit_code_2(written: Callable[..., Path], seeds_index: Path) -> None:
    done = run_check(str(written(row("a", **quoting("Anna")), row("b"), "[]")), "--index", str(seeds_index))
    assert done.exit_code == 2
    assert "Line 1 of gold.jsonl names the source 'a.txt', which is not in the index." in done.stdout
    assert "Line 3 of gold.jsonl must be an object" in done.stdout
    assert "1 sound case, 2 faults." in done.stdout
    assert "Traceback" not in done.output


def test_without_an_index_sources_are_taken_on_trust_and_that_is_said(
    written: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WHOSAYS_INDEX", raising=False)
    path = str(written(row("a", **quoting("Anna"))))
    done = run_check(path)
    assert done.exit_code == 0
    assert "sources and quotes were not checked" in done.stdout
    assert json.loads(run_check(path, "--json").stdout)["against_index"] is False
    assert isinstance(run_check(path, "--index", "nowhere").exception, IndexMissing)


def test_odd_cases_are_warned_of_and_do_no_harm(
    written: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WHOSAYS_INDEX", raising=False)
    path = written(
        row("one", question="Who founded  Acme?", **quoting("Anna founded Acme")),
        row("two", question="who founded Acme?", **quoting("Anna founded Acme")),
        row("later", question="Who founded Acme?", history=[{"question": "Acme?", "answer": "A firm."}]),
        row("astray", question="When?", any_of=[["1990", "in 1990"], ["1991"]], **quoting("Acme in 1990")),
        row("worded", kind="yesno", question="Is Acme old?", any_of=[["Yes"]], **quoting("Acme is old.")),
    )
    warnings = list(warnings_of(read_cases(path, source_text).cases))
    assert [(warning.line, warning.message.partition(" ")[0]) for warning in warnings if warning.line] == [
        (2, "two"),
        (4, "astray"),
    ]
    assert "1991, which stands in none of its quotes" in warnings[1].message
    missing = [warning.message for warning in warnings if not warning.line]
    assert len(missing) == 5 and "No case is of the kind unanswerable." in missing
    assert "Warning: Line 2: two asks what one in line 1 asks" in run_check(str(path)).stdout
