"""True sentences and answerable questions changed so that they no longer hold: another number, date, name, or a "not".

All by rules over the surface: names are runs of capitalised words, and what replaces a thing is of its own type.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

Kind = Literal["number", "date", "name", "negation", "opposite", "unit", "hedge", "relation"]

MONTHS = "January February March April May June July August September October November December".split()
NUMBER_WORDS = "two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty hundred".split()
NAME = re.compile(r"\b[A-Z][\w’'.-]*[\w](?:(?: (?:of|of the|de|von|van|and|for) | )[A-Z0-9][\w’'-]*)*|\b[A-Z]{2,}\b")
YEAR = re.compile(r"\b(?:1[0-9]|20)\d\d\b")
MONTH = re.compile(rf"\b(?:{'|'.join(MONTHS)})\b")
NUMBER = re.compile(r"(?<![\w.,-])\d{1,3}(?:,\d{3})+(?:\.\d+)?|(?<![\w.,-])\d+(?:\.\d+)?(?![\w-]|[.,]\d)")
NUMBER_WORD = re.compile(rf"\b(?:{'|'.join(NUMBER_WORDS)})\b", re.IGNORECASE)
NOT_NAMES = frozenset(
    "the a an in on at of for to and or but if it its this that these those he she they his her their we our as by from"
    " with after before during while when where who what which why how since although however also there is are was"
    " were has have had did does do can could will would may might must should some many most all each both one two"
    " another other such according because than then thus under over until upon between among i no not new".split()
)
OPPOSITES = tuple(
    tuple(pair.split("/"))
    for pair in (
        "first/last largest/smallest highest/lowest most/least more/fewer before/after increased/decreased rose/fell"
        " oldest/youngest longest/shortest early/late north/south northern/southern east/west eastern/western"
        " above/below larger/smaller higher/lower beginning/end best/worst old/new won/lost accepted/rejected"
        " increase/decrease started/ended began/ended opened/closed male/female men/women positive/negative"
        " major/minor strongest/weakest rich/poor inside/outside upper/lower allowed/forbade gained/lost"
        " buy/sell bought/sold buyer/seller supported/opposed allies/enemies older/younger faster/slower import/export"
        " maximum/minimum internal/external public/private win/lose joined/left appointed/dismissed earliest/latest"
    ).split()
)
ROLES = (
    "founder chairman president director king queen leader author architect owner inventor mayor governor minister"
    " manager coach captain composer producer editor chief secretary professor successor predecessor CEO"
).split()
UNITS = tuple(
    tuple(group.split("/"))
    for group in (
        "million/billion/thousand/trillion percent/dollars kilometers/meters/miles years/months/days/weeks/hours"
        " kilometres/metres square/cubic tons/pounds/kilograms euros/dollars/pounds acres/hectares"
    ).split()
)
RELATIONS = (
    "founded designed destroyed bought sold named visited invented written directed elected killed replaced published"
    " defeated funded closed moved discovered married built born produced owned translated influenced criticized led"
    " educated buried banned rescued sued hired copied renamed abandoned rebuilt painted"
).split()
HEDGED = ("about", "approximately", "nearly", "almost", "over", "more than", "less than", "up to", "at least")
AUXILIARY = re.compile(r"\b(is|are|was|were|has|have|had|will|would|can|could|may|might|must|should|did|does|do)\b")


@dataclass(frozen=True, slots=True)
class Pool:
    """What may stand in for what is replaced: the names of the passage itself first, then those of its article."""

    near: tuple[str, ...]
    far: tuple[str, ...]


def names_in(text: str) -> list[str]:
    """The names of a text, each once, in their order: "In 1990 Ada Byron met Babbage" gives Ada Byron, Babbage."""
    found = []
    for match in NAME.finditer(text):
        words = match.group().split()
        while words and (words[0].lower() in NOT_NAMES or words[0].isdigit()):
            words.pop(0)
        name = " ".join(words)
        if len(name) > 2 and not MONTH.fullmatch(name) and not (match.start() == 0 and " " not in name):
            found.append(name)
    return list(dict.fromkeys(found))


def alter(text: str, pool: Pool, chance: Random, kinds: Sequence[Kind]) -> tuple[str, Kind] | None:
    """The text with one thing changed, and the kind of the change; None where none of the kinds applies."""
    for kind in chance.sample(list(kinds), len(kinds)):
        altered = _WAYS[kind](text, pool, chance)
        if altered is not None and altered != text:
            return altered, kind
    return None


def _number(text: str, _: Pool, chance: Random) -> str | None:
    found = [match for match in NUMBER.finditer(text) if not YEAR.fullmatch(match.group())]
    words = list(NUMBER_WORD.finditer(text))
    if not found and not words:
        return None
    match = chance.choice(found or words)
    return _put(text, match.span(), other_number(match.group(), chance))


def other_number(written: str, chance: Random) -> str:
    """Another number of the same look: "1,200" may give "1,700" or "4,200", "13.8" may give "18.3"."""
    if written.lower() in NUMBER_WORDS:
        return chance.choice([word for word in NUMBER_WORDS if word != written.lower()])
    places = [i for i, c in enumerate(written) if c.isdigit()]
    while True:
        digits = list(written)
        for place in chance.sample(places, min(len(places), chance.choice((1, 1, 2)))):
            digits[place] = chance.choice("123456789" if place == 0 else "0123456789")
        if "".join(digits) != written:
            return "".join(digits)


def _date(text: str, _: Pool, chance: Random) -> str | None:
    years, months = list(YEAR.finditer(text)), list(MONTH.finditer(text))
    if not years and not months:
        return None
    match = chance.choice(years + months)
    if match.group() in MONTHS:
        return _put(text, match.span(), chance.choice([month for month in MONTHS if month != match.group()]))
    shift = chance.choice((1, 1, 2, 3, 5, 8, 10, 17)) * chance.choice((-1, 1))
    return _put(text, match.span(), str(int(match.group()) + shift))


def _name(text: str, pool: Pool, chance: Random) -> str | None:
    own = names_in(text)
    if not own:
        return None
    old = chance.choice(own)
    lower = text.lower()
    for names in (pool.near, pool.far):
        others = [n for n in names if n.lower() not in lower and not set(n.split()) & set(old.split())]
        alike = [n for n in others if abs(len(n.split()) - len(old.split())) <= 1 and n.isupper() == old.isupper()]
        if alike or others:
            return text.replace(old, chance.choice(alike or others), 1)
    return None


def _negation(text: str, _: Pool, chance: Random) -> str | None:
    if " not " in text:
        return text.replace(" not ", " ", 1)
    found = [match for match in AUXILIARY.finditer(text) if match.start() > 0]
    if found:
        match = chance.choice(found[:2])
        return _put(text, match.span(), f"{match.group()} {chance.choice(('not', 'not', 'never', 'no longer'))}")
    verb = re.search(r"(?<=\w )([a-z]{3,}ed)\b(?! by)", text)
    return _put(text, verb.span(), f"never {verb.group()}") if verb else None


def _opposite(text: str, _: Pool, chance: Random) -> str | None:
    found = []
    for pair in OPPOSITES:
        for old, new in (pair, pair[::-1]):
            found += [(match.span(), new) for match in re.finditer(rf"\b{old}\b", text)]
    return _put(text, *chance.choice(found)) if found else None


def _unit(text: str, _: Pool, chance: Random) -> str | None:
    found = []
    for group in UNITS:
        for match in re.finditer(rf"(?<=\d )(?:{'|'.join(group)})\b", text):
            found.append((match.span(), chance.choice([unit for unit in group if unit != match.group()])))
    return _put(text, *chance.choice(found)) if found else None


def _hedge(text: str, _: Pool, chance: Random) -> str | None:
    """ "Over 30" becomes "less than 30"; a hedge that only softens is no contradiction and is left."""
    swaps = {"over": "under", "more than": "less than", "less than": "more than", "at least": "at most"}
    found = [(m.span(), swaps[m.group()]) for m in re.finditer(rf"\b(?:{'|'.join(swaps)})\b(?= \$?\d)", text)]
    return _put(text, *chance.choice(found)) if found else None


def _relation(text: str, _: Pool, chance: Random) -> str | None:
    """Another deed or another office: "founded" becomes "sold", "president" becomes "owner"."""
    found = []
    for group in (RELATIONS, ROLES):
        for match in re.finditer(rf"\b(?:{'|'.join(group)})\b", text):
            found.append((match.span(), chance.choice([word for word in group if word != match.group()])))
    return _put(text, *chance.choice(found)) if found else None


_WAYS: dict[Kind, Callable[[str, Pool, Random], str | None]] = {
    "number": _number,
    "date": _date,
    "name": _name,
    "negation": _negation,
    "opposite": _opposite,
    "unit": _unit,
    "hedge": _hedge,
    "relation": _relation,
}


def _put(text: str, span: tuple[int, int], new: str) -> str:
    old = text[span[0] : span[1]]
    new = new[0].upper() + new[1:] if old[0].isupper() and new[0].islower() else new
    return text[: span[0]] + new + text[span[1] :]
