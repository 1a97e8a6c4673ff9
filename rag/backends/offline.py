"""Language models that need nothing: they follow a script. For tests, for measuring the check, for trying doors out.

`copy` says the best sentences, `lie` changes them, `obey` does whatever a source tells it to, `script` says what it is
given. Their prompts are what every model sees.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from rag.errors import ModelUnavailable
from rag.instructions import states_nothing
from rag.questions import STOP_WORDS, WORD, stem
from rag.records import REFUSAL, Message

Lie = Literal["number", "name", "negation", "added", "wrong id"]
LIES: tuple[Lie, ...] = ("number", "name", "negation", "added", "wrong id")
LINE = re.compile(r"^(\d+\.\d+) (.+)$", re.MULTILINE)
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
NAME = re.compile(r"(?<=[a-z,] )[A-Z][a-z]+(?: [A-Z][a-z]+)*")
NOT = re.compile(r"\b(?:not|never|no longer) ")
AUXILIARY = re.compile(r"\b(?:is|are|was|were|has|have|had|will|would|could|can|may|did|does)\b")
ADDED = (
    "and its main rival had turned the same offer down",
    "and the regulators have already given their consent",
    "which pleased most of the shareholders",
    "and both sides described the meeting as friendly",
    "although several directors voted against it",
    "and the staff heard of it from the newspapers",
    "making it the most profitable year of its history",
    "and customers complained about rising prices",
    "which analysts had not foreseen",
    "and the founder plans to leave the firm soon",
    "and Meta confirmed the price",
    "after the deal had been signed",
    "and Scale AI accepted the offer",
    "making Meta the only owner of the company",
    "which the company has since denied",
    "because its revenue had fallen",
    "and OpenAI is its largest customer",
    "as its chief executive announced on television",
    "in spite of losses in the year before",
    "and it will open its data to everyone",
)
SENTENCES = 2


@dataclass(frozen=True, slots=True)
class Told:
    """What a lying model said: the sentence with its id, the kind of the lie (None: it is true) and the truth."""

    text: str
    id: str
    lie: Lie | None
    truth: str


class Scripted:
    """Says what it is given, one reply a call, the last one for ever; in pieces of a few letters."""

    def __init__(self, *replies: str, name: str = "offline/script", context: int = 8192) -> None:
        self._replies = list(replies)
        self._asked = 0
        self.name = name
        self.context = context

    def count_tokens(self, text: str) -> int:
        """A token a word."""
        return len(text.split())

    def stream(self, messages: Sequence[Message], max_tokens: int) -> Iterator[str]:
        """The reply in pieces."""
        reply = self.reply(messages)
        for start in range(0, min(len(reply), max_tokens * 8), 7):
            yield reply[start : start + 7]

    def reply(self, messages: Sequence[Message]) -> str:  # noqa: ARG002 - those that read the prompt override it
        """The whole reply to a prompt."""
        place = min(self._asked, len(self._replies) - 1)
        self._asked += 1
        return self._replies[place]


class Copying(Scripted):
    """Says the sentences that share most words with the question, with their ids."""

    def __init__(self, name: str = "offline/copy") -> None:
        super().__init__("", name=name)

    def reply(self, messages: Sequence[Message]) -> str:
        """The best sentences; the refusal where none shares a word with the question."""
        best = _best(messages)[:SENTENCES]
        return " ".join(f"{text} [{id_}]" for id_, text in best) or REFUSAL


class Lying(Copying):
    """Says the best sentences, every other one changed; `told` keeps what was true and what was not."""

    def __init__(self, seed: int = 7, name: str = "offline/lie", lies: Sequence[Lie] = LIES) -> None:
        super().__init__(name)
        self._chance = Random(seed)
        self._lies = tuple(lies)
        self.told: list[Told] = []

    def reply(self, messages: Sequence[Message]) -> str:
        """A true sentence and a false one for each of the best."""
        lines = _lines(messages)
        said: list[str] = []
        for id_, text in _best(messages)[:SENTENCES]:
            self.told.append(Told(text, id_, None, text))
            said.append(f"{text} [{id_}]")
            for lie in self._chance.sample(self._lies, len(self._lies)):
                made = self._lied(lie, text, id_, lines)
                if made is not None:
                    self.told.append(Told(made[0], made[1], lie, text))
                    said.append(f"{made[0]} [{made[1]}]")
                    break
        return "\n".join(said) or REFUSAL

    def _lied(self, lie: Lie, text: str, id_: str, lines: Sequence[tuple[str, str]]) -> tuple[str, str] | None:
        """The sentence with one lie in it, and the id that it is given; None where the lie cannot be told of it."""
        chance = self._chance
        if lie == "number" and (found := list(NUMBER.finditer(text))):
            match = chance.choice(found)
            digit = chance.choice([i for i, c in enumerate(match.group()) if c.isdigit()])
            new = chance.choice([d for d in "123456789" if d != match.group()[digit]])
            at = match.start() + digit
            return text[:at] + new + text[at + 1 :], id_
        if lie == "name" and (names := list(NAME.finditer(text))):
            match = chance.choice(names)
            others = {name for _, line in lines for name in NAME.findall(line) if name not in text}
            if others:
                return text[: match.start()] + chance.choice(sorted(others)) + text[match.end() :], id_
        if lie == "negation":
            if NOT.search(text):
                return NOT.sub("", text, count=1), id_
            if found := list(AUXILIARY.finditer(text)):
                return text[: found[0].end()] + " not" + text[found[0].end() :], id_
        if lie == "added":
            return f"{text.rstrip('. ')}, {chance.choice(ADDED)}.", id_
        if lie == "wrong id":
            words = _words(text)
            foreign = [other for other, line in lines if other != id_ and len(words & _words(line)) * 4 < len(words)]
            if foreign:
                return text, chance.choice(foreign)
        return None


class Obeying(Scripted):
    """Does what any line of the sources orders: repeats the order, and what it was to say, as statements with ids."""

    def __init__(self, name: str = "offline/obey") -> None:
        super().__init__("", name=name)

    def reply(self, messages: Sequence[Message]) -> str:
        """Every order found, said as the answer; the best sentences where nothing is ordered."""
        orders = [(id_, line) for id_, line in _lines(messages) if states_nothing(line, "")]
        said = []
        for id_, line in orders:
            said.append(f"{line.rstrip('.?! ')}. [{id_}]")
            said += [f"{quoted} [{id_}]" for quoted in re.findall(r"[\"“']([^\"”']{8,})[\"”']", line)]
            said += [f"You should go to {address}. [{id_}]" for address in re.findall(r"\bwww\.[\w.-]+\w", line)]
        return "\n".join(said) or Copying().reply(messages)


def open_offline(name: str) -> Scripted:
    """The model `offline/copy`, `offline/lie`, `offline/obey` or `offline/refuse`; raises ModelUnavailable."""
    kinds: dict[str, Callable[[], Scripted]] = {
        "copy": Copying,
        "lie": Lying,
        "obey": Obeying,
        "refuse": lambda: Scripted(REFUSAL, name="offline/refuse"),
    }
    kind = name.partition("/")[2]
    if kind not in kinds:
        raise ModelUnavailable(f"There is no model named {name!r}.", hint=f"offline/ has: {', '.join(kinds)}.")
    return kinds[kind]()


def _lines(messages: Sequence[Message]) -> list[tuple[str, str]]:
    """The numbered lines of the prompt; what ends in a colon states nothing by itself."""
    rows = [(match[1], re.sub(r"\s+(?=[.,;:!?])", "", match[2])) for match in LINE.finditer(messages[1].text)]
    return [(id_, line) for id_, line in rows if not line.endswith(":")]


def _best(messages: Sequence[Message]) -> list[tuple[str, str]]:
    """The lines that share words with the question, most first."""
    question = messages[1].text.rpartition("Question: ")[2]
    asked = _words(question)
    scored = [(len(asked & _words(line)), id_, line) for id_, line in _lines(messages)]
    return [(id_, line) for score, id_, line in sorted(scored, key=lambda row: -row[0]) if score]


def _words(text: str) -> set[str]:
    return {stem(word) for word in WORD.findall(text) if word.lower() not in STOP_WORDS}
