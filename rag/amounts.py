"""Which figure of a sentence answers "How much" or "How many": that of the unit, rate and clause asked for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from rag.questions import WORD, Asked, concept, counted, plain_words, stem
from rag.records import Evidence, Sentence
from rag.relations import counts_nothing_asked, counts_others, tells_of_another
from rag.values import Figure, agree, clauses_of, figures, moment

OTHER_MOOD = 0.5
DOUBT = 0.25  # what the odds of a doubtful sentence are worth: one that tells of another office, or the like
NEAR_BEST = 0.5  # a sentence that holds what is asked of the counted needs this share of the best score
HOW_MANY = re.compile(r"\bhow many\b(?: (?P<noun>\w+))?", re.IGNORECASE)
PERCENTAGE = re.compile(r"\b(?:percent(?:age)?|per cent|what (?:share|part|proportion))\b", re.IGNORECASE)
MONEY = re.compile(
    r"^\W*how much (?:is|are|was|were)\b|\b(?:money|worth|valu\w+|revenues?|sales|costs?|prices?|invest\w*|raised?"
    r"|profits?|paid|pay|spen[dt]|cheque|check)\b",
    re.IGNORECASE,
)
# What is asked for in a unit: "How heavy", "How long", "How far". Pounds may be money or weight.
MEASURED = (
    (re.compile(r"\b(?:weigh\w*|heavy|heavier)\b", re.IGNORECASE), ("kg", "ton", "£", "")),
    (re.compile(r"\bhow (?:far|tall|wide|deep)\b", re.IGNORECASE), ("m", "")),
    (re.compile(r"\bhow long\b", re.IGNORECASE), ("hour", "month", "m", "")),
    (re.compile(r"\bhow fast\b|\bwhat speed\b", re.IGNORECASE), ("km/h", "mph", "m/s", "knot", "hour", "")),
)
NO_MONEY = frozenset(",%,kg,ton,m,m²,sqft,l,Wh,W,B,°,°C,°F,km/h,mph,m/s,knot,hour,month".split(","))
TIME = re.compile(r"\b(?:time|longer|older|later|earlier)\b", re.IGNORECASE)
RATE = re.compile(r"\b(?:an?|per|each|every) (?P<each>\w+)|\b(?P<often>dai|week|month|year|hour)ly\b", re.IGNORECASE)
# "from 18 to 14", "14 instead of 18", "14 (previously 18)": what has been, where another figure tells what is.
FORMER = re.compile(
    r"\b(?:previously|formerly|originally|instead of|rather than|(?:up|down) from"
    r"|(?:ris|rais|increas|grow|cut|reduc|lower|fall|drop|chang|extend|expand)\w*(?: [\w'’-]+){0,5}? from"
    r"|(?:rose|grew|fell|shrank|went)(?: [\w'’-]+){0,5}? from) (?:about |around |some |roughly |nearly )?$",
    re.IGNORECASE,
)
BEFORE = re.compile(
    r"\b(?:before|previous(?:ly)?|former(?:ly)?|originally|initially|at first|used to|earlier|in the past)\b",
    re.IGNORECASE,
)
OF_WHICH = re.compile(r"\bof (?:which|these|this|it)\b", re.IGNORECASE)


def borne_out(asked: Asked, evidence: Sequence[Evidence]) -> list[Evidence]:
    """Evidence for an amount, each with its figure that is most borne out: a sentence votes for what it says.

    The vote is the sentence's score; a plan counts half where a fact is asked for, and the other way round.
    """
    told = [_of_the_unit(asked.question, e.text) for e in evidence]
    told = [_at_the_rate(asked.question, e.text, own) for e, own in zip(evidence, told, strict=True)]
    told = [_in_the_clause(asked, e.text, own) for e, own in zip(evidence, told, strict=True)]
    read = [_figure_read(e, own) for e, own in zip(evidence, told, strict=True)]

    def votes(e: Evidence, figure: Figure) -> float:
        said = sum(other.score for other, f in zip(evidence, read, strict=True) if f and agree(figure, f))
        return said if moment(e.text, figure).prospective == asked.prospective else said * OTHER_MOOD

    settled = []
    for e, own in zip(evidence, told, strict=True):
        best = max(own, key=lambda figure: votes(e, figure), default=None)
        place = (best.start + e.sentence.start, best.end + e.sentence.start) if best else e.answer
        settled.append(replace(e, answer=place))
    return _of_the_counted(asked, settled)


def doubted(score: float, times: int = 1) -> float:
    """A probability whose odds are lowered as often as something speaks against it: another office, event, the like."""
    odds = DOUBT**times
    return odds * score / (odds * score + 1.0 - score)


def _of_the_counted(asked: Asked, evidence: Sequence[Evidence]) -> list[Evidence]:
    """The evidence, in doubt where it speaks of what is counted alone, and another sentence of what is asked of it.

    To "How many people died?" 212 people on board are no answer where one has died.
    """
    words = {concept(word) for word in plain_words(asked)} - counted(asked)
    told = [bool(words & {concept(word) for word in WORD.findall(e.text)}) for e in evidence]
    best = max((e.score for e, so in zip(evidence, told, strict=True) if so), default=0.0)
    if not HOW_MANY.search(asked.question) or best < NEAR_BEST * max((e.score for e in evidence), default=0.0):
        return list(evidence)
    return [e if so else replace(e, score=doubted(e.score)) for e, so in zip(evidence, told, strict=True)]


def _of_the_unit(question: str, text: str) -> list[Figure]:
    """The figures of a text that are of the unit that is asked for; a bare one may leave it to the one before it."""
    told: list[Figure] = []
    for figure in figures(text):
        elliptic = bool(told) and not figure.unit and not figure.noun and bool(OF_WHICH.search(text, 0, figure.start))
        if (unit_fits(question, figure.unit) or elliptic) and not counts_nothing_asked(text, figure):
            told.append(figure)
    return told


def _at_the_rate(question: str, text: str, told: list[Figure]) -> list[Figure]:
    """The figures that are given for what the question asks for, "a month", where some are; else all of them."""
    asked = {_rate(rate) for rate in RATE.finditer(question)}
    given = [f for f in told if (rate := RATE.match(text, f.end + 1)) and _rate(rate) in asked]
    return given or told


def _in_the_clause(asked: Asked, text: str, told: list[Figure]) -> list[Figure]:
    """The figures of the clauses that speak of what is asked, where others of the sentence do not; else all of them.

    Of "Nineteen were injured and one died" the one died, and of "a budget of 18,000, of which 14,350 has been spent"
    14,350 has been spent.
    """
    if len(told) < 2:
        return told
    told = _of_then_or_now(asked, text, told)
    clauses = clauses_of(text, told)
    kept = [f for f, clause in zip(told, clauses, strict=True) if not tells_of_another(asked.question, clause)] or told
    parts = [f for f, clause in zip(told, clauses, strict=True) if _is_the_part(asked, f, clause)]
    if parts and parts[0] != told[0]:
        return parts
    words = {concept(word) for word in plain_words(asked)} - {concept("people")}
    shared = [len(words & {concept(word) for word in WORD.findall(clause)}) for clause in clauses]
    if words and len(words) in shared and set(shared) == {0, len(words)}:
        kept = [f for f, n in zip(told, shared, strict=True) if n and f in kept] or kept
    return kept


def _of_then_or_now(asked: Asked, text: str, told: list[Figure]) -> list[Figure]:
    """The figures that tell what is, or what was where the question asks for that; all of them where a year tells.

    "Attachments may be up to 50 MB (previously 20 MB)": 50 MB, and before 20. Measured on SQuAD 1.1's training
    articles: of 29 such sentences that answer a question without a year, 27 do so with a figure kept.
    """
    former = [f for f in told if FORMER.search(text, 0, f.start)]
    if asked.years or not former or len(former) == len(told):
        return told
    return former if BEFORE.search(asked.question) else [f for f in told if f not in former]


def _is_the_part(asked: Asked, figure: Figure, clause: str) -> bool:
    """Whether a figure counts a part that is asked for by name: of "four trips, two to Rome" the two to Rome."""
    names = {word.lower() for name in asked.names for word in WORD.findall(name)}
    told = {word.lower() for word in WORD.findall(clause)}
    return not figure.unit and not figure.noun and not names.isdisjoint(told)


def _rate(rate: re.Match[str]) -> str:
    return stem((rate["each"] or rate["often"]).lower().replace("dai", "day"))


def _figure_read(evidence: Evidence, told: Sequence[Figure]) -> Figure | None:
    """The figure that the reader's words hold."""
    start, end = evidence.answer or (0, 0)
    begin = evidence.sentence.start
    return next((f for f in told if f.start + begin < end and start < f.end + begin), None)


def unit_fits(question: str, unit: str) -> bool:
    """Whether a figure of a unit, "" for a count, may be what a question asks for."""
    if HOW_MANY.search(question):
        return unit == _counted_unit(question)
    if PERCENTAGE.search(question):
        return unit == "%"
    if units := next((units for asked, units in MEASURED if asked.search(question)), None):
        return unit in units
    return unit not in NO_MONEY or not MONEY.search(question) or TIME.search(question) is not None


@lru_cache(maxsize=256)
def _counted_unit(question: str) -> str:
    """The unit of what "How many ..." counts, "" for what is none: days are measured, people are not."""
    asked = HOW_MANY.search(question)
    told = figures(f"2 {asked['noun']}") if asked and asked["noun"] else []
    return told[0].unit if told else ""


def beside_the_question(asked: Asked, text: str, sentence: Sentence, place: tuple[int, int]) -> bool:
    """Whether the only figures that words of a sentence touch are ages, or count others than is asked."""
    all_told = figures(text)
    told = [f for f in all_told if f.start + sentence.start < place[1] and place[0] < f.end + sentence.start]
    others = any(counts_others(asked.question, text, figure) for figure in all_told)
    return others or (bool(told) and all(counts_nothing_asked(text, figure) for figure in told))
