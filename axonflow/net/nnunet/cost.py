"""What a network of nnU-Net costs: multiplications and memory, from its layers alone."""

from __future__ import annotations

from itertools import pairwise
from math import prod

from axonflow.net.nnunet.plan import Layers, NnUNetPlan

__all__ = ["flops", "weight_bytes", "window_bytes"]

_KEPT = 12
"""Feature maps of the first level that are there at once, or what amounts to them; measured."""


def flops(plan: NnUNetPlan, classes: int) -> int:
    """Return the floating-point operations of one window, with all its mirror images and folds.

    A multiplication and an addition are two; convolutions alone are counted.
    """
    total, side = 0, plan.patch
    layers = plan.layers
    sides = []
    for stride in layers.strides:
        side = (side[0] // stride[0], side[1] // stride[1])
        sides.append(prod(side))
    for inputs, outputs, kernel, at in _convolutions(layers, len(plan.channels), classes):
        total += 2 * inputs * outputs * kernel * sides[at]
    return (total << len(plan.mirrors)) * len(plan.folds)


def weight_bytes(plan: NnUNetPlan, classes: int) -> int:
    """Return what the weights of all folds take in float32, bytes."""
    each = sum(i * o * kernel for i, o, kernel, _ in _convolutions(plan.layers, len(plan.channels), classes, once=True))
    return 4 * each * len(plan.folds)


def window_bytes(plan: NnUNetPlan) -> int:
    """Return about what the feature maps of one window take while it is computed, bytes."""
    return 4 * _KEPT * plan.layers.features[0] * prod(plan.patch)


def _convolutions(
    layers: Layers, channels: int, classes: int, *, once: bool = False
) -> list[tuple[int, int, int, int]]:
    """Return inputs, outputs, pixels of the kernel and level of each convolution."""
    found, before = [], channels
    last = len(layers.features) - 1
    if layers.residual:
        found.append((channels, layers.features[0], prod(layers.kernels[0]), 0))
        before = layers.features[0]
    for at, (outputs, kernel, n) in enumerate(zip(layers.features, layers.kernels, layers.encoder, strict=True)):
        area = prod(kernel)
        for i in range(n):
            inputs = outputs if i else before
            found.append((inputs, outputs, area, at))
            if layers.residual:
                found.append((outputs, outputs, area, at))
                if inputs != outputs:
                    found.append((inputs, outputs, 1, at))
        before = outputs
    steps = zip(pairwise(reversed(layers.features)), layers.decoder, range(last - 1, -1, -1), strict=True)
    for (below, skip), n, at in steps:
        # A transposed convolution computes each pixel of its output once; its weights are one for each of the stride's.
        found.append((below, skip, prod(layers.strides[at + 1]) if once else 1, at))
        found += [(skip if i else 2 * skip, skip, prod(layers.kernels[at]), at) for i in range(n)]
    found.append((layers.features[0], classes, 1, 0))
    return found
