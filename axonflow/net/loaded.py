"""A network ready for prediction: loaded once per process, folded and fused for what computes it.

What is folded and fused changes no bit of the result: batch norm goes into the convolutions before they are rounded,
and on the processor a convolution and its ReLU are one step of oneDNN, which spares a pass over the feature maps.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from axonflow.errors import ModelError
from axonflow.kernel.grid import Box, ceil_to
from axonflow.net.batches import Batches
from axonflow.net.checkpoint import Checkpoint, Precision
from axonflow.net.device import Device, Processor
from axonflow.net.exact import doubled_codes, put_integers_into
from axonflow.net.heads import ExactHead, Head
from axonflow.net.integers import input_codes
from axonflow.net.statistics import Statistics
from axonflow.net.unet import Conv

__all__ = ["PLANES", "LoadedNetwork", "compile_loops", "keep_memory", "load_network"]

PLANES = ("class", "confidence")
"""What is predicted of every pixel: its class, the maximum class probability; then the probability of each class."""


class _Fused(nn.Module):
    """A convolution and its ReLU in one step of oneDNN; the sums are cut off at zero before they are rounded."""

    weight: Tensor
    bias: Tensor

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        assert convolution.bias is not None
        self.padding, self.stride = convolution.padding, convolution.stride
        self.register_buffer("weight", convolution.weight.detach())
        self.register_buffer("bias", convolution.bias.detach())

    def forward(self, x: Tensor) -> Tensor:
        return self._convolved(x, self.weight, self.bias)

    def _convolved(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        out: Tensor = torch.ops.mkldnn._convolution_pointwise(
            x, weight, bias, self.padding, self.stride, (1, 1), 1, "relu", [], ""
        )
        return out


class _Widened(_Fused):
    """A convolution of 16 bits and its ReLU on a processor that has none, added up in float32 all the same."""

    def forward(self, x: Tensor) -> Tensor:
        wide = x.float(), self.weight.float(), self.bias.float()
        if not _fuses(Processor()):
            return F.relu_(F.conv2d(*wide, self.stride, self.padding)).to(x.dtype)
        return self._convolved(*wide).to(x.dtype)


@dataclass(frozen=True, slots=True)
class LoadedNetwork:
    """A network ready for prediction, on its device.

    Attributes
    ----------
    features : nn.Module
        All but the head, batch norm folded into the convolutions; in the precision of ``dtype``.
    head : Head
        From features to the probability of each class.
    dtype : torch.dtype
        Of what the network sees.
    batches : Batches
    seen_as : callable
        From normalised greys to what the network sees.
    """

    features: nn.Module
    head: Head
    dtype: torch.dtype
    batches: Batches
    seen_as: Callable[[NDArray[np.float32]], NDArray[Any]] = np.asarray

    def table(self, table: NDArray[np.float32]) -> Tensor:
        """Bring a normalisation to the device."""
        return torch.tensor(self.seen_as(table)).to(self.batches.device.where, self.dtype)

    @torch.inference_mode()
    def shares(self, table: Tensor, part: Box, codes: Tensor) -> Tensor:
        """Return the probability of each class in a part of windows, (n, classes, h, w) float32, of codes (n, h, w)."""
        shares: Tensor = self.head(self._maps(table, part, codes))
        return shares

    @torch.inference_mode()
    def planes(self, table: Tensor, inner: Box, count: int, codes: Tensor) -> Tensor:
        """Return the first planes of a part of windows, (n, count, h, w) uint8; :data:`PLANES` and more."""
        h, w = inner.shape
        # Whole vectors of the processor: the exponentials of what is left over are rounded in another way.
        height, width = ceil_to(h, _VECTOR), ceil_to(w, _VECTOR)
        y, x = min(inner.y0, codes.shape[1] - height), min(inner.x0, codes.shape[2] - width)
        down, across = inner.relative_to(Box(y, x, y, x)).slices
        maps = self._maps(table, Box(y, x, y + height, x + width), codes)
        return self.head.planes(maps, count)[:, :, down, across]

    def _maps(self, table: Tensor, part: Box, codes: Tensor) -> Tensor:
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
            images = table.index_select(0, codes.flatten()).view(len(codes), 1, *codes.shape[1:])
            maps: Tensor = self.features(images.to(memory_format=torch.channels_last), part)
            return maps


_VECTOR = 16
"""Numbers of float32 in the widest register of a processor; a divisor of the network's stride."""


@lru_cache(maxsize=2)
def load_network(
    checkpoint: Checkpoint, precision: Precision, device: Device, statistics: Statistics | None = None
) -> LoadedNetwork:
    """Load a network once per process, with the statistics of its training or with others in their place."""
    if device.where.type == "cpu":
        keep_memory()
    net = checkpoint.network()
    if precision == "int8":
        assert statistics is None, "whole numbers are those of the training's statistics"
        try:
            head: Head = put_integers_into(net, checkpoint.integer_network(), device.where)
        except ValueError as error:
            raise ModelError(f"{checkpoint.integers_path} was expected to fit the model: {error}.") from error
        return LoadedNetwork(net, head, torch.int64, Batches(device), input_codes)
    if statistics is not None:
        statistics.put_into(net)
    for module in net.modules():
        if isinstance(module, Conv):
            _, convolution, norm, _ = module
            assert isinstance(convolution, nn.Conv2d)
            assert isinstance(norm, nn.BatchNorm2d)
            folded = fuse_conv_bn_eval(convolution, norm)
            module[1], module[2] = folded, nn.Identity()
            if device.where.type == "cpu" and not _computes(precision):  # of a store that was begun on another machine
                module[1], module[3] = _Widened(folded), nn.Identity()
            elif _fuses(device):
                module[1], module[3] = _Fused(folded), nn.Identity()
    assert isinstance(net.head, nn.Conv2d)
    assert net.head.bias is not None
    weight, bias = net.head.weight.detach().float().flatten(1).numpy(), net.head.bias.detach().float().numpy()
    head, net.head = Head(weight, bias).to(device.where), nn.Identity()
    dtype: torch.dtype = getattr(torch, precision)
    net.to(device.where, dtype)
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs do not know it
    return LoadedNetwork(net, head, dtype, Batches(device))


def compile_loops(precision: Precision) -> None:
    """Compile, or load, the loops that a network of a precision calls on the processor."""
    exact = precision == "int8"
    maps = torch.zeros((1, 2, 4, 4), dtype=torch.float32 if exact else getattr(torch, precision))
    maps = maps.to(memory_format=torch.channels_last)
    head = (ExactHead if exact else Head)(np.zeros((2, 2), np.float32), np.zeros(2, np.float32))
    head.planes(maps[:, :, 1:3, 1:3], 2)  # cut from more, as a window's are
    if exact:
        doubled_codes(maps.to(torch.uint8))


def _fuses(device: Device) -> bool:
    """Return whether torch offers oneDNN's fused convolutions here; it keeps them for its own compiler."""
    return (
        device.where.type == "cpu"
        and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]  # torch's
        and hasattr(torch.ops.mkldnn, "_convolution_pointwise")
    )


def _computes(precision: Precision) -> bool:
    """Return whether oneDNN convolves in a precision on this processor; what torch does by itself is far slower."""
    if precision == "float32":
        return True
    known = getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", None)
    return precision == "bfloat16" and (known is None or bool(known()))


def keep_memory() -> None:
    """Have glibc keep the memory of feature maps for the next ones.

    It would give it back to the system and get it anew with every layer, page by page and zeroed: 10,000 pages for a
    window of 576², 4 % of its time. Larger arrays than feature maps still go back as soon as they are let go of.
    """
    with suppress(OSError, AttributeError):  # not glibc
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(_MMAP_THRESHOLD, 2**25)
        libc.mallopt(_TRIM_THRESHOLD, 2**28)
        libc.mallopt(
            _TOP_PAD, 2**26
        )  # a thread's memory comes in heaps of as much, which would be given back one by one


_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
"""Names of glibc's settings, in its malloc.h."""
