"""Any local or remote language model behind one seam, through llama-index's classes.

`ollama/NAME`, `openai/NAME`, `openai-like/NAME`, `anthropic/NAME`, `llamacpp/PATH.gguf`, `transformers/FOLDER-OR-ID`.
Each kind is imported only when it is chosen. Keys come from the environment and go to the model's server alone.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

from rag.backends.language_errors import Failure, Place, failure
from rag.cancel import cancellation
from rag.errors import BackendProblem, ModelUnavailable
from rag.protocols import LanguageModel
from rag.records import Message

if TYPE_CHECKING:
    from llama_index.core.llms import ChatMessage

KINDS = ("ollama", "openai", "openai-like", "anthropic", "llamacpp", "transformers")
CONTEXT_UNKNOWN = 8192
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 20.0

T = TypeVar("T")


class Engine(Protocol):
    """One kind of model; raises what its library raises."""

    @property
    def place(self) -> Place:
        """The model and where it is, for messages."""

    def context(self) -> int | None:
        """The tokens that the model says it reads and writes in all, or None where it does not say."""

    def count_tokens(self, text: str) -> int:
        """The tokens of a text, or no fewer."""

    def replies(self, messages: Sequence[ChatMessage], max_tokens: int, context: int) -> Generator[str]:
        """The reply in pieces, which may be empty; closing it ends the call."""

    def probe(self) -> str:
        """What the model's server says of the model, by one cheap call."""


class LlamaIndexModel:
    """A language model of any kind; safe to use from several threads.

    Opening it reaches for no server: `context`, `stream` and `probe` do.
    """

    def __init__(self, engine: Engine, retries: int, context: int) -> None:
        self._engine = engine
        self._retries = retries
        self._context = context

    @property
    def name(self) -> str:
        """The model as the settings name it."""
        return self._engine.place.name

    @property
    def context(self) -> int:
        """The tokens it reads and writes in all: as set, else as it states, else 8,192; may ask the model's server."""
        if not self._context:
            self._context = self._tried(self._engine.context, self._retries) or CONTEXT_UNKNOWN
        return self._context

    def count_tokens(self, text: str) -> int:
        """The tokens of a text by the model's own tokenizer in this process, else an upper estimate."""
        return self._engine.count_tokens(text)

    def probe(self) -> str:
        """Whether the model is there, in a few words, by one cheap call; raises BackendProblem where it is not."""
        return self._tried(self._engine.probe, 0)

    def stream(self, messages: Sequence[Message], max_tokens: int) -> Iterator[str]:
        """The reply in pieces; closing the iterator ends the call, and so does giving up, even while it is silent.

        A server that cannot be reached or turns the question away is asked again, until the first piece has come.
        """
        from llama_index.core.llms import ChatMessage

        sent = [ChatMessage(role=message.role, content=message.text) for message in messages]
        context = self.context
        asker = cancellation()
        for attempt in range(self._retries + 1):
            begun = False
            pieces = self._engine.replies(sent, max_tokens, context)
            try:
                for piece in pieces:
                    if asker.given_up:
                        return
                    if piece:
                        begun = True
                        yield piece
                return
            except BackendProblem:
                raise
            except Exception as error:  # noqa: BLE001 - every library has its own errors; all become ours here
                failed = failure(error, self._engine.place)
            finally:
                pieces.close()
            if asker.given_up:
                return
            self._rest_or_raise(failed, attempt, 0 if begun else self._retries)

    def _tried(self, call: Callable[[], T], retries: int) -> T:
        attempt = 0
        while True:
            try:
                return call()
            except BackendProblem:
                raise
            except Exception as error:  # noqa: BLE001 - every library has its own errors; all become ours here
                failed = failure(error, self._engine.place)
            self._rest_or_raise(failed, attempt, retries)
            attempt += 1

    def _rest_or_raise(self, failed: Failure, attempt: int, retries: int) -> None:
        # Raised outside the except clause: a library's error holds the request, and with it the key.
        if not failed.again or attempt >= retries:
            raise failed.problem
        cancellation().rest(pause(attempt, failed.wait, random.random()))


def pause(attempt: int, asked: float | None, chance: float) -> float:
    """The seconds to rest before the next try: what the server asked for, else doubling, with up to half as jitter.

    `attempt` counts from 0, `chance` lies between 0 and 1; never more than 20 seconds.
    """
    rest = FIRST_PAUSE * 2**attempt * (0.5 + chance / 2) if asked is None else asked + FIRST_PAUSE * chance / 2
    return min(rest, LONGEST_PAUSE)


def open_language_model(
    name: str, *, base_url: str, timeout: float, retries: int, context: int, environ: Mapping[str, str]
) -> LanguageModel:
    """The language model of that name; raises BackendProblem where its package, file or key is missing.

    `timeout` is in seconds, `retries` counts further tries, `context` is in tokens (0: what the model states).
    """
    kind, _, model = name.partition("/")
    if kind not in KINDS or not model:
        known = ", ".join(f"{kind}/…" for kind in KINDS)
        raise ModelUnavailable(f"There is no model named {name!r}.", hint=f"Models are: builtin, {known}")
    return LlamaIndexModel(_engine(kind, model, base_url, timeout, context, environ), retries, context)


def _engine(kind: str, model: str, base_url: str, timeout: float, context: int, environ: Mapping[str, str]) -> Engine:
    if kind in ("llamacpp", "transformers"):
        from rag.backends import language_local as local

        return local.LlamaCppEngine(model, context) if kind == "llamacpp" else local.TransformersEngine(model)
    from rag.backends import language_remote as remote

    if kind == "ollama":
        return remote.OllamaEngine(model, base_url, timeout)
    if kind == "anthropic":
        return remote.AnthropicEngine(model, base_url, timeout, environ)
    return remote.OpenAiEngine(kind, model, base_url, timeout, environ)
