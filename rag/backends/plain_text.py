"""Text files to text: the decoded file itself, its title and its date. An encoding in doubt is refused, not guessed."""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from datetime import date

from rag.errors import BackendMissing, Unparsable
from rag.records import Parsed


class PlainTextParser:
    """Reads `.txt` and `.md`: the text is the decoded file itself, its byte-order mark aside."""

    suffixes: tuple[str, ...] = (".txt", ".md")

    def parse(self, content: bytes) -> Parsed:
        """The decoded file with its title and date; raises Unparsable for what is no text or of unknown encoding."""
        text = decoded(content)
        front, body = _front_matter(text)
        leading = LEADING_DATE.match(body)
        if leading:
            body = body[leading.end() :]
        dates = (front.get("date", ""), front.get("published", ""), leading[1] if leading else "")
        published = next(filter(None, map(_iso_date, dates)), None)
        return Parsed(text, front.get("title") or _heading(body) or _headline(body), published)


# ---- title and date --------------------------------------------------------------------------

LEADING_DATE = re.compile(r"\s*(?:date|published)\s{0,9}:?\s{1,9}(\d{4}-\d{2}-\d{2})(?!\d)[ \t]*", re.IGNORECASE)
LONGEST_HEADLINE = 120
LONGEST_HEADING = 1000
LONGEST_FRONT_MATTER = 200

_FRONT_LINE = re.compile(r"([A-Za-z][\w-]*)\s*:(.*)")
_HEADING = re.compile(r" {0,3}(#{1,6})\s+(.*?)(?:\s+#+)?\s*$")
_FENCE = re.compile(r" {0,3}(?:```|~~~)")
_NO_HEADLINE = re.compile(r"""[-*+>|•<{(\[]|\d+[.)]\s|\w+://|.*(?:[.…。,;:]|\.["'”’»)\]]+)$""")


def _iso_date(value: str) -> str | None:
    """The date with which a value begins: `"2025-06-08T10:00Z"` -> `"2025-06-08"`, `"2025-02-30"` -> None."""
    found = re.match(r"\d{4}-\d{2}-\d{2}(?!\d)", value)
    try:
        return date.fromisoformat(found[0]).isoformat() if found else None
    except ValueError:
        return None


def _front_matter(text: str) -> tuple[dict[str, str], str]:
    """The values between `---` lines at the top, and the text after them."""
    lines = text.split("\n", LONGEST_FRONT_MATTER)
    closing = next((n for n, line in enumerate(lines[1:], 1) if line.rstrip() in ("---", "...")), None)
    if lines[0].rstrip() != "---" or closing is None:
        return {}, text
    values: dict[str, str] = {}
    for line in lines[1:closing]:
        if found := _FRONT_LINE.match(line):
            name, value = found[1].lower(), found[2].strip()
            quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
            # ">" and "|" begin a text of several lines, which a title or a date is not.
            values.setdefault(name, "" if value[:1] in (">", "|") else value[1:-1] if quoted else value)
    return values, "\n".join(lines[closing + 1 :])


def _heading(body: str) -> str | None:
    """The first Markdown heading of the first rank, or of any rank where the text begins with it."""
    fenced = False
    for number, line in enumerate(filter(str.strip, _lines(body))):
        if _FENCE.match(line):
            fenced = not fenced
        found = None if fenced or len(line) > LONGEST_HEADING else _HEADING.match(line)
        if found and found[2] and (number == 0 or found[1] == "#"):
            return re.sub(r"^(\*\*|__|\*|_)(.+)\1$", r"\2", found[2])
    return None


def _headline(body: str) -> str | None:
    """The first line where it looks like a headline: short, without a full stop, and no part of a paragraph."""
    lines = _lines(body)
    first = next((line.strip() for line in lines if line.strip()), "")
    after = [line.strip() for _, line in zip(range(20), lines, strict=False)]
    if (
        not any(after)
        or len(first) > LONGEST_HEADLINE
        or _NO_HEADLINE.match(first)
        or not re.search(r"[^\W\d_]", first)
    ):
        return None
    paragraph = [first, *after[: after.index("")]] if "" in after else [first, *after]
    # Lines broken by hand: each was broken where the next word no longer fitted.
    width = max(map(len, paragraph))
    starts = [line.split()[0] for line in paragraph[1:]]
    full = all(len(line) + 1 + len(word) > width for line, word in zip(paragraph, starts, strict=False))
    return None if after[0][:1].islower() or (full and len(paragraph) > 2) else first


def _lines(text: str) -> Iterator[str]:
    """The lines one by one, so that a title is found without splitting a whole book."""
    return (found[1] for found in re.finditer(r"([^\r\n]*)(?:\r\n|\r|\n|\Z)", text))


# ---- encodings -------------------------------------------------------------------------------

UNKNOWN = "unknown encoding (save the file as UTF-8)"
BINARY = "binary file"

# UTF-32 first: its mark begins with that of UTF-16.
_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1f\x7f]")


def decoded(content: bytes) -> str:
    """The text of a file's bytes, exactly; raises Unparsable for binary files and for encodings in doubt."""
    mark = next((mark for mark in _MARKS if content.startswith(mark)), b"")
    codec = _MARKS.get(mark) or _unmarked_utf16(content) or "utf-8"
    text = _strictly(content[len(mark) :], codec)
    if text is None and codec == "utf-8" and not mark:
        if _CONTROLS.search(content.decode("latin-1")):
            raise Unparsable(BINARY)
        text = None if _cut_utf8(content) else _western(content) or _other_script(content)
    if text is None:
        raise Unparsable(UNKNOWN)
    if _CONTROLS.search(text):
        raise Unparsable(BINARY)
    return text


def _strictly(content: bytes, codec: str) -> str | None:
    """The bytes decoded, None where one of them does not fit."""
    try:
        return content.decode(codec)
    except UnicodeDecodeError:
        return None


def _cut_utf8(content: bytes) -> bool:
    """Whether the bytes are UTF-8 but for the end of the last character: a file that was cut off."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(content)
    except UnicodeDecodeError:
        return False
    return True


def _unmarked_utf16(content: bytes) -> str | None:
    """The byte order of UTF-16 without a mark: its ASCII leaves a NUL in every second place, and only there."""
    low, high = content[0::2].count(0), content[1::2].count(0)
    codec, many, few = ("utf-16-le", high, low) if high > low else ("utf-16-be", low, high)
    if len(content) % 2 or many * 40 < len(content) or few * 10 > many:
        return None
    text = _strictly(content, codec)
    return codec if text and _all_assigned(text) else None


def _all_assigned(text: str) -> bool:
    """Whether every character is one that Unicode knows and that text may hold."""
    return not any(unicodedata.category(c) in ("Cn", "Co") or _CONTROLS.match(c) for c in set(text))


# A statistical guess takes "é" for "ĺ" and "ã" for "ă" too often. So Windows-1252 (Latin-1 is a part of it) is taken
# only where every other old Latin encoding gives the same text, or one that has the marks of a wrong reading, or
# letters that the text's language does not have.
_RIVALS = ("cp1250", "cp1257", "cp1254", "mac_roman", "cp850")
_LANGUAGES = {
    "áäéöúü": "the of and to in is that for it with was on as are by this be not",
    "äöüßé": "der die das und ist nicht den von mit sich des auf ein eine wird werden im dem kann zu oder bei",
    "àâçéèêëîïôœùûü": "le la les des est une dans pour que qui sur pas du par avec un ne ce sont au en",
    "áéíóúüñ": "el los las que una por con para del es no se su un como al en la",
    "àèéìòù": "il che di per non una con del della sono le gli un dei nel alla la",
    "áâãàçéêíóôõú": "que os uma com para por do da dos das em um se mais ao na no as",
    "éëïöüè": "het een van de en dat niet voor met zijn wordt is op aan te",
    "åäöé": "och att som det en inte med av till den ett har kan om",
    "åæøé": "og det som til en er ikke med af den et har kan der fra for",
    "äöå": "ja on ei se tai kun voi ovat ole sen jos mutta",
}
_UPPER = "".join(c for c in map(chr, range(0xC0, 0x530)) if c.isupper())
_LOWER = "".join(c for c in map(chr, range(0xC0, 0x530)) if c.islower())
_LETTER = f"[A-Za-z{_UPPER}{_LOWER}]"
_MISREAD = re.compile(
    "|".join(
        (
            f"[a-z{_LOWER}][{_UPPER}]|[{_LOWER}][A-Z]",  # a capital inside a word
            "[À-ÖØ-öø-ž]{3}|\\b[À-ÖØ-öø-ž]{2}\\b",  # whole words without ASCII: another script
            f"[A-Z{_UPPER}]{{2}}(?!ß)[{_LOWER}](?![{_LOWER}])",
            f"{_LETTER}[“”‘‚„•€£¥©®™°§«»‹›¿¡]{_LETTER}|{_LETTER}[½¼¾±×€]|[½¼¾±×]{_LETTER}|(?<=[A-Za-z])(?<![lL])·",
            "[À-ÖØ-öø-ž]\\d|\\d[À-ÖØ-öø-ž]|\\bß|(?<!\\w)[ÄÇ](?!\\w)",
            f"[{_LETTER[1:-1]}\\d][‚„¿¡]|(?<![\\dnNm])[²³ºª](?!\\d)|[•€£¥©®™°§¿¡½¼¾²³±×ºª]{{2}}",
            f"[A-Za-z]\xa0[a-z]|[a-z]–[a-z]|{_LETTER}—(?![aI]\\b){_LETTER}\\b|\\b(?![aI]—){_LETTER}—{_LETTER}",
            f"(?<={_LETTER}{{3}})(?<!qu|ll|rd|un)’(?!(?:s|t|re|ll|ve|d|m|n|S|T)\\b){_LETTER}",
        )
    )
)
_FOREIGN = re.compile("[^\x00-\x7fÀ-ÖØ-öø-ž“”‘’‚„–—…•·€£¥©®™°§«»‹›¿¡½¼¾²³±×ºª\xa0]")


def _telling(content: bytes) -> bytes:
    """The different words that are not ASCII: they tell an encoding, and are few even in a long text."""
    return b" ".join(word for word in dict.fromkeys(content.split()) if not word.isascii())


def _western(content: bytes) -> str | None:
    """The text in Windows-1252, None where another reading of it is possible."""
    telling = _telling(content)
    words = _strictly(telling, "cp1252")
    if words is None or _FOREIGN.search(words) or _MISREAD.search(words):
        return None
    readings = {_strictly(telling, codec) for codec in _RIVALS} - {None, words}
    rivals = [other for other in readings if other and _plausible(other, words)]
    text = content.decode("cp1252")
    if not rivals:
        return text if any(_spelt(words, alphabet) for alphabet in _LANGUAGES) else None
    counts = Counter(re.findall(r"[^\W\d_]+", text[:100_000].lower()))
    hits, alphabet = max((sum(counts[mark] for mark in m.split()), alphabet) for alphabet, m in _LANGUAGES.items())
    known = hits >= 4 and hits * 10 >= counts.total()
    return text if known and _spelt(words, alphabet) and not any(_spelt(other, alphabet) for other in rivals) else None


def _plausible(other: str, words: str) -> bool:
    """Whether another reading has the marks of a wrong one at fewer than a tenth of the places where it differs."""
    differing = sum(a != b for a, b in zip(other, words, strict=True))
    return 10 * (len(_FOREIGN.findall(other)) + len(_MISREAD.findall(other))) < differing


def _spelt(words: str, alphabet: str) -> bool:
    """Whether the letters beyond ASCII are all of one alphabet."""
    return set(re.findall(f"[{_LOWER}]", words.lower())) <= set(alphabet)


# Encodings of other scripts; those of one row differ in few places, and the reading without flaws is taken.
_TWINS = (
    ("cp1251", "mac_cyrillic"),
    ("koi8_r", "koi8_u"),
    ("cp866",),
    ("cp1253", "iso8859_7"),
    ("cp1255", "iso8859_8"),
    ("cp1256", "iso8859_6"),
    ("cp932", "shift_jis"),
    ("euc_jp",),
    ("cp949", "euc_kr"),
    ("gb18030", "gbk", "gb2312"),
    ("big5", "cp950", "big5hkscs"),
)
_BOXES = re.compile("[\u2500-\u259f]")


def _other_script(content: bytes) -> str | None:
    """The text in an encoding of another script, where charset-normalizer is sure of it; raises BackendMissing."""
    try:
        from charset_normalizer import from_bytes
    except ModuleNotFoundError as missing:
        reason = "unknown encoding, which charset-normalizer may know"
        raise BackendMissing(reason, hint="pip install charset-normalizer") from missing
    telling = _telling(content)
    best = from_bytes(content[:200_000].rsplit(None, 1)[0]).best()
    twins = next((twins for twins in _TWINS if best and best.encoding in twins), ())
    words = {reading: codec for codec in twins if (reading := _strictly(telling, codec)) and not _BOXES.search(reading)}
    flaws = {reading: len(_MISREAD.findall(reading)) for reading in words}
    first, *others = sorted(flaws, key=lambda reading: (flaws[reading], reading)) or [""]
    if flaws.get(first) != 0 or any(flaws[other] < 3 for other in others):
        return None
    text = _strictly(content, words[first]) or ""
    start = text[:100_000]
    scripts = Counter(_script(letter) for letter in re.findall(r"[^\W\d_\x00-\x7f]", start))
    enough = len(scripts) == 1 and scripts.total() >= max(200, len(re.findall("[A-Za-z]", start)) / 2)
    capitals = sum(letter.isupper() for letter in start) > len(start) / 4
    return text if enough and not capitals and "HALFWIDTH" not in scripts and _all_assigned(text) else None


def _script(character: str) -> str:
    """The script of a letter; Japanese and Korean text mixes several, which count as one."""
    name = unicodedata.name(character, "").split("-")[0].split(" ")[0]
    return "CJK" if name in ("HIRAGANA", "KATAKANA", "HANGUL", "IDEOGRAPHIC") else name
