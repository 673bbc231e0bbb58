"""From a trained network to one of whole numbers, by what some images do in it.

What a code stands for is chosen for each channel so that three errors together are least: of rounding to codes, of
cutting off what is above the largest one, and of rounding the weights, whose scale hangs on it, since a layer's sums
are divided by a power of two. Weights are rounded one after the other; what a rounding does to the layer's output is
made up for by the weights that are still to be rounded (GPTQ: Frantar, Ashkboos, Hoefler & Alistarh, ICLR 2023). Layers
are done in the order in which they are computed, on the codes that reach them.
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

_PLACES, _FEWEST = 4, 2**14
"""At so many places for each input of a layer, and at so many at least, what reaches it is looked at."""

_DAMPING = 0.01
"""Of the mean square of the inputs, added to each: what was never seen must not weigh without bound."""

_LEAST = 1e-3
"""Of the largest channel's range, at least, every channel gets."""

_TRIED = 2.0 ** np.arange(1, -2.25, -0.25)
"""What is tried as the largest code's value, in units of a channel's largest value."""

_CUT = 8.0
"""How much an error of cutting off counts: side by side they have one sign and add up, where rounding cancels."""

_LARGEST = 4096
"""Values of a channel that may be cut off."""


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
        means = _means(true)
        F.relu_(true)
        weight = (folded.weight.double() * maps.unit[:, None, None]).flatten(1)
        rounding = _Rounding(_squares(pad, folded, maps.codes))
        unit, shift = _scales(true, weight, rounding.error)
        in_sums = unit * 0.5**shift
        whole = rounding.of(weight / in_sums[:, None])
        kernels = whole.float().view_as(folded.weight)
        sums = torch.cat(
            [F.conv2d(pad(each), kernels, None, folded.stride, folded.padding) for each in _each(maps.codes)]
        )
        bias = torch.round(means / in_sums - _means(sums))  # so that no channel's mean is shifted
        bias = torch.clamp(bias, -LARGEST_BIAS // 2, LARGEST_BIAS // 2)
        sums += bias.float()[:, None, None]
        codes = sums.mul_((0.5**shift).float()[:, None, None]).round_().clamp_(0, LARGEST_CODE)
        name = self.names[module]
        if name == _FIRST:  # its codes will not have been brought to mean grey
            bias = bias - MEAN_GREY * whole.sum(1)
        self.layers[name] = IntegerLayer(
            whole.to(torch.int8).view_as(folded.weight).numpy(),
            bias.to(torch.int32).numpy(),
            shift.to(torch.int32).numpy(),
        )
        return _Maps(true, codes, unit)


def _each(maps: Tensor) -> Iterator[Tensor]:
    """Yield the windows, as batches of one."""
    return (maps[i : i + 1] for i in range(len(maps)))


_FIRST = "encode.0.0"


def _means(maps: Tensor) -> Tensor:
    """Return the mean of each channel, (channels,) float64, of (n, channels, h, w)."""
    return torch.stack([window.double().mean((1, 2)) for window in maps]).mean(0)


def _squares(pad: nn.Module, convolution: nn.Conv2d, codes: Tensor) -> Tensor:
    """Return the mean products, (k, k) float64, of a layer's k inputs: all channels, at all places of the kernel."""
    side, stride, around = convolution.kernel_size[0], convolution.stride[0], int(convolution.padding[0])
    inputs = convolution.in_channels * side * side
    squares = torch.zeros(inputs, inputs, dtype=torch.float64)
    random = np.random.default_rng(0)
    for window in _each(codes):
        kernels = F.pad(pad(window), [around] * 4)[0].unfold(1, side, stride).unfold(2, side, stride)
        h, w = kernels.shape[1:3]
        places = min(-(-max(_PLACES * inputs, _FEWEST) // len(codes)), h * w)
        y, x = np.divmod(random.choice(h * w, places, replace=False), w)
        seen = kernels[:, y, x].transpose(0, 1).flatten(1)  # (places, inputs)
        squares += (seen.T @ seen).double() / places / len(codes)
    return squares


def _scales(true: Tensor, weight: Tensor, error: float) -> tuple[Tensor, Tensor]:
    """Choose what a code stands for, and by which power of two sums are divided.

    Parameters
    ----------
    true : (n, outputs, h, w) float32
        What the layer makes; 0 or more.
    weight : (outputs, k) float64
        Of its input codes.
    error : float
        Mean square of what rounding the weights does to the sums, in their units.

    Returns
    -------
    unit, shift : (outputs,) float64
    """
    values = true.transpose(0, 1).flatten(1)
    count = values.shape[1]
    positive = (values > 0).double().mean(1)
    top = values.topk(min(_LARGEST, count), 1).values.double()
    largest = torch.clamp(top[:, 0], min=_LEAST * max(float(top.max()), _LEAST))
    least = torch.clamp(weight.abs().amax(1) / LARGEST_WEIGHT, min=1e-30)  # a sum's unit
    unit, shift = torch.zeros_like(largest), torch.zeros_like(largest)
    lowest = torch.full_like(largest, torch.inf)
    for part in _TRIED:
        wanted = part * largest / LARGEST_CODE
        power = torch.clamp(torch.floor(torch.log2(wanted / least)), SHIFTS[0], SHIFTS[-1])
        tried = torch.maximum(wanted, least * 2.0**power)
        cut = F.relu(top - (LARGEST_CODE * tried)[:, None]).square().sum(1) / count
        total = positive * tried.square() / 12 + _CUT * cut + (tried * 0.5**power).square() * error
        total[LARGEST_CODE * tried < top[:, -1]] = torch.inf  # more is cut off than is known of
        better = (total < lowest) | (unit == 0)
        unit, shift, lowest = (
            torch.where(better, new, old) for new, old in ((tried, unit), (power, shift), (total, lowest))
        )
    return unit, shift


class _Rounding:
    """How the weights of a layer are rounded so that its output changes little.

    Parameters
    ----------
    squares : (k, k) float64
        Mean products of the inputs.

    Attributes
    ----------
    error : float
        Mean square of what it does to the output, expected, in units of the whole numbers.
    """

    def __init__(self, squares: Tensor) -> None:
        most = squares.diagonal().mean()
        squares = squares + torch.diag(torch.full_like(squares.diagonal(), _DAMPING) * torch.clamp(most, min=1e-9))
        self.order = torch.argsort(squares.diagonal(), descending=True, stable=True)
        inverse = torch.cholesky_inverse(torch.linalg.cholesky(squares[self.order][:, self.order]))
        self.factor = torch.linalg.cholesky(inverse, upper=True)
        self.error = float(self.factor.diagonal().square().reciprocal().sum()) / 12

    def of(self, weight: Tensor) -> Tensor:
        """Round weights, (outputs, k) float64 in units of the whole numbers."""
        left, factor = weight[:, self.order].clone(), self.factor
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
        return whole[:, torch.argsort(self.order)]


_AT_ONCE = 128
"""Weights after whose rounding those that are still to be rounded are changed."""
