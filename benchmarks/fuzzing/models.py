"""Models: the contract, which is JSON, and the weights, which are safetensors."""

from __future__ import annotations

import json
import random
from pathlib import Path

from axonflow.kernel.units import PixelSize
from benchmarks.fuzzing.containers import changed_safetensors, with_digest
from benchmarks.fuzzing.kind import Kind, replaced
from benchmarks.fuzzing.values import changed_json

__all__ = ["KINDS"]


def _make_model(folder: Path) -> None:
    import torch

    from axonflow.net.architecture import TEM
    from axonflow.net.checkpoint import Checkpoint
    from axonflow.net.unet import UNet

    torch.manual_seed(0)
    torch.set_num_threads(1)
    Checkpoint(
        "own", "tem", 0.1, False, 64, 25, 0.0, "", {"data": "x", "subjects": ["a"]}, {"confidence": (0.5, 1.0)}
    ).save(UNet(TEM), folder)


def _change_contract(chance: random.Random, folder: Path) -> None:
    path = folder / "own.json"
    document = json.loads(path.read_bytes())
    document |= chance.choice(({}, {"working_um": [0.1, 0.2], "slides_um": [0.05, 0.5]}))
    replaced(chance, path, lambda: changed_json(chance, document))


def _use_contract(_chance: random.Random, folder: Path) -> None:
    from axonflow.net.checkpoint import Checkpoint

    checkpoint = Checkpoint.find(folder / "own.json")
    checkpoint.working_size(PixelSize(0.1, 0.1))
    json.dumps(checkpoint.contract)


def _change_weights(chance: random.Random, folder: Path) -> None:
    weights, contract = folder / "own.safetensors", folder / "own.json"
    changed = changed_safetensors(chance, weights.read_bytes())
    contract.write_bytes(with_digest(json.loads(contract.read_bytes()), changed))
    replaced(chance, weights, lambda: changed)


def _use_weights(_chance: random.Random, folder: Path) -> None:
    from axonflow.net.checkpoint import Checkpoint

    Checkpoint.find(folder / "own.json").network()


KINDS = (
    Kind("contracts", 9, _make_model, _change_contract, _use_contract),
    Kind("weights", 3, _make_model, _change_weights, _use_weights),
)
