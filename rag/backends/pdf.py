"""PDF files to text, page by page, by pypdfium2."""

from __future__ import annotations

import re
from datetime import date
from itertools import accumulate
from typing import Any

from rag.errors import BackendMissing, Unparsable
from rag.records import Parsed

EVERYWHERE = 1e6  # points; more than any page measures, so that text beyond the visible page counts too


class PdfParser:
    """Reads `.pdf`: the text of the pages one after the other, and where each begins. For one thread at a time."""

    suffixes: tuple[str, ...] = (".pdf",)

    def parse(self, content: bytes) -> Parsed:
        """The pages' text with title and date; raises Unparsable for encrypted, broken and scanned files."""
        try:
            import pypdfium2
        except ModuleNotFoundError as missing:
            raise BackendMissing("PDF files need pypdfium2", hint="pip install pypdfium2") from missing
        locked = (pypdfium2.raw.FPDF_ERR_PASSWORD, pypdfium2.raw.FPDF_ERR_SECURITY)
        try:
            with pypdfium2.PdfDocument(content) as document:
                pages = [_page_text(document, number) for number in range(len(document))]
                title = _property(document, "Title")
                created = _property(document, "CreationDate")
        except pypdfium2.PdfiumError as error:
            raise Unparsable("encrypted PDF" if error.err_code in locked else "broken PDF") from error
        except Exception as error:
            raise Unparsable("broken PDF") from error
        words = set(_WORDS.findall("\n".join(pages).lower()))
        pages = [_rejoined(page, words) for page in pages]
        if not any(map(str.strip, pages)):
            raise Unparsable("PDF without text (scanned pages?)")
        if not _legible("".join(pages)):
            raise Unparsable("PDF whose fonts do not say which characters they show")
        starts = accumulate((len(page) for page in pages[:-1]), initial=0)
        return Parsed("".join(pages), _title(title), _iso_date(created), tuple(starts))


def _property(document: Any, name: str) -> str:
    """One of the file's properties, empty where it has none or one that is no text."""
    try:
        return str(document.get_metadata_value(name))
    except UnicodeDecodeError:
        return ""


def _page_text(document: Any, number: int) -> str:
    """One page's text with a line break at its end, empty where it has none; a broken word's hyphen is U+0002."""
    page = document[number]
    try:
        textpage = page.get_textpage()
        try:
            text = textpage.get_text_bounded(-EVERYWHERE, -EVERYWHERE, EVERYWHERE, EVERYWHERE)
        finally:
            textpage.close()
    finally:
        page.close()
    text = re.sub("\r\n?", "\n", text).replace("\ufffe", "\x02").translate(_LIGATURES)
    text = re.sub("[\x00\x01\x03-\x08\x0b-\x1f\x7f]", "", text)
    return f"{text.strip()}\n" if text.strip() else ""


# ---- words broken at the end of a line -------------------------------------------------------

_LIGATURES = {0xFB00: "ff", 0xFB01: "fi", 0xFB02: "fl", 0xFB03: "ffi", 0xFB04: "ffl", 0xFB05: "st", 0xFB06: "st"}
_WORDS = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_BROKEN = re.compile(r"(?<![^\W\d_])([^\W\d_]+)(?:\x02\n?|[-\xad]\n)([^\W\d_]+)([^\s\x02]*)([ \n]?)")


def _rejoined(text: str, words: set[str]) -> str:
    """The text with broken words whole where another place of the document has them so.

    "invest-/ment" becomes "investment" if that word stands elsewhere, "multi-/billion" becomes "multi-billion" if that
    does; a word that stands nowhere else keeps its hyphen and line break, since both could be meant.
    """

    def whole(broken: re.Match[str]) -> str:
        left, right, rest, blank = broken.groups()
        if (left + right).lower() in words:
            return f"{left}{right}{rest}\n"
        return f"{left}-{right}{rest}\n" if f"{left}-{right}".lower() in words else f"{left}-\n{right}{rest}{blank}"

    return _BROKEN.sub(whole, text).replace("\x02", "-")


# ---- title, date, and whether it is text at all ----------------------------------------------


def _legible(text: str) -> bool:
    """Whether most characters have a meaning: fonts without a character map give private or replaced ones."""
    letters = [letter for letter in text if not letter.isspace()]
    unknown = sum(letter == "\ufffd" or "\ue000" <= letter <= "\uf8ff" for letter in letters)
    return unknown * 3 < len(letters)


def _title(value: str) -> str | None:
    """The title of the file's properties, unless the program that wrote it put in a file name."""
    title = " ".join(value.replace("\x00", " ").removeprefix("Microsoft Word - ").split())
    return None if not title or re.search(r"\.\w{2,5}$|^untitled\b", title, re.IGNORECASE) else title


def _iso_date(created: str) -> str | None:
    """The day of a PDF's date: `"D:20250608120000+02'00'"` -> `"2025-06-08"`."""
    found = re.match(r"(?:D:)?(\d{4})(\d{2})(\d{2})", created)
    try:
        return date(*map(int, found.groups())).isoformat() if found else None
    except ValueError:
        return None
