"""How the embedder computes fastest on this machine: measured once, kept in the cache, looked up from then on."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path

logger = logging.getLogger(__name__)

PRECISIONS = ("bf16", "f32")
CLEARLY = 1.05  # what is faster by less may be noise, and the first choice stays


@dataclass(frozen=True, slots=True)
class Way:
    """A way to compute: the numbers' precision, and how many texts are under way side by side (0: OpenVINO decides)."""

    precision: str
    streams: int = 0

    def __str__(self) -> str:
        return f"{self.precision}, {self.streams or 'automatic'} stream{'' if self.streams == 1 else 's'}"


@dataclass(frozen=True, slots=True)
class Machine:
    """All on which the fastest way depends."""

    processor: str
    cores: int
    openvino: str
    model: str


@dataclass(frozen=True, slots=True)
class Probed:
    """The fastest way, and the passages a second that each way gave."""

    way: Way
    rates: Mapping[str, float] = field(default_factory=dict)


def kept(folder: Path, machine: Machine) -> Probed | None:
    """What was measured on this machine; None where nothing was, or the file is damaged or of another machine."""
    try:
        record = json.loads(_file(folder, machine).read_text("utf-8"))
        if record["machine"] != asdict(machine):
            return None
        way = Way(record["precision"], record["streams"])
        rates = {str(name): float(rate) for name, rate in record["rates"].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    sound = way.precision in PRECISIONS and type(way.streams) is int and 0 <= way.streams <= machine.cores
    return Probed(way, rates) if sound else None


def keep(folder: Path, machine: Machine, probed: Probed) -> None:
    """Remember what was measured; a folder that cannot be written only costs time later."""
    record = {"machine": asdict(machine), **asdict(probed.way), "rates": dict(probed.rates)}
    path = _file(folder, machine)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=folder, suffix=".tmp", delete=False, encoding="utf-8") as file:
            json.dump(record, file, indent=2)
        Path(file.name).replace(path)
    except OSError as error:
        logger.warning("what was measured of this machine was not kept at %s: %s", path, error)


def probed(first: Way, cores: int, rate: Callable[[Way], float], precisions: Sequence[str] = PRECISIONS) -> Probed:
    """The fastest way by `rate`, which gives a way's passages a second; `first` stays unless another is clearly faster.

    First the precision is chosen, then the number of streams.
    """
    rates: dict[str, float] = {}
    best, most = first, 0.0
    for precision in (first.precision, *precisions):
        best, most = _better(Way(precision, first.streams), best, most, rates, rate)
    for streams in sorted({1, cores // 2, cores} - {0}):
        best, most = _better(Way(best.precision, streams), best, most, rates, rate)
    return Probed(best, rates)


def _better(
    way: Way, best: Way, most: float, rates: dict[str, float], rate: Callable[[Way], float]
) -> tuple[Way, float]:
    if str(way) in rates:
        return best, most
    measured = rate(way)
    rates[str(way)] = round(measured, 1)
    return (way, measured) if measured > most * CLEARLY else (best, most)


def _file(folder: Path, machine: Machine) -> Path:
    return folder / f"{sha256(json.dumps(asdict(machine)).encode()).hexdigest()[:16]}.json"
