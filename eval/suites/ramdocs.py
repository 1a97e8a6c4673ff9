"""RAMDocs: documents that disagree, by ambiguity, misinformation and noise (Wang et al. 2025).

Each question is asked of its own documents alone, as there. Exact match asks for every gold answer and for no wrong
one in the text. Nobody can tell misinformation from the documents alone, and an answer here shows every position with
its source: so whether all gold answers are shown, and whether a dispute is shown as one, stand beside.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from eval.intervals import mean_interval
from eval.suites.bench import Bench
from eval.suites.corpus import Text, indexed
from eval.suites.data import find, load_lines, shaped
from eval.suites.figures import Figure
from eval.suites.spans import holds_answer, normalise
from rag.records import Answer

FILE = "ramdocs/RAMDocs_test.jsonl"


@dataclass(frozen=True, slots=True)
class Question:
    """One question with its documents, the answers that are right, and those that misinform."""

    text: str
    documents: tuple[Text, ...]
    right: tuple[str, ...]
    wrong: tuple[str, ...]

    @property
    def disputed(self) -> bool:
        """Whether the documents give two answers or more."""
        return len({normalise(answer) for answer in (*self.right, *self.wrong)}) > 1


def measure(bench: Bench) -> list[Figure]:
    """Exact match, its two halves, and what is shown of the disputes."""
    questions = load_questions(find(bench.data, FILE))
    corpus = indexed(bench, "ramdocs", [document for question in questions for document in question.documents])
    some = bench.some(questions)
    with closing(bench.engines.answerer(corpus.settings)) as answerer:
        answers = [
            answerer.ask(question.text, sources=[corpus.sources[document] for document in question.documents])
            for question in bench.each(some, "RAMDocs")
        ]
    rows = list(zip(some, answers, strict=True))
    all_right = [float(holds_all(answer, question.right)) for question, answer in rows]
    none_wrong = [float(not holds_any(answer, question.wrong)) for question, answer in rows]
    disputes = [float(answer.outcome == "disputed") for question, answer in rows if question.disputed]
    refused = [float(answer.outcome == "not_in_sources") for answer in answers]
    both = [right * clean for right, clean in zip(all_right, none_wrong, strict=True)]
    figures = [
        Figure.of("RAMDocs, exact match", mean_interval(both)),
        Figure.of("RAMDocs, all right answers in the text", mean_interval(all_right)),
        Figure.of("RAMDocs, no wrong answer in the text", mean_interval(none_wrong)),
        Figure.of("RAMDocs, refused", mean_interval(refused), higher_is_better=False),
    ]
    if disputes:
        figures.append(Figure.of("RAMDocs, disputes shown as disputes", mean_interval(disputes)))
    return figures


def load_questions(path: Path) -> list[Question]:
    """The questions of the file, in its order, with the documents that are not empty."""
    rows = load_lines(path)
    with shaped(path):
        return [
            Question(
                row["question"],
                tuple(Text("", document["text"]) for document in row["documents"] if document["text"].strip()),
                tuple(row["gold_answers"]),
                tuple(row["wrong_answers"]),
            )
            for row in rows
        ]


def holds_all(answer: Answer, golds: tuple[str, ...]) -> bool:
    """Whether the text, unless it refuses, holds every one of the strings."""
    return answer.outcome != "not_in_sources" and all(holds_answer(answer.text, [gold]) for gold in golds)


def holds_any(answer: Answer, strings: tuple[str, ...]) -> bool:
    """Whether the text, unless it refuses, holds one of the strings."""
    return answer.outcome != "not_in_sources" and any(holds_answer(answer.text, [string]) for string in strings)
