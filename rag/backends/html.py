"""Web pages to text: the main text as lines, without navigation and advertisements, by trafilatura."""

from __future__ import annotations

import codecs
import logging
import re
from datetime import date
from typing import Any

from rag.errors import BackendMissing, Unparsable
from rag.records import Parsed


class HtmlParser:
    """Reads `.html` and `.htm`: headings, paragraphs, list items and table rows of the main text, a line each."""

    suffixes: tuple[str, ...] = (".html", ".htm")

    def parse(self, content: bytes) -> Parsed:
        """The page's main text with its title and date; raises Unparsable where it has no prose, BackendMissing."""
        try:
            import trafilatura
        except ModuleNotFoundError as missing:
            raise BackendMissing("HTML files need trafilatura", hint="pip install trafilatura") from missing
        page = _without_controls(_decoded(content))
        # It logs what it makes of every page; the reason that the report gives is enough.
        logging.getLogger("trafilatura").setLevel(logging.CRITICAL)
        try:
            found = _extracted(trafilatura, page)
            tree = trafilatura.load_html(page)
            published = None if tree is None else _published(tree)
        except Exception as error:
            raise Unparsable("broken HTML") from error
        if found is None or not _has_prose(text := _tidy(found.text or "")):
            raise Unparsable("no prose in the page")
        return Parsed(text, found.title or None, published)


def _extracted(trafilatura: Any, page: str) -> Any:
    """What trafilatura finds; a piece of a page is put into one, since it takes only whole pages."""
    for attempt in (page, f"<html><body>{page}</body></html>"):
        # The date is not asked for: its guess takes a date in the text, or a later change, for the publication.
        found = trafilatura.bare_extraction(
            attempt,
            include_comments=False,
            with_metadata=True,
            date_extraction_params={"original_date": True, "extensive_search": False},
        )
        if found is not None:
            return found
    return None


def _tidy(text: str) -> str:
    """The text without blanks at line ends and without the rules between a table's head and its rows."""
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line and not re.fullmatch(r"\|[-| ]+\|", line))


def _has_prose(text: str) -> bool:
    """Whether some line is more than the label of a link; languages without blanks count by length."""
    return any(len(line.split()) > 4 or (len(line) > 15 and not line.isascii()) for line in text.split("\n"))


# ---- date ------------------------------------------------------------------------------------

_DATE_NAMES = (
    *("article:published_time", "og:published_time", "datepublished", "date", "pubdate", "publishdate", "publish-date"),
    *("dc.date.issued", "dcterms.issued", "dc.date", "dcterms.date", "sailthru.date", "parsely-pub-date"),
)


def _published(tree: Any) -> str | None:
    """The date of publication that the page states for machines; one that is not ISO 8601 or not real is no date."""
    metas = {
        (meta.get("property") or meta.get("name") or meta.get("itemprop") or "").lower(): meta.get("content") or ""
        for meta in reversed(tree.findall(".//meta"))
    }
    stated = [metas[name] for name in _DATE_NAMES if name in metas]
    for script in tree.findall(".//script[@type='application/ld+json']"):
        stated += re.findall(r'"datePublished"\s*:\s*"([^"]+)"', script.text or "")
    # Several dates belong to several articles.
    times = {moment.get("datetime")[:10] for moment in tree.findall(".//time[@datetime]")}
    stated += times if len(times) == 1 else ()
    return next(filter(None, map(_iso_date, stated)), None)


def _iso_date(value: str) -> str | None:
    found = re.match(r"\s*(\d{4}-\d{2}-\d{2})(?!\d)", value)
    try:
        return date.fromisoformat(found[1]).isoformat() if found else None
    except ValueError:
        return None


# ---- encoding --------------------------------------------------------------------------------

_MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_DECLARED = re.compile(
    rb"""<meta[^>]{1,200}?charset\s*=\s*["']?\s*([\w:.-]+)|<\?xml[^>]{1,200}?encoding\s*=\s*["']([\w:.-]+)""",
    re.IGNORECASE,
)
# Browsers read these names as the larger encoding, and pages are written for browsers.
_MEANT = {"iso8859-1": "cp1252", "ascii": "cp1252", "gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932"}


def _decoded(content: bytes) -> str:
    """The page in the encoding of its mark, else UTF-8, else the one that it declares; any other is unknown."""
    mark = next((mark for mark in _MARKS if content.startswith(mark)), b"")
    if not mark and b"\0" in content:
        raise Unparsable("binary file")
    declared = _DECLARED.search(content[:4096])
    name = (declared[1] or declared[2]).decode("latin-1") if declared else "utf-8"
    # Escape sequences of seven-bit encodings such as ISO-2022-JP would pass for UTF-8.
    codecs_to_try = [_MARKS[mark]] if mark else [name] if b"\x1b" in content else ["utf-8", name]
    for codec in codecs_to_try:
        try:
            known = codecs.lookup(codec).name
            return content[len(mark) :].decode(_MEANT.get(known, known))
        except (LookupError, UnicodeError):
            continue
    raise Unparsable("unknown encoding (save the file as UTF-8)")


def _without_controls(page: str) -> str:
    """The page without control characters and references to them, at which libxml2 would give up the whole page."""

    def kept(reference: re.Match[str]) -> str:
        number = reference[1].lower()
        code = int(number[1:], 16) if number[0] == "x" else int(number)
        return "" if (code < 32 and code not in (9, 10, 13)) or code in (0xFFFE, 0xFFFF) else reference[0]

    page = re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]", " ", page)
    return re.sub(r"&#([xX][0-9a-fA-F]{1,8}|\d{1,8});", kept, page)
