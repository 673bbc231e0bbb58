"""Layers of whole numbers on the processor or a GPU: computed as fast as it can, to the same bit everywhere.

oneDNN multiplies bytes in one step with all that follows. On processors without VNNI or AMX it adds up two products in
16 bits, which saturate with large weights side by side. So it is tried on each layer, with codes at which they would,
and taken only if all sums are right. In its place float32 computes, in which whole numbers up to 2²⁴ are exact, or
float64.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from axonflow.kernel.compiled import compiled
from axonflow.net.heads import ExactHead
from axonflow.net.integers import FIRST_CODES, LARGEST_CODE, IntegerLayer, IntegerNetwork, input_codes
from axonflow.net.unet import Conv, UNet

__all__ = ["ExactLayer", "doubled_by_torch", "doubled_codes", "put_integers_into"]

_TRIAL = 24
"""Side of the window on which a layer is tried, px."""


def put_integers_into(net: UNet, integers: IntegerNetwork, where: torch.device) -> ExactHead:
    """Have a network compute whole numbers.

    Parameters
    ----------
    net : UNet
        Whose layers are replaced; what it was before does not matter.
    integers : IntegerNetwork
    where : torch.device

    Returns
    -------
    ExactHead
        From the network's maps to the probability of each class.

    Raises
    ------
    LookupError, RuntimeError, ValueError
        If it has other layers.
    """
    convolutions = {name: module for name, module in net.named_modules() if isinstance(module, Conv)}
    if convolutions.keys() != integers.layers.keys():
        raise ValueError("the layers of this architecture were expected, others came")
    first, last = "encode.0.0", [name for name in convolutions if name.startswith("decode.0.")][-1]
    for name, module in convolutions.items():
        convolution, layer = module[1], integers.layers[name]
        assert isinstance(convolution, nn.Conv2d)
        wanted = torch.Size((convolution.out_channels, convolution.in_channels, *convolution.kernel_size))
        if layer.weight.shape != wanted:
            raise ValueError(f"weights of {tuple(wanted)} were expected in {name}, {layer.weight.shape} came")
        padding, stride = int(convolution.padding[0]), convolution.stride[0]
        if name == first:
            layer = replace(layer, weight=np.repeat(layer.weight, FIRST_CODES, axis=1))
            module[1] = nn.Sequential(_Unpacked(padding), ExactLayer(layer, stride, 0, where))
        else:
            module[1] = ExactLayer(layer, stride, padding, where, sums=name == last)
        module[2], module[3] = nn.Identity(), nn.Identity()
    for up in net.up:
        assert isinstance(up, Conv)
        up[0] = nn.Identity()  # doubled maps have their padding
    net.doubled = doubled_codes
    net.head = nn.Identity()
    return ExactHead(integers.head, integers.head_bias).to(where)


class _Unpacked(nn.Module):
    """Grey codes, side by side in a number of 64 bits, to maps of one code each, with mean grey around them."""

    def __init__(self, padding: int) -> None:
        super().__init__()
        self.padding = padding
        self.grey = int(input_codes(np.zeros(1, np.float32))[0])

    def forward(self, packed: Tensor) -> Tensor:
        n, _, h, w = packed.shape
        p = self.padding
        around = torch.full((n, h + 2 * p, w + 2 * p), self.grey, dtype=torch.int64, device=packed.device)
        around[:, p : p + h, p : p + w] = packed[:, 0]
        return around.view(torch.uint8).view(n, h + 2 * p, w + 2 * p, FIRST_CODES).permute(0, 3, 1, 2)


def doubled_codes(maps: Tensor) -> Tensor:
    """Interpolate codes bilinearly: (9a + 3b + 3c + d) / 16, halves rounded up.

    Parameters
    ----------
    maps : (n, c, h, w) uint8

    Returns
    -------
    (n, c, 2·h + 1, 2·w + 1) uint8
        With the row and column of zeros after it that the next convolution wants.
    """
    if maps.device.type != "cpu":
        return doubled_by_torch(maps)
    n, c, h, w = maps.shape
    doubled = torch.empty((n, 2 * h + 1, 2 * w + 1, c), dtype=torch.uint8)
    _double(maps.permute(0, 2, 3, 1).numpy(), np.empty((w + 3, c), np.uint16), doubled.numpy())
    return doubled.permute(0, 3, 1, 2)


def doubled_by_torch(maps: Tensor) -> Tensor:
    """Do the same on a GPU."""
    codes = maps.permute(0, 2, 3, 1).to(torch.int16)
    for axis in (1, 2):
        last = codes.shape[axis] - 1
        before = torch.cat([codes.narrow(axis, 0, 1), codes.narrow(axis, 0, last)], axis)
        after = torch.cat([codes.narrow(axis, 1, last), codes.narrow(axis, last, 1)], axis)
        codes = torch.stack([3 * codes + before, 3 * codes + after], axis + 1).flatten(axis, axis + 1)
    return F.pad((codes + 8) >> 4, (0, 0, 0, 1, 0, 1)).to(torch.uint8).permute(0, 3, 1, 2)


@compiled
def _double(codes: NDArray[np.uint8], rows: NDArray[np.uint16], doubled: NDArray[np.uint8]) -> None:
    """Interpolate (n, h, w, c) codes; channels, which lie side by side, go by vectors."""
    n, h, w, c = codes.shape
    sums, tall = rows[0], rows[1:]
    for i in range(n):
        for y in range(2 * h):
            near, far = codes[i, y // 2], codes[i, min(max(y // 2 + y % 2 * 2 - 1, 0), h - 1)]
            for x in range(w + 2):
                at = min(max(x - 1, 0), w - 1)
                for k in range(c):
                    tall[x, k] = 3 * np.uint16(near[at, k]) + far[at, k]  # also right where nothing is compiled
            for x in range(2 * w):
                beside, here = tall[x // 2 + x % 2 * 2], tall[x // 2 + 1]
                for k in range(c):
                    sums[k] = 3 * here[k] + beside[k] + 8
                for k in range(c):
                    doubled[i, y, x, k] = sums[k] >> 4
            for k in range(c):
                doubled[i, y, 2 * w, k] = 0
        for x in range(2 * w + 1):
            for k in range(c):
                doubled[i, 2 * h, x, k] = 0


class ExactLayer(nn.Module):
    """One layer: codes (n, inputs, h, w) uint8 → codes (n, outputs, h, w) uint8, or float32 if its sums are wanted.

    Parameters
    ----------
    layer : IntegerLayer
    stride, padding : int
        Around the maps there are zeros.
    where : torch.device
    sums : bool
        Whether the divided sums above 0 are returned as they are.

    Attributes
    ----------
    way : callable
        The fastest of the ways below that is exact here.
    """

    def __init__(
        self, layer: IntegerLayer, stride: int, padding: int, where: torch.device, *, sums: bool = False
    ) -> None:
        super().__init__()
        self.stride, self.padding = stride, padding
        self.returned = torch.float32 if sums else torch.uint8
        wide = torch.float32 if layer.largest_sum < 2**24 else torch.float64
        weight = torch.tensor(layer.weight)
        self.scale = torch.tensor(0.5**layer.shift, dtype=torch.float32, device=where)
        self.added = torch.tensor(layer.bias, dtype=wide, device=where)
        self.taps = weight.permute(2, 3, 1, 0).to(where, wide)  # (k, k, inputs, outputs)
        self.bias = self.added.float() * self.scale  # less than 24 bits and a power of two: exact
        self.zero = torch.zeros(len(weight), dtype=torch.int32)
        self.divided = self.scale[:, None, None, None] * weight.to(where)
        self.way = self._fastest(weight) if where.type == "cpu" and _has_onednn() else self.by_taps

    def _fastest(self, weight: Tensor) -> Callable[[Tensor], Tensor]:
        """Return the first way whose sums are right; oneDNN may have none for this processor."""
        with suppress(RuntimeError):
            self.packed = torch.ops.onednn.qconv_prepack(
                weight, self.scale, 1.0, 0, [self.stride] * 2, [self.padding] * 2, [1, 1], 1, None
            )
            if self._is_exact(self.by_bytes, self._sums_by_bytes):
                return self.by_bytes
        with suppress(RuntimeError):
            if self.taps.dtype == torch.float32 and self._is_exact(self.by_floats, self._sums_by_floats):
                return self.by_floats
        return self.by_taps

    def _is_exact(self, way: Callable[[Tensor], Tensor], sums: Callable[[Tensor], Tensor]) -> bool:
        """Try a way, and its sums, on codes that reveal what is not exact: the largest, and some at random.

        Sums are looked at as they are, as what is cut off in them seldom shows in the codes that come of them: any two
        products that 16 bits do not hold make the sums of the largest codes others.
        """
        shape = (1, _TRIAL, _TRIAL, self.taps.shape[2])
        random = np.random.default_rng(0).integers(0, LARGEST_CODE + 1, shape, np.uint8)
        extreme = np.where(random > LARGEST_CODE // 2, np.uint8(LARGEST_CODE), np.uint8(0))
        for each in (np.full_like(random, LARGEST_CODE), extreme, random):
            codes = torch.from_numpy(each).permute(0, 3, 1, 2)
            right = self._sums_by_taps(codes)
            if not (torch.equal(sums(codes), right.float()) and torch.equal(way(codes), self._finished(right))):
                return False
        return True

    def forward(self, codes: Tensor) -> Tensor:
        """Compute in the fastest way that is exact here."""
        return self.way(codes)

    def by_bytes(self, codes: Tensor) -> Tensor:
        """Compute by oneDNN, in one step."""
        return self._convolved_bytes(codes, self.scale, self.bias, self.returned, "relu")

    def _sums_by_bytes(self, codes: Tensor) -> Tensor:
        return self._convolved_bytes(codes, torch.ones_like(self.scale), None, torch.float32, "none")

    def _convolved_bytes(
        self, codes: Tensor, scale: Tensor, bias: Tensor | None, returned: torch.dtype, then: str
    ) -> Tensor:
        stride, padding = [self.stride] * 2, [self.padding] * 2
        out: Tensor = torch.ops.onednn.qconv2d_pointwise(
            codes, 1.0, 0, self.packed, scale, self.zero, bias,
            stride, padding, [1, 1], 1, 1.0, 0, returned, then, [], "",
        )  # fmt: skip
        return out

    def by_floats(self, codes: Tensor) -> Tensor:
        """Compute by oneDNN in float32, with weights that are already divided: by a power of two, so exactly."""
        return self._rounded(self._convolved_floats(codes, self.bias, "relu"))

    def _sums_by_floats(self, codes: Tensor) -> Tensor:
        return self._convolved_floats(codes, None, "none") / self.scale[:, None, None]

    def _convolved_floats(self, codes: Tensor, bias: Tensor | None, then: str) -> Tensor:
        stride, padding = [self.stride] * 2, [self.padding] * 2
        out: Tensor = torch.ops.mkldnn._convolution_pointwise(
            codes.float(), self.divided, bias, padding, stride, [1, 1], 1, then, [], ""
        )
        return out

    def by_taps(self, codes: Tensor) -> Tensor:
        """Compute as matrix products, one for each place of the kernel: no library transforms what it multiplies."""
        return self._finished(self._sums_by_taps(codes))

    def _sums_by_taps(self, codes: Tensor) -> Tensor:
        k, s = len(self.taps), self.stride
        maps = F.pad(codes, [self.padding] * 4).permute(0, 2, 3, 1)  # (n, h, w, inputs)
        h, w = ((side - k) // s + 1 for side in maps.shape[1:3])
        sums = self.taps.new_zeros(len(maps), h, w, self.taps.shape[3])
        for y in range(k):
            for x in range(k):
                seen = maps[:, y : y + s * (h - 1) + 1 : s, x : x + s * (w - 1) + 1 : s]
                sums += seen.to(sums.dtype) @ self.taps[y, x]
        return sums.permute(0, 3, 1, 2)

    def _finished(self, sums: Tensor) -> Tensor:
        return self._rounded(F.relu_((sums + self.added[:, None, None]).mul_(self.scale[:, None, None])))

    def _rounded(self, divided: Tensor) -> Tensor:
        if self.returned == torch.uint8:
            divided = divided.round_().clamp_(max=LARGEST_CODE)
        return divided.to(self.returned)


def _has_onednn() -> bool:
    """Return whether torch offers oneDNN's convolutions here; it keeps them for its own compiler."""
    there = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]  # torch's
    bytewise = all(hasattr(torch.ops.onednn, name) for name in ("qconv_prepack", "qconv2d_pointwise"))
    return there and bytewise and hasattr(torch.ops.mkldnn, "_convolution_pointwise")
