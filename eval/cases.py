"""Gold questions: one case a line, read strictly, so that a slip in the file never becomes a figure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
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


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a line of a gold file, and what to do about it; line 0 is the file as a whole."""

    line: int
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What a gold file holds: the cases that are sound, and every fault, both in the file's order."""

    cases: tuple[Case, ...]
    faults: tuple[Fault, ...]


def load_cases(path: Path, source_text: Callable[[str], str] | None) -> tuple[Case, ...]:
    """The cases of a gold file, in its order; blank lines are passed over.

    `source_text` gives a source's text by its name, or raises SourceUnknown; with None the sources and quotes are
    taken on trust. Raises BadGold, which names the line, for the first thing that breaks the format.
    """
    reading = read_cases(path, source_text)
    for fault in reading.faults:
        raise BadGold(fault.message, hint=fault.hint)
    return reading.cases


def read_cases(path: Path, source_text: Callable[[str], str] | None) -> Reading:
    """The cases of a gold file and all its faults; raises BadGold only where the file cannot be read at all."""
    text_of = cache(source_text) if source_text else None
    cases: dict[str, Case] = {}
    broken: list[Fault] = []
    # JSON may hold U+2028 and its like inside a string, where splitlines() would cut.
    for number, line in enumerate(_content(path).split("\n"), start=1):
        if not line.strip():
            continue
        place = f"Line {number} of {path.name}"
        faults: list[BadGold] = []
        case = _case(place, line, number, faults)
        if case and case.id in cases:
            faults.append(
                BadGold(
                    f"{place} has the id {case.id!r}, which line {cases[case.id].line} has already.",
                    hint="Give every case an id of its own.",
                )
            )
        if case and text_of:
            faults += _faulty_sources(place, case, text_of)
        broken += (Fault(number, fault.message, fault.hint) for fault in faults)
        if case and not faults:
            cases[case.id] = case
    if not cases and not broken:
        broken.append(Fault(0, f"{path} holds no cases.", "Write one JSON object a line."))
    return Reading(tuple(cases.values()), tuple(broken))


def _content(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise BadGold(f"{path} cannot be read: {error.strerror}.", hint="Name a gold file, JSON Lines.") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise BadGold(f"Line {line} of {path.name} is not UTF-8.", hint="Save the file as UTF-8.") from error


def _case(place: str, line: str, number: int, faults: list[BadGold]) -> Case | None:
    """The case of a line, or None where it has faults, which are added to the list."""
    try:
        value = json.loads(line, object_pairs_hook=_without_twins)
    except (ValueError, RecursionError) as error:
        faults.append(BadGold(f"{place} is not valid JSON: {error}.", hint="Write one JSON object a line."))
        return None
    fields = _Fields(place, "", value, _REQUIRED, _OPTIONAL, faults)
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
    if not faults and case.kind == "unanswerable" and case.any_of:
        fields.broken("any_of", "must be empty where the kind is 'unanswerable'")
    if not faults and not case.any_of and not case.refusal_expected:
        # Any answer at all would be correct.
        fields.broken("any_of", f"must hold at least one group where the kind is {case.kind!r}")
    return None if faults else case


def _faulty_sources(place: str, case: Case, text_of: Callable[[str], str]) -> Iterator[BadGold]:
    """The sources that the case names and nobody knows, and the quotes that their sources do not hold."""
    named = [item.source for item in case.evidence]
    named += [source for position in case.positions for source in position.sources]
    unknown = set()
    for source in dict.fromkeys(named):
        try:
            text_of(source)
        except SourceUnknown:
            unknown.add(source)
            yield BadGold(
                f"{place} names the source {source!r}, which is not in the index.",
                hint="Index the folder that holds it (whosays index PATH), or correct the name.",
            )
    for item in case.evidence:
        if item.source not in unknown and item.quote not in text_of(item.source):
            yield BadGold(
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
    """One JSON object of a gold file, read strictly; every complaint names the line and the field.

    Complaints go into `faults`, and reading goes on with something empty, so that all of them are found at once.
    """

    def __init__(
        self,
        place: str,
        path: str,
        value: object,
        required: tuple[str, ...],
        optional: tuple[str, ...],
        faults: list[BadGold],
    ) -> None:
        self._place = place
        self._path = path
        self._faults = faults
        self._record: dict[str, Any] = value if isinstance(value, dict) else {}
        if not isinstance(value, dict):
            self.broken("", f"must be an object with the fields {', '.join(required)}")
            return
        for name in value:
            if name not in required + optional:
                self.broken(name, f"is not a known field; known are {', '.join(required + optional)}")
        for name in required:
            if name not in value:
                self.broken(name, "is missing")

    def broken(self, name: str, complaint: str) -> None:
        """Complain of one field, or of the whole object where `name` is empty."""
        field = ".".join(part for part in (self._path, name) if part)
        subject = f": {field} {complaint}" if field else f" {complaint}"
        self._faults.append(BadGold(f"{self._place}{subject}.", hint="The format of gold files is in the README."))

    def text(self, name: str) -> str:
        """A text that is not blank."""
        return self._checked_text(name, self._record[name]) if name in self._record else ""

    def choice(self, name: str, choices: tuple[str, ...], missing: str = "") -> str:
        """One of the choices; `missing` where the field is left out."""
        if name not in self._record:
            return missing
        value = self._record[name]
        if not isinstance(value, str) or value not in choices:
            self.broken(name, f"is {value!r}, but must be one of {', '.join(choices)}")
        return str(value)

    def texts(self, name: str, least: int = 0) -> tuple[str, ...]:
        """A list of texts, `least` or more of them."""
        return self._checked_texts(name, self._record[name], least) if name in self._record else ()

    def groups(self, name: str) -> tuple[tuple[str, ...], ...]:
        """A list of lists of texts, none of them empty."""
        return tuple(self._checked_texts(f"{name}[{place}]", group, 1) for place, group in enumerate(self._list(name)))

    def objects(self, name: str, *required: str) -> list[_Fields]:
        """A list of objects that have exactly the fields named."""
        path = f"{self._path}.{name}" if self._path else name
        return [
            _Fields(self._place, f"{path}[{place}]", value, required, (), self._faults)
            for place, value in enumerate(self._list(name))
        ]

    def _list(self, name: str) -> list[object]:
        value = self._record.get(name, [])
        if isinstance(value, list):
            return value
        self.broken(name, f"is {value!r}, but must be a list")
        return []

    def _checked_texts(self, name: str, value: object, least: int) -> tuple[str, ...]:
        if not isinstance(value, list) or len(value) < least:
            self.broken(name, f"is {value!r}, but must be a list of {'one text or more' if least else 'texts'}")
            return ()
        return tuple(self._checked_text(f"{name}[{place}]", item) for place, item in enumerate(value))

    def _checked_text(self, name: str, value: object) -> str:
        if not isinstance(value, str) or not value.strip():
            self.broken(name, f"is {value!r}, but must be a text that is not blank")
            return ""
        # JSON can spell half a surrogate pair, which no UTF-8 file can hold.
        if any("\ud800" <= letter <= "\udfff" for letter in value):
            self.broken(name, f"is {value!r}, which holds a lone surrogate")
        return value
