"""Values in text: which agree, what time they speak of, and text in the form in which it is compared."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

from rag.dates import (
    Date,
    dates,
    lazily,
    names_weekday_or_time,
    resolved,
    same_date,
    same_time,
    share_a_part,
    tells_when,
)
from rag.figures import WORDED, Figure, figures, number_in_words

__all__ = [
    "Date",
    "Figure",
    "Moment",
    "agree",
    "clauses_of",
    "dates",
    "figures",
    "groups",
    "holds",
    "moment",
    "names_weekday_or_time",
    "normal",
    "resolved",
    "same_date",
    "same_moment",
    "same_time",
    "share_a_part",
    "tells_when",
]

# ---- agreement ---------------------------------------------------------------------------------


def agree(a: Figure, b: Figure) -> bool:
    """Whether two figures can be one: rounded as the other is given or hedged, one of them is what the other allows.

    Symmetric and reflexive, not transitive: 13.8 agrees with 14, and 14 with 14.2. An open hedge speaks of its
    neighbourhood, "over X" of less than 2X and "up to X" of more than X/2, and nothing is rounded past a bound that a
    hedge states: "over $10 billion" agrees with 14.3 and with 10, but neither with 25 nor with 9.9. The units must be
    the same; what is counted is the caller's to compare.
    """
    if a.unit != b.unit or _opposed(a, b) or _opposed(b, a):
        return False
    return any(_allows(a, said) for said in _said(b)) or any(_allows(b, said) for said in _said(a))


def groups(figures: Sequence[Figure]) -> list[list[int]]:
    """The places of figures that agree, as groups in the order of their first members.

    Figures are taken from the most precise to the least. Each joins the group whose first, most precise member it
    agrees with, the nearest where there are several, or begins one: so three "$13.8 billion" and "approximately $14
    billion" are one group, whatever their order.
    """

    def precision(place: int) -> tuple[Fraction, Fraction, str, str]:
        figure = figures[place]
        low, high = _reach(figure)
        return high - low, figure.value, figure.hedge, figure.unit

    made: list[list[int]] = []
    for place in sorted(range(len(figures)), key=precision):
        figure = figures[place]
        homes = [group for group in made if agree(figures[group[0]], figure)]
        if homes:
            min(homes, key=lambda group: abs(figures[group[0]].value - figure.value)).append(place)
        else:
            made.append([place])
    return sorted(sorted(group) for group in made)


def _said(figure: Figure) -> tuple[Fraction, ...]:
    return (figure.low, figure.value) if figure.hedge == "between" and figure.low is not None else (figure.value,)


def _reach(figure: Figure) -> tuple[Fraction, Fraction]:
    """The values that a figure is taken to speak of: open sides end with its neighbourhood, ranges are rounded."""
    if figure.hedge == "between":
        low, high = _said(figure)
        return low - figure.step / 2, high + figure.step / 2
    low = figure.value - abs(figure.value) / 2 if figure.low is None else figure.low
    high = figure.value + abs(figure.value) if figure.high is None else figure.high
    return low, high


def _allows(figure: Figure, value: Fraction) -> bool:
    low, high = _reach(figure)
    above = low < value or (low == value and (figure.low is not None or low == figure.value))
    below = value < high or (value == high and (figure.high is not None or high == figure.value))
    return above and below


def _opposed(lower: Figure, upper: Figure) -> bool:
    """Whether one states a bound below which the other stays: "over $10 billion" and "under $10 billion"."""
    if lower.hedge not in ("over", "at_least") or upper.hedge not in ("under", "at_most", "nearly"):
        return False
    meeting = (lower.hedge, upper.hedge) == ("at_least", "at_most")
    return upper.value < lower.value or (upper.value == lower.value and not meeting)


# ---- the time a figure speaks of ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Moment:
    """The time that a figure speaks of, None where its sentence names none, and whether it is only expected."""

    date: Date | None = None
    prospective: bool = False


# A date after the figure is taken up to so many times farther away than one before it.
_AFTER_FIRST = 2
_DIRECTLY = len("'s ")
_SENTENCE_REACH = 600

_SENTENCE_END = lazily(
    r"(?<!\.[A-Z])(?<!\s[A-Z])(?<!\bInc)(?<!\bCorp)(?<!\bLtd)(?<!\bMr)(?<!\bDr)(?<!\bSt)(?<!\bvs)(?<!\bJan)(?<!\bFeb)"
    r"(?<!\bAug)(?<!\bSept)(?<!\bOct)(?<!\bNov)(?<!\bDec)[.!?][\"'”’)\]]{0,2}\s{1,4}(?=[\"“‘'(]?[A-Z0-9$€£•])"
    r"|\n\s{0,9}\n|\n\s{0,4}[•*-]\s"
)
_CLAUSE_END = lazily(r"[,;:]\s|—|\s[–-]\s|(?<!\w)(?:while|but|whereas|although|though)(?!\w)", re.IGNORECASE)
_AND = lazily(r"(?<!\w)(?:and|or)(?!\w)", re.IGNORECASE)
_LEADING = ("", "in", "by", "on", "at", "during", "as of", "throughout", "back in", "for", "in the")
_OTHER_TIME = lazily(r"(?<!\w)(?:since|(?:founded|established|created|launched|started|born)\sin)\s\Z", re.IGNORECASE)
_INSERTED = lazily(r"\W{0,3}(?:after|following)(?!\w)", re.IGNORECASE)
_ELLIPTIC = lazily(r"\W*(?:(?:and|or|to|then)\W+)?", re.IGNORECASE)
_MODAL = r"(?:could|would|will|(?-i:may)|might|must|should|shall)(?:\s(?:also|soon|be|have been|have))?(?:\s\w+)?"
_AHEAD = (
    r"(?:if|expect\w{0,7}|project(?:ed|ing|ions?)|projects?(?=\s(?:[$€£~0-9]|revenue|sales|over|more|about|an?\s|to\s))"
    r"|forecast\w{0,4}|target\w{0,4}|plan(?:s|ned|ning)?|potential(?:ly)?|aim(?:s|ed|ing)?|goals?|intend(?:s|ed|ing)?"
    r"|propos(?:al|ed|es|ing)|talks|discuss(?:es|ing|ions?)?|negotiat(?:es|ing|ions?)|consider(?:s|ing)|weigh(?:s|ing)"
    r"|seek(?:s|ing)?|eye(?:s|ing)|anticipat\w{0,4}|guidance|outlook|likely|hop(?:es|ing)|set|poised|tender offer"
    r"|on track)(?:\sto(?:\s(?:be|have))?\s\w+)?"
)
_ACTUAL = (
    r"was|were|had|has|have|did|reach(?:ed|ing)|stood|stands|hit|hitting|generated|reports?|reported|recorded|earned"
    r"|posted|raised|made|saw|totall?ed|spent|poured|invested|committed|paid|bought|acquired|valued|valuation of"
    r"|last known|latest|prior|previous|existing|currently"
)
_CUE = lazily(rf"(?<!\w)(?:(?P<modal>{_MODAL})|(?P<ahead>{_AHEAD})|(?P<actual>{_ACTUAL}))(?!\w)", re.IGNORECASE)


def moment(text: str, figure: Figure, published: str | None = None) -> Moment:
    """The time that a figure of `text` speaks of, from the words around it in its sentence.

    Dates are looked for in the figure's clause, then in what leads up to it ("In 2024, ..."). Of the words that tell
    plan from fact the nearest one before the figure counts. With an ISO 8601 `published`, "last year" is resolved.
    """
    span = _sentence(text, figure)
    sentence = text[span.start : span.stop]
    here = replace(figure, start=figure.start - span.start, end=figure.end - span.start)
    others = [other for other in figures(sentence) if other.end <= here.start or other.start >= here.end]
    named = [date for date in dates(sentence) if not _OTHER_TIME().search(sentence, 0, date.start)]
    clauses = _clauses(sentence, sorted([*others, here], key=lambda each: each.start), named)
    own = _own(clauses, here)
    date = _nearest(here, own, others, named) or _borrowed(sentence, own, clauses, others, named)
    return Moment(resolved(date, published) if date else None, _is_prospective(sentence, here, own))


def clauses_of(sentence: str, told: Sequence[Figure]) -> list[str]:
    """For each of some figures of a sentence the clause in which it stands."""
    clauses = _clauses(sentence, figures(sentence), dates(sentence))
    return [sentence[own.start : own.stop] for own in (_own(clauses, figure) for figure in told)]


def same_moment(a: Moment, b: Moment) -> bool:
    """Whether two moments can be one: both plans or both facts, at one date; an unknown date agrees with all."""
    return a.prospective == b.prospective and (a.date is None or b.date is None or same_date(a.date, b.date))


def _sentence(text: str, figure: Figure) -> range:
    start = max(0, figure.start - _SENTENCE_REACH)
    for end in _SENTENCE_END().finditer(text, start, figure.start + 1):
        start = min(end.end(), figure.start)
    after = _SENTENCE_END().search(text, figure.end, figure.end + _SENTENCE_REACH)
    return range(start, after.start() + 1 if after else min(len(text), figure.end + _SENTENCE_REACH))


def _clauses(sentence: str, present: Sequence[Figure], named: Sequence[Date]) -> list[range]:
    """The sentence cut at commas, dashes and "but"; at an "and" only where it parts two figures."""
    spans = [range(figure.start, figure.end) for figure in present] + [range(date.start, date.end) for date in named]
    cuts = [match.start() for match in _CLAUSE_END().finditer(sentence)]
    for left, right in pairwise(present):
        joints = [match.start() for match in _AND().finditer(sentence, left.end, right.start)]
        if joints and not any(left.end <= cut < right.start for cut in cuts):
            cuts.append(joints[-1])
    cuts = sorted(cut for cut in cuts if not any(cut in span for span in spans))
    return [range(start, end) for start, end in pairwise([0, *cuts, len(sentence)])]


def _own(clauses: Sequence[range], figure: Figure) -> range:
    return next(clause for clause in clauses if figure.start in clause)


def _nearest(here: Figure, own: range, others: Sequence[Figure], named: Sequence[Date]) -> Date | None:
    """The date of the figure's clause that stands nearest to it, unless another figure claims it.

    A figure claims what follows it up to the next, and the date directly before it: "2024's $870 million".
    """
    claimants = [other for other in others if other.start in own]
    distances: list[tuple[int, Date]] = []
    for date in (date for date in named if date.start in own):
        if date.start >= here.end:
            claimed = any(here.end <= other.start <= date.end + _DIRECTLY for other in claimants)
            distance = date.start - here.end
        else:
            distance = here.start - date.end
            claimed = distance > _DIRECTLY and any(other.start < date.start for other in claimants)
            distance *= _AFTER_FIRST
        if not claimed:
            distances.append((distance, date))
    return min(distances, key=lambda pair: pair[0])[1] if distances else None


def _borrowed(
    sentence: str, own: range, clauses: Sequence[range], others: Sequence[Figure], named: Sequence[Date]
) -> Date | None:
    """A date that a neighbouring clause gives to the whole sentence: "In 2024, ..." or "after a round in 2024, ..."."""
    for clause in sorted(clauses, key=lambda clause: (clause.start > own.start, -clause.start)):
        counted = any(other.start in clause for other in others)
        date = next((date for date in named if date.start in clause), None)
        if clause == own or date is None:
            continue
        lead = sentence[clause.start : date.start].strip(' \n\t,;:—–-("“').lower() in _LEADING
        rest = sentence[date.end : clause.stop].strip(' \n\t.)"”')
        if clause.start < own.start:
            if (lead and not counted) or (counted and _INSERTED().match(sentence, clause.start)):
                return date
        elif lead and not rest:
            return date
    return None


def _is_prospective(sentence: str, here: Figure, own: range) -> bool:
    if sentence[own.start : here.start].rstrip().endswith("from"):
        return False
    elliptic = _ELLIPTIC().fullmatch(sentence[own.start : here.start].lstrip(",;:")) is not None
    # To the figure's end, for a cue may reach into its hedge: "could" of "could exceed $10 billion".
    cues = _CUE().finditer(sentence, 0 if elliptic else own.start, here.end)
    before = [cue for cue in cues if cue.start() < here.start]
    if before:
        return before[-1].lastgroup != "actual"
    # After the figure only a modal verb tells: "A $10 billion deal would ...".
    return any(cue.lastgroup == "modal" for cue in _CUE().finditer(sentence, here.end, own.stop))


# ---- text as it is compared --------------------------------------------------------------------

_QUOTES = str.maketrans(
    dict.fromkeys("‘’‚‛′ʼ`´", "'") | dict.fromkeys("“”„‟″«»", '"') | dict.fromkeys("‐‑‒–—―−﹘﹣－", "-")
)
_SCALE_NAMES = {"k": "thousand", "m": "million", "mn": "million", "mln": "million", "b": "billion", "bn": "billion"}
_SCALE_NAMES |= {"tn": "trillion", "trn": "trillion"}
_REWRITES: tuple[tuple[Callable[[], re.Pattern[str]], str], ...] = (
    (lazily(r"(?<!\w)us\$"), "$"),
    (lazily(r"(?<=[$€£¥]) (?=[0-9])"), ""),
    (lazily(r"(?<=[0-9])(?<![0-9]{4}),(?=[0-9]{3}(?![0-9]))"), ""),
    (lazily(r"(?<=[0-9])-(?=[a-z])"), " "),
    (lazily(r"(?<=[0-9]) ?(?:%|percent(?!\w)|per cent(?!\w))"), "%"),
    (lazily(r"(?<!\w)per cent(?!\w)"), "percent"),
)
_WORDS = lazily(rf"(?<!\w){WORDED}(?!\w)")
_SHORT_SCALE = lazily(r"(?<=[0-9])(?: ?(?P<scale>bn|mn|mln|tn|trn)|(?P<letter>[kmb]))(?!\w)")


def normal(text: str) -> str:
    """The text in the form in which strings are compared.

    Case, white space, quotation marks and dashes are made one, number words become digits, and figures take one
    form: "One  Billion" is "1 billion", "US$13.8bn" is "$13.8 billion", "12 per cent" is "12%", "1,000" is "1000".
    Normal text stays as it is.
    """
    plain = " ".join(text.casefold().translate(_QUOTES).split())
    plain = _WORDS().sub(lambda match: _in_digits(number_in_words(match[0])), plain)
    for pattern, form in _REWRITES:
        plain = pattern().sub(form, plain)
    return _SHORT_SCALE().sub(lambda match: f" {_SCALE_NAMES[match['scale'] or match['letter']]}", plain)


def holds(text: str, string: str) -> bool:
    """Whether the normal form of a text holds that of a string, between the bounds of words and numbers.

    "$870 million" holds "870 million"; "213.8 billion" holds neither "13.8 billion" nor "8 billion".
    """
    haystack, needle = normal(text), normal(string)
    if not needle:
        return not haystack
    at = haystack.find(needle)
    while at >= 0:
        if not _runs_on(haystack, at) and not _runs_on(haystack, at + len(needle)):
            return True
        at = haystack.find(needle, at + 1)
    return False


def _in_digits(number: Fraction) -> str:
    return str(number.numerator) if number.denominator == 1 else f"{float(number):.1f}"


_SEAM = lazily(r"(?<=\w)(?=\w)|(?<=[0-9])(?=[.,][0-9])|(?<=[0-9][.,])(?=[0-9])")


def _runs_on(text: str, at: int) -> bool:
    """Whether a place is inside a word or a number."""
    return _SEAM().match(text, at) is not None
