"""OpenVINO's engine: a compiled model, its checked cache, and how it computes."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rag.digests import file_digest
from rag.errors import BackendMissing, MemoryTooSmall, ModelDamaged
from rag.probe import Way
from rag.processor import computes_in_bf16, cores_granted

CONVERTER = "openvino.tools.ovc"
# What OpenVINO's errors say of memory, or of threads, which need some.
WANTS_MEMORY = ("bad_alloc", "Cannot allocate memory", "can't alloc", "Resource temporarily unavailable")
SEAL = ".xxh3"  # a file beside compiled code that holds its digest
# OpenVINO sets the locale of the process while it reads a model, and back: two at a time leave it set, and what Python
# then opens without naming an encoding is read as ASCII.
_ONE_AT_A_TIME = threading.Lock()


def by_flags() -> Way:
    """The way to compute that the processor's flags suggest.

    Measured: bf16 is three times as fast as float32 with AMX and 1.8 times with AVX512-BF16 (cosine 0.9999), and a
    third slower without either.
    """
    return Way("bf16" if computes_in_bf16() else "f32")


def openvino_version() -> str:
    """The version of the library, with its build."""
    return str(the_library().__version__)


class Engine:
    """A compiled model with a queue for each run at a time; `hint` is for the least latency or the most throughput."""

    def __init__(self, model: Path, compiled: Path, hint: str, way: Callable[[str], Way] | None = None) -> None:
        openvino = the_library()
        chosen = way(openvino.__version__) if way else by_flags()
        code = compiled / chosen.precision
        options: dict[str, Any] = {
            "PERFORMANCE_HINT": hint,
            "INFERENCE_PRECISION_HINT": chosen.precision,
            # Several processes, a run's workers or the service's, would each pin their threads to the same cores.
            "ENABLE_CPU_PINNING": False,
        }
        if _all_sealed(code):
            options["CACHE_DIR"] = str(code)
            options["CACHE_MODE"] = "OPTIMIZE_SIZE"  # the weights stay in the model's file, and are mapped from there
        if chosen.streams and hint == "THROUGHPUT":
            options["NUM_STREAMS"] = chosen.streams
        if (cores := cores_granted()) < (os.cpu_count() or 1):  # OpenVINO does not see a control group's quota
            options["INFERENCE_NUM_THREADS"] = cores
        try:
            with _ONE_AT_A_TIME:
                self._model = openvino.Core().compile_model(model, "CPU", options)
                # The first look into a tensor fills a table; two threads at it at once wait for each other for ever.
                _ = openvino.Tensor(np.zeros(1, dtype=np.float32)).data
        except (RuntimeError, MemoryError) as error:
            raise (_memory_too_small(model) if _wants_memory(error) else damaged(model.parent)) from error
        _seal(code)
        self._file = model
        self._idle: list[Any] = []
        self._queue_class = openvino.AsyncInferQueue

    def run(
        self, batches: Sequence[tuple[dict[str, Any], list[int]]], keep: Callable[[Sequence[Any], list[int]], None]
    ) -> None:
        """Run batches of (inputs, rows) on a queue of their own; `keep` gets the outputs of each with its rows."""

        def done(request: Any, rows: list[int]) -> None:
            keep([tensor.data for tensor in request.output_tensors], rows)

        # A queue that went with its thread could end the program where that thread is the last to go.
        try:
            queue = self._idle.pop()
        except IndexError:
            queue = self._queue_class(self._model)
        queue.set_callback(done)
        try:
            for inputs, rows in batches:
                queue.start_async(inputs, rows)
            queue.wait_all()
        except (RuntimeError, MemoryError) as error:
            if _wants_memory(error):
                raise _memory_too_small(self._file) from error
            raise
        self._idle.append(queue)  # one that Ctrl-C left busy is not used again


def _all_sealed(compiled: Path) -> bool:
    """Whether all compiled code in a folder is what was written; what is not is removed, where that can be done.

    OpenVINO takes what it finds there for granted.
    """
    for blob in compiled.glob("*.blob"):
        try:
            same = blob.with_suffix(SEAL).read_text("ascii") == file_digest(blob)
        except (OSError, ValueError):
            same = False
        try:
            if not same:
                blob.unlink(missing_ok=True)
                blob.with_suffix(SEAL).unlink(missing_ok=True)
        except OSError:
            return False
    return True


def _seal(compiled: Path) -> None:
    """Write down the digests of new compiled code; where that cannot be done, it is compiled again next time."""
    for blob in compiled.glob("*.blob"):
        seal = blob.with_suffix(SEAL)
        try:
            # OpenVINO takes the right to write away when it is done: another process may be writing this one.
            if not seal.exists() and not blob.stat().st_mode & 0o200:
                temporary = seal.with_suffix(f".{os.getpid()}.tmp")
                temporary.write_text(file_digest(blob), "ascii")
                temporary.replace(seal)
        except OSError:
            continue


def the_library() -> Any:
    """The library without its model converter, whose import costs as much as all the rest."""
    # OpenVINO reports its use over the network when it finds this package; None makes it "not installed".
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    with _ONE_AT_A_TIME:
        left_out = CONVERTER not in sys.modules
        if left_out:
            sys.modules[CONVERTER] = None  # type: ignore[assignment]
        try:
            import openvino
        except ModuleNotFoundError as missing:
            raise BackendMissing(f"Models need {missing.name}.", hint=f"pip install {missing.name}") from missing
        finally:
            if left_out:
                del sys.modules[CONVERTER]
    return openvino


def damaged(folder: Path) -> ModelDamaged:
    """The error for a converted model that is not what was written."""
    return ModelDamaged(
        f"The converted model in {folder} cannot be read.", hint=f"Remove the folder; it is made anew: {folder}"
    )


def _wants_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError) or any(words in str(error) for words in WANTS_MEMORY)


def _memory_too_small(model: Path) -> MemoryTooSmall:
    return MemoryTooSmall(
        f"There is not enough memory to run the model {model}.",
        hint="Close other programs, or let this one use more (ulimit -v, or the container's limit).",
    )
