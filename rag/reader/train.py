"""`python -m rag.reader.train --data DIR --out DIR`: trains the reader and verifier; run again, it goes on.

The data are those that the model card names. Training is seeded, writes a checkpoint every few minutes and continues
from it. bfloat16 is used where the processor or a GPU computes in it.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch
from tokenizers import Encoding, Tokenizer
from torch.nn import functional

from rag.processor import computes_in_bf16
from rag.reader.claims import training_claims
from rag.reader.export import load
from rag.reader.network import LABELS, Network, batch_of, tokenizer
from rag.reader.readings import Example, training_examples

LONGEST = 224  # tokens of a pair in training
POOL = 64  # batches that are sorted by length together


@dataclass(frozen=True, slots=True)
class Item:
    """One encoded example: of a reading the tokens of the answer (0, 0 where there is none), or a claim's label."""

    encoding: Encoding
    start: int = 0
    end: int = 0
    label: int = -1


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, and leave `model.pt` in the output folder."""
    options = _options().parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    network = load(options.start_from) if options.start_from else Network()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network.to(device).train()
    batches = planned(items_of(options), options.tokens, options.seed)[: options.steps]
    _train(network, batches, device, options)
    torch.save(network.trained(), options.out / "model.pt")
    print(f"The trained network is in {options.out / 'model.pt'}")


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m rag.reader.train", description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with squad/, esnli/, taxinli/ and so on")
    parser.add_argument("--out", type=Path, required=True, help="folder for the checkpoint and the trained network")
    parser.add_argument("--answered", type=int, default=90_000, help="answerable questions at most")
    parser.add_argument("--unanswered", type=int, default=80_000, help="made unanswerable questions at most")
    parser.add_argument("--claims", type=int, default=40_000, help="made claims beside the public ones")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--tokens", type=int, default=3600, help="tokens in a batch")
    parser.add_argument("--steps", type=int, help="batches at most; the learning rate has fallen to nothing by then")
    parser.add_argument("--rate", type=float, default=1.5e-4, help="highest learning rate")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--save-every", type=int, default=200, metavar="STEPS")
    parser.add_argument("--start-from", type=Path, metavar="MODEL", help="a trained or exported network to begin from")
    return parser


def items_of(options: argparse.Namespace) -> list[Item]:
    """All examples, encoded, in an order drawn by chance; every epoch draws its examples anew."""
    encoder = tokenizer(LONGEST)
    items: list[Item] = []
    for epoch in range(options.epochs):
        seed = options.seed + epoch
        examples = training_examples(options.data, options.answered, options.unanswered, seed)
        claims = training_claims(options.data, options.claims, seed)
        print(f"epoch {epoch + 1}: {len(examples):,} readings, {len(claims):,} claims", flush=True)
        fresh = [*_readings(examples, encoder)]
        pairs = [(claim.claim, claim.evidence) for claim in claims]
        encoded = encoder.encode_batch(pairs)
        fresh += [Item(e, label=LABELS.index(c.label)) for e, c in zip(encoded, claims, strict=True)]
        Random(seed).shuffle(fresh)
        items += fresh
    return items


def _readings(examples: Sequence[Example], encoder: Tokenizer) -> list[Item]:
    encoded = encoder.encode_batch([(example.question, example.passage) for example in examples])
    items = []
    for example, encoding in zip(examples, encoded, strict=True):
        if example.start < 0:
            items.append(Item(encoding))
            continue
        first, last = encoding.char_to_token(example.start, 1), encoding.char_to_token(example.end - 1, 1)
        # An answer that was cut away makes no example.
        if first is not None and last is not None:
            items.append(Item(encoding, first, last))
    return items


def planned(items: Sequence[Item], tokens: int, seed: int) -> list[list[Item]]:
    """The batches in the order of training: of one task each, alike in length, at most `tokens` with the padding."""
    chance = Random(seed)
    batches: list[list[Item]] = []
    pool_size = POOL * tokens // 100
    for begin in range(0, len(items), pool_size):
        pool = sorted(items[begin : begin + pool_size], key=lambda item: (item.label >= 0, len(item.encoding.ids)))
        cut: list[list[Item]] = [[]]
        for item in pool:
            room = tokens // len(item.encoding.ids)
            if cut[-1] and (len(cut[-1]) >= room or (cut[-1][0].label >= 0) != (item.label >= 0)):
                cut.append([])
            cut[-1].append(item)
        chance.shuffle(cut)
        batches += cut
    return batches


def loss_of(network: Network, batch: Sequence[Item], device: str) -> torch.Tensor:
    """Mean loss of a batch: of readings start, end and answerable, of claims the verdict."""
    vectors, mask, types = batch_of([item.encoding for item in batch], network.words, device)
    with torch.autocast(device, dtype=torch.bfloat16, enabled=device == "cuda" or computes_in_bf16()):
        spans, answerable, verdict = network(vectors, mask, types)
    if batch[0].label >= 0:
        return functional.cross_entropy(verdict.float(), torch.tensor([item.label for item in batch], device=device))
    # The first token stands for "no answer"; of the others only the passage's may begin or end one.
    allowed = (types * mask).bool()
    allowed[:, 0] = True
    spans = spans.float().masked_fill(~allowed.unsqueeze(-1), -1e4)
    start = torch.tensor([item.start for item in batch], device=device)
    end = torch.tensor([item.end for item in batch], device=device)
    both = functional.cross_entropy(spans[..., 0], start) + functional.cross_entropy(spans[..., 1], end)
    return both / 2 + functional.binary_cross_entropy_with_logits(answerable.float(), (start > 0).float())


def _train(network: Network, batches: Sequence[Sequence[Item]], device: str, options: argparse.Namespace) -> None:
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=options.rate, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
    total, warm_up = len(batches), max(1, len(batches) * 6 // 100)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warm_up, max(0.0, (total - step) / (total - warm_up)))
    )
    checkpoint = options.out / "checkpoint.pt"
    done = 0
    if checkpoint.is_file():
        state = torch.load(checkpoint, map_location=device, weights_only=True)
        network.load_state_dict(state["network"], strict=False)
        optimizer.load_state_dict(state["optimizer"])
        schedule.load_state_dict(state["schedule"])
        done = state["done"]
        print(f"goes on from step {done:,} of {total:,}", flush=True)
    begun, first, running = time.perf_counter(), done, {True: math.nan, False: math.nan}
    for step in range(done, total):
        loss = loss_of(network, batches[step], device)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
        task = batches[step][0].label >= 0
        running[task] = loss.item() if math.isnan(running[task]) else 0.98 * running[task] + 0.02 * loss.item()
        if (step + 1) % 20 == 0:
            left = (time.perf_counter() - begun) / (step + 1 - first) * (total - step - 1)
            losses = f"reading {running[False]:.3f}, claims {running[True]:.3f}"
            _tell(f"step {step + 1:,} of {total:,}, {losses}, {left / 60:.0f} min left")
        if (step + 1) % options.save_every == 0 or step + 1 == total:
            parts = {"network": network.trained(), "optimizer": optimizer.state_dict(), "done": step + 1}
            draft = checkpoint.with_suffix(".part")
            torch.save({**parts, "schedule": schedule.state_dict()}, draft)
            draft.replace(checkpoint)


def _tell(line: str) -> None:
    print(f"\r{line}   " if sys.stdout.isatty() else line, end="" if sys.stdout.isatty() else "\n", flush=True)


if __name__ == "__main__":
    main()
