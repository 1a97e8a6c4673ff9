"""Dates in text, each with its exact span, and whether two of them can be the same."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, lru_cache

# Case-insensitive patterns match these as s, i, I and k, but no table of words knows them.
LOOKALIKES = str.maketrans("\u017f\u0131\u0130\u212a", "siIk")
"""What makes the four letters that match ASCII ones plain, one for one, so that offsets stay."""


def lazily(pattern: str, flags: int = 0) -> Callable[[], re.Pattern[str]]:
    """What gives a pattern compiled at the first call: to compile all of them on import would cost 30 ms."""
    return cache(lambda: re.compile(pattern, flags))


_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
# Capitals, for in lower case "may 20" and "march 5" are verbs.
_MONTH_NUMBERS = {
    name: number
    for number, full in enumerate(_MONTHS, 1)
    for name in (full, full.upper(), full[:3], full[: 3 + (full == "September")])
}
_MONTH = r"(?P<month>[JFMASOND](?:[a-z]{2,8}|[A-Z]{2,8}))(?:\.(?=\s)|(?![\w]))"
_DAY = r"(?P<day>3[01]|[12][0-9]|0?[1-9])(?:st|nd|rd|th)?(?![\w%]|[.,:/][0-9])"
_YEAR = r"(?P<year>[12][0-9]{3})(?![\w%]|[.,:][0-9])"
_GAP = r"\s{1,3}"
_PART = rf"(?:(?:[Ee]arly|[Mm]id|[Ll]ate)(?:-|{_GAP}))?"
_WHEN = "in on by of since until till before after during from to through around circa for as"
_ORDINALS = tuple(
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth"
    " sixteenth seventeenth eighteenth nineteenth twentieth twenty-first".split()
)
_ERA = r"(?P<era>BCE?|B\.C\.(?:E\.)?|AD|A\.D\.|CE|C\.E\.)(?!\w)"
_COUNTS = "a an one two three four five six seven eight nine ten"

CURRENCY_CODES = ("USD", "EUR", "GBP", "JPY", "CHF", "CNY", "RMB", "INR", "CAD", "AUD")
"""The codes that make the digits after them an amount and no year."""

_NO_CODE = "".join(rf"(?<!{code}\s)" for code in CURRENCY_CODES)
_PATTERNS = tuple(
    lazily(pattern)
    for pattern in (
        r"(?<![\w./-])(?P<year>[12][0-9]{3})[-/](?P<number>0[1-9]|1[0-2])[-/](?P<day>3[01]|[12][0-9]|0[1-9])(?![0-9/-])",
        r"(?<![\w./-])(?P<left>[0-9]{1,2})/(?P<right>[0-9]{1,2})/(?P<year>[12][0-9]{3})(?![\w/])",
        rf"(?<!\w){_MONTH}{_GAP}{_DAY}(?:,?{_GAP}{_YEAR})?",
        rf"(?<![\w$€£¥.,/:-]){_DAY}{_GAP}(?:of{_GAP})?{_MONTH}(?:,?{_GAP}{_YEAR})?",
        rf"(?<!\w){_PART}{_MONTH},?{_GAP}(?:of{_GAP})?{_YEAR}",
        rf"(?i:(?<=\bin\s)|(?<=\blast\s)|(?<=\bthis\s)|(?<=\bnext\s)|(?<=\bsince\s)|(?<=\buntil\s)|(?<=\bby\s)"
        rf"|(?<=\bfrom\s)|(?<=\bduring\s)|(?<=\bof\s)|(?<=\bbefore\s)|(?<=\bafter\s)|\A(?=\w+\Z)){_PART}{_MONTH}",
        rf"(?<!\w)Q(?P<quarter>[1-4])(?:,?{_GAP}(?:of{_GAP})?(?:FY\s?)?{_YEAR})?(?!\w)",
        rf"(?i:(?<!\w)(?:the\s)?(?P<ordinal>{'|'.join(_ORDINALS[:4])})[\s-]quarter(?!\w)(?:{_GAP}(?:of{_GAP})?{_YEAR})?)",
        r"(?i:(?<!\w)(?:the\s)?)(?<![\w$€£.,/])(?P<decade>[12][0-9]{2}0)['’]?s(?!\w)",
        rf"(?i:(?<!\w)(?:the{_GAP})?{_PART}(?P<century>{'|'.join(_ORDINALS)}|[12]?[0-9](?:st|nd|rd|th))"
        rf"(?:{_GAP}|-)centur(?:y|ies)(?!\w)(?:{_GAP}{_ERA})?)",
        rf"(?<![\w.,])A\.?D\.?{_GAP}(?P<year>[1-9][0-9]{{0,3}})(?![\w%]|[.,:][0-9])",
        rf"(?<![\w.,])(?P<year>[1-9][0-9]{{0,3}}){_GAP}{_ERA}",
        rf"(?i:(?<!\w)(?:FY\s?|fiscal{_GAP}(?:year{_GAP})?)){_YEAR}",
        rf"(?i:(?<!\w)(?:(?:earlier|later|early|late){_GAP})?(?P<which>this|last|next){_GAP}year(?!\w))",
        rf"(?i:(?<!\w)(?P<ago>{_COUNTS.replace(' ', '|')}|[0-9]{{1,2}}){_GAP}years?{_GAP}ago(?!\w))",
        r"(?i:(?<!\w)(?P<end>the\send\sof\sthe\syear|year-end)(?!\w))",
        rf"(?<![\w$€£¥₹.,/:#])(?<![A-Z]-)(?<![$€£¥₹]\s){_NO_CODE}{_PART}{_YEAR}",
    )
)
_MEASURED = lazily(
    r"[\s-]{0,2}(?i:percent|per\scent|thousand|million|billion|trillion|[bmt]n|dollars?|euros?|pounds?|yen|km|kg|kilomet"
    r"|met(?:er|re)s?|miles?|f[eo]{2}t|acres?|hectares?|tonn?es?|tons?|[kmgt]wh?|(?:mega|giga|kilo|tera)watts?|hours?"
    r"|days?|[gmt]b)(?!\w)"
)
_COUNTED = lazily(r"\s(?:people|employees|workers|users|customers|staff|jobs)(?!\w)")
_WEEKDAY_OR_TIME = lazily(
    r"(?i:\b(?:mon|tues|wednes|thurs|fri|satur|sun)days?\b)|(?<![\w:.])(?:[01]?[0-9]|2[0-4]):[0-5][0-9](?![\w:])"
    r"|(?<![\w:.])(?:1[0-2]|[1-9])(?:[:.][0-5][0-9])?\s?(?:[ap]\.?m\b|o['’]clock\b)|\b(?:noon|midnight)\b"
)
_SPAN_BEHIND = lazily(r"\s?[–—-]\s?[12][0-9]{3}(?!\w)")  # 1754–1763
_SPAN_BEFORE = lazily(r"(?<!\w)[12][0-9]{3}\s?[–—-]\s?\Z")
_TELLS_WHEN = lazily(
    r"(?<![\w$€£¥.,])[12][0-9]{3}(?![\w%]|[.,][0-9])|\byears?\sago\b|\byr\s(?:BP|ago)\b", re.IGNORECASE
)
_PREPOSITION = lazily(rf"(?i:(?<!\w)(?:{_WHEN.replace(' ', '|')})\s{{1,3}}\Z)")


@dataclass(frozen=True, slots=True)
class Date:
    """A date as far as the words `text[start:end]` give it; what they leave open is None.

    `relative` is the year counted from the year of writing: -1 for "last year", 0 for "earlier this year". `years`
    is how many there are, of which `year` is the first: ten of a decade; before Christ they are negative.
    """

    start: int
    end: int
    year: int | None = None
    month: int | None = None
    day: int | None = None
    quarter: int | None = None
    years: int = 1
    relative: int | None = None


@lru_cache(maxsize=2048)  # of one sentence they are asked for many times
def dates(text: str) -> tuple[Date, ...]:
    """Every date in a text, in order; where two readings overlap the earlier, then the longer one stands."""
    found = sorted(_readings(text), key=lambda date: (date.start, -date.end))
    kept: list[Date] = []
    for date in found:
        if not kept or date.start >= kept[-1].end:
            kept.append(date)
    return tuple(kept)


def names_weekday_or_time(text: str) -> bool:
    """Whether a text names a day of the week or a time of day: "on Thursday", "at 8:15" and "7 p.m." say when."""
    return _WEEKDAY_OR_TIME().search(text) is not None


def tells_when(answer: str) -> bool:
    """Whether the answer to "When ...?" may tell it, if not for sure: "8:15", "66 million years ago", "1347".

    Four digits alone may be any amount in a text; where a date is asked for they are a year.
    """
    return names_weekday_or_time(answer) or _TELLS_WHEN().search(answer) is not None


def same_time(a: str, b: str) -> bool:
    """Whether two texts that name weekdays or times of day can mean one moment: "6:07 a.m." and "Thursday"."""
    (days, times), (other_days, other_times) = _days_and_times(a), _days_and_times(b)
    apart = days and other_days and days.isdisjoint(other_days)
    pairs = [zip(one, other, strict=True) for one in times for other in other_times]
    near = any(all(None in pair or len(set(pair)) == 1 for pair in parts) for parts in pairs)
    return not apart and (near or not pairs)


def same_date(a: Date, b: Date) -> bool:
    """Whether both can be one date: a part that one of them leaves open is compatible with all."""
    return (
        _overlap(_years(a), _years(b))
        and _overlap(_months(a), _months(b))
        and (a.day is None or b.day is None or a.day == b.day)
    )


def share_a_part(a: Date, b: Date) -> bool:
    """Whether both give the year, or the month: of each other "2022" and "11 February" tell nothing."""
    years = all(date.year is not None or date.relative is not None for date in (a, b))
    return years or all(_months(date) is not None for date in (a, b))


def resolved(date: Date, published: str | None) -> Date:
    """The date with its year filled in from an ISO 8601 day of writing, where the words count from there.

    "last year" in a text of 2025-06-08 is 2024; a month without a year is the latest that had begun by then.
    Where `published` is None, or no such date, the year stays open.
    """
    known = re.match(r"([12][0-9]{3})(?:-([01][0-9]))?", published or "")
    if known is None or date.year is not None:
        return date
    if date.relative is not None:
        return replace(date, year=int(known[1]) + date.relative)
    if date.month is not None and known[2] is not None:
        return replace(date, year=int(known[1]) - (date.month > int(known[2])))
    return date


def _readings(text: str) -> Iterator[Date]:
    text = text.translate(LOOKALIKES)
    for pattern in _PATTERNS:
        for match in pattern().finditer(text):
            month = match.groupdict().get("month")
            alone = pattern is _PATTERNS[-1]
            if (month is None or month in _MONTH_NUMBERS) and (not alone or _is_year(text, match)):
                yield _date(match)


def _is_year(text: str, match: re.Match[str]) -> bool:
    """Whether four digits that stand alone are a year and not an amount."""
    if _MEASURED().match(text, match.end()):
        return False
    before = max(0, match.start() - 12), match.start()
    in_brackets = text[match.start() - 1 : match.start()] + text[match.end() : match.end() + 1] == "()"
    in_a_span = _SPAN_BEHIND().match(text, match.end()) or _SPAN_BEFORE().search(text, *before)
    timely = in_brackets or in_a_span is not None or _PREPOSITION().search(text, *before) is not None
    if int(match["year"]) < 1900 or int(match["year"]) > 2099:
        return timely
    return timely or _COUNTED().match(text, match.end()) is None


def _date(match: re.Match[str]) -> Date:
    parts = {name: value for name, value in match.groupdict().items() if value is not None}
    year, years = int(parts.get("year") or parts.get("decade") or 0) or None, 10 if "decade" in parts else 1
    before_christ = parts.get("era", "").upper().startswith("B")
    if year is not None and before_christ:
        year = -year
    if "century" in parts:
        which = parts["century"].lower()
        number = _ORDINALS.index(which) + 1 if which in _ORDINALS else int(which[:-2])
        year, years = -100 * number if before_christ else 100 * (number - 1), 101  # 1900 may be of either century
    month = int(parts["number"]) if "number" in parts else None
    day = int(parts["day"]) if "day" in parts else None
    if "month" in parts:
        month = _MONTH_NUMBERS[parts["month"]]
    if "left" in parts:
        month, day = _slashed(int(parts["left"]), int(parts["right"]))
    quarter = int(parts["quarter"]) if "quarter" in parts else None
    if "ordinal" in parts:
        quarter = _ORDINALS.index(parts["ordinal"].lower()) + 1
    return Date(
        match.start(),
        match.end(),
        year,
        month,
        day,
        quarter,
        years,
        _relative(parts),
    )


def _days_and_times(text: str) -> tuple[set[str], list[tuple[int | str | None, ...]]]:
    """The weekdays of a text, and its times as hour of twelve, minute, and "a" or "p", None where it is not said."""
    plain = text.lower().replace("noon", "12 pm").replace("midnight", "12 am")
    days: set[str] = set()
    times: list[tuple[int | str | None, ...]] = []
    for match in _WEEKDAY_OR_TIME().finditer(plain):
        if match.group().isalpha():
            days.add(match.group().rstrip("s"))
            continue
        hour, *minute = (int(part) for part in re.findall(r"\d+", match.group()))
        half = match.group().strip(".m")[-1:] if "m" in match.group() else "p" if hour > 12 else None
        times.append((hour % 12, minute[0] if minute else None, half))
    return days, times


def _slashed(left: int, right: int) -> tuple[int | None, int | None]:
    """Month and day of 06/08/2025, which stay open where both orders are possible."""
    if left <= 12 < right <= 31:
        return left, right
    if right <= 12 < left <= 31:
        return right, left
    return None, None


def _relative(parts: dict[str, str]) -> int | None:
    if "which" in parts:
        return {"last": -1, "this": 0, "next": 1}[parts["which"].lower()]
    if "ago" in parts:
        word = parts["ago"].lower()
        return -int(word) if word.isdecimal() else -max(1, _COUNTS.split().index(word) - 1)
    return 0 if "end" in parts else None


def _years(date: Date) -> tuple[int, int] | None:
    return None if date.year is None else (date.year, date.year + date.years - 1)


def _months(date: Date) -> tuple[int, int] | None:
    if date.quarter is not None:
        return 3 * date.quarter - 2, 3 * date.quarter
    return None if date.month is None else (date.month, date.month)


def _overlap(a: tuple[int, int] | None, b: tuple[int, int] | None) -> bool:
    return a is None or b is None or (a[0] <= b[1] and b[0] <= a[1])
