"""Networks of nnU-Net's kind with weights that nobody trained, of which no class wins everywhere; images for them."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from axonflow.kernel.classes import AXON_MYELIN, Classes
from axonflow.kernel.grid import Box
from axonflow.net.checkpoint import Checkpoint
from axonflow.net.nnunet.networks import build
from axonflow.net.nnunet.normalise import Content, Range, normalised
from axonflow.net.nnunet.plan import NORMALISED, Layers, NnUNetPlan, Normalisation
from axonflow.net.nnunet.weights import join

__all__ = ["blobs", "content_of", "networks", "plan_of", "seen_by", "write_nnunet"]


def plan_of(
    patch: tuple[int, int] = (32, 48),
    *,
    normalisations: tuple[Normalisation, ...] = ("RescaleTo01Normalization",),
    mirrors: tuple[int, ...] = (0, 1),
    folds: tuple[str, ...] = ("all",),
    step: float = 0.5,
    features: tuple[int, ...] = (4, 8),
) -> NnUNetPlan:
    """Return a plan of a network of a few thousand numbers."""
    levels = len(features)
    layers = Layers(
        residual=False,
        features=features,
        kernels=((3, 3),) * levels,
        strides=((1, 1), *((2, 2),) * (levels - 1)),
        encoder=(1,) * levels,
        decoder=(1,) * (levels - 1),
        bias=True,
        epsilon=1e-5,
        affine=True,
        slope=0.01,
    )
    channels = ("grey",) if len(normalisations) == 1 else ("red", "green", "blue")
    return NnUNetPlan(layers, patch, channels, normalisations, mirrors, folds, step)


def networks(plan: NnUNetPlan, classes: int = 3, seed: int = 0) -> tuple[nn.Module, ...]:
    """Return one network per fold, whose classes have scores of like size."""
    nets = []
    for i in range(len(plan.folds)):
        torch.manual_seed(seed + i)
        net = build(plan.layers, len(plan.channels), classes)
        with torch.no_grad():
            for module in net.modules():
                if isinstance(module, nn.InstanceNorm2d) and module.affine:
                    module.weight.uniform_(0.5, 2)
                    module.bias.uniform_(-0.5, 0.5)
            head = [module for module in net.modules() if isinstance(module, nn.Conv2d)][-1]
            scores = net(torch.randn(1, len(plan.channels), *plan.patch))[0].reshape(classes, -1)
            head.weight.mul_((3 / scores.std(dim=1)).reshape(-1, 1, 1, 1))
            assert head.bias is not None
            head.bias.sub_(net(torch.randn(1, len(plan.channels), *plan.patch)).mean(dim=(0, 2, 3)))
        nets.append(net)
    return tuple(nets)


def blobs(shape: tuple[int, ...], dtype: str = "uint8", *, margin: int = 0, seed: int = 0) -> NDArray[Any]:
    """Return an image, (h, w) or (channels, h, w), whose ``margin`` is black on all sides."""
    random = np.random.default_rng(seed)
    top = 255 if dtype == "uint8" else 40_000
    coarse = random.uniform(0.05 * top, 0.95 * top, (*shape[:-2], *(side // 6 + 1 for side in shape[-2:])))
    image = np.kron(coarse, np.ones((6, 6)))[..., : shape[-2], : shape[-1]] + random.normal(0, top / 20, shape)
    image = np.clip(np.rint(image), 0, top).astype(dtype)
    if margin:
        inner = (..., slice(margin, -margin), slice(margin, -margin))
        framed = np.zeros_like(image)
        framed[inner] = image[inner]
        return framed
    return image


def content_of(image: NDArray[Any]) -> Content:
    """Return what a whole image, (h, w) or (channels, h, w), holds, by numpy in float64."""
    channels = image[None] if image.ndim == 2 else image
    there = (channels != 0).any(axis=0)
    inside = Box.whole(there.shape)
    if there.any():
        (y0, y1), (x0, x1) = ((int(at.min()), int(at.max()) + 1) for at in np.nonzero(there))
        inside = Box(y0, x0, y1, x1)
    parts = [channel[inside.slices].astype(np.float64) for channel in channels]
    return Content(inside, tuple(Range(p.min(), p.max(), p.mean(), p.std()) for p in parts))


def seen_by(plan: NnUNetPlan, content: Content, pixels: NDArray[Any]) -> NDArray[np.float32]:
    """Normalise pixels, (h, w) or (channels, h, w)."""
    channels = pixels[None] if pixels.ndim == 2 else pixels
    each = zip(channels, plan.normalisations, content.ranges, strict=True)
    return np.stack([normalised(channel, how, known) for channel, how, known in each])


def write_nnunet(folder: Path, plan: NnUNetPlan, classes: Classes = AXON_MYELIN, seed: int = 0) -> Path:
    """Write a model of nnU-Net's kind as axonflow keeps it; return its contract."""
    from safetensors.torch import save

    nets = networks(plan, len(classes), seed)
    content = save(
        join(
            {
                fold: {k: v.contiguous() for k, v in net.state_dict().items()}
                for fold, net in zip(plan.folds, nets, strict=True)
            }
        )
    )
    made = Checkpoint(
        "small",
        "nnunet",
        0.0,
        False,
        64,
        0,
        0.0,
        sha256(content).hexdigest(),
        normalisation=NORMALISED,
        classes=classes,
        plan=plan,
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "small.safetensors").write_bytes(content)
    (folder / "small.json").write_text(json.dumps(made.contract))
    return folder / "small.json"
