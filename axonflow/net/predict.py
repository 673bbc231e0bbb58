"""Class probabilities of windows, in the best precision that the processor offers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from axonflow.grid import Box
from axonflow.net.checkpoint import Checkpoint, Precision
from axonflow.net.lattice import Lattice
from axonflow.net.normalise import grey_codes
from axonflow.net.unet import Conv, UNet

__all__ = ["PLANES", "Predictor", "best_precision"]

PLANES = ("class", "confidence", "background", "myelin", "axon")
"""What is predicted of every pixel: its class, the maximum class probability, and the probability of each class."""


def best_precision() -> Precision:
    """Return bfloat16 where the processor multiplies it in hardware, float16 on a GPU, else float32."""
    if torch.cuda.is_available():
        return "float16"
    features = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return "bfloat16" if features.get("avx512_bf16") or features.get("amx_bf16") else "float32"


@dataclass(frozen=True, slots=True)
class Predictor:
    """A checkpoint at work on one slide.

    Parameters
    ----------
    checkpoint : Checkpoint
    lattice : Lattice
    precision : str
        Of the convolutions; the softmax is always float32.
    """

    checkpoint: Checkpoint
    lattice: Lattice
    precision: Precision

    def probabilities(self, core: Box, pixels: NDArray[np.generic], have: Box, table: NDArray[np.float32]) -> _Shares:
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
        """
        window, inner = self.lattice.window(core, pixels, have)
        net, dtype, device = _network(self.checkpoint, self.precision)
        with torch.inference_mode():
            image = torch.from_numpy(table[grey_codes(window)])[None, None].to(device, dtype)
            scores = net(image.to(memory_format=torch.channels_last))
            shares: NDArray[np.float32] = torch.softmax(scores[0].float(), dim=0).cpu().numpy()
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
        """
        out = np.empty((len(PLANES), *box.shape), np.uint8) if out is None else out
        for core in self.lattice.cores(box):
            shares, inner = self.probabilities(core, pixels, have, table)
            shares = shares[:, *inner.slices]
            at = core.relative_to(box).slices
            out[0, *at] = np.argmax(shares, axis=0)
            out[1, *at] = np.rint(shares.max(axis=0) * 255)
            out[2:, *at] = np.rint(shares[: len(out) - 2] * 255)
        return out


_Shares = tuple[NDArray[np.float32], Box]


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
        scores = self.bias.repeat(1, *x.shape[2:])
        term = torch.empty_like(scores)
        for feature, weight in zip(x.contiguous().unbind(1), self.weight, strict=True):
            scores += torch.mul(weight, feature.float(), out=term)  # (3, 1, 1) × (1, h, w)
        return scores[None]


@lru_cache(maxsize=2)
def _network(checkpoint: Checkpoint, precision: Precision) -> tuple[UNet, torch.dtype, torch.device]:
    """Load a network once per process, with batch norm folded into the convolutions."""
    net = checkpoint.network()
    for module in net.modules():
        if isinstance(module, Conv):
            _, convolution, norm, _ = module
            assert isinstance(convolution, nn.Conv2d)
            assert isinstance(norm, nn.BatchNorm2d)
            module[1], module[2] = fuse_conv_bn_eval(convolution, norm), nn.Identity()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    dtype: torch.dtype = getattr(torch, precision)
    assert isinstance(net.head, nn.Conv2d)
    head, net.head = _HeadInFull(net.head), nn.Identity()
    net.to(device, dtype)
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs do not know it
    net.head = head.to(device)
    return net, dtype, device
