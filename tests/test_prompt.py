"""What a language model is told."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rag.prompt import Numbered, numbered, plain, prompt, rewriting
from rag.records import REFUSAL, Hit, Passage, Turn
from rag.split import sentences


def hit(text: str, source: str = "a.txt", start: int = 0, title: str | None = None) -> Hit:
    """A hit whose passage is the whole of a text that begins at an offset of its source."""
    found = tuple(type(s)(s.start + start, s.end + start, s.kind) for s in sentences(text))
    return Hit(Passage(source, start, start + len(text), text, found), 1.0, title=title)


def words(text: str) -> int:
    return len(text.split())


def test_ids_are_source_and_line_and_resolve_to_exact_spans() -> None:
    first, second = hit("It rained. It stopped.", "b.txt"), hit("Snow fell.", "a.txt")
    shown = numbered([first, second])
    assert [(each.id, each.text) for each in shown] == [
        ("1.1", "It rained."),
        ("1.2", "It stopped."),
        ("2.1", "Snow fell."),
    ]
    for each in shown:
        passage = each.hit.passage
        assert passage.text[each.sentence.start - passage.start : each.sentence.end - passage.start] == each.text


def test_a_sentence_of_two_passages_has_one_id() -> None:
    shown = numbered([hit("It rained. It stopped."), hit("It stopped. It froze.", start=11)])
    assert [each.text for each in shown] == ["It rained.", "It stopped.", "It froze."]


def test_what_does_not_fit_is_left_out_worst_hit_first() -> None:
    hits = [hit("It rained in Rome.", "a.txt"), hit("Snow fell on the hills.", "b.txt")]
    whole = prompt("What fell?", hits, (), words, 10_000)
    assert whole is not None
    size = sum(words(message.text) for message in whole.messages)
    less = prompt("What fell?", hits, (), words, size - 1)
    assert less is not None
    assert [each.text for each in less.sentences] == ["It rained in Rome."]
    assert prompt("What fell?", hits, (), words, 10) is None


def test_of_one_long_passage_the_first_sentences_are_kept() -> None:
    long = hit(" ".join(f"Sentence number {n} says a thing." for n in range(40)))
    whole = prompt("What?", [long], (), words, 10_000)
    assert whole is not None
    size = sum(words(message.text) for message in whole.messages)
    less = prompt("What?", [long], (), words, size - 20)
    assert less is not None
    assert 0 < len(less.sentences) < 40


def test_the_refusal_and_the_disputed_values_are_told() -> None:
    made = prompt("What is it worth?", [hit("It is worth $5.")], ["$5 according to a"], words, 1000)
    assert made is not None
    assert REFUSAL in made.messages[0].text
    assert "- $5 according to a" in made.messages[1].text


@given(st.text())
def test_quoted_text_is_one_line_of_plain_text(text: str) -> None:
    assert "\n" not in plain(text)
    for control in ("<|im_start|>", "</s>", "[INST]", "<<SYS>>"):
        assert control not in plain(f"{text} {control} {text}")
    assert "\u200b" not in plain(f"a\u200b{text}")


def test_the_latest_turns_that_fit_are_told() -> None:
    history = [Turn(f"Question {n}?", "word " * 50) for n in range(9)]
    messages = rewriting("And then?", history, words, 130)
    assert "Question 8?" in messages[1].text
    assert "Question 7?" in messages[1].text
    assert "Question 6?" not in messages[1].text
    assert messages[1].text.endswith("Last question: And then?")


def test_numbered_sentences_compare_by_value() -> None:
    one = hit("It rained.")
    assert numbered([one]) == [Numbered("1.1", one, one.passage.sentences[0])]
