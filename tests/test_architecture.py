"""The house: who may import whom, and where the heavy imports live. A module without a row fails."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("rag", "service", "eval")

# floor of every module; imports go to lower floors, or to the same floor where the comment says so
FLOORS = {
    "rag": 2,
    "rag.records": 1,
    "rag.errors": 1,
    "rag.cancel": 1,
    "rag.digests": 1,
    "rag.logs": 1,
    "rag.processor": 1,
    "rag.probe": 2,
    "rag.protocols": 2,
    "rag.settings": 2,
    "rag.dates": 2,
    "rag.figures": 2,
    "rag.values": 2,
    "rag.questions": 2,
    "rag.phrases": 2,
    "rag.headings": 2,
    "rag.deny": 2,
    "rag.relations": 2,
    "rag.roles": 2,
    "rag.subject": 2,
    "rag.split": 2,
    "rag.cite": 2,
    "rag.prompt": 2,
    "rag.replies": 2,
    "rag.instructions": 2,
    "rag.store": 2,
    "rag.store.log": 2,
    "rag.store.schema": 2,
    "rag.store.dense": 2,
    "rag.store.words": 2,
    "rag.store.local": 2,
    "rag.store.writer": 2,
    "rag.store.contents": 2,
    "rag.store.globs": 2,
    "rag.store.milvus": 2,
    "rag.store.milvus_server": 2,
    "rag.store.milvus_schema": 2,
    "rag.store.milvus_writer": 2,
    "rag.backends": 2,
    "rag.backends.openvino": 2,
    "rag.backends.openvino_engine": 2,
    "rag.backends.offline": 2,
    "rag.backends.sentence_transformers": 2,
    "rag.backends.llama_index": 2,
    "rag.backends.language_models": 2,
    "rag.backends.language_remote": 2,
    "rag.backends.language_local": 2,
    "rag.backends.language_errors": 2,
    "rag.backends.plain_text": 2,
    "rag.backends.html": 2,
    "rag.backends.pdf": 2,
    "rag.backends.word": 2,
    "rag.reader": 2,
    "rag.reader.corpora": 2,
    "rag.reader.alter": 2,
    "rag.reader.readings": 2,
    "rag.reader.claims": 2,
    "rag.reader.network": 2,
    "rag.reader.items": 2,
    "rag.reader.train": 2,
    "rag.reader.measure": 2,
    "rag.reader.export": 2,
    "rag.load": 3,
    "rag.retrieve": 3,
    "rag.amounts": 3,
    "rag.fits": 3,
    "rag.read": 3,
    "rag.weigh": 3,
    "rag.check": 3,
    "rag.generate": 3,
    "rag.compose": 3,
    "rag.converse": 3,
    "rag.prepare": 4,
    "rag.workers": 4,
    "rag.indexing": 4,
    "rag.answering": 4,
    "rag.wiring": 5,
    "rag.doctor": 5,
    "service": 6,
    "service.cli": 6,
    "service.index_command": 6,
    "service.options": 6,
    "service.repl": 6,
    "service.render": 6,
    "service.advance": 6,
    "service.naming": 6,
    "service.app": 6,
    "service.desk": 6,
    "service.envelope": 6,
    "service.guard": 6,
    "service.jobs": 6,
    "service.journal": 6,
    "service.keys": 6,
    "service.keys_command": 6,
    "service.limits": 6,
    "service.mcp": 6,
    "service.memory": 6,
    "service.metrics": 6,
    "service.pages": 6,
    "service.openai": 6,
    "service.parsing": 6,
    "service.sandbox": 6,
    "service.processes": 6,
    "service.traces": 6,
    "service.uploads": 6,
    "service.routes": 6,
    "service.schemas": 6,
    "service.problems": 6,
    "eval": 6,
    "eval.cases": 6,
    "eval.check_command": 6,
    "eval.calibration": 6,
    "eval.citations": 6,
    "eval.compare": 6,
    "eval.files": 6,
    "eval.gate": 6,
    "eval.measures": 6,
    "eval.provenance": 6,
    "eval.retrieval": 6,
    "eval.draft": 6,
    "eval.draft_command": 6,
    "eval.draft_grammar": 6,
    "eval.draft_model": 6,
    "eval.draft_questions": 6,
    "eval.draft_review": 6,
    "eval.metrics": 6,
    "eval.run": 6,
    "eval.report": 6,
    "eval.command": 6,
    "eval.intervals": 6,
    "eval.trace": 6,
    "eval.stages": 6,
    "eval.plots": 6,
    "eval.casebook": 6,
    "eval.html": 6,
    "eval.suites": 6,
    "eval.suites.__main__": 6,
    "eval.suites.beir": 6,
    "eval.suites.bench": 6,
    "eval.suites.bipia": 6,
    "eval.suites.claims": 6,
    "eval.suites.clapnq": 6,
    "eval.suites.command": 6,
    "eval.suites.corpus": 6,
    "eval.suites.data": 6,
    "eval.suites.figures": 6,
    "eval.suites.mtrag": 6,
    "eval.suites.multihop": 6,
    "eval.suites.neighbours": 6,
    "eval.suites.news": 6,
    "eval.suites.nq": 6,
    "eval.suites.published": 6,
    "eval.suites.ramdocs": 6,
    "eval.suites.rewriting": 6,
    "eval.suites.spans": 6,
    "eval.suites.squad": 6,
    "eval.suites.wice": 6,
}

# third-party packages and the only modules that may import them; the standard library is free
ROOMS = {
    "numpy": ("rag.store", "rag.backends", "rag.protocols", "rag.retrieve", "rag.reader", "eval"),
    "apsw": ("rag.store",),
    "xxhash": ("rag.digests",),
    "faiss": ("rag.store.dense",),
    "pymilvus": ("rag.store.milvus_server", "rag.store.milvus_schema"),
    "grpc": ("rag.store.milvus_server",),
    "openvino": ("rag.backends", "rag.reader.export"),
    "nncf": ("rag.reader.export",),
    "safetensors": ("rag.reader.export",),
    "tokenizers": ("rag.backends", "rag.reader"),
    "torch": ("rag.backends.sentence_transformers", "rag.backends.language_local", "rag.reader"),
    "transformers": ("rag.backends.sentence_transformers", "rag.backends.language_local", "rag.reader.network"),
    "sentence_transformers": ("rag.backends.sentence_transformers",),
    "huggingface_hub": ("rag.backends.sentence_transformers",),
    "llama_index": ("rag.backends",),
    "llama_cpp": ("rag.backends.language_local",),
    "ollama": ("rag.backends.language_remote",),
    "openai": ("rag.backends.language_remote",),
    "anthropic": ("rag.backends.language_remote",),
    "httpx": ("rag.backends.language_remote",),
    "trafilatura": ("rag.backends.html",),
    "pypdfium2": ("rag.backends.pdf",),
    "docx": ("rag.backends.word",),
    "ray": ("rag.workers",),
    "charset_normalizer": ("rag.backends.plain_text",),
    "sentencex": ("rag.split",),
    "Stemmer": ("rag.questions",),
    "fastapi": ("service",),
    "starlette": ("service",),
    "uvicorn": ("service",),
    "pydantic": ("service",),
    "prometheus_client": ("service.metrics",),
    "opentelemetry": ("service.traces",),
    "mcp": ("service.mcp",),
    "mcp_types": ("service.mcp",),
    "typer": ("service", "eval.command", "eval.check_command", "eval.draft_command"),
    "click": ("service", "eval.command"),
    "rich": (
        *("service", "eval.command", "eval.report", "eval.suites.command"),
        *("eval.check_command", "eval.draft_command", "eval.draft_review"),
    ),
    "ir_measures": ("eval.retrieval", "eval.suites.beir"),
    "scipy": ("eval.intervals",),
    "matplotlib": ("eval.plots",),
    "jinja2": ("eval.html",),
    "prompt_toolkit": ("service.repl", "eval.draft_command", "eval.draft_review"),
}

# what the doors may use of the house
DOORS_MAY_USE = {
    "rag.wiring", "rag.doctor", "rag.answering", "rag.indexing", "rag.records", "rag.errors", "rag.cancel",
    "rag.settings", "rag.logs", "rag.retrieve", "rag.values",
}  # fmt: skip

# a suite that measures a pure step by itself, with nothing to wire
MEASURED_ALONE = {
    "eval.suites.rewriting": {"rag.converse", "rag.questions"},
    "eval.draft": {"rag.questions", "rag.split"},  # reads documents as indexing does
    "eval.draft_command": {"rag.load"},
    "eval.draft_model": {"rag.protocols"},
}


def modules() -> dict[str, Path]:
    """Every module of the project by its dotted name."""
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(path: Path) -> set[str]:
    """The dotted names that a file imports, wherever it does so; `from rag import compose` counts as rag.compose."""
    known = modules()
    names = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            below = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= (below & known.keys()) or {node.module}
    return names


def within(name: str, rooms: tuple[str, ...]) -> bool:
    return any(name == room or name.startswith(f"{room}.") for room in rooms)


def test_every_module_has_a_row_and_every_row_a_module() -> None:
    assert set(modules()) == set(FLOORS)


@pytest.mark.parametrize("name", sorted(FLOORS))
def test_no_import_runs_upward(name: str) -> None:
    upward = {other for other in imports(modules()[name]) if FLOORS.get(other, -1) > FLOORS[name]}
    assert upward == set()


def test_there_is_no_circle() -> None:
    graph = {name: {o for o in imports(path) if o in FLOORS and o != name} for name, path in modules().items()}
    while graph:
        leaves = {name for name, below in graph.items() if not below & graph.keys()}
        assert leaves, f"these modules import one another: {sorted(graph)}"
        graph = {name: below for name, below in graph.items() if name not in leaves}


@pytest.mark.parametrize("name", sorted(FLOORS))
def test_third_parties_stay_in_their_rooms(name: str) -> None:
    roots = {other.split(".")[0] for other in imports(modules()[name])}
    third = {root for root in roots if root not in sys.stdlib_module_names and root not in PACKAGES}
    assert {root for root in third if not within(name, ROOMS.get(root, ()))} == set()


def test_no_back_end_imports_another() -> None:
    for name, path in modules().items():
        if name.startswith("rag.backends."):
            # one back end in four files, and one in two
            family = next((start for start in ("language_", "openvino") if name[13:].startswith(start)), name[13:])
            others = {o for o in imports(path) if o.startswith("rag.backends.")}
            assert all(other[13:].startswith(family) for other in others), name


@pytest.mark.parametrize("name", sorted(n for n in FLOORS if FLOORS[n] == 6 and "." in n))
def test_doors_use_only_the_front_of_the_house(name: str) -> None:
    used = {other for other in imports(modules()[name]) if other.startswith("rag.")}
    assert used <= DOORS_MAY_USE | MEASURED_ALONE.get(name, set())
    other_door = "eval" if name.startswith("service") else "service"
    tie = {"eval.command"} if name == "service.cli" else set()  # the command line mounts the evaluation lazily
    assert {o for o in imports(modules()[name]) if o.split(".")[0] == other_door} <= tie


@pytest.mark.parametrize("path", sorted(modules().values()), ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_stay_short(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            assert (node.end_lineno or 0) - node.lineno < 60, f"{node.name} is too long"


HEAVY = {"torch", "transformers", "sentence_transformers", "llama_index", "faiss", "openvino", "fastapi"}


def loaded_by(code: str) -> set[str]:
    """The top-level modules that a fresh Python holds after running the code."""
    script = f"{code}\nimport sys\nprint('LOADED', *{{m.split('.')[0] for m in sys.modules}})"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True)
    return set(run.stdout.splitlines()[-1].split()[1:])


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("import rag", id="import rag"),
        pytest.param("import service.cli", id="import the command line"),
        pytest.param(
            "from service.cli import main\nimport sys\nsys.argv = ['whosays', '--help']\n"
            "try:\n    main()\nexcept SystemExit:\n    pass",
            id="whosays --help",
        ),
    ],
)
def test_a_cold_start_loads_nothing_heavy(code: str) -> None:
    assert loaded_by(code) & (HEAVY | {"numpy"}) == set()


def test_answering_with_the_built_in_model_loads_no_torch(seeds_index: Path) -> None:
    loaded = loaded_by(
        "from rag.settings import Settings\nfrom rag.wiring import open_answerer\n"
        f"answer = open_answerer(Settings(index={str(seeds_index)!r})).ask('Who founded Scale AI?')\n"
        "assert 'Wang' in answer.text, answer.text"
    )
    assert loaded & {"torch", "transformers", "sentence_transformers", "llama_index"} == set()
    assert "openvino" in loaded
