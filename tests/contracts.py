"""One suite a seam: what every implementation must keep."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from itertools import pairwise

import numpy as np
import pytest

from rag.errors import Unparsable
from rag.protocols import Embedder, LanguageModel, Parser, Reader, Verifier
from rag.records import Message, Parsed

# ---- Embedder ----------------------------------------------------------------------------------


def embedder_contract(embedder: Embedder) -> None:
    """Unit float32 vectors, one a text in the order of the texts, likeness by meaning, long texts cut, no surprises."""
    texts = ["A cat sat on the mat.", "Stocks fell sharply.", "x" * 100_000, "", "Ein Café 😀"]
    vectors = embedder.embed(texts)
    assert vectors.dtype == np.float32
    assert vectors.shape[0] == len(texts)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)
    assert embedder.embed([]).shape[0] == 0
    assert np.allclose(embedder.embed(texts[1:2])[0], vectors[1], atol=1e-2)
    question = embedder.embed_question("Where was the kitten?")
    assert question.shape == vectors[0].shape
    assert question @ vectors[0] > question @ vectors[1]
    assert embedder.count_tokens(["cat", "cat cat cat", ""]) == [1, 3, 0]
    assert len(embedder.digest) == 64
    assert embedder.name


# ---- Parser ------------------------------------------------------------------------------------


def parser_contract(parser: Parser, sample: bytes, words: str) -> None:
    """A sound file gives its words and the same each time; damage gives lawful text or Unparsable, nothing else."""
    assert parser.suffixes
    assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in parser.suffixes)
    parsed = parser.parse(sample)
    assert words in parsed.text
    assert parser.parse(sample) == parsed
    _check_parsed(parsed)
    with pytest.raises(Unparsable):
        parser.parse(bytes(range(256)) * 40)
    chance = random.Random(7)
    damaged = [sample[: len(sample) * part // 10] for part in range(10)]
    for _ in range(20):
        flipped = bytearray(sample)
        for place in chance.sample(range(len(sample)), 5):
            flipped[place] ^= 1 << chance.randrange(8)
        damaged.append(bytes(flipped))
    for content in damaged:
        try:
            _check_parsed(parser.parse(content))
        except Unparsable as error:
            assert 3 < len(error.message) < 120


def _check_parsed(parsed: Parsed) -> None:
    parsed.text.encode("utf-8")
    assert "\x00" not in parsed.text
    assert list(parsed.pages) == sorted(parsed.pages)
    assert all(0 <= start <= len(parsed.text) for start in parsed.pages)
    assert parsed.pages[:1] in ((), (0,))
    assert parsed.published is None or date.fromisoformat(parsed.published).isoformat() == parsed.published


# ---- Reader and Verifier -----------------------------------------------------------------------


def reader_contract(reader: Reader) -> None:
    """A reading a passage in their order, spans inside the text and apart, the best first, whatever the text is."""
    passages = ["Acme was founded by Jane Doe in 1998.", "", "It rained. " * 2000, "Café 😀 — ok"]
    readings = reader.read("Who founded Acme?", passages)
    assert len(readings) == len(passages)
    assert reader.read("Who founded Acme?", []) == []
    for passage, reading in zip(passages, readings, strict=True):
        scores = [span.score for span in reading.spans]
        assert scores == sorted(scores, reverse=True)
        places = sorted((span.start, span.end) for span in reading.spans)
        assert all(0 <= start < end <= len(passage) for start, end in places)
        assert all(before[1] <= after[0] for before, after in pairwise(places))
    assert readings[1].spans == ()
    assert readings[0].answerable > readings[2].answerable
    alone = reader.read("Who founded Acme?", passages[:1])[0]
    assert abs(alone.answerable - readings[0].answerable) < 0.1
    assert len(reader.read("who? " * 5000, passages)) == len(passages)


def verifier_contract(verifier: Verifier) -> None:
    """Probabilities that add to 1, one a pair in their order, whatever the text is."""
    pairs = [("It rained.", "It rained."), ("", ""), ("x" * 9000, "y" * 9000), ("Did it rain?", "😀")]
    supports = verifier.verify(pairs)
    assert len(supports) == len(pairs)
    assert verifier.verify([]) == []
    for support in supports:
        shares = (support.supported, support.contradicted, support.neither)
        assert all(0 <= share <= 1 for share in shares)
        assert abs(sum(shares) - 1) < 1e-4


# ---- LanguageModel -----------------------------------------------------------------------------


def language_model_contract(model: LanguageModel) -> None:
    """Pieces of text, the same for the same question, in several threads at once, and after a reply left early."""
    messages = [Message("system", "Be short."), Message("user", "Who founded Acme? Café 😀")]
    assert model.name
    assert model.context > 100
    assert model.count_tokens("") <= 1
    assert model.count_tokens("Acme was founded.") < model.count_tokens("Acme was founded in 1998 by Jane Doe.")
    pieces = list(model.stream(messages, 16))
    assert pieces
    assert all(isinstance(piece, str) and piece for piece in pieces)
    early = iter(model.stream(messages, 16))
    assert next(early) == pieces[0]
    early.close()  # type: ignore[attr-defined]  # an iterator that can be closed, says the seam
    with ThreadPoolExecutor(4) as pool:
        replies = list(pool.map(lambda _: "".join(model.stream(messages, 16)), range(8)))
    assert replies == ["".join(pieces)] * 8
