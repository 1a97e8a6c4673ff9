"""A follow-up and what was said before, to a question that stands alone, by rules."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag.phrases import ENDING, Phrase, phrases_in
from rag.questions import AUXILIARIES, STOP_WORDS, WORD, YEAR, analyse, names_in, stem, stems
from rag.records import Turn

MEMORY = 10  # turns that are looked back on
CARRYING = 2  # a question of so many content words or fewer may lean on the topic
LOOKED_AT = 600  # characters of an earlier question or answer that are read; a longer question stands alone
NEAR = 4  # phrases among which "they" looks for a plural

OPENING = re.compile(r"^(?:and|but|so|or|also|then|ok|okay|what about|how about)\b[,.;:! ]*", re.IGNORECASE)
BARE = re.compile(
    r"^(?P<asks>(?:(?:in|on|at|by|for|over|from|to|since|until|about|with) )?"
    r"(?:who|whom|what|when|where|why|which|how(?: much| many| long| big| high| often)?)(?: \w+)?)"
    r"(?: (?:was|is|were|are|did|does|do) (?:that|this|it|so))?$",
    re.IGNORECASE,
)
# "How tall is it" and "How many signed" are no bare question words.
WHOLE = re.compile(r"^(?:how \w+|where) (?:is|was|are|were) it$|^how (?:much|many) \w+ed$", re.IGNORECASE)
PERSON = re.compile(r"\b(?P<own>his|her(?= \w))\b|\b(?:he|she|him|hers?)\b", re.IGNORECASE)
IT = re.compile(r"\b(?:(?P<own>its)|it)\b", re.IGNORECASE)
THE_FIRM = re.compile(r"\b(?:the|that|this) (?:company|firm|start-?up|business|organi[sz]ation)\b", re.IGNORECASE)
THING = re.compile(rf"{IT.pattern}|{THE_FIRM.pattern}", re.IGNORECASE)
OF_THE = re.compile(
    rf"(?P<asks>.+? (?:{AUXILIARIES})) (?:the|an?|its|their) [a-z]+(?P<rest>(?: (?:of|at|in) .+| \(.+)?)", re.IGNORECASE
)
THEN = re.compile(r"(?:last|this|next|the following|the previous) (?:year|quarter|month|week)|the \w+ (?:before|after)")
MANY = re.compile(rf"how many (?:\w+ ){{1,3}}?(?=(?:{AUXILIARIES})\b)", re.IGNORECASE)
THINGS = re.compile(
    r"\b(?P<own>their)\b|\b(?:they|them|(?:those|these)(?= (?:are|were|do|does|did|have|has|had|can|could)\b|$))\b",
    re.IGNORECASE,
)
# "might that climb", "after this": what was said, not a thing that is named behind it
SAID = re.compile(
    r"\b(?:is|was|do|does|did|has|have|had|can|could|may|might|will|would|should) (?:that|this)\b|\b(?:that|this)$",
    re.IGNORECASE,
)
# neither "are there any" nor "breeds that are big" points at anything
POINTING = re.compile(
    r"\b(?:this|those|these|then|ones?|the same|(?<!is )(?<!are )(?<!was )(?<!were )there(?! (?:is|are|was|were)\b)"
    r"|that(?! (?:is|are|was|were|do|does|did|has|have|had|can|could|may|might|will|would|should)\b))\b",
    re.IGNORECASE,
)
SHORT = re.compile(r"\b(?:the|this|that|these|those) (?P<head>\w+)(?! of\b)", re.IGNORECASE)
OF_THEM = re.compile(r"\bof them\b", re.IGNORECASE)
PEOPLE = re.compile(r"\bpeople\b", re.IGNORECASE)
PAIRED = re.compile(r"\b(?:differ\w*|compar\w*|both|each other|between|together)\b", re.IGNORECASE)
DONE = re.compile(
    r"\b(?:do|did|does|doing|done) (?:that|this|so|it)\b"
    r"(?= *(?:[?.!,;]|$|(?:in|on|at|for|with|by|to|again|and|or|when)\b))",
    re.IGNORECASE,
)
ASKING = re.compile(
    rf"^(?:(?:in|on|at|by|for|from|to|with) )?(?:(?:what|which) \w+(?= (?:{AUXILIARIES})\b)"
    rf"|how (?!(?:{AUXILIARIES})\b)\w+|who|what|when|where|why|which|how)\b\s*",
    re.IGNORECASE,
)
ASKED = re.compile(r"\b(?:who|what|when|where|why|which|how)\b|^(?:tell|show|list|give|describe|let)\b", re.IGNORECASE)
AUXILIARY = re.compile(rf"^(?:{AUXILIARIES})\b", re.IGNORECASE)
PREPOSITION = re.compile(r"^(?:in|on|at|by|for|from|to|with|of|since|during|after|before) ", re.IGNORECASE)
# "What is a genre?" and "Tell me about lung cancer." bring up what they name.
INTRODUCING = re.compile(
    r"^(?:what|who)(?:['’]s| is| are| was| were) (?!the\b|some\b|there\b)"
    r"|^(?:tell|describe|compare|explain|define)\b",
    re.IGNORECASE,
)
JOINING = re.compile(r",|\b(?:and|that|than|when|who)\b", re.IGNORECASE)


def standalone(question: str, history: Sequence[Turn]) -> str:
    """The question with its pronouns and gaps filled from the history; itself where nothing is missing.

    "When did he do that?" after "Who founded Acme?", "Jane Doe founded Acme." gives "When did Jane Doe found Acme?" as
    far as rules can: names for pronouns, the earlier question's words for "that" and for what an ellipsis leaves out,
    and the topic in brackets behind a question that names none ("What are the main types (yoga)?").
    """
    if len(question) > LOOKED_AT:
        return question
    history = [Turn(turn.question[:LOOKED_AT], turn.answer[:LOOKED_AT]) for turn in history[-MEMORY:]]
    whole = question.strip().rstrip(ENDING)
    body = OPENING.sub("", whole)
    if not history or not body:
        return question
    asked = standalone(history[-1].question, history[:-1]).strip().rstrip(ENDING)
    bare = None if WHOLE.match(body) else BARE.match(body)
    if bare and len(body.split()) <= 5:
        return f"{_continued(bare['asks'], asked)}?"
    elliptic = len(body) < len(whole)
    if (elliptic or len(body.split()) <= 3) and not (ASKED.search(body) or AUXILIARY.match(body)):
        swapped = _swapped(body, asked)
        if swapped is not None:
            return f"{swapped}?"
    filled = _filled(body, asked, history)
    if filled == body and not elliptic:
        return question
    return f"{filled[0].upper()}{filled[1:]}?"


def _continued(asks: str, asked: str) -> str:
    """A bare question word with what the last question asked about: ("Why", "Did it rain") gives "Why did it rain"."""
    opening = f"{asks[0].upper()}{asks[1:]}"
    if AUXILIARY.match(asked):
        return f"{opening} {asked[0].lower()}{asked[1:]}"
    told = MANY.sub("", asked) if MANY.match(f"{asks} is") else ASKING.sub("", asked)
    if AUXILIARY.match(told):
        return f"{opening} {told}"
    verb, _, rest = told.partition(" ")
    past = verb.endswith("ed") or verb in {"built", "made", "bought", "sold", "led", "wrote", "ran", "said", "won"}
    return f"{opening} was {rest} {verb}" if past and rest else f"{opening} {told}"


def _swapped(body: str, asked: str) -> str | None:
    """The last question with its year, its ending or its name exchanged for the one that the follow-up names."""
    years = YEAR.findall(body)
    if years:
        return YEAR.sub(years[0], asked) if YEAR.search(asked) else f"{asked} {body}"
    preposition = PREPOSITION.match(body)
    if preposition:
        kept = re.sub(rf" {preposition.group()}(?!.* {preposition.group()}).*$", "", asked, flags=re.IGNORECASE)
        return f"{kept} {body}"
    if THEN.fullmatch(body):
        told, bracket, topic = asked.partition(" (")
        return f"{told} {body}{bracket}{topic}"
    of_the = OF_THE.fullmatch(asked)
    if of_the and re.fullmatch(r"(?:the|an?|its|their) [a-z]+", body):
        return f"{of_the['asks']} {body}{of_the['rest']}"
    new = re.sub(r"['’]s$", "", body)
    names = [name for name in names_in(asked) if name.lower() != new.lower()]
    if not names or all(word.lower() in STOP_WORDS for word in WORD.findall(new)):
        return None
    new = re.sub(r"^(?:the|an?) ", "", new, flags=re.IGNORECASE) if f" the {names[0]}" in asked else new
    return re.sub(rf"\b{re.escape(names[0])}\b", lambda _: new[0].upper() + new[1:], asked, count=1)


def _filled(body: str, asked: str, history: Sequence[Turn]) -> str:
    """The follow-up with names for its pronouns, and the topic behind it where it names none."""
    person, talk, filled = _person(history), _talk(history), body
    doing = DONE.search(body)
    done = _done(asked, talk) if doing else ""
    if doing and done:
        filled = filled.replace(doing.group(), done)
    if person:
        filled = PERSON.sub(lambda m: f"{person}'s" if m["own"] else person, filled)
    if not talk:
        return filled
    filled = _in_full(filled, talk)
    if not _names_its_own(filled):
        filled = _exchanged(filled, THING, _single(talk))
        people = OF_THEM.search(filled) and PEOPLE.search(asked)
        filled = _exchanged(filled, THINGS, "the people" if people else _several(filled, talk))
    if filled == body and _carries(body, talk[0]):
        filled = f"{body} ({', '.join(_behind(body, asked, talk, history[-1].answer))})"
    return filled


def _done(asked: str, talk: Sequence[Phrase]) -> str:
    """What "do that" means, as an infinitive: what the last question said of its subject."""
    for phrase in talk:
        told = re.search(rf"\b(?:do|does|did|will|would|can|could) {re.escape(phrase.text)} (.+)", asked, re.IGNORECASE)
        if told:
            return told[1]
    verb, space, rest = ASKING.sub("", asked).partition(" ")
    return f"{_infinitive(verb)}{space}{rest}" if asked.lower().startswith("who") else ""


def _behind(body: str, asked: str, talk: Sequence[Phrase], answer: str) -> list[str]:
    """What a question leans on: the topic, and where it points back, what was asked and the names that were told."""
    if not POINTING.search(body):
        return [talk[0].words]
    topic = " ".join(analyse(asked).words) if SAID.search(body) else talk[0].words
    told = [p.words for p in phrases_in(answer) if p.named and not p.stems <= stems(f"{topic} {body}")]
    return [topic, *told[:2]]


def _exchanged(body: str, pronoun: re.Pattern[str], thing: str) -> str:
    """The question with the thing for its pronoun; as it is where it names the thing already."""
    if stems(thing) <= stems(body):
        return body
    own = f"{thing}'" if thing.endswith("s") else f"{thing}'s"
    # "Did it warn the company?" speaks of two.
    kept = THE_FIRM.search(body) and IT.search(body)
    return pronoun.sub(lambda m: m[0] if kept and THE_FIRM.match(m[0]) else own if m["own"] else thing, body)


def _single(talk: Sequence[Phrase]) -> str:
    """What "it" means: the topic, but the name beside it where the topic is "Nvidia chips"."""
    beside = [phrase for phrase in talk[:2] if phrase.named and not phrase.plural]
    return (beside[0] if beside and talk[0].named and talk[0].plural else talk[0]).text


def _several(body: str, talk: Sequence[Phrase]) -> str:
    """What "they" means: the nearest plural, else the topic, or the last two things where two are set side by side."""
    plural = next((phrase for phrase in talk[:NEAR] if phrase.plural), talk[0])
    if PAIRED.search(body) and not talk[0].plural:
        other = next((p for p in talk[1:] if p.named == talk[0].named and not p.stems <= talk[0].stems), None)
        if other:
            return f"{talk[0].text} and {other.text}"
    return plural.text


def _in_full(body: str, talk: Sequence[Phrase]) -> str:
    """A thing that is called by its last word in full again: "the collapse" gives "the Bronze Age collapse"."""
    for short in SHORT.finditer(body):
        for phrase in talk:
            last = phrase.words.split()[-1]
            same = short["head"].lower() == last.lower() or (not phrase.named and stem(short["head"]) == stem(last))
            if same and not phrase.stems <= stems(body):
                return f"{body[: short.start()]}the {phrase.words}{body[short.end() :]}"
    return body


def _names_its_own(body: str) -> bool:
    """Whether a pronoun means what the question itself brings up: "What is Rock City, and why is it famous"."""
    pronoun = THING.search(body) or THINGS.search(body)
    before = body[: pronoun.start()] if pronoun else ""
    phrases = phrases_in(before) if JOINING.search(before) else ()
    return any(phrase.named for phrase in phrases) or bool(phrases and INTRODUCING.match(body))


def _carries(body: str, topic: Phrase) -> bool:
    """Whether a question without pronouns leans on the topic: it points back, or is short and names nothing new."""
    if topic.stems & stems(body):
        return False
    if POINTING.search(body):
        return True
    phrases = phrases_in(body)
    if any(p.named or (AUXILIARY.fullmatch(p.after) and not p.article) for p in phrases):
        return False
    if phrases and INTRODUCING.match(body):
        return False
    if len(phrases) > 1 or any(" " in phrase.words for phrase in phrases):
        return False
    return sum(word.lower() not in STOP_WORDS for word in WORD.findall(body)) <= CARRYING


def _talk(history: Sequence[Turn]) -> list[Phrase]:
    """What was spoken of, the topic first: what the last question that leaned on none before it brought up."""
    talk: list[Phrase] = []
    for turn in history:
        whole = turn.question.strip()
        body = OPENING.sub("", whole)
        refers = (THING.search(body) or THINGS.search(body)) and not _names_its_own(body)
        keeps = talk and (refers or len(body) < len(whole) or _carries(body, talk[0]))
        told = phrases_in(turn.answer)
        meant = [phrase for phrase in told[:1] if refers and phrase.named and not phrase.after]
        phrases = _topic_first(phrases_in(body)) + sorted(told, key=lambda p: not p.named)
        talk = [*meant, *talk[:1], *phrases, *talk[1:]] if keeps else [*phrases, *talk]
    return talk


def _topic_first(phrases: Sequence[Phrase]) -> list[Phrase]:
    """Names first; without a name, "the evidence of the collapse" is about the collapse."""
    ranked = sorted(phrases, key=lambda p: not p.named)
    if len(ranked) > 1 and not ranked[0].named and ranked[1].after in {"of", "about"}:
        ranked[:2] = reversed(ranked[:2])
    return ranked


def _infinitive(verb: str) -> str:
    """A regular past form as "did" wants it: "founded" gives "found", "raised" "raise", "dropped" "drop"."""
    if not verb.endswith("ed"):
        return verb
    bare = verb.removesuffix("ed")
    if re.search(r"([bdgmnprt])\1$", bare):
        return bare[:-1]
    return f"{bare}e" if bare.endswith(("s", "v", "c", "g", "z", "u")) else bare


def _person(history: Sequence[Turn]) -> str | None:
    """The last person spoken of: two capitalised words, rather what an answer brought up than what was asked about."""
    for turn in reversed(history):
        told, asked = names_in(turn.answer), names_in(turn.question)
        for name in (*(name for name in told if name not in asked), *asked):
            if re.fullmatch(r"[A-Z][a-z]+(?: [A-Z]\.)? [A-Z][a-z]+", name):
                return name
    return None
