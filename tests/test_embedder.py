"""The embedding model: one contract for every engine, and both engines agree."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from rag.backends.openvino import OpenVinoEmbedder, _tokenizer
from rag.backends.sentence_transformers import (
    BUNDLED,
    BUNDLED_SHA256,
    SentenceTransformersEmbedder,
    _write_tokenizer,
    check_bundled,
    convert,
    folder_digest,
    model_folder,
)
from rag.errors import ModelDamaged, ModelUnavailable
from rag.protocols import Embedder
from rag.settings import load_settings
from rag.wiring import open_embedder
from tests.conftest import only_in_long_runs, times
from tests.contracts import embedder_contract

SEEDS = Path(__file__).resolve().parent.parent / "seeds"
BUNDLED_TOKENIZER = model_folder(BUNDLED) / "tokenizer.json"


@pytest.fixture(scope="module")
def converted() -> Embedder:
    return open_embedder(load_settings(os.environ))


@pytest.fixture(scope="module")
def reference() -> Embedder:
    return SentenceTransformersEmbedder(BUNDLED)


@pytest.mark.parametrize("engine", ["converted", "reference"])
def test_every_engine_keeps_the_contract(engine: str, request: pytest.FixtureRequest) -> None:
    embedder_contract(request.getfixturevalue(engine))


def test_the_converted_model_gives_the_vectors_of_the_original(converted: Embedder, reference: Embedder) -> None:
    text = "\n".join(path.read_text("utf-8") for path in sorted(SEEDS.glob("*.txt")))
    texts = [text[start : start + length] for start in range(0, 18_000, 450) for length in (15, 60, 200, 400, 1500)]
    assert len(texts) == 200
    cosines = (converted.embed(texts) * reference.embed(texts)).sum(axis=1)
    assert cosines.min() >= 0.999
    assert float(converted.embed_question(texts[0]) @ reference.embed_question(texts[0])) >= 0.999


@settings(max_examples=times(8, 60))
@given(chosen=st.lists(st.integers(0, 39), min_size=1, max_size=24))
def test_a_text_has_one_vector_whatever_is_embedded_with_it(converted: Embedder, chosen: list[int]) -> None:
    """So that an index of the same sources is the same, however they came into it."""
    text = "\n".join(path.read_text("utf-8") for path in sorted(SEEDS.glob("*.txt")))
    texts = [text[450 * place : 450 * place + 15 + 37 * place] for place in range(40)]
    alone = np.concatenate([converted.embed([texts[place]]) for place in sorted(set(chosen))])
    order = sorted(set(chosen))
    together = converted.embed([texts[place] for place in chosen])
    assert np.array_equal(together, alone[[order.index(place) for place in chosen]])


def test_both_engines_name_the_same_model(converted: Embedder, reference: Embedder) -> None:
    assert (converted.name, converted.digest) == (reference.name, reference.digest)
    assert converted.count_tokens(["It rained.", ""]) == reference.count_tokens(["It rained.", ""]) == [3, 0]


def test_bundled_weights_with_another_digest_are_refused(tmp_path: Path) -> None:
    check_bundled(model_folder(BUNDLED))
    (tmp_path / "model.safetensors").write_bytes(b"other weights")
    with pytest.raises(ModelDamaged, match=BUNDLED_SHA256):
        check_bundled(tmp_path)


def test_a_model_that_is_nowhere_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelUnavailable, match="nobody/nothing"):
        model_folder("nobody/nothing")


def test_a_folder_without_a_model_is_one_clear_error(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    with pytest.raises(ModelUnavailable, match="holds no sentence-transformers model"):
        convert(str(folder), tmp_path / "models")


def test_another_model_by_its_folder_has_another_digest(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(model_folder(BUNDLED), folder)
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 64, "do_lower_case": False}))
    (folder / "config_sentence_transformers.json").write_text(json.dumps({"prompts": {"query": "ask: "}}))
    target = convert(str(folder), tmp_path / "models")
    embedder = OpenVinoEmbedder(target, tmp_path / "compiled")
    assert embedder.digest == target.name == folder_digest(folder) != folder_digest(model_folder(BUNDLED))
    embedder_contract(embedder)
    asked, told = embedder.embed_question("Did it rain?"), embedder.embed(["ask: Did it rain?"])[0]
    assert np.allclose(asked, told, atol=1e-2)
    assert convert(str(folder), tmp_path / "models") == target


def test_nothing_that_reports_its_use_is_loaded() -> None:
    script = (
        "import os, sys\nfrom rag.settings import load_settings\nfrom rag.wiring import open_embedder\n"
        "open_embedder(load_settings(os.environ)).embed(['It rained.'])\n"
        "assert sys.modules.get('openvino_telemetry') is None"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_models_that_are_opened_at_once_leave_the_locale_as_it_was() -> None:
    script = (
        "import locale, os\nfrom concurrent.futures import ThreadPoolExecutor\n"
        "from rag.settings import load_settings\nfrom rag.wiring import open_embedder, open_reader\n"
        "settings, before = load_settings(os.environ), locale.setlocale(locale.LC_ALL)\n"
        "with ThreadPoolExecutor(4) as pool:\n"
        "    list(pool.map(lambda opened: opened(settings), [open_embedder, open_reader] * 6))\n"
        "assert locale.setlocale(locale.LC_ALL) == before"
    )
    subprocess.run([sys.executable, "-c", script], check=True, env={**os.environ, "LC_ALL": "C.UTF-8"})


@pytest.mark.parametrize("start", range(6))
def test_threads_that_ask_for_the_first_time_at_once_all_get_an_answer(start: int) -> None:
    script = (
        "import os, sys\nfrom concurrent.futures import ThreadPoolExecutor\nfrom threading import Barrier\n"
        "from rag.settings import load_settings\nfrom rag.wiring import open_embedder\n"
        "embedder, together = open_embedder(load_settings(os.environ)), Barrier(8)\n"
        "def ask(place):\n    together.wait()\n    return embedder.embed_question('Did it rain?').tobytes()\n"
        "sys.setswitchinterval(1e-6)\n"
        "with ThreadPoolExecutor(8) as pool:\n    print(len(set(pool.map(ask, range(8)))))"
    )
    # Where two threads wait for each other, no time is enough.
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=120)
    assert done.stdout == "1\n", start


@only_in_long_runs
def test_a_model_can_be_converted_after_another_was_opened(tmp_path: Path) -> None:
    script = (
        "import os, sys\nfrom pathlib import Path\nfrom rag.settings import load_settings\n"
        "from rag.wiring import open_embedder\nopen_embedder(load_settings(os.environ))\n"
        "assert 'openvino.tools.ovc' not in sys.modules\n"
        "from rag.backends.sentence_transformers import BUNDLED, convert\n"
        f"assert (convert(BUNDLED, Path({str(tmp_path)!r})) / 'model.bin').is_file()"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_an_embedder_for_questions_gives_the_same_vectors(converted: Embedder) -> None:
    settings = load_settings(os.environ)
    cache = Path(settings.embedding.cache).expanduser()
    folder = cache / "models" / converted.digest
    asking = OpenVinoEmbedder(folder, cache / "compiled", for_questions=True)
    questions = ["Who founded Scale AI?", "When?", "How much did Meta pay for its stake in the company, and why?"]
    for question in questions:
        assert np.allclose(asking.embed_question(question), converted.embed_question(question), atol=1e-4)


@given(st.text(max_size=200), st.text(max_size=50), st.integers(4, 60))
def test_tokenizers_of_one_file_share_its_words_and_nothing_else(text: str, other: str, longest: int) -> None:
    alone = Tokenizer.from_file(str(BUNDLED_TOKENIZER))
    alone.no_padding()
    cut, whole = _tokenizer(BUNDLED_TOKENIZER), _tokenizer(BUNDLED_TOKENIZER)
    cut.enable_truncation(longest, strategy="longest_first")
    for tokenizer, most in ((cut, longest), (whole, None)):
        alone.no_truncation()
        if most:
            alone.enable_truncation(most, strategy="longest_first")
        made, wanted = tokenizer.encode(text, other), alone.encode(text, other)
        assert (made.ids, made.type_ids, made.offsets) == (wanted.ids, wanted.type_ids, wanted.offsets)


def test_words_that_were_added_keep_their_numbers(tmp_path: Path) -> None:
    tokenizer = Tokenizer.from_file(str(BUNDLED_TOKENIZER))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.add_tokens([f"zzz{9 - number}" for number in range(10)])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    text = "zzz3 and zzz0 and zzz9, [SEP]"
    assert _tokenizer(tmp_path / "tokenizer.json").encode(text).ids == tokenizer.encode(text).ids


def test_a_tokenizer_that_is_the_original_s_is_written_as_its_file(tmp_path: Path) -> None:
    same, other = tmp_path / "same.json", tmp_path / "other.json"
    tokenizer = Tokenizer.from_file(str(BUNDLED_TOKENIZER))
    tokenizer.enable_truncation(256)
    _write_tokenizer(tokenizer, BUNDLED_TOKENIZER, same)
    assert same.read_bytes() == BUNDLED_TOKENIZER.read_bytes()
    tokenizer.add_tokens(["Whosays"])
    _write_tokenizer(tokenizer, BUNDLED_TOKENIZER, other)
    assert Tokenizer.from_file(str(other)).to_str() == tokenizer.to_str()
    _write_tokenizer(tokenizer, tmp_path / "none.json", other)
    assert Tokenizer.from_file(str(other)).to_str() == tokenizer.to_str()
