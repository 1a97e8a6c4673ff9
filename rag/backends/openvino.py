"""OpenVINO: embeds texts and reads passages with converted models, on the CPU, without torch."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rag.backends.openvino_engine import Engine, damaged
from rag.errors import BackendMissing, ModelDamaged
from rag.probe import Way
from rag.processor import cores_granted
from rag.records import AnswerSpan, Reading, Support

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from tokenizers import Encoding

    from rag.protocols import Vectors

BATCH = 8  # measured: small batches of like length waste the least on padding
# Texts are padded to a multiple of so many tokens: OpenVINO keeps code for every shape that it has seen. And they are
# embedded with those of the same length alone: how much padding a text has changes the last bits of its vector, and so
# may not depend on its neighbours.
WIDTH = 16
READ_BATCH = 4
READ_AT_MOST = 384  # tokens of question and passage together
SPAN_ENDS = 20  # the best starts and ends that are paired
SPAN_TOKENS = 40  # the longest span
SPANS = 8  # of one passage
MARKS = (",", ".")  # within a number
INSTALL_AGAIN = "Install Whosays again."


class OpenVinoEmbedder:
    """The converted model that lies in `folder`; compiled code is kept in `compiled`. Safe for several threads.

    One `for_questions` opens faster and takes less memory, and embeds many texts more slowly. `way` says how to compute
    with the version of OpenVINO that it is given; without it the processor's flags decide.
    """

    def __init__(
        self, folder: Path, compiled: Path, *, for_questions: bool = False, way: Callable[[str], Way] | None = None
    ) -> None:
        try:
            card = json.loads((folder / "embedder.json").read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise damaged(folder) from error
        self.name: str = card["name"]
        self.digest: str = card["digest"]
        self.dimension: int = card["dimension"]
        self._prompts: dict[str, str] = card["prompts"]
        self._pad_id: int = card["pad_id"]
        self._tokenizer_file = folder / "tokenizer.json"
        self._tokenizer = _tokenizer(self._tokenizer_file)
        self._tokenizer.enable_truncation(card["max_tokens"])
        self._engine = Engine(folder / "model.xml", compiled, "LATENCY" if for_questions else "THROUGHPUT", way)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One unit vector a text, float32; texts longer than the model reads are cut."""
        prompt = self._prompts["passage"]
        encodings = self._tokenizer.encode_batch_fast([prompt + text for text in texts])
        tokens = [encoding.ids for encoding in encodings]
        order = sorted(range(len(tokens)), key=lambda i: (-_padded(tokens[i]), tokens[i]))
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        batches = []
        for _, group in groupby(order, key=lambda i: _padded(tokens[i])):
            alike = list(group)
            batches += [alike[start : start + BATCH] for start in range(0, len(alike), BATCH)]
        self._fill(vectors, [([tokens[i] for i in rows], rows) for rows in batches])
        return vectors

    def embed_question(self, question: str) -> Vectors:
        """The question's unit vector, with the model's prompt for questions where it has one."""
        ids = self._tokenizer.encode(self._prompts["question"] + question).ids
        vectors = np.empty((1, self.dimension), dtype=np.float32)
        self._fill(vectors, [([ids], [0])])
        vector: Vectors = vectors[0]
        return vector

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, special tokens aside."""
        counted = self._counter.encode_batch_fast(list(texts), add_special_tokens=False)
        return [len(encoding.ids) for encoding in counted]

    @cached_property
    def _counter(self) -> Any:
        """A tokenizer that cuts nothing, read once: that takes as long as splitting ten articles."""
        counter = _tokenizer(self._tokenizer_file)
        counter.no_truncation()
        return counter

    def _fill(self, vectors: Vectors, batches: Sequence[tuple[list[list[int]], list[int]]]) -> None:
        """Fill rows of `vectors` from batches of (tokens, rows)."""

        def keep(outputs: Sequence[Any], rows: list[int]) -> None:
            vectors[rows] = outputs[0]

        self._engine.run([(self._inputs(tokens), rows) for tokens, rows in batches], keep)

    def _inputs(self, tokens: Sequence[Sequence[int]]) -> dict[str, Any]:
        width = max(map(_padded, tokens))
        ids = np.full((len(tokens), width), self._pad_id, dtype=np.int64)
        mask = np.zeros((len(tokens), width), dtype=np.int64)
        for row, text in enumerate(tokens):
            ids[row, : len(text)] = text
            mask[row, : len(text)] = 1
        return {"input_ids": ids, "attention_mask": mask}


def _padded(tokens: Sequence[int]) -> int:
    """How many tokens a text has with its padding."""
    return -(-len(tokens) // WIDTH) * WIDTH


def passages_a_second(folder: Path, compiled: Path, way: Way) -> float:
    """How many full passages a second the converted model in `folder` embeds in one way.

    The best of three tries, of fewer where they take more than a second: a busy machine must not be kept waiting.
    """
    embedder = OpenVinoEmbedder(folder, compiled, way=lambda _: way)
    count = BATCH * max(2, cores_granted())
    texts = [f"In year {number} the rain filled the river, and the town met. " * 12 for number in range(count)]
    embedder.embed(texts)  # compiles
    seconds: list[float] = []
    while len(seconds) < 3 and sum(seconds) < 1:
        begun = time.perf_counter()
        embedder.embed(texts)
        seconds.append(time.perf_counter() - begun)
    return count / min(seconds)


class OpenVinoReader:
    """The trained reader and verifier that lies in `folder`. Safe for several threads.

    It comes with the package, so that damage is mended by installing again. Its word vectors are those of the base
    model: `words` is that model's file of weights, of which only the rows that a text needs are read.
    """

    def __init__(self, folder: Path, words: Path, compiled: Path) -> None:
        try:
            card = json.loads((folder / "card.json").read_text("utf-8"))
            found = {name: sha256((folder / name).read_bytes()) for name in card["sha256"]}
            self._words = _word_vectors(words)
        except (OSError, ValueError, KeyError) as error:
            raise ModelDamaged(f"The reader's weights in {folder} cannot be read.", hint=INSTALL_AGAIN) from error
        if found != card["sha256"]:
            raise ModelDamaged(
                f"The reader's weights in {folder} are not those that its card names.", hint=INSTALL_AGAIN
            )
        self.digest: str = card["sha256"]["reader.bin"]
        self._tokenizer = _tokenizer(words.parent / "tokenizer.json")
        self._tokenizer.enable_truncation(READ_AT_MOST, strategy="longest_first")
        try:
            self._engine = Engine(folder / "reader.xml", compiled, "THROUGHPUT")
        except ModelDamaged as error:
            raise ModelDamaged(f"The reader in {folder} cannot be opened.", hint=INSTALL_AGAIN) from error

    def read(self, question: str, passages: Sequence[str]) -> list[Reading]:
        """What each passage's text says to the question, in the order of the passages."""
        encodings = self._tokenizer.encode_batch([(question, passage) for passage in passages])
        readings: list[Reading | None] = [None] * len(passages)

        def keep(outputs: Sequence[Any], rows: list[int]) -> None:
            for place, row in enumerate(rows):
                spans = best_spans(outputs[0][place], encodings[row])
                readings[row] = Reading(round(float(outputs[1][place]), 4), spans)

        self._run(encodings, keep)
        return [reading for reading in readings if reading is not None]

    def verify(self, pairs: Sequence[tuple[str, str]]) -> list[Support]:
        """For each (claim, evidence) the probabilities that the evidence states it, denies it, or says nothing."""
        encodings = self._tokenizer.encode_batch(list(pairs))
        verdicts = np.zeros((len(pairs), 3), dtype=np.float32)

        def keep(outputs: Sequence[Any], rows: list[int]) -> None:
            verdicts[rows] = outputs[2]

        self._run(encodings, keep)
        odds = np.exp(verdicts - verdicts.max(axis=1, keepdims=True))
        shares = np.round(odds / odds.sum(axis=1, keepdims=True), 6).astype(float)
        return [Support(*row) for row in shares.tolist()]

    def _run(self, encodings: Sequence[Encoding], keep: Callable[[Sequence[Any], list[int]], None]) -> None:
        order = sorted(range(len(encodings)), key=lambda i: (-len(encodings[i].ids), encodings[i].ids))
        batches = [order[start : start + READ_BATCH] for start in range(0, len(order), READ_BATCH)]
        self._engine.run([(self._inputs([encodings[i] for i in rows]), rows) for rows in batches], keep)

    def _inputs(self, encodings: Sequence[Encoding]) -> dict[str, Any]:
        width = max(_padded(encoding.ids) for encoding in encodings)
        ids, mask, types = np.zeros((3, len(encodings), width), dtype=np.int64)
        for row, encoding in enumerate(encodings):
            length = len(encoding.ids)
            ids[row, :length] = encoding.ids
            mask[row, :length] = 1
            types[row, :length] = encoding.type_ids
        return {"vectors": self._words[ids], "mask": mask, "types": types}


def best_spans(logits: NDArray[np.float32], encoding: Encoding) -> tuple[AnswerSpan, ...]:
    """The best spans of whole words of the second text, none overlapping another; the score is relative to no answer's.

    `logits` has a start and an end value a token; those of the first token stand for no answer (Devlin et al. 2019,
    "BERT", section 4.3).
    """
    length = len(encoding.ids)
    inside = np.flatnonzero(np.array(encoding.type_ids[: length - 1]) == 1)
    if not inside.size:
        return ()
    start, end = logits[inside, 0], logits[inside, 1]
    starts = np.argsort(-start, kind="stable")[:SPAN_ENDS]
    ends = np.argsort(-end, kind="stable")[:SPAN_ENDS]
    pairs = [(int(i), int(j)) for i in starts for j in ends if 0 <= j - i < SPAN_TOKENS]
    pairs.sort(key=lambda pair: (-float(start[pair[0]] + end[pair[1]]), pair))
    nothing = float(logits[0].sum())
    words = _words(encoding, inside)
    taken: list[tuple[int, int]] = []
    found: list[AnswerSpan] = []
    for i, j in pairs:
        begin, stop = words[i][0], words[j][1]
        if len(found) < SPANS and all(stop <= first or last <= begin for first, last in taken):
            taken.append((begin, stop))
            found.append(AnswerSpan(begin, stop, round(float(start[i] + end[j]) - nothing, 4)))
    return tuple(found)


def _words(encoding: Encoding, inside: NDArray[np.intp]) -> list[tuple[int, int]]:
    """The place in the text of the word that each token belongs to; "1,200" and "3.5" are one."""
    tokens = [(encoding.tokens[k], *encoding.offsets[k], encoding.word_ids[k]) for k in inside]
    words: list[list[int]] = []
    of: list[int] = []  # the word of each token
    for n, (token, begin, stop, word) in enumerate(tokens):
        before, after = tokens[n - 1] if n else None, tokens[n + 1] if n + 1 < len(tokens) else None
        joined = before is not None and before[2] == begin
        if joined and before and before[3] != word:
            if token in MARKS:
                joined = before[0][-1].isdigit() and after is not None and after[1] == stop and after[0][0].isdigit()
            else:
                joined = before[0] in MARKS and token[0].isdigit() and n > 1 and of[n - 1] == of[n - 2]
        if joined:
            words[-1][1] = stop
        else:
            words.append([begin, stop])
        of.append(len(words) - 1)
    return [(words[k][0], words[k][1]) for k in of]


_read: dict[bytes, Any] = {}  # tokenizers by the digest of their files
_read_lock = threading.Lock()


def _tokenizer(path: Path) -> Any:
    """A tokenizer that neither cuts nor pads; those of equal files share their vocabulary, 8 MB and 40 ms."""
    try:
        from tokenizers import Tokenizer
    except ModuleNotFoundError as missing:
        raise BackendMissing(f"Models need {missing.name}.", hint=f"pip install {missing.name}") from missing
    try:
        content = path.read_bytes()
        digest = hashlib.sha256(content).digest()
        with _read_lock:
            if digest not in _read:
                _read[digest] = Tokenizer.from_buffer(content)
    except Exception as error:  # the tokenizer's reader raises nothing more exact
        raise damaged(path.parent) from error
    read = _read[digest]
    made = Tokenizer(read.model)
    for part in ("normalizer", "pre_tokenizer", "post_processor", "decoder"):
        if (own := getattr(read, part)) is not None:
            setattr(made, part, own)
    for _, token in sorted(read.get_added_tokens_decoder().items()):  # each gets the next number
        (made.add_special_tokens if token.special else made.add_tokens)([token])
    return made


def _word_vectors(weights: Path) -> Vectors:
    """The word vectors in a safetensors file, mapped and not loaded: its header says where they lie."""
    with weights.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        place = json.loads(file.read(length))["embeddings.word_embeddings.weight"]
    begin, _ = place["data_offsets"]
    shape = tuple(place["shape"])
    vectors: Vectors = np.memmap(weights, dtype=np.float32, mode="r", offset=8 + length + begin, shape=shape)
    return vectors


def sha256(content: bytes) -> str:
    """The SHA-256 of some bytes, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()
