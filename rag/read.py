"""Question and hits to evidence: the sentences and words that the reader finds, each with one calibrated score."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, replace

from rag.amounts import beside_the_question, borne_out, doubted
from rag.deny import JOINT, denies, leaves_permission_open, leaves_unsaid, speaks_of_another, told_otherwise
from rag.fits import fits, is_mere_date, names_the_asked
from rag.headings import answered_at_once, asks, is_bare, question_above
from rag.protocols import Reader, Verifier
from rag.questions import (
    STOP_WORDS,
    WORD,
    Asked,
    analyse,
    asks_for_a_name,
    concept,
    plain_words,
    premise,
    stem,
    stems,
)
from rag.records import AnswerSpan, Evidence, Hit, Reading, Sentence, Support
from rag.relations import (
    deals_with_the_office,
    gives_no_reason,
    lacks_the_office,
    spelt_out,
    tells_of_another,
    tells_of_no_victims,
)
from rag.roles import doer, tells_of_nobody, tells_of_the_other
from rag.subject import Topic, beside_the_point

# Logistic regression on the gold questions that may be tuned on: tests/benchmarks/fit_scoring.py prints both lines.
BIAS = -4.88
WEIGHTS = (0.34, 1.49, 1.23, 0.60, 1.52)
STRANGER = 0.1  # what a score is worth where a name of the question is in no passage: less than any threshold in use
MOST_ODDS = 8.0  # log-odds beyond this say no more
WINDOW = 550  # characters that are read at a time; measured: 350, 900 and whole passages are worse
GRANTED = 0.5  # the least support for what a question takes for granted
VERIFIED_AT_MOST = 24  # sentences that a yes/no question is held against
OWNED = re.compile(r"['’]s\s+")
IN_ONE_WORD = re.compile(r"(?:[.@/_][^\W_]+)+")
SHORTENED = re.compile(r"(?<![a-z])(?:[ap]\.m|Inc|Ltd|Corp|Jr|Sr)\.$")  # whose full stop belongs to it
IN_BRACKETS = re.compile(r" \((?P<words>[^()]*)\)(?=\?*$)")
EDGES = " \t\n,;:—–-("


@dataclass(frozen=True, slots=True)
class Features:
    """What speaks for a sentence; the order is that of the weights.

    `span`: the reader's log-odds for the words; `fits`: they are of the kind that is asked for; `named`: the share of
    the question's names in the sentence, `near`: the same share in its passage and title; `related`: the sentence holds
    another word of the question, or one of like use. The log-odds for the whole window, the share of the question's
    words, the likeness of the embeddings and the verifier's support added nothing to these.
    """

    span: float
    fits: float
    named: float
    near: float
    related: float

    def score(self) -> float:
        """The probability that the sentence answers."""
        return logistic(BIAS + sum(weight * value for weight, value in zip(WEIGHTS, astuple(self), strict=True)))


@dataclass(frozen=True, slots=True)
class Found:
    """A sentence of a hit with the reader's best words in it.

    `doubts` counts what speaks against it: it tells of another office or the like, or of what is done to whom where the
    doer is asked for, or its passage is beside the point.
    """

    hit: Hit
    sentence: Sentence
    answer: tuple[int, int]
    features: Features
    doubts: int

    def score(self) -> float:
        """The probability that the sentence answers."""
        return doubted(self.features.score(), self.doubts)


class EvidenceReader:
    """Reads all hits of a question at once; a yes/no question is put to the verifier instead."""

    def __init__(self, reader: Reader, verifier: Verifier) -> None:
        self._reader = reader
        self._verifier = verifier

    @property
    def verifier(self) -> Verifier:
        """What holds claims against evidence."""
        return self._verifier

    def evidence(self, asked: Asked, hits: Sequence[Hit]) -> list[Evidence]:
        """The sentences that may answer, best first, each once, with the answering words."""
        if asked.kind == "yesno":
            evidence = self._verified(asked, hits)
        else:
            factor = STRANGER if _strangers(asked, hits) else 1.0
            found = self.found(asked, hits)
            evidence = [Evidence(f.hit, f.sentence, round(factor * f.score(), 6), f.answer) for f in found]
            if asked.kind == "amount":
                evidence = borne_out(asked, evidence)
        return sorted(_best_of_each(evidence), key=lambda e: (-e.score, e.hit.passage.source, e.sentence.start))

    def found(self, asked: Asked, hits: Sequence[Hit]) -> list[Found]:
        """What the reader finds, sentence by sentence, with what speaks for it."""
        about, beside = Topic(asked, hits), beside_the_point(asked, hits)
        pieces = [(hit, window, f"{hit.title}\n" if hit.title else "") for hit in hits for window in windows(hit)]
        told = [head + _slice(hit, *window) for hit, window, head in pieces]
        readings = self._reader.read(spelt_out(asked.question, told), told)
        return [
            replace(found, doubts=found.doubts + ((hit.passage.source, hit.passage.start) in beside))
            for (hit, (start, end), head), reading in zip(pieces, readings, strict=True)
            for found in _in_sentences(asked, hit, (start, end), reading, start - len(head))
            if not about.is_another(hit, found.sentence)
        ]

    def grants(self, asked: Asked, hits: Sequence[Hit]) -> bool:
        """Whether the hits bear what the question takes for granted; true where it takes nothing."""
        taken = premise(asked.question)
        if taken is None:
            return True
        supports = [support for _, support in self._held_against(analyse(taken), hits)]
        return any(support.supported >= GRANTED for support in supports)

    def _verified(self, asked: Asked, hits: Sequence[Hit]) -> list[Evidence]:
        """The sentences that bear or deny what a yes/no question asks."""
        evidence = []
        weights = _rarity(_concepts(asked.words), hits)
        named = _concepts(word for name in asked.names for word in WORD.findall(name))
        about, beside = Topic(asked, hits), beside_the_point(asked, hits)
        for (hit, sentence), support in self._held_against(asked, hits):
            if about.is_another(hit, sentence) or about.lacks_a_name(hit, sentence):
                continue
            text, above = hit.passage.sentence_text(sentence), question_above(hit, sentence)
            stance = _stance(asked, hit, sentence, support)
            if stance is None:
                continue
            sure, denied = stance
            # A sentence that names another year or number speaks of what was asked all the same: it denies it.
            held = _concepts([*WORD.findall(f"{above} {text}"), *told_otherwise(asked.question, text)])
            held |= named & _concepts(WORD.findall(hit.title or ""))  # the title says of whom the sentence speaks
            lacking = weights.keys() - held if not speaks_of_another(asked, text) else ()
            missing = sum(weights[word] for word in lacking)
            score = sure * (1.0 - missing / sum(weights.values()) if weights else 1.0)
            reasons = (
                tells_of_another(asked.question, text) or (hit.passage.source, hit.passage.start) in beside,
                not _related(asked, f"{above} {text}"),
            )
            score = doubted(score, sum(reasons))
            evidence.append(Evidence(hit, sentence, round(score, 6), contradicts=denied))
        return evidence

    def _held_against(self, asked: Asked, hits: Sequence[Hit]) -> list[tuple[tuple[Hit, Sentence], Support]]:
        """A yes/no question held against the sentences that share most words with it, each once."""
        words = _concepts(asked.words)
        places = {(hit.passage.source, s.start): (hit, s) for hit in reversed(hits) for s in _prose(hit)}
        texts = {key: hit.passage.sentence_text(sentence) for key, (hit, sentence) in places.items()}
        above = {key: question_above(*place) for key, place in places.items()}
        shared = {key: len(words & _concepts(WORD.findall(f"{above[key]} {text}"))) for key, text in texts.items()}
        keys = sorted(places, key=lambda key: (-shared[key], key))[:VERIFIED_AT_MOST]
        claim = _without_the_topic(asked.question)
        supports = self._verifier.verify([(claim, texts[key]) for key in keys])
        return [(places[key], support) for key, support in zip(keys, supports, strict=True)]


def _stance(asked: Asked, hit: Hit, sentence: Sentence, support: Support) -> tuple[float, bool] | None:
    """How surely a sentence bears or denies what a yes/no question asks, and whether it denies; None for neither.

    Below "Is there a free trial?" it does what its "Yes" or "No" says.
    """
    text = hit.passage.sentence_text(sentence)
    if leaves_unsaid(text) or asks(text) or is_bare(text):
        return None
    said = answered_at_once(hit, sentence)
    if said is not None:
        return 1.0, said == denies(asked, question_above(hit, sentence))
    by_rule = denies(asked, text)
    denied = support.contradicted > support.supported or by_rule
    if denied and leaves_permission_open(asked.question, text):
        return None
    # What the verifier half supports and half contradicts is no more certain than what it finds neutral.
    return 1.0 - support.neither if by_rule else abs(support.supported - support.contradicted), denied


def _without_the_topic(question: str) -> str:
    """A question without the topic that stands behind a follow-up; "(on the balcony)" is a part of what is asked."""
    behind = IN_BRACKETS.search(question)
    words = WORD.findall(behind["words"]) if behind else []
    told = any(word.lower() in STOP_WORDS or word[0].isdigit() for word in words)
    return question if behind is None or told else question[: behind.start()] + question[behind.end() :]


def _in_sentences(asked: Asked, hit: Hit, window: tuple[int, int], reading: Reading, offset: int) -> Iterable[Found]:
    """The best words in each sentence that has some; `offset` is the place of the text that was read in the source."""
    for sentence in _prose(hit):
        text = hit.passage.sentence_text(sentence)
        # What is said of 2024 answers no question about 2022, however well the rest fits.
        if not window[0] <= sentence.start < window[1] or speaks_of_another(asked, text):
            continue
        if deals_with_the_office(asked.question, text) or tells_of_nobody(asked.question, text):
            continue
        if gives_no_reason(asked, text) or tells_of_no_victims(asked.question, f"{hit.passage.heading} {text}"):
            continue
        inside = [(span, _clipped(hit, sentence, span, offset)) for span in reading.spans]
        told = [(span, place) for span, place in inside if place[0] < place[1]]
        if told and is_mere_date(asked, _slice(hit, *told[0][1])):
            continue
        if asked.kind == "amount":
            told = [(span, place) for span, place in told if not beside_the_question(asked, text, sentence, place)]
        fitting = [(span, (start, end)) for span, (start, end) in told if fits(asked, sentence, text, start, end)]
        if told:
            span, place = _of_the_clause(asked, sentence, text, fitting or told)
            features = _features(asked, hit, span, f"{question_above(hit, sentence)} {text}", bool(fitting))
            acting = doer(asked, text, (place[0] - sentence.start, place[1] - sentence.start))
            if acting:
                place = (sentence.start + acting[0], sentence.start + acting[1])
            reasons = (
                acting is None,
                tells_of_another(asked.question, text),
                lacks_the_office(asked.question, text),
                tells_of_the_other(asked, text),
                not fitting and (asks_for_a_name(asked) or names_the_asked(asked, _slice(hit, *place))),
            )
            yield Found(hit, sentence, place, features, sum(reasons))


def _of_the_clause(
    asked: Asked, sentence: Sentence, text: str, told: Sequence[tuple[AnswerSpan, tuple[int, int]]]
) -> tuple[AnswerSpan, tuple[int, int]]:
    """The best date; another where that one's clause speaks of nothing that is asked, and the other's of all.

    "Check-in is from 3 p.m., check-out until 11 a.m." says 3 p.m. of check-in.
    """
    words = {stem(word) for word in asked.words} & stems(text)
    if asked.kind != "date" or not words or len(told) < 2:
        return told[0]

    def held(place: tuple[int, int]) -> int:
        start = max((cut.end() for cut in JOINT.finditer(text, 0, place[0] - sentence.start)), default=0)
        following = JOINT.search(text, place[1] - sentence.start)
        return len(words & stems(text[start : following.start() if following else len(text)]))

    best = next((each for each in told if held(each[1]) == len(words)), told[0])
    return told[0] if held(told[0][1]) else best


def windows(hit: Hit) -> list[tuple[int, int]]:
    """What of a hit is read at a time: spans in the source of whole sentences, of about `WINDOW` characters.

    Together they cover the passage; the last sentence of one is the first of the next.
    """
    sentences = hit.passage.sentences
    made: list[tuple[int, int]] = []
    first = 0
    while True:
        last = first
        while last + 1 < len(sentences) and sentences[last + 1].end - sentences[first].start <= WINDOW:
            last += 1
        made.append((sentences[first].start, sentences[last].end))
        if last + 1 >= len(sentences):
            return made
        first = last if last > first else last + 1


def _slice(hit: Hit, start: int, end: int) -> str:
    return hit.passage.text[start - hit.passage.start : end - hit.passage.start]


def _prose(hit: Hit) -> list[Sentence]:
    return [sentence for sentence in hit.passage.sentences if sentence.kind in ("prose", "item")]


def _clipped(hit: Hit, sentence: Sentence, span: AnswerSpan, offset: int) -> tuple[int, int]:
    """Where the part of a span in a sentence stands in the source, without loose punctuation; may be empty."""
    start, end = max(sentence.start, span.start + offset), min(sentence.end, span.end + offset)
    # The tokens part at an apostrophe: "Acme’s latest price" may be read from the "s" on.
    for begin in (start, max(sentence.start, start - 1)):
        if owned := OWNED.match(_slice(hit, begin, max(begin, end))):
            start = begin + owned.end()
            break
    # And within an address: "support@acme.example".
    if start < end and (rest := IN_ONE_WORD.match(_slice(hit, end, sentence.end))):
        end += rest.end()
    words = _slice(hit, start, max(start, end))
    start += len(words) - len(words.lstrip(EDGES))
    bare = words.strip(EDGES).rstrip(".")
    whole = _slice(hit, start, min(sentence.end, start + len(bare) + 1))
    return start, start + len(bare) + (SHORTENED.search(whole) is not None)


def _features(asked: Asked, hit: Hit, span: AnswerSpan, text: str, fits: bool) -> Features:
    return Features(
        span=max(-MOST_ODDS, min(MOST_ODDS, span.score)),
        fits=float(fits),
        named=_share_named(asked, text),
        near=_share_named(asked, f"{hit.title or ''}\n{hit.passage.text}"),
        related=float(_related(asked, text)),
    )


def _related(asked: Asked, text: str) -> bool:
    """Whether a text holds a word of the question that is neither name nor number; true where there is none."""
    own = {concept(word) for word in plain_words(asked) if not word[0].isdigit()}
    return not own or not own.isdisjoint(concept(word) for word in WORD.findall(text))


def _share_named(asked: Asked, text: str) -> float:
    """The share of the question's names that a text holds; 1 where the question names nothing.

    Who asks for H100s means what the text calls an H100.
    """
    lower = text.lower()
    held = sum(name.lower().removesuffix("s") in lower for name in asked.names)
    return held / len(asked.names) if asked.names else 1.0


def _strangers(asked: Asked, hits: Sequence[Hit]) -> list[str]:
    """The question's names that no hit holds: "What is the capital of Peru?" where nothing speaks of Peru."""
    text = " ".join(f"{hit.title or ''} {hit.passage.text}" for hit in hits).lower()
    return [name for name in asked.names if name.lower().removesuffix("s") not in text]


def _rarity(words: set[str], hits: Sequence[Hit]) -> dict[str, float]:
    """How much each word tells: the fewer sentences of the hits hold it, the more (inverse document frequency)."""
    told = [_concepts(WORD.findall(hit.passage.sentence_text(sentence))) for hit in hits for sentence in _prose(hit)]
    return {word: math.log1p(len(told) / (1 + sum(word in each for each in told))) for word in words}


def _concepts(words: Iterable[str]) -> set[str]:
    return {concept(word) for word in words if word.lower() not in STOP_WORDS}


def _best_of_each(evidence: Iterable[Evidence]) -> list[Evidence]:
    """Each sentence once, though passages overlap: as it was read best."""
    best: dict[tuple[str, int], Evidence] = {}
    for e in evidence:
        key = (e.hit.passage.source, e.sentence.start)
        if key not in best or e.score > best[key].score:
            best[key] = e
    return list(best.values())


def logistic(odds: float) -> float:
    """The probability that log-odds stand for, to six digits."""
    return round(1 / (1 + math.exp(-odds)), 6)
