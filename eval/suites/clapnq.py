"""ClapNQ: long answers from one passage, and questions that their passage does not answer (Rosenthal et al. 2024).

The published task gives the gold passage. Here all passages of both files are one index and the whole answerer is
asked, so that finding counts too, and a question without an answer in its own passage must find none in the 600.
Citations are held against the sentences that the annotators selected.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from eval.intervals import mean_interval, ratio_interval
from eval.suites.bench import Answers, Bench
from eval.suites.corpus import Corpus, Text, indexed
from eval.suites.data import find, load_lines, shaped
from eval.suites.figures import Figure
from rag.records import Answer, Citation

ANSWERABLE = "clapnq/clapnq_dev_answerable.jsonl"
UNANSWERABLE = "clapnq/clapnq_dev_unanswerable.jsonl"
TARGETS = {
    "ClapNQ, answerable refused": 0.20,
    "ClapNQ, unanswerable refused": 0.75,
    "ClapNQ, citation precision": 0.65,
    "ClapNQ, citation recall of the answered": 0.65,
}

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Question:
    """One question, its passage, where its sentences stand in the body, and which each annotator selected."""

    text: str
    passage: Text
    sentences: tuple[Span, ...]
    selections: tuple[frozenset[int], ...]


@dataclass(frozen=True, slots=True)
class Agreement:
    """How the cited sentences agree with the selected ones, counted."""

    cited: int
    selected: int
    both: int

    @property
    def f1(self) -> float:
        """Their F1; 0 where nothing is cited and nothing selected."""
        return 2 * self.both / ((self.cited + self.selected) or 1)


def measure(bench: Bench) -> list[Figure]:
    """Refusals where they are wrong and where they are right, and precision and recall of the citations."""
    answerable = load_questions(find(bench.data, ANSWERABLE))
    unanswerable = load_questions(find(bench.data, UNANSWERABLE))
    corpus = indexed(bench, "clapnq", [question.passage for question in answerable + unanswerable])
    asked, asked_in_vain = bench.some(answerable), bench.some(unanswerable)
    with closing(bench.engines.answerer(corpus.settings)) as answerer:
        answers = _asked(bench, answerer, asked, "ClapNQ, answerable")
        answers_in_vain = _asked(bench, answerer, asked_in_vain, "ClapNQ, unanswerable")
    refused, refused_rightly = (
        mean_interval([float(_is_refusal(answer)) for answer in some]) for some in (answers, answers_in_vain)
    )
    figures = [
        Figure.of("ClapNQ, answerable refused", refused, TARGETS, higher_is_better=False),
        Figure.of("ClapNQ, unanswerable refused", refused_rightly, TARGETS),
    ]
    return figures + _citations(corpus, asked, answers)


def load_questions(path: Path) -> list[Question]:
    """The questions of one of the two files, in its order."""
    rows = load_lines(path)
    questions = []
    with shaped(path):
        for row in rows:
            (passage,) = row["passages"]
            texts: list[str] = passage["sentences"]
            selections = {
                frozenset(place for place, text in enumerate(texts) if text in output["selected_sentences"])
                for output in row["output"]
            }
            questions.append(
                Question(
                    row["input"],
                    Text(passage["title"], passage["text"]),
                    tuple(_spans(texts, passage["text"])),
                    tuple(sorted(selections - {frozenset()}, key=lambda chosen: (len(chosen), sorted(chosen)))),
                )
            )
    return questions


def agreement(
    citations: Sequence[Citation], gold: str, sentences: Sequence[Span], selected: frozenset[int]
) -> Agreement:
    """The cited and selected sentences of a source `gold`, whose sentences stand at the spans.

    A sentence is cited where a citation and the sentence share at least half of the shorter one. A citation that meets
    no sentence of the gold source, or is of another source, counts as one cited sentence that was not selected.
    """
    cited: set[int] = set()
    astray: set[tuple[str, int, int]] = set()
    for citation in citations:
        met = {
            place
            for place, span in enumerate(sentences)
            if citation.source == gold and _shared(span, (citation.start, citation.end))
        }
        cited |= met
        if not met:
            astray.add((citation.source, citation.start, citation.end))
    return Agreement(len(cited) + len(astray), len(selected), len(cited & selected))


def best_agreement(
    citations: Sequence[Citation], gold: str, sentences: Sequence[Span], selections: Sequence[frozenset[int]]
) -> Agreement:
    """The agreement with the annotator who agrees best, the first of equals; the shortest selection stands first."""
    return max((agreement(citations, gold, sentences, chosen) for chosen in selections), key=lambda found: found.f1)


def _citations(corpus: Corpus, questions: Sequence[Question], answers: Sequence[Answer]) -> list[Figure]:
    """Micro-averages over questions; left out where nothing was answered."""
    every: list[Agreement] = []
    answered: list[Agreement] = []
    for question, answer in zip(questions, answers, strict=True):
        if not question.selections:
            continue
        before = len(question.passage.heading)
        spans = [(start + before, end + before) for start, end in question.sentences]
        found = best_agreement(answer.citations, corpus.sources[question.passage], spans, question.selections)
        every.append(found)
        if not _is_refusal(answer):
            answered.append(found)
    if not any(found.cited for found in answered):
        return []
    both = [float(found.both) for found in answered]
    precision = ratio_interval(both, [float(found.cited) for found in answered])
    recall = ratio_interval(both, [float(found.selected) for found in answered])
    of_all = ratio_interval([float(found.both) for found in every], [float(found.selected) for found in every])
    return [
        Figure.of("ClapNQ, citation precision", precision, TARGETS),
        Figure.of("ClapNQ, citation recall of the answered", recall, TARGETS),
        Figure.of("ClapNQ, citation recall, refusals counting 0", of_all, TARGETS),
    ]


def _asked(bench: Bench, answerer: Answers, questions: Sequence[Question], what: str) -> list[Answer]:
    return [answerer.ask(question.text) for question in bench.each(questions, what)]


def _is_refusal(answer: Answer) -> bool:
    return answer.outcome == "not_in_sources"


def _spans(sentences: Sequence[str], text: str) -> list[Span]:
    """Where the sentences stand in the text, one after the other; raises ValueError for one that does not."""
    spans, at = [], 0
    for sentence in sentences:
        start = text.index(sentence, at)
        at = start + len(sentence)
        spans.append((start, at))
    return spans


def _shared(a: Span, b: Span) -> bool:
    common = min(a[1], b[1]) - max(a[0], b[0])
    return common > 0 and 2 * common >= min(a[1] - a[0], b[1] - b[0])
