"""The phrases of a question or an answer that name what is spoken of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from rag.questions import STOP_WORDS, WORD, YEAR, stems

ENDING = "?!. "
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
    "type kind sort difference similarity similarities pro con advantage disadvantage benefit risk effect symptom"
    " sign origin role purpose reason example fact thing way part number amount price definition meaning"
    " characteristic feature theme impact importance information main first last best most good bad common important"
    " interesting different other similar possible key major overview issue problem concern criticism term people"
    " someone anything something anyone anybody somebody everyone nobody nothing everything typical time day year step"
    " general particular option factor argument function history significance really today now well often generally"
    " originally else big same nearby lot".split()
)
BEFORE_VERBS = frozenset("do does did will would can could may might must should".split())
OBJECT = re.compile(r" (?:the|an?|its|their|his|her)\b", re.IGNORECASE)
PAST = re.compile(r"\w\w[^e]ed$")
QUALITY = re.compile(r"(?:able|ible|ful|ous|less|ult|ly|est)$")


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words that name something, with their article; `after` is the word before them."""

    article: str
    words: str
    named: bool
    after: str

    @property
    def text(self) -> str:
        """The words with their article."""
        return f"{self.article} {self.words}".lstrip()

    @property
    def plural(self) -> bool:
        """Whether the words end as a plural does."""
        return bool(re.search(r"[^s'’]s$", self.words))

    @property
    def stems(self) -> frozenset[str]:
        """The stems of the words."""
        return stems(self.words)


@lru_cache(maxsize=1024)
def phrases_in(text: str) -> tuple[Phrase, ...]:
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
        if after in BEFORE_VERBS and len(run) > 1 and not text[run[-1].end() :].strip(ENDING):
            run = run[:-1]  # "What does Acme sell?" and "When will the road open?" end in a verb
        start, end = run[0].start(), run[-1].end()
        named = any(word.group()[0].isupper() and word.start() > 0 for word in run)
        found.append(Phrase(article, re.sub(r"['’]s?$", "", text[start:end]), named, after))
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
