"""What is measured: pure functions over a case and its answer, and their sums over many cases.

A rate is a `Share`, part and whole, so that sums are exact and a rate over nothing is None, never NaN. Sums over cases
are micro-averages: parts are added and wholes are added, so a case with three citations weighs three times one with
one. Precision, recall and F1 are those of Manning, Raghavan and Schütze, "Introduction to Information Retrieval", 8.3.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from eval.cases import Case, GoldPosition
from rag.errors import SourceUnknown
from rag.records import Answer, Citation
from rag.values import holds


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a whole, both counted."""

    part: int
    whole: int

    @property
    def rate(self) -> float | None:
        """Part over whole, 0 to 1; None over nothing."""
        return self.part / self.whole if self.whole else None

    def to_json(self) -> dict[str, Any]:
        """The rate and the two counts."""
        return {"rate": self.rate, "part": self.part, "whole": self.whole}


@dataclass(frozen=True, slots=True)
class Failed:
    """A case whose answer could not be made; it is neither right nor wrong. `exit_code` as in `rag.errors`."""

    case: str
    error: str
    exit_code: int = 70


@dataclass(frozen=True, slots=True)
class Score:
    """What one answer was worth; the shares are the case's parts in the sums of `Summary`."""

    case: str
    faults: tuple[str, ...]
    refused: bool
    refusal_expected: bool
    span_exactness: Share
    evidence_recall: Share
    citation_precision: Share
    position_precision: Share
    position_recall: Share
    silent_pick: Share
    total_ms: float | None

    @property
    def correct(self) -> bool:
        """Whether nothing was found wrong with the answer."""
        return not self.faults

    def to_json(self) -> dict[str, Any]:
        """The score as plain dictionaries and lists; what changes from run to run stands under `timings_ms`."""
        record = asdict(self) | {"faults": list(self.faults)}
        total = record.pop("total_ms")
        return {"case": record.pop("case"), "correct": self.correct, **record, "timings_ms": {"total": total}}


@dataclass(frozen=True, slots=True)
class Summary:
    """The sums over the cases that were answered; those that failed are counted in `failed` and in nothing else."""

    n: int
    failed: int
    correct: Share
    answerable_correct: Share
    answerable_refused: Share
    refusal_precision: Share
    refusal_recall: Share
    span_exactness: Share
    evidence_recall: Share
    citation_precision: Share
    position_precision: Share
    position_recall: Share
    silent_picks: Share
    p50_ms: float | None
    p95_ms: float | None

    @property
    def position_f1(self) -> float | None:
        """The harmonic mean of position precision and recall; None where no case has gold positions."""
        return f1(self.position_precision, self.position_recall)

    def to_json(self) -> dict[str, Any]:
        """The sums as plain dictionaries; what changes from run to run stands under `timings_ms`."""
        shares = {
            name: value.to_json()
            for name in self.__dataclass_fields__
            if isinstance(value := getattr(self, name), Share)
        }
        return {
            "n": self.n,
            "failed": self.failed,
            **shares,
            "position_f1": self.position_f1,
            "timings_ms": {"p50": self.p50_ms, "p95": self.p95_ms},
        }


def score(case: Case, answer: Answer, source_text: Callable[[str], str]) -> Score:
    """What the answer is worth against its case; `source_text` gives a source's text or raises SourceUnknown."""
    return Score(
        case=case.id,
        faults=faults(case, answer),
        refused=answer.outcome == "not_in_sources",
        refusal_expected=case.refusal_expected,
        span_exactness=span_exactness(answer, source_text),
        evidence_recall=evidence_recall(case, answer),
        citation_precision=citation_precision(case, answer, source_text),
        position_precision=position_precision(case, answer),
        position_recall=position_recall(case, answer),
        silent_pick=silent_pick(case, answer),
        total_ms=answer.timings_ms.get("total"),
    )


def summarise(verdicts: Iterable[Score | Failed]) -> Summary:
    """The sums over cases.

    Refusal precision is, of the refusals, the share that was right; refusal recall, of the cases where refusing is
    right, the share refused. `answerable_refused` is their counterweight: of all other cases, the share refused.
    Latency is the answer's own `timings_ms["total"]`.
    """
    verdicts = list(verdicts)
    scores = [verdict for verdict in verdicts if isinstance(verdict, Score)]
    refusals = [score for score in scores if score.refused]
    to_refuse = [score for score in scores if score.refusal_expected]
    answerable = [score for score in scores if not score.refusal_expected]
    timings = [score.total_ms for score in scores if score.total_ms is not None]
    return Summary(
        n=len(scores),
        failed=len(verdicts) - len(scores),
        correct=_share(score.correct for score in scores),
        answerable_correct=_share(score.correct for score in answerable),
        answerable_refused=_share(score.refused for score in answerable),
        refusal_precision=_share(score.refusal_expected for score in refusals),
        refusal_recall=_share(score.refused for score in to_refuse),
        span_exactness=_total(score.span_exactness for score in scores),
        evidence_recall=_total(score.evidence_recall for score in scores),
        citation_precision=_total(score.citation_precision for score in scores),
        position_precision=_total(score.position_precision for score in scores),
        position_recall=_total(score.position_recall for score in scores),
        silent_picks=_total(score.silent_pick for score in scores),
        p50_ms=percentile(timings, 50),
        p95_ms=percentile(timings, 95),
    )


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
    # "[5]" is a citation's number and must not pass for the figure 5.
    text = re.sub(r"\[\d+\]", " ", answer.text)
    missing = [group for group in case.any_of if not any(holds(text, string) for string in group)]
    forbidden = [string for string in case.none_of if holds(text, string)]
    return (
        *(f"holds none of: {' | '.join(group)}" for group in missing),
        *(f"holds what it must not: {string}" for string in forbidden),
    )


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
        return Share(0, 0)
    cited = {citation.source for citation in answer.citations}
    return _share(source in cited for source in {item.source for item in case.evidence})


def citation_precision(case: Case, answer: Answer, source_text: Callable[[str], str]) -> Share:
    """Of the citations, those that overlap a gold quote of their case in the same source, wherever it stands in it.

    Where refusing is right, every citation counts, and is wrong unless it overlaps evidence that the case names.
    Answerable cases without gold evidence are left out. A good sentence that the gold file does not know counts as
    wrong, so that the figure is a lower bound.
    """
    if not case.evidence and not case.refusal_expected:
        return Share(0, 0)
    spans = [
        (item.source, start, start + len(item.quote))
        for item in case.evidence
        for start in _places(item.quote, source_text(item.source))
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
        return Share(0, 0)
    return _share(
        any(source in gold.sources and _is_value(position.value, gold) for gold in case.positions)
        for position in answer.positions
        for source in set(position.sources)
    )


def silent_pick(case: Case, answer: Answer) -> Share:
    """Of the cases with two gold positions or more, those answered as if there were no dispute."""
    return Share(int(answer.outcome == "answered"), 1) if case.disputed else Share(0, 0)


def f1(precision: Share, recall: Share) -> float | None:
    """The harmonic mean of precision and recall; None where nothing was to be found, 0 where nothing was.

    1 of 2 given is right, 1 of 1 wanted is found: 2 * 0.5 * 1 / 1.5 = 0.667.
    """
    if recall.rate is None:
        return None
    both = (precision.rate or 0.0) + recall.rate
    return 2 * (precision.rate or 0.0) * recall.rate / both if both else 0.0


def percentile(values: Sequence[float], percent: int) -> float | None:
    """The least value that `percent` % of the values do not exceed (nearest rank, no interpolation); None of nothing.

    Of 10, 20, 30 and 40 the 50th is 20 and the 95th is 40: always a value that was measured.
    """
    if not values:
        return None
    rank = max(1, -(-percent * len(values) // 100))
    return sorted(values)[rank - 1]


def _share(verdicts: Iterable[bool]) -> Share:
    """How many of the verdicts are true."""
    verdicts = list(verdicts)
    return Share(sum(verdicts), len(verdicts))


def _total(shares: Iterable[Share]) -> Share:
    shares = list(shares)
    return Share(sum(share.part for share in shares), sum(share.whole for share in shares))


def _is_value(value: str, gold: GoldPosition) -> bool:
    return any(holds(value, wording) for wording in gold.value)


def _is_exact(citation: Citation, source_text: Callable[[str], str]) -> bool:
    try:
        text = source_text(citation.source)
    except SourceUnknown:
        return False
    # A negative start would count from the end, and could hit by luck.
    return 0 <= citation.start < citation.end <= len(text) and text[citation.start : citation.end] == citation.quote


def _places(quote: str, text: str) -> list[int]:
    """Every offset at which the quote stands in the text."""
    return [match.start() for match in re.finditer(f"(?={re.escape(quote)})", text)]
