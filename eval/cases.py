"""Gold questions: one case a line, read strictly, so that a slip in the file never becomes a figure."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, cast, get_args

from rag.errors import BadGold, SourceUnknown
from rag.records import Turn

Kind = Literal["single", "multi", "conflict", "unanswerable", "false_premise", "yesno", "followup"]
Split = Literal["tune", "test"]
KINDS: tuple[Kind, ...] = get_args(Kind)
SPLITS: tuple[Split, ...] = get_args(Split)

_REQUIRED = ("id", "kind", "question", "any_of")
_OPTIONAL = ("split", "history", "none_of", "evidence", "positions")


@dataclass(frozen=True, slots=True)
class GoldEvidence:
    """Words of a source that answer the question; `quote` stands verbatim in it."""

    source: str
    quote: str


@dataclass(frozen=True, slots=True)
class GoldPosition:
    """One value that sources give, in the ways it may be worded, and every source that gives it."""

    value: tuple[str, ...]
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """One gold question with what a right answer holds; `line` is its 1-based line in the file."""

    id: str
    kind: Kind
    split: Split
    question: str
    history: tuple[Turn, ...]
    any_of: tuple[tuple[str, ...], ...]
    none_of: tuple[str, ...]
    evidence: tuple[GoldEvidence, ...]
    positions: tuple[GoldPosition, ...]
    line: int

    @property
    def refusal_expected(self) -> bool:
        """Whether `not_in_sources` is right: unanswerable, or a false premise that no source corrects."""
        return self.kind == "unanswerable" or (self.kind == "false_premise" and not self.any_of)

    @property
    def disputed(self) -> bool:
        """Whether the sources give two values or more for what is asked."""
        return len(self.positions) >= 2


def load_cases(path: Path, source_text: Callable[[str], str] | None) -> tuple[Case, ...]:
    """The cases of a gold file, in its order; blank lines are passed over.

    `source_text` gives a source's text by its name, or raises SourceUnknown; with None the sources and quotes are
    taken on trust. Raises BadGold, which names the line, for anything that breaks the format.
    """
    text_of = cache(source_text) if source_text else None
    cases: dict[str, Case] = {}
    # JSON may hold U+2028 and its like inside a string, where splitlines() would cut.
    for number, line in enumerate(_content(path).split("\n"), start=1):
        if not line.strip():
            continue
        place = f"Line {number} of {path.name}"
        case = _case(place, line, number)
        if case.id in cases:
            raise BadGold(
                f"{place} has the id {case.id!r}, which line {cases[case.id].line} has already.",
                hint="Give every case an id of its own.",
            )
        if text_of:
            _check_sources(place, case, text_of)
        cases[case.id] = case
    if not cases:
        raise BadGold(f"{path} holds no cases.", hint="Write one JSON object a line.")
    return tuple(cases.values())


def _content(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise BadGold(f"{path} cannot be read: {error.strerror}.", hint="Name a gold file, JSON Lines.") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise BadGold(f"Line {line} of {path.name} is not UTF-8.", hint="Save the file as UTF-8.") from error


def _case(place: str, line: str, number: int) -> Case:
    try:
        value = json.loads(line, object_pairs_hook=_without_twins)
    except (ValueError, RecursionError) as error:
        raise BadGold(f"{place} is not valid JSON: {error}.", hint="Write one JSON object a line.") from error
    fields = _Fields(place, "", value, _REQUIRED, _OPTIONAL)
    case = Case(
        id=fields.text("id"),
        kind=cast(Kind, fields.choice("kind", KINDS)),
        split=cast(Split, fields.choice("split", SPLITS, missing="tune")),
        question=fields.text("question"),
        history=tuple(
            Turn(turn.text("question"), turn.text("answer")) for turn in fields.objects("history", "question", "answer")
        ),
        any_of=fields.groups("any_of"),
        none_of=fields.texts("none_of"),
        evidence=tuple(
            GoldEvidence(item.text("source"), item.text("quote"))
            for item in fields.objects("evidence", "source", "quote")
        ),
        positions=tuple(
            GoldPosition(item.texts("value", least=1), item.texts("sources", least=1))
            for item in fields.objects("positions", "value", "sources")
        ),
        line=number,
    )
    if case.kind == "unanswerable" and case.any_of:
        raise fields.broken("any_of", "must be empty where the kind is 'unanswerable'")
    if not case.any_of and not case.refusal_expected:
        # Any answer at all would be correct.
        raise fields.broken("any_of", f"must hold at least one group where the kind is {case.kind!r}")
    return case


def _check_sources(place: str, case: Case, text_of: Callable[[str], str]) -> None:
    """See that every source that the case names is known and holds its quotes."""
    named = [item.source for item in case.evidence]
    named += [source for position in case.positions for source in position.sources]
    for source in named:
        try:
            text_of(source)
        except SourceUnknown as unknown:
            raise BadGold(
                f"{place} names the source {source!r}, which is not in the index.",
                hint="Index the folder that holds it (whosays index PATH), or correct the name.",
            ) from unknown
    for item in case.evidence:
        if item.quote not in text_of(item.source):
            raise BadGold(
                f"{place} quotes {item.quote!r}, which does not stand in {item.source}.",
                hint=f"Copy the words from: whosays show {item.source}",
            )


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON whose names are all different; Python would keep the last twin and say nothing."""
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"the field {name!r} stands twice")
    return dict(pairs)


class _Fields:
    """One JSON object of a gold file, read strictly; every complaint names the line and the field."""

    def __init__(
        self, place: str, path: str, value: object, required: tuple[str, ...], optional: tuple[str, ...] = ()
    ) -> None:
        self._place = place
        self._path = path
        if not isinstance(value, dict):
            raise self.broken("", f"must be an object with the fields {', '.join(required)}")
        self._record: dict[str, Any] = value
        for name in value:
            if name not in required + optional:
                raise self.broken(name, f"is not a known field; known are {', '.join(required + optional)}")
        for name in required:
            if name not in value:
                raise self.broken(name, "is missing")

    def broken(self, name: str, complaint: str) -> BadGold:
        """The error for one field, or for the whole object where `name` is empty."""
        field = ".".join(part for part in (self._path, name) if part)
        subject = f": {field} {complaint}" if field else f" {complaint}"
        return BadGold(f"{self._place}{subject}.", hint="The format of gold files is in the README.")

    def text(self, name: str) -> str:
        """A text that is not blank."""
        return self._checked_text(name, self._record[name])

    def choice(self, name: str, choices: tuple[str, ...], missing: str | None = None) -> str:
        """One of the choices; `missing` where the field is left out."""
        value = self._record.get(name, missing)
        if not isinstance(value, str) or value not in choices:
            raise self.broken(name, f"is {value!r}, but must be one of {', '.join(choices)}")
        return value

    def texts(self, name: str, least: int = 0) -> tuple[str, ...]:
        """A list of texts, `least` or more of them."""
        return self._checked_texts(name, self._list(name), least)

    def groups(self, name: str) -> tuple[tuple[str, ...], ...]:
        """A list of lists of texts, none of them empty."""
        return tuple(self._checked_texts(f"{name}[{place}]", group, 1) for place, group in enumerate(self._list(name)))

    def objects(self, name: str, *required: str) -> list[_Fields]:
        """A list of objects that have exactly the fields named."""
        path = f"{self._path}.{name}" if self._path else name
        return [
            _Fields(self._place, f"{path}[{place}]", value, required) for place, value in enumerate(self._list(name))
        ]

    def _list(self, name: str) -> list[object]:
        value = self._record.get(name, [])
        if not isinstance(value, list):
            raise self.broken(name, f"is {value!r}, but must be a list")
        return value

    def _checked_texts(self, name: str, value: object, least: int) -> tuple[str, ...]:
        if not isinstance(value, list) or len(value) < least:
            raise self.broken(name, f"is {value!r}, but must be a list of {'one text or more' if least else 'texts'}")
        return tuple(self._checked_text(f"{name}[{place}]", item) for place, item in enumerate(value))

    def _checked_text(self, name: str, value: object) -> str:
        if not isinstance(value, str) or not value.strip():
            raise self.broken(name, f"is {value!r}, but must be a text that is not blank")
        # JSON can spell half a surrogate pair, which no UTF-8 file can hold.
        if any("\ud800" <= letter <= "\udfff" for letter in value):
            raise self.broken(name, f"is {value!r}, which holds a lone surrogate")
        return value
