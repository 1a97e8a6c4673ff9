"""Plain English clauses as far as questions can be made of them: who or what, did what, to what, when.

Only what is plain is taken: a subject of a few words, an auxiliary or a verb of the list, and what follows up to the
first comma. A sentence that is anything else gives no clause, and so no question.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache

from rag.values import dates, figures

IRREGULAR = """
begin began begun; buy bought bought; build built built; cost cost cost; cut cut cut; draw drew drawn; fall fell fallen;
find found found; give gave given; grow grew grown; hold held held; keep kept kept; lead led led; leave left left;
lend lent lent; lose lost lost; make made made; pay paid paid; rise rose risen; run ran run; sell sold sold;
send sent sent; sink sank sunk; spend spent spent; stand stood stood; teach taught taught; win won won;
write wrote written; plan planned planned; ship shipped shipped; have had had
"""
REGULAR = """
acquire announce appoint approve attract authorize authorise borrow carry charge close collect commission complete
compose construct contain control cover create cross deliver design develop discover donate earn employ establish expand
finish form found fund generate hire host house install introduce invent invest launch license locate measure merge move
name offer open operate order own paint plant pledge pour power print process produce promise publish purchase raise
reach receive record reduce reform register release remove rename repair replace report require restore retire save
secure serve settle sign span start store supply support survive test total train transport treat use visit weigh
"""
MAKING = frozenset(
    "found design invent write discover build create establish acquire buy launch develop lead compose paint construct"
    " introduce start open publish purchase fund appoint".split()
)
"""Verbs whose subject "who" asks for."""

MODALS = ("will", "can", "may", "must", "should")
AUXILIARIES = ("was", "were", "is", "are", "has", "have", "had", *MODALS)
ADVERBS = r"(?:also|recently|reportedly|now|currently|officially|then|first|later|since|already|originally)"
ROLES = (
    r"(?:chief executive(?: officer)?|CEO|CTO|CFO|founder|co-founder|president|chairman|chairwoman|chair|director"
    r"|managing director|head|mayor|minister|architect|author|editor|owner|secretary|treasurer|manager|curator)"
)
VAGUE = frozenset(
    "this that these those he she they him her them we us our ours i me my you your it his theirs here there such"
    " another others former latter both same".split()
)
RELATIVE = re.compile(
    r"\b(?:last|this|next|earlier|later|recent|recently|ago|yesterday|today|tomorrow|tonight|now|currently|week|(?:Mon|"
    r"Tues|Wednes|Thurs|Fri|Satur|Sun)day)\b"
)
NAME = re.compile(r"\b[A-Z][\w&’'.-]*\w(?: (?:of (?:the )?)?[A-Z0-9][\w&’'.-]*\w)*")
NO_NAME = frozenset(
    "the a an in on at of for to and or but if it its this that these those he she they his her their we our as by from"
    " with after before during while when where who what which why how since although however also there according"
    " then later soon yet still today yesterday founded both many most all each one two three some under over no not"
    " january february march april may june july august september october november december"
    " monday tuesday wednesday thursday friday saturday sunday".split()
)
VAGUE_THING = re.compile(
    r"\b[Tt]he (?:song|film|movie|series|single|album|company|firm|book|concept|hymn|show|game|event|project|team|city"
    r"|town|village|party|act|system|deal|episode|season|character|band|group|article|report|first|second|word|term|name"
    r"|store|shop|museum|bridge|school|plant|building|author|novel|country|state)s?\b"
    r"(?! (?:[A-Z]|of (?:the )?[A-Z]))"
)
TAIL = re.compile(
    r", | \(| and (?=[a-z]+ed\b)|; |: | [–—-] "
    r"| (?:while|but|although|though|which|who|that|because|whereas|according to|as|so|if|when|where)\b"
)
LEAD = re.compile(r"(?:In|On|By|Since|During) (?P<date>[^,]{3,24}(?:, \d{4})?), ")
WORD_IN_LOWER_CASE = re.compile(r"(?<= )[a-z]+\b")
SUBJECT = re.compile(rf"^(?P<subject>[^,;:()\"“”]{{2,80}}?)(?:, [^,]{{3,90}},)?(?: {ADVERBS})?$")
LONGEST_SUBJECT = 9


@dataclass(frozen=True, slots=True)
class Verb:
    """A verb in the forms that questions need."""

    base: str
    past: str
    participle: str


@dataclass(frozen=True, slots=True)
class Clause:
    """A clause that can be asked about: "The bridge" "was" "opened" "by the queen in 1932", lead "In 1932" or "".

    `auxiliary` is what a question puts before the subject, `verb` what it puts behind it, "" where the auxiliary is
    all. `active` is the verb where it stands alone in the sentence.
    """

    subject: str
    auxiliary: str
    verb: str
    rest: str
    lead: str
    past: str = ""
    active: Verb | None = None


@cache
def verbs() -> dict[str, Verb]:
    """Every form of the verbs that are known, also the third person, with its verb."""
    known = [Verb(*entry.split()) for entry in IRREGULAR.split(";")]
    known += [Verb(base, _ed(base), _ed(base)) for base in REGULAR.split()]
    forms: dict[str, Verb] = {}
    for verb in known:
        for form in (verb.participle, _third(verb.base), verb.past):
            forms.setdefault(form, verb)
    return forms


def clause(sentence: str, names: frozenset[str]) -> Clause | None:
    """The clause of a sentence, with what follows its first comma left out; `names` keep their capital.

    "In 1932, the Harbour Bridge cost $4 million, a record." gives "the Harbour Bridge", did, cost, " $4 million".
    """
    lead = LEAD.match(sentence)
    before = ""
    if lead and len(dates(lead["date"])) == 1:
        before, sentence = lead["date"], sentence[lead.end() :]
    subject, verb = _subject_and_verb(sentence)
    if verb is None or not _is_subject(subject):
        return None
    subject, rest = _uncapitalised(subject, names), sentence[verb.end() :]
    made = _with_auxiliary(subject, verb[0], rest) or _with_verb(subject, verb[0], rest)
    return replace(made, rest=cut(made.rest), lead=before) if made else None


def cut(rest: str) -> str:
    """What follows a verb, up to the first comma that is part of no date and no figure, without the full stop."""
    whole = [(date.start, date.end) for date in dates(rest)] + [(each.start, each.end) for each in figures(rest)]
    for match in TAIL.finditer(rest):
        if not any(start <= match.start() < end for start, end in whole):
            rest = rest[: match.start()]
            break
    return rest.rstrip(" .!")


def names_in(text: str) -> list[str]:
    """The names of a text, each once: runs of capitals that begin no sentence, or are of several words."""
    found = []
    for match in NAME.finditer(text):
        words = match.group().split()
        first = not text[: match.start()].strip() or text[: match.start()].rstrip()[-1] in '.!?:;\n#*"“'
        while words and (words[0].lower() in NO_NAME or words[0].isdigit()):
            words.pop(0)
            first = False
        if first and words[1:2] == ["of"]:  # "Employees of Acme" begins a sentence, and only Acme is a name
            words, first = words[2 + (words[2:3] == ["the"]) :], False
        for name in re.split(r"['’]s(?: |$)", " ".join(words)):
            if len(name) > 2 and name[0].isupper() and "-" not in name and not (first and " " not in name):
                found.append(name)
    return list(dict.fromkeys(found))


def _subject_and_verb(sentence: str) -> tuple[str, re.Match[str] | None]:
    """What stands before the first word that may be the verb, less what stands between commas."""
    for word in WORD_IN_LOWER_CASE.finditer(sentence):
        before = sentence[: word.start()].rstrip()
        if word[0] not in verbs() and word[0] not in AUXILIARIES:
            continue
        match = SUBJECT.match(before)
        if match and len(match["subject"].split()) <= LONGEST_SUBJECT:
            return match["subject"], word
        # "Acme, founded in 2016, makes": the verb comes after the second comma.
        if not before.endswith(",") and before.count(",") != 1:
            break
    return "", None


def _is_subject(text: str) -> bool:
    words = text.lower().split()
    joints = {"and", "or", "that", "which", "who", "when", "while", "if", "as", "to", "than", "not", "what", "how"}
    joints |= {"its", "their", "whose", "one"}
    return (
        bool(words)
        and words[0] not in ("at", "by", "after", "before", "despite", "for", "with", "from", "of", "among", "under")
        and not set(words) & (VAGUE | joints)
        and not RELATIVE.search(text)
        and text[0].isalpha()
        and ". " not in text
    )


def _uncapitalised(subject: str, names: frozenset[str]) -> str:
    """The subject as it stands within a sentence: a first word that is no name loses its capital."""
    first, *others = subject.split()
    if first.lower() in ("the", "a", "an"):
        return subject[0].lower() + subject[1:]
    named = others[0][0].isupper() if others else any(first in name.split() for name in names)
    return subject if named or first in names or not first[1:].islower() else subject[0].lower() + subject[1:]


def _with_auxiliary(subject: str, auxiliary: str, rest: str) -> Clause | None:
    """ "was opened in 1932", "may carry over 5 days", "is the mayor of Ely"; not "has 40 staff"."""
    if auxiliary not in AUXILIARIES:
        return None
    if auxiliary in MODALS:
        follows = re.match(rf"(?: {ADVERBS})?(?P<verb> [a-z]+)(?= )", rest)
        plain = follows and follows["verb"].strip() not in ("be", "not", "have", "only")
        return (
            Clause(subject, auxiliary, follows["verb"].strip(), rest[follows.end() :], "")
            if follows and plain
            else None
        )
    follows = re.match(rf"(?: {ADVERBS})?(?P<verb> (?:[a-z]+ed|{_participles()}))(?= )", rest)
    if follows is None:
        return None if auxiliary in ("has", "have", "had") else _copula(subject, auxiliary, rest)
    verb = follows["verb"].strip()
    known = next((each for each in verbs().values() if each.participle == verb), None)
    return Clause(subject, auxiliary, verb, rest[follows.end() :], "", known.past if known else verb)


def _copula(subject: str, auxiliary: str, rest: str) -> Clause | None:
    if re.match(r" (?:not|being|been|to|\w+ing)\b", rest):
        return None
    return Clause(subject, auxiliary, "", rest, "")


def _with_verb(subject: str, form: str, rest: str) -> Clause | None:
    if form in ("has", "have", "had"):
        did = {"has": "does", "have": "do", "had": "did"}[form]
        return Clause(subject, did, "have", rest, "")
    verb = verbs().get(form)
    if verb is None:
        return None
    present = form == _third(verb.base) and form != verb.past
    return Clause(subject, "does" if present else "did", verb.base, rest, "", form, verb)


@cache
def _participles() -> str:
    return "|".join(sorted({verb.participle for verb in verbs().values()}))


def _ed(base: str) -> str:
    if base.endswith("e"):
        return f"{base}d"
    return f"{base[:-1]}ied" if base.endswith("y") and base[-2] not in "aeiou" else f"{base}ed"


def _third(base: str) -> str:
    if base == "have":
        return "has"
    if base.endswith("y") and base[-2] not in "aeiou":
        return f"{base[:-1]}ies"
    return f"{base}es" if base.endswith(("s", "x", "ch", "sh", "o")) else f"{base}s"
