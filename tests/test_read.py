"""Hits to evidence, with readings that a script gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.questions import analyse
from rag.read import EvidenceReader, windows
from rag.records import AnswerSpan, Evidence, Hit, Passage, Reading, Sentence, Support
from rag.split import sentences


@dataclass
class Scripted:
    """Reads the words that it is told to find, and verifies by the words that a claim must share with the evidence."""

    words: tuple[str, ...] = ()
    verdict: str = "supported"

    def read(self, question: str, passages: Sequence[str]) -> list[Reading]:
        self.texts = list(passages)
        return [
            Reading(3.0, tuple(AnswerSpan(p.index(w), p.index(w) + len(w), 5.0) for w in self.words if w in p))
            for p in passages
        ]

    def verify(self, pairs: Sequence[tuple[str, str]]) -> list[Support]:
        shares = {"supported": (0.9, 0.05, 0.05), "contradicted": (0.05, 0.9, 0.05), "neither": (0.05, 0.05, 0.9)}
        return [Support(*shares[self.verdict if "Acme" in evidence else "neither"]) for _, evidence in pairs]


def hit(text: str, source: str = "a.txt", start: int = 0, title: str | None = None) -> Hit:
    """A hit of whole sentences that stands at `start` in its source."""
    found = tuple(Sentence(s.start + start, s.end + start, s.kind) for s in sentences(text))
    return Hit(Passage(source, start, start + len(text), text, found), 1.0, title=title)


def evidence(question: str, hits: Sequence[Hit], script: Scripted) -> list[Evidence]:
    return EvidenceReader(script, script).evidence(analyse(question), hits)


def test_the_words_are_exact_and_the_quote_is_their_whole_sentence() -> None:
    (found,) = evidence(
        "Who founded Acme?", [hit("It rained. Jane Doe founded Acme. It rained.", start=7)], Scripted(("Jane Doe",))
    )
    assert (found.text, found.answer_text) == ("Jane Doe founded Acme.", "Jane Doe")


def test_words_do_not_begin_with_what_is_left_of_a_possessive() -> None:
    for words in ("s latest price", "’s latest price"):
        (found,) = evidence("What rose?", [hit("Acme’s latest price rose.")], Scripted((words,)))
        assert found.answer_text == "latest price"


def test_the_title_is_read_and_never_answers() -> None:
    script = Scripted(("Acme",))
    assert evidence("Who made it?", [hit("It was made.", title="Acme rockets")], script) == []
    assert script.texts == ["Acme rockets\nIt was made."]


def test_words_over_two_sentences_count_in_both_up_to_their_ends() -> None:
    found = evidence("What did it do?", [hit("It rained. It shone.")], Scripted(("rained. It shone",)))
    assert sorted((e.text, e.answer_text or "") for e in found) == [("It rained.", "rained"), ("It shone.", "It shone")]


def test_a_sentence_in_two_passages_is_one_piece_of_evidence() -> None:
    both = [hit("Jane Doe founded Acme. It rained."), hit("Jane Doe founded Acme. It shone.")]
    assert len(evidence("Who founded Acme?", both, Scripted(("Jane Doe",)))) == 1


def test_headings_are_no_evidence() -> None:
    assert evidence("Who founded Acme?", [hit("# Jane Doe\n\nIt rained.")], Scripted(("Jane Doe",))) == []


@pytest.mark.parametrize(("verdict", "denied"), [("supported", False), ("contradicted", True)])
def test_a_yes_no_question_is_put_to_the_verifier(verdict: str, denied: bool) -> None:
    found = evidence("Is Acme old?", [hit("Acme is old. It rained.")], Scripted(verdict=verdict))
    assert (found[0].text, found[0].contradicts) == ("Acme is old.", denied)
    assert found[0].score > 0.5 > found[1].score


def test_no_hits_give_no_evidence() -> None:
    assert evidence("Who founded Acme?", [], Scripted()) == []
    assert evidence("Is Acme old?", [], Scripted()) == []


@given(st.lists(st.integers(1, 400), min_size=1, max_size=30))
def test_windows_are_whole_sentences_and_cover_the_passage(lengths: list[int]) -> None:
    text = " ".join("R" + "a" * length + "." for length in lengths)
    passage = hit(text, start=9)
    spans = windows(passage)
    ends = {s.end for s in passage.passage.sentences}
    assert spans[0][0] == passage.passage.start
    assert spans[-1][1] == passage.passage.end
    assert all(end in ends for _, end in spans)
    assert all(before[1] + 1 >= after[0] and before[0] < after[0] for before, after in pairwise(spans))
