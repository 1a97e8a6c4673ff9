"""Questions to one sentence: for its figure, its date, its name, worded as a person would ask."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from eval.draft_grammar import MAKING, NAME, ROLES, Clause, clause, names_in, verbs
from rag.values import Date, Figure, dates, figures

AnswerKind = Literal["figure", "date", "name"]
CORE = re.compile(r"(?:[A-Z]{0,3}[$]|[€£¥₹])?\s?\d[\d.,]*\d|(?:[A-Z]{0,3}[$]|[€£¥₹])?\s?\d")
AFTER_CORE = re.compile(r"(?:\+|-plus|\s+or\s+(?:more|higher|greater|less|fewer|lower|so))$")
MONEY = re.compile(r"[$€£¥₹]|\b(?:dollars?|euros?|pounds?|yen|USD|EUR|GBP)\b")
PERCENT = re.compile(r"%|\bper ?cent\b")
SIZES = {"long": "long", "tall": "tall", "high": "high", "wide": "wide", "deep": "deep", "old": "old"}
PERSON = r"[A-Z][a-z]+(?: [A-Z]\.)?(?: (?:de |van |von )?[A-Z][\w’'-]+){1,2}"
FOUNDED = r"(?P<verb>[Ff]ounded|[Ee]stablished|[Ll]aunched|[Cc]reated|[Bb]uilt|[Dd]esigned)"
BEGUN = re.compile(
    rf"^{FOUNDED} in (?P<year>\d{{4}})(?: by (?:[A-Z]{{3}} |[a-z]+ )?(?P<who>{PERSON}))?, "
    rf"(?P<what>{NAME.pattern})(?='s|’s| )"
)
INSERTED = re.compile(
    rf"^(?P<what>(?:The )?{NAME.pattern}), {FOUNDED} in (?P<year>\d{{4}})(?: by (?:[A-Z]{{3}} )?(?P<who>{PERSON}))?,"
)
TITLED = re.compile(
    rf"\b(?P<what>{NAME.pattern}) (?P<role>CEO|CTO|CFO|chief executive|founder|chairman) (?P<who>{PERSON})"
)


@dataclass(frozen=True, slots=True)
class Asking:
    """A question, the kind of its answer, the words of the sentence that answer it, and the strings that count."""

    question: str
    answer_kind: AnswerKind
    written: str
    any_of: tuple[str, ...]


def askings(sentence: str, names: frozenset[str]) -> Iterator[Asking]:
    """Every question to a sentence; `names` keep their capital at the start of a sentence.

    "Acme raised $5 million in 2020." gives "How much did Acme raise in 2020?" and "When did Acme raise $5 million?".
    """
    yield from _of_begun(sentence)
    yield from _of_titles(sentence)
    found = clause(sentence, names)
    if found is None:
        return
    yield from _of_figures(found)
    yield from _of_dates(found)
    yield from _of_makers(found)
    yield from _of_roles(found)


# ---- figures -----------------------------------------------------------------------------------


def _of_figures(found: Clause) -> Iterator[Asking]:
    every = figures(found.rest)
    if len(every) != 1:
        return
    figure = every[0]
    core = CORE.search(figure.written)
    if core is None or figure.hedge == "between":
        return
    written = AFTER_CORE.sub("", figure.written[core.start() :].strip())
    before, after = found.rest[: figure.start].strip(), found.rest[figure.end :]
    question = _amount(found, figure, written, before, after)
    if question:
        when = f" in {found.lead}" if re.fullmatch(r"(?:\w+ )?\d{4}", found.lead) else ""
        yield Asking(f"{question}{when}?", "figure", figure.written, (written,))


def _amount(found: Clause, figure: Figure, written: str, before: str, after: str) -> str | None:
    """The question for a figure, without its mark; None where none reads well."""
    subject, did, verb = found.subject, found.auxiliary, f" {found.verb}" if found.verb else ""
    size = re.match(rf" (?P<size>{'|'.join(SIZES)})\b", after)
    if size and not before and not figure.noun:
        is_ = did if not verb else {"did": "was", "does": "is"}.get(did, did)
        return f"How {size['size']} {is_} {subject}{after[size.end() :]}"
    money, percent = MONEY.search(written), PERCENT.search(written)
    if not verb:
        return f"What {did} {subject}{after}" if not before and (money or percent) and _is_end(after) else None
    if before in ("by", "for", "at") and (money or percent):
        return f"{before.capitalize()} how much {did} {subject}{verb}{after}"
    if before in ("within", "after", "for", "by", "at") and (counted := _counted(figure, written, after)):
        return f"{before.capitalize()} how many {counted[0]} {did} {subject}{verb}{counted[1]}"
    if before and not re.fullmatch(r"(?:to [a-z]+|over)", before):
        return None
    into = f"{verb} {before}" if before else verb
    if money:
        return f"How much {did} {subject}{into}{after}" if _is_end(after) else None
    if percent:
        share = re.match(r" of (?P<whole>.+)", after)
        return f"What percentage of {share['whole']} {did} {subject}{into}" if share else None
    counted = _counted(figure, written, after)
    return f"How many {counted[0]} {did} {subject}{into}{counted[1]}" if counted else None


def _is_end(after: str) -> bool:
    """Whether what follows an amount goes on with a preposition, so that the amount stood for itself."""
    return (
        not after
        or re.match(r" (?:in|on|for|from|to|into|at|by|during|with|over|per|a year|annually|as)\b", after) is not None
    )


def _counted(figure: Figure, written: str, after: str) -> tuple[str, str] | None:
    """What a figure counts, in the words of the sentence, and what follows it."""
    unit = re.sub(r"^[\d.,\s]+(?:hundred|thousand|million|billion|trillion)?\s*", "", written)
    if unit and re.fullmatch(r"[a-z]{3,}(?: [a-z]+)*", unit):
        of = re.match(r" of [a-z]+", after)
        return (f"{unit}{of[0]}", after[of.end() :]) if of else (unit, after)
    at = 0
    for word in re.finditer(r" ([A-Za-z][\w-]*)", after):
        if word.start() != at or word.end() > 60:
            return None
        at = word.end()
        small = word[1].lower()
        if figure.noun and (small == figure.noun or (small.startswith(figure.noun[:-1]) and small.endswith("s"))):
            return after[1:at], after[at:]
        if figure.noun in ("person", "child", "man", "woman") and small in ("people", "children", "men", "women"):
            return after[1:at], after[at:]
    return None


# ---- dates -------------------------------------------------------------------------------------


def _of_dates(found: Clause) -> Iterator[Asking]:
    if not found.verb or (found.active is None and found.auxiliary not in ("was", "were")):
        return
    if found.auxiliary == "does":
        return
    every = dates(found.rest)
    did = f"When {found.auxiliary} {found.subject} {found.verb}"
    if found.lead and not every:
        (date,) = dates(found.lead)
        if date.year is not None and found.rest:
            yield Asking(f"{did}{found.rest}?", "date", found.lead, _wordings(found.lead, date))
    if len(every) != 1 or found.lead or every[0].year is None or every[0].years > 1:
        return
    date = every[0]
    before = re.search(r"\s*\b(?:in|on|by|since|as of|during|at)\s+$", found.rest[: date.start])
    if before is None:
        return
    after = found.rest[date.end :]
    if found.rest[: before.start()].strip() or found.auxiliary in ("was", "were"):
        written = found.rest[date.start : date.end]
        yield Asking(f"{did}{found.rest[: before.start()]}{after}?", "date", written, _wordings(written, date))


def _wordings(written: str, date: Date) -> tuple[str, ...]:
    """A date as it is written and, with a day, in the other common order."""
    months = "January February March April May June July August September October November December".split()
    if date.day is None or date.month is None or date.year is None:
        return (written,)
    month = months[date.month - 1]
    both = (f"{date.day} {month} {date.year}", f"{month} {date.day}, {date.year}")
    return tuple(dict.fromkeys((written, *both)))


# ---- names -------------------------------------------------------------------------------------


def _of_makers(found: Clause) -> Iterator[Asking]:
    """Who did it: "The bridge was designed by Ada Byron in 1932" and "Ada Byron designed the bridge"."""
    passive = re.match(rf"(?P<before>[^,]*?) ?\bby (?P<who>{NAME.pattern})(?P<after>.*)", found.rest)
    known = verbs().get(found.verb)
    if passive and known and known.participle == found.verb and found.auxiliary in ("was", "were"):
        before = f" {passive['before'].strip()}" if passive["before"].strip() else ""
        question = f"Who {known.past} {found.subject}{before}{passive['after']}?"
        yield Asking(question, "name", passive["who"], (passive["who"],))
    who = found.subject
    active = found.active
    if (
        active
        and active.base in MAKING
        and found.past == active.past
        and NAME.fullmatch(who)
        and _is_object(found.rest)
    ):
        when = f" in {found.lead}" if re.fullmatch(r"\d{4}", found.lead) else ""
        yield Asking(f"Who {active.past}{found.rest}{when}?", "name", who, (who,))


def _is_object(rest: str) -> bool:
    return bool(rest) and not re.match(r" (?:and|or|by|in|at|on|to|for|with|from)\b", rest)


def _of_roles(found: Clause) -> Iterator[Asking]:
    """Who holds an office: "Ada Byron is the mayor of Ely"."""
    role = re.fullmatch(rf" the (?P<role>(?:[a-z]+ )?{ROLES} (?:of|at) .+)", found.rest)
    if role and not found.verb and re.fullmatch(PERSON, found.subject) and found.auxiliary in ("is", "was"):
        yield Asking(f"Who {found.auxiliary} the {role['role']}?", "name", found.subject, (found.subject,))


def _of_begun(sentence: str) -> Iterator[Asking]:
    """What is said in passing: "Founded in 2016 by Ada Byron, Acme makes" and "Acme, founded in 2016, makes"."""
    match = BEGUN.match(sentence) or INSERTED.match(sentence)
    if match is None:
        return
    what = re.sub(r"^The ", "the ", match["what"])
    past = match["verb"].lower()
    yield Asking(f"When was {what} {past}?", "date", match["year"], (match["year"],))
    if match["who"]:
        yield Asking(f"Who {past} {what}?", "name", match["who"], (match["who"],))


def _of_titles(sentence: str) -> Iterator[Asking]:
    """Who holds an office, said in passing: "Acme CEO Ada Byron said ..."."""
    for match in TITLED.finditer(sentence):
        what = names_in(f"x {match['what']}")
        if what and what[-1] == match["what"].split(". ")[-1]:
            role = match["role"]
            yield Asking(f"Who is the {role} of {what[-1]}?", "name", match["who"], (match["who"],))
