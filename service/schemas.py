"""The shapes of what goes in and out over HTTP, where it is not a record of the house as it stands."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StrictBool,
    field_validator,
)

from rag.records import Event, Found, Hit, Rewritten, SourceSummary, Token, Turn
from rag.settings import Settings
from rag.wiring import open_store

MOST_HITS = 50
MOST_TURNS = 100
MOST_PATTERNS = 100

_SENTENCE = (
    "Scale AI, founded in 2016 by Alexandr Wang, specializes in data labeling services that are critical for training "
    "advanced machine learning models."
)
EXAMPLE_ANSWER: dict[str, Any] = {
    "question": "Who founded Scale AI?",
    "outcome": "answered",
    "text": f"{_SENTENCE[:-1]} [1].",
    "short": "Alexandr Wang",
    "claims": [{"text": _SENTENCE, "verdict": "supported", "citations": [1]}],
    "citations": [
        {
            "number": 1,
            "source": "002_2d9ecda08faa1a08.txt",
            "title": "Meta Eyes Record $10 Billion Stake In Scale A.I. Amid Intensifying Tech Rivalry",
            "published": None,
            "page": None,
            "start": 460,
            "end": 606,
            "line": 4,
            "quote": _SENTENCE,
        }
    ],
    "positions": [{"value": "Alexandr Wang", "sources": ["002_2d9ecda08faa1a08.txt"], "citations": [1]}],
    "missing": [],
    "withheld": [],
    "nearest": [],
    "confidence": 0.93,
    "reason": None,
    "model": "builtin",
    "rewritten": None,
    "fallback": None,
    "fingerprint": "sha256:5f0c8a52",
    "timings_ms": {"retrieve": 6.1, "read": 41.0, "compose": 0.8, "total": 48.3},
}


def is_text(text: str) -> str:
    """The text itself; raises ValueError for NUL and for half a surrogate pair, which JSON can spell ("\\ud800")."""
    if any(mark == "\0" or "\ud800" <= mark <= "\udfff" for mark in text):
        raise ValueError("it holds a character that is not text")
    return text


def whole_number(value: object) -> object:
    """3 for 3.0, which JSON does not tell from 3; raises ValueError for "3" and true, which would pass for numbers."""
    if isinstance(value, bool | str):
        raise ValueError("it is not a number")  # noqa: TRY004 - what pydantic takes for a wrong value
    return value


HowMany = Annotated[int, Field(ge=1, le=MOST_HITS), BeforeValidator(whole_number)]
NO_NUL = r"^[^\u0000]*$"
SPEAKS: dict[str, JsonValue] = {"minLength": 1, "pattern": r"^[^\u0000]*[^\s\u0000][^\u0000]*$"}
"""What is documented of a question; rag itself refuses one that does not keep to it."""

ONE_EVENT = {
    "type": "object",
    "description": "One event.",
    "properties": {
        "event": {"type": "string"},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
}

Pattern = Annotated[
    str, Field(min_length=1, max_length=300, json_schema_extra={"pattern": NO_NUL}), AfterValidator(is_text)
]


class SearchRequest(BaseModel):
    """A question whose passages are wanted, and where they may come from."""

    model_config = ConfigDict(extra="forbid")

    question: str = Field(description="What is asked.", examples=["Who founded Scale AI?"], json_schema_extra=SPEAKS)
    sources: list[Pattern] = Field(
        default=[],
        max_length=MOST_PATTERNS,
        description="Names of sources, or patterns of them (`*`, `?`, `[ab]`), that the search is restricted to.",
        examples=[["002_*", "*.pdf"]],
    )
    top_k: HowMany | None = Field(
        default=None, description="How many passages; the settings say so where it is left out."
    )


class AskRequest(SearchRequest):
    """A question, with the turns that came before it."""

    model: str | None = Field(
        default=None, min_length=1, description="One of the models of `GET /v1/models`, else the first."
    )
    history: list[Turn] = Field(
        default=[], max_length=MOST_TURNS, description="The conversation so far, oldest turn first."
    )
    stream: StrictBool = Field(default=False, description="Whether to send the answer as server-sent events.")

    @field_validator("history")
    @classmethod
    def _is_text(cls, history: list[Turn]) -> list[Turn]:
        for turn in history:
            is_text(turn.question + turn.answer)
        return history


class Page(BaseModel):
    """Which part of a list is wanted."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=100, ge=1, le=1000, description="How many at most.")
    offset: int = Field(default=0, ge=0, description="How many to pass over first.")


class SourceList(BaseModel):
    """A part of the list of sources, by name; `total` counts them all."""

    total: int
    limit: int
    offset: int
    sources: list[SourceSummary]


class Span(BaseModel):
    """Where a passage stands in its source's text, and under which heading."""

    start: int
    end: int
    heading: str | None


class SourceText(BaseModel):
    """One source with the text on which every citation's `start` and `end` count, in Unicode code points."""

    name: str
    title: str | None
    published: str | None
    text: str
    passages: list[Span]


def text_of(settings: Settings, name: str) -> SourceText:
    """A source of the index in this shape; raises SourceUnknown."""
    with open_store(settings).snapshot() as snapshot:
        found = snapshot.source(name)
        spans = [
            Span(start=start, end=end, heading=heading) for start, end, heading in snapshot.passages_of(found.name)
        ]
    return SourceText(name=found.name, title=found.title, published=found.published, text=found.text, passages=spans)


class FoundPassage(BaseModel):
    """A passage that was found, and why.

    `score` is what hits are ordered by, weighed from both searches and from what better hits name; `dense` is the
    cosine of meaning, `lexical` the BM25 of the words (null where the search for words did not give the passage), and
    `words` are the question's words that stand in it.
    """

    source: str
    title: str | None
    published: str | None
    heading: str | None
    start: int
    end: int
    text: str
    score: float
    dense: float | None
    lexical: float | None
    words: list[str]

    @classmethod
    def of(cls, hit: Hit, words: list[str]) -> FoundPassage:
        """A hit in this shape."""
        passage = hit.passage
        return cls(
            source=passage.source,
            title=hit.title,
            published=hit.published,
            heading=passage.heading,
            start=passage.start,
            end=passage.end,
            text=passage.text,
            score=float(hit.score),
            dense=hit.dense,
            lexical=hit.lexical,
            words=words,
        )


class SearchResult(BaseModel):
    """The passages that a question would be answered from, best first."""

    question: str
    hits: list[FoundPassage]


class Health(BaseModel):
    """The process is alive, whatever the state of the index."""

    status: Literal["alive"] = "alive"


class Readiness(BaseModel):
    """Questions can be answered, over so many passages; null where that is not the asker's to know."""

    status: Literal["ready"] = "ready"
    passages: int | None


class Problem(BaseModel):
    """What went wrong, as RFC 9457 has it, with `code` for programs and in `hint` what to do about it."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    hint: str


def streamed(event: Event) -> tuple[str, Any]:
    """The name and the data of the server-sent event that stands for a step of the answer."""
    match event:
        case Rewritten(question=question):
            return "question", {"question": question}
        case Found(hits=hits):
            return "hits", [
                {
                    "source": hit.passage.source,
                    "start": hit.passage.start,
                    "end": hit.passage.end,
                    "score": float(hit.score),
                    "title": hit.title,
                    "text": hit.passage.text,
                }
                for hit in hits
            ]
        case Token(text=text):
            return "token", {"text": text}
        case _:
            return "answer", event.answer.to_json()
