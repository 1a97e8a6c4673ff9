"""The quick benchmarks in one run, each beside a reference in the same minutes: what `make bench` does.

    python tests/benchmarks/bench.py [--quick] [--write] [--runs 5]

Every figure is a ratio to its reference, the median of several runs with the least and the most. --write puts the table
into BENCHMARKS.md between its marks, and a plot beside this file; --quick takes small sizes, to see that it runs.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(ROOT), str(HERE)]

import incremental  # noqa: E402 - found by the line above
import pace  # noqa: E402
from cold_start import QUESTION, once  # noqa: E402

MARKS = ("<!-- bench: written by make bench -->", "<!-- /bench -->")
PLOT = HERE / "bench.svg"


@dataclass(frozen=True)
class Figure:
    """A figure, run by run, and what it is aimed at; `at_most` where less is better."""

    name: str
    reference: str
    values: Sequence[float]
    aim: float | None = None
    at_most: bool = False
    unit: str = "x"

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def met(self) -> bool:
        return self.aim is None or (self.median <= self.aim if self.at_most else self.median >= self.aim)

    def row(self) -> str:
        """One line of the table."""
        aim = "" if self.aim is None else f"{'≤' if self.at_most else '≥'} {self.aim:g} {self.unit}"
        spread = f"{self.median:.2f} {self.unit} ({min(self.values):.2f} to {max(self.values):.2f})"
        return f"| {self.name} | {self.reference} | {aim} | {spread} |{'' if self.met else ' missed'} |"


def cold_start(work: Path, runs: int) -> list[Figure]:
    """`whosays ask`, from the start of the process to its end."""
    whosays = [sys.executable, "-m", "service.cli"]
    index = [*whosays, "index", "seeds", "--index", str(work)]
    subprocess.run(index, check=True, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    ask = [*whosays, "ask", QUESTION, "--index", str(work)]
    frameworks = [sys.executable, "-c", "import llama_index.core, sentence_transformers"]
    commands = (ask, incremental.PASS, frameworks)
    for command in commands:
        once(command)
    took = [[once(command) for command in commands] for _ in range(runs)]
    return [
        Figure("cold `whosays ask`", "", [a[0] for a, _, _ in took], 0.6, at_most=True, unit="s"),
        Figure("cold `whosays ask`, peak memory", "", [a[1] for a, _, _ in took], 350, at_most=True, unit="MiB"),
        Figure("cold `whosays ask`, time", "bare `python -c pass`", [a[0] / p[0] for a, p, _ in took]),
        Figure("importing the frameworks alone, time", "cold `whosays ask`", [f[0] / a[0] for a, _, f in took], 10),
    ]


def indexing(work: Path, articles: int, runs: int) -> tuple[list[Figure], list[str]]:
    """The pace of embedding and of the whole pipeline, and what the processor could do."""
    from rag.backends.openvino_engine import by_flags
    from rag.processor import CPUINFO

    pace.prepared(work, articles)
    took = [{name: pace.step(name, work) for name in pace.STEPS} for _ in range(runs)]
    amx = CPUINFO.is_file() and "amx_bf16" in CPUINFO.read_text("ascii", errors="replace")
    figures = [
        Figure(
            "embedder, passages/s",
            "sentence-transformers' default `encode`",
            [run["embedder"]["pace"] / run["encode"]["pace"] for run in took],
            12 if amx else 2.5,
        ),
        Figure(
            "whole pipeline, passages/s",
            "the embedder by itself",
            [run["ours"]["run"] / run["embedder"]["pace"] for run in took],
            0.9,
        ),
        Figure(
            "LlamaIndex's plain pipeline, time",
            "`whosays index` of the same files",
            [run["peer"]["seconds"] / run["ours"]["seconds"] for run in took],
            12,
        ),
        Figure(
            "embedder, share of the processor's bf16 limit",
            "a 2,048 x 2,048 product",
            [100 * run["embedder"]["pace"] / run["limit"]["pace"] for run in took],
            unit="%",
        ),
    ]
    limit = max((run["limit"] for run in took), key=lambda found: found["flops"])
    embedded = statistics.median(run["embedder"]["pace"] for run in took)
    notes = [
        f"The processor multiplies bf16 matrices at {limit['flops'] / 1e12:.2f} TFLOP/s at best; a passage of"
        f" {limit['tokens']:.0f} tokens takes {limit['flop'] / 1e9:.2f} GFLOP, so that no more than"
        f" {limit['pace']:,.0f} passages/s are possible. The embedder gave {embedded:,.0f}"
        f" ({by_flags().precision} by the processor's flags)."
    ]
    return figures, notes


def asking(work: Path, runs: int) -> list[Figure]:
    """Questions over the seeds: only finding the passages, and the whole answer."""
    command = [sys.executable, __file__, "--asking", str(work)]
    took = []
    for _ in range(runs):
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)})
        took.append(json.loads(done.stdout.splitlines()[-1]))
    reference = "`encode` of the question and `faiss.IndexFlatIP`"
    found, answered = ([1000 * run[name] for run in took] for name in ("found", "answered"))
    return [
        Figure("a warm question over the seeds, passages found", "", found, 8, at_most=True, unit="ms"),
        Figure("a warm question over the seeds, answered", "", answered, 60, at_most=True, unit="ms"),
        Figure("finding passages, median time", reference, [run["found"] / run["plain"] for run in took]),
        Figure("whole answer, median time", reference, [run["answered"] / run["plain"] for run in took]),
    ]


def ask_all(index: Path) -> dict[str, float]:
    """The median seconds of a question: ours, found and answered, and plainly embedded and looked up, in turns."""
    import faiss
    from sentence_transformers import SentenceTransformer

    from rag.backends.sentence_transformers import BUNDLED, model_folder
    from rag.settings import load_settings
    from rag.wiring import open_answerer, open_retriever, open_store

    settings = load_settings(os.environ, flags={"index": str(index)})
    store, retriever, answerer = open_store(settings), open_retriever(settings), open_answerer(settings)
    model = SentenceTransformer(str(model_folder(BUNDLED)), device="cpu", local_files_only=True)
    with store.snapshot() as snapshot:
        texts = [hit.passage.text for hit in snapshot.passages(range(1, store.passage_count + 1)).values()]
    flat: Any = faiss.IndexFlatIP(384)
    flat.add(model.encode(texts))
    gold = (ROOT / "eval" / "gold" / "seeds.jsonl").read_text("utf-8").splitlines()
    questions = [json.loads(line)["question"] for line in gold[:20]]
    seconds: dict[str, list[float]] = {"plain": [], "found": [], "answered": []}

    def found(question: str) -> None:
        with store.snapshot() as snapshot:
            retriever.retrieve(question, snapshot)

    ways = {
        "plain": lambda question: flat.search(model.encode([question]), 10),
        "found": found,
        "answered": answerer.ask,
    }
    for question in (questions[0], *questions):
        for name, way in ways.items():
            begun = time.perf_counter()
            way(question)
            seconds[name].append(time.perf_counter() - begun)
    return {name: statistics.median(took[1:]) for name, took in seconds.items()}


def touching(work: Path, sources: int, runs: int) -> list[Figure]:
    """Indexing again after one of many sources changed."""
    over = [whole - start for whole, start in incremental.touched(work, sources, runs)]
    name = f"indexing again, 1 of {sources:,} sources changed"
    return [Figure(name, "less bare `python -c pass`", over, 2.0, at_most=True, unit="s")]


def machine() -> str:
    """What was measured on, in words."""
    from rag.backends.openvino_engine import openvino_version
    from rag.processor import computes_in_bf16, cores_granted, processor_name

    bf16 = "with" if computes_in_bf16() else "without"
    return f"{processor_name()}, {cores_granted()} cores, {bf16} bf16 in hardware, OpenVINO {openvino_version()}"


def table(figures: Sequence[Figure], notes: Sequence[str], runs: int) -> str:
    """The figures as Markdown."""
    day = time.strftime("%Y-%m-%d")
    head = f"`make bench`, medians of {runs} runs with the least and the most, on {day}: {machine()}."
    rows = [
        "| figure | beside | aimed at | measured | |",
        "|---|---|---|---|---|",
        *(figure.row() for figure in figures),
    ]
    return "\n".join([head, "", *rows, "", *notes])


def plot(figures: Sequence[Figure], path: Path) -> None:
    """The ratios as bars with their spread, and what was aimed at as marks."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "bench"
    from matplotlib import pyplot

    shown = [figure for figure in figures if figure.unit == "x"][::-1]
    drawing, axes = pyplot.subplots(figsize=(9, 0.6 * len(shown) + 1.2), layout="constrained")
    places = range(len(shown))
    middle = [figure.median for figure in shown]
    spread = [
        [figure.median - min(figure.values) for figure in shown],
        [max(figure.values) - figure.median for figure in shown],
    ]
    axes.barh(places, middle, xerr=spread, color="#4477aa", ecolor="#222222", capsize=3)
    aims = [(place, figure.aim) for place, figure in enumerate(shown) if figure.aim is not None]
    axes.scatter([aim for _, aim in aims], [place for place, _ in aims], marker="|", s=300, color="#cc3311", zorder=3)
    axes.set_yticks(
        places, [f"{figure.name}\nbeside {figure.reference}".replace("`", "") for figure in shown], fontsize=7
    )
    axes.set_xscale("log")
    axes.set_xlabel("times the reference (red: aimed at)")
    drawing.savefig(path, metadata={"Date": None})
    pyplot.close(drawing)


def written(document: str, content: str) -> str:
    """The document with what stands between the marks replaced; raises ValueError where a mark is missing."""
    begin, end = (document.index(mark) for mark in MARKS)
    return f"{document[: begin + len(MARKS[0])]}\n\n{content}\n\n{document[end:]}"


def main() -> None:
    """Run all benchmarks, print the table, and write it where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="small sizes, one run")
    parser.add_argument("--articles", type=int, default=400, help="of which the pace of indexing is measured")
    parser.add_argument("--write", action="store_true", help="write BENCHMARKS.md and the plot")
    parser.add_argument("--asking", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.asking:
        print(json.dumps(ask_all(options.asking)))
        return
    runs = 1 if options.quick else options.runs
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        figures = cold_start(work / "seeds", runs) + asking(work / "seeds", runs)
        paces, notes = indexing(work / "pace", 10 if options.quick else options.articles, runs)
        figures += paces + touching(work / "touch", 100 if options.quick else 10_000, runs)
    content = table(figures, notes, runs)
    print(content)
    if options.write:
        document = ROOT / "BENCHMARKS.md"
        picture = f"![The ratios, and what was aimed at]({PLOT.relative_to(ROOT).as_posix()})"
        document.write_text(written(document.read_text("utf-8"), f"{content}\n\n{picture}"), "utf-8")
        plot(figures, PLOT)


if __name__ == "__main__":
    main()
