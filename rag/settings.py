"""One typed, frozen Settings: defaults < `whosays.toml` < environment < flags."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, is_dataclass, replace
from pathlib import Path
from typing import Any, cast, get_type_hints

from rag.errors import BadSettings


@dataclass(frozen=True)
class EmbeddingSettings:
    """The embedding model: a sentence-transformers model by name or folder, and where its converted form is kept.

    It computes in `precision` "bf16" or "f32", with so many texts under way in `streams`; "auto" and 0 are what is
    measured to be fastest, once on each machine.
    """

    model: str = "sentence-transformers/all-MiniLM-L6-v2"
    cache: str = "~/.cache/whosays"
    precision: str = "auto"
    streams: int = 0


@dataclass(frozen=True)
class StoreSettings:
    """Where the passages are: "" for the index's folder, `milvus:FILE.db` for a file of Milvus Lite, or the address of
    a Milvus server, `http://HOST:19530`.

    A server's token and database come from the environment, `MILVUS_TOKEN` and `MILVUS_DATABASE`.
    """

    uri: str = ""


@dataclass(frozen=True)
class PassageSettings:
    """How sources are cut; sizes in the embedding model's tokens, file size in megabytes."""

    tokens: int = 200
    overlap: int = 40
    max_file_mb: int = 50


@dataclass(frozen=True)
class SearchSettings:
    """How many passages each search gives, and how many are read; `per_source` bounds one source's share.

    `memory_mb` is what the vector index may take, in megabytes: where it would take more, its vectors are stored more
    coarsely. It counts when an index is written.
    """

    candidates: int = 50
    top_k: int = 8
    per_source: int = 3
    memory_mb: int = 1000


@dataclass(frozen=True)
class AnswerSettings:
    """How the answer is made; below `threshold` the sources are said not to say.

    What a language model says and the sources do not is withheld; with `unsupported = "flag"` it is shown and marked.
    """

    threshold: float = 0.15
    max_question: int = 4000
    max_sentences: int = 4
    unsupported: str = "withhold"


@dataclass(frozen=True)
class LanguageSettings:
    """How a language model is reached and asked.

    `timeout` is in seconds without a new piece of the reply, `context` in tokens (0: what the model states of itself),
    and `retries` counts further tries where a server turns the question away or cannot be reached.
    """

    base_url: str = ""
    timeout: float = 60.0
    retries: int = 3
    context: int = 0
    max_tokens: int = 800
    history: int = 1000


@dataclass(frozen=True)
class ServiceSettings:
    """The HTTP door; `processes` share it, in each `workers` questions are answered at a time and `queue` may wait.

    `models` names the models that askers may choose besides the one of the settings, separated by commas. An answer
    takes at most `timeout` seconds. `keys` is the file of keys ("": in the index's folder), `require_keys` is "auto"
    (where the host is not this machine alone) or "always". Where keys are required, each may ask `key_rate` times and
    each address `address_rate` times a minute (0: without limit). Uploads have at most `max_upload_mb` megabytes and
    are read with `parse_seconds` of processor time and `parse_mb` of memory. `log_questions` is "no" or "yes".
    """

    host: str = "127.0.0.1"
    port: int = 8000
    processes: int = 1
    workers: int = 2
    queue: int = 16
    timeout: float = 60.0
    models: str = ""
    keys: str = ""
    require_keys: str = "auto"
    key_rate: int = 120
    address_rate: int = 240
    max_upload_mb: int = 50
    parse_seconds: int = 30
    parse_mb: int = 1000
    log_questions: str = "no"


@dataclass(frozen=True)
class Settings:
    """All settings; `index` is the index's folder, `model` what composes the answer.

    Where the passages are in Milvus, the folder holds keys and uploaded documents alone.
    Where that model fails, `fallback = "builtin"` answers without it.
    """

    index: str = ".whosays"
    model: str = "builtin"
    fallback: str = ""
    log_level: str = "warning"
    embedding: EmbeddingSettings = field(default_factory=EmbeddingSettings)
    store: StoreSettings = field(default_factory=StoreSettings)
    passages: PassageSettings = field(default_factory=PassageSettings)
    search: SearchSettings = field(default_factory=SearchSettings)
    answer: AnswerSettings = field(default_factory=AnswerSettings)
    language: LanguageSettings = field(default_factory=LanguageSettings)
    service: ServiceSettings = field(default_factory=ServiceSettings)

    def to_json(self) -> dict[str, Any]:
        """The settings as plain nested dictionaries."""
        return asdict(self)


ZERO_IS_FINE = (
    "embedding.streams",
    "passages.overlap",
    "service.port",
    "service.queue",
    "service.key_rate",
    "service.address_rate",
    "language.retries",
    "language.context",
    "language.history",
)
PREFIX = "WHOSAYS_"


def load_settings(
    environ: Mapping[str, str], folder: Path | None = None, flags: Mapping[str, Any] | None = None
) -> Settings:
    """The settings in force: defaults, then `whosays.toml` in `folder`, then the environment, then flags.

    Environment variables are `WHOSAYS_INDEX`, `WHOSAYS_SEARCH__TOP_K`: two underscores part section and name.
    Flags are dotted names (`"search.top_k"`); those that are None are left out. Raises BadSettings.
    """
    settings = Settings()
    path = (folder or Path()) / "whosays.toml"
    if path.is_file():
        for name, value in _flat(_read_toml(path)).items():
            settings = _with(settings, name, value, f"{path}")
    for variable, text in environ.items():
        if variable.startswith(PREFIX):
            name = variable.removeprefix(PREFIX).lower().replace("__", ".")
            settings = _with(settings, name, text, f"the environment variable {variable}")
    for name, value in (flags or {}).items():
        if value is not None:
            settings = _with(settings, name, value, f"--{name.rpartition('.')[2].replace('_', '-')}")
    return settings


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise BadSettings(f"{path} cannot be read: {error}.", hint="Mend the file or remove it.") from error


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in table.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat


def _with(settings: Settings, name: str, value: Any, place: str) -> Settings:
    """The settings with one of them changed; `place` says in an error where the value came from."""
    section, _, leaf = name.rpartition(".")
    holder: Any = getattr(settings, section, None) if section else settings
    if leaf not in getattr(holder, "__dataclass_fields__", {}) or is_dataclass(getattr(holder, leaf)):
        raise BadSettings(f"{place} names the setting {name!r}, which does not exist.", hint=_known_names())
    kind = get_type_hints(type(holder))[leaf]
    changed: Any = replace(holder, **{leaf: _coerced(value, kind, name, place)})
    whole: Any = replace(settings, **{section: changed}) if section else changed
    return cast(Settings, whole)


def _coerced(value: Any, kind: type, name: str, place: str) -> Any:
    """The value in the setting's type; a text from the environment may spell a number."""
    least = 0 if name in ZERO_IS_FINE else 1
    wanted = {int: f"a whole number, {least} or more", float: "a number, 0 or more", str: "a text"}[kind]
    refused = BadSettings(f"{place} sets {name} to {value!r}, but it takes {wanted}.", hint="Correct the value.")
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise refused
    if kind is str:
        if not isinstance(value, str):
            raise refused
        return value
    try:
        number = float(value)
        coerced = kind(value)
    except (ValueError, OverflowError):
        raise refused from None
    if not 0 <= number < float("inf") or coerced != number or (kind is int and number < least):
        raise refused
    return coerced


def _known_names() -> str:
    names = sorted(_flat(Settings().to_json()))
    return "Settings are: " + ", ".join(names) + "."
