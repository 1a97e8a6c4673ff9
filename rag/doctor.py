"""What is wrong with an installation, its models and its index, and how to mend it."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from rag.answering import BUILTIN
from rag.errors import WhosaysError
from rag.protocols import Store
from rag.records import Check
from rag.settings import Settings
from rag.store.local import LocalStore
from rag.wiring import embedding_pace, open_embedder, open_language_model, open_reader, open_store


def check_up(settings: Settings) -> list[Check]:
    """What the doctor looks at: versions, packages, embedding model, index."""
    checks = [Check("python", True, platform.python_version()), *_packages()]
    try:
        embedder = open_embedder(settings)
        checks.append(Check("embedding model", True, f"{embedder.name} ({embedder.digest[:12]})"))
        checks.append(Check("embedding pace", True, embedding_pace(settings)))
    except WhosaysError as error:
        checks.append(Check("embedding model", False, error.message, error.hint))
    try:
        checks.append(Check("reader", True, f"the shipped weights ({open_reader(settings).digest[:12]})"))
    except WhosaysError as error:
        checks.append(Check("reader", False, error.message, error.hint))
    try:
        store = open_store(settings)
        count = len(store.names())
        detail = f"{settings.store.uri or settings.index}: {count} sources, {store.passage_count} passages"
        checks.append(Check("index", count > 0, detail, "" if count else "whosays index PATH"))
        checks += _vectors_check(store)
    except WhosaysError as error:
        checks.append(Check("index", False, error.message, error.hint))
    checks.append(_model_check(settings))
    return checks


def _vectors_check(store: Store) -> list[Check]:
    """What kind of vector index is in use and how well it finds the nearest, where one was written."""
    written = store.vector_index() if isinstance(store, LocalStore) else None
    if written is None:
        return []
    card = written.card
    cells = f", {card.cells} cells searched" if card.cells else ""
    detail = f"{card.kind}, {written.megabytes:.0f} MB{cells}, recall@10 {card.recall:.3f} of comparing all"
    hint = "Give the vectors more room (search.memory_mb) and index again with --rebuild."
    return [Check("vectors", written.sound, detail, "" if written.sound else hint)]


def _model_check(settings: Settings) -> Check:
    """Whether the model that the settings name can be asked."""
    if settings.model == BUILTIN:
        return Check("model", True, BUILTIN)
    try:
        model = open_language_model(settings)
        probe = getattr(model, "probe", None)
        detail = probe() if probe else f"{model.name}, which needs nothing"
    except WhosaysError as error:
        return Check("model", False, error.message, error.hint)
    return Check("model", True, detail)


def _packages() -> list[Check]:
    extras = {"trafilatura": "HTML", "pypdfium2": "PDF", "python-docx": "DOCX", "charset-normalizer": "old encodings"}
    needed = ("whosays", "openvino", "faiss-cpu", "sentence-transformers", "torch", "llama-index-core")
    checks = []
    for name in (*needed, *extras):
        try:
            checks.append(Check(name, True, version(name)))
        except PackageNotFoundError:
            use = f"not installed; needed for {extras[name]}" if name in extras else "not installed"
            checks.append(
                Check(name, False, use, 'pip install "whosays[documents]"' if name in extras else f"pip install {name}")
            )
    return checks
