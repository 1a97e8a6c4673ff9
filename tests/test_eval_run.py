"""A run from end to end: asked in order, failures kept apart, continued after a break, the table in 100 columns."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from eval.cases import KINDS, Case, GoldEvidence, GoldPosition
from eval.compare import compare
from eval.files import Unfinished, read_run
from eval.metrics import Failed
from eval.provenance import Origin, machine, versions
from eval.report import one_line, print_comparison, print_gate, print_report, print_wrong
from eval.run import FORMAT, Result, Run, run
from eval.trace import FoundPassage, Reading, ReadSentence, Trace
from rag.errors import BadInput, BadQuestion, SourceUnknown
from rag.records import REFUSAL, Answer, Citation, Turn

TEXT = "Anna founded Acme. Acme is old."
CITATION = Citation(1, "a.txt", None, None, None, 0, 18, 1, "Anna founded Acme.")
ORIGIN = Origin(
    "2025-06-08T12:00:00Z", "gold.jsonl", "d1", {"split": "all", "kinds": []}, {"index": ".whosays"}, "7", "builtin"
)
TRACE = Trace(
    (FoundPassage("a.txt", 0, 31, 0.9, 0.5, None),),
    (Reading("Who?", 0.1, (ReadSentence("a.txt", 0, 18, 0.8, (0, 4), False, True),)),),
)


def case(id: str, kind: Any = "single", **fields: Any) -> Case:
    any_of = () if kind == "unanswerable" else (("Anna",),)
    plain = {"history": (), "any_of": any_of, "none_of": (), "evidence": (), "positions": (), "line": 1}
    return Case(id, kind, "tune", question=f"Question {id}?", **(plain | fields))


def source_text(name: str) -> str:
    if name != "a.txt":
        raise SourceUnknown(f"There is no source {name!r}.")
    return TEXT


def scripted(case: Case) -> tuple[Answer, Trace]:
    """An end that answers by the question: right, wrong, refused, refused by us, or broken."""
    question = case.question
    if "empty" in question:
        raise BadQuestion("The question is empty.")
    if "broken" in question:
        raise ZeroDivisionError("secret")
    if "refused" in question:
        return Answer(question, "not_in_sources", REFUSAL, timings_ms={"total": 1.0}), Trace()
    name = "Ben" if "wrong" in question else "Anna"
    confidence = 0.9 if "surely" in question else 0.6
    text = f"{name} [1], after {len(case.history)}."
    timings = {"read": 1.5, "total": 2.0}
    return Answer(question, "answered", text, citations=(CITATION,), confidence=confidence, timings_ms=timings), TRACE


CASES = (
    case("right"),
    case("wrong"),
    case("broken"),
    case("refused", "unanswerable"),
    case("surely-wrong", "yesno", history=(Turn("Who?", "Ben."),)),
    case("empty", "yesno"),
)


def asked(cases: Sequence[Case] = CASES, **options: Any) -> Run:
    return run(cases, scripted, source_text, lambda _: None, **options)


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
    finished = asked([CASES[4]])
    assert finished.results[0].answer is not None
    assert finished.results[0].answer.text == "Ben [1], after 1."


@pytest.mark.parametrize("workers", [1, 2])
def test_only_an_interrupt_stops_the_run(workers: int) -> None:
    def interrupted(_case: Case) -> tuple[Answer, Trace]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(CASES, interrupted, source_text, lambda _: None, workers=workers)


def test_several_workers_give_the_results_of_one_in_the_order_of_the_cases() -> None:
    many = [case(f"{'wrong' if place % 3 else 'right'}-{place}") for place in range(40)]
    together = threading.Barrier(4, timeout=30)

    def at_once(asked_case: Case) -> tuple[Answer, Trace]:
        together.wait()  # passes only where four are asked at a time
        return scripted(asked_case)

    seen: list[Result] = []
    finished = run(many, at_once, source_text, seen.append, workers=4)
    assert finished == asked(many)
    assert {result.case.id for result in seen} == {each.id for each in many}


def test_what_is_done_is_not_asked_again() -> None:
    whole = asked()
    done = {result.case.id: result for result in whole.results[:4]}
    seen: list[Result] = []
    assert run(CASES, scripted, source_text, seen.append, done=done) == whole
    assert [result.case.id for result in seen] == ["surely-wrong", "empty"]


def test_kinds_stand_in_the_contracts_order_and_only_those_that_occur() -> None:
    finished = asked(CASES[::-1])
    assert list(finished.kinds) == ["single", "unanswerable", "yesno"]
    assert [(kind.n, kind.failed) for kind in finished.kinds.values()] == [(2, 1), (1, 0), (1, 1)]
    assert (finished.summary.n, finished.summary.failed) == (4, 2)


def test_the_run_file_holds_its_origin_the_sums_and_every_record() -> None:
    record = json.loads(json.dumps(asked().to_json(ORIGIN), allow_nan=False))
    assert list(record) == [
        "version", "created", "gold", "gold_digest", "chosen", "settings", "generation", "model", "seed", "versions",
        "machine", "summary", "kinds", "reliability", "risk_coverage", "suggestion", "cases",
    ]  # fmt: skip
    right, _, broken, *_ = record["cases"]
    assert (Answer.from_json(right["answer"]), Trace.from_json(right["trace"])) == scripted(CASES[0])
    assert right["score"] == {
        "case": "right",
        "correct": True,
        "faults": [],
        "refused": False,
        "refusal_expected": False,
        "confidence": 0.6,
        "best": 0.8,
        "shares": {
            "correct": {"part": 1, "whole": 1},
            "answerable_correct": {"part": 1, "whole": 1},
            "answerable_refused": {"part": 0, "whole": 1},
            "exact_match": {"part": 0, "whole": 1},
            "token_f1": {"part": 0.0, "whole": 1},
            "span_exactness": {"part": 1, "whole": 1},
        },
        "timings_ms": {"read": 1.5, "total": 2.0},
    }
    assert right["failure"] is None
    assert (broken["answer"], broken["score"], broken["trace"]) == (None, None, None)
    assert broken["failure"] == {"case": "broken", "error": "a bug: ZeroDivisionError", "exit_code": 70}
    correct = record["summary"]["correct"]
    assert (correct["rate"], correct["part"], correct["whole"], correct["n"]) == (0.5, 2, 4, 4)
    assert record["summary"]["timings_ms"] == {"read": {"p50": 1.5, "p95": 1.5}, "total": {"p50": 2.0, "p95": 2.0}}


def test_the_origin_names_what_a_figure_depends_on() -> None:
    assert {"python", "whosays", "openvino", "numpy"} <= versions().keys()
    assert machine()["cores"] >= 1
    assert machine()["cpu"]


# ---- a run that breaks off ---------------------------------------------------------------------


def broken_off(out: Path, cases: Sequence[Case] = CASES[:3], origin: Origin = ORIGIN) -> Unfinished:
    """The file of a run that broke off after these cases."""
    unfinished = Unfinished(out, origin)
    unfinished.begin({})
    run(cases, scripted, source_text, unfinished.add)
    unfinished.close()
    return unfinished


def test_a_run_that_broke_off_is_continued_with_the_same_results(tmp_path: Path) -> None:
    unfinished = broken_off(tmp_path / "run.json")
    done = unfinished.resume(CASES)
    # The case that failed is asked again.
    assert done == {result.case.id: result for result in asked(CASES[:2]).results}
    unfinished.begin(done)
    finished = run(CASES, scripted, source_text, unfinished.add, done=done)
    unfinished.finish(finished.to_json(ORIGIN))
    assert finished == asked()
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]
    assert read_run(tmp_path / "run.json") == json.loads(json.dumps(asked().to_json(ORIGIN)))


def test_a_break_while_a_run_is_continued_loses_nothing(tmp_path: Path) -> None:
    unfinished = broken_off(tmp_path / "run.json")
    kept = unfinished.path.read_bytes()

    class Interrupted(dict[str, Result]):
        def values(self) -> Any:
            yield from list(super().values())[:1]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        unfinished.begin(Interrupted(unfinished.resume(CASES)))
    unfinished.close()
    assert unfinished.path.read_bytes() == kept


def test_a_break_before_the_first_case_counts_none(tmp_path: Path) -> None:
    assert Unfinished(tmp_path / "run.json", ORIGIN).kept == 0


def test_a_line_that_was_cut_off_is_asked_again(tmp_path: Path) -> None:
    unfinished = broken_off(tmp_path / "run.json", CASES[:2])
    text = unfinished.path.read_text("utf-8")
    unfinished.path.write_text(text[:-40], "utf-8")
    assert list(unfinished.resume(CASES)) == ["right"]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        pytest.param({"gold_digest": "d2"}, "gold_digest changed", id="other gold"),
        pytest.param({"settings": {"index": "x"}}, "settings changed", id="other settings"),
        pytest.param({"generation": "8"}, "generation changed", id="another state of the index"),
    ],
)
def test_another_run_is_not_continued(tmp_path: Path, changed: dict[str, Any], told: str) -> None:
    broken_off(tmp_path / "run.json")
    with pytest.raises(BadInput, match=told) as caught:
        Unfinished(tmp_path / "run.json", replace(ORIGIN, **changed)).resume(CASES)
    assert caught.value.hint


def test_a_later_time_and_another_machine_do_not_hinder(tmp_path: Path) -> None:
    broken_off(tmp_path / "run.json")
    later = replace(ORIGIN, created="2025-06-09T12:00:00Z", machine={"cpu": "other"})
    assert Unfinished(tmp_path / "run.json", later).resume(CASES)


def test_a_run_that_never_began_cannot_be_continued(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        Unfinished(tmp_path / "run.json", ORIGIN).resume(CASES)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("{", "is no run file", id="no JSON"),
        pytest.param("[]", "is no run file", id="no object"),
        pytest.param('{"a": 1}', "is no run file", id="another object"),
        pytest.param(f'{{"version": {FORMAT - 1}, "cases": []}}', f"has the format {FORMAT - 1}", id="older format"),
        pytest.param(None, "cannot be read", id="no file"),
    ],
)
def test_what_is_no_run_file_is_told(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "run.json"
    if text is not None:
        path.write_text(text, "utf-8")
    with pytest.raises(BadInput, match=message) as caught:
        read_run(path)
    assert caught.value.hint


# ---- on the terminal -------------------------------------------------------------------------


def printed(finished: Run, wrong: Sequence[Result] = (), **options: Any) -> str:
    console = Console(file=io.StringIO(), highlight=False, markup=False, width=100, **options)
    print_report(console, finished)
    print_wrong(console, wrong)
    return console.file.getvalue()  # type: ignore[attr-defined]  # it is the StringIO above


def test_the_report_has_every_figure_with_its_interval_and_a_row_per_kind() -> None:
    lines = [" ".join(line.split()) for line in printed(asked(CASES[:4])).splitlines()]
    assert lines[0] == "%, of 3 95 % interval counted cases"
    assert "correct 66.7 [0.0, 100.0] 2 of 3 3" in lines
    assert "answerable, refused (less is better) 0.0 [0.0, 0.0] 0 of 2 2" in lines
    assert "citations whose span is exact 100.0 [100.0, 100.0] 2 of 2 2" in lines
    assert "unanswerable 1 100 [100, 100] – – –" in lines
    assert "ms read total" in lines
    assert "half within 2 2" in lines
    assert "broken a bug: ZeroDivisionError" in lines
    assert not any(line.startswith("reciprocal rank") for line in lines)


def test_a_comparison_and_a_gate_are_printed_with_both_answers_and_every_reason() -> None:
    now = json.loads(json.dumps(asked().to_json(ORIGIN)))
    then = json.loads(json.dumps(asked().to_json(ORIGIN)))
    now["cases"][0] = {**then["cases"][1], "case": then["cases"][0]["case"]}
    console = Console(file=io.StringIO(), highlight=False, markup=False, width=100)
    print_comparison(console, compare(now, then, "then.json"))
    print_gate(console, ["correct is 0.250, below its floor of 0.500."])
    print_gate(console, [])
    lines = [" ".join(line.split()) for line in console.file.getvalue().splitlines()]  # type: ignore[attr-defined]
    assert lines[1] == "%, against then.json then now difference 95 % n p"
    assert "correct 50.0 25.0 -25.0 [-75.0, +0.0] 4 1.000" in lines
    assert lines[lines.index("Became wrong: 1") :] == [
        "Became wrong: 1",
        "right single",
        "asked Question right?",
        "then Anna [1], after 0.",
        "now Ben [1], after 0.",
        "wrong holds none of: Anna",
        "",
        "Failed in one of the runs, and compared in nothing: broken, empty",
        "",
        "The gate is shut:",
        "correct is 0.250, below its floor of 0.500.",
        "",
        "The gate is open.",
    ]


GOLDEN: dict[str, Any] = {
    "evidence": (GoldEvidence("a.txt", "Anna"),),
    "positions": (GoldPosition(("Anna",), ("a.txt",)), GoldPosition(("Ben",), ("b.txt",))),
}


def test_the_report_fits_a_hundred_columns_and_is_plain_without_a_terminal() -> None:
    every_kind = run([case(f"{kind}-wrong", kind, **GOLDEN) for kind in KINDS], slow, source_text, lambda _: None)
    text = printed(every_kind)
    assert max(len(line) for line in text.splitlines()) <= 100
    assert "\x1b" not in text
    assert "…" not in text
    assert all(kind in text for kind in KINDS)


def slow(case: Case) -> tuple[Answer, Trace]:
    """An end that takes eleven seconds and gets everything right, so that every cell is at its widest."""
    timings = dict.fromkeys(("rewrite", "retrieve", "read", "compose", "total"), 11_000.0)
    return Answer(case.question, "answered", "Anna [1].", citations=(CITATION,), timings_ms=timings), TRACE


def test_wrong_cases_are_listed_with_what_was_asked_and_answered() -> None:
    finished = asked(CASES[:2])
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
