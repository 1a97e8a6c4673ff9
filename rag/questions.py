"""What a question asks for: the kind of its answer, its words and names, and its parts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Literal

Kind = Literal["amount", "date", "name", "place", "yesno", "reason", "list", "text"]

STOP_WORDS = frozenset(
    "a about actually all also am an and any are as at be because been being but by can could did do does"
    " doing for from get had has have he her him his how i if in into is it its itself just like may me"
    " might must my myself of on or our out over please shall she should so some such tell than that the their"
    " them there these they this those to us was we were what when where which while who whom whose why will"
    " with would you your yourself know say says said many much ever".split()
)

AUXILIARIES = (
    "is|are|was|were|am|do|does|did|has|have|had|can|could|will|would|shall|should|may|might|must|isn't|aren't|wasn't"
    "|weren't|don't|doesn't|didn't|hasn't|haven't|can't|couldn't|won't|wouldn't"
)
# "Can you tell me", "Could you please say", "I would like to know": the question proper begins behind them.
COURTESY = re.compile(
    r"^\s*(?:please[, ]+|hi[, ]+|hello[, ]+|so[, ]+|and[, ]+"
    r"|(?:can|could|would|will) you (?:please )?(?:tell|say|explain)(?: to)?(?: me)?,? "
    r"|(?:i would|i'd) like to know,? |do you know |(?:please )?tell me,? |is it (?:true|correct|right) that )+",
    re.IGNORECASE,
)
YES_NO = re.compile(rf"^(?:{AUXILIARIES})\b", re.IGNORECASE)
CLAIMED = re.compile(r"\bis it (?:true|correct|right) that\b", re.IGNORECASE)

MEASURES = "amount|number|share|percentage|percent|price|cost|size|total|sum|figure"
MANY = (
    "companies|firms|apps|models|customers|clients|partners|products|advantages|benefits|reasons|fields|areas|countries"
    "|labs|names|people|organi[sz]ations|risks|concerns"
)
ONE = "company|firm|person|man|woman|organi[sz]ation|division|lab|founder|ceo|body|agency|regulator"
NAME_OF = r"^what(?: is|['’]s| was| are| were) the names? of\b"
# In this order: the first that fits is the kind of the question.
PATTERNS: tuple[tuple[Kind, str], ...] = (
    (
        "reason",
        r"\bwhy\b|^how come\b|\bwhat (?:made|makes|(?:is|are|was|were) the reasons?|caused)\b|\bfor what reason",
    ),
    ("date", r"^when\b|\b(?:what|which) (?:year|date|day|month|time)\b|\bwhen (?:was|were|did|is|will|does)\b"),
    ("place", r"^where\b|\b(?:what|which) (?:place|city|country|countries|cities|state|region|location)\b"),
    ("amount", r"\bhow (?:much|many|big|large|high|old|far|long|expensive|tall|wide|heavy|fast)\b"),
    ("amount", rf"\bwhat (?:(?:is|was|were|are) )?(?:(?:the|its|their|his|her) )?(?:{MEASURES})\b|\bprice tag\b"),
    ("amount", r"\b(?:what|which) (?:temperature|speed|height|weight|depth|width)\b"),
    ("amount", r"\b(?:valuation|worth|revenues?|sales|turnover|profits?|count|cost|price)\b(?!.*\b(?:why|who|when)\b)"),
    (
        "list",
        rf"^(?:list|name|enumerate)\b|\b(?:which|what) (?:\w+ )?(?:kinds? of |sorts? of )?(?:{MANY})\b|\bwho are\b",
    ),
    ("name", NAME_OF),
    ("name", rf"^whom?\b|^whose\b|\bby whom\b|\b(?:which|what) (?:\w+ )?(?:{ONE})\b"),
)
COMPILED = tuple((kind, re.compile(pattern, re.IGNORECASE)) for kind, pattern in PATTERNS)
PROSPECTIVE = re.compile(
    r"\b(?:will|would|could|might|may|going to|expect(?:s|ed)?|plan(?:s|ned)?|project(?:s|ed)|forecasts?|predict\w*"
    r"|targets?|aims?|proposed|potential\w*|considering|thinking|next|soon|in talks|intends?)\b",
    re.IGNORECASE,
)
COUNTED = re.compile(
    rf"\bhow many (?:(?P<things>(?:[\w-]+ ){{1,3}}?)(?=(?:{AUXILIARIES})\b)|(?P<first>[\w-]+))", re.IGNORECASE
)
# What "Why did Rome fall?" takes for granted begins at "did"; "What made Rome fall?" takes "Rome fall" for granted.
TAKEN = re.compile(
    rf"^(?:why|when|how|where|(?:on|in|at|by|from|for) (?:what|which) \w+) (?P<did>(?:{AUXILIARIES})\b.+)"
    r"|^what (?:made|makes|led|caused) (?P<made>.+)",
    re.IGNORECASE,
)
WORD = re.compile(r"[^\W_](?:[\w.'’&-]*[^\W_])?")
NAME = re.compile(r"\b[A-Z][\w&.-]*(?:\s+(?:[A-Z][\w&.-]*|\d+))*")
NAME_INSIDE = re.compile(r"(?<=[a-z,] )[A-Z][\w&-]*")
YEAR = re.compile(r"\b(?:1[89]|20)\d\d\b")
WH = "who|whom|by whom|what|when|where|why|which|how"
JOINED = re.compile(rf"^(?P<first>.+?),? and (?P<second>(?:(?:in|on|at|by|for) )?(?:{WH})\b.*)$", re.IGNORECASE)
ASKING = re.compile(rf"(?:(?:in|on|at|by|for) )?(?:{WH})\b", re.IGNORECASE)
# "Who are the chairs of Acme, Bolt and Cord?" asks the same of each.
OF_EACH = re.compile(
    r"^(?P<wh>[Ww]ho|[Ww]hat) (?:are|were) the (?P<what>(?:\w+ ){0,3}?\w+)s (?P<of>of|at|in|for) "
    r"(?P<names>[A-Z][^,]*?(?:, [A-Z][^,]*?)*,? and [A-Z].*)$"
)
PRONOUN = re.compile(r"\b(?P<owner>its|their|his)\b|\b(?:it|they|he|she)\b", re.IGNORECASE)
QUESTION_WORDS = frozenset("who whom what when where why how which in year".split())
NAME_STARTERS = frozenset(
    "who whom whose what which when where why how is are was were am do does did has have had can could"
    " will would shall should may might must the a an in on at of for to and or if besides list name"
    " please tell i by from with".split()
)
TITLES = frozenset("CEO CFO COO CTO CIO Mr Mrs Ms Dr Prof".split())  # beside a name, and none


@dataclass(frozen=True, slots=True)
class Asked:
    """What a question asks for; `words` are its content words as written, `names` those that look like names."""

    question: str
    kind: Kind
    words: tuple[str, ...]
    names: tuple[str, ...]
    years: tuple[str, ...]
    prospective: bool


def analyse(question: str) -> Asked:
    """What a question asks for: the kind of answer by its wording, its content words, names and years."""
    proper = COURTESY.sub("", question).strip()
    words = tuple(w for w in WORD.findall(proper) if w.lower().removesuffix("'s") not in STOP_WORDS)
    return Asked(
        question,
        _kind(question, proper),
        words,
        names_in(question),
        tuple(YEAR.findall(proper)),
        bool(PROSPECTIVE.search(proper)),
    )


def search_words(question: str) -> list[str]:
    """The words to look up in the full-text index, each once: content words, or all words where there are none."""
    words = list(analyse(question).words) or WORD.findall(question)
    plain = [re.sub(r"['’]s$", "", word).lower() for word in words]
    return list(dict.fromkeys(plain))[:64]


def parts(question: str) -> list[str]:
    """The questions that a many-part question joins, each standing alone; most questions are their own only part.

    "In which year was Acme founded, and by whom?" gives "In which year was Acme founded?" and "By whom was Acme
    founded?": a second part that is only a question word borrows the words of the first, and a pronoun in it stands for
    what the first is about. "Who are the chairs of Acme and Bolt?" asks for each.
    """
    body = question.strip().rstrip("?!. ")
    if each := OF_EACH.match(body):
        names = [name.strip() for name in re.split(r",? and |, ", each["names"])]
        return [f"{each['wh']} is the {each['what']} {each['of']} {name}?" for name in names]
    joined = JOINED.match(body)
    if joined is None or not ASKING.match(joined["first"]):
        return [question]
    first, second = joined["first"], joined["second"]
    if all(word.lower() in QUESTION_WORDS | {"much", "many"} for word in first.split()):
        return [question]
    about = topic(analyse(first))
    if about and len(second.split()) > 3 and PRONOUN.search(second) and not PRONOUN.search(first):
        second = PRONOUN.sub(lambda found: f"{about}'s" if found["owner"] else about, second)
    elif len(second.split()) <= 3 or re.search(r"\b(?:it|its|they|their|he|she|that)\b", second, re.IGNORECASE):
        borrowed = [word for word in first.split() if word.lower() not in QUESTION_WORDS]
        second = " ".join([second, *borrowed])
    return [f"{first}?", f"{second[0].upper()}{second[1:]}?"]


def topic(asked: Asked) -> str | None:
    """The name that a question is about: that which follows its auxiliary, else the first; None without a name.

    "In Norway, how much does the Aurora carry?" is about the Aurora.
    """
    asking = rf"\b(?:{AUXILIARIES}) (?:the )?"
    follows = (name for name in asked.names if re.search(rf"{asking}{re.escape(name)}\b", asked.question, re.I))
    return next(follows, next(iter(asked.names), None))


def counted(asked: Asked) -> set[str]:
    """What the words stand for that "How many ..." counts: that customers are spoken of does not tell how many left."""
    told = COUNTED.search(asked.question)
    words = {concept(word) for word in WORD.findall(told["things"] or told["first"])} if told else set()
    return words | {concept("people")}


def asks_for_a_name(asked: Asked) -> bool:
    """Whether nothing but a name answers: "What is the name of the ship?"."""
    return re.match(NAME_OF, asked.question.strip(), re.IGNORECASE) is not None


def premise(question: str) -> str | None:
    """What a question takes for granted, as a yes/no question: "Why did Rome fall?" gives "Did Rome fall?"."""
    taken = TAKEN.match(COURTESY.sub("", question).strip())
    if taken is None:
        return None
    words = taken["did"] or f"did {taken['made']}"
    return f"{words[0].upper()}{words[1:].rstrip('?!. ')}?"


def plain_words(asked: Asked) -> set[str]:
    """The stems of the question's words that are no names."""
    return {stem(word) for word in asked.words} - {stem(word) for name in asked.names for word in name.split()}


# They say nothing of what a question is about: "How long did the outage last?" is about an outage.
GENERAL_WORDS = """
last take get make give happen begin start end mean work use need find call come go become play live first name long old
big large high far new time year day place type kind part number good best main
"""


@lru_cache(maxsize=1)
def _general() -> frozenset[str]:
    return frozenset(stem(word) for word in GENERAL_WORDS.split())


def subject_words(asked: Asked) -> set[str]:
    """What the words stand for that say what a question is about, names among them."""
    return {concept(word) for word in asked.words if stem(word) not in _general()}


# Words that stand for one another, above all in questions about organisations and money, and forms of irregular words:
# each line is one concept.
LIKE_WORDS = """
found founder start launch establish create begin began begun
worth value valuation valued
boss ceo chief head charge run executive
buy bought acquire purchase takeover acquisition
invest investment spend spending spent put pour sink commit money
sue sued suing lawsuit
revenue sales turnover earn
employee staff worker workforce
big large size huge
headquarters headquartered based located
cost price
forecast predict project expect projection expectation
gpu processor chip graphics
defence defense military army
label labelling labeling annotate annotation
customer client
firm company startup
allow permit permission welcome
own owner owned belong
child children
person people
man men
woman women
send sent
sell sold
make made
take took taken
pay paid
go went gone
give gave given
hold held
keep kept
lose lost
meet met
win won
write wrote written
build built
bring brought
come came
drive drove driven
eat ate eaten
fall fell fallen
grow grew grown
know knew known
rise rose risen
sleep slept
teach taught
break broke broken
choose chose chosen
catch caught
draw drew drawn
drink drank drunk
feel felt
fight fought
fly flew flown
freeze froze frozen
hide hid hidden
lead led
leave left
lend lent
ride rode ridden
see saw seen
seek sought
shoot shot
sing sang sung
stand stood
steal stole stolen
strike struck
swim swam swum
tell told
think thought
throw threw thrown
wear wore worn
speak spoke spoken
forbid prohibit ban
"""


@lru_cache(maxsize=1)
def _concepts() -> dict[str, str]:
    groups = (line.split() for line in LIKE_WORDS.strip().splitlines())
    return {stem(word): stem(group[0]) for group in groups for word in group}


def concept(word: str) -> str:
    """What a word stands for: the stem that it shares with the words of like use ("boss" and "CEO" are one)."""
    return _concepts().get(stem(word), stem(word))


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """The word's stem, lower case, for comparing words across their forms (Snowball English)."""
    import Stemmer

    plain = re.sub(r"['’]s?$", "", word.lower())
    # One of its own for each word costs next to nothing, and none is safe for two threads.
    return str(Stemmer.Stemmer("english", 0).stemWord(plain))


def stems(text: str) -> frozenset[str]:
    """The stems of a text's words."""
    return frozenset(stem(word) for word in WORD.findall(text))


def _kind(question: str, proper: str) -> Kind:
    if CLAIMED.search(question) or (YES_NO.match(proper) and " or " not in proper):
        return "yesno"
    for kind, pattern in COMPILED:
        if pattern.search(proper):
            return kind
    return "text"


def names_in(text: str) -> tuple[str, ...]:
    """Runs of capitalised words, question words aside; a possessive ends a run: "Acme's Series F" holds two names.

    A title does so, too, and belongs to none: "Acme CEO Jane Doe" holds "Acme" and "Jane Doe".
    """
    names = []
    for match in NAME.finditer(COURTESY.sub("", text)):
        words = [word.rstrip(".") for word in match.group().split()]
        while words and words[0].lower() in NAME_STARTERS:
            words.pop(0)
        runs = groupby(words, lambda word: word in TITLES)
        names += [" ".join(run) for is_title, run in runs if not is_title]
    return tuple(names)
