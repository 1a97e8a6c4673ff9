"""`python -m rag.reader.export MODEL.pt FOLDER`: a trained network to what the project ships.

With `--mix EARLIER` the average of the trained network and the one that its training began from is written.

Writes the network for OpenVINO with fp16 weights, without the word vectors, and `card.json` with their digests.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rag.reader.corpora import present
from rag.reader.network import WIDTH, Network, base_folder

FILES = ("reader.xml", "reader.bin")


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the folder."""
    parser = argparse.ArgumentParser(prog="python -m rag.reader.export", description=__doc__.split("\n")[0])
    parser.add_argument("model", type=Path, help="model.pt or checkpoint.pt of a training run")
    parser.add_argument("folder", type=Path, help="where reader.xml, reader.bin and card.json go")
    parser.add_argument("--mix", type=Path, metavar="EARLIER", help="the network that the training began from")
    parser.add_argument("--share", type=float, default=0.6, help="of the trained network in the mix, 0 to 1")
    options = parser.parse_args(arguments)
    if not 0 <= options.share <= 1:
        parser.error(f"--share takes a number from 0 to 1, not {options.share}")
    network = load(options.model)
    if options.mix is not None:
        network = mixed(load(options.mix), network, options.share)
    options.folder.mkdir(parents=True, exist_ok=True)
    export(network, options.folder)
    size = sum((options.folder / name).stat().st_size for name in FILES)
    print(f"{options.folder}: {size / 1e6:.1f} MB")


def load(path: Path) -> Network:
    """A network with the trained parameters of a model, of a checkpoint, or of a folder that `export` wrote."""
    present(path, "name the model.pt or checkpoint.pt of a training run, or a folder that was exported.")
    network = Network()
    state: Mapping[str, Any]
    if path.is_dir():
        card = json.loads((path / "card.json").read_text("utf-8"))
        constants, shapes = _constants(path), network.trained()
        state = {
            name: torch.from_numpy(constants[constant].astype(np.float32)).reshape(shapes[name].shape)
            for name, constant in card["parameters"].items()
        }
    else:
        state = torch.load(path, map_location="cpu", weights_only=True)
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


def export(network: Network, folder: Path) -> None:
    """Write `reader.xml`, `reader.bin` and `card.json`: their SHA-256, and the constant that each parameter became."""
    # OpenVINO's converter reports its use over the network when it finds this package; None makes it "not installed".
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    import openvino
    from openvino.tools.ovc import convert_model

    example = {
        "vectors": torch.zeros(2, 12, WIDTH),
        "mask": torch.ones(2, 12, dtype=torch.long),
        "types": torch.zeros(2, 12, dtype=torch.long),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing warns of every Python branch; the parity test watches the result
        converted = convert_model(network, example_input=example)
    openvino.save_model(converted, folder / "reader.xml", compress_to_fp16=True)
    constants = _constants(folder)
    parameters = {}
    for name, value in network.trained().items():
        # The converter keeps the names of some parameters only, but the values of all.
        written = value.numpy().astype(np.float16).ravel()
        same = [c for c, array in constants.items() if array.size == written.size and (array.ravel() == written).all()]
        if not same:
            raise SystemExit(f"The converted network lacks {name}.")
        parameters[name] = same[0]
    words = hashlib.sha256((base_folder() / "model.safetensors").read_bytes()).hexdigest()
    digests = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in FILES}
    card = {"sha256": digests, "word_vectors": {"sha256": words}, "parameters": parameters}
    (folder / "card.json").write_text(json.dumps(card, indent=1) + "\n", "utf-8")


def _constants(folder: Path) -> dict[str, np.ndarray]:
    """The floating-point constants of an exported network by name, as fp16."""
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    import openvino

    found = openvino.Core().read_model(folder / "reader.xml").get_ops()
    constants = [node for node in found if node.get_type_name() == "Constant"]
    with np.errstate(over="ignore"):  # what masks is the largest of all numbers, and no parameter
        return {
            node.get_friendly_name(): node.get_data().astype(np.float16)
            for node in constants
            if node.get_output_element_type(0).get_type_name() in ("f16", "f32")
        }


if __name__ == "__main__":
    main()
