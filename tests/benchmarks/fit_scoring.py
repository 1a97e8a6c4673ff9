"""Fits the weights of `rag/read.py` and chooses the threshold, on the gold questions that may be tuned on.

    python tests/benchmarks/fit_scoring.py

A sentence is positive where it overlaps a gold quote. Prints BIAS and WEIGHTS, then what each threshold would refuse.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import astuple, replace
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

from eval.cases import Case, load_cases
from rag.converse import standalone
from rag.read import ScoringReader, _places
from rag.retrieve import Retriever
from rag.settings import Settings, load_settings
from rag.store.local import LocalStore
from rag.wiring import open_embedder, open_indexer, open_store

ROOT = Path(__file__).resolve().parents[2]


def rows_of(
    case: Case, store: LocalStore, retriever: Retriever, reader: ScoringReader
) -> tuple[np.ndarray, np.ndarray]:
    """The features of a question's sentences, and which of them overlap its gold evidence."""
    question = standalone(case.question, case.history)
    with store.snapshot() as snapshot:
        hits = retriever.retrieve(question, snapshot)
    features = np.array([astuple(f) for f in reader.features(question, hits)])
    gold = []
    for evidence in case.evidence:
        start = store.source(evidence.source).text.find(evidence.quote)
        gold.append((evidence.source, start, start + len(evidence.quote)))
    positive = [
        any(hit.passage.source == source and s.start < end and start < s.end for source, start, end in gold)
        for hit, s in _places(hits)
    ]
    return features, np.array(positive)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        settings: Settings = replace(load_settings(os.environ), index=folder)
        indexer = open_indexer(settings)
        indexer.run([ROOT / "seeds"], lambda _: None)
        indexer.close()
        store, embedder = open_store(settings), open_embedder(settings)
        search = settings.search
        retriever = Retriever(embedder, candidates=search.candidates, top_k=search.top_k, per_source=search.per_source)
        reader = ScoringReader(embedder)
        cases = [case for case in load_cases(ROOT / "eval/gold/seeds.jsonl", None) if case.split == "tune"]
        rows = [rows_of(case, store, retriever, reader) for case in cases]
    features, positive = np.concatenate([f for f, _ in rows]), np.concatenate([p for _, p in rows])
    model = LogisticRegression(C=10, max_iter=5000).fit(features, positive)
    print(f"BIAS = {model.intercept_[0]:.2f}")
    print(f"WEIGHTS = ({', '.join(f'{weight:.2f}' for weight in model.coef_[0])})")
    best = np.array([model.predict_proba(f)[:, 1].max() for f, _ in rows])
    refusal = np.array([case.refusal_expected for case in cases])
    print("threshold  answerable refused  unanswerable refused")
    for threshold in np.arange(0.05, 0.75, 0.05):
        refused = best < threshold
        print(f"{threshold:9.2f}  {refused[~refusal].mean():18.2f}  {refused[refusal].mean():20.2f}")


if __name__ == "__main__":
    main()
