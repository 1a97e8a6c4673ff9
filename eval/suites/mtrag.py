"""MTRAG: the last turn of conversations, answerable, partly, or not (Katsis et al. 2025).

The published generation task gives each turn its own passages. Here the passages of all tasks are one index and the
whole answerer is asked with the conversation before, so that finding counts too, and a turn that nothing answers must
find no answer among the passages of all others.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from eval.intervals import mean_interval
from eval.suites.bench import Bench
from eval.suites.corpus import Corpus, Text, indexed
from eval.suites.data import find, load_lines, shaped
from eval.suites.figures import Figure
from rag.records import Answer, Turn

FILE = "mtrag/mtragun-reference.jsonl"
LONGEST = 4000
"""Characters of a question that the answerer takes."""


@dataclass(frozen=True, slots=True)
class Task:
    """One turn, the turns before it, its own passages, and whether they answer it."""

    question: str
    history: tuple[Turn, ...]
    passages: tuple[Text, ...]
    answerability: str


def measure(bench: Bench) -> list[Figure]:
    """Refusals by answerability, and whether answers cite the passages of their own task."""
    tasks = load_tasks(find(bench.data, FILE))
    corpus = indexed(bench, "mtrag", [passage for task in tasks for passage in task.passages])
    some = bench.some(tasks)
    with closing(bench.engines.answerer(corpus.settings)) as answerer:
        answers = [answerer.ask(task.question[:LONGEST], task.history) for task in bench.each(some, "MTRAG")]
    rows = list(zip(some, answers, strict=True))
    figures = []
    for kind in ("ANSWERABLE", "PARTIAL", "UNDERSPECIFIED", "UNANSWERABLE"):
        refused = [float(answer.outcome == "not_in_sources") for task, answer in rows if task.answerability == kind]
        if refused:
            better = kind == "UNANSWERABLE"
            name = f"MTRAG, {kind.lower()} refused"
            figures.append(Figure.of(name, mean_interval(refused), higher_is_better=better))
    cited = [
        cites_own(corpus, task, answer)
        for task, answer in rows
        if task.answerability in ("ANSWERABLE", "PARTIAL") and answer.outcome != "not_in_sources"
    ]
    if cited:
        figures.append(Figure.of("MTRAG, own passage cited where answered", mean_interval(cited)))
    return figures


def load_tasks(path: Path) -> list[Task]:
    """The tasks of the file, in its order."""
    rows = load_lines(path)
    with shaped(path):
        return [
            Task(
                row["input"][-1]["text"].strip(),
                tuple(_turns(row["input"][:-1])),
                tuple(Text(each.get("title") or "", each["text"].strip()) for each in row["contexts"]),
                row["answerability"][0],
            )
            for row in rows
        ]


def cites_own(corpus: Corpus, task: Task, answer: Answer) -> float:
    """1 where a citation is of one of the task's own passages, else 0."""
    own = {corpus.sources[passage] for passage in task.passages}
    return float(any(citation.source in own for citation in answer.citations))


def _turns(said: list[dict[str, str]]) -> list[Turn]:
    """The questions with the answers that follow them."""
    turns = []
    for place, each in enumerate(said):
        if each["speaker"] == "user":
            after = said[place + 1] if place + 1 < len(said) else {"speaker": "agent", "text": ""}
            turns.append(Turn(each["text"].strip(), after["text"].strip() if after["speaker"] == "agent" else ""))
    return turns
