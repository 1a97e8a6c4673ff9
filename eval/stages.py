"""Which stage lost a wrong case: the gold evidence is followed from the search to the answer's citations.

Each wording that an answer lacks may be borne by several gold quotes, of which one is enough, so a wording is lost
where the quote that got furthest was lost, and a case where its worst wording was. A quote is followed by its place:
a passage found, a sentence read or a citation has it where the two overlap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from eval.metrics import lacking, places
from rag.errors import SourceUnknown
from rag.values import holds

Record = Mapping[str, Any]
Span = tuple[str, int, int]


class Stage(StrEnum):
    """Where a wrong case was lost, in the order of the ask path; `meaning` says it in a sentence."""

    FAILED = "failed"
    UNTRACED = "not traced"
    NOT_RETRIEVED = "not retrieved"
    NOT_READ = "retrieved, not read"
    NOT_CHOSEN = "read, not chosen"
    REFUSED = "chosen, refused"
    CHECKED_AWAY = "checked away"
    LEFT_OUT = "chosen, left out"
    NOT_SAID = "cited, not said"
    SAID_TOO_MUCH = "said too much"
    NOT_REFUSED = "should have refused"

    @property
    def meaning(self) -> str:
        """What happened, in a sentence."""
        return _MEANINGS[self]


_MEANINGS = {
    Stage.FAILED: "There is no answer: asking ended with an error.",
    Stage.UNTRACED: "The case names no evidence, or the run holds no trace to follow it by.",
    Stage.NOT_RETRIEVED: "No passage that was found holds the gold evidence.",
    Stage.NOT_READ: "A passage with the gold evidence was found, but the reader saw no answer in it.",
    Stage.NOT_CHOSEN: "The reader scored the gold evidence, but other sentences scored higher.",
    Stage.REFUSED: "The gold evidence was the best that was read, but the answer was refused.",
    Stage.CHECKED_AWAY: "The gold evidence was chosen, but a claim was withheld after the check.",
    Stage.LEFT_OUT: "The gold evidence was chosen, but the answer does not cite it.",
    Stage.NOT_SAID: "The gold evidence is cited, but the answer lacks the wording that is asked for.",
    Stage.SAID_TOO_MUCH: "The answer holds all that it should, and something that it must not.",
    Stage.NOT_REFUSED: "The sources do not say, but an answer was given.",
}


@dataclass(frozen=True, slots=True)
class Fate:
    """How far one quote of the gold evidence came.

    `found` is the rank of the first passage that holds it and `read` that of the first sentence, from 1; `score` is the
    reader's for that sentence and `cited` the numbers of the citations that hold it. `stage` lost it; NOT_SAID: none.
    """

    source: str
    quote: str
    places: tuple[Span, ...]
    stage: Stage
    found: int | None = None
    read: int | None = None
    score: float | None = None
    chosen: bool = False
    cited: tuple[int, ...] = ()


def lost_at(record: Record, source_text: Callable[[str], str]) -> Stage | None:
    """The stage that lost a case of a run file, or None where its answer is correct.

    `source_text` gives a source's text by its name or raises SourceUnknown.
    """
    case, answer, score = record["case"], record.get("answer"), record.get("score")
    if answer is None or score is None:
        return Stage.FAILED
    if not score["faults"]:
        return None
    if score["refusal_expected"]:
        return Stage.NOT_REFUSED
    lacking = _lacking(case, answer)
    if not lacking:
        return Stage.SAID_TOO_MUCH
    known = [fate for fate in fates(record, source_text) if fate.stage != Stage.UNTRACED]
    if not known:
        return Stage.UNTRACED
    return min((_furthest(group, known) for group in lacking), key=list(Stage).index)


def fates(record: Record, source_text: Callable[[str], str]) -> list[Fate]:
    """How far each quote of a case's gold evidence came, in the order of the case."""
    trace, answer = record.get("trace"), record.get("answer")
    made = []
    for item in record["case"]["evidence"]:
        places = gold_places(item, source_text)
        fate = Fate(item["source"], item["quote"], tuple(places), Stage.UNTRACED)
        made.append(_followed(fate, trace, answer) if trace and answer and places else fate)
    return made


def gold_places(item: Record, source_text: Callable[[str], str]) -> list[Span]:
    """Every place in its source at which the quote of gold evidence stands; none where the source is not there."""
    try:
        text = source_text(item["source"])
    except SourceUnknown:
        return []
    quote = item["quote"]
    return [(item["source"], start, start + len(quote)) for start in places(quote, text)]


def overlaps(row: Record, places: Iterable[Span]) -> bool:
    """Whether a passage, a sentence or a citation shares characters with one of the places."""
    return any(row["source"] == source and row["start"] < end and start < row["end"] for source, start, end in places)


def _lacking(case: Record, answer: Record) -> list[Sequence[str]]:
    """The groups of wordings of which the answer holds none; all of them where it is a refusal."""
    if answer["outcome"] == "not_in_sources":
        return list(case["any_of"])
    return lacking(case["any_of"], answer["text"])


def _furthest(group: Sequence[str], known: Sequence[Fate]) -> Stage:
    """Where a wording was lost: how far the quotes that bear it came, or all quotes where none has its words."""
    bearing = [fate.stage for fate in known if any(holds(fate.quote, wording) for wording in group)]
    return max(bearing or [fate.stage for fate in known], key=list(Stage).index)


def _followed(fate: Fate, trace: Record, answer: Record) -> Fate:
    """The fate with what the trace and the answer tell of it."""
    refused = answer["outcome"] == "not_in_sources"
    ranks = [rank for rank, found in enumerate(trace["found"], 1) if overlaps(found, fate.places)]
    held = [
        (rank, sentence)
        for reading in trace["readings"]
        for rank, sentence in enumerate(reading["sentences"], 1)
        if overlaps(sentence, fate.places)
    ]
    best = min(held, key=lambda pair: pair[0], default=None)
    fate = replace(
        fate,
        found=min(ranks, default=None),
        read=best[0] if best else None,
        score=best[1]["score"] if best else None,
        # A refusal chooses nothing: what it refused is the sentence that was read best.
        chosen=any(sentence["chosen"] or (refused and rank == 1) for rank, sentence in held),
        cited=tuple(citation["number"] for citation in answer["citations"] if overlaps(citation, fate.places)),
    )
    return replace(fate, stage=_stage(fate, refused, bool(answer["withheld"])))


def _stage(fate: Fate, refused: bool, withheld: bool) -> Stage:
    if fate.cited:
        return Stage.NOT_SAID
    if fate.found is None:
        return Stage.NOT_RETRIEVED
    if fate.read is None:
        return Stage.NOT_READ
    if not fate.chosen:
        return Stage.NOT_CHOSEN
    if refused:
        return Stage.REFUSED
    return Stage.CHECKED_AWAY if withheld else Stage.LEFT_OUT
