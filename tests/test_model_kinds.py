"""Every kind of model answers a question over the example articles, and the laws hold for what it says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rag.answering import Answerer
from rag.settings import LanguageSettings
from rag.wiring import open_answerer
from tests.conftest import only_in_long_runs, settings_for
from tests.model_servers import model_server
from tests.test_answering import check_laws
from tests.tiny_models import write_gguf, write_transformers

QUESTION = "Who founded Scale AI?"
SAID = ("Alexandr Wang ", "founded ", "Scale AI ", "in 2016 [1.1].")
# The kind, the wire format that its server speaks, the package that it needs, and the key that it reads.
REMOTE = [
    pytest.param("ollama", "ollama", "llama_index.llms.ollama", "", id="ollama"),
    pytest.param("openai", "openai", "llama_index.llms.openai_like", "OPENAI_API_KEY", id="openai"),
    pytest.param("openai-like", "openai", "llama_index.llms.openai_like", "", id="openai-like"),
    pytest.param("anthropic", "anthropic", "llama_index.llms.anthropic", "ANTHROPIC_API_KEY", id="anthropic"),
]
LOCAL = [
    pytest.param("llamacpp", "llama_index.llms.llama_cpp", "gguf", id="llamacpp"),
    pytest.param("transformers", "llama_index.llms.huggingface", "torch", id="transformers"),
]
WINDOW = 8192


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.setenv(name, "secret")


def test_without_a_model_the_sources_own_sentences_answer(seeds_index: Path) -> None:
    answerer = open_answerer(settings_for(seeds_index))
    answer = answerer.ask(QUESTION)
    check_laws(answer, answerer)
    assert (answer.model, answer.short) == ("builtin", "Alexandr Wang")


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize(("kind", "speech", "package", "variable"), REMOTE)
def test_a_served_model_answers_in_checked_words(
    kind: str, speech: str, package: str, variable: str, seeds_index: Path
) -> None:
    pytest.importorskip(package)
    with model_server(speech, SAID) as server:
        answerer = opened(seeds_index, f"{kind}/tiny", server.url)
        answer = answerer.ask(QUESTION)
    check_laws(answer, answerer)
    assert (answer.model, answer.text) == (f"{kind}/tiny", "Alexandr Wang founded Scale AI in 2016 [1].")
    assert answer.withheld == ()
    sent = next(body for path, _, body in server.requests if "messages" in body)
    assert "Quoted lines:" in str(sent["messages"])
    assert not variable or "secret" not in str(answer.to_json())


@only_in_long_runs
@pytest.mark.slow
@pytest.mark.parametrize(("kind", "package", "maker"), LOCAL)
def test_of_the_noise_of_a_toy_model_in_the_process_nothing_reaches_the_text(
    kind: str, package: str, maker: str, seeds_index: Path, tmp_path: Path
) -> None:
    for needed in (package, maker):
        pytest.importorskip(needed)
    write = write_gguf if kind == "llamacpp" else write_transformers
    model = write(tmp_path / ("tiny.gguf" if kind == "llamacpp" else "tiny"), WINDOW)
    answerer = opened(seeds_index, f"{kind}/{model}")
    answer = answerer.ask(QUESTION)
    check_laws(answer, answerer)
    assert (answer.outcome, answer.reason) == ("not_in_sources", "no_passage_answers")
    assert answer.withheld


def opened(index: Path, model: str, url: str = "") -> Answerer:
    language = LanguageSettings(base_url=url, retries=0, timeout=60, context=WINDOW, max_tokens=60)
    return open_answerer(replace(settings_for(index), model=model, language=language))
