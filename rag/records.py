"""The nouns of the house: what is indexed, what is found, what is answered. The README explains the answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

REFUSAL = "The sources do not say."
"""The one sentence that may stand in an answer's text without a citation."""

Outcome = Literal["answered", "disputed", "not_in_sources"]
Verdict = Literal["supported", "disputed", "unsupported"]
Reason = Literal["nothing_retrieved", "no_passage_answers", "premise_not_in_sources", "model_refused"]
SentenceKind = Literal["prose", "item", "heading", "other"]


# ---- what is indexed -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a parser makes of a file's bytes; fields as in `Source`."""

    text: str
    title: str | None = None
    published: str | None = None
    pages: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """One indexed file: its name in the index, its text as it is quoted, and what is known of it.

    `text` is the decoded file itself for `.txt` and `.md`. `pages` holds the offset at which each page begins,
    empty where the format has none. `published` is an ISO 8601 date. `digest` is the SHA-256 of the file's bytes.
    """

    name: str
    path: str
    text: str
    digest: str
    title: str | None = None
    published: str | None = None
    pages: tuple[int, ...] = ()

    def page_at(self, offset: int) -> int | None:
        """The 1-based page that holds `offset`, or None where the format has no pages."""
        return sum(start <= offset for start in self.pages) or None if self.pages else None


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of a source, `source_text[start:end]`; offsets count Unicode code points."""

    start: int
    end: int
    kind: SentenceKind = "prose"


@dataclass(frozen=True, slots=True)
class Passage:
    """A slice of a source that is embedded and retrieved: whole sentences, `source_text[start:end] == text`."""

    source: str
    start: int
    end: int
    text: str
    sentences: tuple[Sentence, ...]
    heading: str | None = None

    def sentence_text(self, sentence: Sentence) -> str:
        """The words of one of this passage's sentences."""
        return self.text[sentence.start - self.start : sentence.end - self.start]


@dataclass(frozen=True, slots=True)
class SourceSummary:
    """One row of the list of sources."""

    name: str
    title: str | None
    published: str | None
    characters: int
    passages: int


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that was not indexed, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What an indexing run did; the tuples hold source names, in the order of the run."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    passages: int = 0
    embedded: int = 0
    seconds: float = 0.0


# ---- what is found ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Hit:
    """A retrieved passage; `dense` is a cosine, `lexical` a BM25 score (higher is better), None where not found so."""

    passage: Passage
    score: float
    dense: float | None = None
    lexical: float | None = None
    title: str | None = None
    published: str | None = None


@dataclass(frozen=True, slots=True)
class AnswerSpan:
    """Words of a passage's text that may answer, `text[start:end]`; `score` is their log-odds against no answer."""

    start: int
    end: int
    score: float


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader makes of one passage for one question.

    `answerable` is the log-odds that the passage answers at all; `spans` are the best words, best first, none
    overlapping another.
    """

    answerable: float
    spans: tuple[AnswerSpan, ...]


@dataclass(frozen=True, slots=True)
class Support:
    """How far evidence bears a claim: the probabilities that it states it, denies it, says nothing; they add to 1."""

    supported: float
    contradicted: float
    neither: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """A sentence that may answer, read from a hit.

    `score` is the probability that the sentence answers the question. `answer` is the span in the source of the
    answering words, None where the whole sentence answers. `contradicts` marks evidence that denies what was asked.
    """

    hit: Hit
    sentence: Sentence
    score: float
    answer: tuple[int, int] | None = None
    contradicts: bool = False

    @property
    def text(self) -> str:
        """The words of the sentence."""
        return self.hit.passage.sentence_text(self.sentence)

    @property
    def answer_text(self) -> str | None:
        """The answering words, verbatim."""
        if self.answer is None:
            return None
        offset = self.hit.passage.start
        return self.hit.passage.text[self.answer[0] - offset : self.answer[1] - offset]


# ---- what is answered ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Turn:
    """One earlier turn of a conversation."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Message:
    """What is said to a language model, and by whom."""

    role: Literal["system", "user", "assistant"]
    text: str


@dataclass(frozen=True, slots=True)
class Citation:
    """One or more whole sentences of a source: `source_text[start:end] == quote`; `line` is 1-based."""

    number: int
    source: str
    title: str | None
    published: str | None
    page: int | None
    start: int
    end: int
    line: int
    quote: str


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence of the answer, without its `[n]`, with the numbers of the citations that bear it."""

    text: str
    verdict: Verdict
    citations: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Position:
    """One value that sources give for what was asked, and who says it."""

    value: str
    sources: tuple[str, ...]
    citations: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Withheld:
    """A claim that a language model made and the check did not find in the sources."""

    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Nearest:
    """A passage that came close to a question that the sources do not answer; no citation."""

    source: str
    title: str | None
    start: int
    end: int
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The one record that every door gives back; its JSON is the contract.

    `rewritten` is the follow-up as a question that stands alone, where the history was needed. `fallback` says why the
    model that was asked for did not answer, where another one does in its stead.
    """

    question: str
    outcome: Outcome
    text: str
    short: str | None = None
    claims: tuple[Claim, ...] = ()
    citations: tuple[Citation, ...] = ()
    positions: tuple[Position, ...] = ()
    missing: tuple[str, ...] = ()
    withheld: tuple[Withheld, ...] = ()
    nearest: tuple[Nearest, ...] = ()
    confidence: float = 0.0
    reason: Reason | None = None
    model: str = "builtin"
    rewritten: str | None = None
    fallback: str | None = None
    fingerprint: str = ""
    timings_ms: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The record as plain dictionaries and lists, in the contract's order of fields."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Answer:
        """The answer that `to_json` gave; unknown keys are ignored, so that a newer record still reads."""
        nested: dict[str, type[Any]] = {
            "claims": Claim,
            "citations": Citation,
            "positions": Position,
            "withheld": Withheld,
            "nearest": Nearest,
        }
        values = {f.name: record[f.name] for f in fields(cls) if f.name in record}
        for name, kind in nested.items():
            rows = values.get(name, ())
            values[name] = tuple(
                kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in row.items()}) for row in rows
            )
        values["missing"] = tuple(values.get("missing", ()))
        return cls(**values)


# ---- the stream's events, in their order: Rewritten?, Found, Token*, Answered ------------------


@dataclass(frozen=True, slots=True)
class Rewritten:
    """The follow-up as a question that stands alone."""

    question: str


@dataclass(frozen=True, slots=True)
class Found:
    """The passages that will be read."""

    hits: tuple[Hit, ...]


@dataclass(frozen=True, slots=True)
class Token:
    """A finished piece of the answer's text; the pieces joined are `Answer.text`."""

    text: str


@dataclass(frozen=True, slots=True)
class Weighed:
    """One part of the question as it was weighed; an answer needs a sentence that scores `threshold` or more.

    `evidence` is all that was read, best first; `chosen` is the part of it that the sources' values or the answering
    sentences rest on.
    """

    question: str
    evidence: tuple[Evidence, ...]
    chosen: tuple[Evidence, ...]
    threshold: float


@dataclass(frozen=True, slots=True)
class Answered:
    """The last event; `weighed` tells how the answer came about, for those who look into it, and is no part of it."""

    answer: Answer
    weighed: tuple[Weighed, ...] = ()


Event = Rewritten | Found | Token | Answered


# ---- progress of an indexing run -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an indexing run is: files done of all, passages embedded so far, and the source just committed."""

    files: int
    of: int
    passages: int
    source: str | None = None


# ---- what the doctor finds -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at; `mend` is the command that mends it where `ok` is false."""

    name: str
    ok: bool
    detail: str
    mend: str = ""
