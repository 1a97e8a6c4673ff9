"""The public data sets as records: paragraphs with questions, and claims with their evidence."""

from __future__ import annotations

import csv
import gzip
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Label = Literal["supported", "contradicted", "neither"]

DATA = "--data takes the folder of the public data sets, which the model card names."

WORD = re.compile(r"\w+")
NEAR = 120  # characters on both sides of an answer that belong to it
TUNING_PLACES = (2, 14, 26)
"""The even-place articles of SQuAD 2.0 dev that training leaves out, to tune and choose on; odd places only report."""


@dataclass(frozen=True, slots=True)
class AskedOf:
    """A question that people asked of a paragraph; `start` is -1 and `answer` empty where it does not answer."""

    question: str
    answer: str
    start: int


@dataclass(frozen=True, slots=True)
class Paragraph:
    """One paragraph of an article and the questions asked of it."""

    title: str
    text: str
    asked: tuple[AskedOf, ...]


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim, its evidence, and how they stand to each other; `kind` says how the pair was made."""

    claim: str
    evidence: str
    label: Label
    kind: str


def squad(path: Path) -> list[list[Paragraph]]:
    """The articles of a SQuAD file (1.1 or 2.0), each as its paragraphs, in the order of the file."""
    articles = _json(path)["data"]
    return [
        [
            Paragraph(
                article["title"].replace("_", " "), p["context"], tuple(_asked(row, p["context"]) for row in p["qas"])
            )
            for p in article["paragraphs"]
        ]
        for article in articles
    ]


def _asked(row: dict[str, Any], text: str) -> AskedOf:
    question = row["question"].strip()
    if row.get("is_impossible") or not row["answers"]:
        return AskedOf(question, "", -1)
    answer = row["answers"][0]
    return AskedOf(question, answer["text"], meant(text, question, answer["text"], answer["answer_start"]))


def meant(text: str, question: str, answer: str, given: int) -> int:
    """Where an answer that stands several times in a text is meant: among the most words of the question, then first.

    The places in the files are those of the first occurrence, which one answer in 25 is not.
    """
    places = [match.start() for match in re.finditer(rf"(?<!\w){re.escape(answer)}(?!\w)", text)]
    if len(places) < 2 or given not in places:
        return given
    asked = {word for word in WORD.findall(question.lower()) if len(word) > 3}

    def shared(place: int) -> int:
        around = text[max(0, place - NEAR) : place + len(answer) + NEAR].lower()
        return len(asked.intersection(WORD.findall(around)))

    return max(places, key=lambda place: (shared(place), -place))


def esnli(folder: Path) -> Iterator[Claim]:
    """SNLI's dev and test pairs: everyday sentences of few words."""
    labels: dict[str, Label] = {"entailment": "supported", "contradiction": "contradicted", "neutral": "neither"}
    for part in ("dev", "test"):
        columns = [_lines(folder / f"{name}.{part}.gz") for name in ("s1", "s2", "labels")]
        for evidence, claim, label in zip(*columns, strict=True):
            if label.strip() in labels:
                yield Claim(claim.strip(), evidence.strip(), labels[label.strip()], "esnli")


def taxinli(folder: Path) -> Iterator[Claim]:
    """MultiNLI pairs of ten genres."""
    labels: dict[str, Label] = {"entailment": "supported", "contradiction": "contradicted", "neutral": "neither"}
    rows = csv.DictReader(_lines(folder / "taxinli10k.tsv.gz"), delimiter="\t", quoting=csv.QUOTE_NONE)
    for row in rows:
        if row["label"] in labels:
            yield Claim(row["hyp"].strip(), row["prem"].strip(), labels[row["label"]], "taxinli")


def fool_me_twice(path: Path) -> Iterator[Claim]:
    """Claims that people wrote to fool people, with the sentences of Wikipedia that settle them."""
    for line in _lines(path):
        row = json.loads(line)
        evidence = " ".join(piece["text"].strip() for piece in row["gold_evidence"])
        label: Label = "supported" if row["label"] == "SUPPORTS" else "contradicted"
        yield Claim(row["claim"] if "claim" in row else row["text"], evidence, label, "fool_me_twice")


def summedits(folder: Path) -> Iterator[Claim]:
    """Summaries with small edits against their documents; whole documents, so most are longer than is read."""
    for path in sorted(folder.glob("summedits_*.json.gz")):
        for row in _json(path):
            label: Label = "supported" if row["label"] == 1 else "contradicted"
            yield Claim(row["summary"].strip(), row["doc"].strip(), label, "summedits")


def wice(path: Path) -> Iterator[Claim]:
    """Claims of Wikipedia with the sentences of their web source that bear them, wholly or in part."""
    for line in _lines(path):
        row = json.loads(line)
        groups = row["supporting_sentences"] or [[]]
        evidence = " ".join(row["evidence"][i] for i in groups[0])
        if evidence:
            label: Label = "supported" if row["label"] == "supported" else "neither"
            yield Claim(row["claim"].strip(), evidence, label, "wice")


def present(path: Path, what: str) -> Path:
    """The path, if a file or folder is there; else the command ends with one line and exit code 2."""
    if not path.exists():
        sys.stderr.write(f"There is no {path}: {what}\n")
        raise SystemExit(2)
    return path


def _json(path: Path) -> Any:
    with gzip.open(present(path, DATA), "rt", encoding="utf-8") as file:
        return json.load(file)


def _lines(path: Path) -> list[str]:
    with gzip.open(present(path, DATA), "rt", encoding="utf-8") as file:
        return file.read().splitlines()
