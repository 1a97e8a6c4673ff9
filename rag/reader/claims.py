"""Pairs for verifying: public ones, and made ones from true sentences changed, cut, asked, or set beside others.

`python -m rag.reader.claims --data DIR --out FILE.jsonl` writes the made pairs that only report: those of the odd-place
articles of SQuAD 2.0 dev, which nothing is trained or tuned on.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from random import Random

from rag.reader import corpora
from rag.reader.alter import Kind, Pool, alter
from rag.reader.corpora import Claim, Label, Paragraph
from rag.reader.readings import Article

CONTRADICTIONS: tuple[Kind, ...] = ("number", "date", "name", "name", "negation", "opposite", "hedge", "unit")
LONGEST_EVIDENCE = 1000  # characters; longer documents are more than is read at once
SUBJECT_ASKED = re.compile(
    r"^(?:Who|What|Which [a-z]+(?: [a-z]+)?) (?!is\b|was\b|does\b|has\b)"
    r"(?=[a-z]+(?:ed|ew|ote|ought|on|ade|ent|elt|eld|ave|ook|s|es)\b)"
)
OPENING = re.compile(r"^((?:In|On|At|By|After|During|Since|As of) [^,]{3,50}), (\w)")
CLAUSE = re.compile(
    r",? (?:which|who|whose|where|when|although|while|because|including|such as|after|before|and) [^,;]+\.$"
)
ASIDE = re.compile(r" \([^()]{3,80}\)|, [^,]{4,60},(?= [a-z])")
FRONTED = re.compile(r"^(.{3,80}?) (is|are|was|were|has|have|had|will|would|can|could|may|must|should) (.+)\.$")
LOWERED = frozenset("The A An It He She They This These Some Many Most All In There".split())
PAST = re.compile(r"^((?:[A-Z][\w’'-]*|the|The|of|and|a|an|[a-z]+s)(?: [\w’'-]+){0,5}?) ([a-z]{3,}ed) (.+)\.$")


def training_claims(data: Path, made: int, seed: int) -> list[Claim]:
    """The public pairs and `made` made ones, in an order drawn by chance."""
    chance = Random(seed)
    claims = [*corpora.esnli(data / "esnli"), *corpora.taxinli(data / "taxinli")]
    claims += corpora.fool_me_twice(data / "fool_me_twice" / "dev.jsonl.gz")
    claims += corpora.wice(data / "wice" / "non_supported_tokens-train.jsonl.gz")
    claims += [c for c in corpora.summedits(data / "summedits") if len(c.evidence) <= LONGEST_EVIDENCE]
    articles = corpora.squad(data / "squad" / "train-v1.1.json.gz")
    chance.shuffle(articles)
    claims = [_asked_at_times(claim, chance) for claim in claims]
    for claim in made_claims(articles, seed):
        if made <= 0:
            break
        claims.append(_asked_at_times(claim, chance))
        made -= 1
    chance.shuffle(claims)
    return claims


def made_claims(articles: Sequence[Sequence[Paragraph]], seed: int) -> Iterator[Claim]:
    """Claims made from the articles' sentences: supported, contradicted by one change, or said by nobody."""
    chance = Random(seed)
    for paragraphs in articles:
        article = Article(paragraphs)
        for place in range(len(paragraphs)):
            yield from _of_paragraph(article, place, chance)


def _of_paragraph(article: Article, place: int, chance: Random) -> Iterator[Claim]:
    paragraph, spans = article.paragraphs[place], article.spans[place]
    for at, (start, end) in enumerate(spans):
        sentence = " ".join(paragraph.text[start:end].split())
        if not 40 <= len(sentence) <= 260 or not sentence.endswith(".") or chance.random() > 0.4:
            continue
        evidence = _around(paragraph, spans, at, chance)
        claim = paraphrase(sentence, chance)
        yield from _three_ways(claim, evidence, article.pool(place), chance)
        if len(spans) > 2 and chance.random() < 0.35:
            other = chance.choice([i for i in range(len(spans)) if abs(i - at) > 1] or [-1])
            if other >= 0:
                yield Claim(claim, paragraph.text[slice(*spans[other])], "neither", "another sentence")
        if chance.random() < 0.25:
            yield _added(claim, article, evidence, chance)
    for asked in paragraph.asked:
        stated = statement(asked.question, asked.answer)
        place_of = next((i for i, (s, e) in enumerate(spans) if s <= asked.start < e), None)
        if stated and place_of is not None:
            evidence = _around(paragraph, spans, place_of, chance)
            yield from _three_ways(stated, evidence, article.pool(place), chance)


def _three_ways(claim: str, evidence: str, pool: Pool, chance: Random) -> Iterator[Claim]:
    """The claim as it is, or with one thing changed: a changed name is also a claim of which nothing is said."""
    if chance.random() < 0.45:
        yield Claim(claim, evidence, "supported", "true")
    changed = alter(claim, pool, chance, CONTRADICTIONS)
    if changed is not None:
        yield Claim(changed[0], evidence, "contradicted", changed[1])


def _added(claim: str, article: Article, evidence: str, chance: Random) -> Claim:
    """A true claim with a further one that the evidence does not state."""
    other = chance.choice(article.paragraphs)
    words = [s for s in re.split(r"(?<=\.)\s+", other.text) if 20 < len(s) < 120] or ["It was the first of its kind."]
    further = chance.choice(words)
    label: Label = "supported" if further in evidence else "neither"
    return Claim(f"{claim.rstrip('.')}, and {further[0].lower()}{further[1:]}", evidence, label, "added")


def paraphrase(sentence: str, chance: Random) -> str:
    """The sentence said otherwise or cut short, still true where the sentence is: asides and last clauses dropped."""
    if chance.random() < 0.3:
        return sentence
    opening = OPENING.match(sentence)
    if opening and "," not in sentence[opening.end() :] and chance.random() < 0.7:
        rest = sentence[opening.end(2) - 1 : -1]
        first = opening.group(1)
        sentence = f"{rest[0].upper()}{rest[1:]} {first[0].lower()}{first[1:]}."
    if chance.random() < 0.6:
        sentence = ASIDE.sub("", sentence)
    shorter = CLAUSE.sub(".", sentence)
    return shorter if len(shorter) >= 35 and chance.random() < 0.6 else sentence


def statement(question: str, answer: str) -> str | None:
    """The statement that an answer makes of a question: "Who founded X?" with "Y" gives "Y founded X."; else None."""
    match = SUBJECT_ASKED.match(question)
    if match is None or not answer or len(answer) > 60:
        return None
    return f"{answer[0].upper()}{answer[1:]} {question[match.end() :].rstrip('? ')}."


def asked(claim: str) -> str | None:
    """The claim as a yes/no question: "Rome was built." gives "Was Rome built?"; None where that is unsure."""
    if fronted := FRONTED.match(claim):
        subject, auxiliary, rest = fronted.groups()
        if "," not in subject:
            return f"{auxiliary.capitalize()} {_lowered(subject)} {rest}?"
    if past := PAST.match(claim):
        subject, verb, rest = past.groups()
        return f"Did {_lowered(subject)} {_plain(verb)} {rest}?"
    return None


def _asked_at_times(claim: Claim, chance: Random) -> Claim:
    question = asked(claim.claim) if chance.random() < 0.5 else None
    return Claim(question, claim.evidence, claim.label, claim.kind) if question else claim


def _lowered(subject: str) -> str:
    first, space, rest = subject.partition(" ")
    return f"{first.lower()}{space}{rest}" if first in LOWERED else subject


def _plain(verb: str) -> str:
    """ "founded" to "found", "moved" to "move", "planned" to "plan", by the commonest endings."""
    stem = verb[:-2]
    if len(stem) > 3 and stem[-1] == stem[-2] and stem[-1] not in "lsz":
        return stem[:-1]
    if verb.endswith("ied"):
        return f"{verb[:-3]}y"
    return f"{stem}e" if re.search(r"(?:[cgsvz]|[^aeiou][aiu][tdrkp]|[aeiou]{1}[mn]|[lbpdgk]l|at)$", stem) else stem


def _around(paragraph: Paragraph, spans: Sequence[tuple[int, int]], at: int, chance: Random) -> str:
    """The sentence at a place, half the times with one or two beside it."""
    before, after = chance.choice(((0, 0), (0, 0), (1, 0), (1, 1), (0, 1), (2, 1)))
    first, last = max(0, at - before), min(len(spans) - 1, at + after)
    return paragraph.text[spans[first][0] : spans[last][1]]


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the made pairs to report on, JSON Lines."""
    parser = argparse.ArgumentParser(prog="python -m rag.reader.claims")
    parser.add_argument("--data", type=Path, required=True, help="folder with squad/")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.jsonl")
    parser.add_argument("--seed", type=int, default=11)
    options = parser.parse_args(arguments)
    odd = corpora.squad(options.data / "squad" / "dev-v2.0.json.gz")[1::2]
    rows = [json.dumps(asdict(claim), ensure_ascii=False) for claim in made_claims(odd, options.seed)]
    options.out.write_text("\n".join(rows) + "\n", "utf-8")
    print(f"{len(rows):,} claims in {options.out}")


if __name__ == "__main__":
    main()
