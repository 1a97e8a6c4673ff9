"""A language model's reply, as it arrives, to statements with the ids that they end in; small models' ways allowed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rag.records import REFUSAL
from rag.split import sentences
from rag.values import normal

_ID = r"(?:(?:sources?|ids?|lines?|sentences?|see|s)[ .:]*)?\d{1,3}\.\d{1,4}"
_WHOLE = r"\[\s*(?:sources?\s*)?\d{1,3}(?:\s*,\s*\d{1,3})*\s*\]"
GROUP = re.compile(
    rf"[\[(【{{]\s*{_ID}(?:(?:\s*(?:,|;|and|&|-|–|to)\s*)+{_ID})*\s*[\])】}}](?!\s*%)|{_WHOLE}", re.IGNORECASE
)
ONE = re.compile(r"(\d{1,3})(?:\.(\d{1,4}))?")
RANGE = re.compile(r"(\d{1,3})\.(\d{1,4})\s*[-–]\s*(?:(\d{1,3})\.)?(\d{1,4})")
LONGEST_RANGE = 12
THOUGHT = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL | re.IGNORECASE)
TAIL = re.compile(r"^\W*(?:sources?|references?|citations?|bibliography|notes?)\W*(?::|$)", re.IGNORECASE)
MARK = re.compile(r"^\s*(?:[-*+•]\s+|\d{1,2}[.)]\s+|#{1,6}\s+|>\s+)+")
LEAD = re.compile(
    r"^(?:based on|according to|from|per|in) (?:the |these |your )*(?:provided |given |quoted |above |numbered )*"
    r"(?:sources?|passages?|sentences?|lines?|text|information|context|documents?|articles?)"
    r"(?: (?:provided|given|above))?[,:]\s+",
    re.IGNORECASE,
)
CHATTER = re.compile(
    r"^(?:sure|certainly|of course|here (?:is|are|'s)|answer|i hope|let me|okay|ok|final answer|response)\b",
    re.IGNORECASE,
)
BEHIND_WORDS = re.compile(r"[\ue000-\uf8ff]+[ \t]+(?=[A-Z])")
CLAUSE = 5  # words; ids behind so many end a sentence, though no full stop does
STEADY = 16  # characters that must follow a statement before it counts as finished: "the U.S." may go on
FIRST_MARKER = 0xE000


@dataclass(frozen=True, slots=True)
class Statement:
    """One sentence of a reply without its ids."""

    text: str
    ids: tuple[str, ...]

    @property
    def refuses(self) -> bool:
        """Whether it is the fixed refusal, whatever follows it; a sentence that cites something is none."""
        return not self.ids and normal(self.text).startswith(normal(REFUSAL).rstrip("."))


class Reply:
    """Takes a reply piece by piece and gives its statements as they are finished."""

    def __init__(self) -> None:
        self._text = ""
        self._given = 0

    def feed(self, piece: str) -> list[Statement]:
        """The statements that this piece finished."""
        self._text += piece
        # An id that has only begun.
        cut = max(self._text.rfind("["), self._text.rfind("("), self._text.rfind("【"))
        open_ = cut >= 0 and not re.search(r"[\])】]", self._text[cut:]) and len(self._text) - cut < 60
        whole = statements(self._text[:cut] if open_ else self._text)
        return self._fresh(whole[:-1]) if whole and len(whole[-1].text) >= STEADY else self._fresh(whole[:-2])

    def end(self) -> list[Statement]:
        """The statements that were not finished until the reply ended."""
        return self._fresh(statements(self._text))

    def _fresh(self, whole: list[Statement]) -> list[Statement]:
        fresh = whole[self._given :]
        self._given = max(self._given, len(whole))
        return fresh


def statements(reply: str) -> list[Statement]:
    """The statements of a reply: `"It rained [2.3]. Snow fell. [1.1, 1.2]"` gives two, citing 2.3, and 1.1 and 1.2.

    Preambles, list marks, thoughts and a list of sources at the end are left out; `[2]` stands for a whole source.
    """
    groups: list[tuple[str, ...]] = []

    def mark(match: re.Match[str]) -> str:
        groups.append(_ids(match.group()))
        return chr(FIRST_MARKER + len(groups) - 1)

    plain = re.sub(r"[\ue000-\uf8ff]", "", THOUGHT.sub(" ", reply))
    marked = BEHIND_WORDS.sub(_ended, GROUP.sub(mark, re.sub(r"\*\*|__|`", "", plain)))
    found: list[Statement] = []
    for line in marked.splitlines():
        if TAIL.match(line):
            break
        found += _of_line(MARK.sub("", line).strip(), groups)
    return found


def _ended(match: re.Match[str]) -> str:
    """Ids with a line's end behind them where they end a clause: "It rained in Ghent all day [1.1] Snow fell [1.2]"."""
    before = re.split(r"[\n\ue000-\uf8ff]|[.!?]\s", match.string[max(0, match.start() - 300) : match.start()])[-1]
    ends = len(before.split()) >= CLAUSE and before.rstrip()[-1] not in ".,;:!?"
    return f"{match.group().rstrip()}\n" if ends else match.group()


def _of_line(line: str, groups: list[tuple[str, ...]]) -> Iterator[Statement]:
    """The statements of one line; ids before a sentence belong to the one before, or to it where there is none."""
    pieces: list[tuple[str, list[str]]] = []
    waiting: list[str] = []
    for sentence in sentences(line):
        piece = line[sentence.start : sentence.end]
        while piece and _is_marker(piece[0]):
            (pieces[-1][1] if pieces else waiting).extend(groups[ord(piece[0]) - FIRST_MARKER])
            piece = piece[1:].lstrip(" .,;")
        ids = [id_ for c in piece if _is_marker(c) for id_ in groups[ord(c) - FIRST_MARKER]]
        text = re.sub(r"[\ue000-\uf8ff]", "", piece)
        text = re.sub(r"\s+(?=[.,;:!?])", "", re.sub(r"\s+", " ", text)).strip()
        if re.search(r"\w", text):
            pieces.append((text, [*waiting, *ids]))
            waiting = []
        elif pieces:
            pieces[-1][1].extend(ids)
    for text, ids in pieces:
        stated = LEAD.sub("", text)
        if not stated.endswith(":") and (ids or not CHATTER.match(stated)):
            yield Statement(f"{stated[:1].upper()}{stated[1:]}" if stated != text else text, tuple(dict.fromkeys(ids)))


def _is_marker(character: str) -> bool:
    return "\ue000" <= character <= "\uf8ff"


def _ids(group: str) -> tuple[str, ...]:
    """`[2.3, 2.5]` gives 2.3 and 2.5; `[2.3-2.5]` also 2.4; `[2]` gives 2, a whole source."""
    ids: list[str] = []
    for match in RANGE.finditer(group):
        first, last = int(match[2]), int(match[4])
        if match[3] in (None, match[1]) and first < last <= first + LONGEST_RANGE:
            ids += [f"{match[1]}.{line}" for line in range(first, last + 1)]
    for match in ONE.finditer(group):
        ids.append(match.group() if match[2] else match[1])
    return tuple(dict.fromkeys(ids))
