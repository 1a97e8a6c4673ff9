"""Gold files: what loads, and which line is named where one breaks the format."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.cases import KINDS, SPLITS, Case, GoldEvidence, GoldPosition, load_cases
from rag.errors import BadGold, SourceUnknown
from rag.records import Turn

TEXTS = {"a.txt": "Anna founded Acme in 2016. It is worth $7.3 billion.", "b.txt": "Acme is worth $14 billion."}

CONFLICT = {
    "id": "worth",
    "kind": "conflict",
    "split": "test",
    "question": "What is it worth?",
    "history": [{"question": "Who founded Acme?", "answer": "Anna."}],
    "any_of": [["7.3 billion"], ["13.8 billion", "14 billion"]],
    "none_of": ["80 billion"],
    "evidence": [{"source": "a.txt", "quote": "worth $7.3 billion"}],
    "positions": [{"value": ["13.8 billion", "14 billion"], "sources": ["b.txt"]}],
}
SHORT = {"id": "who", "kind": "single", "question": "Who founded Acme?", "any_of": [["Anna"]]}
UNANSWERABLE = {"id": "moon", "kind": "unanswerable", "question": "Who founded the moon?", "any_of": []}


def source_text(name: str) -> str:
    if name not in TEXTS:
        raise SourceUnknown(f"There is no source {name!r}.")
    return TEXTS[name]


def gold(folder: Path, *lines: object) -> Path:
    path = folder / "gold.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines), "utf-8")
    return path


def test_every_field_of_a_case_is_read(tmp_path: Path) -> None:
    assert load_cases(gold(tmp_path, CONFLICT), source_text) == (
        Case(
            id="worth",
            kind="conflict",
            split="test",
            question="What is it worth?",
            history=(Turn("Who founded Acme?", "Anna."),),
            any_of=(("7.3 billion",), ("13.8 billion", "14 billion")),
            none_of=("80 billion",),
            evidence=(GoldEvidence("a.txt", "worth $7.3 billion"),),
            positions=(GoldPosition(("13.8 billion", "14 billion"), ("b.txt",)),),
            line=1,
        ),
    )


def test_lists_may_be_left_out_and_a_case_without_split_is_for_tuning(tmp_path: Path) -> None:
    assert load_cases(gold(tmp_path, SHORT), source_text) == (
        Case("who", "single", "tune", "Who founded Acme?", (), (("Anna",),), (), (), (), line=1),
    )


def test_cases_keep_the_files_order_and_lines_and_blank_lines_do_not_count(tmp_path: Path) -> None:
    cases = load_cases(gold(tmp_path, "", UNANSWERABLE, "   ", SHORT, ""), source_text)
    assert [(case.id, case.line) for case in cases] == [("moon", 2), ("who", 4)]


def test_a_byte_order_mark_and_windows_line_ends_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "gold.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + f"{json.dumps(SHORT)}\r\n{json.dumps(UNANSWERABLE)}\r\n".encode())
    assert [case.id for case in load_cases(path, source_text)] == ["who", "moon"]


def test_a_line_separator_inside_a_string_does_not_cut_the_line(tmp_path: Path) -> None:
    line = json.dumps(SHORT | {"question": "Who\u2028founded it?"}, ensure_ascii=False)
    assert load_cases(gold(tmp_path, line), None)[0].question == "Who\u2028founded it?"


def test_without_source_texts_the_quotes_are_taken_on_trust(tmp_path: Path) -> None:
    line = CONFLICT | {"evidence": [{"source": "elsewhere.txt", "quote": "anything"}]}
    assert load_cases(gold(tmp_path, line), None)[0].evidence == (GoldEvidence("elsewhere.txt", "anything"),)


@pytest.mark.parametrize(
    ("kind", "any_of", "expected"),
    [
        pytest.param("unanswerable", [], True, id="unanswerable"),
        pytest.param("false_premise", [], True, id="false premise that no source corrects"),
        pytest.param("false_premise", [["2016"]], False, id="false premise that a source corrects"),
        pytest.param("yesno", [["No"]], False, id="yes or no"),
    ],
)
def test_where_a_refusal_is_expected(tmp_path: Path, kind: str, any_of: list[list[str]], expected: bool) -> None:
    (case,) = load_cases(gold(tmp_path, SHORT | {"kind": kind, "any_of": any_of}), None)
    assert case.refusal_expected is expected


def test_a_case_is_disputed_from_two_positions_on(tmp_path: Path) -> None:
    position = {"value": ["14 billion"], "sources": ["b.txt"]}
    one = CONFLICT | {"positions": [position]}
    two = CONFLICT | {"id": "two", "positions": [position, {"value": ["7.3 billion"], "sources": ["a.txt"]}]}
    assert [case.disputed for case in load_cases(gold(tmp_path, one, two), source_text)] == [False, True]


def without(record: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key != name}


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        pytest.param('{"id": "x",', "is not valid JSON", id="half an object"),
        pytest.param("[" * 100_000, "is not valid JSON", id="nested without end"),
        pytest.param('{"id": "x", "id": "y"}', "the field 'id' stands twice", id="a field twice"),
        pytest.param([1], "must be an object", id="a list"),
        pytest.param(SHORT | {"anyof": []}, ": anyof is not a known field", id="unknown field"),
        pytest.param(without(SHORT, "id"), ": id is missing", id="no id"),
        pytest.param(without(SHORT, "kind"), ": kind is missing", id="no kind"),
        pytest.param(without(SHORT, "question"), ": question is missing", id="no question"),
        pytest.param(without(SHORT, "any_of"), ": any_of is missing", id="no any_of"),
        pytest.param(SHORT | {"id": 7}, ": id is 7, but must be a text", id="id is a number"),
        pytest.param(SHORT | {"question": " \n"}, "question is ' \\n', but must be", id="blank question"),
        pytest.param(SHORT | {"question": "\ud800"}, "lone surrogate", id="lone surrogate"),
        pytest.param(SHORT | {"kind": "hard"}, ": kind is 'hard', but must be one of single, ", id="unknown kind"),
        pytest.param(SHORT | {"split": "dev"}, ": split is 'dev', but must be one of tune, test", id="unknown split"),
        pytest.param(SHORT | {"split": None}, ": split is None, but must be one of", id="split is null"),
        pytest.param(SHORT | {"any_of": ["Anna"]}, ": any_of[0] is 'Anna', but must be a list", id="flat any_of"),
        pytest.param(SHORT | {"any_of": [[]]}, ": any_of[0] is [], but must be a list of one", id="empty group"),
        pytest.param(SHORT | {"any_of": [["Anna", ""]]}, ": any_of[0][1] is ''", id="empty string"),
        pytest.param(SHORT | {"any_of": []}, ": any_of must hold at least one group", id="nothing to be right about"),
        pytest.param(UNANSWERABLE | {"any_of": [["x"]]}, ": any_of must be empty", id="answer to the unanswerable"),
        pytest.param(SHORT | {"none_of": "x"}, ": none_of is 'x', but must be a list", id="none_of is a text"),
        pytest.param(SHORT | {"history": ["Who?"]}, ": history[0] must be an object", id="history of texts"),
        pytest.param(SHORT | {"history": [{"question": "Who?"}]}, ": history[0].answer is missing", id="half a turn"),
        pytest.param(SHORT | {"evidence": [{"source": "a.txt"}]}, ": evidence[0].quote is missing", id="no quote"),
        pytest.param(
            SHORT | {"evidence": [{"source": "a.txt", "quote": "Anna", "page": 1}]},
            ": evidence[0].page is not a known field",
            id="unknown field of evidence",
        ),
        pytest.param(
            SHORT | {"positions": [{"value": "Anna", "sources": ["a.txt"]}]},
            ": positions[0].value is 'Anna', but must be a list",
            id="a value that is no list",
        ),
        pytest.param(
            SHORT | {"positions": [{"value": ["Anna"], "sources": []}]},
            ": positions[0].sources is [], but must be a list of one text or more",
            id="a position nobody holds",
        ),
        pytest.param(
            SHORT | {"evidence": [{"source": "a.txt", "quote": "anna founded"}]},
            "quotes 'anna founded', which does not stand in a.txt",
            id="quote in other letters",
        ),
        pytest.param(
            SHORT | {"evidence": [{"source": "c.txt", "quote": "Anna"}]},
            "names the source 'c.txt', which is not in the index",
            id="evidence of an unknown source",
        ),
        pytest.param(
            SHORT | {"positions": [{"value": ["Anna"], "sources": ["a.txt", "c.txt"]}]},
            "names the source 'c.txt', which is not in the index",
            id="position of an unknown source",
        ),
        pytest.param(UNANSWERABLE, "has the id 'moon', which line 1 has already", id="duplicate id"),
    ],
)
def test_a_broken_line_is_named_with_what_is_wrong(tmp_path: Path, line: object, complaint: str) -> None:
    with pytest.raises(BadGold) as caught:
        load_cases(gold(tmp_path, UNANSWERABLE, "", line), source_text)
    assert caught.value.message.startswith("Line 3 of gold.jsonl")
    assert complaint in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "holds no cases", id="empty"),
        pytest.param(b"\n \n", "holds no cases", id="blank lines"),
        pytest.param(b'\n{"id": "\xff"}', "Line 2 of gold.jsonl is not UTF-8", id="not UTF-8"),
        pytest.param(None, "cannot be read: No such file", id="missing"),
    ],
)
def test_a_file_without_cases_is_refused(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "gold.jsonl"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadGold, match=message):
        load_cases(path, source_text)


words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)
few_words = st.lists(words, min_size=1, max_size=3).map(tuple)
turns = st.lists(st.builds(Turn, words, words), max_size=2).map(tuple)
positions = st.lists(st.builds(GoldPosition, few_words, few_words), max_size=2).map(tuple)
evidence = st.lists(st.builds(GoldEvidence, words, words), max_size=2).map(tuple)


@given(
    st.builds(
        Case,
        id=words,
        kind=st.sampled_from([kind for kind in KINDS if kind != "unanswerable"]),
        split=st.sampled_from(SPLITS),
        question=words,
        history=turns,
        any_of=st.lists(few_words, min_size=1, max_size=2).map(tuple),
        none_of=st.lists(words, max_size=2).map(tuple),
        evidence=evidence,
        positions=positions,
        line=st.just(1),
    ),
    st.booleans(),
)
def test_what_is_written_is_what_is_read(
    tmp_path_factory: pytest.TempPathFactory, case: Case, ascii_only: bool
) -> None:
    path = tmp_path_factory.mktemp("gold") / "gold.jsonl"
    record = asdict(case)
    del record["line"]
    path.write_text(json.dumps(record, ensure_ascii=ascii_only), "utf-8", newline="")
    assert load_cases(path, None) == (case,)
