"""What a run was made with: versions, settings, index, model, seed and machine, so that a figure can be made again."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from eval.intervals import SEED

PACKAGES = ("whosays", "openvino", "faiss-cpu", "numpy", "scipy", "ir-measures", "tokenizers", "llama-index-core")
"""The packages whose version can change an answer or a figure."""

CPU_INFO = Path("/proc/cpuinfo")


@dataclass(frozen=True, slots=True)
class Origin:
    """What a run was made with; `created` is a UTC time in ISO 8601.

    `gold` is the gold file's name and `gold_digest` the SHA-256 of its bytes; `chosen` says which of its cases were
    asked; `seed` is that of the resampling.
    """

    created: str
    gold: str
    gold_digest: str
    chosen: Mapping[str, Any]
    settings: Mapping[str, Any]
    generation: str
    model: str
    seed: int = SEED
    versions: Mapping[str, str] = field(default_factory=dict)
    machine: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The origin as plain dictionaries."""
        return asdict(self)


def digest(path: Path) -> str:
    """The SHA-256 of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def versions() -> dict[str, str]:
    """The versions of Python and of the packages that are installed of `PACKAGES`."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, Any]:
    """The processor's model, how many of its cores this program may use, and the operating system."""
    try:
        lines = CPU_INFO.read_text("utf-8").splitlines()
    except OSError:
        lines = []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "cpu": next(models, platform.processor() or platform.machine()),
        "cores": cores,
        "system": f"{platform.system()} {platform.machine()}",
    }
