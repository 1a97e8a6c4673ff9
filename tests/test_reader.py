"""The shipped reader: its contract, its file's digest, and that it is the network that was trained."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from functools import cache
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Encoding, Tokenizer

from rag.backends.openvino import WIDTH, OpenVinoReader, best_spans
from rag.errors import ModelDamaged, ModelUnavailable
from rag.reader.export import load, mixed
from rag.reader.export import main as write
from rag.reader.items import Items, joined, planned
from rag.reader.measure import auroc, token_f1
from rag.reader.network import Network, base_folder, batch_of, tokenizer
from rag.reader.train import main as train
from rag.settings import EmbeddingSettings, Settings, load_settings
from rag.wiring import READER_FOLDER, open_reader
from tests.conftest import only_in_long_runs, some
from tests.contracts import reader_contract, verifier_contract
from tests.test_reader_data import write_data

TRAINED_FOLDER = READER_FOLDER.parent
NEWS = "001_9eb630c19336d33f.txt"
FEW = [
    *("--answered", "8", "--unanswered", "8", "--claims", "8"),
    *("--tokens", "1200", "--steps", "5", "--save-every", "1"),
]


@pytest.fixture(scope="module")
def reader() -> OpenVinoReader:
    return open_reader(load_settings(os.environ))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a training run of a few steps."""
    folder = tmp_path_factory.mktemp("trained")
    train(["--data", str(write_data(folder / "data")), "--out", str(folder / "out"), *FEW])
    return folder


def test_the_shipped_reader_keeps_the_contracts(reader: OpenVinoReader) -> None:
    reader_contract(reader)
    verifier_contract(reader)


def test_the_weights_are_small_enough_to_ship() -> None:
    assert sum(path.stat().st_size for path in READER_FOLDER.iterdir()) <= 25_000_000


def test_it_finds_the_words_that_answer(reader: OpenVinoReader) -> None:
    passage = "Acme was founded in Tulsa by Jane Doe. It sold 1,200 rockets in 1998."
    for question, words in (("Who founded Acme?", "Jane Doe"), ("How many rockets were sold?", "1,200")):
        best = reader.read(question, [passage])[0].spans[0]
        assert passage[best.start : best.end] == words


def test_however_long_texts_are_there_are_few_shapes_to_keep_code_for(reader: OpenVinoReader) -> None:
    encodings = [reader._tokenizer.encode("Who founded it?", "It rained. " * count) for count in range(1, 200)]
    assert {reader._inputs([encoding])["mask"].shape[1] % WIDTH for encoding in encodings} == {0}


def test_it_knows_what_a_passage_does_not_say(reader: OpenVinoReader) -> None:
    passage = "Acme was founded in Tulsa by Jane Doe. It sold 1,200 rockets in 1998."
    told, untold = (
        reader.read(q, [passage])[0].answerable for q in ("Who founded Acme?", "What is the capital of Peru?")
    )
    assert told > 0 > untold


def test_it_tells_a_claim_that_is_borne_from_one_that_is_denied(reader: OpenVinoReader) -> None:
    evidence = "Acme was founded by Jane Doe in 1998."
    borne, denied = reader.verify([("Was Acme founded in 1998?", evidence), ("Acme was founded in 2004.", evidence)])
    assert borne.supported > borne.contradicted
    assert denied.contradicted > denied.supported


def test_other_weights_than_the_card_names_are_refused(tmp_path: Path) -> None:
    shutil.copytree(READER_FOLDER, tmp_path / "weights")
    with (tmp_path / "weights" / "reader.bin").open("r+b") as file:
        file.seek(1000)
        file.write(b"\x00\x01\x02")
    with pytest.raises(ModelDamaged, match="not those that its card names"):
        OpenVinoReader(tmp_path / "weights", base_folder() / "model.safetensors", tmp_path / "compiled")


def test_damaged_weights_are_mended_by_installing_again_and_not_by_removing_the_package(tmp_path: Path) -> None:
    shutil.copytree(READER_FOLDER, tmp_path / "weights")
    (tmp_path / "weights" / "card.json").write_text("{")
    with pytest.raises(ModelDamaged) as caught:
        OpenVinoReader(tmp_path / "weights", base_folder() / "model.safetensors", tmp_path / "compiled")
    assert "Install Whosays again" in caught.value.hint


def test_a_cache_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    settings = Settings(embedding=EmbeddingSettings(cache=str(tmp_path / "file" / "cache")))
    with pytest.raises(ModelUnavailable, match="cannot be written") as caught:
        open_reader(settings)
    assert "WHOSAYS_EMBEDDING__CACHE" in caught.value.hint


@pytest.mark.parametrize(
    ("module", "arguments", "missing"),
    [
        ("train", ["--data", "nowhere", "--out", "out"], "train-v1.1.json.gz"),
        ("claims", ["--data", "nowhere", "--out", "out.jsonl"], "dev-v2.0.json.gz"),
        ("export", ["nowhere.pt", "out", "--data", "nowhere"], "nowhere.pt"),
        ("export", [".", "out", "--data", "nowhere"], "trained.safetensors"),
        ("measure", ["nowhere.pt", "--data", "nowhere"], "nowhere.pt"),
    ],
)
def test_a_file_that_is_missing_is_named_in_one_line(
    module: str,
    arguments: list[str],
    missing: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        import_module(f"rag.reader.{module}").main(arguments)
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert missing in told
    assert len(told.splitlines()) == 1


@pytest.fixture(scope="module")
def exported(trained: Path) -> Path:
    """The folder that the network of that run was exported to."""
    folder = trained / "exported"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rag.reader.export.SHOWN", (20, 10))
        write([str(trained / "out" / "model.pt"), str(folder), "--data", str(trained / "data")])
    return folder


def test_the_exported_network_gives_about_what_the_trained_one_gives(trained: Path, exported: Path) -> None:
    network = load(trained / "out" / "model.pt")
    engine = OpenVinoReader(exported / "weights", base_folder() / "model.safetensors", trained / "compiled")
    pairs = [("Who founded Acme?", "Jane Doe founded Acme."), ("Did it rain?", "It rained all day long in Tulsa.")]
    with torch.no_grad():
        _, answerable, verdict = network(*batch_of(tokenizer(64).encode_batch(pairs), network.words, "cpu"))
    readings = [engine.read(*(question, [passage]))[0].answerable for question, passage in pairs]
    assert np.allclose(readings, answerable, atol=0.1)
    supports = [[s.supported, s.contradicted, s.neither] for s in engine.verify(pairs)]
    assert np.allclose(supports, torch.softmax(verdict, dim=-1), atol=0.05)


def test_what_is_shipped_is_the_trained_network_in_eight_bits(reader: OpenVinoReader) -> None:
    network = load(TRAINED_FOLDER)
    text = " ".join((READER_FOLDER.parents[2] / "seeds" / NEWS).read_text("utf-8").split())
    asked = ("Who founded Scale AI?", "What was the last valuation?", "Who is the chief executive of Ford?")
    pairs = [(question, text[start : start + 550]) for question in asked for start in range(0, 2200, 550)]
    with torch.no_grad():
        _, answerable, _ = network(*batch_of(tokenizer(384).encode_batch(pairs), network.words, "cpu"))
    readings = [reader.read(question, [passage])[0] for question, passage in pairs]
    assert np.corrcoef([reading.answerable for reading in readings], answerable)[0, 1] > 0.97
    assert len({round(float(value), 1) for value in answerable}) > 6


def test_training_can_go_on_from_what_is_shipped(trained: Path, exported: Path) -> None:
    network, again = load(trained / "out" / "model.pt").trained(), load(exported).trained()
    assert again.keys() == network.keys()
    assert all(torch.allclose(again[name], value, atol=2e-3, rtol=1e-3) for name, value in network.items())


@only_in_long_runs
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
def test_a_compiled_network_is_trained_to_about_the_same(trained: Path, tmp_path: Path) -> None:
    train(["--data", str(trained / "data"), "--out", str(tmp_path), *FEW, "--compile"])
    as_it_is, compiled = load(trained / "out" / "model.pt").trained(), load(tmp_path / "model.pt").trained()
    assert compiled.keys() == as_it_is.keys()
    begun = Network().trained()
    of_bert = [name for name in begun if name.startswith("bert.")]
    apart, moved = (
        torch.cat([(as_it_is[name] - other[name]).abs().flatten() for name in of_bert]).mean()
        for other in (compiled, begun)
    )
    assert apart < moved / 4


@pytest.mark.parametrize("share", some([0.25, 0.0, 1.0], 1))
def test_a_mix_lies_between_the_two_networks(trained: Path, share: float) -> None:
    path = trained / "out" / "model.pt"
    earlier, later = load(TRAINED_FOLDER).trained(), load(path).trained()
    mix = mixed(load(TRAINED_FOLDER), load(path), share).trained()
    assert mix.keys() == later.keys()
    assert any(not torch.equal(earlier[name], later[name]) for name in mix)
    for name, value in mix.items():
        assert torch.allclose(value, torch.lerp(earlier[name], later[name], share), atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--mix", "earlier", "--share", "1.5"], "from 0 to 1, not 1.5"), (["--share", "0.5"], "name the other network")],
)
def test_a_share_that_is_none_is_refused_in_one_line(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        write([str(trained / "out" / "model.pt"), str(tmp_path), "--data", str(trained / "data"), *arguments])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


@only_in_long_runs
def test_a_run_that_was_killed_ends_where_one_that_was_not_ends(trained: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "rag.reader.train", "--data", str(trained / "data"), "--out", str(tmp_path), *FEW]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not (tmp_path / "checkpoint.pt").is_file() and running.poll() is None:
        time.sleep(0.05)
    running.send_signal(signal.SIGKILL)
    running.wait()
    train(["--data", str(trained / "data"), "--out", str(tmp_path), *FEW])
    one, other = (torch.load(folder / "model.pt", weights_only=True) for folder in (trained / "out", tmp_path))
    assert one.keys() == other.keys()
    assert all(torch.allclose(one[name].float(), other[name].float(), atol=1e-5) for name in one)


def items_of(rows: list[tuple[int, bool]]) -> Items:
    """Examples of so many tokens, claims or readings."""
    lengths = [length for length, _ in rows]
    return Items(
        tokens=np.arange(sum(lengths), dtype=np.uint16),
        begins=np.cumsum([0, *lengths]),
        second=np.array([length // 2 for length in lengths], dtype=np.int32),
        start=np.zeros(len(rows), dtype=np.int32),
        end=np.zeros(len(rows), dtype=np.int32),
        label=np.array([0 if claim else -1 for _, claim in rows], dtype=np.int8),
    )


@given(
    st.lists(st.tuples(st.integers(1, 300), st.booleans()), min_size=1, max_size=60),
    st.integers(300, 2000),
    st.integers(0, 60),
)
def test_every_item_is_in_one_batch_and_no_batch_is_too_large(
    rows: list[tuple[int, bool]], tokens: int, first: int
) -> None:
    items, first = items_of(rows), min(first, len(rows))
    batches = planned(items, [first, len(rows) - first], tokens, 1)
    order = [i for batch in batches for i in batch]
    assert sorted(order[:first]) == list(range(first))
    assert sorted(order) == list(range(len(rows)))
    for batch in batches:
        assert len({int(items.label[i]) for i in batch}) == 1
        assert max(int(items.lengths[i]) for i in batch) * len(batch) <= max(tokens, 300)


@given(st.lists(st.tuples(st.integers(2, 40), st.booleans()), min_size=1, max_size=8), st.data())
def test_a_batch_holds_its_examples_padded_and_comes_back_from_a_file(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, bool]], data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("items") / "items.npz"
    items_of(rows).save(path)
    items = joined([Items.load(path), items_of(rows)])
    chosen = data.draw(st.lists(st.integers(0, 2 * len(rows) - 1), min_size=1, max_size=5))
    batch = items.batch(chosen, "cpu")
    for row, i in enumerate(chosen):
        length = rows[i % len(rows)][0]
        assert batch.ids[row, :length].tolist() == items.tokens[items.begins[i] : items.begins[i + 1]].tolist()
        assert batch.mask[row].tolist() == [1] * length + [0] * (batch.ids.shape[1] - length)
        assert int(batch.types[row].sum()) == length - length // 2


@only_in_long_runs
def test_a_network_learns_from_what_a_teacher_says(trained: Path, tmp_path: Path) -> None:
    def run(name: str, *more: str) -> list[float]:
        data = ["--data", str(trained / "data"), "--out", str(tmp_path / name)]
        train([*data, *FEW, "--rate", "5e-4", "--start-from", str(TRAINED_FOLDER), *more])
        network, teacher = load(tmp_path / name / "model.pt"), load(trained / "out" / "model.pt")
        pairs = tokenizer(224).encode_batch([("Who founded Acme?", "Jane Doe founded Acme.")])
        with torch.no_grad():
            said = [other(*batch_of(pairs, other.words, "cpu")) for other in (network, teacher)]
        return [float((one - other).abs().mean()) for one, other in zip(*said, strict=True)]

    alone = run("alone")
    taught = run("taught", "--teachers", str(trained / "out" / "model.pt"), "--taught", "1")
    assert sum(taught) < sum(alone)


@cache
def short_tokenizer() -> Tokenizer:
    """One for all examples: making it takes longer than using it."""
    return tokenizer(64)


@given(st.integers(0, 2**32 - 1))
def test_the_best_spans_lie_in_the_passage_apart_and_in_order(seed: int) -> None:
    encoding: Encoding = short_tokenizer().encode("Who?", "Jane Doe founded Acme in Tulsa, Oklahoma, in 1998.")
    logits = np.random.default_rng(seed).normal(size=(len(encoding.ids) + 5, 2)).astype(np.float32)
    spans = best_spans(logits, encoding)
    assert spans
    assert [span.score for span in spans] == sorted((span.score for span in spans), reverse=True)
    places = sorted((span.start, span.end) for span in spans)
    assert all(a[1] <= b[0] for a, b in pairwise(places))


@given(first=st.integers(0, 40), last=st.integers(0, 40))
def test_a_span_never_parts_a_word_or_a_number(first: int, last: int) -> None:
    """Where the weights are computed in another precision, the best token may be the "200" of "1,200"."""
    text = "In Schenectady, 1,200,450 gizmos cost $3.5 each, 7, 8 or 9.Unbelievably cheap."
    encoding: Encoding = short_tokenizer().encode("Who?", text)
    inside = [k for k, kind in enumerate(encoding.type_ids) if kind == 1][:-1]
    first, last = sorted((inside[first % len(inside)], inside[last % len(inside)]))
    logits = np.zeros((len(encoding.ids), 2), dtype=np.float32)
    logits[first, 0] = logits[last, 1] = 9.0
    best = best_spans(logits, encoding)[0]
    assert best.start <= encoding.offsets[first][0] < encoding.offsets[last][1] <= best.end
    wholes = [match.span() for match in re.finditer(r"\d+(?:[.,]\d+)*|\w+|[^\w\s]", text)]
    assert best.start in {start for start, _ in wholes}
    assert best.end in {end for _, end in wholes}


def test_figures_to_choose_by_on_paper() -> None:
    assert auroc([2, 3], [1, 2]) == 0.875
    assert token_f1("the red car", "a car") == pytest.approx(2 / 3)
    assert token_f1("", "car") == 0
