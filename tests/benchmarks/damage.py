"""Whether a damaged index ever gives a wrong answer: bits are flipped and files cut short, and questions asked.

    python tests/benchmarks/damage.py [--times 500] [--seed 1] [--processes 20]

Three indexes are damaged, one file of a fresh copy each time: that of the seeds, one large enough to keep its vectors
in a file, and one whose writer was killed, with its log beside it. Each answer is held against that of the undamaged
index. `--processes` of the damages are done to the index or to the cache of converted models and asked about by
`whosays ask --json`, a process each. Exit code 1 where an answer is wrong or an error is not one of ours.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

from rag.answering import Answerer
from rag.errors import WhosaysError
from rag.read import EvidenceReader
from rag.settings import EmbeddingSettings, Settings
from rag.wiring import open_indexer, open_reader, open_retriever, open_store

ROOT = Path(__file__).resolve().parents[2]
PAGE = 4096
LARGE = 2_100  # passages, so that the vectors are kept in a file
KINDS = ("same", "rebuilt", "refused", "wrong", "traceback")
QUESTIONS = {
    "seeds": (
        "Who founded Scale AI?",
        "What was Scale AI's last valuation?",
        "Who is the chief executive of Scale AI?",
    ),
    "large": ("Who keeps the bees of Village 7?", "How much rain fell in Village 1203?", "Who founded Acme?"),
}
QUESTIONS["killed"] = (*QUESTIONS["seeds"][:1], *(f"Who keeps the bees of Village {n}?" for n in (7, 130, 142)))


# ---- damage ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Damage:
    """What is done to a file: bits turned over at these places (each a share of the file), then all after `cut` gone.

    `whole_pages` rounds the cut down to a page of SQLite's; `removed` takes the file away.
    """

    flips: tuple[tuple[float, int], ...] = ()
    cut: float | None = None
    whole_pages: bool = False
    removed: bool = False

    def do_to(self, path: Path) -> None:
        """Damage a file."""
        content = bytearray(path.read_bytes())
        for share, bit in self.flips:
            content[int(share * len(content))] ^= 1 << bit
        if self.cut is not None:
            length = int(self.cut * len(content))
            del content[length // PAGE * PAGE if self.whole_pages else length :]
        path.chmod(0o600)
        path.write_bytes(content)
        if self.removed:
            path.unlink()


def drawn(chance: Random) -> Damage:
    """A damage such as disks, memory and interrupted copies do."""
    kind = chance.random()
    if kind < 0.7:
        # The first bytes say what kind of file it is: a fifth of the flips go there.
        flips = 1 if kind < 0.5 else chance.randint(2, 16)
        width = 0.001 if chance.random() < 0.2 else 1.0
        return Damage(tuple((chance.random() * width, chance.randrange(8)) for _ in range(flips)))
    if kind < 0.95:
        return Damage(cut=chance.random() if kind < 0.92 else 0.0, whole_pages=kind < 0.8)
    return Damage(removed=True)


def files_of(folder: Path) -> list[Path]:
    """The files that damage can be done to; one that was to be empty has nothing to lose."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size)


# ---- what is asked ---------------------------------------------------------------------------------------------


class Judge:
    """Asks a folder's index, and says how it does beside the undamaged one."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._retriever = open_retriever(settings)
        reader = open_reader(settings)
        self._reader = EvidenceReader(reader, reader)

    def answer(self, folder: Path, question: str) -> dict[str, Any]:
        """The answer of an index that is opened anew, without the times that it took."""
        settings = replace(self._settings, index=str(folder))
        options = settings.answer
        answerer = Answerer(
            open_store(settings),
            self._retriever,
            self._reader,
            threshold=options.threshold,
            max_question=options.max_question,
            max_sentences=options.max_sentences,
            recipe="",
        )
        return lasting(answerer.ask(question).to_json())

    def verdict(self, folder: Path, expected: dict[str, dict[str, Any]]) -> tuple[str, str]:
        """One of `KINDS`, and what there is to say of it, by the answers that the undamaged index gave."""
        with warnings_of("rag") as warned:
            try:
                given = {question: self.answer(folder, question) for question in expected}
            except WhosaysError as error:
                return ("refused" if error.hint else "traceback"), f"{error.code}: {error.message}"
            except Exception:  # noqa: BLE001 - what this looks for
                return "traceback", traceback.format_exc()
        if given != expected:
            return "wrong", "\n".join(f"{q}\n  {expected[q]}\n  {given[q]}" for q in given if given[q] != expected[q])
        return ("rebuilt", warned[0]) if warned else ("same", "")


def lasting(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer without what differs from run to run."""
    return {name: value for name, value in answer.items() if name not in ("timings_ms", "fingerprint")}


@contextmanager
def warnings_of(name: str) -> Iterator[list[str]]:
    """The warnings that are logged meanwhile."""
    kept: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: kept.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger(name)
    propagated, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        yield kept
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagated


# ---- what is damaged -------------------------------------------------------------------------------------------


def make_index(settings: Settings, *sources: Path) -> None:
    """Index folders as `whosays index` does."""
    indexer = open_indexer(settings)
    try:
        indexer.run(sources, lambda _: None)
    finally:
        indexer.close()


def write_villages(folder: Path, count: int) -> Path:
    """That many short documents."""
    folder.mkdir()
    for n in range(count):
        text = f"In Village {n} it rained {n % 90 + 3} millimetres. Anna Berg{n} keeps the bees of Village {n}.\n"
        (folder / f"{n:04}.txt").write_text(text, "utf-8")
    return folder


def kill_writer(settings: Settings, documents: Path) -> None:
    """Index documents in a process that is killed before it is done: its log stays behind."""
    script = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom rag.settings import load_settings\n"
        "from rag.wiring import open_indexer\n"
        "indexer = open_indexer(load_settings(os.environ, flags={'index': sys.argv[1]}))\n"
        "indexer.run([Path(sys.argv[2])], lambda p: p.files > 150 and os.kill(os.getpid(), signal.SIGKILL))\n"
    )
    command = [sys.executable, "-c", script, settings.index, str(documents)]
    done = subprocess.run(command, cwd=ROOT, env=environment(settings), check=False)
    if done.returncode != -signal.SIGKILL or not list(Path(settings.index).glob("*-wal")):
        raise SystemExit("The writer was to be killed and to leave its log.")


def environment(settings: Settings) -> dict[str, str]:
    """What a process needs to use the same cache."""
    return {**os.environ, "WHOSAYS_EMBEDDING__CACHE": settings.embedding.cache, "PYTHONPATH": str(ROOT)}


# ---- by processes ----------------------------------------------------------------------------------------------


def by_process(settings: Settings, question: str, expected: dict[str, Any]) -> tuple[str, str]:
    """The verdict on what `whosays ask --json` gives."""
    command = [sys.executable, "-m", "service.cli", "ask", "--json", question, "--index", settings.index]
    done = subprocess.run(command, cwd=ROOT, env=environment(settings), capture_output=True, text=True, check=False)
    told = f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    if done.returncode in (3, 4):
        return ("refused" if json.loads(done.stdout or done.stderr)["error"]["hint"] else "traceback"), told
    if done.returncode not in (0, 1) or "Traceback" in done.stderr:
        return "traceback", told
    if lasting(json.loads(done.stdout)) != json.loads(json.dumps(expected)):
        return "wrong", told
    return ("rebuilt" if done.stderr else "same"), told


# ---- the run ---------------------------------------------------------------------------------------------------


class Run:
    """The damages of one run and how they went, by what was damaged."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.counts: dict[str, Counter[str]] = {}
        self.failures: list[str] = []

    def damage(self, whole: Path, name: str, work: Path, ask: Callable[[Path], tuple[str, str]]) -> None:
        """Damage a copy of a folder and note the verdict on it."""
        copy = work / "damaged"
        shutil.copytree(whole, copy, symlinks=True)
        files = files_of(copy)
        heavy = [path for path in files if path.suffix in (".sqlite", ".faiss", ".bin", ".blob") or "-wal" in path.name]
        path = self.chance.choice(heavy if self.chance.random() < 0.8 and heavy else files)
        damage = drawn(self.chance)
        damage.do_to(path)
        verdict, told = ask(copy)
        kind = path.suffix if path.suffix in (".faiss", ".blob") else path.name
        self.counts.setdefault(f"{name}: {kind}", Counter())[verdict] += 1
        if verdict in ("wrong", "traceback"):
            self.failures.append(f"{name}: {path.name}: {damage}\n{told}")
        shutil.rmtree(copy)

    def table(self) -> str:
        """How the damages went."""
        total = sum(self.counts.values(), Counter())
        rows = [*sorted(self.counts.items()), ("all", total)]
        head = f"{'damaged':34}" + "".join(f"{kind:>11}" for kind in KINDS)
        return "\n".join([head, *(f"{name:34}" + "".join(f"{c[kind]:11}" for kind in KINDS) for name, c in rows)])


def prepared(work: Path, cache: str) -> dict[str, Settings]:
    """The settings of the three undamaged indexes, which are made here."""
    made = {
        name: Settings(index=str(work / name), embedding=EmbeddingSettings(cache=cache))
        for name in ("seeds", "large", "killed")
    }
    villages = write_villages(work / "villages", LARGE)
    make_index(made["seeds"], ROOT / "seeds")
    make_index(made["large"], villages)
    make_index(made["killed"], ROOT / "seeds")
    kill_writer(made["killed"], write_villages(work / "few", 200))
    return made


def in_this_process(run: Run, judge: Judge, made: dict[str, Settings], times: int, work: Path) -> None:
    """Damage indexes that many times, and ask them from here."""
    answers = {
        name: {q: judge.answer(Path(settings.index), q) for q in QUESTIONS[name]} for name, settings in made.items()
    }
    for _ in range(times):
        name = run.chance.choice(["seeds", "large", "large", "killed"])
        expected = dict(run.chance.sample(sorted(answers[name].items()), 2))
        run.damage(Path(made[name].index), name, work, lambda folder, e=expected: judge.verdict(folder, e))


def in_processes(run: Run, judge: Judge, made: dict[str, Settings], times: int, work: Path) -> None:
    """Damage the index of the seeds or the cache that many times, and ask by the command line."""
    seeds = made["seeds"]
    question = QUESTIONS["seeds"][0]
    expected = judge.answer(Path(seeds.index), question)
    cache = work / "cache"
    for number in range(times):
        if number == 0:
            for kind in ("models", "compiled"):
                shutil.copytree(Path(seeds.embedding.cache).expanduser() / kind, cache / kind)
            by_process(replace(seeds, embedding=EmbeddingSettings(cache=str(cache))), question, expected)
        if number % 2:
            run.damage(
                cache,
                "cache, by process",
                work,
                lambda folder: by_process(
                    replace(seeds, embedding=EmbeddingSettings(cache=str(folder))), question, expected
                ),
            )
        else:
            run.damage(
                Path(seeds.index),
                "seeds, by process",
                work,
                lambda folder: by_process(replace(seeds, index=str(folder)), question, expected),
            )


def main() -> int:
    """Run as the options say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=20, help="how many more are asked by the command line")
    options = parser.parse_args()
    run = Run(options.seed)
    cache = os.environ.get("WHOSAYS_EMBEDDING__CACHE", EmbeddingSettings.cache)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        made = prepared(work, cache)
        judge = Judge(made["seeds"])
        in_this_process(run, judge, made, options.times, work)
        in_processes(run, judge, made, options.processes, work)
    print(*run.failures, sep="\n\n")
    print(run.table())
    return 1 if run.failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
