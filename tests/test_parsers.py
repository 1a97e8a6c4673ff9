"""The parsers on real files of their formats: text, title, date, pages, and the reasons for what cannot be read."""

from __future__ import annotations

import io
import sys
import zipfile
from collections.abc import Mapping
from datetime import datetime

import docx
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from rag.backends.html import HtmlParser
from rag.backends.pdf import PdfParser
from rag.backends.plain_text import PlainTextParser
from rag.backends.word import WordParser
from rag.errors import BackendMissing, Unparsable
from rag.protocols import Parser
from rag.records import Parsed
from tests.contracts import parser_contract

PROSE = "Meta is in talks to invest more than $10 billion in Scale AI."


def pdf_file(*pages: list[str], properties: str = "", locked: bool = False) -> bytes:
    """A PDF of pages of lines, written by hand."""
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", "", "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica", ""]
    objects[2] += " /Encoding /WinAnsiEncoding >>"
    objects[3] = f"<< {properties} >>"
    kids = []
    for lines in pages:
        shown = [line.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)") for line in lines]
        drawing = "BT /F1 12 Tf 14 TL 72 720 Td " + " ".join(f"({line}) Tj T*" for line in shown) + " ET"
        objects.append(f"<< /Length {len(drawing)} >>\nstream\n{drawing}\nendstream")
        fonts = "/Resources << /Font << /F1 3 0 R >> >>"
        objects.append(f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] {fonts} /Contents {len(objects)} 0 R >>")
        kids.append(f"{len(objects)} 0 R")
    objects[1] = f"<< /Type /Pages /Count {len(kids)} /Kids [{' '.join(kids)}] >>"
    body, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(body))
        body += f"{number} 0 obj\n{content}\nendobj\n".encode("cp1252")
    lock = f"/Encrypt << /Filter /Standard /V 1 /R 2 /O <{'41' * 32}> /U <{'42' * 32}> /P -4 >> /ID [<00> <00>]"
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    trailer = f"<< /Size {len(objects) + 1} /Root 1 0 R /Info 4 0 R {lock if locked else ''} >>"
    end = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer\n{trailer}\nstartxref\n{len(body)}\n%%EOF\n"
    return body + end.encode("ascii")


def word_file(document: docx.document.Document) -> bytes:
    """The bytes of a python-docx document."""
    stream = io.BytesIO()
    document.save(stream)
    return stream.getvalue()


def word_sample() -> bytes:
    """A small Word document of one paragraph."""
    document = docx.Document()
    document.add_paragraph(PROSE)
    return word_file(document)


def page(body: str, head: str = "") -> bytes:
    """A small web page."""
    return f"<!DOCTYPE html><html><head>{head}</head><body>{body}</body></html>".encode()


def reason(parser: Parser, content: bytes) -> str:
    """The reason for which a parser refuses a file."""
    with pytest.raises(Unparsable) as refused:
        parser.parse(content)
    return refused.value.message


@pytest.mark.parametrize(
    ("parser", "sample"),
    [
        pytest.param(PlainTextParser(), f"{PROSE}\n\nIt said so on Sunday – “soon”.\n".encode(), id="plain text"),
        pytest.param(HtmlParser(), page(f"<h1>News</h1><p>{PROSE}</p><p>It said so “soon”.</p>"), id="HTML"),
        pytest.param(PdfParser(), pdf_file([PROSE], ["Page two."]), id="PDF"),
        pytest.param(WordParser(), word_sample(), id="Word"),
    ],
)
def test_parsers_keep_the_contract(parser: Parser, sample: bytes) -> None:
    parser_contract(parser, sample, PROSE)


# ---- plain text: encodings -------------------------------------------------------------------

GERMAN = "Die Gespräche über das Geschäft laufen noch, und der Börsengang ist nicht vor März zu erwarten.\n"
FRENCH = "Le géant américain est en négociations pour une prise de participation dans la société, très tôt créée.\n"
RUSSIAN = """Компания сообщила, что переговоры о продаже доли ещё идут. Стороны не раскрывают условия сделки, однако
источники утверждают, что её сумма может превысить десять миллиардов долларов. Основатель предприятия останется на
своём посту, а новый владелец получит место в совете директоров и доступ к данным, которые нужны для обучения.
Представители отказались отвечать на вопросы журналистов до конца недели.
"""
QUOTED = "Wang said the deal “won’t change” the company’s plans – not in 2025 … and not for €20.\n"


@given(st.text())
def test_text_comes_back_from_utf8_and_utf16_exactly(text: str) -> None:
    assume(text.strip() and not text.startswith("\ufeff"))
    assume(not any((c < " " and c not in "\t\n\v\f\r") or c == "\x7f" for c in text))
    for content in (
        text.encode("utf-8"),
        text.encode("utf-8-sig"),
        b"\xff\xfe" + text.encode("utf-16-le"),
        b"\xfe\xff" + text.encode("utf-16-be"),
    ):
        assert PlainTextParser().parse(content).text == text


@given(st.text(), st.sampled_from(["utf-16-le", "utf-16-be"]))
def test_utf16_without_a_mark_is_right_or_refused(text: str, codec: str) -> None:
    content = f"The article says: {text} That was all it said.\n".encode(codec)
    try:
        assert PlainTextParser().parse(content).text.encode(codec) == content
    except Unparsable as error:
        assert error.message in ("binary file", "unknown encoding (save the file as UTF-8)")


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", [GERMAN, QUOTED, "Компания сообщила о сделке, которая ещё не закрыта.\r\n"])
def test_utf16_without_a_mark_is_recognised(text: str, codec: str) -> None:
    assert PlainTextParser().parse(text.encode(codec)).text == text


@pytest.mark.parametrize(
    ("text", "codec"),
    [
        pytest.param("Müller trank Kaffee im Café.\n", "latin-1", id="Latin-1 é and ü"),
        pytest.param(GERMAN, "latin-1", id="Latin-1 German"),
        pytest.param(FRENCH * 3, "latin-1", id="Latin-1 French"),
        pytest.param(QUOTED, "cp1252", id="Windows-1252 quotes"),
        pytest.param(
            "The talks—which began in May—are not over, and it is not for us to say.\n", "cp1252", id="dashes"
        ),
        pytest.param(RUSSIAN, "cp1251", id="Cyrillic"),
        pytest.param(RUSSIAN, "koi8-r", id="Cyrillic of Unix"),
        pytest.param("該公司表示,出售股份的談判仍在進行中,但是沒有透露任何細節。" * 12, "big5", id="Chinese"),
        pytest.param(f"\ufeff{QUOTED}".removeprefix("\ufeff"), "utf-8-sig", id="UTF-8 with a mark"),
        pytest.param(QUOTED, "utf-32", id="UTF-32 with a mark"),
    ],
)
def test_old_encodings_are_read(text: str, codec: str) -> None:
    assert PlainTextParser().parse(text.encode(codec)).text == text


@pytest.mark.parametrize(
    ("text", "codec"),
    [
        pytest.param("He ate a crème brûlée.\n", "latin-1", id="è that could be č"),
        pytest.param(
            "The composer Dvořák was born near Prague, and it is said that he was poor.\n", "cp1250", id="Czech"
        ),
        pytest.param("Wałęsa pojechał do Gdańska, gdzie już na niego czekali.\n" * 5, "iso8859-2", id="Polish"),
        pytest.param(GERMAN, "mac-roman", id="Mac"),
        pytest.param(GERMAN, "cp850", id="DOS"),
        pytest.param("The word “only” is только in Russian, and it is not easy.\n", "koi8-r", id="a Russian word"),
        pytest.param("Erdoğan İstanbul'da konuştu ve bunu açıkladı.\n" * 5, "cp1254", id="Turkish"),
    ],
)
def test_a_doubtful_encoding_is_refused(text: str, codec: str) -> None:
    content = text.encode(codec, "ignore")
    assert reason(PlainTextParser(), content) == "unknown encoding (save the file as UTF-8)"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(GERMAN.encode("utf-8")[:9] + b"\xe9" + GERMAN.encode("utf-8")[9:], id="a byte too many"),
        pytest.param("The café".encode()[:-1], id="cut off"),
        pytest.param(GERMAN.encode("utf-8") + GERMAN.encode("latin-1"), id="two encodings"),
        pytest.param(b"\xef\xbb\xbfM\xfcller", id="mark of UTF-8, but Latin-1"),
        pytest.param(b"\xff\xfeA\x00B", id="half a character of UTF-16"),
    ],
)
def test_broken_unicode_is_refused(content: bytes) -> None:
    assert reason(PlainTextParser(), content) == "unknown encoding (save the file as UTF-8)"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06", id="PNG"),
        pytest.param(b"text with a \x00 in it", id="NUL in ASCII"),
        pytest.param("text with \x01 in it".encode("utf-16"), id="control character in UTF-16"),
        pytest.param(b"M\xfcller \x02", id="control character in Latin-1"),
        pytest.param(b"PK\x03\x04\x14\x00\x06\x00\x08\x00\x00\x00!\x00", id="zip"),
    ],
)
def test_binary_files_are_refused(content: bytes) -> None:
    assert reason(PlainTextParser(), content) == "binary file"


def test_line_ends_are_kept() -> None:
    assert PlainTextParser().parse(b"One.\r\nTwo.\rThree.\n\n").text == "One.\r\nTwo.\rThree.\n\n"


# ---- plain text: title and date --------------------------------------------------------------

FRONT = "---\ntitle: 'A: deal'\nDate: 2025-06-08T10:00:00Z\ntags: [x]\n---\n# Another\n\nText.\n"
WRAPPED = """In what could be one of the most significant deals of the year Mr
Wang is said to be in talks with the owner of a firm named after
Meta.
"""


@pytest.mark.parametrize(
    ("text", "title", "published"),
    [
        pytest.param(FRONT, "A: deal", "2025-06-08", id="front matter"),
        pytest.param(FRONT.replace("\n", "\r\n"), "A: deal", "2025-06-08", id="front matter with CRLF"),
        pytest.param("---\ntitle: >\n  long\n---\n# Real\n", "Real", None, id="title of several lines"),
        pytest.param("---\ndate: 2025-02-30\n---\nText.", None, None, id="no such day"),
        pytest.param("---\ntitle: never closed\n\nText.", None, None, id="front matter without end"),
        pytest.param("intro, in prose.\n\n## Part\n\n# The *title* #\n", "The *title*", None, id="first of rank one"),
        pytest.param("\n## Part\n\ntext\n", "Part", None, id="heading at the top"),
        pytest.param("```\n# comment\n```\nText goes on here.\n", None, None, id="comment in code"),
        pytest.param(" date 2025-06-08 Meta is in talks, it said.\n", None, "2025-06-08", id="leading date"),
        pytest.param("Date: 2025-06-08\nMeta in talks\n\nText.", "Meta in talks", "2025-06-08", id="date, headline"),
        pytest.param("date 2025-13-08 and so on.", None, None, id="no such month"),
        pytest.param("Meta in talks\nIt said so.", "Meta in talks", None, id="headline"),
        pytest.param("Who founded Scale AI?\r\n\r\nWang did.", "Who founded Scale AI?", None, id="question"),
        pytest.param("Meta is in talks.\n\nIt said so.", None, None, id="sentence"),
        pytest.param("He said: “It is.”\nSo.", None, None, id="full stop in quotes"),
        pytest.param("Meta in talks", None, None, id="nothing after it"),
        pytest.param("x " * 61 + "\n\nText.", None, None, id="too long"),
        pytest.param(WRAPPED, None, None, id="wrapped by hand"),
        pytest.param("This goes on\nin the next line.", None, None, id="goes on in lower case"),
        pytest.param("- one\n- two\n", None, None, id="list"),
        pytest.param("***\n\nText.", None, None, id="ornament"),
    ],
)
def test_plain_text_titles_and_dates(text: str, title: str | None, published: str | None) -> None:
    assert PlainTextParser().parse(text.encode()) == Parsed(text, title, published)


# ---- HTML ------------------------------------------------------------------------------------

ARTICLE = f"""
<nav><ul><li><a href="/">Home</a></li><li><a href="/n">News</a></li></ul></nav>
<article><h1>Meta eyes Scale AI</h1><p>{PROSE} The deal could become one of the largest private funding rounds.</p>
<h2>Why it matters</h2><p>Scale AI was founded in 2016 by <b>Alexandr</b> Wang. Its customers include OpenAI.</p>
<ul><li>Revenue of $870 million in 2024</li><li>Sales of $2 billion in 2025</li></ul>
<table><tr><th>Year</th><th>Revenue</th></tr><tr><td>2024</td><td>$870 million</td></tr></table></article>
<footer>All rights reserved.</footer><script>var secret = "no prose at all in here";</script>"""


def test_html_gives_the_main_text_line_by_line() -> None:
    head = (
        '<title>Meta eyes Scale AI - News</title><meta property="article:published_time" content="2025-06-08T10:00Z">'
    )
    assert HtmlParser().parse(page(ARTICLE, head)) == Parsed(
        "Meta eyes Scale AI\n"
        f"{PROSE} The deal could become one of the largest private funding rounds.\n"
        "Why it matters\n"
        "Scale AI was founded in 2016 by Alexandr Wang. Its customers include OpenAI.\n"
        "- Revenue of $870 million in 2024\n"
        "- Sales of $2 billion in 2025\n"
        "| Year | Revenue |\n"
        "| 2024 | $870 million |",
        "Meta eyes Scale AI",
        "2025-06-08",
    )


@pytest.mark.parametrize(
    ("head", "published"),
    [
        pytest.param('<meta name="date" content="2025-06-08">', "2025-06-08", id="meta name"),
        pytest.param('<meta itemprop="datePublished" content="2025-06-08">', "2025-06-08", id="microdata"),
        pytest.param(
            '<script type="application/ld+json">{"datePublished": "2025-06-09T01:00:00"}</script>',
            "2025-06-09",
            id="JSON-LD",
        ),
        pytest.param('<meta property="article:modified_time" content="2025-06-08">', None, id="only a change"),
        pytest.param('<meta name="date" content="2025-02-31">', None, id="no such day"),
        pytest.param('<meta name="date" content="yesterday">', None, id="no date"),
        pytest.param("", None, id="only dates in the text"),
    ],
)
def test_html_dates_are_those_that_the_page_states(head: str, published: str | None) -> None:
    assert (
        HtmlParser().parse(page(f"<p>On May 1, 2024, it said: {PROSE}</p><p>© 2023</p>", head)).published == published
    )


def test_html_takes_the_date_of_the_only_time_element() -> None:
    one = f'<p><time datetime="2025-06-08T10:00">June 8</time> {PROSE}</p>'
    assert HtmlParser().parse(page(one)).published == "2025-06-08"
    assert HtmlParser().parse(page(one + one.replace("06-08", "07-09"))).published is None


@pytest.mark.parametrize(
    ("declared", "codec"),
    [
        pytest.param('<meta charset="iso-8859-1">', "cp1252", id="Latin-1 is Windows-1252"),
        pytest.param(
            '<meta http-equiv="content-type" content="text/html; charset=windows-1250">', "cp1250", id="cp1250"
        ),
        pytest.param('<meta charset="iso-8859-1">', "utf-8", id="UTF-8 that declares Latin-1"),
        pytest.param("", "utf-8-sig", id="UTF-8 with a mark"),
        pytest.param("", "utf-16", id="UTF-16 with a mark"),
    ],
)
def test_html_is_decoded_as_declared(declared: str, codec: str) -> None:
    words = "Zwei Männer führten “Gespräche” über den Kauf."
    content = page(f"<p>{words}</p><p>{PROSE}</p>", declared).decode().encode(codec)
    assert words in HtmlParser().parse(content).text


def test_html_survives_references_to_control_characters() -> None:
    assert (
        "in 2016, it says."
        in HtmlParser().parse(page(f"<p>{PROSE}</p><p>Founded&#1; in 2016,&#xFFFE; it says.</p>")).text
    )


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(page("<nav><a href='/'>Home</a> <a href='/n'>News</a></nav>"), "no prose in the page", id="links"),
        pytest.param(page("", "<title>Only a title</title>"), "no prose in the page", id="empty body"),
        pytest.param(b" ", "no prose in the page", id="blank"),
        pytest.param(
            b"<p>caf\xe9 au lait, and much more of it</p>", "unknown encoding (save the file as UTF-8)", id="é"
        ),
        pytest.param(b"<p>\x00</p>", "binary file", id="binary"),
        pytest.param(page("<div>" * 50_000 + PROSE), "no prose in the page", id="nested without end"),
    ],
)
def test_html_without_prose_is_refused(content: bytes, why: str) -> None:
    assert reason(HtmlParser(), content) == why


def test_a_piece_of_a_page_is_read() -> None:
    assert HtmlParser().parse(f"<p>{PROSE}</p>".encode()).text == PROSE


# ---- PDF -------------------------------------------------------------------------------------


def test_pdf_pages_begin_where_pages_says() -> None:
    properties = "/Title (Scale AI) /CreationDate (D:20250608120000+02'00') /ModDate (D:20260101000000Z)"
    parsed = PdfParser().parse(pdf_file(["A café.", "“More” (here)."], [], ["Page three."], properties=properties))
    assert parsed == Parsed("A café.\n“More” (here).\nPage three.\n", "Scale AI", "2025-06-08", (0, 23, 23))
    assert parsed.text[23:] == "Page three.\n"


def test_pdf_words_broken_at_line_ends_are_joined_where_the_text_knows_them() -> None:
    lines = [
        "The invest-",
        "ment was a multi-",
        "billion one. An investment of multi-billion",
        "size is extra-",
        "ordinary.",
    ]
    assert PdfParser().parse(pdf_file(lines)).text == (
        "The investment\nwas a multi-billion\none. An investment of multi-billion\nsize is extra-\nordinary.\n"
    )


@pytest.mark.parametrize(
    ("properties", "title", "published"),
    [
        pytest.param("/Title (Microsoft Word - report.docx)", None, None, id="name of a file"),
        pytest.param("/Title (untitled)", None, None, id="untitled"),
        pytest.param("/Title (Report)", "Report", None, id="title"),
        pytest.param("/CreationDate (D:20251308)", None, None, id="no such month"),
        pytest.param("/ModDate (D:20250608)", None, None, id="only a change"),
    ],
)
def test_pdf_properties(properties: str, title: str | None, published: str | None) -> None:
    assert PdfParser().parse(pdf_file(["Text."], properties=properties)) == Parsed("Text.\n", title, published, (0,))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(pdf_file([PROSE], locked=True), "encrypted PDF", id="encrypted"),
        pytest.param(pdf_file([], []), "PDF without text (scanned pages?)", id="scanned"),
        pytest.param(b"%PDF-1.4\nnothing", "broken PDF", id="broken"),
        pytest.param(b"This is text.", "broken PDF", id="no PDF at all"),
    ],
)
def test_pdf_that_cannot_be_read_is_refused(content: bytes, why: str) -> None:
    assert reason(PdfParser(), content) == why


# ---- Word ------------------------------------------------------------------------------------


def test_word_text_in_its_order() -> None:
    document = docx.Document()
    document.add_heading("Scale AI", 1)
    document.add_paragraph(PROSE).add_run(" And more.").add_break()
    document.add_paragraph("")
    for item in ("First item", "Second item"):
        document.add_paragraph(item, style="List Bullet")
    table = document.add_table(2, 2)
    for cell, text in zip(
        (c for row in table.rows for c in row.cells), ("Year", "Revenue", "2024", "$870 million"), strict=True
    ):
        cell.text = text
    document.add_paragraph("The end.")
    document.core_properties.title = "A deal"
    document.core_properties.created = datetime(2025, 6, 8, 10)
    assert WordParser().parse(word_file(document)) == Parsed(
        f"Scale AI\n\n{PROSE} And more.\n\n- First item\n- Second item\n\n"
        "| Year | Revenue |\n| 2024 | $870 million |\n\nThe end.\n\n",
        "A deal",
        "2025-06-08",
    )


def test_word_title_paragraph_and_template_date() -> None:
    document = docx.Document()
    document.add_heading("The title", 0)
    document.add_paragraph(PROSE)
    assert WordParser().parse(word_file(document)) == Parsed(f"The title\n\n{PROSE}\n\n", "The title", None)


def test_word_keeps_tracked_insertions_and_content_controls_but_no_deletions() -> None:
    content = "<w:ins><w:r><w:t>{}</w:t></w:r></w:ins><w:del><w:r><w:delText>gone</w:delText></w:r></w:del>"
    control = f"<w:sdt><w:sdtContent><w:p>{content.format('kept too')}</w:p></w:sdtContent></w:sdt>"
    box = "<w:r><w:pict><w:txbxContent><w:p><w:r><w:t>boxed</w:t></w:r></w:p></w:txbxContent></w:pict></w:r>"
    body = f"<w:p><w:r><w:t>Words </w:t></w:r>{content.format('kept')}{box}</w:p>{control}"
    parts = {}
    with zipfile.ZipFile(io.BytesIO(word_sample())) as package:
        parts = {name: package.read(name) for name in package.namelist()}
    start, end = parts["word/document.xml"].split(b"<w:body>")[0], b"</w:body></w:document>"
    parts["word/document.xml"] = start + b"<w:body>" + body.encode() + end
    assert WordParser().parse(zipped(parts)).text == "Words kept\n\nboxed\n\nkept too\n\n"


def test_word_prose_that_a_table_arranges_is_read_as_prose() -> None:
    document = docx.Document()
    table = document.add_table(1, 2)
    table.cell(0, 0).text = f"{PROSE} " * 6
    table.cell(0, 1).text = "Second column."
    assert WordParser().parse(word_file(document)).text == f"{(PROSE + ' ') * 6}".strip() + "\n\nSecond column.\n\n"


def zipped(parts: Mapping[str, bytes]) -> bytes:
    """A zip archive of the given parts."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in parts.items():
            package.writestr(name, content)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(b"This is text.", "broken DOCX", id="no zip"),
        pytest.param(zipped({"a.txt": b"x"}), "broken DOCX", id="zip of other things"),
        pytest.param(
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
            "encrypted DOCX, or a Word file from before 2007",
            id="OLE",
        ),
        pytest.param(word_file(docx.Document()), "empty", id="empty"),
        pytest.param(
            zipped({"word/document.xml": bytes(120_000_000)}),
            "too large (120 MB unpacked, the limit is 100 MB)",
            id="zip bomb",
        ),
    ],
)
def test_word_that_cannot_be_read_is_refused(content: bytes, why: str) -> None:
    assert reason(WordParser(), content) == why


def test_word_does_not_expand_entities() -> None:
    with zipfile.ZipFile(io.BytesIO(word_sample())) as package:
        parts = {name: package.read(name) for name in package.namelist()}
    xml = parts["word/document.xml"].replace(PROSE.encode(), b"&bomb;")
    head, _, rest = xml.partition(b"?>")
    parts["word/document.xml"] = head + b'?><!DOCTYPE w [<!ENTITY bomb SYSTEM "file:///etc/hostname">]>' + rest
    assert reason(WordParser(), zipped(parts)) == "empty"


# ---- long runs -------------------------------------------------------------------------------

LONG = 400_000


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("date" + " " * LONG + "x", id="blanks after date"),
        pytest.param("---\ntitle: a" + " " * LONG + "b\n---\n", id="blanks in front matter"),
        pytest.param("# a" + " " * LONG + "b\n", id="blanks in a heading"),
        pytest.param("é" * LONG, id="letters"),
        pytest.param("\n" * LONG + "x", id="empty lines"),
    ],
)
def test_long_runs_in_text_do_not_stall(text: str) -> None:
    assert PlainTextParser().parse(text.encode()).text == text


def test_long_runs_in_a_pdf_do_not_stall() -> None:
    text = PdfParser().parse(pdf_file(["a" * 150, *(["a" * 50] * 2000)])).text
    assert text.startswith("a" * 150)
    assert PdfParser().parse(pdf_file(["a" * 200_000 + " ."])).text.startswith("a" * 10_000)


def test_long_runs_in_word_do_not_stall() -> None:
    document = docx.Document()
    document.add_paragraph("a" + " " * LONG + "b")
    assert WordParser().parse(word_file(document)).text.startswith("a  ")


@pytest.mark.parametrize("piece", ["<a ", "<!--", "&#", "<meta ", "| ", "<p>a "])
def test_long_runs_in_html_do_not_stall(piece: str) -> None:
    try:
        assert HtmlParser().parse((piece * 20_000).encode()).text
    except Unparsable as error:
        assert error.message in ("no prose in the page", "broken HTML")


# ---- missing packages ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parser", "content", "package", "command"),
    [
        pytest.param(HtmlParser(), page(PROSE), "trafilatura", "pip install trafilatura", id="HTML"),
        pytest.param(PdfParser(), pdf_file([PROSE]), "pypdfium2", "pip install pypdfium2", id="PDF"),
        pytest.param(WordParser(), word_sample(), "docx", "pip install python-docx", id="Word"),
        pytest.param(
            PlainTextParser(),
            "компания".encode("cp1251"),
            "charset_normalizer",
            "pip install charset-normalizer",
            id="text",
        ),
    ],
)
def test_a_missing_package_is_named_with_the_command(
    parser: Parser, content: bytes, package: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(BackendMissing) as missing:
        parser.parse(content)
    assert missing.value.hint == command
