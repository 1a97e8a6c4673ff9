"""Which sources speak of what a question names: "It carries grain" tells nothing of a ship that its source never names.

A source may call it otherwise than the question does: a word of the name, or its initials, will do. Where no source
names it, they all may speak of it.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from rag.protocols import Snapshot
from rag.questions import NAME_INSIDE, STOP_WORDS, TITLES, WORD, Asked, concept, names_in, subject_words, topic
from rag.records import Hit, Sentence
from rag.values import dates

CALENDAR = re.compile(r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)days?\b|I\b")
POINTING_BACK = re.compile(
    r"\b(?:it|its|he|his|she|her|they|their|the (?:company|firm|group|startup))\b", re.IGNORECASE
)
MOSTLY = 5  # a word is no name that is written small more than so many times as often
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


def with_names(asked: Asked, hits: Iterable[Hit]) -> Asked:
    """A question that is typed without capitals, with those of its words as names that the hits mostly write as names.

    "who runs openai" asks about OpenAI, and "on board" about no Board.
    """
    if asked.names:
        return asked
    text = "\n".join(hit.passage.text for hit in hits)
    told = Counter(name.lower() for name in NAME_INSIDE.findall(text) if name not in TITLES)
    words = dict.fromkeys(re.sub(r"['’]s$", "", word) for word in asked.words)
    plain = Counter(WORD.findall(text))
    names = (word for word in words if MOSTLY * told[word.lower()] >= max(1, plain[word.lower()]))
    return replace(asked, names=tuple(names))


def beside_the_point(asked: Asked, hits: Sequence[Hit]) -> set[tuple[str, int]]:
    """The source and start of the passages that hold no word of what the question is about, where another one does.

    Of few sources, all passages are read, whatever they speak of. In a large index there are hardly any: of what was
    read with some confidence for 350 questions of NQ, 8 sentences, of which 2 answered.
    """
    words = subject_words(asked)
    texts = {(hit.passage.source, hit.passage.start): "\n".join(texts_of([hit]).values()) for hit in hits}
    without = {place for place, text in texts.items() if words.isdisjoint(map(concept, WORD.findall(text)))}
    return without if len(without) < len(texts) else set()


class Topic:
    """What a question is about, and which sentences of the hits speak of something else."""

    def __init__(self, asked: Asked, hits: Sequence[Hit]) -> None:
        texts = texts_of(hits)
        # Of names that are typed small it is not sure that they are some.
        names = names_of(asked, texts) if names_in(asked.question) else []
        self._named = _held(topic_of(asked, texts) if names else [], texts)
        each = [_held([name], texts) for name in names]
        words = WORD.findall(asked.question)
        self._asked = {word.lower() for word in words}
        self._sought = {word for word in words if word[0].islower() and word not in STOP_WORDS}
        kinds = [WORD.findall(name)[-1].lower() for name in names if len(WORD.findall(name)) > 1]
        self._in_short = re.compile(rf"\b[Tt]he ({'|'.join(map(re.escape, kinds))})\b") if kinds else None
        self._each = [pattern for pattern in each if pattern is not None]
        told = {word for text in texts.values() for word in NAME_INSIDE.findall(text) if not CALENDAR.match(word)}
        # "The" is none in "by Lena Fuchs, The Herald", and "US" is no "us".
        self._told = {word for word in told if word.lower() not in STOP_WORDS or (len(word) > 1 and word.isupper())}

    def is_another(self, hit: Hit, sentence: Sentence) -> bool:
        """Whether a sentence begins with another name, or points back to a sentence that does, and none says the topic.

        "It was founded in 2005." behind "Halden has 40 employees." says nothing of Crest. "Its chief executive is Petra
        Novak." points back farther. What is looked at goes back to the last sentence that begins with a name, and
        includes the title: news often names its subject there alone. Neither helps a sentence that starts with a name
        and points back nowhere: "Halden has 40 employees." tells nothing of Crest under whatever title. But "The bridge
        dates from 1889" may tell of the Old Bridge, and "Mayor Jane Doe spoke" of who is asked for as the mayor.
        """
        if self._named is None:
            return False
        passage = hit.passage
        texts = [passage.sentence_text(s) for s in passage.sentences if s.end <= sentence.start]
        seen = [passage.sentence_text(sentence), hit.title or "", passage.heading or ""]
        if self._means_the_topic(seen[0], [*reversed(texts), *seen[1:]]):
            return False
        begun = self._begins_with_a_name(seen[0])
        first = WORD.search(seen[0])
        if first and first.group().lower() in self._sought:
            return False
        if first and first.group() in self._told and not POINTING_BACK.search(seen[0]):
            return not self._named.search(seen[0])
        for before in reversed(texts):
            seen.append(before)
            if self._begins_with_a_name(before):
                begun = True
                break
        return begun and not self._named.search("\n".join(seen))

    def _means_the_topic(self, text: str, before: Sequence[str]) -> bool:
        """Whether "the bridge" in a text is the Old Bridge: the last that was named before is no other."""
        said = self._in_short and self._in_short.search(text)
        if not said or self._named is None:
            return False
        called = re.compile(rf"\b[A-Z]\w* {said[1].capitalize()}\b")
        last = next((told for told in before if called.search(told)), None)
        return last is None or self._named.search(last) is not None

    def lacks_a_name(self, hit: Hit, sentence: Sentence) -> bool:
        """Whether a sentence holds one name of the question, and in the place of another one that it does not hold.

        "Acme did not buy Bolt" tells nothing of whether Acme bought Crest; "Acme did not buy it" may.
        """
        text = hit.passage.sentence_text(sentence)
        held = [each.search(text) is not None for each in self._each]
        if all(held) or not any(held) or POINTING_BACK.search(text):
            return False
        return any(word in self._told and word.lower() not in self._asked for word in WORD.findall(text))

    def _begins_with_a_name(self, text: str) -> bool:
        """Whether a sentence names something before it points back: "Halden and its staff", not "Its head is Jan"."""
        first = next((word for word in WORD.finditer(text) if word.group() in self._told), None)
        back = POINTING_BACK.search(text)
        return first is not None and (back is None or first.start() < back.start())


def names_of(asked: Asked, texts: Mapping[str, str]) -> list[str]:
    """The question's names; months and years are none, nor is "Firms" at its beginning, where texts write "firms"."""
    return [name for name in asked.names if not dates(name) and _telling(name, texts.values())]


def topic_of(asked: Asked, texts: Mapping[str, str]) -> list[str]:
    """The one name that the question is about, two where it is the one of the other; empty where it names nothing.

    What the GDP of France is, a sentence may tell without either. A name that no text holds gives way to one that is
    held: in "Wer ist der Chef von Acme?" that is Acme.
    """
    names = names_of(asked, texts)
    names = [name for name in names if naming([name], texts)] or names
    about = topic(asked)
    if about not in names:
        return names[:1]
    of = re.search(
        rf"\b{re.escape(about)} (?:of|for|in|at) (?:the )?({'|'.join(map(re.escape, names))})\b", asked.question
    )
    return [about, of[1]] if of else [about]


def texts_of(hits: Iterable[Hit]) -> dict[str, str]:
    """What the hits of each source say, with their titles and headings."""
    texts: defaultdict[str, str] = defaultdict(str)
    for hit in hits:
        texts[hit.passage.source] += f"{hit.title or ''}\n{hit.passage.heading or ''}\n{hit.passage.text}\n"
    return dict(texts)


def naming(names: Sequence[str], texts: Mapping[str, str]) -> set[str]:
    """The sources that hold a word of one of the names, or its initials: "Wang" or "US" for "United States"."""
    held = _held(names, texts)
    return {source for source, text in texts.items() if held and held.search(text)}


def _held(names: Sequence[str], texts: Mapping[str, str]) -> re.Pattern[str] | None:
    """What finds one of the names in a text; None where there is none."""
    telling = (_telling(name, texts.values()) or WORD.findall(name) for name in names)
    ways = [rf"(?i:{re.escape(word)})" for words in telling for word in words]
    for words in map(WORD.findall, names):
        if len(words) > 1:
            ways.append("".join(rf"{re.escape(word[0])}\.?" for word in words))
    return re.compile(rf"(?<!\w)(?:{'|'.join(ways)})(?!\w)") if ways else None


def _telling(name: str, texts: Iterable[str]) -> list[str]:
    """The words of a name that tell it from others: those that the texts do not write small, as they do "bank"."""
    everything = "\n".join(texts)
    return [word for word in WORD.findall(name) if not re.search(rf"\b{re.escape(word.lower())}\b", everything)]
