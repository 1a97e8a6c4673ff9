"""The trace tells what was found, read and chosen, and reads back as it was written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from eval.cases import Case, load_cases
from eval.trace import FoundPassage, Reading, ReadSentence, Trace, ask_traced, traced
from rag.answering import Answerer
from rag.records import Answer, Answered, Evidence, Found, Hit, Passage, Sentence, Token, Turn, Weighed
from rag.wiring import open_answerer
from tests.conftest import settings_for

TEXT = "Anna founded Acme. Ben left."
PASSAGE = Passage("a.txt", 0, 28, TEXT, (Sentence(0, 18), Sentence(19, 28)))
HIT = Hit(PASSAGE, 0.5, dense=0.25)
ANNA = Evidence(HIT, PASSAGE.sentences[0], 0.9, (0, 4))
BEN = Evidence(HIT, PASSAGE.sentences[1], 0.1, contradicts=True)
ANSWER = Answer("Who founded Acme?", "answered", "Anna founded Acme. [1]")
TRACE = Trace(
    (FoundPassage("a.txt", 0, 28, 0.5, 0.25, None),),
    (
        Reading(
            "Who founded Acme?",
            0.13,
            (
                ReadSentence("a.txt", 0, 18, 0.9, (0, 4), contradicts=False, chosen=True),
                ReadSentence("a.txt", 19, 28, 0.1, None, contradicts=True, chosen=False),
            ),
        ),
    ),
)


@pytest.fixture(scope="module")
def answerer(seeds_index: Path) -> Answerer:
    return open_answerer(settings_for(seeds_index))


def case(question: str, *history: Turn) -> Case:
    return Case("a", "single", "tune", question, history, (("x",),), (), (), (), 1)


def test_the_trace_keeps_what_passed_in_the_stream() -> None:
    weighed = Weighed("Who founded Acme?", (ANNA, BEN), (ANNA,), 0.13)
    events = [Found((HIT,)), Token("Anna founded Acme. [1]"), Answered(ANSWER, (weighed,))]
    assert traced(events) == (ANSWER, TRACE)


def test_a_trace_reads_back_from_a_file() -> None:
    assert Trace.from_json(json.loads(json.dumps(TRACE.to_json()))) == TRACE


def test_a_stream_without_an_answer_is_a_bug() -> None:
    with pytest.raises(TypeError):
        traced([Found(())])


def test_the_answer_of_a_traced_case_is_the_answer_that_the_answerer_gives(answerer: Answerer) -> None:
    question = "Who founded Scale AI?"
    answer, trace = ask_traced(answerer)(case(question))
    untimed = answerer.ask(question).to_json() | {"timings_ms": None}
    assert answer.to_json() | {"timings_ms": None} == untimed
    hits = answerer.search(question)
    assert [(f.source, f.start, f.end) for f in trace.found] == [
        (hit.passage.source, hit.passage.start, hit.passage.end) for hit in hits
    ]
    (reading,) = trace.readings
    assert reading.question == question
    scores = [sentence.score for sentence in reading.sentences]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] >= reading.threshold


def test_every_citation_is_of_a_sentence_that_was_chosen(answerer: Answerer) -> None:
    answer, trace = ask_traced(answerer)(case("What was Scale AI's last valuation?"))
    chosen = [s for reading in trace.readings for s in reading.sentences if s.chosen]
    assert answer.citations
    for citation in answer.citations:
        assert any(s.source == citation.source and citation.start <= s.start < citation.end for s in chosen)


def test_each_part_of_a_question_has_a_reading_and_a_follow_up_is_read_as_it_stands_alone(answerer: Answerer) -> None:
    _, parts = ask_traced(answerer)(case("Who founded Scale AI and when did it lay off workers?"))
    assert len(parts.readings) == 2
    turn = Turn("Who founded Scale AI?", "Alexandr Wang founded Scale AI.")
    answer, trace = ask_traced(answerer)(case("When was it founded?", turn))
    assert [reading.question for reading in trace.readings] == [answer.rewritten]


def test_a_refusal_chooses_nothing(answerer: Answerer) -> None:
    answer, trace = ask_traced(answerer)(case("What is the capital of Peru?"))
    assert answer.outcome == "not_in_sources"
    assert not any(s.chosen for reading in trace.readings for s in reading.sentences)


def test_a_trace_of_every_kind_of_gold_question_goes_through_json(answerer: Answerer) -> None:
    gold = load_cases(Path(__file__).parent.parent / "eval/gold/seeds.jsonl", None)
    first_of_kind = {each.kind: each for each in reversed(gold)}
    for each in first_of_kind.values():
        _, trace = ask_traced(answerer)(each)
        assert Trace.from_json(json.loads(json.dumps(trace.to_json(), allow_nan=False))) == trace
