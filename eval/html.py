"""A run as one self-contained page: the figures, the plots, and every case with what came of it."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.casebook import Page, pages
from eval.plots import interval, plots, rate
from eval.stages import Stage
from rag.errors import BackendMissing, BadInput

Record = Mapping[str, Any]

FOLDER = Path(__file__).parent
SUMS = ("summary", "kinds", "reliability", "risk_coverage", "suggestion", "cases")  # the rest is provenance
HEADLINE = ("correct", "answerable_refused", "refusal_recall", "evidence_recall")
KIND_COLUMNS = ("correct", "answerable_refused", "refusal_recall", "evidence_recall", "citation_precision")

# For the figures that are known: the group they stand in, what people call them, and what they say.
KNOWN: dict[str, tuple[str, str, str]] = {
    "correct": ("Answers", "Correct", "of all questions, those answered or refused as they should be"),
    "answerable_correct": ("Answers", "Answerable and correct", "of the questions that the sources answer"),
    "exact_match": ("Answers", "Exact match of the short answer", "SQuAD's rule"),
    "token_f1": ("Answers", "Token F1 of the short answer", "SQuAD's rule"),
    "answerable_refused": ("Refusals", "Answerable but refused", "lower is better"),
    "refusal_precision": ("Refusals", "Refusal precision", "of the refusals, those that were right"),
    "refusal_recall": ("Refusals", "Refusal recall", "of the questions without an answer, those refused"),
    "span_exactness": ("Citations", "Spans exact", "citations that quote their source to the letter"),
    "evidence_recall": ("Citations", "Evidence recall", "of the gold evidence's sources, those cited"),
    "citation_precision": ("Citations", "Citation precision", "of the citations, those on gold evidence"),
    "alce_recall": ("Citations", "ALCE citation recall", "claims that their citations bear, by the verifier"),
    "alce_precision": ("Citations", "ALCE citation precision", "citations that help to bear, by the verifier"),
    "position_precision": ("Positions", "Position precision", "of the values with who says them, those in the gold"),
    "position_recall": ("Positions", "Position recall", "of the gold's values with who says them, those given"),
    "position_f1": ("Positions", "Position F1", "the harmonic mean of the two"),
    "silent_picks": (
        "Positions",
        "Picked silently",
        "of the disputed, answered as if undisputed; lower is better",
    ),
    "ece": ("Confidence", "Calibration error", "how far confidence is off, ECE; lower is better"),
    "aurc": ("Confidence", "Risk over coverage", "the area under the curve, AURC; lower is better"),
}
RANKED = {
    "recall": ("Recall", "of the gold evidence, what the first passages hold"),
    "hits": ("Hits", "whether the first passages hold any gold evidence"),
    "mrr": ("MRR", "one over the rank of the first passage with gold evidence"),
    "ndcg": ("nDCG", "gold evidence counts more the earlier it is found"),
}


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table of figures; `ends` are the bounds of the 95 % interval in percent."""

    name: str
    group: str
    label: str
    says: str
    percent: float | None
    ends: tuple[float, float] | None
    of: str


@dataclass(frozen=True, slots=True)
class LostRow:
    """A stage, and how many cases it lost."""

    stage: Stage
    count: int


def check_html(path: Path) -> None:
    """Raise BackendMissing or BadInput where a page could not be written later, after a long run."""
    if not all(importlib.util.find_spec(name) for name in ("jinja2", "matplotlib")):
        raise BackendMissing("The report needs jinja2 and matplotlib.", hint='pip install "whosays[eval]"')
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise BadInput(f"The report cannot be written to {path}.", hint="Name a file in a folder that is there.")


def write_html(run_record: Record, source_text: Callable[[str], str], path: Path) -> None:
    """Write the page of a run file's record; equal records give equal bytes.

    `source_text` gives a source's text by its name or raises SourceUnknown. Raises BadInput where the file cannot be
    written.
    """
    page = render(run_record, source_text)
    try:
        # JSON can spell half a surrogate pair, which UTF-8 cannot.
        path.write_bytes(page.encode("utf-8", "replace"))
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {error.strerror}.", hint="Name another file.") from error


def render(run_record: Record, source_text: Callable[[str], str]) -> str:
    """The page of a run file's record, as `write_html` writes it."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {"numbered": numbered, "percent": _percent, "score": _score, "words": _words}
    script = (FOLDER / "report.js").read_text("utf-8")
    every = pages(run_record["cases"], source_text)
    figures = [_figure(name, raw) for name, raw in _flat(run_record["summary"])]
    return environment.get_template("report.html.j2").render(
        run=run_record,
        style=(FOLDER / "report.css").read_text("utf-8"),
        script=script,
        # The policy holds the page to what stands in it.
        policy=f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src '{_digest(script)}'",
        verdicts=Counter(page.verdict for page in every),
        headline=[figure for name in HEADLINE for figure in figures if figure.name == name],
        groups=_grouped(figures),
        suggestion=run_record.get("suggestion"),
        kinds=_kinds(run_record["kinds"]),
        lost=_lost(every),
        plots=plots(run_record),
        provenance=list(_provenance(run_record)),
        pages=every,
    )


def numbered(text: str) -> list[tuple[str, int | None]]:
    """A text cut at its citation numbers: "Wet [1]." gives ("Wet ", None), ("[1]", 1), (".", None)."""
    cut = re.split(r"(\[\d+\])", text)
    return [(piece, int(piece[1:-1]) if place % 2 else None) for place, piece in enumerate(cut) if piece]


def _flat(sums: Record, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The figures of a summary by name; figures that stand in a group have the group before their own."""
    for name, value in sums.items():
        if name in ("n", "failed", "timings_ms"):
            continue
        if isinstance(value, Mapping) and not {"rate", "value"} & value.keys():
            yield from _flat(value, f"{prefix}{name}.")
        elif value is None or isinstance(value, (int, float, Mapping)):
            yield f"{prefix}{name}", value


def _figure(name: str, raw: Any) -> Figure:
    own = name.rpartition(".")[2]
    measure, _, depth = own.partition("@")
    group, label, says = KNOWN.get(own, ("Other figures", own.replace("_", " ").replace(".", " "), ""))
    if depth and measure in RANKED:
        group, label, says = "Retrieval", f"{RANKED[measure][0]}@{depth}", RANKED[measure][1]
    value, ends = rate(raw), interval(raw)
    counted = raw if isinstance(raw, Mapping) else {}
    return Figure(
        name,
        group,
        label,
        says,
        None if value is None else 100 * value,
        (100 * ends[0], 100 * ends[1]) if ends else None,
        _counted(counted),
    )


def _counted(counted: Record) -> str:
    """Part and whole, or of a mean how many cases it is over."""
    part, whole = counted.get("part"), counted.get("whole")
    if part is not None and whole is not None and float(part).is_integer():
        return f"{part:.0f} of {whole}"
    return f"{counted['n']} cases" if counted.get("n") else ""


def _grouped(figures: Sequence[Figure]) -> dict[str, list[Figure]]:
    """The figures that were measured, group by group, in the order of KNOWN and then of the run."""
    order = list(KNOWN)
    measured = [figure for figure in figures if figure.percent is not None]
    measured.sort(key=lambda figure: order.index(figure.name) if figure.name in order else len(order))
    groups: dict[str, list[Figure]] = {}
    for figure in measured:
        groups.setdefault(figure.group, []).append(figure)
    return groups


def _kinds(kinds: Record) -> list[tuple[str, int, list[Figure]]]:
    """For each kind its name, how many cases it has, and the figures of the columns."""
    return [(kind, sums["n"], [_figure(name, sums.get(name)) for name in KIND_COLUMNS]) for kind, sums in kinds.items()]


def _lost(every: Sequence[Page]) -> list[LostRow]:
    """The stages that lost cases, in the order of the ask path."""
    counts = Counter(page.stage for page in every)
    return [LostRow(stage, counts[stage]) for stage in Stage if counts[stage]]


def _provenance(run_record: Record, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Everything that a run file says of how it was made, by dotted name."""
    for name, value in run_record.items():
        if not prefix and name in SUMS:
            continue
        if isinstance(value, Mapping):
            yield from _provenance(value, f"{prefix}{name}.")
        elif isinstance(value, str) or value is None:
            yield f"{prefix}{name}", value or "–"
        else:
            yield f"{prefix}{name}", json.dumps(value, ensure_ascii=False)


def _digest(script: str) -> str:
    """What a content security policy knows an inline script by."""
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def _score(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _words(name: str) -> str:
    return name.replace("_", " ")
