"""Language models behind a server: Ollama, OpenAI and what speaks like it, Anthropic.

Each reply has a connection of its own, which closes with the iterator: llama-index keeps the iterator's end in a
cycle, so that the response of a shared client would stay open until the garbage is collected.
"""

from __future__ import annotations

import base64
import contextlib
import re
import socket
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from rag.backends.language_errors import BrokenOff, Place, missing, without_credentials
from rag.cancel import cancellation
from rag.errors import ModelRefused, ModelUnavailable

SEED = 7
# A server sets aside memory for the whole window, and many models state more than a machine has.
NO_SUCH_DOOR = (404, 405, 501)
MOST_UNASKED = 32_768
# What servers call the window in their list of models: vLLM, LM Studio, OpenRouter, llama.cpp.
WINDOW_NAMES = ("max_model_len", "max_context_length", "context_length", "n_ctx_train")
NO_KEY = "none"
COUNTED = re.compile(r"[A-Z][a-z]*|[a-z]{1,3}|(?<= ) | (?![A-Za-z])|[^ ]")


def most_tokens(text: str) -> int:
    """No fewer tokens than a model's tokenizer finds, for texts of words, numbers and signs in any script.

    Three small letters count as one token, and in a word with a capital two letters, for names are rarer; every digit,
    sign, line break and further blank counts as one; what is beyond ASCII counts as its bytes, which is the most that
    a byte-level tokenizer finds. A single blank before a letter of ASCII is free: tokenizers join it to the word.
    "In 2025, Acme" counts 1 + 1 + 4 + 1 + 2, and one for the beginning of the text. Rare words in small letters, and
    letters that make no word, can be more than this.
    """
    total = sum(_most(piece) for piece in COUNTED.findall(text))
    return 1 + min(total, len(text.encode("utf-8", "replace")))


def _most(piece: str) -> int:
    if piece[0].isupper() and piece.isascii():
        return (len(piece) + 1) // 2
    return 1 if piece.isascii() else len(piece.encode("utf-8", "replace"))


class _Url:
    """A server's URL, its credentials taken out of it and made a header."""

    def __init__(self, given: str, usual: str) -> None:
        parts = urlsplit(given or usual)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            shown = without_credentials(given)
            raise ModelUnavailable(
                f"The setting language.base_url is {shown!r}, which is no URL.", hint="Write http://HOST:PORT/v1"
            )
        self.text = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, parts.query, ""))
        self.shown = without_credentials(self.text)
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        token = base64.b64encode(f"{user}:{password}".encode()).decode() if user or password else ""
        self.headers = {"Authorization": f"Basic {token}"} if token else {}
        self.secrets = tuple(secret for secret in (password, token) if secret)


class OllamaEngine:
    """A model that an Ollama server has pulled; Ollama cuts prompts that are too long without a word."""

    def __init__(self, model: str, base_url: str, timeout: float) -> None:
        try:
            from llama_index.llms.ollama import Ollama
            from ollama import Client
        except ModuleNotFoundError as error:
            raise missing("ollama", error) from error
        url = _Url(base_url, "http://localhost:11434")
        self.place = Place(
            f"ollama/{model}", url.shown, "OLLAMA_API_KEY", timeout, f"Run: ollama pull {model}", url.secrets
        )
        self._model = model
        self._llm = Ollama(model=model, base_url=url.text, temperature=0.0, request_timeout=timeout)
        tls = ssl_context()
        self._open: Callable[[], Any] = lambda: Client(host=url.text, timeout=timeout, headers=url.headers, verify=tls)

    def context(self) -> int | None:
        """What `ollama show` says, but no more than 32,768 where nobody asked for more."""
        with self._open() as client:
            facts = client.show(self._model).modelinfo or {}
        stated = [int(value) for key, value in facts.items() if key.endswith(".context_length")]
        return min(stated[0], MOST_UNASKED) if stated else None

    def count_tokens(self, text: str) -> int:
        """An upper estimate."""
        return most_tokens(text)

    def replies(self, messages: Sequence[Any], max_tokens: int, context: int) -> Generator[str]:
        """The pieces of `/api/chat`."""
        options = {"num_predict": max_tokens, "seed": SEED}
        llm = self._llm.model_copy(update={"additional_kwargs": options, "context_window": context})
        done = False
        with self._open() as client, interruptible(client._client):
            llm._client = client
            for response in llm.stream_chat(messages):
                done = done or bool(response.raw["done"])
                yield response.delta or ""
        if not done:
            raise BrokenOff

    def probe(self) -> str:
        """Whether the model is pulled."""
        with self._open() as client:
            details = client.show(self._model).details
        return f"pulled, {details.parameter_size or 'size unknown'}" if details else "pulled"


class OpenAiEngine:
    """A model of OpenAI's, or of a server that speaks like it."""

    def __init__(self, kind: str, model: str, base_url: str, timeout: float, environ: Mapping[str, str]) -> None:
        try:
            from llama_index.llms.openai_like import OpenAILike
            from openai import DefaultHttpxClient, OpenAI
        except ModuleNotFoundError as error:
            raise missing("openai", error) from error
        variable = "OPENAI_API_KEY" if kind == "openai" else "OPENAI_LIKE_API_KEY"
        key = environ.get(variable, "").strip() or (NO_KEY if kind == "openai-like" else "")
        if not key:
            raise no_key(f"openai/{model}", variable)
        if kind == "openai-like" and not base_url:
            raise ModelUnavailable(
                f"openai-like/{model} needs the URL of its server.",
                hint="Set language.base_url, such as http://localhost:8080/v1",
            )
        url = _Url(base_url, "https://api.openai.com/v1")
        secrets = (*url.secrets, *((key,) if key != NO_KEY else ()))
        absent = "See that the name is one that the server has."
        self.place = Place(f"{kind}/{model}", url.shown, variable, timeout, absent, secrets)
        self._kind = kind
        self._model = model
        self._client = OpenAI(
            api_key=key, base_url=url.text, timeout=timeout, max_retries=0, default_headers=url.headers
        )
        tls = ssl_context()
        self._open: Callable[[], Any] = lambda: DefaultHttpxClient(verify=tls)
        try:
            self._llm = OpenAILike(
                model=model,
                api_key=key,
                api_base=url.text,
                temperature=0.0,
                max_retries=0,
                timeout=timeout,
                is_chat_model=True,
                additional_kwargs={"seed": SEED},
            )
        except ValueError as error:
            raise ModelUnavailable(f"{kind}/{model} cannot be used: {error}", hint="Name another model.") from error

    def context(self) -> int | None:
        """What llama-index knows of OpenAI's models, or what the server's list of models says."""
        if self._kind == "openai":
            from llama_index.llms.openai.utils import openai_modelname_to_contextsize

            try:
                return openai_modelname_to_contextsize(self._model)
            except ValueError:
                return None
        listed = self._listed().get(self._model, {})
        facts = {**(listed.get("meta") or {}), **listed}
        return next((int(facts[name]) for name in WINDOW_NAMES if facts.get(name)), None)

    def count_tokens(self, text: str) -> int:
        """An upper estimate."""
        return most_tokens(text)

    def replies(self, messages: Sequence[Any], max_tokens: int, context: int) -> Generator[str]:  # noqa: ARG002 - theirs
        """The pieces of `/chat/completions`."""
        # OpenAI's newer models refuse max_tokens; servers that speak like it know nothing else.
        limit = "max_completion_tokens" if self._kind == "openai" else "max_tokens"
        done, empty = False, True
        llm = self._llm.model_copy()
        with self._open() as http, interruptible(http):
            llm._client = self._client.with_options(http_client=http)
            for response in llm.stream_chat(messages, **{limit: max_tokens}):
                empty = False
                choices = response.raw.choices
                done = done or bool(choices and choices[0].finish_reason)
                yield response.delta or ""
        if empty:
            # llama-cpp-python's server sends its errors to those alone who ask for the whole reply.
            with self._open() as http:
                llm._client = self._client.with_options(http_client=http)
                llm.chat(messages, **{limit: 1})
        if not done:
            raise BrokenOff

    def probe(self) -> str:
        """Whether the server knows the model; a server that goes by other names may answer all the same."""
        if self._kind == "openai":
            return f"the server has {self._client.models.retrieve(self._model).id}"
        names = sorted(self._listed())
        if self._model in names:
            return f"the server has {self._model}"
        return f"the server answers, but lists {', '.join(names[:5]) or 'no models'}"

    def _listed(self) -> dict[str, dict[str, Any]]:
        """What the server says of each of its models; nothing where it has no such list."""
        from openai import APIStatusError

        try:
            return {model.id: model.model_extra or {} for model in self._client.models.list().data or []}
        except APIStatusError as error:
            if error.status_code in NO_SUCH_DOOR:
                return {}
            raise


class AnthropicEngine:
    """A model of Anthropic's."""

    def __init__(self, model: str, base_url: str, timeout: float, environ: Mapping[str, str]) -> None:
        try:
            from anthropic import DefaultHttpxClient
            from llama_index.core.llms import LLMMetadata
            from llama_index.llms.anthropic import Anthropic
        except ModuleNotFoundError as error:
            raise missing("anthropic", error) from error
        variable = "ANTHROPIC_API_KEY"
        key = environ.get(variable, "").strip()
        if not key:
            raise no_key(f"anthropic/{model}", variable)
        url = _Url(base_url, "https://api.anthropic.com")
        self.place = Place(f"anthropic/{model}", url.shown, variable, timeout, secrets=(*url.secrets, key))
        self._model = model

        class AnyAnthropic(Anthropic):
            """llama-index refuses every name that its table lacks, so every model newer than itself."""

            @property
            def metadata(self) -> LLMMetadata:
                return LLMMetadata(model_name=self.model, is_chat_model=True, num_output=self.max_tokens)

        tls = ssl_context()
        self._open: Callable[[], Any] = lambda: DefaultHttpxClient(verify=tls)
        make: Any = AnyAnthropic
        self._llm = make(
            model=model,
            api_key=key,
            base_url=url.text,
            temperature=0.0,
            timeout=timeout,
            max_retries=0,
            default_headers=url.headers,
        )

    def context(self) -> int | None:
        """What llama-index knows of the model."""
        from llama_index.llms.anthropic.utils import anthropic_modelname_to_contextsize

        try:
            return anthropic_modelname_to_contextsize(self._model)
        except ValueError:
            return None

    def count_tokens(self, text: str) -> int:
        """An upper estimate."""
        return most_tokens(text)

    def replies(self, messages: Sequence[Any], max_tokens: int, context: int) -> Generator[str]:  # noqa: ARG002 - theirs
        """The pieces of `/v1/messages`."""
        done = False
        llm = self._llm.model_copy()
        with self._open() as http, interruptible(http):
            llm._client = llm._client.with_options(http_client=http)
            for response in llm.stream_chat(messages, max_tokens=max_tokens):
                done = done or bool(response.message.additional_kwargs.get("stop_reason"))
                yield response.delta or ""
        if not done:
            raise BrokenOff

    def probe(self) -> str:
        """Whether Anthropic has the model."""
        client: Any = self._llm._client  # the wrapper has no call for this
        return f"the server has {client.models.retrieve(self._model).id}"


@contextlib.contextmanager
def interruptible(http: Any) -> Iterator[None]:
    """Inside, giving up cuts the connections that the httpx client makes, so that whoever waits for a reply wakes."""
    sockets: list[socket.socket] = []

    def note(event: str, info: Mapping[str, Any]) -> None:
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            sockets.append(info["return_value"].get_extra_info("socket"))
            if asker.given_up:
                cut()

    def cut() -> None:
        for each in sockets:
            with contextlib.suppress(OSError):  # closed already, or handed over to TLS
                # An SSL socket's own method would take the reader's object away under it.
                socket.socket.shutdown(each, socket.SHUT_RDWR)

    asker = cancellation()
    http.event_hooks["request"].append(lambda request: request.extensions.update(trace=note))
    with asker.calling(cut):
        yield


def ssl_context() -> Any:
    """The certificates that the clients trust by default, read once for all replies of a model."""
    import httpx

    return httpx.create_ssl_context()


def no_key(name: str, variable: str) -> ModelRefused:
    """The error for a key that is not set."""
    return ModelRefused(f"{name} needs a key, and {variable} is not set.", hint=f"export {variable}=…")
