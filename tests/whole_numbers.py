"""A network of whole numbers, computed slowly by numpy: what axonflow's must equal to the bit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axonflow.net.architecture import Architecture
from axonflow.net.integers import IntegerLayer, IntegerNetwork
from axonflow.net.unet import Conv, UNet


def random_integers(architecture: Architecture, classes: int = 3, seed: int = 0) -> IntegerNetwork:
    """Draw whole numbers with which codes neither vanish nor are all cut off."""
    random = np.random.default_rng(seed)
    layers: dict[str, IntegerLayer] = {}
    for name, module in UNet(architecture, classes=classes).named_modules():
        if isinstance(module, Conv):
            weight = random.integers(-127, 128, tuple(module[1].weight.shape)).astype(np.int8)  # type: ignore[arg-type]
            seen = 2040 / 6 if name == "encode.0.0" else 60
            spread = 73 * seen * np.sqrt(weight[0].size)
            shift = np.full(len(weight), round(np.log2(spread / 80)), np.int32) + random.integers(-1, 2, len(weight))
            bias = random.normal(0, spread / 2, len(weight)).astype(np.int32)
            if name == "encode.0.0":
                bias -= 1024 * weight.astype(np.int32).sum(axis=(1, 2, 3), dtype=np.int32)
            layers[name] = IntegerLayer(weight, bias, shift.astype(np.int32))
    head = random.normal(0, 0.02, (classes, architecture.features[0])).astype(np.float32)
    return IntegerNetwork(layers, head, random.normal(0, 1, classes).astype(np.float32))


def convolved(
    codes: NDArray[np.int64], layer: IntegerLayer, stride: int, pad: tuple[int, int], around: int = 0
) -> NDArray[np.float64]:
    """Return the divided sums of (inputs, h, w) codes."""
    codes = np.pad(codes, ((0, 0), pad, pad), constant_values=around)
    weight = layer.weight.astype(np.int64)
    k = weight.shape[2]
    windows = np.lib.stride_tricks.sliding_window_view(codes, (k, k), axis=(1, 2))[:, ::stride, ::stride]
    sums = np.einsum("ihwyx,oiyx->ohw", windows, weight) + layer.bias[:, None, None]
    divided: NDArray[np.float64] = sums / 2.0 ** layer.shift[:, None, None]
    return divided


def cut_off(divided: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.clip(np.rint(divided), 0, 255).astype(np.int64)


def doubled(codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return codes interpolated to twice their sides."""
    out = codes
    for axis in (1, 2):
        edges = np.pad(out, [(1, 1) if i == axis else (0, 0) for i in range(3)], "edge")
        n = out.shape[axis]
        before, after = (edges.take(np.arange(n) + first, axis) for first in (0, 2))
        out = np.stack([3 * out + before, 3 * out + after], axis + 1).reshape(
            *(2 * side if i == axis else side for i, side in enumerate(out.shape))
        )
    return (out + 8) // 16


def slow_shares(
    architecture: Architecture, integers: IntegerNetwork, image: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the probability of each class, (classes, h, w), of a normalised window."""
    layers: Mapping[str, IntegerLayer] = integers.layers
    levels, n = len(architecture.features), architecture.convolutions

    def block(way: str, level: int, codes: NDArray[np.int64]) -> NDArray[Any]:
        side = (5 if level == 0 else 3) // 2
        divided: NDArray[Any] = codes
        for i in range(n):
            name = f"{way}.{level}.{2 * i}"
            grey = 1024 if name == "encode.0.0" else 0
            divided = convolved(codes, layers[name], 1, (side, side), grey)
            codes = cut_off(divided)
        return divided if (way, level) == ("decode", 0) else codes

    codes = np.clip(np.rint(image * np.float32(128)) + 1024, 0, 2040).astype(np.int64)[None]
    skips = []
    for level in range(levels):
        codes = block("encode", level, codes)
        skips.append(codes)
        codes = cut_off(convolved(codes, layers[f"down.{level}"], 2, (1, 2)))
    for level in reversed(range(levels)):
        codes = cut_off(convolved(doubled(codes), layers[f"up.{level}"], 1, (0, 1)))
        codes = block("decode", level, np.concatenate([skips[level], codes]))
    features = np.maximum(codes, 0).astype(np.float32)
    scores = np.repeat(integers.head_bias, image.size).reshape(-1, *image.shape)
    for feature, weight in zip(features, integers.head.T, strict=True):
        scores = scores + weight[:, None, None] * feature
    steps = np.minimum(np.ceil((scores.max(axis=0) - scores) * np.float32(1024)), 16384).astype(np.int64)
    exponentials = np.exp(-(np.maximum(np.arange(16385), 0.5) - 0.5) / 1024).astype(np.float32)
    shares = exponentials[steps]
    total = shares[0]
    for share in shares[1:]:
        total = total + share
    probabilities: NDArray[np.float32] = shares / total
    return probabilities
