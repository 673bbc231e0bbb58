"""Models of nnU-Net: a folder as its training writes it, changed anywhere, read and imported."""

from __future__ import annotations

import io
import json
import random
import zipfile
from pathlib import Path
from typing import Any

from benchmarks.fuzzing.kind import Kind
from benchmarks.fuzzing.values import changed_bytes, changed_json

__all__ = ["KINDS"]

_PLANS: dict[str, Any] = {
    "dataset_name": "Dataset007_cord",
    "transpose_forward": [0, 1, 2],
    "configurations": {
        "2d": {
            "patch_size": [32, 48],
            "spacing": [1.0, 1.0],
            "normalization_schemes": ["RescaleTo01Normalization"],
            "use_mask_for_norm": [False],
            "architecture": {
                "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
                "arch_kwargs": {
                    "n_stages": 2,
                    "features_per_stage": [2, 4],
                    "conv_op": "torch.nn.modules.conv.Conv2d",
                    "kernel_sizes": [[3, 3], [3, 3]],
                    "strides": [[1, 1], [2, 2]],
                    "n_conv_per_stage": [1, 1],
                    "n_conv_per_stage_decoder": [1],
                    "conv_bias": True,
                    "norm_op": "torch.nn.modules.instancenorm.InstanceNorm2d",
                    "norm_op_kwargs": {"eps": 1e-05, "affine": True},
                    "dropout_op": None,
                    "dropout_op_kwargs": None,
                    "nonlin": "torch.nn.LeakyReLU",
                    "nonlin_kwargs": {"inplace": True},
                },
                "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
            },
        }
    },
}
_DATASET: dict[str, Any] = {
    "channel_names": {"0": "rescale_to_0_1"},
    "labels": {"background": 0, "myelin": 1, "axon": 2, "uaxon": 3},
    "file_ending": ".png",
}
_CHECKPOINT = "model/fold_0/checkpoint_final.pth"


def _make(folder: Path) -> None:
    """Write a model of two folds."""
    import numpy as np
    import torch

    from axonflow.net.nnunet.networks import build
    from axonflow.net.nnunet.plans import plan_of

    torch.manual_seed(0)
    torch.set_num_threads(1)
    (folder / "model").mkdir()
    (folder / "model" / "plans.json").write_text(json.dumps(_PLANS))
    (folder / "model" / "dataset.json").write_text(json.dumps(_DATASET))
    for fold in ("0", "1"):
        (folder / "model" / f"fold_{fold}").mkdir()
        content = {
            "network_weights": build(plan_of(_PLANS, _DATASET, "2d", ("0",)).layers, 1, 4).state_dict(),
            "logging": {"lrs": [0.01], "ema_fg_dice": [np.float64(0.5)]},
            "init_args": {"configuration": "2d", "fold": fold},
            "trainer_name": "nnUNetTrainer",
            "inference_allowed_mirroring_axes": (0, 1),
        }
        torch.save(content, folder / "model" / f"fold_{fold}" / "checkpoint_final.pth")


def _change(chance: random.Random, folder: Path) -> None:
    """Change one of its files, or an archive of it."""
    match chance.randrange(8):
        case 0 | 1 | 2:
            (folder / "model" / "plans.json").write_bytes(changed_json(chance, _copy(_PLANS)))
        case 3:
            (folder / "model" / "dataset.json").write_bytes(changed_json(chance, _copy(_DATASET)))
        case 4:
            path = folder / _CHECKPOINT
            path.write_bytes(changed_bytes(chance, path.read_bytes()))
        case 5 | 6:
            path = folder / _CHECKPOINT
            path.write_bytes(_changed_pickle(chance, path.read_bytes()))
        case _:
            _pack(folder)
            path = folder / "model.zip"
            path.write_bytes(changed_bytes(chance, path.read_bytes()))


def _use(_chance: random.Random, folder: Path) -> None:
    """Import it, and load its networks."""
    from axonflow.net.checkpoint import Checkpoint
    from axonflow.net.nnunet.imported import import_model

    archive = folder / "model.zip"
    found = Checkpoint.find(import_model(archive if archive.exists() else folder / "model", folder / "own", "own"))
    json.dumps(found.contract)
    found.networks()


def _copy(content: dict[str, Any]) -> Any:
    return json.loads(json.dumps(content))


def _changed_pickle(chance: random.Random, content: bytes) -> bytes:
    """Change what a checkpoint says of its tensors, in an archive whose sums are right."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(out, "w") as sink:
        for info in source.infolist():
            member = source.read(info)
            if info.filename.endswith(".pkl") or chance.random() < 0.05:
                member = changed_bytes(chance, member)
            sink.writestr(info.filename, member)
    return out.getvalue()


def _pack(folder: Path) -> None:
    with zipfile.ZipFile(folder / "model.zip", "w") as sink:
        for path in sorted((folder / "model").rglob("*")):
            sink.write(path, path.relative_to(folder))


KINDS = (Kind("nnU-Net", 6, _make, _change, _use),)
