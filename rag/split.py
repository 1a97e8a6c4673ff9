"""Source -> passages of whole sentences. Every span is made by cutting, never by searching for a text again.

Lines make blocks (a paragraph, an item, a heading, a row of a table), blocks make sentences, sentences make passages.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import Literal

import sentencex

from rag.records import Passage, Sentence, SentenceKind, Source

Count = Callable[[Sequence[str]], list[int]]

HEADING_WORDS = 16  # The most words of a line without a full stop that is a heading or an item, not prose.
TOKEN_LENGTH = 20  # A token has no more characters: models take a megabyte without a blank for one unknown word.
WINDOW = 20_000  # Characters that sentencex sees at once: it compares every point with every bracket.

_MONTH = (
    r"(?:Jan(?:uary?)?|Feb(?:ruary?)?|Mar(?:ch)?|März|Apr(?:il)?|Ma[iy]|Jun[ei]?|Jul[iy]?|Aug(?:ust)?"
    r"|Sept?(?:ember)?|O[ck]t(?:ober)?|Nov(?:ember)?|De[cz](?:ember)?)\b"
)


# ---- lines to blocks -------------------------------------------------------------------------


@dataclass(slots=True)
class _Block:
    """Lines that belong together; a bullet or a dateline stands from `mark` to `start`, the text from there."""

    mark: int
    start: int
    end: int
    role: Literal["text", "item", "heading", "row", "symbols", "other"]
    apart: bool
    kind: SentenceKind | None = None


_INNER_BULLET = re.compile(r"(?<=\S[ \t])(?=[•◦‣▪●]\s)")
_BULLET = re.compile(r"(?:[-*+>]\s+|[•◦‣▪▫●○■□]\s*)(?=\S)")
# A line of German may begin with a date: "3. Oktober" is no third item.
_NUMBERING = re.compile(
    rf"(?:\d{{1,3}}[.)]|\(?[a-z]\)|\((?:\d\d?|[ivx]{{2,4}})\)|[ivx]{{1,4}}\.|[–—])\s+(?!{_MONTH})(?=\S)"
)
_CITY = r"[A-Z][A-Z.'’ -]{2,30}"
_DATELINE = re.compile(
    r"(?:(?:(?:[Dd]ate|[Pp]ublished|[Uu]pdated|[Pp]osted)(?: on)?:?\s+)?\d{4}-\d\d-\d\d(?:[T ][\d:]{5,8}Z?)?"
    r"|\((?:[A-Z]{2,}|Reuters|Bloomberg)[^()]{0,60}\)"
    rf"|{_CITY}(?:, [A-Z][\w. ]{{0,25}}?)?\s?\([^()]{{2,60}}\)(?=\s*[-–—])|{_CITY}, [A-Z][\w. ]{{0,25}}?(?=\s[-–—])"
    r")(?:\s*[-–—:|]+)?\s+(?=[\"'“‘(]?[A-Z0-9])"
)
_ENDED = re.compile(r"[.!?:…。！？؟।።։۔]['\"’”»)\]*_]*(?:\[[^\[\]]{1,12}\])*$")


def _blocks(text: str) -> list[_Block]:
    """The text's blocks in their order; every line that isn't blank is in one."""
    pieces = [piece for line in text.splitlines(keepends=True) for piece in _INNER_BULLET.split(line)]
    lines = [piece.strip() for piece in pieces]
    width = _wrap_width(lines)
    verbatim = _verbatim(lines)
    blocks: list[_Block] = []
    for i, start in enumerate(accumulate(map(len, pieces[:-1]), initial=0) if pieces else ()):
        line, before = lines[i], lines[i - 1] if i else ""
        if not line:
            continue
        block = _block_of(start + len(pieces[i]) - len(pieces[i].lstrip()), line, not before, i in verbatim)
        last = blocks[-1] if before else block
        if last.role == "text" and last.end - last.mark == len(before) and re.fullmatch(r"={3,}|-{3,}", line):
            last.role = "text" if _ended(before) else "heading"
        if before and _runs_on(last.role, before, block.role, line, width):
            last.end = block.end
        else:
            blocks.append(block)
    return blocks


def _wrap_width(lines: Sequence[str]) -> int:
    """The width at which the lines were broken by hand or by a typesetter; 0 where every line is a paragraph."""
    # Lines that do not end a sentence were broken if they go on in lower case; in a list of names they don't.
    unended = [(len(one), two) for one, two in pairwise(lines) if two and 30 <= len(one) <= 110 and not _ended(one)]
    widths = sorted(width for width, after in unended if _starts_small(after))
    return widths[len(widths) * 9 // 10] if widths and len(widths) * 3 >= len(unended) else 0


def _verbatim(lines: Sequence[str]) -> set[int]:
    """The numbers of the lines of front matter and fenced code, their marks included."""
    fences = [i for i, line in enumerate(lines) if re.match(r"```[^`]*$|~~~", line)]
    # A fence that nothing closes is left alone: it must not hide the rest of the file.
    pairs = list(zip(fences[::2], fences[1::2], strict=False))
    if lines and lines[0] == "---":
        closing = next((i for i, line in enumerate(lines[1:60], 1) if line in ("---", "...")), 0)
        if all(re.match(r"[\w .-]+:|[-#\[\]]|$", line) for line in lines[1:closing]):
            pairs.append((0, closing))
    return {i for first, last in pairs if last for i in range(first, last + 1)}


def _block_of(start: int, line: str, apart: bool, verbatim: bool) -> _Block:
    """A block of one line."""
    block = _Block(start, start, start + len(line), "text", apart)
    if verbatim or not re.search(r"[^\W_]", line):
        block.role = "other"
    elif unicodedata.category(line[0]) == unicodedata.category(line[-1]) == "So":
        block.role = "symbols"
    elif mark := re.match(r"#{1,6}\s+(?=\S)", line):
        block.role, block.start = "heading", start + mark.end()
    elif mark := _BULLET.match(line) or _NUMBERING.match(line):
        block.role, block.start = "item", start + mark.end()
    elif line[0] == "|" or line.count(" | ") > 1 or "\t" in line:
        block.role = "row"
    elif mark := _DATELINE.match(line):
        block.start = start + mark.end()
    return block


def _runs_on(role_before: str, before: str, role: str, line: str, width: int) -> bool:
    """Whether a line goes on with the block that ends in the line `before`: a soft wrap."""
    full = 0 < 0.8 * width < len(before) + 1 + len(line.split(None, 1)[0]) and len(before) < 1.5 * width
    if role == "item":
        # "chapter / 12. It says" is broken prose, "two things: / 1. It says" a list.
        return role_before == "text" and full and not _ended(before) and not _BULLET.match(line)
    if role != "text" or role_before not in ("text", "item"):
        return False
    goes_on = _starts_small(line) or line[0] in ".,;:!?)]}”’»%…"
    return full or (goes_on and len(before) >= 25 and not _ended(before))


def _starts_small(text: str) -> bool:
    """Whether a text begins in lower case, as the rest of a sentence does, and not as "iPhone" or "26th" do."""
    return text[:1].islower() and text[:3].islower()


def _ended(text: str) -> bool:
    return _ENDED.search(text[-40:]) is not None


# ---- blocks to sentences ---------------------------------------------------------------------

_NO_PROSE = re.compile(
    r"<?(?:https?://|www\.)\S+|\S+@\S+\.\w+>?"
    r"|(?is:(?:©|\(c\) |Copyright [©(\d]|(?:Author|Photo|Image|Credit|Source|Tag|Category|Filed under)s?: ).*)"
    r"|\(?(?:By|Von|Par|(?:Written|Posted|Reported|Edited|Reporting|Editing|Photos?|Story) by)"
    r"(?:\s+(?:[^\W\d_a-z][^\s\d]*|and|und|et|for|of|in|at|the|de|von|van|staff|[&|–—-]))+"
)
_DATE_WORD = re.compile(
    rf"(?i)\d[\d:./-]*(?:st|nd|rd|th|Z)?|[ap]\.?m|UTC|GMT|[EP][SD]?T|at|on|date|last|published|updated|posted|modified"
    rf"|(?:Mon|Tues?|Wed(?:nes)?|Thu(?:rs)?|Fri|Sat(?:ur)?|Sun)(?:day)?|{_MONTH}|[|·•–—-]"
)


def sentences(text: str) -> list[Sentence]:
    """The sentences of a text in their order: none empty, none with blank space around it, none overlapping.

    Together they cover all but blank space, so that a bullet or a dateline is a sentence of its own, of kind "other".
    """
    blocks = _blocks(text)
    for block in blocks:
        block.kind = _kind_of_whole(text[block.start : block.end], block.role)
    _settle_kinds(blocks, text)
    found: list[Sentence] = []
    for block in blocks:
        if block.mark < block.start:
            found.append(Sentence(block.mark, block.mark + len(text[block.mark : block.start].rstrip()), "other"))
        body = text[block.start : block.end]
        for begin, end in pairwise([0, *([] if block.kind else _breaks(body)), len(body)]):
            piece = body[begin:end]
            start = block.start + begin + len(piece) - len(piece.lstrip())
            kind: SentenceKind = "prose" if re.search(r"[^\W\d_]", piece) else "other"
            if piece := piece.strip():
                found.append(Sentence(start, start + len(piece), block.kind or kind))
    return found


def _kind_of_whole(body: str, role: str) -> SentenceKind | None:
    """The kind of a block that is one sentence whatever points stand in it; None where it is prose."""
    if role in ("heading", "symbols", "other"):
        return "heading" if role == "heading" else "other"
    words = body.split() if len(body) <= 200 else []
    if not 0 < len(words) <= HEADING_WORDS or _breaks(body):
        return None
    dated = re.search(r"\d", body) and all(_DATE_WORD.fullmatch(word.strip(".,:()")) for word in words)
    if (dated and role == "text") or _NO_PROSE.fullmatch(body):
        return "other"
    # A question alone in its line asks what the next lines answer; as prose it would pass for an answer to itself.
    if role == "text" and ((body[-1] == "?" and body[0] not in "\"'“‘«„") or (body[-1] == ":" and len(words) < 3)):
        return "heading"
    if _ended(body):
        return None
    return "item" if role in ("item", "row") or _starts_small(body) or body[-1] in ",;" else "heading"


def _settle_kinds(blocks: Sequence[_Block], text: str) -> None:
    """Mend the kinds of short lines by what stands beside them."""
    for before, block, after in zip([None, *blocks], blocks, [*blocks[1:], None], strict=False):
        beside = [None if block.apart else before, after if after and not after.apart else None]
        if block.role == "text" and block.kind == "heading" and any(b and b.role == "symbols" for b in beside):
            block.kind = "other"
        listed = any(b and b.role == "item" for b in (before, after))
        if block.role == block.kind == "item" and text[block.mark].isdigit() and after and not listed:
            block.kind = "heading"
    # Three short lines on top of each other are a list without bullets, not three headings.
    short = [block.role == "text" and block.kind == "heading" for block in blocks]
    for i in range(len(blocks) - 2):
        if all(short[i : i + 3]) and not (blocks[i + 1].apart or blocks[i + 2].apart):
            for block in blocks[i : i + 3]:
                block.kind = "item"


# ---- where a sentence ends -------------------------------------------------------------------

_WORD = re.compile(r"\S{1,60}")
_QUOTED = re.compile(
    r"""(?<=\d)"|"[^"]{1,200}"|“[^“”]{1,200}”|«[^«»]{1,200}»|„[^„“”]{1,200}[“”]|\([^()]{1,200}\)|\[[^\[\]]{1,200}\]"""
    r"""|["'`“”‘«»„(\[{<]"""
)
_OPENERS = re.compile(r"(?<=\s)[“‘«„\"'(\[]+$")
_CLOSERS = re.compile(r"(?:[)\]}”’»*†‡]|[\"']+(?=\s|$)|\[(?:(?:n|nb|note) )?\w{1,3}\]|\[[a-z ]{4,24}\])+(?=\s|$)")
_NO_END = [
    (re.compile(rf"(?<!\w)(?:{before})\.$"), re.compile(after))
    for before, after in (
        (r"Dr|Mr|Mrs|Ms|Prof|Hon|vs|cf|viz|e\.g|i\.e|[Aa]pprox|ca|z\.B|d\.h|bzw|env|av", ""),
        (r"[Nn]os?|[Nn]r|[Ff]igs?|[Vv]ols?|[Cc]h|[Cc]hap|[Ss]ec|[Aa]rt|[Ee]q|[Tt]ab|Abb|Bd|Str|pp?|S|est", r"\d"),
        (r"^\(?(?:\d{1,4}|[IVXLivxl]{1,5}|[A-Za-z])", ""),
        (r"[ap]\.m", r"(?:(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|[ECMP][SD]?T|GMT|UTC|Eastern|Central|Pacific)\b"),
        (r"\d\d?", _MONTH),
        (r"(?:[Dd](?:er|ie|as|en|em|es)|[Vv]om|[Zz]u[mr]|[Ii]m|[Bb]eim)\s\d\d?", ""),
    )
]
"""What no sentence ends in if that follows: an abbreviation, "No." and a number, "2.", an hour, a German ordinal."""


def _breaks(body: str) -> list[int]:
    """Where a sentence ends and the next begins inside a block, which itself begins and ends a sentence."""
    breaks = [0]
    for end in accumulate(map(len, _pieces(body))):
        if opener := _OPENERS.search(body, max(breaks[-1], end - 4), end):
            end = opener.start()
        elif not body[end - 1].isspace() and (closer := _CLOSERS.match(body, end)):
            end = closer.end()
        if breaks[-1] < end < len(body) and not _goes_on(body, breaks[-1], end):
            breaks.append(end)
    return breaks[1:]


def _pieces(body: str) -> list[str]:
    """The sentences that sentencex sees, in a copy of the block that has every character in its place."""
    # sentencex 1.0.32 panics where a no-break space stands before a point: "Plan B\xa0. Then".
    plain = re.sub(r"[\ud800-\udfff]", "\ufffd", re.sub(r"\s", " ", body))
    # An inch, an apostrophe or a lone bracket opens a quotation that swallows sentences; short pairs stay.
    plain = _QUOTED.sub(lambda found: found[0] if len(found[0]) > 1 else "’", plain)
    plain = re.sub(r"\bMay\.(?=\s)", "Day.", plain)  # it takes the month for an abbreviation
    pieces: list[str] = []
    start = 0
    while window := plain[start : start + WINDOW]:
        try:
            found = [piece["text"] for piece in sentencex.get_sentence_boundaries("en", window)]
        except BaseException as error:
            # A panic is no Exception and would end a run for one file's sake.
            if type(error).__name__ != "PanicException":
                raise
            found = []
        found = found if "".join(found) == window else [window]
        start += len(window)
        if start < len(plain) and len(found) > 1:
            start -= len(found.pop())
        pieces += found
    return pieces


def _goes_on(body: str, begin: int, end: int) -> bool:
    """Whether the words before and after `end` are one sentence all the same."""
    # Only the words beside `end` are looked at, or a megabyte of "e.g. e.g." would take a day.
    before = body[max(begin, end - 60) : end].rstrip()
    if not (word := _WORD.search(body, end)) or before[-1:].isalnum():
        return True
    if any(left.search(before) and right.match(word[0]) for left, right in _NO_END):
        return True
    if not body[end - 1].isspace() and not body[end].isspace():
        return bool(re.search(r"(?:www\.|://|@)\S*$", before) or re.match(r"[A-Z]{2,4}\b", word[0]))
    # Who begins in lower case writes every sentence so.
    return _starts_small(word[0]) and re.match(r"[\W\d_]*[a-z]", body[:100]) is None


# ---- sentences to passages -------------------------------------------------------------------


@dataclass(slots=True)
class _Unit:
    """A sentence as it is packed: its tokens with the blank space before it, what it begins, if it leads on."""

    sentence: Sentence
    tokens: int
    begins: Literal["section", "paragraph", ""] = "paragraph"
    leads: bool = False
    heading: str | None = None


def passages(source: Source, size: int, overlap: int, count: Count) -> list[Passage]:
    """Passages of whole sentences, of at most `size` tokens, repeating at most `overlap` tokens of the one before.

    Every passage is a slice of the source, and together they cover all but blank space. Only a sentence of more
    than `size` tokens is cut, at blank space where it has any. `count` gives the tokens of each text.
    """
    size = max(1, size)
    units = _units(source, size, count)
    result: list[Passage] = []
    start = fresh = 0
    while fresh < len(units):
        end = _end(units, start, fresh, size)
        inside = units[start:end]
        told = min(inside, key=lambda unit: ("prose", "item", "heading", "other").index(unit.sentence.kind))
        first, last = inside[0].sentence.start, inside[-1].sentence.end
        found = tuple(unit.sentence for unit in inside)
        result.append(Passage(source.name, first, last, source.text[first:last], found, told.heading))
        start, fresh = _overlap_start(units, start, end, size, overlap), end
    return result


def _units(source: Source, size: int, count: Count) -> list[_Unit]:
    """The sentences of a source with all that packing them takes, those of more than `size` tokens cut."""
    whole = sentences(source.text)
    short = [sentence for sentence in whole if (sentence.end - sentence.start) // TOKEN_LENGTH <= size]
    tokens = dict(zip(short, count([source.text[s.start : s.end] for s in short]), strict=True))
    units: list[_Unit] = []
    for sentence in whole:
        worth = max(tokens.get(sentence, size + 1), (sentence.end - sentence.start) // TOKEN_LENGTH, 1)
        units += [_Unit(sentence, worth)] if worth <= size else _cut(source.text, sentence, size, count)
    heading: str | None = None
    title = " ".join((source.title or "").casefold().split())
    for before, unit in zip([None, *units], units, strict=False):
        words = " ".join(source.text[unit.sentence.start : unit.sentence.end].split())
        unit.leads = unit.sentence.kind == "heading" or words[-1] == ":"
        if before:
            gap = source.text[before.sentence.end : unit.sentence.start]
            unit.tokens += len(gap) // TOKEN_LENGTH
            if len(f"({gap})".splitlines()) == 1:
                unit.begins = ""
                before.leads = before.leads or before.sentence.kind == "other"
        if unit.sentence.kind == "heading":
            if before and not unit.begins:
                before.begins = "section"
            unit.begins = "section"
            # The title, wherever it stands, heads the whole source and no part of it.
            heading = heading if words.casefold() == title else words
        unit.heading = heading
    return units


def _cut(text: str, sentence: Sentence, size: int, count: Count) -> list[_Unit]:
    """A sentence in pieces of at most `size` tokens; a word is cut after `size` characters."""
    found = re.compile(rf"\S{{1,{size}}}").finditer(text, sentence.start, sentence.end)
    words = [Sentence(word.start(), word.end(), sentence.kind) for word in found]
    pieces: list[_Unit] = []
    for word, tokens in zip(words, count([text[w.start : w.end] for w in words]), strict=True):
        length = word.end - (pieces[-1].sentence.end if pieces else word.start)
        worth = max(1, tokens, length // TOKEN_LENGTH)
        if pieces and pieces[-1].tokens + worth <= size:
            pieces[-1].sentence = replace(pieces[-1].sentence, end=word.end)
            pieces[-1].tokens += worth
        else:
            pieces.append(_Unit(word, worth))
    return pieces


def _end(units: Sequence[_Unit], start: int, fresh: int, size: int) -> int:
    """Where the passage that begins at `start` ends: full, or at a section or paragraph if it is nearly full there."""
    total = units[start].tokens
    end = start + 1
    section = paragraph = 0
    while end < len(units) and total + units[end].tokens <= size:
        begins = units[end].begins if end > fresh else ""
        if begins == "section" and total * 2 >= size:
            section = end
        elif begins and total * 4 >= size * 3:
            paragraph = end
        total += units[end].tokens
        end += 1
    if end == len(units):
        return end
    if units[end].begins != "section":
        end = section or (end if units[end].begins else paragraph or end)
    # What leads on (a heading, a bullet, "these are:") goes with what it leads to, but not a page of headings.
    return next((back for back in range(end, max(fresh, end - 6), -1) if not units[back - 1].leads), end)


def _overlap_start(units: Sequence[_Unit], start: int, end: int, size: int, overlap: int) -> int:
    """Where the passage after the one from `start` to `end` begins; a new section repeats nothing of the last one."""
    if end == len(units) or units[end].begins == "section":
        return end
    room = min(overlap, size - units[end].tokens)
    while end - 1 > start and units[end - 1].tokens <= room:
        end -= 1
        room -= units[end].tokens
    return end
