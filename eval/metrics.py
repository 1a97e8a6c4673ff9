"""What one answer is worth: pure functions over a case and its answer. `eval/measures.py` sums them over cases.

A rate is a `Share`, part and whole, so that a rate over nothing is None, never NaN. Sums over cases are micro-averages:
parts are added and wholes are added, so a case with three citations weighs three times one with one. Precision and
recall are those of Manning, Raghavan and Schütze, "Introduction to Information Retrieval", 8.3.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from eval.cases import Case, GoldPosition
from eval.citations import Verify, borne_out
from eval.retrieval import available, retrieval, span_ranks
from eval.suites.spans import best_f1, exact_match
from eval.trace import Trace
from rag.errors import SourceUnknown
from rag.records import Answer, Citation
from rag.values import holds


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a whole, both counted; where a case has a value from 0 to 1, that is its part and 1 its whole."""

    part: float
    whole: int

    @property
    def rate(self) -> float | None:
        """Part over whole, 0 to 1; None over nothing."""
        return self.part / self.whole if self.whole else None


@dataclass(frozen=True, slots=True)
class Failed:
    """A case whose answer could not be made; it is neither right nor wrong. `exit_code` as in `rag.errors`."""

    case: str
    error: str
    exit_code: int = 70


NOTHING = Share(0, 0)
SHORT = 5
"""Words that a gold string may have to be held against `Answer.short`."""


@dataclass(frozen=True, slots=True)
class Score:
    """What one answer was worth.

    `shares` are the case's parts in the sums over cases, by the names in `eval/measures.py`; a name that is missing
    does not judge this case. `best` is the score of the best sentence that was read, the one that the setting
    `answer.threshold` is held against.
    """

    case: str
    faults: tuple[str, ...]
    refused: bool
    refusal_expected: bool
    confidence: float
    best: float | None = None
    shares: Mapping[str, Share] = field(default_factory=dict)
    timings_ms: Mapping[str, float] = field(default_factory=dict)

    @property
    def correct(self) -> bool:
        """Whether nothing was found wrong with the answer."""
        return not self.faults

    def to_json(self) -> dict[str, Any]:
        """The score as plain dictionaries and lists; what changes from run to run stands under `timings_ms`."""
        return {
            "case": self.case,
            "correct": self.correct,
            "faults": list(self.faults),
            "refused": self.refused,
            "refusal_expected": self.refusal_expected,
            "confidence": self.confidence,
            "best": self.best,
            "shares": {name: {"part": share.part, "whole": share.whole} for name, share in self.shares.items()},
            "timings_ms": dict(self.timings_ms),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Score:
        """The score that `to_json` gave."""
        return cls(
            record["case"],
            tuple(record["faults"]),
            record["refused"],
            record["refusal_expected"],
            record["confidence"],
            record["best"],
            {name: Share(share["part"], share["whole"]) for name, share in record["shares"].items()},
            dict(record["timings_ms"]),
        )


def score(
    case: Case,
    answer: Answer,
    source_text: Callable[[str], str],
    trace: Trace | None = None,
    verify: Verify | None = None,
) -> Score:
    """What the answer is worth against its case; `source_text` gives a source's text or raises SourceUnknown.

    Without a trace retrieval is not measured, and without a verifier not whether the citations bear the claims.
    """
    wrong = faults(case, answer)
    refused = answer.outcome == "not_in_sources"
    expected = case.refusal_expected
    shares = {
        "correct": Share(not wrong, 1),
        "answerable_correct": Share(not wrong, 1) if not expected else NOTHING,
        "answerable_refused": Share(refused, 1) if not expected else NOTHING,
        "refusal_precision": Share(expected, 1) if refused else NOTHING,
        "refusal_recall": Share(refused, 1) if expected else NOTHING,
        "exact_match": short_exact_match(case, answer),
        "token_f1": short_token_f1(case, answer),
        "span_exactness": span_exactness(answer, source_text),
        "evidence_recall": evidence_recall(case, answer),
        "citation_precision": citation_precision(case, answer, source_text),
        "position_precision": position_precision(case, answer),
        "position_recall": position_recall(case, answer),
        "silent_picks": silent_pick(case, answer),
    }
    if verify:
        borne = borne_out(answer, verify)
        shares |= {"alce_recall": Share(*borne.recall), "alce_precision": Share(*borne.precision)}
    if trace:
        shares |= {name: Share(value, 1) for name, value in retrieved(case, trace, source_text).items()}
    read = [sentence.score for reading in trace.readings for sentence in reading.sentences] if trace else []
    return Score(
        case=case.id,
        faults=wrong,
        refused=refused,
        refusal_expected=expected,
        confidence=answer.confidence,
        best=max(read, default=None),
        shares={name: _plain(share) for name, share in shares.items() if share.whole},
        timings_ms=dict(answer.timings_ms),
    )


def retrieved(case: Case, trace: Trace, source_text: Callable[[str], str]) -> dict[str, float]:
    """The figures of `eval.retrieval` for a case; none where refusing is right, or without gold evidence or
    `ir_measures`.
    """
    if case.refusal_expected or not case.evidence or not available():
        return {}
    hits = [(found.source, found.start, found.end) for found in trace.found]
    spans = [
        [(item.source, start, start + len(item.quote)) for start in places(item.quote, source_text(item.source))]
        for item in case.evidence
    ]
    return retrieval(span_ranks(spans, hits))


def faults(case: Case, answer: Answer) -> tuple[str, ...]:
    """What is wrong with the answer, in words; nothing where it is correct as the contract defines it.

    Where refusing is right, only a refusal is correct, and elsewhere a refusal never is. Any other answer is correct
    where its text holds a string of every group of `any_of`, and none of `none_of`, word by word.
    """
    refused = answer.outcome == "not_in_sources"
    if case.refusal_expected:
        return () if refused else ("answered, though the sources do not say",)
    if refused:
        return ("refused, though the sources say",)
    forbidden = [string for string in case.none_of if holds(without_numbers(answer.text), string)]
    return (
        *(f"holds none of: {' | '.join(group)}" for group in lacking(case.any_of, answer.text)),
        *(f"holds what it must not: {string}" for string in forbidden),
    )


def lacking(groups: Sequence[Sequence[str]], text: str) -> list[Sequence[str]]:
    """The groups of gold strings of which an answer's text holds none."""
    plain = without_numbers(text)
    return [group for group in groups if not any(holds(plain, string) for string in group)]


def without_numbers(text: str) -> str:
    """An answer's text without its citations' numbers: "[5]" must not pass for the figure 5."""
    return re.sub(r"\[\d+\]", " ", text)


def short_exact_match(case: Case, answer: Answer) -> Share:
    """Whether `Answer.short` is a gold string, by SQuAD's rule (Rajpurkar et al. 2016, 6.1); a refusal is not.

    Judged where the case has one group of gold strings, none longer than five words, and refusing is not right. Gold
    strings are often less than the whole answer ("wang"), so that the figure is a lower bound beside `correct`.
    """
    golds = _short_golds(case)
    return Share(exact_match(answer.short or "", golds), 1) if golds else NOTHING


def short_token_f1(case: Case, answer: Answer) -> Share:
    """The F1 of the words of `Answer.short` against the gold string that suits best; as `short_exact_match`.

    "Alexandr Wang" against "wang" has precision 1/2 and recall 1, so 2/3.
    """
    golds = _short_golds(case)
    return Share(best_f1(answer.short or "", golds), 1) if golds else NOTHING


def places(quote: str, text: str) -> list[int]:
    """Every offset at which the quote stands in the text."""
    return [match.start() for match in re.finditer(f"(?={re.escape(quote)})", text)]


def span_exactness(answer: Answer, source_text: Callable[[str], str]) -> Share:
    """Of the citations, those whose `source_text[start:end]` is their quote: the contract's law, which must be 1.

    A citation of a source that is not there, and one whose span is empty or runs out of the text, is not exact.
    """
    return _share(_is_exact(citation, source_text) for citation in answer.citations)


def evidence_recall(case: Case, answer: Answer) -> Share:
    """Of the sources of the case's gold evidence, those that the answer cites.

    Two gold quotes of one source count once. Cases in which refusing is right are left out, as a refusal cites nothing.
    ALCE's citation recall (Gao et al. 2023) asks an entailment model; this asks the gold file.
    """
    if case.refusal_expected:
        return NOTHING
    cited = {citation.source for citation in answer.citations}
    return _share(source in cited for source in {item.source for item in case.evidence})


def citation_precision(case: Case, answer: Answer, source_text: Callable[[str], str]) -> Share:
    """Of the citations, those that overlap a gold quote of their case in the same source, wherever it stands in it.

    Where refusing is right, every citation counts, and is wrong unless it overlaps evidence that the case names.
    Answerable cases without gold evidence are left out. A good sentence that the gold file does not know counts as
    wrong, so that the figure is a lower bound.
    """
    if not case.evidence and not case.refusal_expected:
        return NOTHING
    spans = [
        (item.source, start, start + len(item.quote))
        for item in case.evidence
        for start in places(item.quote, source_text(item.source))
    ]
    return _share(
        any(source == citation.source and citation.start < end and start < citation.end for source, start, end in spans)
        for citation in answer.citations
    )


def position_recall(case: Case, answer: Answer) -> Share:
    """Of the pairs of a value and a source that the gold positions hold, those that the answer's positions hold.

    A gold pair is found where a position of the answer lists the source and its value holds, word by word, one of the
    wordings of the gold value ("approximately $14 billion" holds "14 billion"). No figure is rounded: the gold file
    lists the wordings that it takes. Cases without gold positions are left out.
    """
    return _share(
        any(source in position.sources and _is_value(position.value, gold) for position in answer.positions)
        for gold in case.positions
        for source in set(gold.sources)
    )


def position_precision(case: Case, answer: Answer) -> Share:
    """Of the pairs of a value and a source that the answer's positions hold, those that the gold positions hold.

    Pairs match as in `position_recall`, and the same cases are left out.
    """
    if not case.positions:
        return NOTHING
    return _share(
        any(source in gold.sources and _is_value(position.value, gold) for gold in case.positions)
        for position in answer.positions
        for source in set(position.sources)
    )


def silent_pick(case: Case, answer: Answer) -> Share:
    """Of the cases with two gold positions or more, those answered as if there were no dispute."""
    return Share(int(answer.outcome == "answered"), 1) if case.disputed else NOTHING


def _short_golds(case: Case) -> tuple[str, ...]:
    if case.refusal_expected or len(case.any_of) != 1:
        return ()
    golds = case.any_of[0]
    return golds if all(len(gold.split()) <= SHORT for gold in golds) else ()


def _plain(share: Share) -> Share:
    """The share with a number where its part is a truth."""
    return Share(share.part + 0, share.whole)


def _share(verdicts: Iterable[bool]) -> Share:
    """How many of the verdicts are true."""
    verdicts = list(verdicts)
    return Share(sum(verdicts), len(verdicts))


def _is_value(value: str, gold: GoldPosition) -> bool:
    return any(holds(value, wording) for wording in gold.value)


def _is_exact(citation: Citation, source_text: Callable[[str], str]) -> bool:
    try:
        text = source_text(citation.source)
    except SourceUnknown:
        return False
    # A negative start would count from the end, and could hit by luck.
    return 0 <= citation.start < citation.end <= len(text) and text[citation.start : citation.end] == citation.quote
