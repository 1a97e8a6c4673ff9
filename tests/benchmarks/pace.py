"""The pace of embedding and of indexing, in passages a second, beside the references; each in a process of its own.

    python tests/benchmarks/pace.py [--articles 400]

`encode` is sentence-transformers as it comes, given the passages that we cut; `embedder` is ours, given the same;
`ours` and `peer` index the files from start to end, ours and LlamaIndex's plain pipeline (see peer.py); `run` is the
part of ours after the model is loaded. `limit` is what the processor multiplies in bf16 at best.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from random import Random
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "benchmarks")]


def write_articles(folder: Path, count: int, seed: int = 3) -> None:
    """Articles of 5 to 14 paragraphs of the seeds, a tenth of the words exchanged, so that none is like another."""
    chance = Random(seed)
    texts = [path.read_text("utf-8") for path in sorted((ROOT / "seeds").glob("*.txt"))]
    paragraphs = [line.split() for text in texts for line in text.split("\n") if line.strip()]
    words = [word for paragraph in paragraphs for word in paragraph]
    folder.mkdir(parents=True)
    for number in range(count):
        chosen = [chance.choice(paragraphs) for _ in range(chance.randint(5, 14))]
        body = [" ".join(word if chance.random() > 0.1 else chance.choice(words) for word in p) for p in chosen]
        (folder / f"{number:05}.txt").write_text(f"Report {number}\n\n" + "\n\n".join(body), "utf-8")


def texts_of(work: Path) -> list[str]:
    """What our embedder reads of the files, as the index path cuts them."""
    from rag.load import find_files, read_source
    from rag.prepare import embedded_text
    from rag.settings import Settings
    from rag.split import passages
    from rag.wiring import open_embedder, parsers

    sizes, by_ending = Settings().passages, parsers()
    count = open_embedder(_settings(work)).count_tokens
    texts = []
    for file in find_files([work / "sources"], by_ending.keys()).files:
        source = read_source(file, by_ending, 1_000_000 * sizes.max_file_mb)
        texts += [embedded_text(source, p) for p in passages(source, sizes.tokens, sizes.overlap, count)]
    return texts


def encode(work: Path) -> dict[str, float]:
    """sentence-transformers' default `encode`."""
    from sentence_transformers import SentenceTransformer

    from rag.backends.sentence_transformers import BUNDLED, model_folder

    model = SentenceTransformer(str(model_folder(BUNDLED)), device="cpu", local_files_only=True)
    texts = json.loads((work / "texts.json").read_text("utf-8"))
    model.encode(texts[:32])
    begun = time.perf_counter()
    model.encode(texts, show_progress_bar=False)
    return _pace(len(texts), begun)


def embedder(work: Path) -> dict[str, float]:
    """Our embedder by itself."""
    from rag.wiring import open_embedder

    opened = open_embedder(_settings(work))
    texts = json.loads((work / "texts.json").read_text("utf-8"))
    opened.embed(texts[:32])
    begun = time.perf_counter()
    opened.embed(texts)
    return _pace(len(texts), begun)


def ours(work: Path) -> dict[str, float]:
    """Our whole pipeline; `run` is the pace after the model is loaded."""
    start = time.perf_counter()
    from rag.wiring import open_indexer

    indexer = open_indexer(_settings(work), rebuild=True)
    begun = time.perf_counter()
    report = indexer.run([work / "sources"], lambda _: None)
    run = _pace(report.passages, begun)
    indexer.close()
    return {**_pace(report.passages, start), "run": run["pace"]}


def peer(work: Path) -> dict[str, float]:
    """LlamaIndex's plain pipeline."""
    from peer import index_peer

    begun = time.perf_counter()
    index_peer(work, 256)
    return _pace(len(list((work / "sources").iterdir())), begun)


def limit(work: Path) -> dict[str, float]:
    """The best bf16 product of square matrices in FLOP/s, and the FLOP of a passage at the lengths of these."""
    import torch

    from rag.backends.openvino import _tokenizer
    from rag.backends.sentence_transformers import BUNDLED, model_folder

    side, best = 2048, 0.0
    left, right = (torch.randn(side, side).bfloat16() for _ in range(2))
    for _ in range(8):
        begun = time.perf_counter()
        torch.mm(left, right)
        best = max(best, 2 * side**3 / (time.perf_counter() - begun))
    folder = model_folder(BUNDLED)
    shape = json.loads((folder / "config.json").read_text("utf-8"))
    layers, width, inner = shape["num_hidden_layers"], shape["hidden_size"], shape["intermediate_size"]
    tokenizer = _tokenizer(folder / "tokenizer.json")
    tokenizer.enable_truncation(256)
    texts = json.loads((work / "texts.json").read_text("utf-8"))
    lengths = [len(encoding.ids) for encoding in tokenizer.encode_batch_fast(texts)]
    # A product of m x k and k x n is 2mkn: four projections and two of the inner layer a token; scores and sums a pair.
    flop = [layers * (2 * n * (4 * width**2 + 2 * width * inner) + 4 * n**2 * width) for n in lengths]
    mean = sum(flop) / len(flop)
    return {"flops": best, "flop": mean, "tokens": sum(lengths) / len(lengths), "pace": best / mean, "seconds": 0.0}


STEPS = {"encode": encode, "embedder": embedder, "ours": ours, "peer": peer, "limit": limit}


def prepared(work: Path, articles: int) -> None:
    """Write the articles and what is embedded of them; the model is converted and the machine measured, if need be."""
    from rag.wiring import open_indexer

    write_articles(work / "sources", articles)
    open_indexer(_settings(work)).close()
    (work / "texts.json").write_text(json.dumps(texts_of(work)), "utf-8")


def step(name: str, work: Path) -> dict[str, float]:
    """One step in a process of its own."""
    command = [sys.executable, __file__, "--work", str(work), "--step", name]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)})
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def _pace(count: int, begun: float) -> dict[str, float]:
    seconds = time.perf_counter() - begun
    return {"pace": count / seconds, "seconds": seconds}


def _settings(work: Path) -> Any:
    from rag.settings import load_settings

    return load_settings(os.environ, flags={"index": str(work / "ours")})


def main() -> None:
    """Run every step once and print what it gives."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--articles", type=int, default=400)
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        print(json.dumps(STEPS[options.step](options.work)))
        return
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        prepared(work, options.articles)
        for name in STEPS:
            figures = step(name, work)
            print(f"{name:10}", *(f"{key} {value:,.2f}" for key, value in figures.items()))


if __name__ == "__main__":
    main()
