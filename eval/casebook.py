"""What a report shows of each case: the answer beside the gold, the cited words in their sources, and the scores."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

from eval.stages import Fate, Span, Stage, fates, lost_at, overlaps
from rag.errors import SourceUnknown

Record = Mapping[str, Any]
SourceText = Callable[[str], str]
Verdict = Literal["wrong", "failed", "right"]

AROUND = 180  # characters of a source that are shown before and after what is cited
MOST_READ = 8  # sentences of a reading that are shown, besides those that were chosen or hold gold evidence
VERDICTS: tuple[Verdict, ...] = ("wrong", "failed", "right")


@dataclass(frozen=True, slots=True)
class Piece:
    """Some words on the page, and what they are: cited or answering words, words of the gold evidence."""

    text: str
    marked: bool = False
    gold: bool = False


@dataclass(frozen=True, slots=True)
class Cited:
    """A citation and the slice of its source around it; `exact` says that its span holds its quote."""

    record: Record
    pieces: tuple[Piece, ...]
    exact: bool


@dataclass(frozen=True, slots=True)
class ReadRow:
    """A sentence that was read, at its rank from 1."""

    rank: int
    record: Record
    pieces: tuple[Piece, ...]
    gold: bool
    below: bool


@dataclass(frozen=True, slots=True)
class ReadTable:
    """What was read for one part of the question; `left_out` counts the sentences that are not shown."""

    question: str
    threshold: float
    rows: tuple[ReadRow, ...]
    left_out: int


@dataclass(frozen=True, slots=True)
class FoundRow:
    """A passage that was found, at its rank from 1."""

    rank: int
    record: Record
    gold: bool


@dataclass(frozen=True, slots=True)
class Page:
    """All that is shown of one case, the `number`th of the run; `stage` lost it, None where it is right."""

    number: int
    case: Record
    answer: Record | None
    verdict: Verdict
    faults: tuple[str, ...]
    stage: Stage | None
    fates: tuple[Fate, ...]
    cited: tuple[Cited, ...]
    readings: tuple[ReadTable, ...]
    found: tuple[FoundRow, ...]
    traced: bool


def pages(cases: Iterable[Record], source_text: SourceText) -> list[Page]:
    """The cases as they are shown: the wrong ones first, surest first; then the failed, then the right ones."""
    made = [_page(number, record, source_text) for number, record in enumerate(cases, 1)]
    return sorted(made, key=lambda page: (VERDICTS.index(page.verdict), -_confidence(page)))


def pieces(text: str, at: int, marked: Span | None, gold: Iterable[Span], source: str) -> tuple[Piece, ...]:
    """A text that stands at `at` in its source, cut where marked or golden words begin and end.

    "Anna founded Acme." at 10 with (10, 14) marked and (15, 22) golden: Anna, a space, founded, and the rest.
    """
    end = at + len(text)
    golden = [span for span in gold if span[0] == source]
    bounds = {at, end, *(bound for span in (marked, *golden) if span for bound in span[1:] if at < bound < end)}
    cuts = sorted(bounds)
    return tuple(
        Piece(
            text[start - at : stop - at],
            marked=bool(marked) and _within(start, marked),
            gold=any(_within(start, span) for span in golden),
        )
        for start, stop in pairwise(cuts)
    )


def slice_around(text: str, start: int, end: int) -> tuple[int, int]:
    """The bounds of a slice around a span, `AROUND` characters wider to each side, where words begin and end."""
    begin, stop = max(0, start - AROUND), min(len(text), end + AROUND)
    if begin and (space := re.search(r"\s", text[begin:start])):
        begin += space.end()
    if stop < len(text) and (space := re.search(r"\s\S*$", text[end:stop])):
        stop = end + space.start()
    return begin, stop


def _page(number: int, record: Record, source_text: SourceText) -> Page:
    answer, score, trace = record.get("answer"), record.get("score"), record.get("trace")
    verdict: Verdict = "failed" if score is None else "wrong" if score["faults"] else "right"
    followed = tuple(fates(record, source_text))
    gold = [place for fate in followed for place in fate.places]
    return Page(
        number=number,
        case=record["case"],
        answer=answer,
        verdict=verdict,
        faults=tuple(score["faults"]) if score else (record["failure"]["error"],),
        stage=lost_at(record, source_text),
        fates=followed,
        cited=tuple(_cited(citation, gold, source_text) for citation in answer["citations"]) if answer else (),
        readings=tuple(_reading(each, gold, source_text) for each in trace["readings"]) if trace else (),
        found=_found(trace["found"], gold) if trace else (),
        traced=bool(trace),
    )


def _cited(citation: Record, gold: Sequence[Span], source_text: SourceText) -> Cited:
    text = _text(citation["source"], source_text)
    start, end = citation["start"], citation["end"]
    if text is None or not 0 <= start < end <= len(text):
        return Cited(citation, (Piece(citation["quote"], marked=True),), exact=False)
    begin, stop = slice_around(text, start, end)
    span = (citation["source"], start, end)
    shown = pieces(text[begin:stop], begin, span, gold, citation["source"])
    before, after = Piece("… " if begin else ""), Piece(" …" if stop < len(text) else "")
    return Cited(citation, (before, *shown, after), exact=text[start:end] == citation["quote"])


def _reading(reading: Record, gold: Sequence[Span], source_text: SourceText) -> ReadTable:
    rows = [
        ReadRow(
            rank,
            sentence,
            _sentence(sentence, gold, source_text),
            gold=overlaps(sentence, gold),
            below=sentence["score"] < reading["threshold"],
        )
        for rank, sentence in enumerate(reading["sentences"], 1)
    ]
    shown = tuple(row for row in rows if row.rank <= MOST_READ or row.gold or row.record["chosen"])
    return ReadTable(reading["question"], reading["threshold"], shown, len(rows) - len(shown))


def _sentence(sentence: Record, gold: Sequence[Span], source_text: SourceText) -> tuple[Piece, ...]:
    text = _text(sentence["source"], source_text)
    if text is None:
        return ()
    start, end = sentence["start"], sentence["end"]
    words = (sentence["source"], *sentence["answer"]) if sentence["answer"] else None
    return pieces(text[start:end], start, words, gold, sentence["source"])


def _found(found: Iterable[Record], gold: Sequence[Span]) -> tuple[FoundRow, ...]:
    return tuple(FoundRow(rank, passage, overlaps(passage, gold)) for rank, passage in enumerate(found, 1))


def _text(source: str, source_text: SourceText) -> str | None:
    try:
        return source_text(source)
    except SourceUnknown:
        return None


def _within(offset: int, span: Span | None) -> bool:
    return span is not None and span[1] <= offset < span[2]


def _confidence(page: Page) -> float:
    return float(page.answer["confidence"]) if page.answer else 0.0
