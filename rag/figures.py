"""Figures in text: amounts and counts with their hedges and units, each with its exact span."""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from typing import Literal, cast

from rag.dates import CURRENCY_CODES, LOOKALIKES, dates, lazily

Hedge = Literal["exact", "about", "nearly", "over", "at_least", "under", "at_most", "between"]

# White space with one line break at most; bounded, for two unbounded gaps are quadratic on a run of spaces.
_GAP = r"[^\S\n]{0,3}\s[^\S\n]{0,3}"
_JOINT = rf"(?:{_GAP}|-)"

# ---- number words ------------------------------------------------------------------------------

_ONES = "one two three four five six seven eight nine".split()
_TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_NUMBER_WORDS = {word: Fraction(value) for value, word in enumerate(_ONES + _TEENS, 1)}
_NUMBER_WORDS |= {word: Fraction(10 * value) for value, word in enumerate(_TENS, 2)} | {"half": Fraction(1, 2)}
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_SHORT_SCALES = {"mn": 10**6, "mln": 10**6, "bn": 10**9, "tn": 10**12, "trn": 10**12}
_LETTER_SCALES = {"k": 10**3, "m": 10**6, "b": 10**9}
_ALL_SCALES = {**_SCALES, **_SHORT_SCALES, **_LETTER_SCALES, "dozen": 12}

_SMALL = rf"(?:(?:{'|'.join(_TENS)})(?:[-\s](?:{'|'.join(_ONES)})(?!\w))?|{'|'.join(_TEENS)}|{'|'.join(_ONES)})"
_BIG = "|".join(_SCALES)
WORDED = (
    rf"(?:half{_GAP}an?(?={_GAP}(?:{_BIG}|dozen)(?!\w))"
    rf"|(?:an?(?={_GAP}(?:{_BIG}|hundred|dozen)(?!\w))|{_SMALL}(?!\w))"
    rf"(?:{_GAP}hundred(?!\w)(?:{_GAP}(?:and{_GAP})?{_SMALL}(?!\w))?)?(?:{_GAP}and{_GAP}a{_GAP}half(?!\w))?)"
)
"""The pattern of a number in words, without a scale: "twenty-five", "two hundred", the "a" of "a million"."""


def number_in_words(words: str) -> Fraction:
    """The number that words matching `WORDED` spell: 250 for "two hundred and fifty", 1/2 for "half a"."""
    total = Fraction(0)
    for word in re.findall(r"\w+", words.lower()):
        total = max(total, Fraction(1)) * 100 if word == "hundred" else total + _NUMBER_WORDS.get(word, 0)
    return total or Fraction(1)


# ---- units and hedges --------------------------------------------------------------------------

# Canonical unit, its worth in that unit, and its names; a space in a name is any gap, and each may end in "s".
_UNIT_NAMES = """
$ 1 dollar,us dollar,u.s. dollar,usd;€ 1 euro,eur;£ 1 pound,pounds sterling,gbp;¥ 1 yen,jpy;% 1 %,percent,per cent
point 1 percentage point;point 1/100 basis point,bp;hour 1/3600 second;hour 1/60 minute;hour 1 hour;hour 24 day
hour 168 week;month 1 month;month 12 year;month 120 decade;W 1 watt;W 1000 kw,kilowatt;W 1000000 mw,megawatt
W 1000000000 gw,gigawatt;Wh 1 wh;Wh 1000 kwh;Wh 1000000 mwh;Wh 1000000000 gwh;B 1000000 mb,megabyte
B 1000000000 gb,gigabyte;B 1000000000000 tb,terabyte;m 1/1000 mm;m 1/100 cm;m 1 metre,meter;kr 1 crown,krona,kroner
m 1000 km,kilometre,kilometer;m 1609344/1000 mile;m 3048/10000 foot,feet,ft;kg 1/1000 gram,g
kg 1/1000000 mg,milligram;kg 1 kg,kilogram,kilo;kg 1000 tonne,metric ton;ton 1 ton;franc 1 franc;rupee 1 rupee
m² 1 m²,square metre,square meter;m² 10000 hectare;m² 1000000 km²,square kilometre,square kilometer
sqft 1 square foot,square feet;sqft 43560 acre;l 1 litre,liter,l;l 1/1000 ml,millilitre,milliliter;° 1 degree
km/h 1 km/h,kph,kilometres per hour,kilometers per hour;mph 1 mph,miles per hour;knot 1 knot;x 1 x
m/s 1 m/s,metres per second,meters per second;°C 1 °c,degrees celsius;°F 1 °f,degrees fahrenheit;yuan 1 yuan;peso 1 peso
"""
_UNITS = {
    name: (unit, Fraction(worth))
    for unit, worth, names in (row.split(" ", 2) for row in _UNIT_NAMES.strip().replace("\n", ";").split(";"))
    for name in names.split(",")
}
_CURRENCIES = {"US$": "$", "USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}

_AMPLY = rf"(?:(?:just|well|slightly|far|significantly|a{_GAP}little|a{_GAP}bit){_GAP})?"
_HEDGES = {
    "over": rf"{_AMPLY}(?:over|above|beyond|(?:more|greater|higher|larger) than|exceed(?:s|ed|ing)?|in excess of"
    r"|north of|upwards? of|surpass(?:es|ed|ing)?|topping)",
    "at_least": "at least|(?:no|not) less than|(?:no|not) fewer than|(?:a )?minimum of|as little as|as few as",
    "nearly": "nearly|almost|(?:just|slightly) (?:under|below|less than)|(?:just )?shy of|approaching|nearing",
    "under": rf"{_AMPLY}(?:under|below|(?:less|fewer|lower|smaller) than)",
    "at_most": "up to|as (?:much|many|high|large) as|at most|(?:no|not) more than|(?:a )?maximum of",
    "about": r"about|around|roughly|approximately|approx\.?|circa|some|(?:an )?estimated|close to|in the region of",
    "between": "between",
    "from": "from|ranging from",
}
_SIGNS = {"about": "[~≈]", "over": ">", "under": "<", "at_least": "≥", "at_most": "≤"}
_BEFORE = lazily(
    "|".join(
        rf"(?P<{hedge}>(?<!\w)(?:{phrases.replace(' ', _GAP)}){_GAP}|{_SIGNS.get(hedge, '(?!)')}[^\S\n]?)\Z"
        for hedge, phrases in _HEDGES.items()
    ),
    re.IGNORECASE,
)
_AFTER = lazily(
    rf"(?P<at_least>\+(?!\w)|-plus(?!\w)|{_GAP}or{_GAP}(?:more|higher|greater)(?!\w))"
    rf"|(?P<at_most>{_GAP}or{_GAP}(?:less|fewer|lower)(?!\w))|(?P<about>{_GAP}or{_GAP}so(?!\w))",
    re.IGNORECASE,
)

# ---- the parts of a figure ---------------------------------------------------------------------

_CURRENCY = rf"(?:[A-Z]{{0,3}}[$]|[€£¥₹]|(?:{'|'.join(CURRENCY_CODES)})(?![A-Za-z]))"
_CANDIDATE = lazily(
    rf"(?<![\w.,#№$€£¥₹])(?:[-−](?=[0-9$€£¥]))?(?:{_CURRENCY}[^\S\n]?)?[0-9][0-9.,]*"
    rf"|(?<![\w.,-])(?i:half(?={_GAP}an?{_GAP})|an?(?={_GAP}(?:{_BIG}|hundred|dozen)(?!\w))|{_SMALL})(?!\w)"
)
_NUMBER = lazily(
    rf"(?P<sign>[-−])?(?:(?P<currency>{_CURRENCY})[^\S\n]?)?(?:(?P<digits>[0-9][0-9.,]*)|(?P<words>(?i:{WORDED})))"
)
_DIGITS = lazily(r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?")
_SCALE = lazily(
    rf"{_JOINT}?(?P<scale>(?:{_BIG})s?|{'|'.join(_SHORT_SCALES)}|dozen)(?!\w)|(?P<letter>[kmb])(?!\w)"
    rf"|[^\S\n](?P<apart>[mb])(?!\w)",
    re.IGNORECASE,
)
_UNIT = lazily(
    rf"{_JOINT}?(?P<unit>"
    + "|".join(re.escape(n).replace(r"\ ", _GAP) for n in sorted(_UNITS.keys() - set("glx"), key=len, reverse=True))
    + r"|(?:(?<=[0-9]\s)|(?<=[0-9]{2}))(?-i:[gl]))s?(?!\w)|(?P<times>[x×])(?!\w)",
    re.IGNORECASE,
)
_DASH = lazily(r"[-‐‑–—]|[^\S\n]–[^\S\n]")
_TO = lazily(rf"{_GAP}(?:to|(?P<both>and)){_GAP}", re.IGNORECASE)
_CHANGE = lazily(
    r"(?<!\w)(?:up|down|cut|went|gr[eo]w(?:s|n|ing)?|r[io]se[sn]?|rising|f[ae]ll(?:s|en|ing)?|mov(?:e[sd]?|ing)|slid"
    r"|(?:increas|rais|drop|jump|climb|expand|declin|doubl|tripl|boost|lift|soar|surg|elevat|chang|slip|swell|leap|plung)"
    r"\w{0,4})(?:(?:[^.;\n]|\.(?=[0-9])){0,60}\sfrom)?\s{1,3}\Z",
    re.IGNORECASE,
)

# ---- what a bare number must not be ------------------------------------------------------------

_FUNCTION_WORDS = frozenset(
    "a an the this that these those its their our his her my your all only just another every each in at by on with for"
    " from to of and or but nor than as is are was were be been has have had do does did will would can could may might"
    " must after before since until during within without into onto upon between among across about around over under"
    " nearly almost roughly some any no not both last next first past other there here where when while if so then more"
    " less least most fewer it he she they we you i who which what how also still now currently".split()
)
_LABELS = frozenset(
    "page pages chapter figure fig fig. table version v v. phase level no. number numbers article section sections step"
    " part volume vol. note appendix item model room line paragraph clause rule tier grade round top".split()
)
_BEFORE_PRONOUN = frozenset("no any this that which each every the another".split())
_NOT_COUNTED = _FUNCTION_WORDS | frozenset("thing way time hand side such single reason another else".split())
_NOUN_END = _FUNCTION_WORDS | frozenset("per through because via out worldwide annually ago old".split())
_PLURALS = {"people": "person", "children": "child", "men": "man", "women": "woman"}
_WORD_BEFORE = lazily(r"(?<![\w’'])([A-Za-z][\w’'-]*\.?)[^\S\n]?\Z")
_COUNTED = lazily(rf"{_GAP}([a-z]+)(?!['’\w-])")
_LIST_MARK = lazily(r"(?m:^)[^\S\n]{0,8}\Z")
_COMPOUND = lazily(r"-[A-Za-z]{3,}(?![\w-])")
_INSIDE_WORD = lazily(r"\w")
_RUN_ON = lazily(r"[-‑][0-9]")
_NO_AMOUNT = lazily(
    rf"[^\S\n]?[ap]\.?m(?:\.|(?!\w))|[:/][0-9]|{_JOINT}(?:thirds?|quarters?|fifths?|tenths?|hal(?:f|ves))(?!\w)",
    re.IGNORECASE,
)
_NOUN_WORD = lazily(rf"{_JOINT}([A-Za-z][A-Za-z0-9]*)(?!\w)")


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a text: `text[start:end] == written`, the shortest words that hold number, hedge and unit.

    `low` and `high` bound the values that the words allow, None where they leave that side open; both are in `unit`,
    which is "" for a count, whose counted thing is then in `noun`. `value` is the number said (of a range the higher)
    and `step` the precision in which it is said: a tenth of a billion for "13.8 billion", a billion for "10 billion".
    """

    start: int
    end: int
    written: str
    value: Fraction
    step: Fraction
    low: Fraction | None
    high: Fraction | None
    unit: str = ""
    noun: str = ""
    hedge: Hedge = "exact"


@dataclass(frozen=True, slots=True)
class _Number:
    """A number with its scale and unit, before hedges and neighbours are looked at."""

    start: int
    end: int
    mantissa: Fraction
    decimals: int
    worded: bool
    scale: int = 1
    unit: str = ""
    worth: Fraction = Fraction(1)
    after: str | None = None

    @property
    def bare(self) -> bool:
        return self.scale == 1 and not self.unit

    @property
    def value(self) -> Fraction:
        return self.mantissa * self.scale * self.worth

    def step(self, hedged: bool) -> Fraction:
        """The worth of the last digit that is meant: the end zeros of a long or hedged number are not."""
        digits = str(abs(int(self.mantissa)))
        zeros = len(digits) - len(digits.rstrip("0"))
        place = min(zeros, max(0, len(digits) - 2)) if hedged or len(digits) > 3 else 0
        return Fraction(10) ** (-self.decimals or place) * self.scale * self.worth


@lru_cache(maxsize=2048)  # of one sentence they are asked for many times
def figures(text: str) -> tuple[Figure, ...]:
    """Every figure of a text, in order; dates, versions, list marks and numbers in names are none."""
    taken = dates(text)
    plain = text.translate(LOOKALIKES)

    def free(start: int, end: int) -> bool:
        before = bisect_left(taken, end, key=lambda date: date.start)
        return before == 0 or taken[before - 1].end <= start

    at, floor, found = 0, 0, list[Figure]()
    while candidate := _CANDIDATE().search(plain, at):
        at = candidate.end()
        figure = _figure(plain, candidate.start(), floor) if free(*candidate.span()) else None
        if figure and free(figure.start, figure.end):
            found.append(replace(figure, written=text[figure.start : figure.end]))
            at = floor = max(at, figure.end)
    return tuple(found)


def _figure(text: str, at: int, floor: int) -> Figure | None:
    """The figure at an offset, or None where a number there counts nothing; its hedge begins at `floor` or later."""
    number = _number(text, at)
    if number is None:
        return None
    lead = _BEFORE().search(text, max(floor, at - 40), at)
    kind = lead.lastgroup if lead else None
    if kind is None and number.bare and _is_name(text, number):
        return None
    higher = _higher(text, number, kind)
    if higher is None and kind in ("between", "from"):
        lead = kind = None
    start = lead.start() if lead else at
    if higher is not None:
        low, step, noun = _completed(number, higher).value, higher.step(False), _noun(text, higher)
        return Figure(start, higher.end, "", higher.value, step, low, higher.value, higher.unit, noun, "between")
    if number.bare and (_is_compound(text, number) or (kind is None and _is_pronoun(text, number))):
        return None
    hedge = cast(Hedge, kind or number.after or "exact")
    step, noun = number.step(hedge in ("about", "nearly")), _noun(text, number)
    least, most = _bounds(hedge, number.value, step)
    return Figure(start, number.end, "", number.value, step, least, most, number.unit, noun, hedge)


def _bounds(hedge: Hedge, value: Fraction, step: Fraction) -> tuple[Fraction | None, Fraction | None]:
    """The values that a hedged number allows.

    Nearness reaches one step, but no more than a tenth of the value and no less than plain rounding: "approximately
    14" is 13 to 15, "about 1" is 0.5 to 1.5.
    """
    near = min(step, max(step / 2, abs(value) / 10))
    bounds: dict[str, tuple[Fraction | None, Fraction | None]] = {
        "about": (value - near, value + near),
        "nearly": (value - near, value),
        **dict.fromkeys(("over", "at_least"), (value, None)),
        **dict.fromkeys(("under", "at_most"), (None, value)),
    }
    return bounds.get(hedge, (value - step / 2, value + step / 2))


# ---- numbers -----------------------------------------------------------------------------------


def _number(text: str, at: int) -> _Number | None:
    """The number that begins at an offset, with its scale, its unit and the hedge that follows it."""
    match = _NUMBER().match(text, at)
    number = _mantissa(match) if match else None
    if match is None or number is None:
        return None
    scaled = _SCALE().match(text, number.end)
    # A letter alone scales digits only, apart from them only money; 4K and 8K name screens.
    letters = match["digits"] and match["digits"] + scaled[0] not in ("4K", "8K") if scaled else None
    if scaled and (scaled["scale"] or (scaled["letter"] and letters) or (scaled["apart"] and match["currency"])):
        word = cast(str, scaled["scale"] or scaled["letter"] or scaled["apart"])
        number = replace(number, end=scaled.end(), scale=_ALL_SCALES[word.lower().removesuffix("s")])
    after = _AFTER().match(text, number.end)
    measured = _UNIT().match(text, after.end() if after else number.end)
    if measured and not (measured["times"] and number.worded):
        unit, worth = _UNITS[re.sub(r"\s+", " ", measured["unit"] or "x").lower()]
        if number.unit in ("", unit):
            number = replace(number, end=measured.end(), unit=unit, worth=worth)
    after = after or _AFTER().match(text, number.end)
    if after:
        number = replace(number, end=max(number.end, after.end()), after=after.lastgroup)
    return None if _INSIDE_WORD().match(text, number.end) else number


def _mantissa(match: re.Match[str]) -> _Number | None:
    currency = match["currency"]
    unit = _CURRENCIES.get(currency, currency) if currency else ""
    sign = -1 if match["sign"] else 1
    if match["words"]:
        value = number_in_words(match["words"])
        return _Number(match.start(), match.end(), sign * value, int(value.denominator == 2), True, unit=unit)
    digits = match["digits"].rstrip(".,")
    # Longer runs of digits are identifiers.
    if len(digits) > 24 or not _DIGITS().fullmatch(digits):
        return None
    end, decimals = match.start("digits") + len(digits), len(digits.partition(".")[2])
    return _Number(match.start(), end, sign * Fraction(digits.replace(",", "")), decimals, False, unit=unit)


# ---- ranges ------------------------------------------------------------------------------------


def _higher(text: str, lower: _Number, kind: str | None) -> _Number | None:
    """The second number of a range, or None: "from $5 million to $7 million" after "rose" is two figures."""
    if lower.after:
        return None
    joint = _DASH().match(text, lower.end) or _TO().match(text, lower.end)
    if joint is None or (joint.lastgroup and kind != "between"):
        return None
    higher = _number(text, joint.end())
    if higher is None or _RUN_ON().match(text, higher.end):
        return None
    if lower.unit and not higher.unit:
        higher = replace(higher, unit=lower.unit, worth=lower.worth)
    full = _completed(lower, higher)
    changing = full.scale == lower.scale and _CHANGE().search(text, max(0, lower.start - 80), lower.start)
    if kind != "between" and changing:
        return None
    return higher if full.unit == higher.unit and full.value < higher.value else None


def _completed(lower: _Number, higher: _Number) -> _Number:
    """The lower number with what it leaves to the higher: the billion of "$60 to $65 billion"."""
    if lower.scale == 1 and lower.mantissa < higher.mantissa:
        lower = replace(lower, scale=higher.scale)
    return lower if lower.unit else replace(lower, unit=higher.unit, worth=higher.worth)


# ---- what a bare number counts -----------------------------------------------------------------


def _is_name(text: str, number: _Number) -> bool:
    """Whether a bare number is part of a name, a label, a mark or a clock time: Llama 3, page 3, [3], 3 p.m."""
    at, floor = number.start, max(0, number.start - 24)
    before, after = text[max(0, at - 1) : at], text[number.end : number.end + 1]
    if before == "[" or after == "]" or (before == "(" and after == ")") or _NO_AMOUNT().match(text, number.end):
        return True
    if before in ("-", "‑", "/", ":") and text[max(0, at - 2) : at - 1].isalnum():
        return True
    if after in (".", ")") and text[number.end + 1 : number.end + 2].isspace() and _LIST_MARK().search(text, floor, at):
        return True
    word = _WORD_BEFORE().search(text, floor, at)
    if word is None:
        return False
    small = word[1].lower()
    named = word[1] != small and small not in _FUNCTION_WORDS and "," not in text[at : number.end]
    return small in _LABELS or (text[at].isupper() if number.worded else named)


def _is_compound(text: str, number: _Number) -> bool:
    """Whether a bare number is one part of a word: "three-way", "24/7", "2-in-1", but not "500-employee"."""
    if text[number.end : number.end + 1] not in ("-", "‑", "/"):
        return False
    return number.worded or not _COMPOUND().match(text, number.end)


def _is_pronoun(text: str, number: _Number) -> bool:
    """Whether "one" stands for something instead of counting it: "one of the largest", "one company's"."""
    if text[number.start : number.end].lower() != "one":
        return False
    word = _WORD_BEFORE().search(text, max(0, number.start - 24), number.start)
    counted = _COUNTED().match(text, number.end)
    return counted is None or counted[1] in _NOT_COUNTED or (word is not None and word[1].lower() in _BEFORE_PRONOUN)


def _noun(text: str, number: _Number) -> str:
    """The head of what a bare number counts, in the singular: "chip" for "350,000 Nvidia H100 chips"."""
    if number.unit:
        return ""
    at, first = number.end, ""
    for _ in range(5):
        match = _NOUN_WORD().match(text, at)
        if match is None or match[1].lower() in _NOUN_END:
            break
        word = match[1].lower()
        if word in _PLURALS:
            return _PLURALS[word]
        if number.value != 1 and word.endswith("s") and (match[1][-2:-1].isupper() or word[-2:-1] not in "sui"):
            return _singular(word)
        at, first = match.end(), first or word
    return first


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    return word[:-2] if word.endswith(("ches", "shes", "xes", "sses")) else word[:-1]
