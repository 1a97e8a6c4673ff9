"""MultiHop-RAG: news articles and questions that need facts from two to four of them (Tang and Yang 2024).

Finding is measured by the rule of the repository's `retrieval_evaluate.py`, on passages: one is relevant where a gold
fact stands in it, blanks aside, and a fact counts for the first passage that holds it. Questions of the type
`null_query` are left out there, and are to be refused here. Answers are measured by exact match, and by the
repository's own scorer, for which any one shared word is enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from eval.intervals import mean_interval
from eval.suites.bench import Bench
from eval.suites.corpus import Corpus, Text, indexed
from eval.suites.data import find, load_json, shaped
from eval.suites.figures import Figure
from eval.suites.spans import exact_match, holds_answer
from rag.errors import BadInput
from rag.records import Answer
from rag.wiring import open_store

CORPUS = "multihop-rag/corpus.json"
QUESTIONS = "multihop-rag/MultiHopRAG.json"
DEPTH = 10
UNANSWERABLE = "null_query"
INSUFFICIENT = "Insufficient information."
"""What the data set wants said where its articles do not answer; here, a refusal."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question, its type, its answer and the sentences that it rests on."""

    text: str
    type: str
    answer: str
    facts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """What the repository's rule makes of one question's passages."""

    hit_at_4: float
    hit_at_10: float
    average_precision: float
    reciprocal_rank: float


def measure(bench: Bench) -> list[Figure]:
    """Hits@4, Hits@10, MAP@10 and MRR@10 over passages, and the answers by type of question."""
    texts = load_texts(find(bench.data, CORPUS))
    questions = load_questions(find(bench.data, QUESTIONS))
    corpus = indexed(bench, "multihop-rag", texts)
    some = bench.some(questions)
    return _finding(bench, corpus, some) + _answering(bench, corpus, some)


def load_texts(path: Path) -> list[Text]:
    """The articles that have a body."""
    rows = load_json(path)
    with shaped(path):
        return [Text(row["title"], row["body"]) for row in rows if row["body"].strip()]


def load_questions(path: Path) -> list[Question]:
    """The questions of the file, in its order."""
    rows = load_json(path)
    with shaped(path):
        return [
            Question(
                row["query"],
                row["question_type"],
                row["answer"],
                tuple(evidence["fact"] for evidence in row["evidence_list"]),
            )
            for row in rows
        ]


def found_by_the_rule(passages: Sequence[str], facts: Sequence[str]) -> Found:
    """The repository's figures of one question: passages "x a", "b", "a b" and facts "a", "b".

    Hits at ranks 1, 2, 3; new facts 1, 1, 0, so that MAP is (1/1 + 1/2 + 0/3) / 2 = 0.75 and the reciprocal rank 1.
    """
    wanted = [_packed(fact) for fact in facts]
    seen: set[str] = set()
    ranks, precisions = [], 0.0
    for rank, passage in enumerate(map(_packed, passages[:DEPTH]), start=1):
        held = {fact for fact in wanted if fact in passage}
        if held:
            ranks.append(rank)
            precisions += len(held - seen) / rank
            seen |= held
    first = min(ranks, default=None)
    return Found(
        float(first is not None and first <= 4),
        float(first is not None),
        precisions / min(len(wanted), DEPTH),
        1 / first if first else 0.0,
    )


def shares_a_word(given: str, gold: str) -> bool:
    """The repository's scorer: "Yes, it did" and "yes" share no word, as the comma stays on; "it did" and "did" do."""
    return bool(set(given.lower().split()) & set(gold.lower().split()))


def _packed(text: str) -> str:
    return text.replace(" ", "").replace("\n", "")


def _finding(bench: Bench, corpus: Corpus, questions: Sequence[Question]) -> list[Figure]:
    asked = [question for question in questions if question.type != UNANSWERABLE]
    if not asked:
        raise BadInput("All questions are to be refused.", hint="Raise --limit.")
    settings = replace(corpus.settings, search=replace(corpus.settings.search, top_k=DEPTH))
    retriever = bench.engines.retriever(settings)
    found = []
    with open_store(settings).snapshot() as snapshot:
        for question in bench.each(asked, "MultiHop-RAG, finding"):
            hits = retriever.retrieve(question.text, snapshot)
            found.append(found_by_the_rule([hit.passage.text for hit in hits], question.facts))
    return [
        Figure.of("MultiHop-RAG, Hits@4", mean_interval([each.hit_at_4 for each in found])),
        Figure.of("MultiHop-RAG, Hits@10", mean_interval([each.hit_at_10 for each in found])),
        Figure.of("MultiHop-RAG, MAP@10", mean_interval([each.average_precision for each in found])),
        Figure.of("MultiHop-RAG, MRR@10", mean_interval([each.reciprocal_rank for each in found])),
    ]


def _answering(bench: Bench, corpus: Corpus, questions: Sequence[Question]) -> list[Figure]:
    with closing(bench.engines.answerer(corpus.settings)) as answerer:
        answers = [answerer.ask(question.text) for question in bench.each(questions, "MultiHop-RAG, answering")]
    rows = list(zip(questions, answers, strict=True))
    figures = [
        Figure.of("MultiHop-RAG, exact match", mean_interval([float(_is_exact(q, a)) for q, a in rows])),
        Figure.of(
            "MultiHop-RAG, any shared word (the repository's scorer)",
            mean_interval([float(shares_a_word(_prediction(a), q.answer)) for q, a in rows]),
        ),
        Figure.of("MultiHop-RAG, gold answer in the text", mean_interval([float(_is_held(q, a)) for q, a in rows])),
    ]
    for type_ in sorted({question.type for question in questions}):
        exact = [float(_is_exact(q, a)) for q, a in rows if q.type == type_]
        figures.append(Figure.of(f"MultiHop-RAG, exact match, {type_}", mean_interval(exact)))
    return figures


def _prediction(answer: Answer) -> str:
    return INSUFFICIENT if answer.outcome == "not_in_sources" else answer.short or answer.text


def _is_exact(question: Question, answer: Answer) -> bool:
    return exact_match(_prediction(answer), [question.answer])


def _is_held(question: Question, answer: Answer) -> bool:
    said = INSUFFICIENT if answer.outcome == "not_in_sources" else answer.text
    return holds_answer(said, [question.answer])
