"""`python -m rag.reader.export MODEL FOLDER --data DIR`: a trained network to what the project ships.

Writes `FOLDER/weights/`: the network for OpenVINO with 8-bit weights and activations, without the word vectors, and
`card.json` with the digests; and `FOLDER/trained.safetensors`, which training goes on from and which is not installed.
With `--mix EARLIER` it is the average of the trained network and the one that its training began from.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Encoding

from rag.reader.claims import training_claims
from rag.reader.corpora import present
from rag.reader.network import WIDTH, Network, base_folder, batch_of, tokenizer
from rag.reader.readings import training_examples

FILES = ("reader.xml", "reader.bin")
TRAINED = "trained.safetensors"
LONGEST = 384  # tokens of a pair that shows the ranges of the activations
SHOWN = (400, 200)  # readings and claims of them
SHARE = 0.6


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the folder."""
    parser = argparse.ArgumentParser(prog="python -m rag.reader.export", description=__doc__.split("\n")[0])
    parser.add_argument("model", type=Path, help="model.pt or checkpoint.pt of a training run, or a folder exported to")
    parser.add_argument("folder", type=Path, help=f"where weights/ and {TRAINED} go")
    parser.add_argument("--data", type=Path, required=True, help="folder with squad/, esnli/, taxinli/ and so on")
    parser.add_argument("--mix", type=Path, metavar="EARLIER", help="the network that the training began from")
    parser.add_argument("--share", type=float, help=f"of the trained network in the mix, 0 to 1 (default {SHARE})")
    options = parser.parse_args(arguments)
    if options.share is not None and options.mix is None:
        parser.error("--share says how much of a mix is trained: name the other network with --mix")
    share = SHARE if options.share is None else options.share
    if not 0 <= share <= 1:
        parser.error(f"--share takes a number from 0 to 1, not {share}")
    network = load(options.model)
    if options.mix is not None:
        network = mixed(load(options.mix), network, share)
    export(network, options.folder, shown_pairs(options.data))
    size = sum((options.folder / "weights" / name).stat().st_size for name in FILES)
    print(f"{options.folder / 'weights'}: {size / 1e6:.1f} MB")


def load(path: Path) -> Network:
    """A network with the trained parameters of a model, of a checkpoint, or of a folder that `export` wrote."""
    file = path / TRAINED if path.is_dir() else path
    present(file, "name the model.pt or checkpoint.pt of a training run, or a folder that was exported to.")
    state: Mapping[str, Any] = (
        load_file(file) if file.suffix == ".safetensors" else torch.load(file, map_location="cpu", weights_only=True)
    )
    network = Network()
    network.load_state_dict(state.get("network", state), strict=False)
    return network.eval()


def mixed(earlier: Network, trained: Network, share: float) -> Network:
    """The trained network with each parameter moved back towards the one that its training began from.

    Such a mix does better on texts unlike the training's (Wortsman et al. 2022, "Robust fine-tuning of zero-shot
    models", section 3); `share` is that of the trained one, from 0 to 1.
    """
    before = earlier.trained()
    state = {name: before[name] * (1 - share) + value * share for name, value in trained.trained().items()}
    trained.load_state_dict(state, strict=False)
    return trained


def shown_pairs(data: Path, seed: int = 5) -> list[tuple[str, str]]:
    """Pairs of texts from the training data, questions and claims, that show how far activations range."""
    readings, claims = SHOWN
    examples = training_examples(data, readings, readings, seed)[:readings]
    pairs = [(example.question, example.passage) for example in examples]
    pairs += [(claim.claim, claim.evidence) for claim in training_claims(data, claims, seed)[:claims]]
    Random(seed).shuffle(pairs)
    return pairs


def export(network: Network, folder: Path, shown: Sequence[tuple[str, str]]) -> None:
    """Write the folder; `shown` are pairs of texts from whose activations the 8-bit ranges are taken."""
    weights = folder / "weights"
    weights.mkdir(parents=True, exist_ok=True)
    half = {name: value.half().contiguous() for name, value in network.trained().items()}
    save_file(half, folder / TRAINED)
    openvino = _openvino()
    quantised = _quantised(_converted(network), [*_inputs(network, shown)])
    openvino.save_model(quantised, weights / "reader.xml", compress_to_fp16=True)
    words = hashlib.sha256((base_folder() / "model.safetensors").read_bytes()).hexdigest()
    digests = {name: hashlib.sha256((weights / name).read_bytes()).hexdigest() for name in FILES}
    card = {"sha256": digests, "word_vectors": {"sha256": words}}
    (weights / "card.json").write_text(json.dumps(card, indent=1) + "\n", "utf-8")


def _converted(network: Network) -> Any:
    """The network as OpenVINO's, float32."""
    from openvino.tools.ovc import convert_model

    example = {
        "vectors": torch.zeros(2, 12, WIDTH),
        "mask": torch.ones(2, 12, dtype=torch.long),
        "types": torch.zeros(2, 12, dtype=torch.long),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing warns of every Python branch; the parity test watches the result
        return convert_model(network, example_input=example)


def _quantised(model: Any, shown: list[dict[str, np.ndarray]]) -> Any:
    """The model in 8 bits (NNCF's post-training quantisation with SmoothQuant, Xiao et al. 2023).

    The weights use half their range: processors without VNNI add 8-bit products up in 16 bits, which else overflow.
    """
    import nncf

    return nncf.quantize(
        model,
        nncf.Dataset(shown),
        model_type=nncf.ModelType.TRANSFORMER,
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(shown),
        advanced_parameters=nncf.AdvancedQuantizationParameters(overflow_fix=nncf.OverflowFix.ENABLE),
    )


def _inputs(network: Network, shown: Sequence[tuple[str, str]]) -> Iterator[dict[str, np.ndarray]]:
    encodings: list[Encoding] = tokenizer(LONGEST).encode_batch(list(shown))
    for encoding in encodings:
        vectors, mask, types = (part.numpy() for part in batch_of([encoding], network.words, "cpu"))
        yield {"vectors": vectors, "mask": mask, "types": types}


def _openvino() -> Any:
    # OpenVINO and NNCF report their use over the network when they find this package; None makes it "not installed".
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    import openvino

    return openvino


if __name__ == "__main__":
    main()
