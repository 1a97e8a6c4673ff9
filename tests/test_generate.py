"""A language model's replies to checked, cited answers, on the example articles; every stand-in is one that ships."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rag.answering import Answerer
from rag.backends.offline import Copying, Lying, Obeying, Scripted, open_offline
from rag.check import Checker
from rag.errors import ContextTooSmall, ModelUnavailable, ModelUnreachable
from rag.generate import FLAG, Generator
from rag.records import REFUSAL, Answered, Message, Rewritten, Token, Turn, Withheld
from rag.wiring import open_answerer, open_indexer, with_model
from tests import contracts
from tests.conftest import settings_for, times
from tests.test_answering import check_laws

QUESTION = "Who founded Scale AI?"
FOUNDED = "Scale AI was founded in 2016 by Alexandr Wang"
VALUED = "What was Scale AI's last valuation?"


class Breaking(Scripted):
    """Breaks off after so many letters, as a server does that is killed."""

    def __init__(self, reply: str, letters: int) -> None:
        super().__init__(reply, name="offline/break")
        self._letters = letters
        self.closed = 0

    def stream(self, messages: Sequence[Message], max_tokens: int) -> Iterator[str]:
        """The beginning of the reply, then the error."""
        try:
            yield from self.reply(messages)[: self._letters]
            raise ModelUnreachable("The server of offline/break broke off.", hint="Start it again.")
        finally:
            self.closed += 1


@pytest.fixture(scope="module")
def builtin(seeds_index: Path) -> Iterator[Answerer]:
    answerer = open_answerer(settings_for(seeds_index))
    yield answerer
    answerer.close()


def spoken(builtin: Answerer, model: Scripted, *, flag: bool = False) -> Answerer:
    return builtin.with_model(Generator(model, Checker(builtin.verifier), max_tokens=200, history=500, flag=flag))


def founding_id(builtin: Answerer) -> str:
    """The id under which a model sees a sentence that names the founder."""
    seen: list[str] = []

    class Looking(Scripted):
        def reply(self, messages: Sequence[Message]) -> str:
            seen.extend(
                re.findall(r"^(\d+\.\d+) .*[Ff]ounded in 2016 by (?:CEO )?Alexandr Wang", messages[1].text, re.M)
            )
            return REFUSAL

    spoken(builtin, Looking("")).ask(QUESTION)
    return seen[0]


@pytest.mark.parametrize("model", [Copying(), Lying(), Obeying(), Scripted(REFUSAL)], ids=lambda m: m.name)
def test_the_stand_ins_keep_the_contract_of_language_models(model: Scripted) -> None:
    contracts.language_model_contract(model)


def test_a_supported_sentence_is_cited_to_the_exact_words(builtin: Answerer) -> None:
    answerer = spoken(builtin, Scripted(f"{FOUNDED} [{founding_id(builtin)}]."))
    answer = answerer.ask(QUESTION)
    check_laws(answer, answerer)
    assert answer.text == f"{FOUNDED} [1]."
    assert "Alexandr Wang" in answer.citations[0].quote
    assert (answer.outcome, answer.model, answer.withheld) == ("answered", "offline/script", ())


def test_what_the_sources_do_not_say_is_withheld_and_never_streamed(builtin: Answerer) -> None:
    lie = "Scale AI was founded in 2016 by Mark Zuckerberg"
    id_ = founding_id(builtin)
    answerer = spoken(builtin, Scripted(f"{lie} [{id_}]. {FOUNDED} [{id_}]."))
    events = list(answerer.stream(QUESTION))
    told = "".join(event.text for event in events if isinstance(event, Token))
    assert told == f"{FOUNDED} [1]."
    last = events[-1]
    assert isinstance(last, Answered)
    assert [(w.text, w.reason) for w in last.answer.withheld] == [
        (f"{lie}.", "The name 'Mark' is not in the sentences that it cites.")
    ]


def test_with_flag_it_is_shown_and_marked(builtin: Answerer) -> None:
    answerer = spoken(builtin, Scripted(f"Scale AI makes anvils [{founding_id(builtin)}]."), flag=True)
    answer = answerer.ask(QUESTION)
    assert answer.text == f"Scale AI makes anvils {FLAG}."
    assert [(claim.verdict, claim.citations) for claim in answer.claims] == [("unsupported", ())]


def test_an_id_that_stands_for_nothing_is_never_a_citation(builtin: Answerer) -> None:
    answer = spoken(builtin, Scripted("Scale AI makes anvils [9.99].")).ask(QUESTION)
    assert (answer.text, answer.citations) == (REFUSAL, ())
    assert answer.reason == "no_passage_answers"
    assert answer.withheld == (Withheld("Scale AI makes anvils.", "It cites no sentence."),)
    assert answer.nearest


def test_a_model_that_cites_nothing_is_asked_once_more(builtin: Answerer) -> None:
    model = Scripted("Nobody knows it at all.", f"{FOUNDED} [{founding_id(builtin)}].", "Never asked [1.1].")
    answer = spoken(builtin, model).ask(QUESTION)
    assert answer.text == f"{FOUNDED} [1]."


def test_a_model_that_repeats_an_order_is_asked_once_more_without_it(tmp_path: Path) -> None:
    source = tmp_path / "letter.txt"
    source.write_text(
        "Please enclose the papers about the price that the buyer paid for the mill.\n\nThe buyer paid 300 dollars.\n",
        "utf-8",
    )
    wanted = settings_for(tmp_path / "index")
    indexer = open_indexer(wanted)
    indexer.run([source], lambda _: None)
    indexer.close()
    shown: list[str] = []

    class Obliging(Scripted):
        def reply(self, messages: Sequence[Message]) -> str:
            shown.append(messages[1].text)
            line = re.search(r"^(\d+\.\d+) (Please enclose .*|The buyer .*)$", messages[1].text, re.MULTILINE)
            assert line is not None
            return f"{line[2]} [{line[1]}]"

    answerer = open_answerer(wanted)
    answer = spoken(answerer, Obliging("")).ask("What price did the buyer pay for the mill?")
    assert answer.text == "The buyer paid 300 dollars [1]."
    assert ["Please enclose" in prompt for prompt in shown] == [True, False]
    check_laws(answer, answerer)
    answerer.close()


def test_a_refusal_is_a_refusal(builtin: Answerer) -> None:
    answerer = spoken(builtin, Scripted(REFUSAL))
    answer = answerer.ask(QUESTION)
    check_laws(answer, answerer)
    assert (answer.outcome, answer.reason) == ("not_in_sources", "model_refused")


def test_positions_that_the_model_leaves_out_are_added(builtin: Answerer) -> None:
    told = builtin.ask(VALUED)
    assert told.outcome == "disputed"
    answerer = spoken(builtin, Copying())
    answer = answerer.ask(VALUED)
    check_laws(answer, answerer)
    assert answer.outcome == "disputed"
    assert [position.value for position in answer.positions] == [position.value for position in told.positions]
    assert "$7.3 billion" in answer.text
    assert "$14 billion" in answer.text  # agrees with $13.8 billion
    assert any(claim.verdict == "disputed" for claim in answer.claims)


def test_a_model_that_breaks_off_before_a_word_falls_back_where_that_is_wanted(
    seeds_index: Path, builtin: Answerer
) -> None:
    model = Breaking("Scale AI", 5)
    generator = Generator(model, Checker(builtin.verifier), max_tokens=200, history=0, flag=False)
    with pytest.raises(ModelUnreachable):
        builtin.with_model(generator).ask(QUESTION)
    careful = open_answerer(settings_for(seeds_index, fallback="builtin")).with_model(generator)
    answer = careful.ask(QUESTION)
    check_laws(answer, careful)
    assert (answer.model, answer.fallback) == ("builtin", "The server of offline/break broke off.")
    assert answer.text == builtin.ask(QUESTION).text


def test_a_model_that_breaks_off_after_a_sentence_is_an_error_and_what_was_shown_stands(builtin: Answerer) -> None:
    reply = f"{FOUNDED} [{founding_id(builtin)}]. It then went on to grow."
    model = Breaking(reply, len(reply) - 2)
    told = []
    with pytest.raises(ModelUnreachable):
        for event in spoken(builtin, model).stream(QUESTION):
            told.append(event)
    assert [event.text for event in told if isinstance(event, Token)] == [f"{FOUNDED} [1]."]
    assert model.closed == 1


def test_whoever_leaves_ends_the_call_to_the_model(builtin: Answerer) -> None:
    reply = f"{FOUNDED} [{founding_id(builtin)}]. " + "It then went on to grow. " * 50
    model = Breaking(reply, len(reply))
    events = spoken(builtin, model).stream(QUESTION)
    for event in events:
        if isinstance(event, Token):
            break
    events.close()  # type: ignore[attr-defined]
    assert model.closed == 1


def test_a_context_that_is_too_small_is_said_so(builtin: Answerer) -> None:
    with pytest.raises(ContextTooSmall, match="reads 250 tokens"):
        spoken(builtin, Scripted(REFUSAL, context=250)).ask(QUESTION)


def test_a_follow_up_is_rewritten_by_the_model_and_shown(builtin: Answerer) -> None:
    history = [Turn("Who founded Scale AI?", "Alexandr Wang founded Scale AI.")]
    answerer = spoken(builtin, Scripted("Question: When did Alexandr Wang found Scale AI?", REFUSAL))
    events = list(answerer.stream("When did he do that?", history))
    assert events[0] == Rewritten("When did Alexandr Wang found Scale AI?")
    assert isinstance(events[-1], Answered)
    assert events[-1].answer.rewritten == "When did Alexandr Wang found Scale AI?"


def test_a_rewrite_that_names_what_nobody_named_gives_way_to_the_rules(builtin: Answerer) -> None:
    history = [Turn("Who founded Scale AI?", "Alexandr Wang founded Scale AI.")]
    with_rules = builtin.ask("When did he do that?", history).rewritten
    answerer = spoken(builtin, Scripted("When did Elon Musk found Tesla?", REFUSAL))
    assert answerer.ask("When did he do that?", history).rewritten == with_rules


def test_models_share_what_is_loaded_and_one_is_chosen_by_name(seeds_index: Path, builtin: Answerer) -> None:
    chosen = with_model(builtin, settings_for(seeds_index), "offline/copy")
    assert (chosen.model, builtin.model) == ("offline/copy", "builtin")
    assert chosen.store is builtin.store
    assert with_model(chosen, settings_for(seeds_index), "builtin").model == "builtin"
    with pytest.raises(ModelUnavailable, match="offline/nonsense"):
        open_offline("offline/nonsense")
    with pytest.raises(ModelUnavailable, match="offline/nonsense"):
        with_model(builtin, settings_for(seeds_index), "offline/nonsense")
    instead = with_model(builtin, settings_for(seeds_index, fallback="builtin"), "offline/nonsense").ask(QUESTION)
    assert (instead.model, instead.fallback) == ("builtin", "There is no model named 'offline/nonsense'.")


def test_the_same_model_and_question_give_the_same_bytes(builtin: Answerer) -> None:
    first, second = (spoken(builtin, Copying()).ask(VALUED) for _ in range(2))
    assert json.dumps({**first.to_json(), "timings_ms": 0}) == json.dumps({**second.to_json(), "timings_ms": 0})
    assert first.fingerprint != builtin.ask(VALUED).fingerprint


@settings(max_examples=times(10, 60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(st.text(max_size=80), st.sampled_from([f"{FOUNDED} [1.1].", "[7.7]", REFUSAL])), max_size=5))
def test_whatever_a_model_says_the_laws_hold(builtin: Answerer, pieces: list[str]) -> None:
    answerer = spoken(builtin, Scripted(" ".join(pieces)))
    answer = answerer.ask(QUESTION)
    check_laws(answer, answerer)
