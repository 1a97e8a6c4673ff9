"""What reading costs and what 8 bits cost: prints the two tables of BENCHMARKS.md.

    python tests/benchmarks/reading.py --data DIR

Reading: eight passages of the example articles for one question, warm, beside embedding the same eight passages in the
same run; medians with the least and the most. Weights: the shipped network (8-bit weights and activations) against the
trained one (float32) on the SQuAD questions that may be tuned on. Without --data only the first table is made.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from rag.backends.openvino import OpenVinoReader
from rag.reader.export import load
from rag.reader.measure import auroc, read, token_f1
from rag.reader.readings import people_s_own
from rag.settings import load_settings
from rag.wiring import open_embedder, open_indexer, open_reader, open_store

ROOT = Path(__file__).resolve().parents[2]
RUNS = 40


def milliseconds(work: Callable[[], object]) -> str:
    """Median, least and most of many runs after a few that warm up."""
    for _ in range(3):
        work()
    laps = []
    for _ in range(RUNS):
        begun = time.perf_counter()
        work()
        laps.append((time.perf_counter() - begun) * 1000)
    return f"{statistics.median(laps):.1f} ms ({min(laps):.1f} to {max(laps):.1f})"


def eight_passages() -> list[str]:
    """The eight longest passages of the example articles."""
    with tempfile.TemporaryDirectory() as folder:
        settings = replace(load_settings(os.environ), index=folder)
        indexer = open_indexer(settings)
        indexer.run([ROOT / "seeds"], lambda _: None)
        indexer.close()
        with open_store(settings).snapshot() as snapshot:
            texts = [hit.passage.text for hit in snapshot.passages(range(1, 60)).values()]
    return sorted(texts, key=len)[-8:]


def lost_to_8_bits(reader: OpenVinoReader, data: Path) -> None:
    """Print F1 and AUROC of the shipped and of the trained network on the same questions."""
    examples = people_s_own(data, training=False, seed=1)
    answerable = np.array([example.start >= 0 for example in examples])
    readings = [reader.read(example.question, [example.passage])[0] for example in examples]
    shipped = [r.answerable + r.spans[0].score for r in readings]
    words = [e.passage[r.spans[0].start : r.spans[0].end] for e, r in zip(examples, readings, strict=True)]
    trained = read(load(ROOT / "rag" / "reader"), examples)
    for name, scores, said in (
        ("shipped, 8 bits", shipped, words),
        ("trained, float32", *trained),
    ):
        f1 = [token_f1(w, e.passage[e.start : e.end]) for w, e in zip(said, examples, strict=True) if e.start >= 0]
        values = np.array(scores)
        area = auroc(values[answerable].tolist(), values[~answerable].tolist())
        print(f"{name:18s} F1 {100 * np.mean(f1):.2f}  AUROC {100 * area:.2f}  ({len(examples)} questions)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(os.cpu_count() or 1)
    settings = load_settings(os.environ)
    reader, embedder, passages = open_reader(settings), open_embedder(settings), eight_passages()
    question = "What was Scale AI's last valuation?"
    print(f"reading 8 passages of {np.mean(embedder.count_tokens(passages)):.0f} tokens")
    print("  read    ", milliseconds(lambda: reader.read(question, passages)))
    print("  embedded", milliseconds(lambda: embedder.embed(passages)))
    if options.data:
        lost_to_8_bits(reader, options.data)


if __name__ == "__main__":
    main()
