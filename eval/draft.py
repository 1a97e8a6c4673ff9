"""Gold questions proposed from a user's own documents, by rules alone: for a person to keep, mend or drop.

Every sentence that is plain enough is asked for its figure, its date or its name. The same question from two sources
becomes one case, with both as evidence where they agree, and a conflict where they do not. A question about something
else of the documents, of which no sentence says the same, is one that they do not answer.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from random import Random
from typing import Any, Literal

from eval.draft_grammar import RELATIVE, VAGUE, VAGUE_THING, names_in
from eval.draft_questions import Asking, askings
from rag.questions import STOP_WORDS, WORD, stem
from rag.records import Source
from rag.split import sentences
from rag.values import dates, figures, groups, holds, normal, same_date

Answer = Literal["figure", "date", "name"]
MARKED = re.compile(r"[*_\[\]|<>`#{}\\]|https?:")
LENGTHS = range(20, 320)
UNANSWERABLE = 5
"""One proposal of so many is one that the documents do not answer."""


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence of a source, verbatim."""

    source: str
    quote: str

    @property
    def plain(self) -> str:
        """The words on one line."""
        return " ".join(self.quote.split())


@dataclass(frozen=True, slots=True)
class Found:
    """A question that one sentence answers."""

    asking: Asking
    said: Said

    @property
    def key(self) -> tuple[str, frozenset[str]]:
        """What the same question from another source has, too."""
        return self.asking.answer_kind, content(self.asking.question)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A gold question as it may go into a file: evidence as source and quote, positions as wordings and sources.

    `about` is the kind of thing that answers it.
    """

    kind: str
    question: str
    any_of: tuple[tuple[str, ...], ...]
    evidence: tuple[tuple[str, str], ...]
    positions: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = ()
    about: str = "question"

    @property
    def digest(self) -> str:
        """A hash of the question."""
        return hashlib.sha256(normal(self.question).encode()).hexdigest()[:8]

    @property
    def id(self) -> str:
        """The same for the same question, so that drafting twice proposes nothing twice."""
        return f"{self.kind}-{self.digest}"

    @property
    def split(self) -> str:
        """One half of all questions is to tune on, the other to report; the same question is always in the same."""
        return "test" if int(self.digest, 16) % 2 else "tune"

    def to_json(self) -> dict[str, Any]:
        """The line of a gold file."""
        return {
            "id": self.id,
            "kind": self.kind,
            "split": self.split,
            "question": self.question,
            "history": [],
            "any_of": [list(group) for group in self.any_of],
            "none_of": [],
            "evidence": [{"source": source, "quote": quote} for source, quote in self.evidence],
            "positions": [{"value": list(value), "sources": list(sources)} for value, sources in self.positions],
        }


def draft(sources: Sequence[Source], count: int, seed: int, known: Iterable[str] = ()) -> list[Proposal]:
    """At most `count` proposals from the sources, kinds in turn, the same for the same seed.

    Questions in `known` are not proposed again.
    """
    chance = Random(seed)
    said = [each for source in sources for each in sentences_of(source)]
    names = frozenset(name for source in sources for name in names_in(source.text))
    found = [Found(asking, each) for each in said for asking in askings(each.plain, names)]
    asked = merged([each for each in found if reads_well(each.asking)])
    taken = {normal(question) for question in known}
    fresh = [proposal for proposal in asked if normal(proposal.question) not in taken]
    chance.shuffle(fresh)
    piles = defaultdict(list)
    for proposal in sorted(fresh, key=lambda each: each.kind != "conflict"):
        piles["conflict" if proposal.kind == "conflict" else proposal.about].append(proposal)
    vain = [each for each in unanswerable(found, said, chance) if normal(each.question) not in taken]
    kept = vain[: max(1, min(count // UNANSWERABLE, len(fresh) // 4))]
    turns = zip_longest(*(piles[name] for name in sorted(piles)))
    answered = [proposal for turn in turns for proposal in turn if proposal is not None]
    chosen = [*answered[: count - len(kept)], *kept]
    return list({proposal.id: proposal for proposal in chosen}.values())[:count]


def sentences_of(source: Source) -> Iterator[Said]:
    """The sentences of a source that are prose and hold no markup."""
    for sentence in sentences(source.text):
        quote = source.text[sentence.start : sentence.end]
        plain = len(quote) in LENGTHS and not MARKED.search(quote) and quote.rstrip("\"”'’)")[-1:] == "."
        if sentence.kind in ("prose", "item") and plain:
            yield Said(source.name, quote)


def content(text: str) -> frozenset[str]:
    """The stems of the words of a text that carry its meaning."""
    return frozenset(stem(word.lower()) for word in WORD.findall(text) if word.lower() not in STOP_WORDS)


def reads_well(asking: Asking) -> bool:
    """Whether a question stands alone as English: no "he" or "last year", something named, its answer not given."""
    question = asking.question
    words = [word.lower() for word in WORD.findall(question)]
    inner = question[1:].replace("’s", "")
    named = re.search(r"\b[A-Z]", inner) is not None
    return (
        4 <= len(words) <= 26
        and not set(words) & (VAGUE - {"her"})
        and not RELATIVE.search(question)
        and not VAGUE_THING.search(question)
        and (named or len(content(question)) >= 4)
        and len(content(question)) >= 2
        and not any(holds(question, string) for string in asking.any_of)
        and all(question.count(a) == question.count(b) for a, b in ("()", "“”"))
        and question.count('"') % 2 == 0
        and "  " not in question
    )


# ---- one question from several sources ---------------------------------------------------------


def merged(found: Sequence[Found]) -> list[Proposal]:
    """One proposal for each question; what one source answers in two ways is left out."""
    together: dict[tuple[str, frozenset[str]], list[Found]] = defaultdict(list)
    for each in found:
        together[each.key].append(each)
    proposals = []
    for alike in together.values():
        values = _values(alike)
        sources = [[alike[place].said.source for place in places] for places in values]
        if len({source for some in sources for source in some}) < sum(len(set(some)) for some in sources):
            continue
        proposals.append(_proposal(alike, values))
    return proposals


def _values(alike: Sequence[Found]) -> list[list[int]]:
    """The places of those whose answers agree, together."""
    kind = alike[0].asking.answer_kind
    words = [each.asking.written for each in alike]
    if kind == "figure":
        measured = [figures(written) for written in words]
        if all(len(some) == 1 for some in measured):
            return groups([some[0] for some in measured])
    homes: list[list[int]] = []
    for place, written in enumerate(words):
        home = next((some for some in homes if _same(kind, words[some[0]], written)), None)
        if home is None:
            homes.append([place])
        else:
            home.append(place)
    return homes


def _same(kind: str, one: str, other: str) -> bool:
    if kind == "date":
        a, b = dates(one), dates(other)
        return bool(a and b) and same_date(a[0], b[0])
    return holds(one, other) or holds(other, one)


def _proposal(alike: Sequence[Found], values: Sequence[Sequence[int]]) -> Proposal:
    first = min(alike, key=lambda each: (len(each.asking.question), each.asking.question))
    evidence = tuple(dict.fromkeys((each.said.source, each.said.quote) for each in alike))
    worded = [tuple(dict.fromkeys(s for place in some for s in alike[place].asking.any_of)) for some in values]
    if len(values) == 1:
        return Proposal("single", first.asking.question, (worded[0],), evidence, about=first.asking.answer_kind)
    named = [tuple(dict.fromkeys(alike[place].said.source for place in some)) for some in values]
    positions = tuple(zip(worded, named, strict=True))
    return Proposal("conflict", first.asking.question, tuple(worded), evidence, positions)


# ---- what the documents do not answer -----------------------------------------------------------


def unanswerable(found: Sequence[Found], said: Sequence[Said], chance: Random) -> Iterator[Proposal]:
    """Questions with another name or year of the documents put in, where no sentence can answer them."""
    read = [(normal(each.plain), content(each.plain)) for each in said]
    counted = Counter(name for each in said for name in set(names_in(each.plain)))
    everywhere = sorted(name for name, times in counted.items() if times > 1 or " " in name)
    years = sorted({int(year) for each in said for year in re.findall(r"\b(?:19|20)\d\d\b", each.plain)})
    order = list(found)
    chance.shuffle(order)
    for each in order:
        if not reads_well(each.asking):
            continue
        question = _with_another_name(each.asking, everywhere, read, chance) or _with_another_year(
            each.asking.question, years, chance
        )
        if question:
            yield Proposal("unanswerable", question, (), ())


def _with_another_name(
    asking: Asking, names: Sequence[str], read: Sequence[tuple[str, frozenset[str]]], chance: Random
) -> str | None:
    # Neither places nor what has an article before it: "in the Ada Byron" is no English.
    own = [
        n for n in names if re.search(rf"(?<!\bthe )(?<!\bin )(?<!\bat )\b{re.escape(n)}(?![\w’'-])", asking.question)
    ]
    if not own:
        return None
    old = max(own, key=len)
    meant = content(asking.question.replace(old, " "))
    others = [
        name
        for name in names
        if not content(name) & content(asking.question)
        and abs(len(name.split()) - len(old.split())) <= 1
        and not any(normal(name) in text and len(meant & stems) * 2 >= len(meant) for text, stems in read)
        and not any(holds(string, name) for string in asking.any_of)
    ]
    if not others or not meant:
        return None
    new = chance.choice(others)
    article = "the " if any(f"the {normal(new)}" in text for text, _ in read) else ""
    return asking.question.replace(old, f"{article}{new}")


def _with_another_year(question: str, years: Sequence[int], chance: Random) -> str | None:
    found = re.search(r"\b(?:19|20)\d\d\b", question)
    if found is None or not years:
        return None
    others = list(range(years[0] - 30, years[0] - 5))
    return f"{question[: found.start()]}{chance.choice(others)}{question[found.end() :]}"
