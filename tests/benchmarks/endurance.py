"""What kills and too little memory do to an index.

    python -m tests.benchmarks.endurance kills --times 500 --seed 1
    python -m tests.benchmarks.endurance kills --times 500 --seed 1 --embedding hashed
    python -m tests.benchmarks.endurance memory --step 100

`kills`: `whosays index` builds, updates and reduces two indexes, one small and one large enough to have a file of
vectors, and is killed (SIGKILL) at random moments. After each kill the index must open; every source that was reported
done must be there with its new text, every other with its old or its new one; what a search finds must be what the
sources say. A run to the end must then give the kinds of files and the generation of an index made afresh.

A program that starts costs a second. So one process imports everything and then forks: each fork runs the whole command
from its arguments to its exit code and is a process of its own, killed by the system like any other. `--embedding
hashed` puts a hash of each text in the place of the embedding model, so that nearly all of a run is writing.

`memory`: indexing and asking under limits of address space (ulimit -v); each run must succeed or end with one message,
and leave the index as it was.

Any fault makes the exit code 1.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rag import wiring
from rag.errors import WhosaysError
from rag.records import Hit
from rag.settings import EmbeddingSettings, PassageSettings, Settings
from rag.store.local import LocalStore
from rag.wiring import open_retriever, open_store

if TYPE_CHECKING:
    from rag.protocols import Vectors

ROOT = Path(__file__).resolve().parent.parent.parent
CACHE = os.environ.get("WHOSAYS_EMBEDDING__CACHE", EmbeddingSettings.cache)
TOKENS = 24  # a sentence a passage, so that small files hold many
SIZE_OF_PASSAGES = {"WHOSAYS_PASSAGES__TOKENS": str(TOKENS), "WHOSAYS_PASSAGES__OVERLAP": "1"}
DONE = re.compile(r"^indexed (.+) \(\d[\d,]* of ", re.MULTILINE)
PATIENCE = 120.0  # seconds that a run may take
MOMENTS = ("time", "time", "writing", "line", "end")
"""A kill comes anywhere in the run, after it first writes, after a source that it reports, or after the last one."""

Texts = Mapping[str, str]


# ---- the documents ----------------------------------------------------------------------------------------------


def document(number: int, edition: int, sentences: int) -> str:
    """A document's text: one sentence of its own, then such as others have too, which need embedding only once."""
    chosen = random.Random(number)
    keeper = "Q" + "".join("aeiouxyzvw"[int(digit)] for digit in f"{number * 7 + edition * 1000:04}")
    lines = [f"Log {number} of edition {edition} was kept by keeper {keeper}."]
    for _ in range(sentences - 1):
        ship = chosen.randrange(150)
        lines.append(f"Ship {ship} sails from port {ship * 7 % 31} with {ship * 3 % 17} tons of salt.")
    return "\n".join(lines) + "\n"


def states(files: int, sentences: int) -> list[Texts]:
    """Six states of a folder: all there, some changed, some gone, both."""

    def state(changed: Callable[[int], bool], gone: Callable[[int], bool]) -> Texts:
        return {f"{n:02}.txt": document(n, int(changed(n)), sentences) for n in range(files) if not gone(n)}

    def never(_: int) -> bool:
        return False

    return [
        state(never, never),
        state(lambda n: n % 3 == 0, never),
        state(lambda n: n % 3 == 1, never),
        state(never, lambda n: n % 4 == 0),
        state(lambda n: n % 3 == 0, lambda n: n % 4 == 1),
        state(lambda n: n % 2 == 0, lambda n: n % 4 in (1, 2)),
    ]


class Hashed:
    """An embedder whose vectors are drawn by the hash of the text."""

    name, digest, dimension = "hashed", "hashed", 384

    def embed(self, texts: Sequence[str]) -> Vectors:
        """A unit vector a text."""
        seeds = (int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") for text in texts)
        drawn = np.stack([np.random.default_rng(seed).standard_normal(self.dimension) for seed in seeds])
        return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)

    def embed_question(self, question: str) -> Vectors:
        """The question's vector."""
        vector: Vectors = self.embed([question])[0]
        return vector

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """As many as there are words."""
        return [len(text.split()) for text in texts]


def embed_by(embedding: str) -> None:
    """Have this process and the commands in it embed by the model or by hashing."""
    if embedding == "hashed":
        for name in ("open_embedder", "_question_embedder"):
            setattr(wiring, name, lambda _: Hashed())


# ---- processes --------------------------------------------------------------------------------------------------


class Forks:
    """A process that has imported everything and forks one child for each command, in which it runs."""

    def __init__(self, embedding: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.endurance", "forks", "--embedding", embedding],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1", **SIZE_OF_PASSAGES},
        )

    def start(self, arguments: Sequence[str], log: Path) -> int:
        """Start a command, whose output goes to `log`; gives its process."""
        return self._told(json.dumps([list(arguments), str(log)]) + "\n")

    def end(self) -> int:
        """Wait for the command; its exit code, or minus the signal that ended it."""
        return self._told("")

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(PATIENCE)

    def _told(self, command: str) -> int:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(command)
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


def fork_each() -> None:
    """Read commands from standard input; for each write the process that runs it, and then its status."""
    import faiss
    import tokenizers

    import rag.indexing
    import rag.store.writer
    from rag.backends.openvino_engine import the_library
    from rag.wiring import parsers
    from service import cli
    from service.advance import Advance
    from service.render import Page

    assert all((faiss, tokenizers, rag.indexing, rag.store.writer, the_library(), parsers(), Page))
    Advance.FIRST_LINES = 1_000_000  # every source is reported, not only the first
    for line in sys.stdin:
        arguments, log = json.loads(line)
        child = os.fork()
        if child == 0:
            output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            for stream in (1, 2):
                os.dup2(output, stream)
            code = cli.main(arguments)
            sys.stdout.flush()
            os._exit(code)
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


# ---- one folder of documents and its index ----------------------------------------------------------------------


@dataclass
class Tally:
    """What was done to one kind of change."""

    moments: Counter[str] = field(default_factory=Counter)
    reported: int = 0
    faults: int = 0


class World:
    """A folder of documents, its index, and what an index made afresh would be."""

    def __init__(self, folder: Path, files: int, sentences: int, forks: Forks) -> None:
        self.folder = folder
        self.documents = folder / "documents"
        self.index = folder / "index"
        self.states = states(files, sentences)
        self.length: dict[str, float] = {}
        self.unborn = False
        self.wrote = False
        self._forks = forks
        self._store: LocalStore | None = None
        self._retriever = open_retriever(self.settings(self.index))
        self._fresh = []
        for number, state in enumerate(self.states):
            self.write(state)
            index = folder / f"fresh {number}"
            self.run("index", "", 0.0, index)
            store = open_store(self.settings(index))
            assert len(store.sources()) == len(state), self.log()
            kinds = Counter(path.suffix for path in index.iterdir())
            self._fresh.append((store.generation, store.passage_count, kinds))

    def settings(self, index: Path) -> Settings:
        """The settings with which an index of this world is written and read."""
        return Settings(
            index=str(index),
            embedding=EmbeddingSettings(cache=CACHE),
            passages=PassageSettings(tokens=TOKENS, overlap=1),
        )

    def write(self, state: Texts) -> None:
        """Bring the folder of documents into a state."""
        self.documents.mkdir(parents=True, exist_ok=True)
        for path in self.documents.iterdir():
            if path.name not in state:
                path.unlink()
        for name, text in state.items():
            (self.documents / name).write_text(text)

    def log(self) -> str:
        """What the last run wrote."""
        return (self.folder / "log").read_text() if (self.folder / "log").exists() else ""

    def reported(self) -> list[str]:
        """The sources that the last run reported done."""
        return DONE.findall(self.log())

    def run(self, kind: str, moment: str, share: float, index: Path, lines: int = 0) -> int:
        """Run `whosays index`, killed at a moment unless that is ""; the exit code, or minus the signal."""
        (self.folder / "log").unlink(missing_ok=True)
        untouched = _touched(index)
        begun = time.monotonic()
        process = self._forks.start(["index", str(self.documents), "--index", str(index)], self.folder / "log")
        if moment:
            self._wait(process, kind, moment, share, index, lines)
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        code = self._forks.end()
        self.wrote = _touched(index) != untouched
        if not moment:
            self.length[kind] = time.monotonic() - begun
        return code

    def _wait(self, process: int, kind: str, moment: str, share: float, index: Path, lines: int) -> None:
        """Until the moment has come, or the process has ended."""
        length = self.length.get(kind, self.length["index"]) * 1.05
        begun = time.monotonic()
        until = begun + share * length
        untouched = _touched(index)
        came = moment == "time"
        while time.monotonic() < (until if came else begun + PATIENCE) and _runs(process):
            if not came:
                if moment == "writing":
                    came = _touched(index) != untouched
                else:
                    came = len(self.reported()) >= (lines if moment == "end" else max(1, round(share * lines)))
                # A line comes before the next source is begun, and little is left to do after the last.
                width = {"writing": length / 2, "line": length / 20, "end": length / 5}[moment]
                until = time.monotonic() + random.Random(share).random() * width
            time.sleep(0.001)

    # ---- what must hold ------------------------------------------------------------------------------------

    def texts(self) -> dict[str, str]:
        """Every source of the index with its text; empty where there is no index yet."""
        if not (self.index / "index.sqlite").exists():
            return {}
        store = open_store(self.settings(self.index))
        return {source.name: store.source(source.name).text for source in store.sources()}

    def faults(self, before: Texts, wanted: Texts, reported: Sequence[str], ended: bool) -> list[str]:
        """What is wrong with the index after a run that was to bring it from `before` to `wanted`."""
        self.unborn = False
        try:
            after = self.texts()
            return [*wrong_texts(before, wanted, after, reported, ended), *self._wrong_hits(after, reported)]
        except WhosaysError as error:
            # Killed before its first transaction, a run has made nothing that could be opened, and promised nothing.
            self.unborn = not before and not reported and not ended
            if self.unborn and error.code in ("index_missing", "index_damaged"):
                return []
            return [f"{error.code}: {error.message}"]

    def _wrong_hits(self, after: Texts, reported: Sequence[str]) -> Iterator[str]:
        """Where a search by an asker that was there all the time finds what the sources do not say."""
        if not after:
            return
        if self._store is None:
            self._store = open_store(self.settings(self.index))
        name = reported[-1] if reported else min(after)
        own = after[name].partition("\n")[0]
        hits = self._search(self._store, own)
        for hit in hits:
            passage = hit.passage
            if after.get(passage.source, "")[passage.start : passage.end] != passage.text:
                yield f"a hit in {passage.source} is not what stands there: {passage.text!r}"
        if not any(own in hit.passage.text for hit in hits):
            yield f"{name} is not found by its own words: {own!r}"

    def _search(self, store: LocalStore, question: str) -> list[Hit]:
        with store.snapshot() as snapshot:
            return self._retriever.retrieve(question, snapshot, top_k=50)

    def complete(self, number: int) -> list[str]:
        """Run to the end; what differs from an index made afresh."""
        code = self.run("again", "", 0.0, self.index)
        if code != 0:
            return [f"the run to the end gave {code}: {self.log()[-300:]}"]
        faults = self.faults({}, self.states[number], self.reported(), ended=True)
        store = open_store(self.settings(self.index))
        generation, passages, kinds = self._fresh[number]
        if (store.generation, store.passage_count) != (generation, passages):
            faults.append("the run to the end did not give the generation of an index made afresh")
        left = Counter(path.suffix for path in self.index.iterdir()) - kinds
        faults += [f"{count} files {suffix} were left behind" for suffix, count in left.items()]
        return faults


def wrong_texts(before: Texts, wanted: Texts, after: Texts, reported: Sequence[str], ended: bool) -> list[str]:
    """The sources that are neither as they were nor as they shall be, or were reported done and are not."""
    faults = [f"{name} was reported done and is not" for name in reported if after.get(name) != wanted.get(name)]
    for name in sorted({*before, *wanted, *after} - set(reported)):
        may_be = (wanted.get(name),) if ended else (before.get(name), wanted.get(name))
        if after.get(name) not in may_be:
            faults.append(f"{name} is neither in its old nor in its new state")
    return faults


def _runs(process: int) -> bool:
    """Whether a process runs: one that has ended and is not yet waited for does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _touched(index: Path) -> dict[str, int]:
    """When each file of SQLite was last written."""
    times = {}
    for path in index.glob("index.sqlite*"):
        with suppress(FileNotFoundError):  # one that is being put in place
            times[path.name] = path.stat().st_mtime_ns
    return {name: changed for name, changed in times.items() if not name.endswith("-shm")}


def kind_of(before: Texts, wanted: Texts) -> str:
    """What the change from one state to another is called."""
    if not before:
        return "index"
    written = any(before.get(name) != text for name, text in wanted.items())
    removed = any(name not in wanted for name in before)
    return "update, remove" if written and removed else "update" if written else "remove" if removed else "nothing"


# ---- kills ------------------------------------------------------------------------------------------------------


@contextmanager
def worlds(folder: Path, sizes: Mapping[str, tuple[int, int]], embedding: str = "model") -> Iterator[dict[str, World]]:
    """Worlds of so many files and sentences a file, with one process that forks for all."""
    embed_by(embedding)
    forks = Forks(embedding)
    try:
        yield {name: World(folder / name, files, sentences, forks) for name, (files, sentences) in sizes.items()}
    finally:
        forks.close()


def kill_once(world: World, chance: random.Random, tallies: dict[str, Tally]) -> list[str]:
    """Change the documents, kill the run that indexes them, and look; at times then complete it."""
    if chance.random() < 0.2:
        shutil.rmtree(world.index, ignore_errors=True)
    before = world.texts()
    number = chance.choice([n for n, state in enumerate(world.states) if state != before])
    wanted = world.states[number]
    world.write(wanted)
    kind = kind_of(before, wanted)
    tally = tallies.setdefault(kind, Tally())
    lines = sum(before.get(name) != text for name, text in wanted.items())
    moment = chance.choice(MOMENTS if lines else ("time", "writing"))
    code = world.run(kind, moment, chance.random(), world.index, lines)
    reported = world.reported()
    if code == 0:
        stage = "ended before"
    elif code != -signal.SIGKILL:
        return [f"the run ended with {code}: {world.log()[-300:]}"]
    elif reported:
        stage = "after the last" if len(reported) == lines else "between sources"
    else:
        stage = "writing" if world.wrote else "starting"
    # So many runs end before the kill that kills come up to the end, however busy the machine is.
    world.length[kind] = world.length.get(kind, world.length["index"]) * (0.9 if code == 0 else 1.03)
    tally.moments[stage] += 1
    if any(world.index.glob("*.tmp")):
        tally.moments["in the file of vectors"] += 1
    tally.reported += len(reported)
    faults = world.faults(before, wanted, reported, ended=code == 0)
    tally.moments["before there was an index"] += world.unborn
    if not faults and (world.unborn or chance.random() < 0.6):
        faults = world.complete(number)
        tally.moments["completed"] += 1
    tally.faults += len(faults)
    if faults:
        kept = world.folder / f"fault {sum(t.moments.total() for t in tallies.values())}"
        shutil.copytree(world.index, kept, dirs_exist_ok=True)
        shutil.rmtree(world.index)
    return [f"{kind}, killed {stage} ({moment}): {fault}" for fault in faults]


SIZES = {"small": (24, 6), "large": (48, 50)}
STAGES = ("starting", "writing", "between sources", "after the last", "ended before")
ALSO = ("in the file of vectors", "before there was an index", "completed")


def kills(times: int, seed: int, embedding: str = "model", sizes: Mapping[str, tuple[int, int]] = SIZES) -> list[str]:
    """Kill that many runs and print what came of it; gives the faults."""
    chance = random.Random(seed)
    faults: list[str] = []
    tallies: dict[str, dict[str, Tally]] = {name: {} for name in sizes}
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="endurance-") as folder, worlds(Path(folder), sizes, embedding) as made:
        while killed(tallies) < times:
            name = chance.choice(sorted(made))
            found = kill_once(made[name], chance, tallies[name])
            faults += [f"{name}: {fault}" for fault in found]
            for fault in found:
                print(f"\n{name}: {fault}", file=sys.stderr)
            print(f"\r{killed(tallies)} killed, {len(faults)} faults", end="", file=sys.stderr, flush=True)
    print_table(tallies)
    print(f"{killed(tallies)} killed with seed {seed} in {time.monotonic() - begun:.0f} s: {len(faults)} faults")
    for fault in faults:
        print(f"  {fault}")
    return faults


def killed(tallies: Mapping[str, Mapping[str, Tally]]) -> int:
    """How many runs were killed before they had ended."""
    return sum(t.moments[stage] for of in tallies.values() for t in of.values() for stage in STAGES[:-1])


def print_table(tallies: Mapping[str, Mapping[str, Tally]]) -> None:
    """Write the kills of each kind of change, by where they met the run."""
    columns = (*STAGES, *ALSO, "reported done", "faults")
    print("\n| index | change |", " | ".join(columns), "|")
    print("|---|---|" + "---:|" * len(columns))
    for name, kinds in tallies.items():
        for kind, tally in sorted(kinds.items()):
            counts = [*(tally.moments[stage] for stage in (*STAGES, *ALSO)), tally.reported, tally.faults]
            print(f"| {name} | {kind} |", " | ".join(map(str, counts)), "|")


# ---- too little memory ------------------------------------------------------------------------------------------

EXPLAINED = re.compile(r"Error: .*memory.*\n.+\n\Z")
MEMORY_CODE = 4


def under_limit(arguments: Sequence[str], megabytes: int, folder: Path) -> subprocess.CompletedProcess[str]:
    """A command of `whosays` in so much address space, in a process of its own."""
    size = megabytes * 1_000_000

    return subprocess.run(
        [sys.executable, "-m", "service.cli", *arguments],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (size, size)),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "WHOSAYS_EMBEDDING__CACHE": CACHE, "XDG_STATE_HOME": str(folder)},
    )


def not_explained(done: subprocess.CompletedProcess[str]) -> str:
    """What is wrong with how a command ended under a limit; empty where it succeeded or said one clear thing."""
    told = "".join(line for line in done.stderr.splitlines(True) if not line.startswith("indexed "))
    if done.returncode == 0 or (done.returncode == MEMORY_CODE and EXPLAINED.fullmatch(told)):
        return ""
    return f"exit code {done.returncode}: {told[-300:]}"


def memory(step: int, most: int) -> list[str]:
    """Index and ask in ever more address space and print how each ended; gives the faults."""
    faults = []
    with tempfile.TemporaryDirectory(prefix="endurance-") as name, worlds(Path(name), {"one": SIZES["small"]}) as made:
        world = made["one"]
        world.run("index", "", 0.0, world.index)
        for megabytes in range(step, most + 1, step):
            for command in (["index", str(world.documents)], ["ask", "Where does ship 7 sail from?"]):
                before = world.texts()
                world.write(world.states[megabytes // step % len(world.states)])
                done = under_limit([*command, "--index", str(world.index)], megabytes, Path(name))
                wrong = not_explained(done)
                found = world.faults(before, dict(texts_in(world.documents)), DONE.findall(done.stderr), ended=False)
                faults += [f"{command[0]} in {megabytes} MB: {fault}" for fault in (wrong, *found) if fault]
                print(f"{command[0]:5} {megabytes:5} MB: {wrong or done.stderr.strip()[-200:] or 'done'}", flush=True)
    return faults


def texts_in(folder: Path) -> Iterator[tuple[str, str]]:
    """Every document of a folder with its text."""
    return ((path.name, path.read_text()) for path in folder.iterdir())


def main() -> int:
    """Run what the arguments name; 1 where there was a fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    chosen = parser.add_subparsers(dest="command", required=True)
    options = chosen.add_parser("kills")
    options.add_argument("--times", type=int, default=500)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--embedding", choices=("model", "hashed"), default="model")
    options = chosen.add_parser("memory")
    options.add_argument("--step", type=int, default=100)
    options.add_argument("--most", type=int, default=1600)
    options = chosen.add_parser("forks")
    options.add_argument("--embedding")
    given = parser.parse_args()
    if given.command == "forks":
        embed_by(given.embedding)
        fork_each()
        return 0
    if given.command == "memory":
        return 1 if memory(given.step, given.most) else 0
    return 1 if kills(given.times, given.seed, given.embedding) else 0


if __name__ == "__main__":
    sys.exit(main())
