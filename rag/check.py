"""A claim against the sentences that it cites: figures, dates, names, negations by rule, all else by the verifier."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import pairwise

from rag.deny import NEGATION, permits
from rag.instructions import seen, states_nothing
from rag.prompt import Numbered
from rag.protocols import Verifier
from rag.questions import STOP_WORDS, WORD, concept, stem
from rag.values import Date, Figure, agree, dates, figures, holds, normal, resolved, same_date

NEAR_COPY = 0.7  # the share of words in common, in order, from which a claim counts as a copy with changes
SUPPORTED = 0.5  # the least support for a claim with words that its sentences lack
NEW_WORDS = 0.45  # the greatest share of such words among its content words
DENIED = 0.9  # contradiction beyond this outweighs that all words are there
REACH = 4  # words behind a negation that it negates
TRIED = 6  # sentences that are tried where the cited ones do not bear a claim
SHORT_CUT = 4  # words; a longer piece that a copy leaves out is a clause of its own
PRONOUN = re.compile(
    r"\b(?:he|she|it|they|his|her|its|their|him|them|who|which|this|these|the (?:company|firm))\b", re.I
)
NAME = re.compile(r"\b[A-Z][\w&’'.-]*")
DIGITS = re.compile(r"\d[\d.,]*")
NAMES_TOO = frozenset(("may", "will"))  # with a capital they are a month, a person
TITLES = frozenset("mr mrs ms dr prof sir ceo chief president".split())
OPENINGS = frozenset(
    "a an the this that these those it he she they we there here in on at by for from to of with as after before since"
    " during while when where although however but and or so yes no not both each all some most many several another"
    " according additionally also moreover furthermore overall its their his her one two three about over under more"
    " less up down if because only even still then thus therefore meanwhile".split()
)
CLAUSE = re.compile(r"[,;:—–()]|\b(?:but|and|while|although|though|because|that)\b")
DENIAL = re.compile(
    r"\b(?:den(?:y|ies|ied)|false|untrue|wrong|refus\w+|reject\w*|without|fail\w*|unlikely|hardly)\b", re.I
)
MODAL = re.compile(
    r"\b(?:could|might|(?-i:may)|would|if|possibly|perhaps|reportedly|allegedly|potentially|considering)\b", re.I
)


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of a check: the sentences that bear the claim, or why it is withheld; `support` is from 0 to 1."""

    sentences: tuple[Numbered, ...] = ()
    reason: str = ""
    support: float = 0.0


class Checker:
    """Holds the claims of a language model against the sentences that it was shown."""

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier

    def check(self, claim: str, cited: Sequence[Numbered], shown: Sequence[Numbered], question: str) -> Finding:
        """The cited sentences where they bear the claim, else others among the shown that do, else the reason."""
        sound = [each for each in cited if not states_nothing(each.text, question)]
        reason = "It cites no sentence." if not cited else "It rests on an order or a question, not on a statement."
        if sound:
            finding = self._held(claim, sound)
            if not finding.reason:
                return finding
            reason = finding.reason
        for others in _candidates(claim, sound, shown, question):
            finding = self._held(claim, others)
            if not finding.reason:
                return finding
        return Finding(reason=reason)

    def _held(self, claim: str, cited: Sequence[Numbered]) -> Finding:
        """A claim against sentences taken together."""
        evidence = " ".join(seen(each.text) for each in cited)
        plain = seen(claim)
        reason = broken(plain, cited)
        if reason:
            return Finding(reason=reason)
        # What is rounded or written otherwise is no new word, and no contradiction.
        plain = _as_told(plain, evidence)
        content = _content(plain)
        new = content - _content(f"{evidence} {' '.join(each.hit.title or '' for each in cited)}")
        if len(new) > NEW_WORDS * len(content):
            return Finding(reason="Most of it is not in the sentences that it cites.")
        if holds(evidence, plain.rstrip(".")):
            return Finding(tuple(cited), support=1.0)
        support = self._verifier.verify([(plain, evidence)])[0]
        if support.contradicted > max(DENIED, support.supported):
            return Finding(reason="The sentences that it cites say otherwise.")
        if new and support.supported < SUPPORTED:
            return Finding(reason="The sentences that it cites do not bear it out.")
        # Words that are all there weigh as much as the verifier's opinion.
        return Finding(tuple(cited), support=support.supported if new else max(0.5, support.supported))


def broken(claim: str, cited: Sequence[Numbered]) -> str:
    """The first rule that a claim breaks against its sentences, in words for a person; empty where it keeps all."""
    evidence = " ".join(seen(each.text) for each in cited)
    told = _told(cited)
    titles = " ".join(each.hit.title or "" for each in cited)
    for figure in figures(claim):
        if not any(_bears(other, figure) for other in _figures(evidence)):
            return f"The figure {figure.written!r} is not in the sentences that it cites."
    for date in dates(claim):
        if not any(_dates_bear(other, date) for each in cited for other in _dates(each)):
            return f"The date {claim[date.start : date.end]!r} is not in the sentences that it cites."
    for code in _codes(claim):
        if not holds(f"{evidence} {titles}", code):
            return f"{code!r} is not in the sentences that it cites."
    for name in _names(claim, evidence):
        if not _named(name, told):
            return f"The name {name!r} is not in the sentences that it cites."
    texts = [seen(each.text) for each in cited]
    if _turned(claim, cited) or any(_changed(claim, text, titles) or _swapped(claim, text) for text in texts):
        return "It says otherwise than the sentences that it cites."
    return ""


# ---- figures and dates -------------------------------------------------------------------------


@lru_cache(maxsize=256)
def _figures(text: str) -> tuple[Figure, ...]:
    return tuple(figures(text))


def _bears(told: Figure, claimed: Figure) -> bool:
    """Whether a figure told bears one claimed: the same number, or the number rounded or hedged as the claim says.

    This is narrower than agreement: "over $10 billion" can be one with "$14 billion" and still bears no such claim.
    """
    if not agree(told, claimed) or not _counts_alike(told, claimed):
        return False
    if claimed.hedge == "between":
        return (told.low, told.value) == (claimed.low, claimed.value)
    if claimed.value == told.value or (told.hedge == "between" and claimed.value == told.low):
        return True
    rounded = claimed.step > told.step and abs(claimed.value - told.value) <= claimed.step
    return rounded and told.hedge in ("exact", "about")


def _counts_alike(told: Figure, claimed: Figure) -> bool:
    """Whether two figures count the same thing, as far as both say what."""
    return not (told.noun and claimed.noun) or stem(told.noun) == stem(claimed.noun) or told.unit == claimed.unit != ""


def _same_numbers(claim: str, sentence: str) -> bool:
    """Whether one sentence alone bears every figure and date of a claim."""
    told = dates(sentence)
    return all(any(_bears(other, figure) for other in _figures(sentence)) for figure in figures(claim)) and all(
        any(_dates_bear(other, date) for other in told) for date in dates(claim)
    )


def _as_told(claim: str, evidence: str) -> str:
    """The claim with its figures as the evidence writes those that they agree with."""
    written = claim
    for figure in reversed(figures(claim)):
        told = next((other.written for other in _figures(evidence) if _bears(other, figure)), figure.written)
        written = written[: figure.start] + told + written[figure.end :]
    return written


def _dates(each: Numbered) -> list[Date]:
    return [resolved(date, each.hit.published) for date in dates(seen(each.text))]


def _dates_bear(told: Date, claimed: Date) -> bool:
    """Whether a date told bears one claimed, which may leave parts open but add none."""
    adds = any(getattr(claimed, part) is not None and getattr(told, part) is None for part in ("year", "month", "day"))
    return same_date(told, claimed) and not adds


def _codes(claim: str) -> list[str]:
    """Words with digits that are neither figures nor dates, with the name before them: "GPT-4", "Llama 3", "H100"."""
    taken = [(figure.start, figure.end) for figure in figures(claim)]
    taken += [(date.start, date.end) for date in dates(claim)]
    return [
        match.group()
        for match in re.finditer(r"(?:\b[A-Z]\w* )?(?:[\w.-]*\d[\w.-]*\w|\d)", claim)
        if not any(start < match.end() and match.start() < end for start, end in taken)
    ]


# ---- names -------------------------------------------------------------------------------------


def _told(cited: Sequence[Numbered]) -> str:
    """The words in which a claim's names may stand: the sentences, and what comes before where they use pronouns."""
    texts = []
    for each in cited:
        passage = each.hit.passage
        before = passage.text[: each.sentence.start - passage.start]
        texts += [seen(each.text), seen(each.hit.title or "")]
        if PRONOUN.search(each.text):
            texts.append(" ".join(seen(before).split()[-60:]))
    return " ".join(texts)


def _names(claim: str, evidence: str) -> list[str]:
    """The capitalised words of a claim, the first aside where it is no name."""
    lower = set(WORD.findall(evidence.lower()))
    names = []
    for match in NAME.finditer(claim):
        word = re.sub(r"(?:['’]s|['’.,-]+)$", "", match.group())
        opens = not claim[: match.start()].strip(" \"'“‘(") or claim[: match.start()].rstrip().endswith(
            (":", ".", '"', "“")
        )
        common = word.lower() in STOP_WORDS - NAMES_TOO or (opens and word.lower() in lower | OPENINGS)
        if word and not common:
            names.append(word)
    return names


def _named(name: str, told: str) -> bool:
    """Whether a name is told, as it is, as initials ("U.S." of "United States"), or as a form of the same word."""
    plain = name.replace(".", "").lower()
    words = [re.sub(r"['’]s?$", "", word) for word in WORD.findall(told)]
    if plain in NAMES_TOO:
        return name in words
    if any(plain == word.replace(".", "").lower() for word in words):
        return True
    if any(stem(plain) == stem(word) for word in words if word[:1].isupper() or plain == word.lower()):
        return True
    if any(plain in word.lower().split("-") for word in words):
        return True
    initials = "".join(word[0] for word in words if word[:1].isupper())
    letters = name.replace(".", "")
    return letters.isalpha() and letters.isupper() and 2 <= len(letters) <= 5 and letters in initials


# ---- negations, and copies with changes --------------------------------------------------------


def _turned(claim: str, cited: Sequence[Numbered]) -> bool:
    """Whether the claim negates what none negates, drops a negation of words that it keeps, or turns a permission."""
    said = permits(claim)
    told = {permits(seen(each.text)) for each in cited} - {None}
    if said is not None and told and said not in told:
        return True
    own = _negated(claim)
    if own:
        return not any(2 * len(own & _negated(seen(each.text))) >= len(own) for each in cited)
    content = _content(claim)
    closest = max(cited, key=lambda each: len(content & _content(seen(each.text))))
    return bool(_negated(seen(closest.text)) & content) and not NEGATION.search(claim)


def _negated(text: str) -> set[str]:
    """The content words that a negation reaches: up to four behind it, within its clause."""
    reached: set[str] = set()
    for match in NEGATION.finditer(text):
        clause = CLAUSE.split(text[match.end() :], maxsplit=1)[0]
        words = [concept(word) for word in WORD.findall(clause) if word.lower() not in STOP_WORDS]
        reached |= set(words[:REACH])
    return reached


def _changed(claim: str, sentence: str, titles: str) -> bool:
    """Whether a claim copies a sentence but puts in other names, or leaves out a "not", "denied" or "could".

    What is left out may be a whole clause; a short cut of a hedge changes what is said. Names may be put in that stand
    elsewhere in the sentence, or in the titles.
    """
    mine, theirs = WORD.findall(claim), WORD.findall(sentence)
    matcher = SequenceMatcher(None, [stem(word) for word in mine], [stem(word) for word in theirs], autojunk=False)
    blocks = [block for block in matcher.get_matching_blocks() if block.size]
    if not blocks or sum(block.size for block in blocks) < NEAR_COPY * len(mine):
        return False
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        put, left = " ".join(mine[i1:i2]), " ".join(theirs[j1:j2])
        if tag == "replace" and _named_in(mine[i1:i2]) and _named_in(theirs[j1:j2]) and normal(put) != normal(left):
            return True
        if tag == "replace" and DIGITS.search(put) and DIGITS.search(left) and not _same_numbers(claim, sentence):
            return True
        # What to the matcher is to be deleted is what the claim puts in.
        added = mine[i1:i2][i1 == 0 :] if tag == "delete" else []
        if any(_named_in([word]) and not _named(word, f"{sentence} {titles}") for word in added):
            return True
        # "It is not true that" stands before what is copied, and is no clause of its own.
        near = j2 - j1 <= SHORT_CUT or (j1 < blocks[0].b and left.endswith(" that"))
        if tag in ("replace", "delete", "insert") and near and _hedges(left) and not _hedges(put):
            return True
    return False


def _swapped(claim: str, sentence: str) -> bool:
    """Whether two names, or two figures, of a sentence stand in a claim of nearly the same words the other way round.

    "Acme bought Bolt" and "Bolt bought Acme"; a passive ("was bought by") turns them rightly, and so may an "and".
    """
    content, told = _content(claim), _content(sentence)
    if len(content & told) < NEAR_COPY * len(content | told) or bool(re.search(r"\bby\b", claim + sentence)):
        return False
    for pattern in (NAME, DIGITS):
        theirs = _once(pattern, sentence)
        mine = _once(pattern, claim)
        for first, second in pairwise(word for word in theirs if word in mine):
            between = sentence[theirs[first] + len(first) : theirs[second]]
            if mine[first] > mine[second] and not re.fullmatch(r"[\s,]*(?:and|or|&)?[\s,]*", between):
                return True
    return False


def _once(pattern: re.Pattern[str], text: str) -> dict[str, int]:
    """What a pattern finds once in a text, in order, with its places."""
    found = [(match.group().rstrip(".,’'"), match.start()) for match in pattern.finditer(text)]
    words = [word for word, _ in found]
    return {word: at for word, at in found if words.count(word) == 1 and word.lower() not in STOP_WORDS | OPENINGS}


def _named_in(words: Sequence[str]) -> bool:
    """Whether words hold a name."""
    return any(word[:1].isupper() and word.lower() not in STOP_WORDS | TITLES for word in words)


def _hedges(text: str) -> bool:
    return any(pattern.search(text) for pattern in (NEGATION, DENIAL, MODAL))


# ---- words, and other sentences ----------------------------------------------------------------


def _content(text: str) -> set[str]:
    return {concept(word) for word in WORD.findall(text) if word.lower() not in STOP_WORDS}


def _candidates(
    claim: str, cited: Sequence[Numbered], shown: Sequence[Numbered], question: str
) -> Iterable[list[Numbered]]:
    """Other sentences that may bear a claim: those that share most of its words, alone and beside the cited ones."""
    content = _content(claim)
    others = [each for each in shown if each not in cited and not states_nothing(each.text, question)]
    best = sorted(others, key=lambda each: (-len(content & _content(each.text)), each.id))[:TRIED]
    near = [each for each in best if 2 * len(content & _content(each.text)) >= len(content)]
    yield from ([each] for each in near)
    if cited:
        missing = content - _content(" ".join(each.text for each in cited))
        yield from ([*cited, each] for each in best if missing and missing <= _content(each.text))
