"""`python -m rag.reader.train --data DIR --out DIR`: trains the reader and verifier; run again, it goes on.

The data are those that the model card names. Training is seeded, writes a checkpoint every few minutes and continues
from it. bfloat16 is used where the processor or a GPU computes in it. With `--teachers` the network also learns what
other trained networks say of each example (Hinton et al. 2015, "Distilling the knowledge in a neural network").
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from rag.processor import computes_in_bf16
from rag.reader.export import load
from rag.reader.items import Batch, Items, drawn, joined, planned
from rag.reader.network import Network

LONGEST = 224  # tokens of a pair in training
WARM_UP = 0.06  # of the run: the learning rate rises
DRAWN_BY = ("answered", "unanswered", "claims", "longest", "seed", "epochs")  # the options that the examples depend on
NOWHERE = -1e4  # the logit of a token that may not begin or end an answer


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, and leave `model.pt` in the output folder."""
    options = _options().parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network = load(options.start_from) if options.start_from else Network()
    for module in network.bert.modules():
        if isinstance(module, nn.Dropout):
            module.p = options.dropout
    items, passes = items_of(options)
    batches = planned(items, passes, options.tokens, options.seed)[: options.steps]
    teachers = [load(path).to(device) for path in options.teachers]
    Training(network.to(device).train(), teachers, device, options).run(items, batches)
    torch.save(network.trained(), options.out / "model.pt")
    print(f"The trained network is in {options.out / 'model.pt'}")


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m rag.reader.train", description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with squad/, esnli/, taxinli/ and so on")
    parser.add_argument("--out", type=Path, required=True, help="folder for the checkpoint and the trained network")
    parser.add_argument("--answered", type=int, default=90_000, help="answerable questions at most")
    parser.add_argument("--unanswered", type=int, default=80_000, help="made unanswerable questions at most")
    parser.add_argument("--claims", type=int, default=40_000, help="made claims beside the public ones")
    parser.add_argument("--epochs", type=int, default=1, help="passes, each over examples drawn anew")
    parser.add_argument("--longest", type=int, default=LONGEST, help="tokens of a question and passage at most")
    parser.add_argument("--tokens", type=int, default=3600, help="tokens in a batch")
    parser.add_argument("--steps", type=int, help="batches at most; the learning rate has fallen to nothing by then")
    parser.add_argument("--minutes", type=float, default=math.inf, help="the same for time")
    parser.add_argument("--rate", type=float, default=1.5e-4, help="highest learning rate")
    parser.add_argument("--dropout", type=float, default=0.0, help="share dropped; slow on a CPU")
    parser.add_argument("--teachers", type=Path, nargs="*", default=[], metavar="MODEL", help="networks to learn from")
    parser.add_argument("--taught", type=float, default=0.5, help="the teachers' share in the loss, 0 to 1")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--compile", action="store_true", help="compile first: faster on a CPU, takes a C++ compiler")
    parser.add_argument("--save-every", type=int, default=200, metavar="STEPS")
    parser.add_argument("--start-from", type=Path, metavar="MODEL", help="a trained or exported network to begin from")
    return parser


def items_of(options: argparse.Namespace) -> tuple[Items, list[int]]:
    """All examples, encoded, and how many each pass has; drawn once and kept in the output folder."""
    file, card = options.out / "items.npz", options.out / "items.json"
    drawn_by = {name: getattr(options, name) for name in DRAWN_BY}
    kept = json.loads(card.read_text("utf-8")) if card.is_file() else {}
    if kept.get("drawn_by") == drawn_by:
        return Items.load(file), kept["passes"]
    parts = []
    for epoch in range(options.epochs):
        numbers = (options.answered, options.unanswered, options.claims, options.longest)
        parts.append(drawn(options.data, *numbers, options.seed + epoch))
        claims = int((parts[-1].label >= 0).sum())
        print(f"pass {epoch + 1}: {len(parts[-1]) - claims:,} readings, {claims:,} claims", flush=True)
    items, passes = joined(parts), [len(part) for part in parts]
    card.unlink(missing_ok=True)
    items.save(file)
    card.write_text(json.dumps({"drawn_by": drawn_by, "passes": passes}), "utf-8")
    return items, passes


class Training:
    """One network being trained, on its own or with teachers."""

    def __init__(self, network: Network, teachers: Sequence[Network], device: str, options: argparse.Namespace) -> None:
        self._network = network
        self._computed = torch.compile(network, dynamic=True) if options.compile else network
        self._teachers = teachers
        self._device = device
        self._options = options
        self._trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
        self._optimizer = torch.optim.AdamW(
            self._trained, lr=options.rate, betas=(0.9, 0.98), weight_decay=0.01, fused=True
        )
        self._done = 0
        self._seconds = 0.0

    def run(self, items: Items, batches: Sequence[Sequence[int]]) -> None:
        """Train on the batches in their order, from the checkpoint on where there is one."""
        self._go_on(len(batches))
        begun, before, first = time.monotonic(), self._seconds, self._done
        losses: dict[bool, torch.Tensor] = {}
        for step in range(first, len(batches)):
            progress = max(step / len(batches), self._seconds / 60 / self._options.minutes)
            if progress >= 1:
                break
            batch = items.batch(batches[step], self._device)
            loss = self._step(batch, progress)
            losses[batch.of_claims] = torch.lerp(losses.get(batch.of_claims, loss), loss, 0.02)
            self._done, self._seconds = step + 1, before + time.monotonic() - begun
            if self._done % 20 == 0:
                _tell(self._done, len(batches), losses, (time.monotonic() - begun) * (1 / max(progress, 1e-3) - 1))
            if self._done % self._options.save_every == 0:
                self._save()
        self._save()

    def _step(self, batch: Batch, progress: float) -> torch.Tensor:
        rate = self._options.rate * min((progress + 1e-4) / WARM_UP, (1 - progress) / (1 - WARM_UP))
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        loss = self._loss(batch)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(self._trained, 1.0)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        return loss.detach()

    def _loss(self, batch: Batch) -> torch.Tensor:
        told = self._logits(self._computed, batch)
        loss = loss_of(told, batch)
        if not self._teachers:
            return loss
        with torch.no_grad():
            said = [self._logits(teacher, batch) for teacher in self._teachers]
        share = self._options.taught
        return torch.lerp(loss, taught_loss(told, said, batch), share)

    def _logits(self, network: Callable[..., Logits], batch: Batch) -> Logits:
        gpu = self._device == "cuda"
        with torch.autocast(self._device, dtype=torch.bfloat16, enabled=gpu or computes_in_bf16()):
            vectors = self._network.words(batch.ids)  # the same for all networks
            spans, answerable, verdict = network(vectors, batch.mask, batch.types)
        return possible(spans.float(), batch), answerable.float(), verdict.float()

    def _go_on(self, steps: int) -> None:
        checkpoint = self._options.out / "checkpoint.pt"
        if checkpoint.is_file():
            state: Any = torch.load(checkpoint, map_location=self._device, weights_only=True)
            self._network.load_state_dict(state["network"], strict=False)
            self._optimizer.load_state_dict(state["optimizer"])
            self._done, self._seconds = state["done"], state["seconds"]
            print(f"goes on from step {self._done:,} of {steps:,}", flush=True)

    def _save(self) -> None:
        checkpoint = self._options.out / "checkpoint.pt"
        state = {"network": self._network.trained(), "optimizer": self._optimizer.state_dict()}
        draft = checkpoint.with_suffix(".part")
        torch.save({**state, "done": self._done, "seconds": self._seconds}, draft)
        draft.replace(checkpoint)


Logits = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Of a batch: start and end of every token (batch, tokens, 2), answerable (batch), verdicts (batch, 3)."""


def possible(spans: torch.Tensor, batch: Batch) -> torch.Tensor:
    """The logits of starts and ends, those of the question's tokens lowered; the first token stands for "no answer"."""
    allowed = (batch.types * batch.mask).bool()
    allowed[:, 0] = True
    return spans.masked_fill(~allowed.unsqueeze(-1), NOWHERE)


def loss_of(told: Logits, batch: Batch) -> torch.Tensor:
    """Mean loss of a batch: of readings start, end and answerable, of claims the verdict."""
    spans, answerable, verdict = told
    if batch.of_claims:
        return functional.cross_entropy(verdict, batch.label)
    both = functional.cross_entropy(spans[..., 0], batch.start) + functional.cross_entropy(spans[..., 1], batch.end)
    return both / 2 + functional.binary_cross_entropy_with_logits(answerable, (batch.start > 0).float())


def taught_loss(told: Logits, said: Sequence[Logits], batch: Batch) -> torch.Tensor:
    """The same loss against the mean of what the teachers hold likely, in place of the one right answer."""
    spans, answerable, verdict = told
    if batch.of_claims:
        return functional.cross_entropy(verdict, _mean([torch.softmax(other[2], -1) for other in said]))
    held = _mean([torch.softmax(other[0], 1) for other in said])
    both = -(held * torch.log_softmax(spans, 1)).sum(1).mean(0).sum()
    likely = _mean([torch.sigmoid(other[1]) for other in said])
    return both / 2 + functional.binary_cross_entropy_with_logits(answerable, likely)


def _mean(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    return torch.stack(list(tensors)).mean(0)


def _tell(done: int, steps: int, losses: dict[bool, torch.Tensor], left: float) -> None:
    said = ", ".join(
        f"{name} {losses[task]:.3f}" for task, name in ((False, "reading"), (True, "claims")) if task in losses
    )
    line = f"step {done:,} of {steps:,}, {said}, {left / 60:.1f} min left"
    print(f"\r{line}   " if sys.stdout.isatty() else line, end="" if sys.stdout.isatty() else "\n", flush=True)


if __name__ == "__main__":
    main()
