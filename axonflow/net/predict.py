"""Class probabilities of windows, in the best precision that the processor or the GPU offers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache, partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from axonflow.grid import Box, ceil_to
from axonflow.net.batches import Batches
from axonflow.net.checkpoint import Checkpoint, Precision
from axonflow.net.device import Device, computing_device, faults
from axonflow.net.lattice import Lattice
from axonflow.net.normalise import grey_codes
from axonflow.net.unet import Conv

__all__ = ["PLANES", "LoadedNetwork", "Predictor", "load_network"]

PLANES = ("class", "confidence", "background", "myelin", "axon")
"""What is predicted of every pixel: its class, the maximum class probability, and the probability of each class."""


@dataclass(frozen=True, slots=True)
class Predictor:
    """A checkpoint at work on one slide.

    Parameters
    ----------
    checkpoint : Checkpoint
    lattice : Lattice
    precision : str
        Of the convolutions; the softmax is always float32.
    device : Device
        What computes: the GPU of this process, or the processor if it has none.

    Notes
    -----
    The processor computes one window after the other. A GPU computes batches of windows of equal shape
    (:mod:`axonflow.net.batches`). There results may depend, in the last bits, on the kind of GPU and on the size of
    its batches, but not on which windows share a batch: each is filled up to the same size.
    """

    checkpoint: Checkpoint
    lattice: Lattice
    precision: Precision
    device: Device = field(default_factory=computing_device)

    def probabilities(
        self, core: Box, pixels: NDArray[np.generic], have: Box, table: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], Box]:
        """Predict one core of the lattice.

        Parameters
        ----------
        core : Box
        pixels : (h, w) uint8, uint16 or float32
            Pixels that hold the core with its halo.
        have : Box
            Where they lie.
        table : (65536,) float32
            The slide's normalisation, of :func:`axonflow.net.normalise.lookup_table`.

        Returns
        -------
        shares : (3, h, w) float32
            Probability of each class over the whole window, halo included.
        inner : Box
            Where the core lies in it.

        Raises
        ------
        DeviceError
            If the GPU fails, or has no memory for a single window.
        """
        window, inner = self.lattice.window(core, pixels, have)
        with faults():
            net = load_network(self.checkpoint, self.precision, self.device)
            work = partial(net.shares, net.table(table), Box.whole((window.shape[0], window.shape[1])))
            (shares,) = net.batches.through(work, grey_codes, [window])
        return shares, inner

    def predict(
        self,
        pixels: NDArray[np.generic],
        have: Box,
        box: Box,
        table: NDArray[np.float32],
        out: NDArray[np.uint8] | None = None,
    ) -> NDArray[np.uint8]:
        """Predict every core of the lattice in a box.

        Parameters
        ----------
        pixels, have, table
            As for :meth:`probabilities`.
        box : Box
            Cut along the lattice.
        out : (n, h, w) uint8, optional
            To be filled with the first n planes, at least two; a new array of all if left out.

        Returns
        -------
        (n, h, w) uint8
            :data:`PLANES`; probabilities in 255ths.

        Raises
        ------
        DeviceError
            If the GPU fails, or has no memory for a single window.
        """
        out = np.empty((len(PLANES), *box.shape), np.uint8) if out is None else out

        def cut(core: Box) -> NDArray[np.uint16]:
            return grey_codes(self.lattice.window(core, pixels, have)[0])

        with faults():
            net = load_network(self.checkpoint, self.precision, self.device)
            codes = net.table(table)
            for alike in _of_one_shape(self.lattice.cores(box)):
                _, inner = self.lattice.window(alike[0], pixels, have)
                work = partial(net.planes, codes, inner, len(out))
                done = net.batches.through(work, cut, alike)
                for core, planes in zip(alike, done, strict=True):
                    out[:, *core.relative_to(box).slices] = planes
        return out


def _of_one_shape(cores: Iterable[Box]) -> list[list[Box]]:
    """Part cores by their shape, which is also what tells the shapes of their windows."""
    parts: dict[tuple[int, int], list[Box]] = {}
    for core in cores:
        parts.setdefault(core.shape, []).append(core)
    return list(parts.values())


class _HeadInFull(nn.Module):
    """The last 1×1 convolution in float32, added up feature by feature.

    In 8 bits of mantissa classes would tie, and a library's convolution adds up in an order that depends on the number
    of threads: probabilities would depend on who computes them.
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, head: nn.Conv2d) -> None:
        super().__init__()
        assert head.bias is not None
        self.register_buffer("weight", head.weight.detach().float().moveaxis(0, 1))  # (features, 3, 1, 1)
        self.register_buffer("bias", head.bias.detach().float().reshape(-1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        scores = self.bias.repeat(len(x), 1, *x.shape[2:])
        term = torch.empty_like(scores)
        for feature, weight in zip(x.contiguous().unbind(1), self.weight, strict=True):
            scores += torch.mul(weight, feature[:, None].float(), out=term)  # (3, 1, 1) × (n, 1, h, w)
        return scores


@dataclass(frozen=True, slots=True)
class LoadedNetwork:
    """A network ready for prediction, on its device.

    Attributes
    ----------
    features : nn.Module
        All but the head, batch norm folded into the convolutions; in the precision of ``dtype``.
    head : nn.Module
    dtype : torch.dtype
    batches : Batches
    """

    features: nn.Module
    head: nn.Module
    dtype: torch.dtype
    batches: Batches

    def table(self, table: NDArray[np.float32]) -> Tensor:
        """Bring a normalisation to the device."""
        return torch.tensor(table).to(self.batches.device.where, self.dtype)

    @torch.inference_mode()
    def shares(self, table: Tensor, part: Box, codes: Tensor) -> Tensor:
        """Return the probability of each class in a part of windows, (n, 3, h, w) float32; codes are (n, h, w)."""
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
            images = table.index_select(0, codes.flatten()).view(len(codes), 1, *codes.shape[1:])
            features = self.features(images.to(memory_format=torch.channels_last))
            return torch.softmax(self.head(features[:, :, *part.slices]), dim=1)

    @torch.inference_mode()
    def planes(self, table: Tensor, inner: Box, count: int, codes: Tensor) -> Tensor:
        """Return the first of :data:`PLANES` of the cores in windows, (n, count, h, w) uint8."""
        (y, x), (h, w) = (inner.y0, inner.x0), inner.shape
        # Whole vectors of the processor: the exponentials of what is left over are rounded in another way.
        vectors = Box(y, x, y + ceil_to(h, _VECTOR), x + ceil_to(w, _VECTOR))
        shares = self.shares(table, vectors, codes)[:, :, :h, :w]
        out = torch.zeros((len(codes), count, h, w), dtype=torch.uint8, device=codes.device)
        top = shares[:, 0]
        for i in range(1, shares.shape[1]):
            out[:, 0].masked_fill_(shares[:, i] > top, i)  # of equals the first, as argmax has it
            top = torch.maximum(top, shares[:, i])
        out[:, 1] = torch.round(top * 255)
        out[:, 2:] = torch.round(shares[:, : count - 2] * 255)
        return out


_VECTOR = 16
"""Numbers of float32 in the widest register of a processor; a divisor of the network's stride."""


@lru_cache(maxsize=2)
def load_network(checkpoint: Checkpoint, precision: Precision, device: Device) -> LoadedNetwork:
    """Load a network once per process."""
    net = checkpoint.network()
    for module in net.modules():
        if isinstance(module, Conv):
            _, convolution, norm, _ = module
            assert isinstance(convolution, nn.Conv2d)
            assert isinstance(norm, nn.BatchNorm2d)
            module[1], module[2] = fuse_conv_bn_eval(convolution, norm), nn.Identity()
    assert isinstance(net.head, nn.Conv2d)
    head, net.head = _HeadInFull(net.head).to(device.where), nn.Identity()
    dtype: torch.dtype = getattr(torch, precision)
    net.to(device.where, dtype)
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs do not know it
    return LoadedNetwork(net, head, dtype, Batches(device))
