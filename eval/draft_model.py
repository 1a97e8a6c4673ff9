"""Gold questions proposed by a language model: what it does not quote verbatim is dropped."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from eval.draft import Proposal, Said, sentences_of
from rag.protocols import LanguageModel
from rag.records import Message, Source
from rag.values import holds, normal

SENTENCES = 12
AT_A_TIME = 4
MAX_TOKENS = 1200
ORDER = """\
You write questions that test whether a system answers from the documents of its user.

You are given some sentences of one document. Write {number} questions that these sentences answer, each of which
stands alone: it names what it is about, and says neither "the document" nor "the text". Prefer questions for figures,
dates and names. Reply with one JSON object a line and nothing else:

{{"question": "...", "answer": "the fewest words that answer, copied", "quote": "the whole sentence, copied"}}
"""


@dataclass(slots=True)
class Drafted:
    """What a model proposed, and how many of its proposals were dropped for which reason."""

    proposals: list[Proposal] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)


def draft_with(
    model: LanguageModel,
    sources: Sequence[Source],
    count: int,
    seed: int,
    known: Iterable[str] = (),
    on_progress: Callable[[int], None] = lambda _: None,
) -> Drafted:
    """At most `count` proposals of the model, over groups of sentences drawn by the seed; raises BackendProblem.

    A group is asked once, so that few documents may give fewer proposals.
    """
    asked = [(source, group) for source in sources for group in _groups(source)]
    Random(seed).shuffle(asked)
    taken = {normal(question) for question in known}
    drafted = Drafted()
    for source, group in asked:
        if len(drafted.proposals) >= count:
            break
        order = ORDER.format(number=min(AT_A_TIME, count - len(drafted.proposals)))
        shown = "\n".join(said.plain for said in group)
        messages = [Message("system", order), Message("user", f"Document: {source.title or source.name}\n\n{shown}")]
        reply = "".join(model.stream(messages, MAX_TOKENS))
        for line in filter(str.strip, reply.splitlines()):
            _take(line, source, taken, drafted)
        on_progress(min(len(drafted.proposals), count))
    drafted.proposals = drafted.proposals[:count]
    return drafted


def _groups(source: Source) -> list[list[Said]]:
    said = list(sentences_of(source))
    return [said[start : start + SENTENCES] for start in range(0, len(said), SENTENCES)]


def _take(line: str, source: Source, taken: set[str], drafted: Drafted) -> None:
    """Add the proposal of a line, or count why it was dropped."""
    proposed = _object(line)
    if proposed is None:
        drafted.dropped["not of the form that was asked for"] += 1
        return
    question, answer, quote = (" ".join(proposed[name].split()) for name in ("question", "answer", "quote"))
    exact = verbatim(quote, source.text)
    if exact is None:
        drafted.dropped["its quote does not stand in the document"] += 1
    elif not holds(exact, answer):
        drafted.dropped["its answer does not stand in its quote"] += 1
    elif holds(question, answer):
        drafted.dropped["its question gives the answer away"] += 1
    elif normal(question) in taken:
        drafted.dropped["it was asked before"] += 1
    else:
        taken.add(normal(question))
        drafted.proposals.append(Proposal("single", question, ((answer,),), ((source.name, exact),)))


def verbatim(quote: str, text: str) -> str | None:
    """The words of the text that are the quote, line breaks aside; None where it does not stand there."""
    if quote in text:
        return quote
    flat = "".join(" " if letter.isspace() else letter for letter in text)
    return text[at : at + len(quote)] if (at := flat.find(quote)) >= 0 else None


def _object(line: str) -> dict[str, str] | None:
    try:
        value: Any = json.loads(line.strip().removesuffix(","))
    except (ValueError, RecursionError):
        return None
    names = ("question", "answer", "quote")
    if not isinstance(value, dict) or not all(isinstance(value.get(name), str) for name in names):
        return None
    sound = all(value[name].strip() and value[name].isprintable() for name in names)
    return {name: value[name] for name in names} if sound else None
