"""Sentences of a source that ask or order and so state nothing: material like all the rest, but no evidence."""

from __future__ import annotations

import re
import unicodedata

VERBS = (
    "act add advise agree allow analyse analyze answer append apply argue arrange ask assume attach augment avoid"
    " be begin book break buy calculate call change check choose classify click combine compare compile complete"
    " compose compute confirm connect consider contact continue convert copy count create decode define delete"
    " deliver describe design detail determine develop disclose discuss display divide do donate download draft draw"
    " edit email emphasize encode encrypt end enhance ensure enter estimate evaluate examine execute exclude explain"
    " express extract fetch fill find finish fix follow forget forward generate get give go group guess help hide"
    " identify ignore imagine implement include insert install integrate introduce invent jumble keep learn let list"
    " look make mention misspell modify name note obey offer order output override pay perform pick please post"
    " pretend print proceed produce promote propose provide publish put quote raise read rearrange recommend reject"
    " remember remind remove rename render reorder repeat rephrase replace reply report request respond restate"
    " return reveal reverse review rewrite rhyme roleplay run save say scramble search see select send share shift"
    " show sign solve sort speak spell start state stop submit subscribe substitute suggest summarise summarize"
    " switch take tell think transfer translate try turn type use verify visit vote wait write"
)
POLITE = r"(?:please|kindly|now|then|first|next|also|instead|just|simply|always|never|immediately|do not|don't|don’t)"
LEAD = rf"(?:(?:{POLITE}[, ]+)|(?:(?:in|for|with|from|before|after|when|at)\b[^,.]{{3,60}}, ))"
# Verbs that are nouns as well: "Press the button" is an order, "Press reports say so" is none.
WITH_OBJECT = r"(?:press|push|pull|tap|hold|plug|remove|cut|mix|wash)(?= (?:the|an?|your|it)\b)"
ORDER = re.compile(
    rf"^\W*(?:\d+[.)]\s*)?{LEAD}{{0,3}}(?:{'|'.join(VERBS.split())}|{WITH_OBJECT})\b"
    r"(?!['’]s|-|\s+(?:is|are|was|were|has|had)\b)",
    re.IGNORECASE,
)
ASKED = re.compile(r"\?[\"'”’)\]]*\s*$|^\W*(?:can|could|would|will) you\b", re.IGNORECASE)
TO_A_MODEL = re.compile(
    r"\b(?:in|of|to|with|into|for|from|on|at|your|this|the|modify|enhance|augment) (?:your|the assistant'?s|the ai'?s) "
    r"(?:final |next |own )?(?:response|answer|reply|output|message|summary|text|completion)\b"
    r"|\byour (?:response|answer|reply|output) (?:must|should|shall|has to|needs to)\b"
    r"|\b(?:ignore|disregard|forget|override|bypass)\b.{0,40}\b(?:above|previous|prior|earlier|preceding|all|any|your|these)\b"
    r"|\b(?:system|developer) (?:prompt|message)\b"
    r"|\byou are (?:now |an? |no longer )+(?:\w+ )?(?:ai|assistant|chatbot|model|dan)\b"
    r"|\b(?:dear|attention|hey|hello|note to|message (?:to|for))[, :]+(?:an? |the |any |all )?"
    r"(?:ai|llm|language model|assistant|chatbot)s?\b|\bas an? (?:ai|llm|language model|assistant|chatbot)\b,"
    r"|\bnew instructions?\b|\byour (?:instructions|rules|guidelines|training)\b|<!--|-->|<\|?\w+\|?>"
    r"|^\W*(?:system|assistant|user|human|ai|instructions?)\s*(?:>|\]|:|#)",
    re.IGNORECASE,
)
HOW_TO = re.compile(
    r"\bhow (?:do|can|should|could|must|would|to|does one)\b"
    r"|\bwhat (?:should|must|can|do|steps?|shall) (?:i|we|you|one|users?|to)\b"
    r"|\b(?:steps?|instructions?|procedure|recipe|command|advice|recommend\w*|tips?|rules?|must|should|required?|asked?|told)\b",
    re.IGNORECASE,
)


def states_nothing(sentence: str, question: str) -> bool:
    """Whether a sentence is a question, an order, or speaks to a language model, and so bears no claim.

    "Press the red button." is an order, and still answers "How do I stop the machine?"; what speaks to a model answers
    nothing.
    """
    plain = seen(sentence)
    if TO_A_MODEL.search(plain) or ASKED.search(plain):
        return True
    return bool(ORDER.match(plain)) and not HOW_TO.search(question)


def seen(text: str) -> str:
    """A text as a person sees it: compatible letters made plain, and nothing that has no width."""
    plain = unicodedata.normalize("NFKC", text)
    return " ".join("".join(c for c in plain if unicodedata.category(c) != "Cf").split())
