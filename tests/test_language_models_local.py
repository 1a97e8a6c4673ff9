"""Real models with random weights: in this process, and behind llama-cpp-python's own server."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from rag.backends.language_models import open_language_model
from rag.errors import ContextTooSmall, ModelUnavailable, ModelUnreachable
from rag.protocols import LanguageModel
from rag.records import Message
from tests.contracts import language_model_contract
from tests.tiny_models import WINDOW, write_gguf, write_transformers

pytestmark = pytest.mark.slow
ASKED = [Message("system", "Be short."), Message("user", "Who founded Acme?")]
LONG = [Message("user", "Acme " * WINDOW)]


@pytest.fixture(scope="module")
def gguf_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("llama_cpp", reason='needs pip install "whosays[llamacpp]"')
    pytest.importorskip("llama_index.llms.llama_cpp", reason='needs pip install "whosays[llamacpp]"')
    pytest.importorskip("gguf", reason="makes its model with gguf")
    return write_gguf(tmp_path_factory.mktemp("models") / "tiny.gguf")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("llama_index.llms.huggingface", reason='needs pip install "whosays[transformers]"')
    return write_transformers(tmp_path_factory.mktemp("models") / "tiny")


def opened(name: str, url: str = "", context: int = 0) -> LanguageModel:
    return open_language_model(name, base_url=url, timeout=30, retries=0, context=context, environ={})


@pytest.fixture(scope="module", params=["llamacpp", "transformers"])
def local(request: pytest.FixtureRequest) -> LanguageModel:
    made = request.getfixturevalue("gguf_file" if request.param == "llamacpp" else "folder")
    return opened(f"{request.param}/{made}")


# ---- in this process ---------------------------------------------------------------------------


def test_a_local_model_keeps_the_contract(local: LanguageModel) -> None:
    language_model_contract(local)


def test_a_local_model_states_its_window_and_probes(local: LanguageModel) -> None:
    assert local.context == WINDOW
    assert "loaded" in local.probe()  # type: ignore[attr-defined]  # of the class, not of the seam


def test_a_local_reply_stops_at_its_limit(local: LanguageModel) -> None:
    for limit in (1, 7, 40):
        reply = "".join(local.stream(ASKED, limit))
        assert 0 < len(reply) <= limit * 8  # the longest token has eight characters
    assert len("".join(local.stream(ASKED, 40))) > len("".join(local.stream(ASKED, 7)))


def test_a_prompt_that_does_not_fit_is_refused(local: LanguageModel) -> None:
    with pytest.raises(ContextTooSmall) as caught:
        "".join(local.stream(LONG, 5))
    assert f"{WINDOW}" in caught.value.message


def test_the_tokens_are_the_models_own(gguf_file: Path, folder: Path) -> None:
    assert opened(f"transformers/{folder}").count_tokens("Acme é") == 7  # bytes
    assert opened(f"llamacpp/{gguf_file}").count_tokens("Acme é") == 8  # the same, and a blank before them


def test_the_window_may_be_set(gguf_file: Path, folder: Path) -> None:
    assert opened(f"llamacpp/{gguf_file}", context=512).context == 512
    assert opened(f"transformers/{folder}", context=512).context == 512


@pytest.mark.parametrize("kind", ["llamacpp", "transformers"])
def test_a_damaged_model_does_not_load(kind: str, gguf_file: Path, folder: Path, tmp_path: Path) -> None:
    if kind == "llamacpp":
        damaged = tmp_path / "damaged.gguf"
        damaged.write_bytes(gguf_file.read_bytes()[:5000])
    else:
        damaged = tmp_path
        (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    with pytest.raises(ModelUnavailable):
        opened(f"{kind}/{damaged}")


# ---- behind a server ---------------------------------------------------------------------------


class LlamaServer:
    """llama-cpp-python's OpenAI-compatible server in a process of its own."""

    def __init__(self, model: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/v1"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "llama_cpp.server", "--model", str(model), "--model_alias", "tiny",
             "--host", "127.0.0.1", "--port", str(port), "--n_ctx", str(WINDOW), "--verbose", "false",
             "--interrupt_requests", "false"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{self.url}/models", timeout=5).close()
                return
            except (urllib.error.URLError, OSError):
                assert self.process.poll() is None, "the server has ended"
                time.sleep(0.1)
        self.stop()
        raise AssertionError("the server does not answer")

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module")
def server(gguf_file: Path) -> Iterator[LlamaServer]:
    pytest.importorskip("llama_cpp.server.app", reason="needs llama-cpp-python[server]")
    server = LlamaServer(gguf_file)
    yield server
    server.stop()


def test_a_served_model_keeps_the_contract(server: LlamaServer) -> None:
    model = opened("openai-like/tiny", server.url, context=WINDOW)
    language_model_contract(model)
    assert model.probe() == "the server has tiny"  # type: ignore[attr-defined]  # of the class, not of the seam


def test_a_served_reply_stops_at_its_limit_and_comes_in_pieces(server: LlamaServer) -> None:
    model = opened("openai-like/tiny", server.url, context=WINDOW)
    assert len(list(model.stream(ASKED, 1))) == 1
    assert 5 < len(list(model.stream(ASKED, 20))) <= 20


def test_a_served_models_probe_names_what_there_is(server: LlamaServer) -> None:
    model = opened("openai-like/other", server.url, context=WINDOW)
    assert "tiny" in model.probe()  # type: ignore[attr-defined]  # of the class, not of the seam


def test_a_served_model_says_that_its_window_is_too_small(server: LlamaServer) -> None:
    with pytest.raises(ContextTooSmall):
        "".join(opened("openai-like/tiny", server.url, context=WINDOW).stream(LONG, 5))


def test_a_served_call_that_is_left_frees_the_server(server: LlamaServer) -> None:
    model = opened("openai-like/tiny", server.url, context=WINDOW)
    for _ in range(5):
        pieces = iter(model.stream(ASKED, 900))
        next(pieces)
        pieces.close()  # type: ignore[attr-defined]  # an iterator that can be closed, says the seam
    assert "".join(model.stream(ASKED, 5))


def test_a_server_killed_in_mid_answer_is_an_error_of_ours(gguf_file: Path) -> None:
    pytest.importorskip("llama_cpp.server.app", reason="needs llama-cpp-python[server]")
    for _ in range(3):
        server = LlamaServer(gguf_file)
        try:
            pieces = iter(opened("openai-like/tiny", server.url, context=WINDOW).stream(ASKED, 900))
            assert next(pieces)
            server.stop()
            with pytest.raises(ModelUnreachable) as caught:
                list(pieces)
            assert server.url in caught.value.message
        finally:
            server.stop()
