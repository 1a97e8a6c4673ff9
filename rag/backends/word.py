"""Word files to text: paragraphs, headings, list items and table rows in their order, by python-docx."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from rag.errors import BackendMissing, Unparsable
from rag.records import Parsed

MOST_UNPACKED = 100_000_000
"""Bytes that a file may hold when unpacked: a small file can be made to fill the memory."""

LONGEST_CELL = 300
"""Characters up to which a table's cell is taken for a value; longer ones are prose that a table only arranges."""


class WordParser:
    """Reads `.docx`: a block of text for each paragraph, a line for each list item and table row."""

    suffixes: tuple[str, ...] = (".docx",)

    def parse(self, content: bytes) -> Parsed:
        """The document's text with title and date; raises Unparsable for encrypted and broken files."""
        try:
            import docx
        except ModuleNotFoundError as missing:
            raise BackendMissing("DOCX files need python-docx", hint="pip install python-docx") from missing
        _check_package(content)
        try:
            document = docx.Document(io.BytesIO(content))
            text = _joined(_blocks(document.element.body))
            titled = [
                p.text.strip() for p in document.paragraphs[:20] if p.style is not None and p.style.name == "Title"
            ]
            title, created = document.core_properties.title, document.core_properties.created
        except Exception as error:
            raise Unparsable("broken DOCX") from error
        if not text.strip():
            raise Unparsable("empty")
        # Programs that set no title or date leave those of python-docx's own template in place.
        known = title.strip() if title.strip() != "Word Document" else ""
        return Parsed(text, known or next(filter(None, titled), None), _day(created))


def _check_package(content: bytes) -> None:
    """Raise Unparsable unless the file is a zip archive of reasonable size that opens without a password."""
    if content.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        raise Unparsable("encrypted DOCX, or a Word file from before 2007")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as package:
            parts = package.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
        raise Unparsable("broken DOCX") from error
    if any(part.flag_bits & 1 for part in parts):
        raise Unparsable("encrypted DOCX")
    unpacked = sum(part.file_size for part in parts)
    if unpacked > MOST_UNPACKED:
        raise Unparsable(f"too large ({unpacked / 1e6:.0f} MB unpacked, the limit is {MOST_UNPACKED / 1e6:.0f} MB)")


def _day(created: datetime | None) -> str | None:
    if created is None or created.replace(tzinfo=UTC) == datetime(2013, 12, 23, 23, 15, tzinfo=UTC):
        return None
    return created.date().isoformat()


# ---- the document's tree ---------------------------------------------------------------------

# Deleted words, formatting, the codes of fields, and the old form of a text box that its new form repeats.
_LEFT_OUT = {"del", "moveFrom", "pPr", "rPr", "instrText", "delText", "Fallback", "tblPr", "trPr", "tcPr", "sectPr"}
_SIGNS = {"tab": " ", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}


def _children(element: Any) -> Iterator[tuple[str, Any]]:
    """The elements in an element by their local names, those aside that hold no text of the document.

    python-docx's own `text` passes over insertions that are tracked, content controls and text boxes.
    """
    for child in element:
        name = child.tag.rpartition("}")[2] if isinstance(child.tag, str) else ""
        if name and name not in _LEFT_OUT:
            yield name, child


def _blocks(element: Any) -> Iterator[str]:
    """The paragraphs and table rows below an element, none of them blank."""
    for name, child in _children(element):
        if name == "p":
            lines = (line.strip() for line in "".join(_pieces(child)).split("\n"))
            text = "\n".join(filter(None, lines))
            if text:
                yield f"- {text}" if _is_item(child) else text
            yield from (block for box in _boxes(child) for block in _blocks(box))
        elif name == "tr":
            yield from _row([list(_blocks(cell)) for cell in _cells(child)])
        else:
            yield from _blocks(child)


def _pieces(element: Any) -> Iterator[str]:
    for name, child in _children(element):
        if name == "t":
            yield child.text or ""
        elif name in _SIGNS:
            yield _SIGNS[name]
        elif name != "txbxContent":
            yield from _pieces(child)


def _boxes(element: Any) -> Iterator[Any]:
    """The text boxes that are anchored in a paragraph."""
    for name, child in _children(element):
        if name == "txbxContent":
            yield child
        else:
            yield from _boxes(child)


def _cells(row: Any) -> Iterator[Any]:
    for name, child in _children(row):
        if name == "tc":
            yield child
        else:
            yield from _cells(child)


def _row(cells: list[list[str]]) -> Iterator[str]:
    """A table's row as one line `| a | b |`, or its paragraphs one by one where it only arranges prose."""
    texts = [" ".join(" ".join(cell).split()) for cell in cells]
    if sum(map(bool, texts)) < 2 or max(map(len, texts)) > LONGEST_CELL:
        yield from (block for cell in cells for block in cell)
    else:
        yield f"| {' | '.join(texts)} |"


def _is_item(paragraph: Any) -> bool:
    """Whether a paragraph is a list's item, by its own numbering or by its style; a numbered heading is none."""
    properties = paragraph.pPr
    style = (paragraph.style or "") if properties is not None else ""
    if properties is None or style.startswith(("Heading", "Title")):
        return False
    numbering = properties.numPr
    if numbering is not None and numbering.numId is not None:
        return bool(numbering.numId.val)
    return style.startswith(("ListBullet", "ListNumber"))


def _joined(blocks: Iterable[str]) -> str:
    """The blocks with a blank line between them, items and rows of one list or table without."""
    pieces = list(blocks)
    together = [a[:2] == b[:2] and a[:2] in ("- ", "| ") for a, b in pairwise(pieces)]
    return "".join(
        piece + ("\n" if close else "\n\n") for piece, close in zip(pieces, [*together, False], strict=False)
    )
