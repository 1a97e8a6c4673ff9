"""Evidence to a judgement: which values the sources give, who agrees with whom, or that they do not say."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rag.deny import contests, takes_back
from rag.questions import WORD, Asked, concept, counted, plain_words, stem
from rag.records import Evidence, Outcome, Reason
from rag.roles import WHAT_IS
from rag.subject import naming, texts_of, topic_of
from rag.values import (
    Date,
    Figure,
    agree,
    dates,
    figures,
    moment,
    names_weekday_or_time,
    normal,
    same_date,
    same_moment,
    same_time,
    share_a_part,
)

ECHO = 0.05  # a sentence that gives the leading value needs this share of the threshold to count as agreement
WORDED_ECHO = 0.75  # the same for names and other words, small counts and months, which agree by chance more often
SMALL_COUNT = 100
RIVAL = 0.6  # a sentence that gives another value needs this share of the leader's score to dispute it
RIVAL_COUNT = 0.85  # the same for a count of which the sentence tells nothing else that is asked
OTHER_VERDICT = 0.7  # the same for a sentence that answers "no" where the best one answers "yes"
AGREEING = 0.12  # what each further source adds to the summed scores of a value
NEXT = 0.5  # the same for a further sentence of a description, a reason or a list
SENTENCE = 3  # words; what is shorter says nothing beside another sentence: "Service."
SAME_WORDS = 0.75  # sentences that share more of their words say the same
VALUE_WORDS = 8  # answering words that are more than so many are no value but a description
PERMISSION = re.compile(r"\b(?:may|can|must) (?:i|we|you|one|the|an?|\w+s)\b", re.IGNORECASE)
SINGLE = ("amount", "date", "name", "place", "text")  # the kinds of question that may have a single value


@dataclass(frozen=True, slots=True)
class Saying:
    """What one sentence says: the value as it is written there, or None where the whole sentence is the answer."""

    evidence: Evidence
    value: str | None = None

    @property
    def source(self) -> str:
        """Who says it."""
        return self.evidence.hit.passage.source


@dataclass(frozen=True, slots=True)
class Stand:
    """Sayings that agree, the best first, one a source."""

    sayings: tuple[Saying, ...]

    @property
    def best(self) -> Saying:
        """The saying to quote."""
        return self.sayings[0]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the evidence comes to: the stands, the leading one first; `holds` answers a yes/no question.

    `valued` says that the stands are the values of one thing, and not sentences that each say their own.
    """

    outcome: Outcome
    stands: tuple[Stand, ...]
    confidence: float
    reason: Reason | None = None
    holds: bool | None = None
    valued: bool = False


def weigh(asked: Asked, evidence: Sequence[Evidence], threshold: float) -> Judgement:
    """Judge the evidence for one question; what scores below `threshold`, or is asked for nothing, does not answer."""
    evidence = sorted(evidence, key=lambda e: (-e.score, e.hit.passage.source, e.sentence.start))
    top = evidence[0].score if evidence and not _asks_nothing(asked) else 0.0
    if not evidence or top < threshold:
        reason: Reason = "no_passage_answers" if evidence else "nothing_retrieved"
        return Judgement("not_in_sources", (), 1.0 - top, reason)
    if asked.kind == "yesno":
        return _yes_or_no(asked, evidence, threshold)
    if asked.kind in SINGLE and (asked.kind != "text" or _valued(asked, evidence[0])):
        stands = _by_value(asked, evidence, threshold)
        if stands:
            disputed = len(stands) > 1 and asked.kind in ("amount", "date")
            outcome: Outcome = "disputed" if disputed else "answered"
            return Judgement(outcome, stands, _confidence(stands[0]), valued=True)
    stands = _by_words(evidence, threshold)
    return Judgement("answered", stands, _confidence(stands[0]))


def _asks_nothing(asked: Asked) -> bool:
    """Whether a question holds nothing to look for, or a date alone: "Why?", "In May?"."""
    taken = [range(date.start, date.end) for date in dates(asked.question)]
    words = [word for word in WORD.finditer(asked.question) if not any(word.start() in span for span in taken)]
    return {word.group() for word in words}.isdisjoint(asked.words)


def _confidence(stand: Stand) -> float:
    """The chance that at least one of the agreeing sayings is right, were they independent."""
    wrong = 1.0
    for saying in stand.sayings:
        wrong *= 1.0 - saying.evidence.score
    return 1.0 - wrong


# ---- values ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Valued:
    """A saying with its value as something that can be compared."""

    saying: Saying
    value: Figure | Date | str
    prospective: bool = False


def _by_value(asked: Asked, evidence: Sequence[Evidence], threshold: float) -> tuple[Stand, ...]:
    """The values that the evidence gives, grouped by agreement, the leading value first."""
    told = (_valued(asked, e) for e in evidence if e.score >= threshold * ECHO)
    valued = [v for v in told if v is not None and v.saying.evidence.score >= threshold * _echo(v.value)]
    strong = [v for v in valued if v.saying.evidence.score >= threshold]
    if not strong or strong[0].saying.evidence.score < RIVAL * evidence[0].score:
        return ()
    kept = _same_question(asked, strong[0], _of_the_topic(asked, strong[0], valued))
    groups: list[list[_Valued]] = []
    heard: set[str] = set()
    for candidate in kept:
        home = next((g for g in groups if _agree(g[0].value, candidate.value)), None)
        chance = home is not None and _may_agree_by_chance(candidate, home[0], threshold)
        # "One man died" tells as much of how many people died as "one person died".
        lacking = _shared_words(asked, home[0]) - _shared_words(asked, candidate) if home else set()
        if chance and lacking - {concept("people")}:
            continue
        if home is None:
            groups.append([candidate])
        elif candidate.saying.source not in heard:  # a source agrees with the best that it says
            home.append(candidate)
        heard.add(candidate.saying.source)
    if not groups:
        return ()
    groups.sort(key=lambda g: (-_weight(g), g[0].saying.source))
    rivals = [group for group in groups[1:] if _is_rival(asked, group, groups[0])]
    return tuple(Stand(tuple(v.saying for v in g)) for g in (groups[0], *rivals))


def _is_rival(asked: Asked, group: Sequence[_Valued], lead: Sequence[_Valued]) -> bool:
    """Whether a value stands against the leading one: as well read, or an amount told in as many of the asked words.

    Of these some are those of the leading sentence: what lunch costs is no price of a roof. Names and small counts, of
    which texts are full, stand in a sentence that holds all of them, and a count that the leading sentence gives beside
    its own is another.
    """
    if not _contradicts(group, lead) or _compatible(group[0].value, lead[0].value):
        return False
    chance = asked.kind in ("name", "place") or _is_small(group[0].value)
    told = any(_as_told(asked, v, lead[0]) for v in group)
    beyond = _shared_words(asked, lead[0]) - counted(asked)
    if chance and not told and not any(_counts_the_same(v.value, beyond, _shared_words(asked, v)) for v in group):
        return False
    count = _is_count(group[0].value)
    if count and _told_apart(group[0].value, lead):
        return False
    shares = any(_shared_words(asked, v) - counted(asked) for v in group)
    needed = RIVAL_COUNT if count and not shares else RIVAL
    if group[0].saying.evidence.score >= needed * max(v.saying.evidence.score for v in lead):
        return True
    words, own = (max((_shared_words(asked, v) for v in side), key=len) for side in (lead, group))
    alike = len(own) >= len(words) and not (words and words.isdisjoint(own))
    return asked.kind == "amount" and bool(own - counted(asked) if count else own) and alike


def _counts_the_same(value: Figure | Date | str, beyond: set[str], shared: set[str]) -> bool:
    """Whether a count names nothing that it counts, and its sentence all else that is asked: "The dead rose to 17"."""
    return isinstance(value, Figure) and not value.noun and bool(beyond) and beyond <= shared


def _is_count(value: Figure | Date | str) -> bool:
    return isinstance(value, Figure) and not value.unit


def _told_apart(value: Figure | Date | str, lead: Sequence[_Valued]) -> bool:
    """Whether a sentence that gives the leading count gives the other beside it: "212 on board, 198 of them guests"."""
    texts = {v.saying.evidence.text for v in lead}
    return isinstance(value, Figure) and any(value.value == other.value for text in texts for other in figures(text))


def _echo(value: Figure | Date | str) -> float:
    """The share of the threshold that a sentence with the leading value needs to count as agreement."""
    return WORDED_ECHO if isinstance(value, str) or _is_small(value) else ECHO


def _is_small(value: Figure | Date | str) -> bool:
    """Whether a value is a small count or a mere month, which agree by chance: "two", "in November"."""
    if isinstance(value, Figure):
        return not value.unit and value.value < SMALL_COUNT
    return isinstance(value, Date) and value.day is None and value.year is None


def _as_told(asked: Asked, candidate: _Valued, lead: _Valued) -> bool:
    """Whether a sentence holds all of the question's words, names aside, that another one holds."""
    return _shared_words(asked, lead) <= _shared_words(asked, candidate)


def _may_agree_by_chance(candidate: _Valued, lead: _Valued, threshold: float) -> bool:
    """Whether a value agrees with the leading one only if its sentence holds the same of the question's words.

    So does a mere year with a day of that year, where the sentence by itself would not answer.
    """
    one, other = candidate.value, lead.value
    day_and_year = isinstance(one, Date) and isinstance(other, Date) and (one.day is None) != (other.day is None)
    return _is_small(one) or (day_and_year and candidate.saying.evidence.score < threshold)


def _valued(asked: Asked, evidence: Evidence) -> _Valued | None:
    """The value in the answering words of a sentence; None where there is none of the kind that is asked for."""
    answer = evidence.answer_text
    if answer is None:
        return None
    if WHAT_IS.match(asked.question) and figures(answer):
        return None  # 90 bitcoin are not what Pale Fox is
    start, end = evidence.answer or (0, 0)
    begin = evidence.sentence.start
    if asked.kind == "amount":
        for figure in figures(evidence.text):
            if figure.start + begin < end and start < figure.end + begin:
                written = evidence.text[figure.start : figure.end]
                when = moment(evidence.text, figure)
                return _Valued(Saying(evidence, written), figure, when.prospective)
        return None
    if asked.kind == "date":
        found = [date for date in dates(evidence.text) if date.start + begin < end and start < date.end + begin]
        if found:
            written = evidence.text[found[0].start : found[0].end] if len(answer.split()) > VALUE_WORDS else answer
            return _Valued(Saying(evidence, written), found[0])
        return _Valued(Saying(evidence, answer), normal(answer)) if names_weekday_or_time(answer) else None
    return _Valued(Saying(evidence, answer), normal(answer)) if len(answer.split()) <= VALUE_WORDS else None


def _of_the_topic(asked: Asked, first: _Valued, valued: Sequence[_Valued]) -> list[_Valued]:
    """Those whose sources name what the question is about, where the source of the first does.

    "It carries 7,900 tons" says nothing about the Aurora in a source that has only the Borealis.
    """
    texts = texts_of(v.saying.evidence.hit for v in valued)
    named = naming(topic_of(asked, texts), texts)
    return [v for v in valued if v.saying.source in named or first.saying.source not in named]


def _same_question(asked: Asked, first: _Valued, valued: Sequence[_Valued]) -> list[_Valued]:
    """Those that speak of the same quantity, unit and moment as what is asked."""
    if not isinstance(first.value, Figure):
        return list(valued)
    permission = PERMISSION.search(asked.question)  # "may" tells of no plan there
    if permission:
        valued = [replace(v, prospective=first.prospective) for v in valued]
    lead = next((v for v in valued if v.prospective == asked.prospective), first)
    if lead.saying.evidence.score < RIVAL * first.saying.evidence.score:
        lead = first
    when = moment(lead.saying.evidence.text, lead.value) if isinstance(lead.value, Figure) else None
    kept = []
    for candidate in valued:
        value = candidate.value
        if not isinstance(value, Figure) or not isinstance(lead.value, Figure) or value.unit != lead.value.unit:
            continue
        other = moment(candidate.saying.evidence.text, value)
        if permission and when is not None:
            other = replace(other, prospective=when.prospective)
        agreeing = agree(value, lead.value)
        if agreeing or (candidate.prospective == lead.prospective and when is not None and same_moment(other, when)):
            kept.append(candidate)
    return kept


def _agree(one: Figure | Date | str, other: Figure | Date | str) -> bool:
    if isinstance(one, Figure) and isinstance(other, Figure):
        return agree(one, other)
    if isinstance(one, Date) and isinstance(other, Date):
        return same_date(one, other) and share_a_part(one, other)
    if isinstance(one, str) and isinstance(other, str):
        shorter, longer = sorted((set(one.split()), set(other.split())), key=len)
        return bool(shorter) and shorter <= longer
    return False


def _compatible(one: Figure | Date | str, other: Figure | Date | str) -> bool:
    """Whether two values that do not agree can be true of one thing all the same: "2022", "11 February", "Thursday"."""
    if isinstance(one, Date) and isinstance(other, Date):
        return same_date(one, other)
    if isinstance(one, str) and isinstance(other, str) and names_weekday_or_time(one) and names_weekday_or_time(other):
        return same_time(one, other)
    return isinstance(one, Date) or isinstance(other, Date)


def _weight(group: Sequence[_Valued]) -> float:
    """What the sources that give a value weigh together: their scores add up, and each further one counts of itself."""
    return sum(v.saying.evidence.score for v in group) + AGREEING * (len(group) - 1)


def _shared_words(asked: Asked, valued: _Valued) -> set[str]:
    """What a sentence holds of the question's words, names aside."""
    return _words_in(asked, valued.saying.evidence)


def _words_in(asked: Asked, evidence: Evidence) -> set[str]:
    own = {concept(word) for word in plain_words(asked)}
    return own & {concept(word) for word in WORD.findall(evidence.text)}


def _contradicts(group: Sequence[_Valued], lead: Sequence[_Valued]) -> bool:
    """Whether another source than the lead's gives the other value; one source does not dispute itself."""
    return {v.saying.source for v in group}.isdisjoint(v.saying.source for v in lead)


# ---- whole sentences ---------------------------------------------------------------------------


def _by_words(evidence: Sequence[Evidence], threshold: float) -> tuple[Stand, ...]:
    """The sentences that answer, those that say the same in the same words together, the best first."""
    top = evidence[0].score
    stands: list[list[Saying]] = []
    for e in evidence:
        if e.score < max(threshold, NEXT * top):
            continue
        home = next((s for s in stands if alike(s[0].evidence.text, e.text)), None)
        if home is None and (not stands or len(e.text.split()) >= SENTENCE):
            stands.append([Saying(e, e.answer_text)])
        elif home is not None and all(e.hit.passage.source != saying.source for saying in home):
            home.append(Saying(e, e.answer_text))
    return tuple(Stand(tuple(sayings)) for sayings in stands)


def alike(one: str, other: str) -> bool:
    """Whether two sentences share most of their words."""
    first, second = ({stem(w) for w in normal(text).split()} for text in (one, other))
    return len(first & second) >= SAME_WORDS * max(len(first), len(second), 1)


# ---- yes or no ---------------------------------------------------------------------------------


def _yes_or_no(asked: Asked, evidence: Sequence[Evidence], threshold: float) -> Judgement:
    """Whether the best sentences bear or deny what is asked.

    Another source that says otherwise about as surely, and in the same of the question's words, disputes it; other
    sentences are left out. Behind the best one follows who denies it in the next sentence of its source.
    """
    told = [e for e in evidence if e.score >= threshold]
    strong = [_taken_back(e) or e for e in told]
    denies = strong[0].contradicts
    agreeing = [e for e in strong if e.contradicts == denies]
    first, *rest = _by_words(agreeing, threshold)
    heard = {saying.source for saying in first.sayings}
    for e, other in zip(told, strong, strict=True):
        rivals = other.contradicts != denies and other.hit.passage.source not in heard
        if rivals and e.score >= OTHER_VERDICT * told[0].score and _words_in(asked, told[0]) <= _words_in(asked, e):
            return Judgement("disputed", (first, Stand((Saying(other),))), _confidence(first), holds=not denies)
    denial = _denial(first.best.evidence)
    stands = (first, *([Stand((Saying(denial),))] if denial else []), *rest)
    return Judgement("answered", stands, _confidence(first), holds=not denies)


def _denial(evidence: Evidence) -> Evidence | None:
    """The next sentence of the source where it says that somebody denies what the evidence says."""
    following = _following(evidence)
    return following if following and contests(following.text) else None


def _taken_back(evidence: Evidence) -> Evidence | None:
    """The next sentence of the source, where it says that what the evidence says is not so."""
    following = _following(evidence)
    if following is None or not takes_back(following.text):
        return None
    return replace(following, contradicts=not evidence.contradicts)


def _following(evidence: Evidence) -> Evidence | None:
    sentences = evidence.hit.passage.sentences
    place = next(n for n, sentence in enumerate(sentences) if sentence.start == evidence.sentence.start)
    return replace(evidence, sentence=sentences[place + 1], answer=None) if place + 1 < len(sentences) else None
