"""Offices, quantities and events that are easily taken for one another: a chief executive is no finance chief.

A sentence that names one of a kind, and not the one that is asked for, answers less often. Measured on 900 questions of
SQuAD 1.1's training articles that ask for one of these: of the sentences that answer them 2 % do so, of the others in
their paragraph and the two beside it 6 %.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from rag.questions import WORD, Asked, concept
from rag.values import Figure

Kind = tuple[tuple[str, str | None], ...]

# For each: the words that name it, and further ones that may tell of it.
OFFICES: Kind = (
    (
        r"CEOs?|chief executives?|managing directors?",
        r"boss|head(?:s|ed)?|lead(?:s|er|ers|ing)?|led|runs?|ran|running|in charge",
    ),
    (
        r"CFO|chief financial officer|financ(?:e|ial) (?:chief|director|head|officer)|head of finance|"
        r"treasurers?",
        None,
    ),
    (r"COO|chief operating officer|operations chief", None),
    (r"CTO|chief techn(?:ology|ical) officer|technology chief", None),
    (r"chair(?:man|woman|person|s|men)?", r"chaired|head(?:s|ed)?|led"),
    (r"(?<!vice )(?<!vice-)presidents?", r"presid\w+"),
    (r"vice[ -]presidents?", None),
    (
        r"(?:co-?)?founders?",
        r"(?:co-?)?found\w+|start\w*|creat\w*|establish\w*|launch\w*|set up|form\w*|built|invent\w*",
    ),
    (r"(?:prime )?ministers?|premiers?|chancellors?", r"head of government"),
    (r"mayors?", r"mayoral"),
    (r"governors?", r"gubernatorial"),
    (r"coach(?:es)?|managers?", r"coach\w*|manag\w*"),
    (r"captains?", r"captain\w*"),
    (r"spokes(?:man|woman|person|people)", r"spoke|said"),
    (r"(?<!managing )directors?", r"direct\w*"),
    (r"secretar(?:y|ies)", None),
)
QUANTITIES: Kind = (
    (r"revenues?|sales|turnover", r"earn\w*|income|receipts|generat\w*|gross\w*|brought in|takings|sold|budget"),
    (r"profits?|net income", r"earn\w*|made|surplus|profitable|gain\w*"),
    (r"loss(?:es)?", r"lost|los(?:e|ing)|damage\w*"),
    (r"valuations?|valued|market cap\w*|market value|net worth", r"valu\w*|worth|estimated"),
    (
        r"price[ds]?|cost(?:s|ing)?|sold for|fees?",
        r"pay(?:s|ing)?|paid|buy(?:s|ing)?|bought|sell(?:s|ing)?|sold|sale|purchas\w*|acqui\w*|charg\w*|"
        r"spen[dt]\w*|invest\w*|worth|deal|valu\w*|budget\w*",
    ),
    (r"employees?|workers?|staff|workforce|headcount", r"employ\w*|work\w*|people|jobs?|personnel|hir\w*"),
    (r"raised?|raising|funding", r"fund\w*|rounds?|invest\w*|donat\w*|capital|grant\w*"),
    (r"debts?|loans?", r"ow(?:e|es|ed|ing)|borrow\w*|liabilit\w*|deficit"),
    (r"customers?|clients?|subscribers?|users?", r"subscri\w*|us(?:ed|ing|age)"),
    (r"stakes?|shareholding", r"shares?|own\w*|equity|percent"),
    (r"weigh(?:s|ed)?|weight|heavy|heavier", r"kg|kilo\w*|pounds?|ton(?:s|nes?)?|ounces?|grams?|mass|light\w*"),
    (
        r"carry|carries|carrying|capacity|payload",
        r"carried|seat\w*|room|h[oe]ld\w*|takes?|accommodat\w*|transport\w*|passengers?|load\w*|bear\w*",
    ),
)
EVENTS: Kind = (
    (
        r"(?:co-?)?founded|established|launched|formed|incorporated|set up|created|started",
        r"(?:co-?)?found\w*|start\w*|launch\w*|establish\w*|creat\w*|beg[aiu]n\w*|form\w*|open\w*|built|"
        r"build\w*|origin\w*|invent\w*|introduc\w*|develop\w*|first|dat(?:es|ed|ing)|organi[sz]ed|charter\w*|"
        r"inaugurat\w*|since|releas\w*|debut\w*|produc\w*|made|initi\w*|became|wr(?:ote|itten)|institut\w*",
    ),
    (
        r"buys?|bought|acquir\w*|acquisitions?|purchas\w*|takeover",
        r"s(?:old|ells?|elling|ales?)|merg\w*|invest\w*|stakes?|own\w*|paid|pay|deal|cost|price",
    ),
    (
        r"resign\w*|step(?:s|ped|ping)? down|left|leav(?:e|es|ing)|depart\w*|quit|oust\w*|fired",
        r"end\w*|retir\w*|replac\w*|succe\w*|until|former\w*|mov\w*|exit\w*|withdr\w*|fled|abandon\w*|"
        r"remov\w*|dismiss\w*|return\w*|went|go|broke|split",
    ),
    (
        r"die[sd]?|dead|deaths?|passed away|killed",
        r"kill\w*|murder\w*|assassinat\w*|execut\w*|suicide|dying|fatal\w*|casualt\w*|perish\w*|lost|loss(?:es)?|"
        r"lives|lifetime|posthumous\w*|extinct\w*|shot|drown\w*|buried|funeral",
    ),
    (r"injur(?:ed|ies|y)|hurt|wounded", r"casualt\w*|injur\w*|hospital\w*|harm\w*|wound\w*|burn\w*|broke\w*"),
    (r"missing|disappeared", r"lost|unaccounted|search\w*|vanish\w*|disappear\w*|not found"),
    (r"arrested|detained", r"arrest\w*|detain\w*|custody|charg\w*|held|jail\w*|imprison\w*|captur\w*|seiz\w*"),
    (r"born|births?", None),
    (r"partner(?:ed|ships?|s|ing)?|collaborat\w*|allian\w*", r"joint\w*|team\w*|work\w*|cooperat\w*"),
    (r"sue[sd]?|suing|lawsuits?", r"court|litigat\w*|suit\w*|legal|claim\w*|charg\w*"),
    (
        r"joined|joins?|hired?|appointed",
        r"recruit\w*|became|becom\w*|named|elected|nominat\w*|mov\w*|serv\w*|sign\w*|enter\w*|member\w*|"
        r"work\w*|start\w*",
    ),
)
BEFALLING = tuple(kind for kind in EVENTS if re.match(r"die|injur|missing|arrested", kind[0]))
ABBREVIATED = {
    "CEO": "chief executive",
    "CFO": "chief financial officer",
    "COO": "chief operating officer",
    "CTO": "chief technology officer",
}
HOLDER = re.compile(r"\W*who(?:['’]s| is| was| are| were| became| serves| served)\b", re.IGNORECASE)
# Who writes to the mayor is none: what comes before an office that is somebody's object.
OBJECT_OF = (
    r"\b(?:to|with|from|against|by|told|ask(?:s|ed)?|met|meets?|urge[sd]?|sue[sd]?|thank(?:s|ed)?|accuse[sd]?) "
    r"(?:the|an?|its|their|his|her|our) "
)
# And neither "of Acme, Jane Doe" nor ", Jane Doe" behind it.
ALONE = r"(?= (?!(?:of|for|at|in|is|was)\b)(?-i:[a-z])|[.;:!?]|$)"
INFORMANTS = re.compile(
    r"\s+(?:[\w-]+ ){0,4}?(?:people|persons?|sources?|officials?|executives?|employees|insiders?),? "
    r"(?:(?:with|who have|who had) (?:direct |first-?hand )?knowledge|(?:who (?:are|were) )?familiar with|close to"
    r"|(?:who (?:are|were) )?briefed on|(?:who|they) (?:\w+ )?(?:asked|declined|requested|spoke on)\b)",
    re.IGNORECASE,
)


# "children under 14", "persons aged 18 to 30"
AGED = re.compile(
    r"\b(?:children|kids|boys|girls|people|persons|adults|men|women|those|anyone|everyone)"
    r"(?: (?:who are|aged|up to the age of|from the age of))? $",
    re.IGNORECASE,
)


ASKED_PEOPLE = {"child": "children|kids", "woman": "women|girls", "man": "men|boys", "adult": "adults", "crew": "crew"}
PEOPLE = {*ASKED_PEOPLE, *"person passenger resident visitor employee worker student guest".split()}
CAUSAL = re.compile(
    r"\b(?:because|due|caus\w+|since|led|lead\w*|reason\w*|in order|so that|result\w*|owing|therefore|thus|hence"
    r"|to \w+|fail\w*|thanks|prompt\w*|fear\w*|want\w*|hop\w+|after|enabl\w*|allow\w*|mak\w+|made|motivat\w*"
    r"|fault\w*)\b",
    re.IGNORECASE,
)


def gives_no_reason(asked: Asked, text: str) -> bool:
    """Whether a text neither holds two words of a question "Why ...?" nor one that tells of a cause.

    Measured on 1,197 such questions of SQuAD 1.1's training articles: of the sentences that answer 3 % do neither, of
    the others in their paragraph 37 %.
    """
    own = {concept(word) for word in asked.words}
    if asked.kind != "reason" or len(own) < 2 or CAUSAL.search(text):
        return False
    return len(own & {concept(word) for word in WORD.findall(text)}) < 2


def counts_others(question: str, text: str, figure: Figure) -> bool:
    """Whether a figure counts others than the children, say, that a question asks for and a text does not name."""
    for noun, names in ASKED_PEOPLE.items():
        if _words(f"how many (?:{names})").search(question):
            return figure.noun in PEOPLE - {noun} and not _words(names).search(text)
    return False


def tells_of_another(question: str, text: str) -> bool:
    """Whether a text names an office, a quantity or an event like the one that a question asks about, and not that."""
    return any(not own.search(text) and names.search(text) for own, names in _asked(question))


def tells_of_no_victims(question: str, text: str) -> bool:
    """Whether "How many died?" is asked, or "were hurt" or the like, and a text tells of nothing of the kind.

    Measured on 215 such questions of SQuAD 1.1's training articles: of the sentences that answer 4 % do not, most of
    them wrongly marked, of the others in their paragraph that hold a figure 74 %.
    """
    if not _words("how many").search(question):
        return False
    asked = [_words(f"{names}|{further}") for names, further in BEFALLING if _words(names).search(question)]
    return bool(asked) and not any(told.search(text) for told in asked)


def lacks_the_office(question: str, text: str) -> bool:
    """Whether a text does not name the office whose holder is asked for.

    Measured on 404 such questions of SQuAD 1.1's training articles: of the sentences that answer 9 % do not, of the
    others in their paragraph that hold a name 86 %.
    """
    own = _offices(question)
    return own is not None and not own.search(text)


def deals_with_the_office(question: str, text: str) -> bool:
    """Whether a text names the office whose holder is asked for only as what somebody else deals with.

    "Julia Stein will write to the mayor" does not say who the mayor is. Measured on the same questions: none of 368
    sentences that name the office and answer do so, and 3 of 236 that name it and do not answer.
    """
    own = _offices(question)
    if own is None or not own.search(text):
        return False
    dealt_with = re.compile(f"{OBJECT_OF}{own.pattern}{ALONE}", re.IGNORECASE)
    return not own.search(dealt_with.sub("", text))


@lru_cache(maxsize=256)
def _offices(question: str) -> re.Pattern[str] | None:
    """What may tell of the offices whose holders a question asks for; None where it asks for none."""
    told = [f"{names}|{further}" if further else names for names, further in OFFICES if _words(names).search(question)]
    return _words("|".join(told)) if told and HOLDER.match(question) else None


def spelt_out(question: str, texts: Sequence[str]) -> str:
    """The question with the abbreviations of offices spelt out that no text writes; the reader knows few of them."""
    for short, full in ABBREVIATED.items():
        if not any(re.search(rf"\b{short}\b", text) for text in texts):
            question = re.sub(rf"\b{short}\b", full, question, flags=re.IGNORECASE)
    return question


def counts_nothing_asked(text: str, figure: Figure) -> bool:
    """Whether a figure counts who told a reporter ("two people with knowledge of the deal") or is an age."""
    is_age = AGED.search(text[: figure.start]) and not figure.unit
    return bool(is_age) or INFORMANTS.match(text, figure.end) is not None


@lru_cache(maxsize=256)
def _asked(question: str) -> list[tuple[re.Pattern[str], re.Pattern[str]]]:
    """Of each kind that a question asks for: what may tell of the same, and what names any of the kind."""
    asked = []
    for lines in _kinds():
        own = [told for names, told in lines if _words(names).search(question)]
        if own:
            asked.append((_words("|".join(own)), _words("|".join(names for names, _ in lines))))
    return asked


@lru_cache(maxsize=1)
def _kinds() -> list[list[tuple[str, str]]]:
    """Of each kind: the patterns of what names one, and of what may tell of it."""
    return [
        [(names, f"{names}|{further}" if further else names) for names, further in kind]
        for kind in (OFFICES, QUANTITIES, EVENTS)
    ]


@lru_cache(maxsize=512)
def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE)
