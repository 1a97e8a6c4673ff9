"""What must hold of sentences and passages; the five seed articles are checked sentence by sentence."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
import sentencex
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rag.records import Passage, Sentence, Source
from rag.split import TOKEN_LENGTH, Count, passages, sentences

HERE = Path(__file__).parent
SEEDS = HERE.parent / "seeds"


def words(texts: Sequence[str]) -> list[int]:
    return [len(text.split()) for text in texts]


def letters(texts: Sequence[str]) -> list[int]:
    return [len("".join(text.split())) for text in texts]


def source(text: str, title: str | None = None) -> Source:
    return Source("a.txt", "a.txt", text, "0", title)


def told(text: str) -> list[str]:
    """The sentences of a text, each with the first letter of its kind: prose, item, heading or other."""
    return [f"{s.kind[0]} {text[s.start : s.end]}" for s in sentences(text)]


def quoted(text: str) -> list[str]:
    return [text[s.start : s.end] for s in sentences(text)]


def uncovered(text: str, spans: Sequence[Sentence | Passage]) -> str:
    """What of a text no span holds."""
    rest, end = "", 0
    for span in spans:
        rest += text[end : span.start]
        end = max(end, span.end)
    return rest + text[end:]


# ---- laws ------------------------------------------------------------------------------------

PARTS = [
    "Meta pays $13.8 billion.",
    " It rose 3.5% in the U.S. last year!",
    "He said “Go. Now.” and left (p. 5). ",
    "Dr. No?",
    "a lower start",
    'The 24" is new. ',
    "😀 𝒜stral é́.",
    "今日は。",
    "\n",
    "\n\n",
    "\r\n",
    "\r",
    "\f",
    "\u2028",
    "\u00a0",
    " ",
    "\t",
    "- item\n",
    "• one. two",
    "1. ",
    "# Heading\n",
    "---\n",
    "```\n",
    "| a | b |\n",
    "By Jane Doe\n",
    "2025-06-08 Meta",
    "x" * 90,
    "word " * 40,
    "...",
    "?!",
    "◄ A ►\n",
    "[12]",
    ":",
    "\ud800",
    "\x00",
]
TEXTS = st.one_of(st.text(), st.lists(st.sampled_from(PARTS), max_size=25).map("".join))
ODD_TEXTS = ["Same here. " * 50, "\r\r\r", ". . .", "\f", "a\r\n\r\nb", "\ufeff", "-", "• ", "U.S. " * 50, "'\" ”“ )( "]


@pytest.mark.parametrize("text", ODD_TEXTS, ids=lambda text: ascii(text[:12]))
def test_odd_texts_keep_the_laws(text: str) -> None:
    check_sentences(text)
    check_passages(text, 5, 2)


@given(TEXTS)
def test_sentences_are_trimmed_ordered_and_cover_the_text(text: str) -> None:
    check_sentences(text)


def check_sentences(text: str) -> None:
    found = sentences(text)
    assert all(text[s.start : s.end].strip() == text[s.start : s.end] != "" for s in found)
    assert all(before.end <= after.start for before, after in pairwise(found))
    assert not uncovered(text, found).strip()
    assert found == sentences(text)


@settings(max_examples=200)
@given(TEXTS, st.integers(1, 60), st.integers(0, 60), st.sampled_from([words, letters]))
@example("Same here. " * 200, 20, 6, words)
@example("Same here. " * 200, 20, 20, words)
@example("a\n" + "\n" * 5000 + "b", 10, 5, words)
def test_passages_keep_their_laws(text: str, size: int, overlap: int, count: Count) -> None:
    check_passages(text, size, overlap, count)


def check_passages(text: str, size: int, overlap: int, count: Count = words) -> None:
    found = passages(source(text), size, overlap, count)
    assert found == passages(source(text), size, overlap, count)
    assert not uncovered(text, found).strip()
    whole = {(s.start, s.end) for s in sentences(text)}
    for passage in found:
        assert passage.text == text[passage.start : passage.end]
        assert (passage.start, passage.end) == (passage.sentences[0].start, passage.sentences[-1].end)
        assert all(passage.sentence_text(s) == text[s.start : s.end].strip() for s in passage.sentences)
        assert all(before.end <= after.start for before, after in pairwise(passage.sentences))
        assert sum(count([passage.sentence_text(s) for s in passage.sentences])) <= size
        for sentence in passage.sentences:
            holder = next((a, b) for a, b in whole if a <= sentence.start and sentence.end <= b)
            length = holder[1] - holder[0]
            too_long = count([text[slice(*holder)]])[0] > size or length // TOKEN_LENGTH > size
            assert holder == (sentence.start, sentence.end) or too_long
    for before, after in pairwise(found):
        assert before.start < after.start
        assert before.end < after.end
        common = [s for s in before.sentences if s in after.sentences]
        assert common == [s for s in before.sentences if s.end > after.start]
        assert sum(count([before.sentence_text(s) for s in common])) <= overlap


# ---- the seeds, sentence by sentence ---------------------------------------------------------


def expected() -> dict[str, list[str]]:
    """Of every seed its sentences as a reader cut them: the kind and the words, ⏎ for a line break."""
    listing: dict[str, list[str]] = {}
    for line in (HERE / "split_seeds.txt").read_text("utf-8").splitlines():
        if line.startswith("== "):
            listing[line.removeprefix("== ")] = rows = []
        else:
            rows.append(line)
    return listing


@pytest.mark.parametrize(("name", "rows"), expected().items(), ids=expected())
def test_seed_is_cut_as_a_reader_cuts_it(name: str, rows: list[str]) -> None:
    text = (SEEDS / name).read_bytes().decode()
    assert [f"{s.kind:8}" + text[s.start : s.end].replace("\n", "⏎") for s in sentences(text)] == rows


def test_all_seeds_are_listed() -> None:
    assert sorted(expected()) == sorted(path.name for path in SEEDS.iterdir())


@pytest.mark.parametrize("name", expected())
def test_seed_keeps_the_laws(name: str) -> None:
    check_passages((SEEDS / name).read_bytes().decode(), 150, 30)


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r"], ids=ascii)
def test_hard_wrapped_seed_has_the_same_sentences(line_break: str) -> None:
    text = (SEEDS / "003_0a4d6a4e2c9f2246.txt").read_bytes().decode()
    paragraphs = [p for p in text.split("\n\n") if "\n" not in p]
    plain = "\n\n".join(paragraphs)
    wrapped = "\n\n".join(textwrap.fill(p, 72, break_on_hyphens=False) for p in paragraphs).replace("\n", line_break)
    assert [re.sub(r"\s+", " ", row) for row in told(wrapped)] == told(plain)


# ---- where a sentence ends -------------------------------------------------------------------


@pytest.mark.parametrize(
    "cut",
    [
        "I live in the U.S. | He lives in the U.K. and works.",
        "The U.S. Department of Defense said so. | Meta Platforms Inc. is big.",
        "He met Meta Platforms Inc. Chief Executive Mark Zuckerberg. | Acme Co. Ltd. said so.",
        "Dr. Smith and Mr. Jones met at 5 p.m. Tuesday. | They left at 6 a.m. on Jan. 5, 2024.",
        "It opens at 9 a.m. | The door is red.",
        "Buses run from May. | A ferry comes in June. | It left on May 5.",
        "It is No. 5 on the list. | See Fig. 3 and p. 12. | Approx. 10 people, i.e. ten, e.g. Bob.",
        "Did he go? | No. | He did not.",
        "It rose to $13.8 billion. | It fell by 3.5%. | Ten cost $5.",
        "Scale A.I. Amid rivalry it grew. | We use A.I. | It works.",
        "J. K. Rowling wrote it. | J.K. Rowling too. | George W. Bush ran.",
        "It fell.[12] | It rose.[note 1] | Then it sank.[citation needed] | Over.",
        "What?! | Really... | Yes! | Jeopardy! is a show. | Is it? he asked.",
        "Smith et al. (2020) agree. | It has apples, pears, etc. and more.",
        "The company makes the iPhone. | iPad sales fell approx. five percent.",
        "1990. It was cold. | II. Methods are here.",
        "Yahoo! is a company. | He moved to Washington, D.C. | The city is big.",
    ],
    ids=lambda cut: cut.split()[-1] if isinstance(cut, str) else None,
)
def test_abbreviations_and_numbers_end_no_sentence(cut: str) -> None:
    assert quoted(cut.replace("| ", "")) == cut.split(" | ")


@pytest.mark.parametrize(
    "cut",
    [
        'He said "I go. You stay." | Then he left.',
        "“We did it. We are happy,” said Wang. | He left.",
        'The 24" monitor is new. | It costs $5. | The 27" one is better.',
        "In the '90s he left. | It grew. | The boys' club met.",
        "A “quoted. word” here. | “An open quote never closed. | Then more. | And more.",
        "He left (at 5 p.m. or so) by car. | She (born 1970) stayed.",
        "He went home.) | Then (never closed he left. | Again.",
        "She called it ``great'' then. | It was ``good''. | It `was.",
    ],
    ids=["straight", "curly", "inches", "apostrophes", "unclosed", "brackets", "stray bracket", "TeX"],
)
def test_quotations_and_brackets_swallow_no_sentence(cut: str) -> None:
    assert quoted(cut.replace("| ", "")) == cut.split(" | ")


@pytest.mark.parametrize(
    "cut",
    [
        "Das kostet z.B. 5 Euro. | Er kam am 3. Oktober 1990. | Dr. Müller ging usw. und kam.",
        "Die 2. Liga ist groß. | Ludwig XIV. war König. | Er war bzw. ist da.",
        "M. Dupont est là. | C'est vrai ! | Vraiment ? | Oui, 300 av. J.-C. déjà.",
        "今日は。|明日は！|本当？",
        "यह है। | वह था।",
    ],
    ids=["German", "German ordinals", "French", "Japanese", "Hindi"],
)
def test_other_languages_are_not_butchered(cut: str) -> None:
    text = re.sub(r"\| ?", "", cut)
    assert quoted(text) == re.split(r" ?\| ?", cut)


def test_missing_blanks_and_addresses() -> None:
    assert quoted(
        "Hello world.Next sentence here. See www.Example.Com/A or a.b@C.de. ASP.NET and Character.AI rose."
    ) == [
        "Hello world.",
        "Next sentence here.",
        "See www.Example.Com/A or a.b@C.de.",
        "ASP.NET and Character.AI rose.",
    ]


def test_who_writes_in_lower_case_gets_sentences_too() -> None:
    assert quoted("i went home. it was good. then i slept.") == ["i went home.", "it was good.", "then i slept."]


PANICS = "Plan B\u00a0. Then he left."


def test_no_break_space_before_a_point_is_no_trap() -> None:
    with pytest.raises(BaseException, match="char boundary"):
        sentencex.get_sentence_boundaries("en", PANICS)
    assert quoted(PANICS) == ["Plan B\u00a0.", "Then he left."]


@pytest.mark.parametrize("given_text", [PANICS, "Another text. "], ids=["it panics", "it gives another text"])
def test_a_block_that_sentencex_fails_on_is_one_sentence(given_text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = sentencex.get_sentence_boundaries
    monkeypatch.setattr(sentencex, "get_sentence_boundaries", lambda language, _: real(language, given_text))
    assert quoted("One here. Two here.\n\nThree here.") == ["One here. Two here.", "Three here."]


# ---- blocks ----------------------------------------------------------------------------------


def test_markdown_has_its_kinds() -> None:
    text = textwrap.dedent("""\
        ---
        title: A tale
        date: 2024-01-01
        ---

        # A tale

        It begins. It goes on.

        The end
        -------
        ```python
        end = 1. Foo
        ```
        | who | what |
        |-----|------|
        | Ann | left |
        ***
        Over.
        """)
    assert told(text) == [
        "o ---",
        "o title: A tale",
        "o date: 2024-01-01",
        "o ---",
        "o #",
        "h A tale",
        "p It begins.",
        "p It goes on.",
        "h The end",
        "o -------",
        "o ```python",
        "o end = 1. Foo",
        "o ```",
        "i | who | what |",
        "o |-----|------|",
        "i | Ann | left |",
        "o ***",
        "p Over.",
    ]


def test_a_fence_that_nothing_closes_hides_nothing() -> None:
    assert told("```\nThe firm rose. It fell.") == ["o ```", "p The firm rose.", "p It fell."]


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        pytest.param("- Short item\n- A whole sentence is here.", "oi op", id="hyphens"),
        pytest.param("• A short one. Another one.\n  ◦ below it", "opp oi", id="bullets"),
        pytest.param("Results: • A rose. • B fell.", "h op op", id="bullets in one line"),
        pytest.param("1. Eggs\n2) Milk\na) Bread\n(iv) Salt", "oi oi oi oi", id="numbers and letters"),
        pytest.param("The deal could:\n- help\n- harm", "p oi oi", id="introduced"),
        pytest.param("- A long item that was broken at the edge\n  and goes on below", "oi", id="broken item"),
        pytest.param("3. Oktober 1990 war ein Tag.", "p", id="a German date"),
        pytest.param("Two eggs\nFlour\nSugar\nMilk", "i i i i", id="a list without bullets"),
    ],
)
def test_items(text: str, kinds: str) -> None:
    assert "".join(row[0] for row in told(text)) == kinds.replace(" ", "")


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        pytest.param("The Bottom Line", "h", id="heading"),
        pytest.param("Deal Talks Heat Up | Markets React", "h", id="heading with a bar"),
        pytest.param("What is Scale AI?", "h", id="question"),
        pytest.param("1. Introduction", "oh", id="numbered heading"),
        pytest.param("By Jane Doe and John O’Hara", "o", id="byline"),
        pytest.param("Written by Jane Doe for The Times", "o", id="another byline"),
        pytest.param("By Monday the shares had risen.", "p", id="no byline"),
        pytest.param("https://example.com/a.b", "o", id="link"),
        pytest.param("June 8, 2025, 10:30 a.m. ET", "o", id="date"),
        pytest.param("Decision 2024", "h", id="no date"),
        pytest.param("© 2024 The Times", "o", id="copyright"),
        pytest.param("Copyright (c) The Times", "o", id="another copyright"),
        pytest.param("Copyright Law Changes", "h", id="no copyright"),
        pytest.param("Source: Bloomberg", "o", id="label"),
        pytest.param("◄ Terminator 2 Idiocracy 0 ►", "o", id="symbols"),
        pytest.param("* * *", "o", id="rule"),
        pytest.param(".", "o", id="lone point"),
        pytest.param(
            "Scale AI which was founded in 2016 by Alexandr Wang labels data for the makers of large models",
            "p",
            id="long",
        ),
    ],
)
def test_kind_of_a_line_alone(line: str, kind: str) -> None:
    rows = told(f"He left.\n\n{line}\n\nThe shares rose.")
    assert "".join(row[0] for row in rows[1:-1]) == kind


def test_lines_beside_symbols_are_no_headings() -> None:
    assert told("Mood Index HIGH\n◄ Up 2 Down 0 ►\n\nThe Deal") == [
        "o Mood Index HIGH",
        "o ◄ Up 2 Down 0 ►",
        "h The Deal",
    ]


@pytest.mark.parametrize(
    ("prefix", "rest"),
    [
        ("date 2025-06-08", "Meta Platforms Inc. is up."),
        ("Published: 2025-06-08T10:30:00Z |", "Meta is up."),
        ("(MENAFN- The Rio Times)", "Meta is up."),
        ("(Reuters) -", "Meta is up."),
        ("LONDON, June 8 (Reuters) -", "Meta is up."),
        ("NEW YORK (AP) —", "“Meta” is up."),
        ("SAN FRANCISCO, June 8 –", "Meta is up."),
    ],
)
def test_dateline_stands_apart(prefix: str, rest: str) -> None:
    assert told(f"{prefix} {rest}") == [f"o {prefix}", f"p {rest}"]


@pytest.mark.parametrize(
    "text", ["2025-06-08 was a Sunday.", "(In 2010) He left.", "META, the parent — The firm — fell."]
)
def test_what_only_looks_like_a_dateline_stays(text: str) -> None:
    assert quoted(text) == [text]


def test_soft_wraps_are_joined_and_line_breaks_are_not() -> None:
    text = "The two firms launched a model for national security operations\n. It serves them.\nA second paragraph"
    assert told(text) == [
        "p The two firms launched a model for national security operations\n.",
        "p It serves them.",
        "h A second paragraph",
    ]


def test_mail_is_joined_at_its_width() -> None:
    text = (
        "Dear Bob,\n\nI write about the meeting that we had with Dr.\nSmith in the U.S. last week. He told all of us\n"
        "of the firm that he had founded there with Mark\nZuckerberg. The next one is on Friday in May 2024.\n"
        "It is in New York.\n\nBest,\nJane\n"
    )
    assert [re.sub(r"\s+", " ", row) for row in told(text)] == [
        "i Dear Bob,",
        "p I write about the meeting that we had with Dr. Smith in the U.S. last week.",
        "p He told all of us of the firm that he had founded there with Mark Zuckerberg.",
        "p The next one is on Friday in May 2024.",
        "p It is in New York.",
        "i Best,",
        "h Jane",
    ]


def test_headings_in_hard_wrapped_text_stand_alone() -> None:
    text = "CHAPTER I\nIt was the best of times, it was the worst of times, it was the age\n"
    text += "of wisdom.\nPART II\nIt was spring."
    assert told(text)[0] == "h CHAPTER I"
    assert told(text)[2:] == ["h PART II", "p It was spring."]


# ---- passages --------------------------------------------------------------------------------


def test_passages_are_whole_sentences_that_overlap() -> None:
    text = "One two three. Four five six. Seven eight nine. Ten eleven twelve."
    found = passages(source(text), 6, 3, words)
    assert [p.text for p in found] == [
        "One two three. Four five six.",
        "Four five six. Seven eight nine.",
        "Seven eight nine. Ten eleven twelve.",
    ]
    assert found[1] == Passage(
        "a.txt", 15, 47, "Four five six. Seven eight nine.", (Sentence(15, 29), Sentence(30, 47)), None
    )


def test_short_sections_merge_and_long_ones_part() -> None:
    text = "# Top\nA b c d.\n\n# One\nE f g h.\n\n# Two\nI j k l.\n\n# Three\nM n o p."
    assert [(p.heading, p.text) for p in passages(source(text, "Top"), 14, 4, words)] == [
        (None, "# Top\nA b c d.\n\n# One\nE f g h."),
        ("Two", "# Two\nI j k l.\n\n# Three\nM n o p."),
    ]


def test_title_heads_no_passage_wherever_it_stands() -> None:
    text = "The Big Deal\n\nA b c.\n\nWhy It Matters\n\nD e f.\n\nTHE  BIG DEAL\n\nG h i."
    found = passages(source(text, "The big deal"), 6, 0, words)
    assert [p.heading for p in found] == [None, "Why It Matters", "Why It Matters"]


def test_passage_breaks_at_a_paragraph_when_nearly_full() -> None:
    text = "A b c d. E f g h.\n\nI j. K l m n."
    assert [p.text for p in passages(source(text), 10, 0, words)] == ["A b c d. E f g h.", "I j. K l m n."]


def test_heading_and_bullet_stay_with_what_they_lead_to() -> None:
    text = "A b c d e f g.\n\nThese are:\n- one\n- two\n- three\n- four"
    assert [p.text for p in passages(source(text), 9, 0, words)][:2] == [
        "A b c d e f g.",
        "These are:\n- one\n- two\n- three",
    ]


def test_a_page_of_headings_is_packed_too() -> None:
    text = "\n\n".join(f"Heading {n}" for n in range(100))
    assert len(passages(source(text), 20, 4, words)) == 10


def test_sentence_longer_than_a_passage_is_cut_at_blanks() -> None:
    text = "Short one. " + "Long " * 25 + "end. Last."
    found = passages(source(text), 10, 0, words)
    assert [len(p.text.split()) for p in found] == [2, 10, 10, 7]
    assert found[1].text == "Long " * 9 + "Long"


def test_sentences_are_counted_in_one_call() -> None:
    calls: list[int] = []

    def count(texts: Sequence[str]) -> list[int]:
        calls.append(len(texts))
        return words(texts)

    passages(source("One here. Two here. Three here."), 4, 2, count)
    assert calls == [3]


def test_nothing_gives_no_passage() -> None:
    assert passages(source(" \n\n "), 10, 2, words) == []


@pytest.mark.parametrize(
    "unit",
    ["x", "word ", "Same here. ", "e.g. ", "A.[1]", '5" ', "(A. b ", "“", "• a ", "\n", "Short line\n", "U.S. "],
    ids=ascii,
)
def test_a_long_line_of_anything_keeps_the_laws(unit: str) -> None:
    text = (unit * 200_000)[:200_000]
    found = passages(source(text), 200, 40, words)
    assert not uncovered(text, found).strip()
    assert all(len(p.text) <= 2 * 200 * TOKEN_LENGTH for p in found)
