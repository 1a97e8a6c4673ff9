"""Questions that a text asks itself and answers in the next lines, as pages of frequently asked questions do."""

from __future__ import annotations

import re

from rag.records import Hit, Sentence

BARE = re.compile(r"\W*(?:A(?:nswer)?[:.]\s*)?(?P<word>yes|no)\b", re.IGNORECASE)
NO_MORE = re.compile(rf"{BARE.pattern}\W*$", re.IGNORECASE)
CLOSING = "\"'”’»)*_ "


def asks(text: str) -> bool:
    """Whether a sentence is a question, which says nothing."""
    return text.rstrip(CLOSING).endswith("?")


def is_bare(text: str) -> bool:
    """Whether a sentence is but "Yes." or "No."."""
    return NO_MORE.match(text) is not None


def question_above(hit: Hit, sentence: Sentence) -> str:
    """The question that a sentence answers by its place: the heading above it or the sentence before; "" for none."""
    passage = hit.passage
    before = [s for s in passage.sentences if s.end <= sentence.start and s.kind != "other"]
    while before and is_bare(passage.sentence_text(before[-1])):
        before.pop()
    headings = [s for s in before if s.kind == "heading"]
    last = passage.sentence_text(before[-1]) if before else ""
    heading = passage.sentence_text(headings[-1]) if headings else passage.heading or ""
    return next((text for text in (last, heading) if asks(text)), "")


def answered_at_once(hit: Hit, sentence: Sentence) -> bool | None:
    """Whether a sentence below a question begins with yes or no, or has a bare one before it; None for neither."""
    passage = hit.passage
    own = passage.sentence_text(sentence)
    before = [passage.sentence_text(s) for s in passage.sentences if s.end <= sentence.start and s.kind != "other"]
    bare = before.pop() if before and is_bare(before[-1]) else None
    if is_bare(own) or not before or not asks(before[-1]):
        return None
    said = BARE.match(bare or own)
    return said["word"].lower() == "yes" if said else None
