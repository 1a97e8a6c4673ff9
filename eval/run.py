"""One evaluation: every case asked in the file's order, scored, and kept with its whole answer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from eval.cases import KINDS, Case
from eval.metrics import Failed, Score, Summary, score, summarise
from rag.errors import WhosaysError
from rag.records import Answer, Turn

FORMAT = 1
"""The version of the run file; it changes where an older reader would misread a newer file."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Result:
    """One case, its answer and the verdict; `answer` is None exactly where the verdict is Failed."""

    case: Case
    answer: Answer | None
    verdict: Score | Failed

    def to_json(self) -> dict[str, Any]:
        """The case, the answer's record and the score; of `score` and `failure` one is null."""
        failed = isinstance(self.verdict, Failed)
        return {
            "case": asdict(self.case),
            "answer": self.answer.to_json() if self.answer else None,
            "score": None if isinstance(self.verdict, Failed) else self.verdict.to_json(),
            "failure": asdict(self.verdict) if failed else None,
        }


@dataclass(frozen=True, slots=True)
class Origin:
    """What a run was made with; `created` is a UTC time in ISO 8601."""

    created: str
    gold: str
    settings: Mapping[str, Any]
    generation: str
    model: str


@dataclass(frozen=True, slots=True)
class Run:
    """The results of one evaluation, in the order of the gold file."""

    results: tuple[Result, ...]

    @property
    def summary(self) -> Summary:
        """The sums over all cases."""
        return summarise(result.verdict for result in self.results)

    @property
    def kinds(self) -> dict[str, Summary]:
        """The sums of each kind that occurs, in the contract's order of kinds."""
        of_kind = {kind: [result.verdict for result in self.results if result.case.kind == kind] for kind in KINDS}
        return {kind: summarise(verdicts) for kind, verdicts in of_kind.items() if verdicts}

    @property
    def failures(self) -> tuple[Failed, ...]:
        """The cases that gave no answer."""
        return tuple(result.verdict for result in self.results if isinstance(result.verdict, Failed))

    @property
    def wrong(self) -> tuple[Result, ...]:
        """The cases answered wrongly, in the order of the gold file."""
        return tuple(result for result in self.results if isinstance(result.verdict, Score) and result.verdict.faults)

    def worst(self, n: int) -> tuple[Result, ...]:
        """The wrong answers of which the answerer was surest, surest first, at most `n`."""
        surest = sorted(self.wrong, key=lambda result: -result.answer.confidence if result.answer else 0.0)
        return tuple(surest[:n])

    def to_json(self, origin: Origin) -> dict[str, Any]:
        """The run file; two runs with the same origin differ only in `created` and under `timings_ms`."""
        return {
            "version": FORMAT,
            **asdict(origin),
            "summary": self.summary.to_json(),
            "kinds": {kind: summary.to_json() for kind, summary in self.kinds.items()},
            "cases": [result.to_json() for result in self.results],
        }


def run(
    cases: Iterable[Case],
    ask: Callable[[str, Sequence[Turn]], Answer],
    source_text: Callable[[str], str],
    on_progress: Callable[[Result], None],
) -> Run:
    """Ask every case in turn and score its answer; `on_progress` is called after each.

    A case that raises becomes a Failed and the run goes on; only Ctrl-C and its like stop it.
    """
    results: list[Result] = []
    for case in cases:
        result = _result(case, ask, source_text)
        results.append(result)
        on_progress(result)
    return Run(tuple(results))


def _result(case: Case, ask: Callable[[str, Sequence[Turn]], Answer], source_text: Callable[[str], str]) -> Result:
    try:
        answer = ask(case.question, case.history)
    except WhosaysError as error:
        return Result(case, None, Failed(case.id, f"{error.code}: {error.message}", error.exit_code))
    except Exception as bug:
        logger.exception("The case %s failed.", case.id)
        return Result(case, None, Failed(case.id, f"a bug: {type(bug).__name__}"))
    return Result(case, answer, score(case, answer, source_text))
