"""Examples for reading: questions with passages that answer them, and with many kinds that do not.

Every kind of unanswerable question is in the mix: people's own (SQuAD 2.0), the question's passage without the sentence
that answers, a near passage of the same article, and questions or passages with something changed.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from rag.reader.alter import Kind, Pool, alter, names_in
from rag.reader.corpora import TUNING_PLACES, AskedOf, Paragraph, squad
from rag.split import sentences

WORD = re.compile(r"\w+")
LENGTHS = (1, 2, 2, 3, 3, 4, 4, 6, 8, 12)
"""Sentences in a passage, drawn at random: short ones train fast, long ones are what is read later."""
UNMARKED = 0.15  # the share of questions without their question mark, as people type them
NEGATIVES = {"near": 26, "removed": 24, "question": 36, "passage": 14}
"""The share in percent of each kind of made unanswerable example."""
CHANGES: tuple[Kind, ...] = ("number", "date", "name", "name", "opposite", "relation", "relation", "unit")


@dataclass(frozen=True, slots=True)
class Example:
    """A question and a passage, and where in the passage the answer stands; `start` is -1 where it does not answer."""

    question: str
    passage: str
    start: int
    end: int
    kind: str


class Article:
    """An article's paragraphs with what making examples needs: their sentences, words and names."""

    def __init__(self, paragraphs: Sequence[Paragraph]) -> None:
        self.paragraphs = paragraphs
        self.spans = [[(s.start, s.end) for s in sentences(p.text)] for p in paragraphs]
        self.words = [frozenset(WORD.findall(p.text.lower())) for p in paragraphs]
        counts = Counter(word for words in self.words for word in words)
        self.rarity = {word: math.log(1 + len(paragraphs) / n) for word, n in counts.items()}
        self.names = [tuple(names_in(p.text)) for p in paragraphs]
        self.all_names = tuple(dict.fromkeys(name for names in self.names for name in names))

    def pool(self, place: int) -> Pool:
        """The names that may stand in for one of a paragraph's."""
        return Pool(self.names[place], self.all_names)

    def nearest(self, question: str, answer: str, place: int, chance: Random) -> int | None:
        """One of the three paragraphs that share most with the question and do not hold the answer."""
        asked = set(WORD.findall(question.lower()))
        scores = [
            (sum(self.rarity[word] for word in asked & words), -i)
            for i, words in enumerate(self.words)
            if i != place and answer.lower() not in self.paragraphs[i].text.lower()
        ]
        best = sorted(scores, reverse=True)[:3]
        return -chance.choice(best)[1] if best else None


def training_examples(data: Path, answered: int, unanswered: int, seed: int) -> list[Example]:
    """At most so many answerable and made unanswerable examples, and the even-place articles of SQuAD 2.0 dev."""
    chance = Random(seed)
    articles = [Article(paragraphs) for paragraphs in squad(data / "squad" / "train-v1.1.json.gz")]
    places = [
        (article, place, asked)
        for article in articles
        for place, paragraph in enumerate(article.paragraphs)
        for asked in paragraph.asked
        if paragraph.text[asked.start : asked.start + len(asked.answer)] == asked.answer
    ]
    chance.shuffle(places)
    examples = [_answerable(*place, chance) for place in places[:answered]]
    kinds, weights = list(NEGATIVES), list(NEGATIVES.values())
    # Each question that is spoilt has been seen answered, or nearly: what tells them apart is what matters.
    for article, place, asked in places[: unanswered * 2]:
        if len(examples) >= answered + unanswered:
            break
        kind = chance.choices(kinds, weights)[0]
        spoilt = _SPOILS[kind](article, place, asked, chance)
        if spoilt is not None:
            examples.append(spoilt)
    examples += 3 * people_s_own(data, training=True, seed=seed)
    chance.shuffle(examples)
    return [
        replace(example, question=example.question.rstrip("? ")) if chance.random() < UNMARKED else example
        for example in examples
    ]


def people_s_own(data: Path, *, training: bool, seed: int) -> list[Example]:
    """The questions of SQuAD 2.0 dev's even-place articles, without those to tune on, or only those."""
    chance = Random(seed)
    examples = []
    for place, paragraphs in enumerate(squad(data / "squad" / "dev-v2.0.json.gz")):
        if place % 2 or training == (place in TUNING_PLACES):
            continue
        for paragraph in paragraphs:
            examples += [_own(paragraph, asked, chance, whole=not training) for asked in paragraph.asked]
    return examples


def neighbours(data: Path, seed: int) -> Iterator[Example]:
    """The tuning articles' answerable questions with another passage of their article."""
    chance = Random(seed)
    for place in TUNING_PLACES:
        article = Article(squad(data / "squad" / "dev-v2.0.json.gz")[place])
        for at, paragraph in enumerate(article.paragraphs):
            for asked in paragraph.asked:
                other = article.nearest(asked.question, asked.answer, at, chance) if asked.start >= 0 else None
                if other is not None:
                    yield Example(asked.question, article.paragraphs[other].text, -1, -1, "near")


def _own(paragraph: Paragraph, asked: AskedOf, chance: Random, *, whole: bool) -> Example:
    spans = [(s.start, s.end) for s in sentences(paragraph.text)]
    if whole or asked.start < 0:
        start, end = 0, len(paragraph.text)
    else:
        start, end = _window(spans, asked, chance)
    kind = "answerable" if asked.start >= 0 else "asked by people"
    return _example(asked.question, paragraph, start, end, asked, kind)


def _answerable(article: Article, place: int, asked: AskedOf, chance: Random) -> Example:
    paragraph = article.paragraphs[place]
    start, end = _window(article.spans[place], asked, chance)
    return _titled(_example(asked.question, paragraph, start, end, asked, "answerable"), paragraph.title, chance)


def _near(article: Article, place: int, asked: AskedOf, chance: Random) -> Example | None:
    other = article.nearest(asked.question, asked.answer, place, chance)
    if other is None:
        return None
    paragraph, spans = article.paragraphs[other], article.spans[other]
    first = chance.randrange(len(spans))
    last = min(len(spans), first + chance.choice(LENGTHS)) - 1
    passage = paragraph.text[spans[first][0] : spans[last][1]]
    return _titled(Example(asked.question, passage, -1, -1, "near"), paragraph.title, chance)


def _removed(article: Article, place: int, asked: AskedOf, chance: Random) -> Example | None:
    """The passage without its answering sentence; None where another sentence holds the answer, too."""
    paragraph, spans = article.paragraphs[place], article.spans[place]
    first, last = _sentence_range(spans, *_window(spans, asked, chance))
    first, last = max(0, first - 1), min(len(spans), last + 1)
    kept = [
        span for span in spans[first:last] if not (span[0] < asked.start + len(asked.answer) and asked.start < span[1])
    ]
    passage = " ".join(paragraph.text[start:end] for start, end in kept)
    if not kept or asked.answer.lower() in passage.lower():
        return None
    return _titled(Example(asked.question, passage, -1, -1, "removed"), paragraph.title, chance)


def _question(article: Article, place: int, asked: AskedOf, chance: Random) -> Example | None:
    """The question about another person, year, relation; None where nothing in it can be changed so."""
    changed = alter(asked.question, article.pool(place), chance, CHANGES)
    if changed is None or asked.answer.lower() in changed[0].lower():
        return None
    paragraph = article.paragraphs[place]
    start, end = _window(article.spans[place], asked, chance)
    return _titled(
        Example(changed[0], paragraph.text[start:end], -1, -1, f"question: {changed[1]}"), paragraph.title, chance
    )


def _passage(article: Article, place: int, asked: AskedOf, chance: Random) -> Example | None:
    """The passage about another: the names that it shares with the question replaced throughout."""
    paragraph = article.paragraphs[place]
    start, end = _window(article.spans[place], asked, chance)
    passage = paragraph.text[start:end]
    shared = [name for name in names_in(asked.question) if name in passage and name not in asked.answer]
    years = [y for y in re.findall(r"\b(?:1\d|20)\d\d\b", asked.question) if y in passage and y not in asked.answer]
    if years and (not shared or chance.random() < 0.4):
        return Example(
            asked.question,
            passage.replace(years[0], str(int(years[0]) + chance.randint(1, 9))),
            -1,
            -1,
            "passage: year",
        )
    others = [n for n in article.all_names if n not in passage and n not in asked.question]
    if not shared or not others:
        return None
    old, new = chance.choice(shared), chance.choice(others)
    passage = passage.replace(old, new)
    if set(old.lower().split()) & set(WORD.findall(passage.lower())) - {"of", "the"}:
        return None
    return Example(asked.question, passage, -1, -1, "passage: name")


_SPOILS = {"near": _near, "removed": _removed, "question": _question, "passage": _passage}


def _window(spans: Sequence[tuple[int, int]], asked: AskedOf, chance: Random) -> tuple[int, int]:
    """Whole sentences around the answer, as many as chance says, the answer anywhere among them."""
    first, last = _sentence_range(spans, asked.start, asked.start + len(asked.answer))
    more = max(0, chance.choice(LENGTHS) - (last - first))
    before = min(first, chance.randint(0, more))
    return spans[first - before][0], spans[min(len(spans), last + more - before) - 1][1]


def _sentence_range(spans: Sequence[tuple[int, int]], start: int, end: int) -> tuple[int, int]:
    """The first sentence that `start` to `end` touches, and the one behind the last."""
    touched = [i for i, span in enumerate(spans) if span[0] < end and start < span[1]]
    return (touched[0], touched[-1] + 1) if touched else (0, len(spans))


def _example(question: str, paragraph: Paragraph, start: int, end: int, asked: AskedOf, kind: str) -> Example:
    passage = paragraph.text[start:end]
    if asked.start < 0:
        return Example(question, passage, -1, -1, kind)
    return Example(question, passage, asked.start - start, asked.start - start + len(asked.answer), kind)


def _titled(example: Example, title: str, chance: Random) -> Example:
    """Half the passages with their title in front, as passages are read later."""
    if chance.random() < 0.5:
        return example
    head = f"{title}\n"
    moved = (example.start + len(head), example.end + len(head)) if example.start >= 0 else (-1, -1)
    return Example(example.question, head + example.passage, *moved, example.kind)
