"""Fits the weights of `rag/read.py` and shows what each threshold refuses, on the gold questions that may be tuned on.

    python tests/benchmarks/fit_scoring.py

A sentence is positive where it overlaps a gold quote. Prints BIAS and WEIGHTS, the AUROC of the best sentence's score
between answerable and other questions, then what each threshold would refuse.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import astuple, dataclass, replace
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from eval.cases import Case, load_cases
from rag.converse import standalone
from rag.questions import analyse, parts
from rag.read import EvidenceReader
from rag.settings import Settings, load_settings
from rag.subject import with_names
from rag.wiring import open_indexer, open_reader, open_retriever, open_store

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Rows:
    """The features of a question's sentences, and which of them overlap its gold evidence."""

    case: Case
    features: np.ndarray
    positive: np.ndarray


def all_rows() -> list[Rows]:
    """The rows of every tuning question that is no yes/no question."""
    with tempfile.TemporaryDirectory() as folder:
        settings: Settings = replace(load_settings(os.environ), index=folder)
        indexer = open_indexer(settings)
        indexer.run([ROOT / "seeds"], lambda _: None)
        indexer.close()
        store, retriever, engine = open_store(settings), open_retriever(settings), open_reader(settings)
        reader = EvidenceReader(engine, engine)
        made = []
        for case in load_cases(ROOT / "eval/gold/seeds.jsonl", None):
            question = standalone(case.question, case.history)
            if case.split != "tune" or analyse(question).kind == "yesno":
                continue
            with store.snapshot() as snapshot:
                hits = [(part, retriever.retrieve(part, snapshot)) for part in parts(question)]
                found = [f for part, of_part in hits for f in reader.found(with_names(analyse(part), of_part), of_part)]
            gold = []
            for evidence in case.evidence:
                start = store.source(evidence.source).text.find(evidence.quote)
                gold.append((evidence.source, start, start + len(evidence.quote)))
            positive = [
                any(
                    f.hit.passage.source == s and f.sentence.start < end and start < f.sentence.end
                    for s, start, end in gold
                )
                for f in found
            ]
            made.append(Rows(case, np.array([astuple(f.features) for f in found]), np.array(positive)))
    return made


def main() -> None:
    rows = [r for r in all_rows() if len(r.features)]
    features, positive = np.concatenate([r.features for r in rows]), np.concatenate([r.positive for r in rows])
    model = LogisticRegression(C=1, max_iter=5000).fit(features, positive)
    print(f"BIAS = {model.intercept_[0]:.2f}")
    print(f"WEIGHTS = ({', '.join(f'{weight:.2f}' for weight in model.coef_[0])})")
    best = np.array([model.predict_proba(r.features)[:, 1].max() for r in rows])
    refusal = np.array([r.case.refusal_expected for r in rows])
    print(
        f"AUROC of the best sentence, {(~refusal).sum()} answerable of {len(rows)}: {roc_auc_score(~refusal, best):.3f}"
    )
    print("threshold  answerable refused  unanswerable refused")
    for threshold in np.arange(0.05, 0.75, 0.05):
        refused = best < threshold
        print(f"{threshold:9.2f}  {refused[~refusal].mean():18.2f}  {refused[refusal].mean():20.2f}")


if __name__ == "__main__":
    main()
