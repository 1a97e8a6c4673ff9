"""An index of a million passages: builds it through the store's own writer, then measures it in a fresh process.

    python -m tests.benchmarks.scale FOLDER [--passages 1000000] [--real 50000] [--json]

A second start with the same figures goes on where the first ended; what is finished is only measured again. The
articles are those of corpus.py. Passages of the planted articles and the first others have vectors of the real
embedding model, `--real` in all; the rest have the real vector of another passage moved by seeded noise (cosine .82
to .96 with it), so that neighbourhoods are about as dense as real ones while nothing has to be computed for hours.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from eval.cases import load_cases
from eval.metrics import score
from rag.indexing import WritableStore
from rag.prepare import embedded_text
from rag.records import Passage, Sentence, Source
from rag.settings import Settings, load_settings
from rag.store.contents import to_rows
from rag.store.local import LocalStore
from rag.store.writer import Writer
from rag.wiring import open_answerer, open_embedder
from tests.benchmarks.corpus import PARAGRAPHS, Article, Corpus, write_gold

ROOT = Path(__file__).resolve().parents[2]
BLOCK = 2_048  # passages embedded and saved together
RECIPE = "scale benchmark"
WARM_UP = 20
NOISE = (0.3, 0.7)
EXACT_BLOCK = 20_000


def to_source(article: Article) -> tuple[Source, list[Passage], list[bytes]]:
    """An article as it is stored: its source, its passages and the digests of what is embedded of them."""
    text = article.text
    digest = hashlib.sha256(text.encode()).hexdigest()
    source = Source(article.name, f"/corpus/{article.name}", text, digest, article.title, article.published)
    passages, start = [], 0
    for sentences in article.paragraphs:
        spans, place = [], start
        for sentence in sentences:
            spans.append(Sentence(place, place + len(sentence)))
            place += len(sentence) + 1
        end = place - 1
        passages.append(Passage(source.name, start, end, text[start:end], tuple(spans)))
        start = end + 2
    return source, passages, [hashlib.sha256(embedded_text(source, p).encode()).digest() for p in passages]


class Build:
    """One index in the making; `plan.json` keeps a second start from mixing two."""

    def __init__(self, folder: Path, passages: int, real: int, seed: int, settings: Settings) -> None:
        self.folder = folder
        self.real = real
        self.corpus = Corpus(round(passages / (sum(PARAGRAPHS) / 2)), seed)
        self.passages = passages
        self.settings = settings
        self.embedder = open_embedder(settings)
        folder.mkdir(parents=True, exist_ok=True)
        made_by = hashlib.sha256((ROOT / "tests" / "benchmarks" / "corpus.py").read_bytes()).hexdigest()
        plan = {"passages": passages, "real": real, "seed": seed, "embedder": self.embedder.digest, "corpus": made_by}
        path = folder / "plan.json"
        if path.is_file() and json.loads(path.read_text()) != plan:
            raise SystemExit(f"{folder} holds another plan: {path.read_text()}. Name another folder or remove it.")
        path.write_text(json.dumps(plan))
        write_gold(self.corpus, folder / "gold.jsonl")

    def run(self, writer: WritableStore | None = None) -> None:
        """Build what is not built yet: the index in the folder, or the one of another writer."""
        vectors = self._embedded()
        self._indexed(vectors, writer or self._local_writer())

    def _to_embed(self) -> Iterator[tuple[bytes, str]]:
        """The passages with real vectors: those of the planted articles, then the others in their order."""
        planted = sorted(self.corpus.planted)
        others = (number for number in range(self.corpus.articles) if number not in self.corpus.planted)
        for number in (*planted, *others):
            source, passages, digests = to_source(self.corpus.article(number))
            yield from zip(digests, (embedded_text(source, passage) for passage in passages), strict=True)

    def _embedded(self) -> dict[bytes, np.ndarray]:
        """The real vectors by digest; each block is saved as it is made."""
        least = sum(len(self.corpus.article(number).paragraphs) for number in self.corpus.planted)
        wanted = max(self.real, least)
        kept = self.folder / "vectors"
        kept.mkdir(exist_ok=True)
        rows = islice(self._to_embed(), wanted)
        vectors: dict[bytes, np.ndarray] = {}
        clock, done = Clock("embedding", wanted), 0
        for number in range(-(-wanted // BLOCK)):
            block = list(islice(rows, BLOCK))
            path = kept / f"{number:05}.npy"
            if not path.is_file():
                temporary = path.with_suffix(".part")
                with temporary.open("wb") as file:
                    np.save(file, self.embedder.embed([text for _, text in block]).astype(np.float16))
                temporary.replace(path)
                clock.made += len(block)
            vectors.update(zip((digest for digest, _ in block), np.load(path), strict=True))
            done += len(block)
            clock.tell(done)
        self._bases = np.stack(list(vectors.values())[least:] or list(vectors.values()))
        return vectors

    def _vector(self, digest: bytes, vectors: dict[bytes, np.ndarray]) -> np.ndarray:
        """The real vector, or another's moved by noise that depends on the text alone."""
        if digest in vectors:
            return vectors[digest].astype(np.float32)
        chance = np.random.default_rng(int.from_bytes(digest[:8], "big"))
        base = self._bases[chance.integers(len(self._bases))].astype(np.float32)
        noise = chance.standard_normal(len(base), dtype=np.float32) * (chance.uniform(*NOISE) / len(base) ** 0.5)
        moved: np.ndarray = base + noise
        return moved / np.linalg.norm(moved)

    def _local_writer(self) -> WritableStore:
        return Writer(
            self.folder / "index",
            self.embedder.digest,
            self.embedder.name,
            len(self._bases[0]),
            rebuild=False,
            memory_mb=self.settings.search.memory_mb,
        )

    def _indexed(self, vectors: dict[bytes, np.ndarray], writer: WritableStore) -> None:
        try:
            writer.begin()
            there = {known.name for known in writer.known().values()}
            clock, done = Clock("indexing", self.corpus.articles), 0
            for number in range(self.corpus.articles):
                done += 1
                if f"{number:07}.txt" in there:
                    continue
                source, passages, digests = to_source(self.corpus.article(number))
                stacked = np.stack([self._vector(digest, vectors) for digest in digests])
                writer.put(source, RECIPE, passages, digests, to_rows(stacked))
                clock.made += 1
                clock.tell(done)
            begun = time.perf_counter()
            writer.finish()
            say(f"finish: {time.perf_counter() - begun:.1f} s")
        finally:
            writer.close()


class Clock:
    """Tells how far a stage is, every few seconds, with its rate and the time left."""

    def __init__(self, stage: str, of: int) -> None:
        self.made = 0
        self._stage, self._of = stage, of
        self._begun = self._told = time.monotonic()
        self._before = 0

    def tell(self, done: int) -> None:
        now = time.monotonic()
        if now - self._told < 10 and done < self._of:
            return
        rate = self.made / max(now - self._begun, 1e-9)
        lately = (self.made - self._before) / max(now - self._told, 1e-9)
        left = f"{(self._of - done) / rate / 60:.1f} min left" if rate else "already there"
        say(f"{self._stage}: {done:,} of {self._of:,}, {rate:.0f} a second ({lately:.0f} lately), {left}")
        self._told, self._before = now, self.made


def say(line: str) -> None:
    """Progress, on standard error."""
    print(line, file=sys.stderr, flush=True)


# ---- measuring, each part in a process of its own ---------------------------------------------------------------


def memory() -> dict[str, int]:
    """Resident MiB of this process: in all, and what of it is a file's pages."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/smaps_rollup").read_text().splitlines()[1:])
    whole, own = (int(lines[name].split()[0]) // 1024 for name in ("Rss", "Anonymous"))
    return {"resident_mb": whole, "file_backed_mb": whole - own}


def measure_asking(folder: Path) -> dict[str, Any]:
    """Opening, times of whole answers and of retrieval in them, memory, and how many planted questions are right."""
    settings = replace(load_settings(os.environ), index=str(folder / "index"))
    cases = load_cases(folder / "gold.jsonl", None)
    before = memory()
    begun = time.perf_counter()
    answerer = open_answerer(settings)
    opened = time.perf_counter() - begun
    answerer.ask(cases[0].question)
    first = time.perf_counter() - begun
    for case in cases[-WARM_UP:]:
        answerer.ask(case.question)
    whole, retrieval, wrong = [], [], []
    for case in cases[: -WARM_UP if len(cases) > 2 * WARM_UP else None]:
        begun = time.perf_counter()
        answer = answerer.ask(case.question)
        whole.append((time.perf_counter() - begun) * 1000)
        retrieval.append(answer.timings_ms["retrieve"])
        if not score(case, answer, lambda name: answerer.store.source(name).text).correct:
            wrong.append(case.id)
    return {
        "questions": len(whole),
        "right": len(whole) - len(wrong),
        "wrong": wrong,
        "open_s": round(opened, 2),
        "first_answer_s": round(first, 2),
        **{f"answer_p{p}_ms": round(float(np.percentile(whole, p)), 1) for p in (50, 95, 99)},
        **{f"retrieval_p{p}_ms": round(float(np.percentile(retrieval, p)), 1) for p in (50, 95, 99)},
        "before_mb": before["resident_mb"],
        **memory(),
    }


def measure_recall(folder: Path, k: int = 10) -> dict[str, Any]:
    """The share of the `k` nearest passages that the vector index finds, for the planted questions."""
    embedder = open_embedder(load_settings(os.environ))
    questions = [case.question for case in load_cases(folder / "gold.jsonl", None)]
    asked = np.stack([embedder.embed_question(question) for question in questions])
    with LocalStore(folder / "index").snapshot() as snapshot:
        best_ids = np.zeros((len(asked), 0), dtype=np.int64)
        best = np.zeros((len(asked), 0), dtype=np.float32)
        rows = snapshot.stored_vectors()
        while block := list(islice(rows, EXACT_BLOCK)):
            ids = np.array([passage_id for passage_id, _ in block])
            matrix = np.frombuffer(b"".join(v for _, v in block), dtype=np.float16).reshape(len(block), -1)
            best = np.hstack([best, asked @ matrix.astype(np.float32).T])
            best_ids = np.hstack([best_ids, np.broadcast_to(ids, (len(asked), len(ids)))])
            order = np.argsort(-best, axis=1, kind="stable")[:, : 5 * k]
            best, best_ids = (np.take_along_axis(array, order, axis=1) for array in (best, best_ids))
        laps, found = [], 0
        for vector, ids, cosines in zip(asked, best_ids, best, strict=True):
            begun = time.perf_counter()
            near = {passage_id for passage_id, _ in snapshot.nearest_to(vector, k)}
            laps.append((time.perf_counter() - begun) * 1000)
            # Copies of one text are equally near, and any of them will do.
            found += min(len(near.intersection(ids[cosines >= cosines[k - 1] - 1e-5].tolist())), k)
        dense = json.loads(snapshot.meta("dense") or "null")
        return {
            "passages": snapshot.passage_count,
            "recall_at_10": round(found / (k * len(asked)), 4),
            **{f"nearest_p{p}_ms": round(float(np.percentile(laps, p)), 1) for p in (50, 95)},
            "dense": dense,
        }


def disk(folder: Path) -> dict[str, float]:
    """MB of the index's files."""
    return {path.name: round(path.stat().st_size / 1e6, 1) for path in sorted((folder / "index").iterdir())}


PARTS = {"asking": measure_asking, "recall": measure_recall}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--passages", type=int, default=1_000_000)
    parser.add_argument("--real", type=int, default=50_000, help="passages with vectors of the real model")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--no-build", action="store_true", help="only measure")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        print(json.dumps(PARTS[options.part](options.folder)))
        return
    if not options.no_build:
        Build(options.folder, options.passages, options.real, options.seed, load_settings(os.environ)).run()
    figures: dict[str, Any] = {"plan": json.loads((options.folder / "plan.json").read_text())}
    for part in PARTS:
        command = [sys.executable, "-m", "tests.benchmarks.scale", str(options.folder.resolve()), "--part", part]
        figures |= json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT).stdout)
    figures["disk_mb"] = disk(options.folder)
    if options.json:
        print(json.dumps(figures, indent=2))
        return
    for name, value in figures.items():
        print(f"{name:20} {value if isinstance(value, (int, float)) else json.dumps(value)}")


if __name__ == "__main__":
    main()
