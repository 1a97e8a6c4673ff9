"""The suite of follow-ups: small files in the formats of MTRAG and CAsT, words that can be counted by hand."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from eval.suites import rewriting
from eval.suites.bench import Bench, Engines
from eval.suites.command import SUITES, main
from eval.suites.figures import Figure
from eval.suites.rewriting import FollowUp, Words, content, figures_of, load_cast_2019, load_mtrag, words_of
from rag.errors import BadInput
from tests.conftest import settings_for


def unused(_: object) -> Any:
    raise AssertionError("Rewriting needs no engine.")


NO_ENGINES = Engines(unused, unused, unused, unused)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """MTRAG's eight files; the questions of one conversation, "a", are in the first collection."""
    for part in rewriting.MTRAG:
        asked = ["|user|: What is yoga?", "|user|: What is yoga?\n|user|: Where does it come from?"]
        rewritten = ["|user|: What is yoga?", "|user|: Where does yoga originally come from?"]
        other = ["|user|: Who founded Acme?"]
        ids = ["a<::>1", "a<::>2"] if part == "clapnq" else [f"{part}<::>1"]
        rows = {"questions": asked if part == "clapnq" else other, "rewrite": rewritten if part == "clapnq" else other}
        for kind, texts in rows.items():
            lines = [json.dumps({"_id": i, "text": text}) for i, text in zip(ids, texts, strict=True)]
            write(tmp_path / f"mtrag/{part}_{kind}.jsonl.gz", "\n".join(lines))
    return tmp_path


def write_cast(data: Path) -> None:
    turns = ["What are sharks?", "Where do they live?"]
    rewrites = ["What are sharks?", "Where do sharks live?"]
    topic = {"number": 7, "turn": [{"number": n, "raw_utterance": t} for n, t in enumerate(turns, 1)]}
    write(data / f"{rewriting.CAST_2019}.gz", json.dumps([topic]))
    write(data / f"{rewriting.RESOLVED_2019}.gz", "".join(f"7_{n}\t{t}\n" for n, t in enumerate(rewrites, 1)))
    rows = zip(turns, rewrites, strict=True)
    with_rewrites = [{"raw_utterance": t, "manual_rewritten_utterance": r} for t, r in rows]
    write(data / rewriting.CAST_2020, json.dumps([{"number": 81, "turn": with_rewrites}]))


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


def bench_of(data: Path) -> Bench:
    return Bench(data, data / "work", settings_for(data / "none"), NO_ENGINES)


def by_name(figures: Sequence[Figure]) -> dict[str, float]:
    return {figure.name: figure.value for figure in figures}


def test_content_words_are_stems_without_stop_words() -> None:
    assert content("What are the shark's types, and which Sharks bite?") == {"shark", "type", "bite"}


def test_a_follow_up_has_the_questions_before_it_in_their_order(data: Path) -> None:
    first, second, *others = load_mtrag(data)
    assert first == FollowUp("a", "What is yoga?", (), "What is yoga?")
    assert second == FollowUp(
        "a", "Where does it come from?", ("What is yoga?",), "Where does yoga originally come from?"
    )
    assert [f.conversation for f in others] == ["cloud", "fiqa", "govt"]


def test_words_are_counted_that_lack_and_that_are_added() -> None:
    words = words_of(FollowUp("a", "Where does it come from?", ("What is yoga?",), "Where does old yoga come from?"))
    assert words == Words(
        "a",
        asked=frozenset({"come"}),
        ruled=frozenset({"come", "yoga"}),
        human=frozenset({"come", "yoga", "old"}),
        history=frozenset({"yoga"}),
    )
    assert (words.lacking, words.added) == ({"yoga", "old"}, {"yoga"})


def test_the_figures_of_words_that_can_be_counted() -> None:
    def words(asked: str, ruled: str, human: str) -> Words:
        return Words("a", frozenset(asked), frozenset(ruled), frozenset(human), frozenset("x"))

    rows = [words("ab", "abxy", "axz"), words("c", "c", "c"), words("d", "dy", "d")]
    assert by_name(figures_of("T", rows)) == {
        "T, lacking words recovered": 1 / 2,
        "T, lacking words that the history holds": 1 / 2,
        "T, added words right": 1 / 3,
        "T, all words recalled": 4 / 5,
        "T, all words recalled, last turn only": 3 / 5,
        "T, all words right": 4 / 7,
        "T, all words right, last turn only": 3 / 4,
        "T, complete questions left alone": 1 / 2,
    }


def test_intervals_resample_conversations_and_count_questions() -> None:
    yes, no = frozenset("x"), frozenset[str]()
    rows = [Words("a", no, yes, yes, yes), Words("a", no, no, yes, yes)]
    (recovered, *_) = figures_of("T", rows)
    assert (recovered.value, recovered.low, recovered.high, recovered.n) == (0.5, 0.5, 0.5, 2)  # one conversation


def test_what_cannot_be_counted_is_left_out() -> None:
    alike = Words("a", *(frozenset("x"),) * 4)
    names = by_name(figures_of("T", [alike]))
    assert "T, lacking words recovered" not in names
    assert names["T, complete questions left alone"] == 1


def test_mtrag_is_measured_alone_where_cast_is_not_there(data: Path) -> None:
    figures = by_name(rewriting.measure(bench_of(data)))
    assert {name.partition(",")[0] for name in figures} == {"MTRAG"}
    assert figures["MTRAG, lacking words recovered"] == 1 / 2  # "yoga", but not "originally"
    assert figures["MTRAG, complete questions left alone"] == 1


def test_cast_is_measured_where_it_is_there(data: Path) -> None:
    write_cast(data)
    figures = by_name(rewriting.measure(bench_of(data)))
    for year in ("CAsT 2019", "CAsT 2020"):
        assert figures[f"{year}, lacking words recovered"] == 1
        assert figures[f"{year}, all words recalled, last turn only"] == 2 / 3


def test_a_broken_table_is_named(data: Path) -> None:
    write_cast(data)
    path = data / f"{rewriting.RESOLVED_2019}.gz"
    path.write_bytes(b"no gzip")
    with pytest.raises(BadInput, match="resolved"):
        load_cast_2019(data)
    write(path, "7_1\tWhat are sharks?\n")
    with pytest.raises(BadInput, match="7_2"):
        load_cast_2019(data)
    write(path, "no tab\n")
    with pytest.raises(BadInput, match="resolved"):
        load_cast_2019(data)


def test_a_question_without_a_rewrite_is_named(data: Path) -> None:
    write(data / "mtrag/govt_rewrite.jsonl.gz", json.dumps({"_id": "other", "text": "|user|: What?"}))
    with pytest.raises(BadInput, match="govt_questions"):
        load_mtrag(data)


def test_the_command_measures_it_without_an_engine(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "rewriting" in SUITES
    assert main(["rewriting", "--data", str(data)], NO_ENGINES) == 0
    assert "MTRAG, lacking words recovered" in capsys.readouterr().out
