"""BEIR: any folder in its layout, `corpus.jsonl`, `queries.jsonl` and `qrels/*.tsv` (Thakur et al. 2021).

nDCG@10 with graded judgements, MRR@10 and Recall@10 by `ir_measures`, as trec_eval computes them, over the questions
that have judgements. A document is a source, and ranks where its best passage does; a question's own text, where it
stands in the corpus under the same id, is left out as BEIR does. A plain BM25 over the same index stands beside.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from eval.intervals import mean_interval
from eval.suites.bench import Bench
from eval.suites.corpus import Text, indexed, ranked, widened
from eval.suites.data import find, load_lines, shaped
from eval.suites.figures import Figure
from eval.suites.multihop import best_by_words
from rag.errors import BackendMissing, BadInput
from rag.wiring import open_store

DEPTH = 10
SPLITS = ("test", "dev", "train")


@dataclass(frozen=True, slots=True)
class Task:
    """The documents by id, the questions by id, and for each question the grades of the documents judged."""

    documents: Mapping[str, Text]
    questions: Mapping[str, str]
    judgements: Mapping[str, Mapping[str, int]]


def measure(bench: Bench) -> list[Figure]:
    """nDCG@10, MRR@10 and Recall@10 on the folder's own questions."""
    task = load_task(bench.data)
    name = f"BEIR {bench.data.resolve().name}"
    filled = {key: text for key, text in task.documents.items() if text.content.strip()}
    corpus = indexed(bench, "beir", list(filled.values()))
    ids: dict[str, list[str]] = defaultdict(list)
    for key, text in filled.items():
        ids[corpus.sources[text]].append(key)
    settings = widened(corpus.settings, DEPTH + 1)
    retriever = bench.engines.retriever(settings)
    ours: dict[str, list[str]] = {}
    plain: dict[str, list[str]] = {}
    with open_store(settings).snapshot() as snapshot:
        for key in bench.each(bench.some(sorted(task.judgements)), name):
            asked = task.questions[key]
            found = (retriever.retrieve(asked, snapshot), best_by_words(snapshot, asked, settings.search.top_k))
            for hits, ranking in zip(found, (ours, plain), strict=True):
                sources = ranked(hits, DEPTH + 1)
                documents = [document for source in sources for document in ids[source] if document != key]
                ranking[key] = documents[:DEPTH]
    return [
        *_figures(name, "", ours, task.judgements),
        *_figures(name, " of plain BM25", plain, task.judgements),
    ]


def load_task(data: Path) -> Task:
    """The three files of a folder; of several splits `test` is taken, else `dev`, else `train`."""
    corpus, questions, judged = find(data, "corpus.jsonl"), find(data, "queries.jsonl"), _judgements_file(data)
    rows, asked = load_lines(corpus), load_lines(questions)
    with shaped(corpus):
        documents = {str(row["_id"]): Text(row.get("title") or "", row["text"]) for row in rows}
    with shaped(questions):
        texts = {str(row["_id"]): row["text"] for row in asked}
    judgements: dict[str, dict[str, int]] = defaultdict(dict)
    with shaped(judged), judged.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            judgements[row["query-id"]][row["corpus-id"]] = int(row["score"])
        if unknown := judgements.keys() - texts.keys():
            raise ValueError(f"no question has the id {min(unknown)}")
    # A question of which no document is relevant has no nDCG.
    sound = {key: grades for key, grades in judgements.items() if any(grade > 0 for grade in grades.values())}
    if not sound:
        raise BadInput(f"{judged} judges no document as relevant.", hint="Get the file again.")
    return Task(documents, texts, sound)


def gains(
    rankings: Mapping[str, Sequence[str]], judgements: Mapping[str, Mapping[str, int]]
) -> dict[str, dict[str, float]]:
    """nDCG@10, MRR@10 and Recall@10 of each question, by the names that figures have."""
    try:
        import ir_measures
        from ir_measures import RR, Qrel, R, ScoredDoc, nDCG
    except ModuleNotFoundError as missing:
        raise BackendMissing("Measuring retrieval needs ir-measures.", hint="pip install ir-measures") from missing
    graded = [Qrel(q, document, grade) for q in rankings for document, grade in judgements[q].items()]
    run = [
        ScoredDoc(q, document, float(-rank)) for q, ranking in rankings.items() for rank, document in enumerate(ranking)
    ]
    names = {nDCG @ DEPTH: "nDCG@10", RR @ DEPTH: "MRR@10", R @ DEPTH: "Recall@10"}
    values: dict[str, dict[str, float]] = {name: dict.fromkeys(rankings, 0.0) for name in names.values()}
    for metric in ir_measures.iter_calc(list(names), graded, run):
        values[names[metric.measure]][metric.query_id] = float(metric.value)
    return values


def _figures(
    name: str, of: str, rankings: Mapping[str, Sequence[str]], judgements: Mapping[str, Mapping[str, int]]
) -> list[Figure]:
    values = gains(rankings, judgements)
    return [
        Figure.of(f"{name}, {metric}{of}", mean_interval([each[key] for key in rankings]))
        for metric, each in values.items()
    ]


def _judgements_file(data: Path) -> Path:
    for split in SPLITS:
        path = data / "qrels" / f"{split}.tsv"
        if path.is_file():
            return path
    raise BadInput(
        f"{data / 'qrels'} holds none of {', '.join(f'{split}.tsv' for split in SPLITS)}.",
        hint="--data takes a folder with corpus.jsonl, queries.jsonl and qrels/.",
    )
