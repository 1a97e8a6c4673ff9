"""Whether a sentence denies what a yes/no question asks, by its values, its negations and its words."""

from __future__ import annotations

import re
from functools import cache

from rag.questions import STOP_WORDS, WORD, YEAR, Asked, concept, plain_words
from rag.roles import holder
from rag.values import agree, dates, figures

NEGATION = re.compile(r"\b(?:not|no|never|nor|neither|without|unlike|\w+n't|\w+n’t)\b", re.IGNORECASE)
# What they do does not come about: "The council rejected a toll".
DENYING = re.compile(
    rf"{NEGATION.pattern}|\b(?:reject(?:s|ed|ing)?|refus(?:es?|ed|ing)|declin(?:es?|ed|ing) to|abandon(?:s|ed)?"
    r"|cancel(?:s|led|ed)?|scrap(?:s|ped)?)\b",
    re.IGNORECASE,
)
INSTEAD = re.compile(r"\b(?:instead of|rather than|in place of)\b", re.IGNORECASE)  # without this, that
FIGURES_ASKED = 8
NEGATION_REACH = 4
# "It has not said whether it will appeal": neither that it will nor that it will not
UNSAID = re.compile(
    rf"\b(?:nothing|no decision) (?:has|have|had|is|was) (?:yet )?(?:been )?(?:decided|settled|made|taken)\b"
    r"|\b(?:ask|wonder|discuss|debat|consider|examin)\w* (?:[\w’']+ ){0,3}?(?:whether|if)\b[^,;:]*$"
    rf"|(?:{NEGATION.pattern}|\b(?:declin|refus)(?:es?|ed|ing) to|\b(?:yet to|unclear|unknown|open|unsure)\b)"
    # "Do not take it if you are ill" leaves nothing unsaid.
    r"(?:(?: [\w’']+){0,3} whether|(?: [\w’']+){0,2} (?:say|said|tell|told|know|known|clear|sure|certain|decided?"
    r"|disclosed?|revealed?|confirm(?:ed)?|determined?)(?: [\w’']+)? if)\b"
    r"|\b(?:unclear|unknown|open|unsure) if\b|\bwhether\b[^.]*\b(?:unclear|unknown|uncertain|undecided|open)\b",
    re.IGNORECASE,
)
# "Acme denies the claim.": what has just been said stands against somebody's word.
CONTESTED = re.compile(
    r"\b(?:den(?:y|ies|ied)|reject(?:s|ed)?|disput(?:es|ed)|contest(?:s|ed)|contradict(?:s|ed)|refut(?:es|ed)) "
    r"(?:the |these |those |this |that |all )*(?:\w+ )?(?:it|this|that|claims?|reports?|allegations?|accusations?"
    r"|accounts?|charges?|statements?|story)\b"
    r"|\bcall(?:s|ed) (?:it|this|that|the \w+) (?:false|untrue|wrong|nonsense)\b",
    re.IGNORECASE,
)
# "It does not" behind what somebody says: so it is not.
NOT_SO = re.compile(
    r"(?:it|this|that|they|these|he|she) (?:is|are|was|were|does|do|did|has|have|had|will|can|could)(?: not|n['’]t)"
    r"(?=\s*(?:[.,:;!—–-]|$))|(?:it|this|that) (?:is|was) (?:wrong|false|untrue|not true|incorrect)\b",
    re.IGNORECASE,
)
# "a parking space does not."
DOES_NOT = re.compile(
    r"\b(?:do|does|did|is|are|was|were|has|have|can|may|will)(?: not|n['’]t)(?=\s*(?:[.,;!]|$))", re.I
)
IS_ROLE = re.compile(
    r"^\W*(?:is|was|are) (?:(?:the|our|my) (?P<role>\w+) [A-Z]|[A-Z].* (?:the|our|my) (?P<of>\w+)\W*$)", re.I
)
NUMBERED = re.compile(r"\b(?P<name>[A-Z]\w+) (?:\d+(?:\.\d+)?|[A-Z])\b|\b(?P<code>[A-Z]{1,4}-?)\d+\b")
JOINT = re.compile(r";|, |\b(?:but|while|whereas)\b")
OPEN_YEAR = re.compile(rf"\b(?:after|before|since|until|till|from) (?:\w+ )?{YEAR.pattern}", re.IGNORECASE)
VERSION = re.compile(r"\b(?:version |release |v)(\d+(?:\.\d+)+)", re.IGNORECASE)
DONE = re.compile(
    r"\b(?:already|completed?|signed|sealed|finali[sz]ed|closed|finished|settled|official)\b", re.IGNORECASE
)
OPEN = re.compile(
    r"\b(?:if|would|could|might|in talks|discuss\w*|negotiat\w*|consider(?:ed|ing)|weigh(?:ed|ing))\b", re.IGNORECASE
)
PRAISE = re.compile(r"\b(?:well|good|great|success\w*|triumph\w*|popular|strong\w*|smooth\w*)\b", re.IGNORECASE)
BLAME = re.compile(
    r"\b(?:underwhelm\w*|disappoint\w*|poor\w*|fail\w*|weak\w*|criticis\w*|criticiz\w*|flop\w*|unpopular)\b",
    re.IGNORECASE,
)

# What is the one is not the other.
OPPOSITES = (
    ("opens?", "closed?|closes|shut"),
    ("r[io]ses?|risen|increase[sd]?|gr[eo]ws?|grown", "f[ae]lls?|fallen|decrease[sd]?|dropped|shrank|shrunk"),
    ("wins?|won", "los(?:es?|t)"),
    ("legal", "illegal"),
    ("supports?|supported", "opposes?|opposed"),
)
ALLOWED = re.compile(r"\b(?:allow(?:s|ed)?|permit(?:s|ted)?|permissible)\b", re.IGNORECASE)
FORBIDDEN = re.compile(
    r"\b(?:forb(?:ids?|ade|idden)|prohibit(?:s|ed)?|bans?|banned|(?:should|must) avoid|(?:should|must|to) be avoided)\b"
    r"|^\W*avoid\b",
    re.IGNORECASE,
)
RULED_ON = re.compile(
    r"(?P<what>[^,.;:]*?)\b(?:is|are|was|were|be|been)(?: not| \w+ly)? "
    r"(?:allowed|permitted|forbidden|prohibited|banned|avoided)\b",
    re.IGNORECASE,
)
# "Can I keep a dog?" asks whether it is allowed, and "the Tenant may keep one cat" says what is.
MAY = re.compile(r"^\W*(?:can|could|may) (?:i|we|you|one|the|an?)\b", re.IGNORECASE)
LEAVE = re.compile(
    r"\b(?:may|can|could|must|shall|should|only|never|free to|right to|consent|permission|entitled|required)\b", re.I
)


def denies(asked: Asked, text: str) -> bool:
    """Whether the sentence says otherwise than a yes/no question asks.

    "Acme was founded in 2016." denies "Was Acme founded in 2018?"; "Acme does not sell anvils." denies "Does Acme
    sell anvils?".
    """
    return (
        speaks_of_another(asked, text)
        or _other_figure(asked.question, text)
        or bool(DONE.search(asked.question) and OPEN.search(text))
        or (bool(PRAISE.search(asked.question)) and bool(BLAME.search(text)))
        or _other_permission(asked, text)
        or bool(told_otherwise(asked.question, text))
        or _held_by_another(asked, text)
        or _negated(asked, text) != bool(DENYING.search(asked.question) or INSTEAD.search(asked.question))
    )


def _other_figure(question: str, text: str) -> bool:
    """Whether the sentence gives other figures of the unit that the question asks about, and not the one it names."""
    told = figures(text)
    for figure in figures(question)[:FIGURES_ASKED]:
        others = [other for other in told if other.unit == figure.unit and other.unit]
        if others and not any(agree(figure, other) for other in others):
            return True
    return False


def leaves_permission_open(question: str, text: str) -> bool:
    """Whether a question asks for permission of which a sentence does not speak."""
    told = any(pattern.search(text) for pattern in (ALLOWED, FORBIDDEN, LEAVE, NEGATION))
    return bool(MAY.search(question) or ALLOWED.search(question)) and not told


def contests(text: str) -> bool:
    """Whether a sentence says that somebody denies what was said before it."""
    return CONTESTED.search(text) is not None


def takes_back(text: str) -> bool:
    """Whether a sentence says that what the one before it says is not so."""
    return NOT_SO.match(text) is not None


def leaves_unsaid(text: str) -> bool:
    """Whether a sentence says that something is not known or not decided: it neither bears nor denies it."""
    return UNSAID.search(text) is not None


def speaks_of_another(asked: Asked, text: str) -> bool:
    """Whether a sentence names another year, quarter, "Series F", "Llama 3" or "version 2.3" than is asked about."""
    exact = bool(asked.years) and not OPEN_YEAR.search(asked.question)
    asked_quarters = {date.quarter for date in dates(asked.question)} - {None}
    told = dates(text) if exact or asked_quarters else ()
    quarters = {date.quarter for date in told} - {None}
    spans = [range(date.year, date.year + date.years) for date in told if date.year is not None]
    if asked_quarters and quarters and asked_quarters.isdisjoint(quarters):
        return True
    named = not set(asked.years).isdisjoint(YEAR.findall(text))
    if exact and spans and not named and not any(int(year) in span for year in asked.years for span in spans):
        return True
    another_name = _other_number_of_a_name(asked.question, text) or _other_version(asked.question, text)
    return another_name or (exact and _in_another_year(asked, text))


def _in_another_year(asked: Asked, text: str) -> bool:
    """Whether what the question says before its year stands only in clauses that tell of other years.

    "It lost 12,000 in 2022 but made a profit in 2023" tells of no profit in 2022.
    """
    before = re.split(YEAR.pattern, asked.question, maxsplit=1)[0]
    said = [concept(word) for word in WORD.findall(before) if word in asked.words]
    if not asked.years or not said:
        return False
    clauses = [clause for clause in JOINT.split(text) if said[-1] in map(concept, WORD.findall(clause))]
    years = [set(YEAR.findall(clause)) for clause in clauses]
    return bool(years) and all(told and told.isdisjoint(asked.years) for told in years)


def _other_version(question: str, text: str) -> bool:
    """Whether a sentence tells of another version, by its label or as the heading of a list's item."""
    asked, told = ({found[1] for found in VERSION.finditer(said)} for said in (question, text))
    if heading := re.match(r"\W*(\d+(?:\.\d+)+)(?= ?[(:–-])", text):
        told.add(heading[1])
    return bool(asked and told) and asked.isdisjoint(told)


def _other_number_of_a_name(question: str, text: str) -> bool:
    """Whether a numbered name ("Llama 2", "Series B", "E07") stands in the sentence with another number only."""
    found = [(match["name"] or match["code"], match.group()) for match in NUMBERED.finditer(text)]
    for match in NUMBERED.finditer(question):
        if (match["name"] or "").lower() in STOP_WORDS:  # "May I smoke?" asks about no May
            continue
        namesakes = {written for name, written in found if name == (match["name"] or match["code"])}
        if namesakes and match.group() not in namesakes:
            return True
    return False


def permits(text: str) -> bool | None:
    """Whether a text permits something or forbids it; None where it says neither, or both."""
    allowed, forbidden = ALLOWED.search(text), FORBIDDEN.search(text)
    said = allowed or forbidden
    if said is None or (allowed and forbidden):
        return None
    before = " ".join(text[: said.start()].split()[-NEGATION_REACH:])
    return bool(allowed) != bool(NEGATION.search(before))


def _other_permission(asked: Asked, text: str) -> bool:
    """Whether a sentence forbids what the question asks to be allowed, or allows what it asks to be forbidden.

    "Juice should be avoided" says nothing of whether one may drink alcohol.
    """
    wanted, told = True if MAY.search(asked.question) else permits(asked.question), permits(text)
    if wanted is None or told is None or wanted == told:
        return False
    ruled = RULED_ON.search(text)
    words = [word for word in WORD.findall(ruled["what"]) if word.lower() not in STOP_WORDS] if ruled else []
    return not words or not set(map(concept, words)).isdisjoint(map(concept, asked.words))


def told_otherwise(question: str, text: str) -> list[str]:
    """The question's words whose opposite a text holds, and not the word: "open" where it says "closed"."""
    return [
        word
        for own, opposite in _opposites()
        for word in own.findall(question)
        if opposite.search(text) and not own.search(text)
    ]


@cache
def _opposites() -> list[tuple[re.Pattern[str], re.Pattern[str]]]:
    """Each word with its opposite, and the other way round."""
    words = [[re.compile(rf"\b(?:{word})\b", re.IGNORECASE) for word in pair] for pair in OPPOSITES]
    return [pair for one, other in words for pair in ((one, other), (other, one))]


def _held_by_another(asked: Asked, text: str) -> bool:
    """Whether "Is Ann Lee the tenant?" asks of a role that a text gives to another: "Bo Ek (tenant)"."""
    role = IS_ROLE.match(asked.question)
    place = holder(role["role"] or role["of"], text) if role else None
    named = {word for name in asked.names for word in WORD.findall(name)}
    return place is not None and bool(named) and named.isdisjoint(WORD.findall(text[slice(*place)]))


def _negated(asked: Asked, text: str) -> bool:
    """Whether a negation stands shortly before a word of the question that is no name, or ends a clause behind it."""
    own = {concept(word) for word in plain_words(asked)}
    before = (WORD.findall(text[negation.end() :])[:NEGATION_REACH] for negation in DENYING.finditer(text))
    ended = (WORD.findall(text[: ending.start()])[-1:] for ending in DOES_NOT.finditer(text))
    return any(concept(word) in own for words in (*before, *ended) for word in words)
