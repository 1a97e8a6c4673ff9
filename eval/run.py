"""One evaluation: every case asked, scored, and kept with its whole answer, in the order of the gold file."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import islice
from typing import Any

from eval.calibration import reliability, risk_coverage, suggest
from eval.cases import KINDS, Case
from eval.citations import Verify
from eval.measures import Summary, summarise
from eval.metrics import Failed, Score, score
from eval.provenance import Origin
from eval.trace import Trace
from rag.errors import WhosaysError
from rag.records import Answer

FORMAT = 2
"""The version of the run file; it changes where an older reader would misread a newer file."""

RISK = 0.1
"""The share of wrong answers for which a threshold is suggested, where none is chosen."""

Ask = Callable[[Case], tuple[Answer, Trace]]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Result:
    """One case, its answer and the verdict; `answer` and `trace` are None exactly where the verdict is Failed."""

    case: Case
    answer: Answer | None
    verdict: Score | Failed
    trace: Trace | None = None

    def to_json(self) -> dict[str, Any]:
        """The case, the answer's record, the score and the trace; of `score` and `failure` one is null."""
        return {
            "case": asdict(self.case),
            "answer": self.answer.to_json() if self.answer else None,
            "score": self.verdict.to_json() if isinstance(self.verdict, Score) else None,
            "failure": asdict(self.verdict) if isinstance(self.verdict, Failed) else None,
            "trace": self.trace.to_json() if self.trace else None,
        }

    @classmethod
    def from_json(cls, case: Case, record: Mapping[str, Any]) -> Result:
        """The result that `to_json` gave for this case."""
        if record["failure"]:
            return cls(case, None, Failed(**record["failure"]))
        answer, verdict = Answer.from_json(record["answer"]), Score.from_json(record["score"])
        return cls(case, answer, verdict, Trace.from_json(record["trace"]) if record["trace"] else None)


@dataclass(frozen=True)
class Run:
    """The results of one evaluation, in the order of the gold file; `risk` is the one a threshold is suggested for."""

    results: tuple[Result, ...]
    risk: float = RISK

    @property
    def scores(self) -> list[Score]:
        """The scores of the cases that were answered."""
        return [result.verdict for result in self.results if isinstance(result.verdict, Score)]

    @cached_property
    def summary(self) -> Summary:
        """The figures over all cases."""
        return summarise(result.verdict for result in self.results)

    @cached_property
    def kinds(self) -> dict[str, Summary]:
        """The figures of each kind that occurs, in the contract's order of kinds."""
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
            **origin.to_json(),
            "summary": self.summary.to_json(),
            "kinds": {kind: summary.to_json() for kind, summary in self.kinds.items()},
            "reliability": [asdict(each) for each in reliability(self.scores)],
            "risk_coverage": [asdict(point) for point in risk_coverage(self.scores)],
            "suggestion": asdict(suggest(self.scores, self.risk)),
            "cases": [result.to_json() for result in self.results],
        }


def run(
    cases: Sequence[Case],
    ask: Ask,
    source_text: Callable[[str], str],
    on_progress: Callable[[Result], None],
    *,
    verify: Verify | None = None,
    done: Mapping[str, Result] | None = None,
    workers: int = 1,
    risk: float = RISK,
) -> Run:
    """Ask every case and score its answer; `on_progress` is called after each, in the order in which they finish.

    A case that raises becomes a Failed and the run goes on; only Ctrl-C and its like stop it. `done` are results of an
    earlier run by the cases' ids, which are not asked again. `workers` questions are asked at a time; the results
    stand in the order of the cases however many there are.
    """
    results = dict(done or {})
    left = [case for case in cases if case.id not in results]
    for result in _finished(left, lambda case: _result(case, ask, source_text, verify), workers):
        results[result.case.id] = result
        on_progress(result)
    return Run(tuple(results[case.id] for case in cases), risk)


def _finished(cases: Sequence[Case], result_of: Callable[[Case], Result], workers: int) -> Iterator[Result]:
    """The results as they come; no more than `workers` cases are begun that are not finished."""
    if workers == 1:
        yield from map(result_of, cases)
        return
    waiting = iter(cases)
    pool = ThreadPoolExecutor(workers, thread_name_prefix="whosays-eval")
    try:
        running: set[Future[Result]] = {pool.submit(result_of, case) for case in islice(waiting, workers)}
        while running:
            finished, running = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                yield future.result()
                running |= {pool.submit(result_of, case) for case in islice(waiting, 1)}
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _result(case: Case, ask: Ask, source_text: Callable[[str], str], verify: Verify | None) -> Result:
    try:
        answer, trace = ask(case)
        return Result(case, answer, score(case, answer, source_text, trace, verify), trace)
    except WhosaysError as error:
        return Result(case, None, Failed(case.id, f"{error.code}: {error.message}", error.exit_code))
    except Exception as bug:
        logger.exception("The case %s failed.", case.id)
        return Result(case, None, Failed(case.id, f"a bug: {type(bug).__name__}"))
