"""Folders such as nnU-Net writes, made without it: of a small network that nobody trained."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from axonflow.net.nnunet.networks import build
from axonflow.net.nnunet.plan import Layers

LAYERS = Layers(
    residual=False,
    features=(4, 8),
    kernels=((3, 3), (3, 3)),
    strides=((1, 1), (2, 2)),
    encoder=(1, 2),
    decoder=(1,),
    bias=True,
    epsilon=1e-5,
    affine=True,
    slope=0.01,
)
LABELS = {"background": 0, "myelin": 1, "axon": 2}


def plans(**changed: Any) -> dict[str, Any]:
    """Return plans; keywords change the configuration, or the arguments of its network if they are of these."""
    arguments: dict[str, Any] = {
        "n_stages": 2,
        "features_per_stage": [4, 8],
        "conv_op": "torch.nn.modules.conv.Conv2d",
        "kernel_sizes": [[3, 3], [3, 3]],
        "strides": [[1, 1], [2, 2]],
        "n_conv_per_stage": [1, 2],
        "n_conv_per_stage_decoder": [1],
        "conv_bias": True,
        "norm_op": "torch.nn.modules.instancenorm.InstanceNorm2d",
        "norm_op_kwargs": {"eps": 1e-05, "affine": True},
        "dropout_op": None,
        "dropout_op_kwargs": None,
        "nonlin": "torch.nn.LeakyReLU",
        "nonlin_kwargs": {"inplace": True},
    }
    arguments |= {name: changed.pop(name) for name in [*changed] if name in arguments}
    kind = changed.pop("network_class_name", "dynamic_network_architectures.architectures.unet.PlainConvUNet")
    configuration = {
        "patch_size": [32, 48],
        "spacing": [1.0, 1.0],
        "normalization_schemes": ["RescaleTo01Normalization"],
        "use_mask_for_norm": [False],
        "architecture": {"network_class_name": kind, "arch_kwargs": arguments, "_kw_requires_import": []},
    }
    return {
        "dataset_name": "Dataset007_cord",
        "transpose_forward": [0, 1, 2],
        "configurations": {"2d": configuration | changed},
    }


def checkpoint(classes: int = 3, seed: int = 0, **changed: Any) -> dict[str, Any]:
    """Return a checkpoint, with all that nnU-Net's hold beside the weights that are taken."""
    torch.manual_seed(seed)
    weights = build(LAYERS, 1, classes).state_dict()
    weights |= {f"decoder.{name}": values for name, values in weights.items() if name.startswith("encoder.")}
    weights |= {
        name.replace(".conv.", ".all_modules.0."): values for name, values in weights.items() if ".conv." in name
    }
    return {
        "network_weights": weights,
        "optimizer_state": {"state": {0: {"momentum_buffer": torch.zeros(5)}}, "param_groups": [{"lr": 0.01}]},
        "grad_scaler_state": None,
        "logging": {"ema_fg_dice": [np.float64(0.8)], "train_losses": [np.float32(0.1)], "lrs": [0.01]},
        "_best_ema": np.float64(0.8),
        "current_epoch": 1000,
        "init_args": {"configuration": "2d", "fold": "all", "device": torch.device("cpu")},
        "trainer_name": "nnUNetTrainer",
        "inference_allowed_mirroring_axes": (0, 1),
    } | changed


def write_folder(
    folder: Path,
    *,
    folds: Sequence[str] = ("all",),
    names: Sequence[str] = ("checkpoint_final.pth",),
    labels: Mapping[str, Any] = LABELS,
    plan: Mapping[str, Any] | None = None,
    **changed: Any,
) -> Path:
    """Write a folder; other keywords change its checkpoints."""
    folder.mkdir(parents=True, exist_ok=True)
    dataset = {"channel_names": {"0": "rescale_to_0_1"}, "labels": dict(labels), "file_ending": ".png"}
    (folder / "dataset.json").write_text(json.dumps(dataset))
    (folder / "plans.json").write_text(json.dumps(plans() if plan is None else plan))
    for i, fold in enumerate(folds):
        (folder / f"fold_{fold}").mkdir(exist_ok=True)
        for name in names:
            torch.save(checkpoint(len(labels), i, **changed), folder / f"fold_{fold}" / name)
    return folder
