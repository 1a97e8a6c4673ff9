"""OpenVINO: embeds texts with a converted model, on the CPU, without torch."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rag.errors import BackendMissing, ModelDamaged

if TYPE_CHECKING:
    from rag.protocols import Vectors

BATCH = 8  # measured: small batches of like length waste the least on padding


class OpenVinoEmbedder:
    """The converted model that lies in `folder`; compiled code is kept in `compiled`. Safe for several threads."""

    def __init__(self, folder: Path, compiled: Path) -> None:
        # OpenVINO reports its use over the network when it finds this package; None makes it "not installed".
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
        try:
            import openvino
            from tokenizers import Tokenizer
        except ModuleNotFoundError as missing:
            raise BackendMissing(f"Embedding needs {missing.name}.", hint=f"pip install {missing.name}") from missing
        try:
            card = json.loads((folder / "embedder.json").read_text("utf-8"))
            self._tokenizer_file = str(folder / "tokenizer.json")
            self._tokenizer = Tokenizer.from_file(self._tokenizer_file)
        except Exception as error:  # the tokenizer's reader raises nothing more exact
            raise ModelDamaged(
                f"The converted model in {folder} cannot be read.", hint=f"Remove the folder; it is made anew: {folder}"
            ) from error
        self.name: str = card["name"]
        self.digest: str = card["digest"]
        self.dimension: int = card["dimension"]
        self._prompts: dict[str, str] = card["prompts"]
        self._pad_id: int = card["pad_id"]
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(card["max_tokens"])
        core = openvino.Core()
        # Measured: bf16 is three times as fast as float32 with AMX (cosine 0.9999), and a third slower without.
        precision = "bf16" if _has_amx() else "f32"
        options = {
            "PERFORMANCE_HINT": "THROUGHPUT",
            "INFERENCE_PRECISION_HINT": precision,
            "CACHE_DIR": str(compiled / precision),
        }
        try:
            self._model = core.compile_model(folder / "model.xml", "CPU", options)
        except RuntimeError as error:
            raise ModelDamaged(
                f"The converted model in {folder} does not load.", hint=f"Remove the folder; it is made anew: {folder}"
            ) from error
        self._queues = threading.local()
        self._queue_class = openvino.AsyncInferQueue

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One unit vector a text, float32; texts longer than the model reads are cut."""
        prompt = self._prompts["passage"]
        encodings = self._tokenizer.encode_batch([prompt + text for text in texts])
        tokens = [encoding.ids for encoding in encodings]
        order = sorted(range(len(tokens)), key=lambda i: (-len(tokens[i]), tokens[i]))
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        batches = [order[start : start + BATCH] for start in range(0, len(order), BATCH)]
        self._fill(vectors, [([tokens[i] for i in rows], rows) for rows in batches])
        return vectors

    def embed_question(self, question: str) -> Vectors:
        """The question's unit vector, with the model's prompt for questions where it has one."""
        ids = self._tokenizer.encode(self._prompts["question"] + question).ids
        vectors = np.empty((1, self.dimension), dtype=np.float32)
        self._fill(vectors, [([ids], [0])])
        vector: Vectors = vectors[0]
        return vector

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, special tokens aside."""
        from tokenizers import Tokenizer

        counter = Tokenizer.from_file(self._tokenizer_file)
        counter.no_truncation()
        counter.no_padding()
        return [len(encoding.ids) for encoding in counter.encode_batch(list(texts), add_special_tokens=False)]

    def _fill(self, vectors: Vectors, batches: Sequence[tuple[list[list[int]], list[int]]]) -> None:
        """Fill rows of `vectors` from batches of (tokens, rows), on this thread's queue of two streams."""

        def keep(request: Any, rows: list[int]) -> None:
            vectors[rows] = request.get_output_tensor(0).data

        if not hasattr(self._queues, "queue"):
            self._queues.queue = self._queue_class(self._model)
        queue = self._queues.queue
        try:
            queue.set_callback(keep)
            for tokens, rows in batches:
                queue.start_async(self._inputs(tokens), rows)
            queue.wait_all()
        except BaseException:
            del self._queues.queue  # Ctrl-C leaves its requests busy for ever
            raise

    def _inputs(self, tokens: Sequence[Sequence[int]]) -> dict[str, Any]:
        width = max(len(ids) for ids in tokens)
        ids = np.full((len(tokens), width), self._pad_id, dtype=np.int64)
        mask = np.zeros((len(tokens), width), dtype=np.int64)
        for row, text in enumerate(tokens):
            ids[row, : len(text)] = text
            mask[row, : len(text)] = 1
        return {"input_ids": ids, "attention_mask": mask}


def _has_amx() -> bool:
    """Whether the processor multiplies bf16 matrices in hardware, as far as the system tells."""
    try:
        return "amx_bf16" in Path("/proc/cpuinfo").read_text("ascii", errors="replace")
    except OSError:
        return False
