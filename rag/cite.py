"""Claims to numbered citations: every `[n]` of the text points at whole sentences of a source."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rag.protocols import Snapshot
from rag.records import Citation, Claim, Hit, Position, Verdict

CLOSING = re.compile(r"[.!?…:;]*[\"'”’»)\]]*$")


@dataclass(frozen=True, slots=True)
class Quote:
    """Whole sentences of a hit that a claim rests on: a span in the source."""

    hit: Hit
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a claim, with the quotes that bear it."""

    text: str
    quotes: tuple[Quote, ...]


@dataclass(frozen=True, slots=True)
class Draft:
    """One sentence of the answer before its citations are numbered: its parts follow one another."""

    parts: tuple[Part, ...]
    verdict: Verdict = "supported"


@dataclass(frozen=True, slots=True)
class DraftPosition:
    """A value and the quotes of those who say it."""

    value: str
    quotes: tuple[Quote, ...]


@dataclass(frozen=True, slots=True)
class Cited:
    """The numbered answer; `sentences` are the pieces of the text in their order, joined by a space."""

    sentences: tuple[str, ...]
    claims: tuple[Claim, ...]
    citations: tuple[Citation, ...]
    positions: tuple[Position, ...]


class Numbering:
    """Numbers quotes 1, 2, 3 in the order in which the text first uses them, sentence by sentence.

    The same span is one citation, however often it is used. `[n]` stands before a sentence's full stop.
    """

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, int, int], int] = {}
        self._quotes: list[Quote] = []
        self._sentences: list[str] = []
        self._claims: list[Claim] = []

    def add(self, draft: Draft) -> str:
        """The next sentence of the text."""
        pieces, used = [], []
        for part in draft.parts:
            own = sorted({self._number(quote) for quote in part.quotes})
            pieces.append(marked(part.text, own))
            used += own
        self._sentences.append("".join(pieces))
        self._claims.append(Claim("".join(part.text for part in draft.parts), draft.verdict, tuple(sorted(set(used)))))
        return self._sentences[-1]

    def cited(self, positions: Sequence[DraftPosition], snapshot: Snapshot) -> Cited:
        """The whole answer; of a position only the quotes that a sentence used count."""
        kept = []
        for position in positions:
            shown = [quote for quote in position.quotes if _key(quote) in self._numbers]
            if shown:
                sources = tuple(dict.fromkeys(quote.hit.passage.source for quote in shown))
                numbers = tuple(sorted({self._number(quote) for quote in shown}))
                kept.append(Position(position.value, sources, numbers))
        citations = tuple(_citation(n, quote, snapshot) for n, quote in enumerate(self._quotes, start=1))
        return Cited(tuple(self._sentences), tuple(self._claims), citations, tuple(kept))

    def _number(self, quote: Quote) -> int:
        key = _key(quote)
        if key not in self._numbers:
            self._numbers[key] = len(self._numbers) + 1
            self._quotes.append(quote)
        return self._numbers[key]


def marked(text: str, numbers: Sequence[int]) -> str:
    """The text with `[n]` before its closing punctuation: ("It rained.", [1, 2]) gives "It rained [1][2]."."""
    if not numbers:
        return text
    body = text.rstrip()
    closing = CLOSING.search(body)
    cut = closing.start() if closing else len(body)
    # A sentence that ends in a quotation keeps the quotation whole: `He said "Go." [1]`
    at_end = len(body) if re.search(r"[\"”’»]", body[cut:]) else cut
    return f"{body[:at_end]} {''.join(f'[{n}]' for n in numbers)}{body[at_end:]}{text[len(body) :]}"


def _key(quote: Quote) -> tuple[str, int, int]:
    return (quote.hit.passage.source, quote.start, quote.end)


def _citation(number: int, quote: Quote, snapshot: Snapshot) -> Citation:
    passage = quote.hit.passage
    return Citation(
        number=number,
        source=passage.source,
        title=quote.hit.title,
        published=quote.hit.published,
        page=snapshot.page_at(passage.source, quote.start),
        start=quote.start,
        end=quote.end,
        line=snapshot.line_at(passage.source, quote.start),
        quote=passage.text[quote.start - passage.start : quote.end - passage.start],
    )
