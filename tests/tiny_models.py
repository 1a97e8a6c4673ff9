"""Tiny language models with random weights, made on the spot: what they say is noise, but they are real."""

from __future__ import annotations

from pathlib import Path

import numpy as np

WIDTH, LAYERS, HEADS, INNER, WINDOW = 64, 2, 4, 128, 1024
TEMPLATE = "{% for message in messages %}[{{ message.role }}] {{ message.content }}\n{% endfor %}[assistant]"
WORDS = "the a of in is was who what founded company money Acme Jane Doe Ada 1998 2025 million said by".split()


def write_gguf(path: Path, window: int = WINDOW) -> Path:
    """A llama of some hundred thousand parameters, with bytes, letters and a few words as its vocabulary."""
    import gguf

    writer = gguf.GGUFWriter(path, "llama")
    tokens, types = _vocabulary(gguf)
    writer.add_name("tiny")
    writer.add_context_length(window)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([-float(place) for place in range(len(tokens))])
    writer.add_token_types(types)
    writer.add_chat_template(TEMPLATE)
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    for name, array in _weights(len(tokens)).items():
        writer.add_tensor(name, array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _vocabulary(gguf: object) -> tuple[list[str], list[int]]:
    kinds = gguf.TokenType  # type: ignore[attr-defined]
    special = ["<unk>", "<s>", "</s>"]
    bytes_ = [f"<0x{value:02X}>" for value in range(256)]
    plain = [f"▁{word}" for word in WORDS] + [chr(code) for code in range(33, 127)] + ["▁"]
    types = [kinds.UNKNOWN, kinds.CONTROL, kinds.CONTROL, *[kinds.BYTE] * 256, *[kinds.NORMAL] * len(plain)]
    return special + bytes_ + plain, [int(kind) for kind in types]


def _weights(vocabulary: int) -> dict[str, np.ndarray]:
    chance = np.random.default_rng(7)

    def random(*shape: int) -> np.ndarray:
        return (chance.standard_normal(shape) * 0.1).astype(np.float32)

    ones = np.ones(WIDTH, np.float32)
    output = random(vocabulary, WIDTH)
    output[:259] = 0  # never the end, never a bare byte: the reply is text and runs to its limit
    weights = {"token_embd.weight": random(vocabulary, WIDTH), "output_norm.weight": ones, "output.weight": output}
    for layer in range(LAYERS):
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            weights[f"blk.{layer}.{name}.weight"] = random(WIDTH, WIDTH)
        weights[f"blk.{layer}.ffn_gate.weight"] = random(INNER, WIDTH)
        weights[f"blk.{layer}.ffn_up.weight"] = random(INNER, WIDTH)
        weights[f"blk.{layer}.ffn_down.weight"] = random(WIDTH, INNER)
        weights[f"blk.{layer}.attn_norm.weight"] = ones
        weights[f"blk.{layer}.ffn_norm.weight"] = ones
    return weights


def write_transformers(folder: Path, window: int = WINDOW) -> Path:
    """The same kind of model in transformers' form, with a tokenizer that knows letters and a few words."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: place for place, token in enumerate(["<unk>", "<s>", "</s>", *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    torch.manual_seed(7)
    config = LlamaConfig(
        vocab_size=len(vocabulary), hidden_size=WIDTH, intermediate_size=INNER, num_hidden_layers=LAYERS,
        num_attention_heads=HEADS, max_position_embeddings=window, bos_token_id=1, eos_token_id=2, pad_token_id=0,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    special = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<unk>"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, chat_template=TEMPLATE, **special).save_pretrained(folder)
    return folder
