"""Question and hits to checked claims in a language model's words; what the sources do not bear is withheld."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

from rag.check import Checker, Finding
from rag.cite import Draft, Part, Quote
from rag.errors import ContextTooSmall
from rag.prompt import AGAIN, Numbered, Prompt, bearing, prompt, rewriting
from rag.protocols import LanguageModel
from rag.records import Hit, Message, Turn
from rag.replies import Reply, Statement
from rag.values import figures, holds

logger = logging.getLogger(__name__)

LONGEST_QUESTION = 400  # characters of a rewritten question; more is talk
REWRITTEN_TOKENS = 120
TEMPLATE_TOKENS = 32  # what a model's chat template puts around four messages
FLAG = "(not found in the sources)"


@dataclass(frozen=True, slots=True)
class Said:
    """One statement of the model after the check: a draft to show, or the reason why it is withheld.

    `refuses` marks the fixed refusal.
    """

    text: str
    draft: Draft | None = None
    support: float = 0.0
    reason: str = ""
    refuses: bool = False


class Generator:
    """Has a language model answer, and shows of it only what the check lets through."""

    def __init__(self, model: LanguageModel, checker: Checker, *, max_tokens: int, history: int, flag: bool) -> None:
        self._model = model
        self._checker = checker
        self._max_tokens = max_tokens
        self._history = history
        self._flag = flag

    @property
    def name(self) -> str:
        """The model as the settings name it."""
        return self._model.name

    def say(self, question: str, hits: Sequence[Hit], facts: Sequence[str]) -> Iterator[Said]:
        """The model's statements in their order, each as soon as it has been checked; one more try where none holds.

        `facts` are what the sources disagree about, to be stated. Raises BackendProblem, ContextTooSmall among them.
        """
        room = self._model.context - self._max_tokens - TEMPLATE_TOKENS
        made = prompt(question, hits, facts, self._model.count_tokens, room)
        if made is None:
            raise ContextTooSmall(
                f"{self.name} reads {self._model.context:,} tokens and needs {self._max_tokens:,} of them to reply:"
                " the question and one sentence do not fit.",
                hint="Use a model that reads more, or set language.context and language.max_tokens.",
            )
        first: list[Said] = []
        reply = ""
        for statement, reply in self._statements(made.messages):  # noqa: B007 - the last reply is what was said
            said = self._checked(statement, made, question)
            first.append(said)
            if said.draft or said.refuses:
                yield said
        if any(said.draft or said.refuses for said in first):
            yield from (said for said in first if not said.draft and not said.refuses)
            return
        # The second time only what can bear a claim is shown: a model that repeated an order has other lines to say.
        sound = bearing(made, question, facts)
        again = (*sound.messages, Message("assistant", reply), Message("user", AGAIN))
        if not sound.sentences or sum(self._model.count_tokens(message.text) for message in again) > room:
            yield from first
            return
        second = [self._checked(statement, sound, question) for statement, _ in self._statements(again)]
        yield from second or first

    def rewrite(self, question: str, history: Sequence[Turn]) -> str | None:
        """The follow-up as a question that stands alone; None where the model's is none, or says what nobody said."""
        messages = rewriting(question, history, self._model.count_tokens, self._history)
        with closing(self._model.stream(messages, REWRITTEN_TOKENS)) as pieces:  # type: ignore[type-var]
            lines = "".join(pieces).strip().splitlines()
        if not lines:
            return None
        made = re.sub(r"^(?:rewritten |standalone )?question:\s*", "", lines[-1].strip(" \"'*“”"), flags=re.IGNORECASE)
        told = " ".join([question, *(f"{turn.question} {turn.answer}" for turn in history)])
        named = re.findall(r"(?<!^)\b[A-Z][\w&-]*", made)
        figured = [figure.written for figure in figures(made)]
        fits = 0 < len(made) <= LONGEST_QUESTION and all(holds(told, each) for each in (*named, *figured))
        return made if fits else None

    def _statements(self, messages: Sequence[Message]) -> Iterator[tuple[Statement, str]]:
        """The statements of the model's reply as they are finished, each with the reply so far."""
        reply, whole = Reply(), ""
        # Closed early, the call to the model ends with it.
        with closing(self._model.stream(messages, self._max_tokens)) as pieces:  # type: ignore[type-var]
            for piece in pieces:
                whole += piece
                for statement in reply.feed(piece):
                    yield statement, whole
        for statement in reply.end():
            yield statement, whole

    def _checked(self, statement: Statement, made: Prompt, question: str) -> Said:
        if statement.refuses:
            return Said(statement.text, refuses=True)
        cited, dangling = _resolved(statement.ids, made.sentences)
        finding = self._checker.check(statement.text, cited, made.sentences, question)
        if dangling:
            logger.info("%s cited %d ids that stand for nothing.", self.name, dangling)
        if not finding.reason:
            draft = Draft((Part(_ended(statement.text), _quotes(finding)),))
            return Said(statement.text, draft, finding.support)
        if self._flag:
            text = f"{_ended(statement.text)[:-1]} {FLAG}."
            return Said(statement.text, Draft((Part(text, ()),), "unsupported"), 0.0, finding.reason)
        return Said(statement.text, reason=finding.reason)


def _resolved(ids: Sequence[str], sentences: Sequence[Numbered]) -> tuple[list[Numbered], int]:
    """The sentences that ids stand for, and how many ids stand for none; a whole source's id is no sentence's."""
    known = {each.id: each for each in sentences}
    return [known[id_] for id_ in ids if id_ in known], sum(id_ not in known for id_ in ids)


def _quotes(finding: Finding) -> tuple[Quote, ...]:
    return tuple(Quote(each.hit, each.sentence.start, each.sentence.end) for each in finding.sentences)


def _ended(text: str) -> str:
    return text if re.search(r"[.!?…][\"'”’»)\]]*$", text) else f"{text.rstrip(' :;,')}."
