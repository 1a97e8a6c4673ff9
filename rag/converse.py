"""A follow-up and what was said before, to a question that stands alone, by rules."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag.questions import STOP_WORDS, WORD, YEAR, analyse
from rag.records import Turn

OPENING = re.compile(r"^(?:and|but|so|or|also|then|ok|okay|what about|how about)\b[, ]*", re.IGNORECASE)
BARE = re.compile(
    r"^(?P<asks>(?:(?:in|on|at|by|for|over|from|to|since|until|about|with) )?"
    r"(?:who|whom|what|when|where|why|which|how(?: much| many| long| big| high| often)?)(?: \w+)?)"
    r"(?: (?:was|is|were|are|did|does|do) (?:that|this|it|so))?$",
    re.IGNORECASE,
)
PERSON = re.compile(r"\b(?P<own>his|her)\b|\b(?:he|she|him|hers)\b", re.IGNORECASE)
THING = re.compile(
    r"\b(?P<own>its|their)\b"
    r"|\b(?:it|they|them|(?:the|that|this) (?:company|firm|start-?up|business|organi[sz]ation))\b",
    re.IGNORECASE,
)
POINTING = re.compile(r"\b(?:that|this|those|these|then|there|one|the same)\b", re.IGNORECASE)
DONE = re.compile(r"\b(?:do|did|does|doing|done) (?:that|this|so|it)\b", re.IGNORECASE)
CALLED = re.compile(r"\bthe (?:(?!\w+ed\b)\w+ )??(?!\w+ed\b)\w+(?= \w+ed\b|[?.!]*$)", re.IGNORECASE)
ASKING = re.compile(r"^(?:who|what|when|where|why|which|how(?: much| many)?)\b\s*", re.IGNORECASE)
AUXILIARY = re.compile(r"^(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would|should|may|might)\b", re.I)


def standalone(question: str, history: Sequence[Turn]) -> str:
    """The question with its pronouns and gaps filled from the history; itself where nothing is missing.

    "When did he do that?" after "Who founded Acme?", "Jane Doe founded Acme." gives "When did Jane Doe found Acme?" as
    far as rules can: names for pronouns, the earlier question's words for "that" and for what an ellipsis leaves out.
    """
    if not history:
        return question
    asked, body = history[-1].question.strip().rstrip("?!. "), question.strip().rstrip("?!. ")
    body = OPENING.sub("", body)
    if not body:
        return question
    elliptic = len(body) < len(question.strip().rstrip("?!. "))
    bare = BARE.match(body)
    if bare and len(body.split()) <= 5:
        return f"{_continued(bare['asks'], asked)}?"
    content = [word for word in WORD.findall(body) if word.lower() not in STOP_WORDS]
    if (elliptic or len(body.split()) <= 3) and not re.search(r"\b(?:who|what|when|where|why|which|how)\b", body, re.I):
        swapped = _swapped(body, content, asked, history)
        if swapped is not None:
            return f"{swapped}?"
    filled = _filled(body, history)
    if filled == body and not elliptic:
        return question
    return f"{filled[0].upper()}{filled[1:]}?"


def _continued(asks: str, asked: str) -> str:
    """A bare question word with what the last question asked about: ("Why", "Did it rain") gives "Why did it rain"."""
    opening = f"{asks[0].upper()}{asks[1:]}"
    if AUXILIARY.match(asked):
        return f"{opening} {asked[0].lower()}{asked[1:]}"
    told = ASKING.sub("", asked)
    if AUXILIARY.match(told):
        return f"{opening} {told}"
    verb, _, rest = told.partition(" ")
    past = verb.endswith("ed") or verb in {"built", "made", "bought", "sold", "led", "wrote", "ran", "said", "won"}
    return f"{opening} was {rest} {verb}" if past and rest else f"{opening} {told}"


def _swapped(body: str, content: Sequence[str], asked: str, history: Sequence[Turn]) -> str | None:
    """The last question with its year or its name exchanged for the one that the follow-up names."""
    years = YEAR.findall(body)
    if years:
        return YEAR.sub(years[0], asked) if YEAR.search(asked) else f"{asked} {body}"
    if not content:
        return None
    new = re.sub(r"^(?:in|on|at|by|for|from|to|with|of) |['’]s$", "", body)
    names = [name for name in analyse(asked).names if name.lower() != new.lower()]
    if not new:
        return None
    if not names:
        return f"{asked} {body}" if history else None
    return re.sub(rf"\b{re.escape(names[0])}\b", lambda _: new[0].upper() + new[1:], asked, count=1)


def _filled(body: str, history: Sequence[Turn]) -> str:
    """The follow-up with names for its pronouns, and the topic behind it where it points at something unnamed."""
    person, thing = _person(history), _thing(history)
    doing = DONE.search(body)
    filled = body
    if doing:
        verb, space, rest = ASKING.sub("", history[-1].question.strip().rstrip("?!. ")).partition(" ")
        filled = filled.replace(doing.group(), f"{_infinitive(verb)}{space}{rest}")
    if person:
        filled = PERSON.sub(lambda m: f"{person}'s" if m["own"] else person, filled)
    named = {name.lower() for name in analyse(filled).names}
    if thing and thing.lower() not in named:
        filled = THING.sub(lambda m: f"{thing}'s" if m["own"] else thing, filled)
    if not doing and POINTING.search(body):
        topic = [name for turn in history[-1:] for name in _topic(turn) if name.lower() not in filled.lower()]
        if topic:
            filled = f"{filled} ({', '.join(topic)})"
    return filled


def _infinitive(verb: str) -> str:
    """A regular past form as "did" wants it: "founded" gives "found", "raised" gives "raise"."""
    if not verb.endswith("ed"):
        return verb
    bare = verb.removesuffix("ed")
    return f"{bare}e" if bare.endswith(("s", "v", "c", "g", "z", "u")) else bare


def _topic(turn: Turn) -> list[str]:
    """What a turn was about: the content words of its question, and the names of its answer."""
    words = [re.sub(r"['’]s$", "", word) for word in analyse(turn.question).words]
    names = [name for name in _names_in(turn.answer) if not any(name in word for word in words)]
    return [" ".join(words), *names[:2]]


def _person(history: Sequence[Turn]) -> str | None:
    """The last person spoken of: two capitalised words, rather what an answer brought up than what was asked about."""
    for turn in reversed(history):
        told, asked = _names_in(turn.answer), _names_in(turn.question)
        for name in (*(name for name in told if name not in asked), *asked):
            if re.fullmatch(r"[A-Z][a-z]+(?: [A-Z]\.)? [A-Z][a-z]+", name):
                return name
    return None


def _thing(history: Sequence[Turn]) -> str | None:
    """The last thing spoken of: the first name in the last question, else what it calls "the ...", else a name told."""
    for turn in reversed(history):
        called = CALLED.search(turn.question)
        things = [*_names_in(turn.question), *([called.group()] if called else []), *_names_in(turn.answer)]
        if things:
            return things[0]
    return None


def _names_in(text: str) -> list[str]:
    return list(dict.fromkeys(analyse(text).names))
