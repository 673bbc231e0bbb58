"""What runs in the environment of nnU-Net, for ``nnunet_oracle.py``: writes folders as its trainer does, and predicts.

One request a line comes as JSON, one answer a line goes out: ``ok``, or what went wrong.
"""

from __future__ import annotations

import io
import json
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from os import environ
from pathlib import Path
from typing import Any

_HERE = tempfile.TemporaryDirectory(prefix="axonflow-nnunet-")
for _name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):  # asked for at the import
    environ[_name] = _HERE.name
environ |= {"nnUNet_def_n_proc": "1", "nnUNet_n_proc_DA": "0", "nnUNet_compile": "false"}

import numpy as np  # noqa: E402
import torch  # noqa: E402
from dynamic_network_architectures import architectures  # noqa: E402
from dynamic_network_architectures.architectures import unet  # noqa: E402
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor  # noqa: E402
from nnunetv2.preprocessing.normalization.map_channel_name_to_normalization import (  # noqa: E402
    get_normalization_scheme,
)
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer  # noqa: E402
from torch.nn.functional import cross_entropy  # noqa: E402

# Plans of the old format name residual networks by this module, which is gone. nnU-Net then imports all others to look
# for it, some of which need what may not work here.
sys.modules[f"{architectures.__name__}.residual_unet"] = architectures.residual_unet = unet

SPACING = (999, 1, 1)  # of nnU-Net's reader of natural images


def plans_of(spec: dict[str, Any]) -> dict[str, Any]:
    """Return plans as its planner writes them, of the new or the old format, for a network as small as one likes."""
    features, levels = spec["features"], len(spec["features"])
    strides = spec["strides"] or [[1, 1], *[[2, 2]] * (levels - 1)]
    schemes = [get_normalization_scheme(name).__name__ for name in spec["channels"]]
    resampling = {"is_seg": False, "order": 3, "order_z": 0, "force_separate_z": None}
    configuration: dict[str, Any] = {
        "data_identifier": "nnUNetPlans_2d",
        "preprocessor_name": "DefaultPreprocessor",
        "batch_size": 2,
        "patch_size": list(spec["patch"]),
        "median_image_size_in_voxels": [300.0, 400.0],
        "spacing": [1.0, 1.0],
        "normalization_schemes": schemes,
        "use_mask_for_norm": [False] * len(schemes),
        "resampling_fn_data": "resample_data_or_seg_to_shape",
        "resampling_fn_seg": "resample_data_or_seg_to_shape",
        "resampling_fn_data_kwargs": resampling,
        "resampling_fn_seg_kwargs": resampling | {"is_seg": True, "order": 1},
        "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
        "resampling_fn_probabilities_kwargs": resampling | {"order": 1},
    }
    if spec["old"]:
        configuration |= {
            "UNet_class_name": "ResidualEncoderUNet" if spec["residual"] else "PlainConvUNet",
            "UNet_base_num_features": features[0],
            "n_conv_per_stage_encoder": [2] * levels,
            "n_conv_per_stage_decoder": [2] * (levels - 1),
            "num_pool_per_axis": [levels - 1, levels - 1],
            "pool_op_kernel_sizes": strides,
            "conv_kernel_sizes": [[3, 3]] * levels,
            "unet_max_num_features": max(features),
        }
    else:
        name = "ResidualEncoderUNet" if spec["residual"] else "PlainConvUNet"
        blocks = {"n_conv_per_stage": [2] * levels}
        if spec["residual"]:
            blocks = {"n_blocks_per_stage": [1, *[2] * (levels - 1)]}
        configuration["architecture"] = {
            "network_class_name": f"dynamic_network_architectures.architectures.unet.{name}",
            "arch_kwargs": {
                "n_stages": levels,
                "features_per_stage": features,
                "conv_op": "torch.nn.modules.conv.Conv2d",
                "kernel_sizes": [[3, 3]] * levels,
                "strides": strides,
                **blocks,
                "n_conv_per_stage_decoder": [1 if spec["residual"] else 2] * (levels - 1),
                "conv_bias": True,
                "norm_op": "torch.nn.modules.instancenorm.InstanceNorm2d",
                "norm_op_kwargs": {"eps": 1e-05, "affine": True},
                "dropout_op": None,
                "dropout_op_kwargs": None,
                "nonlin": "torch.nn.LeakyReLU",
                "nonlin_kwargs": {"inplace": True},
            },
            "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
        }
    statistics = {"max": 255.0, "mean": 120.0, "median": 118.0, "min": 0.0, "std": 60.0}
    statistics |= {"percentile_00_5": 3.0, "percentile_99_5": 250.0}
    return {
        "dataset_name": "Dataset002_SEM",
        "plans_name": "nnUNetPlans",
        "original_median_spacing_after_transp": [999.0, 1.0, 1.0],
        "original_median_shape_after_transp": [1, 300, 400],
        "image_reader_writer": "NaturalImage2DIO",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "configurations": {"2d": configuration},
        "experiment_planner_used": "ExperimentPlanner",
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {str(i): statistics for i in range(len(schemes))},
    }


def tissue(classes: int, channels: int, shape: tuple[int, int], draw: np.random.Generator) -> tuple[Any, Any]:
    """Return blobs of every class, and an image of them in which each has a grey of its own."""
    coarse = torch.from_numpy(draw.normal(size=(1, 1, shape[0] // 8, shape[1] // 8)).astype(np.float32))
    field = torch.nn.functional.interpolate(coarse, size=shape, mode="bicubic", align_corners=False)[0, 0]
    edges = torch.quantile(field, torch.linspace(0, 1, classes + 1)[1:-1])
    labels = torch.bucketize(field, edges)
    noise = torch.from_numpy(draw.normal(size=(channels, *shape)).astype(np.float32))
    image = (labels.float() / classes)[None] * 200 + 20 + 10 * noise
    return image.clamp(0, 255).round(), labels


def make(spec: dict[str, Any], out: str) -> None:
    """Write a folder, each fold trained for a few steps so that it tells classes apart."""
    labels = {"background": 0} | {name: i + 1 for i, name in enumerate(spec["labels"])}
    dataset = {
        "channel_names": {str(i): name for i, name in enumerate(spec["channels"])},
        "labels": labels,
        "numTraining": 8,
        "file_ending": ".png",
    }
    plans, top = plans_of(spec), Path(out)
    top.mkdir(parents=True)
    (top / "dataset.json").write_text(json.dumps(dataset))
    (top / "plans.json").write_text(json.dumps(plans))
    for i, fold in enumerate(spec["folds"]):
        torch.manual_seed(spec["seed"] + i)
        draw = np.random.default_rng(spec["seed"] + i)
        trainer = nnUNetTrainer(
            json.loads(json.dumps(plans)) | {"continue_training": False},
            "2d",
            fold if fold == "all" else int(fold),
            dataset,
            torch.device("cpu"),
        )
        trainer.network = trainer.build_network_architecture(
            trainer.plans_manager, trainer.configuration_manager, len(spec["channels"]), len(labels), True
        ).train()
        trainer.optimizer, trainer.lr_scheduler = trainer.configure_optimizers()
        steps = torch.optim.Adam(trainer.network.parameters(), lr=3e-3)
        for _ in range(spec["steps"]):
            image, truth = tissue(len(labels), len(spec["channels"]), tuple(spec["patch"]), draw)
            prepared = np.stack(
                [
                    get_normalization_scheme(name)(use_mask_for_norm=False, intensityproperties={}).run(channel)
                    for name, channel in zip(spec["channels"], image.numpy().copy(), strict=True)
                ]
            )
            steps.zero_grad()
            scores = trainer.network(torch.from_numpy(prepared)[None])[0]
            torch.autograd.backward(cross_entropy(scores, truth[None]))
            steps.step()
        trainer.inference_allowed_mirroring_axes = None if spec["mirrors"] is None else tuple(spec["mirrors"])
        trainer._best_ema = np.float64(0.81)  # numpy's numbers, as those of a training that went its way
        trainer.logger.log("ema_fg_dice", np.float64(0.81), 0)
        trainer.logger.log("train_losses", np.float32(0.3), 0)
        (top / f"fold_{fold}").mkdir()
        trainer.save_checkpoint(str(top / f"fold_{fold}" / spec["checkpoint"]))


def predict(folder: str, image: str, out: str, folds: list[str], checkpoint: str, step: float) -> None:
    """Predict an image, (channels, h, w), as nnU-Net does the whole image; write its labels and its logits."""
    predictor = nnUNetPredictor(tile_step_size=step, device=torch.device("cpu"), allow_tqdm=False)
    predictor.initialize_from_trained_model_folder(folder, tuple(folds), checkpoint)
    kept: list[torch.Tensor] = []
    plainly = predictor.predict_logits_from_preprocessed_data

    def keep(data: torch.Tensor) -> torch.Tensor:
        kept.append(plainly(data))
        return kept[0].clone()

    predictor.predict_logits_from_preprocessed_data = keep
    pixels = np.load(image)[:, None].astype(np.float32)
    labels = predictor.predict_single_npy_array(pixels, {"spacing": SPACING})
    np.savez(out, labels=labels[0].astype(np.uint8), logits=kept[0][:, 0].numpy())


def forward(folder: str, fold: str, given: str, out: str, checkpoint: str) -> None:
    """Write what the network of a fold makes of windows, (n, channels, h, w) float32."""
    predictor = nnUNetPredictor(device=torch.device("cpu"))
    predictor.initialize_from_trained_model_folder(folder, (fold,), checkpoint)
    with torch.inference_mode():
        scores = predictor.network.eval()(torch.from_numpy(np.load(given)))
    np.save(out, scores.numpy())


DO: dict[str, Callable[..., None]] = {"make": make, "predict": predict, "forward": forward}


def main() -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)  # the last bits of an instance norm depend on it
    for line in sys.stdin:
        request = json.loads(line)
        said = io.StringIO()
        try:
            with redirect_stdout(said):
                DO[request.pop("do")](**request)
            answer = "ok"
        except Exception:
            answer = f"{said.getvalue()[-2000:]}\n{traceback.format_exc()}"
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
