"""A follow-up and what was said before, to a question that stands alone, by rules."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from rag.questions import AUXILIARIES, STOP_WORDS, WORD, YEAR, analyse, names_in, stem, stems
from rag.records import Turn

MEMORY = 10  # turns that are looked back on
CARRYING = 2  # a question of so many content words or fewer may lean on the topic
LOOKED_AT = 600  # characters of an earlier question or answer that are read; a longer question stands alone
NEAR = 4  # phrases among which "they" looks for a plural

ENDING = "?!. "
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
THING = re.compile(
    r"\b(?P<own>its)\b|\b(?:it|(?:the|that|this) (?:company|firm|start-?up|business|organi[sz]ation))\b", re.IGNORECASE
)
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

# What ends a phrase, besides the stop words; a verb also with an -s behind it.
VERBS = frozenset(
    "work compare affect happen mean differ help start begin become make made use need want get go take took give gave"
    " come came keep kept find show look see think call eat play live die run lead led change influence cause carry"
    " describe explain contrast define talk learn relate involve include contain create produce treat prevent shift"
    " reduce improve increase choose pay buy sell win lose spread survive exist occur believe consider develop form"
    " grow build built invest raise earn weigh drink visit stop tell contribute open close allow require provide put"
    " feel stay seem deal try know ask say enable damage replace save spoil compete adapt receive quit avoid went fit"
    " listen bring serve teach own hold held won consume suffer return decide expect grew won ran bought sold paid"
    " rose fell saw met left lost spent began knew thought wrote spoke drew born known clean appear sink bake".split()
)
BREAKS = STOP_WORDS | frozenset(
    "between after before during versus vs without besides under around while since until per through within against"
    " up down out off yes no own both each every not only too very then however again always ever never still even less"
    " more most".split()
)
# What is no topic of its own: "the main types", "some other examples".
LIGHT = frozenset(
    "type kind sort difference similarity similarities pro con advantage disadvantage benefit risk effect symptom sign"
    " origin role purpose reason example fact thing way part number amount price definition meaning characteristic"
    " feature theme impact importance information main first last best most good bad common important interesting"
    " different other similar possible key major overview issue problem concern criticism term people someone anything"
    " something typical time day year step general particular option factor argument function history significance"
    " really today now well often generally originally else big same nearby lot".split()
)
OBJECT = re.compile(r" (?:the|an?|its|their|his|her)\b", re.IGNORECASE)
PAST = re.compile(r"\w\w[^e]ed$")
QUALITY = re.compile(r"(?:able|ible|ful|ous|less|ult|ly|est)$")


@dataclass(frozen=True, slots=True)
class _Phrase:
    """Words that name something, with their article; `after` is the word before them."""

    article: str
    words: str
    named: bool
    after: str

    @property
    def text(self) -> str:
        return f"{self.article} {self.words}".lstrip()

    @property
    def plural(self) -> bool:
        return bool(re.search(r"[^s'’]s$", self.words))

    @property
    def stems(self) -> frozenset[str]:
        return stems(self.words)


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
    told = ASKING.sub("", asked)
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
        filled = _exchanged(filled, THINGS, _several(filled, talk))
    if filled == body and _carries(body, talk[0]):
        filled = f"{body} ({', '.join(_behind(body, asked, talk, history[-1].answer))})"
    return filled


def _done(asked: str, talk: Sequence[_Phrase]) -> str:
    """What "do that" means, as an infinitive: what the last question said of its subject."""
    for phrase in talk:
        told = re.search(rf"\b(?:do|does|did|will|would|can|could) {re.escape(phrase.text)} (.+)", asked, re.IGNORECASE)
        if told:
            return told[1]
    verb, space, rest = ASKING.sub("", asked).partition(" ")
    return f"{_infinitive(verb)}{space}{rest}" if asked.lower().startswith("who") else ""


def _behind(body: str, asked: str, talk: Sequence[_Phrase], answer: str) -> list[str]:
    """What a question leans on: the topic, and where it points back, what was asked and the names that were told."""
    if not POINTING.search(body):
        return [talk[0].words]
    topic = " ".join(analyse(asked).words) if SAID.search(body) else talk[0].words
    told = [p.words for p in _phrases(answer) if p.named and not p.stems <= stems(f"{topic} {body}")]
    return [topic, *told[:2]]


def _exchanged(body: str, pronoun: re.Pattern[str], thing: str) -> str:
    """The question with the thing for its pronoun; as it is where it names the thing already."""
    if stems(thing) <= stems(body):
        return body
    own = f"{thing}'" if thing.endswith("s") else f"{thing}'s"
    return pronoun.sub(lambda m: own if m["own"] else thing, body)


def _single(talk: Sequence[_Phrase]) -> str:
    """What "it" means: the topic, but the name beside it where the topic is "Nvidia chips"."""
    beside = [phrase for phrase in talk[:2] if phrase.named and not phrase.plural]
    return (beside[0] if beside and talk[0].named and talk[0].plural else talk[0]).text


def _several(body: str, talk: Sequence[_Phrase]) -> str:
    """What "they" means: the nearest plural, else the topic, or the last two things where two are set side by side."""
    plural = next((phrase for phrase in talk[:NEAR] if phrase.plural), talk[0])
    if PAIRED.search(body) and not talk[0].plural:
        other = next((p for p in talk[1:] if p.named == talk[0].named and not p.stems <= talk[0].stems), None)
        if other:
            return f"{talk[0].text} and {other.text}"
    return plural.text


def _in_full(body: str, talk: Sequence[_Phrase]) -> str:
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
    phrases = _phrases(before) if JOINING.search(before) else ()
    return any(phrase.named for phrase in phrases) or bool(phrases and INTRODUCING.match(body))


def _carries(body: str, topic: _Phrase) -> bool:
    """Whether a question without pronouns leans on the topic: it points back, or is short and names nothing new."""
    if topic.stems & stems(body):
        return False
    if POINTING.search(body):
        return True
    phrases = _phrases(body)
    if any(p.named or (AUXILIARY.fullmatch(p.after) and not p.article) for p in phrases):
        return False
    if phrases and INTRODUCING.match(body):
        return False
    if len(phrases) > 1 or any(" " in phrase.words for phrase in phrases):
        return False
    return sum(word.lower() not in STOP_WORDS for word in WORD.findall(body)) <= CARRYING


def _talk(history: Sequence[Turn]) -> list[_Phrase]:
    """What was spoken of, the topic first: what the last question that leaned on none before it brought up."""
    talk: list[_Phrase] = []
    for turn in history:
        whole = turn.question.strip()
        body = OPENING.sub("", whole)
        refers = (THING.search(body) or THINGS.search(body)) and not _names_its_own(body)
        keeps = talk and (refers or len(body) < len(whole) or _carries(body, talk[0]))
        told = _phrases(turn.answer)
        meant = [phrase for phrase in told[:1] if refers and phrase.named and not phrase.after]
        phrases = _topic_first(_phrases(body)) + sorted(told, key=lambda p: not p.named)
        talk = [*meant, *talk[:1], *phrases, *talk[1:]] if keeps else [*phrases, *talk]
    return talk


def _topic_first(phrases: Sequence[_Phrase]) -> list[_Phrase]:
    """Names first; without a name, "the evidence of the collapse" is about the collapse."""
    ranked = sorted(phrases, key=lambda p: not p.named)
    if len(ranked) > 1 and not ranked[0].named and ranked[1].after in {"of", "about"}:
        ranked[:2] = reversed(ranked[:2])
    return ranked


@lru_cache(maxsize=1024)
def _phrases(text: str) -> tuple[_Phrase, ...]:
    """The phrases of a text that may name a topic, in their order."""
    found = []
    for run in _runs(text):
        while run and (_is_one_of(run[0].group().lower(), LIGHT) or (len(run) > 1 and _is_gerund(run[0].group()))):
            run = run[1:]
        while run and (_is_one_of(run[-1].group().lower(), LIGHT) or QUALITY.search(run[-1].group())):
            run = run[:-1]
        if not run:
            continue
        before = text[: run[0].start()].lower().split()[-2:]
        article = before.pop() if before and before[-1] in {"the", "a", "an"} else ""
        after = before[-1] if before else ""
        if after in {"do", "does", "did"} and len(run) > 1 and not text[run[-1].end() :].strip(ENDING):
            run = run[:-1]  # "What does Acme sell?" ends in a verb
        start, end = run[0].start(), run[-1].end()
        named = any(word.group()[0].isupper() and word.start() > 0 for word in run)
        found.append(_Phrase(article, re.sub(r"['’]s?$", "", text[start:end]), named, after))
    return tuple(found)


def _runs(text: str) -> Iterator[list[re.Match[str]]]:
    """Content words that stand side by side; a stop word, a verb, a year, a mark or a possessive ends a run."""
    run: list[re.Match[str]] = []
    before = ""
    for word in WORD.finditer(text):
        parted = run and (text[run[-1].end() : word.start()].strip(" ") or re.search(r"['’]s$", run[-1].group()))
        ends = _ends_phrase(word, before) or (bool(run) and _has_an_object(run[-1].group(), word, text))
        before = word.group().lower()
        if run and (parted or ends):
            yield run
            run = []
        if not ends:
            run.append(word)
    if run:
        yield run


def _ends_phrase(word: re.Match[str], before: str) -> bool:
    """Whether a word is part of no phrase; `before` is the word before it: a verb behind "who", "tall" behind "how"."""
    plain = re.sub(r"['’]s$", "", word.group().lower())
    if plain in BREAKS:
        return not (len(plain) > 1 and word.group().isupper())  # "US" is no "us"
    if YEAR.fullmatch(plain):
        return True
    if word.group()[0].isupper() and word.start() > 0:
        return False
    if before in {"who", "how"} or plain.endswith("ly") or _is_one_of(plain, VERBS):
        return True
    return before not in BREAKS and bool(PAST.search(plain))


def _has_an_object(before: str, word: re.Match[str], text: str) -> bool:
    """Whether a word behind a name is a verb: it is written small and has an article behind it, "Acme cleans the"."""
    return before[0].isupper() and word.group().islower() and bool(OBJECT.match(text, word.end()))


def _is_one_of(word: str, words: frozenset[str]) -> bool:
    """Whether a word is one of these, or one of them with an -s."""
    return bool({word, word.removesuffix("s"), word.removesuffix("es"), re.sub("ies$", "y", word)} & words)


def _is_gerund(word: str) -> bool:
    bare = word.removesuffix("ing")
    return bare != word and bool({bare, f"{bare}e"} & VERBS)


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
