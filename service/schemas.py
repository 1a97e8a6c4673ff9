"""The shapes of what goes in and out over HTTP, where it is not a record of the house as it stands."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, field_validator

from rag.records import Event, Found, Rewritten, SourceSummary, Token, Turn

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
    "fingerprint": "sha256:5f0c8a52",
    "timings_ms": {"retrieve": 6.1, "read": 41.0, "compose": 0.8, "total": 48.3},
}


class AskRequest(BaseModel):
    """A question, with the turns that came before it."""

    model_config = ConfigDict(extra="forbid")

    question: str = Field(description="What is asked.", examples=["Who founded Scale AI?"])
    history: list[Turn] = Field(default=[], description="The conversation so far, oldest turn first.")
    # Strict, for "no" and 0 would otherwise pass for false.
    stream: StrictBool = Field(default=False, description="Whether to send the answer as server-sent events.")

    @field_validator("history")
    @classmethod
    def _is_text(cls, history: list[Turn]) -> list[Turn]:
        # JSON can spell half a surrogate pair ("\ud800"), which has no UTF-8; of the question, rag says so itself.
        if any("\ud800" <= mark <= "\udfff" for turn in history for mark in turn.question + turn.answer):
            raise ValueError("a turn holds a lone surrogate, which is not text")
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


class SourceText(BaseModel):
    """One source with the text on which every citation's `start` and `end` count, in Unicode code points."""

    name: str
    title: str | None
    published: str | None
    text: str


class Health(BaseModel):
    """The process is alive, whatever the state of the index."""

    status: Literal["alive"] = "alive"


class Readiness(BaseModel):
    """Questions can be answered, over so many passages."""

    status: Literal["ready"] = "ready"
    passages: int


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
