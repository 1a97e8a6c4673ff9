"""A judgement to the answer's sentences, with no language model: the sources' own words, and who says what."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from rag.cite import Draft, DraftPosition, Part, Quote
from rag.questions import WORD, Asked, concept
from rag.records import Claim, Evidence
from rag.values import agree, figures, holds
from rag.weigh import Judgement, Saying, Stand, alike

LONGEST_LIST = 8  # items; of a longer list only the item itself is quoted
BULLET = re.compile(r"^\s*(?:[-*•◦‣▪–]|\d+[.)]|[a-z]\))\s+")
FOOTNOTE = re.compile(r"\[\d+\]")
HASH = re.compile(r"[_-][0-9a-f]{8,}$")


def compose(judgement: Judgement, max_sentences: int) -> list[Draft]:
    """The sentences of the answer to one question, each with the quotes that bear it."""
    stands = judgement.stands
    if judgement.outcome == "disputed":
        return _sides(stands)
    if judgement.holds is not None:
        return _yes_or_no(judgement, max_sentences)
    if not stands:
        return []
    if judgement.valued:
        return _value(stands, max_sentences)
    return [_sentence(stand) for stand in stands[:max_sentences]]


def positions(asked: Asked, judgement: Judgement) -> list[DraftPosition]:
    """The values that the sources give, where the question asks for a single one, or for a yes or no in dispute."""
    if asked.kind == "yesno" and judgement.outcome == "disputed":
        sides = [(stand, [saying.evidence for saying in stand.sayings]) for stand in judgement.stands]
        return [DraftPosition(_verdict(stand), tuple(map(quote, evidence))) for stand, evidence in sides]
    if asked.kind not in ("amount", "date") or not judgement.valued:
        return []
    return [
        DraftPosition(
            _by_writing(stand.sayings)[0][0],
            tuple(quote(saying.evidence) for _, sayings in _by_writing(stand.sayings) for saying in sayings),
        )
        for stand in judgement.stands
        if stand.best.value is not None
    ]


def disputed(draft: Draft, judgements: Sequence[Judgement]) -> Draft:
    """A model's sentence, marked where it states one of the values that sources dispute."""
    text = "".join(part.text for part in draft.parts)
    states = any(_states(text, stand) for judgement in judgements for stand in judgement.stands)
    return replace(draft, verdict="disputed") if states and draft.verdict == "supported" else draft


def left_out(judgement: Judgement, texts: Sequence[str]) -> list[Draft]:
    """The positions of a dispute that sentences already said do not state."""
    sides = zip(judgement.stands, _sides(judgement.stands), strict=True)
    return [side for stand, side in sides if not any(_states(text, stand) for text in texts)]


def speaks_to(asked: Asked, claims: Sequence[Claim]) -> bool:
    """Whether claims hold half of the words of a question: what they say may answer it."""
    told = {concept(word) for claim in claims for word in WORD.findall(claim.text)}
    own = {concept(word) for word in asked.words}
    return 2 * len(own & told) >= len(own)


def short(judgement: Judgement) -> str | None:
    """The shortest exact answer; None where the question has none."""
    if judgement.holds is not None:
        return "Yes." if judgement.holds else "No."
    return _by_writing(judgement.stands[0].sayings)[0][0] if judgement.valued else None


def quote(evidence: Evidence) -> Quote:
    """The whole sentence of the evidence; of a short list its opening and all its items, which say little alone."""
    sentences = evidence.hit.passage.sentences
    place = next(n for n, s in enumerate(sentences) if s.start == evidence.sentence.start)
    first = last = place
    # Bullets are sentences of their own kind, "other", between the items.
    while first > 0 and sentences[first].kind in ("item", "other"):
        first -= 1
    while last + 1 < len(sentences) and sentences[last + 1].kind in ("item", "other"):
        last += 1
    items = [n for n in range(first + 1, last + 1) if sentences[n].kind == "item"]
    opens = evidence.hit.passage.sentence_text(sentences[first]).endswith(":")
    if opens and 0 < len(items) <= LONGEST_LIST:
        return Quote(evidence.hit, sentences[first].start, sentences[items[-1]].end)
    return Quote(evidence.hit, evidence.sentence.start, evidence.sentence.end)


def shown(text: str) -> str:
    """A quote as a sentence of the answer: one line, without bullets, ending in a full stop; a list's items joined."""
    plain = FOOTNOTE.sub("", text.replace("**", ""))
    lines = [re.sub(r"\s+", " ", BULLET.sub("", line)).strip(" |") for line in plain.splitlines()]
    if lines and lines[0].endswith(":"):
        joined = f"{lines[0]} " + "; ".join(line.rstrip(".;") for line in lines[1:] if line)
    else:
        joined = " ".join(line for line in lines if line)
    return joined if re.search(r"[.!?…][\"'”’»)\]]*$", joined) else f"{joined.rstrip(' :;,')}."


def names_of(stands: Sequence[Stand]) -> dict[str, str]:
    """What the sources are called in a sentence: the file's name without folder, ending and trailing hash."""
    sources = sorted({saying.source for stand in stands for saying in stand.sayings})
    # Square brackets would read as citations.
    whole = {source: source.replace("[", "(").replace("]", ")") for source in sources}
    brief = {source: HASH.sub("", PurePosixPath(whole[source]).stem) or whole[source] for source in sources}
    taken = list(brief.values())
    return {source: name if taken.count(name) == 1 else whole[source] for source, name in brief.items()}


def _sides(stands: Sequence[Stand]) -> list[Draft]:
    """Who says what in a dispute, a sentence a stand."""
    names = names_of(stands)
    return [(_who_says if stand.best.value is not None else _who_affirms)(stand, names) for stand in stands]


def _who_affirms(stand: Stand, names: dict[str, str]) -> Draft:
    """ "No according to 2024: Dogs are not allowed." """
    who = _enumerated([names[saying.source] for saying in stand.sayings])
    text = shown(_words(quote(stand.best.evidence)))
    quotes = tuple(quote(saying.evidence) for saying in stand.sayings)
    return Draft((Part(f"{_verdict(stand)} according to {who}: {text}", quotes),), "disputed")


def _verdict(stand: Stand) -> str:
    return "No" if stand.best.evidence.contradicts else "Yes"


def _states(text: str, stand: Stand) -> bool:
    """Whether a sentence gives the value of a stand, as it is written or by a figure that agrees, or says the same."""
    if stand.best.value is None:
        return alike(text, stand.best.evidence.text)
    values = [saying.value for saying in stand.sayings if saying.value]
    told = figures(text)
    return any(
        holds(text, value) or any(agree(figure, other) for figure in figures(value) for other in told)
        for value in values
    )


def _who_says(stand: Stand, names: dict[str, str]) -> Draft:
    """ "$13.8 billion according to 002 and 003; approximately $14 billion according to 000." """
    parts: list[Part] = []
    for written, sayings in _by_writing(stand.sayings):
        who = _enumerated([names[s.source] for s in sayings])
        lead = f"; {written}" if parts else f"{written[0].upper()}{written[1:]}"
        parts.append(Part(f"{lead} according to {who}", tuple(quote(s.evidence) for s in sayings)))
    return Draft((*parts, Part(".", ())), "disputed")


def _value(stands: Sequence[Stand], max_sentences: int) -> list[Draft]:
    """The best sentence, then who else gives the value and how they write it, then what others add."""
    lead = stands[0]
    drafts = [_quoted(lead.best)]
    others = lead.sayings[1:]
    if others:
        names = names_of([lead])
        parts: list[Part] = []
        for written, sayings in _by_writing(others):
            who = _enumerated([names[s.source] for s in sayings])
            verb = "say" if len(sayings) > 1 else "says"
            lead_in = "; " if parts else ""
            text = f"{lead_in}{who} {'also ' if not parts else ''}{verb} {written}"
            parts.append(Part(text, tuple(quote(s.evidence) for s in sayings)))
        drafts.append(Draft((*parts, Part(".", ()))))
    return [*drafts, *(_sentence(stand) for stand in stands[1:])][:max_sentences]


def _yes_or_no(judgement: Judgement, max_sentences: int) -> list[Draft]:
    word = "Yes" if judgement.holds else "No"
    first, *rest = judgement.stands
    text = shown(_words(quote(first.best.evidence)))
    said = re.match(rf"{word}[,.;:–—-]", text)  # "Yes, with the Enterprise plan."
    opening = Draft((Part(text if said else f"{word}: {text}", tuple(quote(s.evidence) for s in first.sayings)),))
    return [opening, *(_sentence(stand) for stand in rest)][:max_sentences]


def _sentence(stand: Stand) -> Draft:
    return Draft((Part(shown(_words(quote(stand.best.evidence))), tuple(quote(s.evidence) for s in stand.sayings)),))


def _quoted(saying: Saying) -> Draft:
    span = quote(saying.evidence)
    return Draft((Part(shown(_words(span)), (span,)),))


def _words(span: Quote) -> str:
    offset = span.hit.passage.start
    return span.hit.passage.text[span.start - offset : span.end - offset]


def _by_writing(sayings: Sequence[Saying]) -> list[tuple[str, list[Saying]]]:
    """The sayings by how they write the value, by source: what is said without a hedge first, then what most say."""
    written: dict[str, list[Saying]] = {}
    for saying in sorted(sayings, key=lambda saying: saying.source):
        written.setdefault(saying.value or "", []).append(saying)
    return sorted(written.items(), key=lambda item: (item[0][:1].islower(), -len(item[1])))


def _enumerated(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
