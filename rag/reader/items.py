"""Encoded examples as arrays: made once for a training, kept beside its checkpoint, cut into batches of like length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import numpy as np
import torch

from rag.reader.claims import training_claims
from rag.reader.corpora import Claim
from rag.reader.network import LABELS, tokenizer
from rag.reader.readings import Example, training_examples

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from tokenizers import Encoding

POOL = 64  # batches that are sorted by length together


@dataclass(frozen=True, slots=True, eq=False)
class Items:
    """Examples one behind the other: `tokens[begins[i]:begins[i + 1]]` are the tokens of the `i`-th."""

    tokens: NDArray[np.uint16]
    begins: NDArray[np.int64]
    second: NDArray[np.int32]
    """The place in an example where the passage or the evidence begins."""
    start: NDArray[np.int32]
    """The first and the last token of the answer; both 0 where there is none, and in claims."""
    end: NDArray[np.int32]
    label: NDArray[np.int8]
    """The place of a claim's verdict in `LABELS`; -1 in readings."""

    def __len__(self) -> int:
        return len(self.label)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """How many tokens each example has."""
        return np.diff(self.begins)

    def save(self, path: Path) -> None:
        """Write the arrays to one file, whole or not at all."""
        draft = path.with_suffix(".part")
        with draft.open("wb") as file:
            np.savez(file, **{field.name: getattr(self, field.name) for field in fields(self)})
        draft.replace(path)

    @classmethod
    def load(cls, path: Path) -> Items:
        """The arrays that `save` wrote."""
        with np.load(path) as arrays:
            return cls(**{field.name: arrays[field.name] for field in fields(cls)})

    def batch(self, rows: Sequence[int], device: str) -> Batch:
        """Some of the examples, padded to the longest of them."""
        longest = int(self.lengths[rows].max())
        places = np.arange(longest)
        inside = places < self.lengths[rows][:, None]
        ids = np.where(inside, self.tokens[np.minimum(self.begins[rows][:, None] + places, len(self.tokens) - 1)], 0)
        types = inside & (places >= self.second[rows][:, None])
        arrays = (ids, inside, types, self.start[rows], self.end[rows], self.label[rows])
        tensors = (torch.from_numpy(array.astype(np.int64)).to(device) for array in arrays)
        return Batch(bool(self.label[rows[0]] >= 0), *tensors)


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Examples of one task as tensors: tokens, mask and types of shape (batch, tokens), the rest of shape (batch)."""

    of_claims: bool
    ids: torch.Tensor
    mask: torch.Tensor
    types: torch.Tensor
    start: torch.Tensor
    end: torch.Tensor
    label: torch.Tensor


def encoded(examples: Sequence[Example], claims: Sequence[Claim], longest: int) -> Items:
    """The examples and behind them the claims, cut to `longest` tokens; an answer that was cut away makes no item."""
    encoder = tokenizer(longest)
    rows: list[tuple[Encoding, int, int, int]] = []
    readings = encoder.encode_batch([(example.question, example.passage) for example in examples])
    for example, encoding in zip(examples, readings, strict=True):
        first = encoding.char_to_token(example.start, 1) if example.start >= 0 else 0
        last = encoding.char_to_token(example.end - 1, 1) if example.start >= 0 else 0
        if first is not None and last is not None:
            rows.append((encoding, first, last, -1))
    pairs = encoder.encode_batch([(claim.claim, claim.evidence) for claim in claims])
    rows += [(encoding, 0, 0, LABELS.index(claim.label)) for encoding, claim in zip(pairs, claims, strict=True)]
    return Items(
        tokens=np.concatenate([np.array(row[0].ids, dtype=np.uint16) for row in rows]),
        begins=np.cumsum([0, *(len(row[0].ids) for row in rows)], dtype=np.int64),
        second=np.array([row[0].type_ids.index(1) for row in rows], dtype=np.int32),
        start=np.array([row[1] for row in rows], dtype=np.int32),
        end=np.array([row[2] for row in rows], dtype=np.int32),
        label=np.array([row[3] for row in rows], dtype=np.int8),
    )


def drawn(data: Path, answered: int, unanswered: int, claims: int, longest: int, seed: int) -> Items:
    """The examples of one pass, drawn by chance."""
    readings = training_examples(data, answered, unanswered, seed)
    return encoded(readings, training_claims(data, claims, seed), longest)


def joined(parts: Sequence[Items]) -> Items:
    """Several passes as one, in their order."""
    arrays = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _PER_EXAMPLE}
    lengths = np.concatenate([part.lengths for part in parts])
    return Items(begins=np.concatenate([[0], np.cumsum(lengths)]), **arrays)


_PER_EXAMPLE = tuple(field.name for field in fields(Items) if field.name != "begins")


def planned(items: Items, passes: Sequence[int], tokens: int, seed: int) -> list[list[int]]:
    """The batches in the order of training: of one task each, alike in length, at most `tokens` with the padding.

    `passes` are the numbers of examples of one pass after the other: each is trained on before the next begins.
    """
    chance = Random(seed)
    batches: list[list[int]] = []
    pool_size = POOL * tokens // 100
    lengths, claims = items.lengths.tolist(), (items.label >= 0).tolist()
    first = 0
    for size in passes:
        order = list(range(first, first + size))
        chance.shuffle(order)
        first += size
        for begin in range(0, size, pool_size):
            cut = _cut(sorted(order[begin : begin + pool_size], key=lambda i: (claims[i], lengths[i])), items, tokens)
            chance.shuffle(cut)
            batches += cut
    return batches


def _cut(pool: Sequence[int], items: Items, tokens: int) -> list[list[int]]:
    cut: list[list[int]] = []
    for i in pool:
        room = tokens // int(items.begins[i + 1] - items.begins[i])
        if not cut or len(cut[-1]) >= room or (items.label[cut[-1][0]] >= 0) != (items.label[i] >= 0):
            cut.append([])
        cut[-1].append(i)
    return cut
