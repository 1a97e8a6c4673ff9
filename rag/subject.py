"""Which sources speak of what a question names: "It carries grain" tells nothing of a ship that its source never names.

A source may call it otherwise than the question does: a word of the name, or its initials, will do. Where no source
names it, they all may speak of it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from rag.protocols import Snapshot
from rag.questions import WORD, Asked, names_told
from rag.records import Hit
from rag.values import dates

LOOKED_UP = 100  # passages at most, where a source's hits hold none of the names


def speaking(asked: Asked, hits: Sequence[Hit], snapshot: Snapshot) -> list[Hit]:
    """The hits of sources that somewhere hold one of the question's names; all of them where no hit holds one."""
    texts = texts_of(hits)
    names = names_of(asked, texts)
    named = naming(names, texts)
    doubtful = [source for source in texts if source not in named]
    if named and doubtful:
        words = [word for name in names for word in _telling(name, texts.values())]
        found = snapshot.restricted_to(doubtful).holding_words(words, LOOKED_UP)
        named |= {hit.passage.source for hit in snapshot.passages([i for i, _ in found]).values()}
    return [hit for hit in hits if hit.passage.source in named or not named]


def names_of(asked: Asked, texts: Mapping[str, str]) -> list[str]:
    """The question's names, or its words that the texts write as names; months and years are none."""
    return [name for name in asked.names or names_told(asked, texts.values()) if not dates(name)]


def texts_of(hits: Iterable[Hit]) -> dict[str, str]:
    """What the hits of each source say, with their titles and headings."""
    texts: defaultdict[str, str] = defaultdict(str)
    for hit in hits:
        texts[hit.passage.source] += f"{hit.title or ''}\n{hit.passage.heading or ''}\n{hit.passage.text}\n"
    return dict(texts)


def naming(names: Sequence[str], texts: Mapping[str, str]) -> set[str]:
    """The sources that hold a word of one of the names, or its initials: "Wang" or "US" for "United States"."""
    ways = [rf"(?i:{re.escape(word)})" for name in names for word in _telling(name, texts.values())]
    for words in map(WORD.findall, names):
        if len(words) > 1:
            ways.append("".join(rf"{re.escape(word[0])}\.?" for word in words))
    held = re.compile(rf"(?<!\w)(?:{'|'.join(ways)})(?!\w)")
    return {source for source, text in texts.items() if ways and held.search(text)}


def _telling(name: str, texts: Iterable[str]) -> list[str]:
    """The words of a name that tell it from others: one that the texts write small, as "bank", is left out.

    A name of such words alone has no others.
    """
    everything = "\n".join(texts)
    words = WORD.findall(name)
    return [word for word in words if not re.search(rf"\b{re.escape(word.lower())}\b", everything)] or words
