"""From a trained network to one of whole numbers, by what some images do in it.

What a code stands for is chosen for each channel so that three errors together are least: of rounding to codes, of
cutting off what is above the largest one, and of rounding the weights, whose scale hangs on it, since a layer's sums
are divided by a power of two. Layers are done in the order in which they are computed, on the codes that reach them: by
least squares their weights make up for what those are off (Li, Yin, Lee, Xiao & Panda, GPTAQ, ICML 2025), and then are
rounded one after the other; what a rounding does to the layer's output is made up for by the weights that are still to
be rounded (Frantar, Ashkboos, Hoefler & Alistarh, GPTQ, ICLR 2023). The bias keeps the mean of every channel, so only
what varies around it is looked at.

No two neighbouring inputs' weights of one sign are together above :data:`~axonflow.net.integers.LARGEST_PAIR`:
processors that add up two products in 16 bits compute such layers in bytes, too.
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
    LARGEST_PAIR,
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
"""Of each input's variance, added to it: what was hardly ever seen must not weigh without bound."""

_LEAST = 1e-3
"""Of the largest channel's range, and of the mean variance, every channel has at least so much."""

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
        seen = _Seen.of(pad, folded, maps)
        weight = seen.corrected((folded.weight.double() * maps.unit[:, None, None]).flatten(1))
        pairs = _Pairs(folded.weight.shape)
        rounding = _Rounding(seen.among, pairs)
        unit, shift = _scales(true, pairs.least_unit(weight), rounding.error)
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


@dataclass(frozen=True, slots=True)
class _Seen:
    """What reaches a layer's k inputs: all channels, at all places of the kernel.

    Attributes
    ----------
    among : (k, k) float64
        Covariances of the codes, a little more of each with itself.
    true : (k, k) float64
        Covariances of what the codes stand for, in codes, with the codes; the same added.
    """

    among: Tensor
    true: Tensor

    @classmethod
    def of(cls, pad: nn.Module, convolution: nn.Conv2d, maps: _Maps) -> _Seen:
        """Look at some places of all windows."""
        side, stride, around = convolution.kernel_size[0], convolution.stride[0], int(convolution.padding[0])
        inputs, n = convolution.in_channels * side * side, len(maps.codes)
        products = torch.zeros(2, inputs, inputs, dtype=torch.float64)
        means = torch.zeros(2, inputs, dtype=torch.float64)
        random = np.random.default_rng(0)
        in_codes = maps.unit.float()[:, None, None]
        for codes, true in zip(_each(maps.codes), _each(maps.true), strict=True):
            pair = [
                F.pad(pad(each), [around] * 4)[0].unfold(1, side, stride).unfold(2, side, stride)
                for each in (codes, true / in_codes)
            ]
            h, w = pair[0].shape[1:3]
            places = min(-(-max(_PLACES * inputs, _FEWEST) // n), h * w)
            y, x = np.divmod(random.choice(h * w, places, replace=False), w)
            seen, meant = (each[:, y, x].transpose(0, 1).flatten(1) for each in pair)  # (places, inputs)
            products += torch.stack([seen.T @ seen, meant.T @ seen]).double() / places / n
            means += torch.stack([seen.double().mean(0), meant.double().mean(0)]) / n
        among, true = products - means[:, :, None] * means[0]
        variances = among.diagonal()
        own = torch.diag(_DAMPING * (variances + _LEAST * variances.mean()) + 1e-9)
        return cls(among + own, true + own)

    def corrected(self, weight: Tensor) -> Tensor:
        """Return the weights, (outputs, k) float64, that bring the output on the codes nearest to the true one."""
        corrected: Tensor = torch.linalg.solve(self.among, (weight @ self.true).T).T
        return corrected


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Which weights of a layer are added up in 16 bits: those of neighbouring inputs at one place of the kernel.

    Attributes
    ----------
    shape : (outputs, inputs, k, k)
        Of the weights. A layer of one input, the first, has no pairs.
    """

    shape: torch.Size

    def least_unit(self, weight: Tensor) -> Tensor:
        """Return the least units, (outputs,) float64, in which weights are small enough, alone and in pairs."""
        outputs, inputs, places = self.shape[0], self.shape[1], self.shape[2] * self.shape[3]
        pairs = F.pad(weight.view(outputs, inputs, places), (0, 0, 0, inputs % 2)).view(outputs, -1, 2, places)
        least = weight.abs().amax(1) / LARGEST_WEIGHT
        for sign in (1, -1):
            least = torch.maximum(least, F.relu(sign * pairs).sum(2).flatten(1).amax(1) / LARGEST_PAIR)
        return torch.clamp(least, min=1e-30)

    def other(self, i: int) -> int | None:
        """Return the other one of the pair of a weight, by its number among the inputs at all places."""
        places = self.shape[2] * self.shape[3]
        channel = i // places ^ 1
        return channel * places + i % places if channel < self.shape[1] else None


def _scales(true: Tensor, least: Tensor, error: float) -> tuple[Tensor, Tensor]:
    """Choose what a code stands for, and by which power of two sums are divided.

    Parameters
    ----------
    true : (n, outputs, h, w) float32
        What the layer makes; 0 or more.
    least : (outputs,) float64
        A sum's unit, at least.
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
    among : (k, k) float64
        Covariances of the inputs.
    pairs : _Pairs

    Attributes
    ----------
    error : float
        Mean square of what it does to the output, expected, in units of the whole numbers.
    """

    def __init__(self, among: Tensor, pairs: _Pairs) -> None:
        self.order = torch.argsort(among.diagonal(), descending=True, stable=True)
        inverse = torch.cholesky_inverse(torch.linalg.cholesky(among[self.order][:, self.order]))
        self.factor = torch.linalg.cholesky(inverse, upper=True)
        self.error = float(self.factor.diagonal().square().reciprocal().sum()) / 12
        places = {int(number): i for i, number in enumerate(self.order)}
        self.others = [None if (other := pairs.other(int(i))) is None else places[other] for i in self.order]

    def of(self, weight: Tensor) -> Tensor:
        """Round weights, (outputs, k) float64 in units of the whole numbers."""
        left, factor = weight[:, self.order].clone(), self.factor
        whole = torch.zeros_like(left)
        for first in range(0, left.shape[1], _AT_ONCE):
            end = min(first + _AT_ONCE, left.shape[1])
            errors = torch.empty(len(left), end - first, dtype=left.dtype)
            for i in range(first, end):
                whole[:, i] = torch.clamp(torch.round(left[:, i]), *self._limits(whole, i))
                error = (left[:, i] - whole[:, i]) / factor[i, i]
                left[:, i:end] -= error[:, None] * factor[i, i:end]
                errors[:, i - first] = error
            left[:, end:] -= errors @ factor[first:end, end:]
        return whole[:, torch.argsort(self.order)]

    def _limits(self, whole: Tensor, i: int) -> tuple[Tensor, Tensor]:
        """Return how small and how large the i-th weight may be, by the other one of its pair; 0 if not yet rounded."""
        other = self.others[i]
        beside = torch.zeros_like(whole[:, i]) if other is None else whole[:, other]
        largest = torch.clamp(LARGEST_PAIR - F.relu(beside), max=LARGEST_WEIGHT)
        return -torch.clamp(LARGEST_PAIR - F.relu(-beside), max=LARGEST_WEIGHT), largest


_AT_ONCE = 128
"""Weights after whose rounding those that are still to be rounded are changed."""
