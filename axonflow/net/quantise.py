"""From a trained network to one of whole numbers, by what some images do in it.

Each channel's largest value on these images becomes code 255, or up to twice as much does, so that a layer's sums need
only be divided by a power of two. Weights are rounded one after the other; what a rounding does to the layer's output
is made up for by the weights that are still to be rounded (GPTQ: Frantar, Ashkboos, Hoefler & Alistarh, ICLR 2023).
Layers are done in the order in which they are computed, on the codes that reach them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from axonflow.net.exact import doubled_codes
from axonflow.net.integers import (
    FIRST_CODES,
    GREY_STEPS,
    LARGEST_BIAS,
    LARGEST_CODE,
    LARGEST_WEIGHT,
    MEAN_GREY,
    SHIFTS,
    IntegerLayer,
    IntegerNetwork,
)
from axonflow.net.unet import Block, Conv, UNet, doubled_reproducibly

__all__ = ["quantised"]

_PLACES = 2048
"""Of a window, at so many places what reaches a layer is looked at."""

_DAMPING = 0.01
"""Of the mean square of the inputs, added to each: what was never seen must not weigh without bound."""

_LEAST = 1e-3
"""Of the largest channel's range, at least, every channel gets."""


@dataclass(frozen=True, slots=True)
class _Maps:
    """Maps of a layer over all windows.

    Attributes
    ----------
    true : (n, channels, h, w) float32
        As the network has them.
    codes : (n, channels, h, w) float32
        As the network of whole numbers has them.
    unit : (channels,) float64
        What a code stands for.
    """

    true: Tensor
    codes: Tensor
    unit: Tensor

    def doubled(self) -> _Maps:
        """Return the maps with twice their sides."""
        true = torch.cat([doubled_reproducibly(window) for window in _each(self.true)])
        codes = torch.cat(
            [doubled_codes(window.to(torch.uint8))[:, :, :-1, :-1].float() for window in _each(self.codes)]
        )
        return _Maps(true, codes, self.unit)

    def beside(self, others: _Maps) -> _Maps:
        """Return these channels and others."""
        return _Maps(
            torch.cat([self.true, others.true], 1),
            torch.cat([self.codes, others.codes], 1),
            torch.cat([self.unit, others.unit]),
        )


def quantised(net: UNet, windows: NDArray[np.float32]) -> IntegerNetwork:
    """Choose the whole numbers of a network.

    Parameters
    ----------
    net : UNet
        In float32 and ready for prediction; batch norm not yet folded into its convolutions. It is left as it is.
    windows : (n, h, w) float32
        Normalised as the network is given them, of images it was trained on; their sides are multiples of its stride.
    """
    with torch.inference_mode():
        return _Quantising(net).of(torch.from_numpy(windows[:, None]))


class _Quantising:
    """The walk through the network's layers."""

    def __init__(self, net: UNet) -> None:
        self.net = net
        self.names = {module: name for name, module in net.named_modules() if isinstance(module, Conv)}
        self.layers: dict[str, IntegerLayer] = {}

    def of(self, windows: Tensor) -> IntegerNetwork:
        net, head = self.net, self.net.head
        assert isinstance(head, nn.Conv2d)
        assert head.bias is not None
        steps = torch.clamp(torch.round(windows * GREY_STEPS) + MEAN_GREY, 0, LARGEST_CODE * FIRST_CODES) - MEAN_GREY
        maps = _Maps(windows, steps, torch.tensor([1 / GREY_STEPS], dtype=torch.float64))
        skips = []
        for encode, down in zip(net.encode, net.down, strict=True):
            maps = self._block(encode, maps)
            skips.append(maps)
            maps = self._layer(down, maps)
        for up, decode, skip in zip(reversed(net.up), reversed(net.decode), reversed(skips), strict=True):
            maps = self._block(decode, skip.beside(self._layer(up, maps.doubled())))
        weight = head.weight.double().flatten(1) * maps.unit
        return IntegerNetwork(self.layers, weight.float().numpy(), head.bias.float().numpy())

    def _block(self, block: nn.Module, maps: _Maps) -> _Maps:
        assert isinstance(block, Block)
        for module in block:
            if isinstance(module, Conv):
                maps = self._layer(module, maps)
        return maps

    def _layer(self, module: nn.Module, maps: _Maps) -> _Maps:
        """Choose the whole numbers of a layer; return what it makes of its inputs."""
        assert isinstance(module, Conv)
        pad, convolution, norm, _ = module
        assert isinstance(convolution, nn.Conv2d)
        assert isinstance(norm, nn.BatchNorm2d)
        folded = fuse_conv_bn_eval(convolution, norm)
        assert folded.bias is not None
        true = torch.cat([folded(pad(window)) for window in _each(maps.true)])
        largest = F.relu(true).amax((0, 2, 3)).double()
        unit = torch.clamp(largest, min=_LEAST * max(float(largest.max()), _LEAST)) / LARGEST_CODE
        weight = (folded.weight.double() * maps.unit[:, None, None]).flatten(1)
        step = torch.clamp((weight / unit[:, None]).abs().amax(1) / LARGEST_WEIGHT, min=2.0 ** -SHIFTS[-1])
        shift = torch.clamp(-torch.floor(torch.log2(step)), SHIFTS[0], SHIFTS[-1])
        unit = unit * step * 2.0**shift  # what the power of two leaves makes the range of codes wider
        in_sums = unit * 0.5**shift
        squares, means, true_means = self._looked_at(pad, folded, maps.codes, true)
        whole = _rounded(weight / in_sums[:, None], squares)
        bias = torch.round(true_means / in_sums - whole @ means)  # so that no channel's mean is shifted
        bias = torch.clamp(bias, -LARGEST_BIAS // 2, LARGEST_BIAS // 2)
        kernels = whole.float().view_as(folded.weight)
        sums = torch.cat(
            [F.conv2d(pad(each), kernels, bias.float(), folded.stride, folded.padding) for each in _each(maps.codes)]
        )
        codes = torch.clamp(torch.round(sums * (0.5**shift).float()[:, None, None]), 0, LARGEST_CODE)
        name = self.names[module]
        if name == _FIRST:  # its codes will not have been brought to mean grey
            bias = bias - MEAN_GREY * whole.sum(1)
        self.layers[name] = IntegerLayer(
            whole.to(torch.int8).view_as(folded.weight).numpy(),
            bias.to(torch.int32).numpy(),
            shift.to(torch.int32).numpy(),
        )
        return _Maps(F.relu_(true), codes, unit)

    def _looked_at(
        self, pad: nn.Module, convolution: nn.Conv2d, codes: Tensor, true: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the mean products and means of what reaches a layer at some places, and the means of its true output.

        Returns
        -------
        (k, k) and (k,) float64
            Of its k inputs: all channels, at all places of the kernel.
        (outputs,) float64
        """
        side, stride, around = convolution.kernel_size[0], convolution.stride[0], int(convolution.padding[0])
        inputs = convolution.in_channels * side * side
        squares, means = torch.zeros(inputs, inputs, dtype=torch.float64), torch.zeros(inputs, dtype=torch.float64)
        true_means = torch.zeros(len(convolution.weight), dtype=torch.float64)
        h, w = true.shape[2:]
        random = np.random.default_rng(0)
        for window, wanted in zip(_each(codes), true, strict=True):
            kernels = F.pad(pad(window), [around] * 4)[0].unfold(1, side, stride).unfold(2, side, stride)
            y, x = np.divmod(random.choice(h * w, min(_PLACES, h * w), replace=False), w)
            seen = kernels[:, y, x].transpose(0, 1).flatten(1)  # (places, inputs)
            squares += (seen.T @ seen).double() / len(seen) / len(codes)
            means += seen.double().mean(0) / len(codes)
            true_means += wanted[:, y, x].double().mean(1) / len(codes)
        return squares, means, true_means


def _each(maps: Tensor) -> Iterator[Tensor]:
    """Yield the windows, as batches of one."""
    return (maps[i : i + 1] for i in range(len(maps)))


_FIRST = "encode.0.0"


def _rounded(weight: Tensor, squares: Tensor) -> Tensor:
    """Round weights so that a layer's output changes little.

    Parameters
    ----------
    weight : (outputs, k) float64
        In units of the whole numbers.
    squares : (k, k) float64
        Mean products of the inputs.

    Returns
    -------
    (outputs, k) float64
        Whole numbers.
    """
    most = squares.diagonal().mean()
    squares = squares + torch.diag(torch.full_like(squares.diagonal(), _DAMPING) * torch.clamp(most, min=1e-9))
    order = torch.argsort(squares.diagonal(), descending=True, stable=True)
    left = weight[:, order].clone()
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(squares[order][:, order]))
    factor = torch.linalg.cholesky(inverse, upper=True)
    whole = torch.empty_like(left)
    for first in range(0, left.shape[1], _AT_ONCE):
        end = min(first + _AT_ONCE, left.shape[1])
        errors = torch.empty(len(left), end - first, dtype=left.dtype)
        for i in range(first, end):
            whole[:, i] = torch.clamp(torch.round(left[:, i]), -LARGEST_WEIGHT, LARGEST_WEIGHT)
            error = (left[:, i] - whole[:, i]) / factor[i, i]
            left[:, i:end] -= error[:, None] * factor[i, i:end]
            errors[:, i - first] = error
        left[:, end:] -= errors @ factor[first:end, end:]
    return whole[:, torch.argsort(order)]


_AT_ONCE = 128
"""Weights after whose rounding those that are still to be rounded are changed."""
