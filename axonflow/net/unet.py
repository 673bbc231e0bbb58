"""The U-Nets of AxonDeepSeg (Zaimi, Wabartha, Herman, Antonsanti, Perone & Cohen-Adad, Sci. Rep. 8:3816, 2018).

::

    1 ─ block 16 ──────────────── skip ──────────────── block 16 ─ 1×1 → classes
          └ down ─ block 32 ───── skip ───── block 32 ─ up
                     └ down ─ block 64 ─ skip ─ block 64 ─ up
                                └ down ─ block 128 ─ skip ─ block 128 ─ up
                                           └───── down ────── up ┘

The SEM network has three convolutions a block (1,953,219 parameters with the paper's three classes), the TEM network
two (1,552,387).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from axonflow.kernel.classes import AXON_MYELIN
from axonflow.kernel.grid import Box
from axonflow.net.architecture import Architecture

__all__ = ["UNet", "doubled_reproducibly"]


class Conv(nn.Sequential):
    """Convolution without bias → batch norm → ReLU; padded as "same" is in TensorFlow, one more after than before."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        before, after = (kernel - stride) // 2, (kernel - stride + 1) // 2
        pad: nn.Module = nn.Identity()
        if before != after:
            pad = nn.ZeroPad2d((before, after, before, after))
            before = 0
        super().__init__(
            pad,
            nn.Conv2d(inputs, outputs, kernel, stride, padding=before, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )


class Block(nn.Sequential):
    """Several convolutions of one kernel, each followed by dropout."""

    def __init__(self, inputs: int, outputs: int, kernel: int, convolutions: int, dropout: float) -> None:
        steps: list[nn.Module] = []
        for i in range(convolutions):
            steps += [Conv(inputs if i == 0 else outputs, outputs, kernel), nn.Dropout(dropout)]
        super().__init__(*steps)


class UNet(nn.Module):
    """One of the paper's networks.

    Parameters
    ----------
    architecture : Architecture
    dropout : float
        Share of the activations left out in training.
    classes : int
        How many there are to tell apart; the paper's networks have three.
    """

    def __init__(self, architecture: Architecture, dropout: float = 0.25, classes: int = len(AXON_MYELIN)) -> None:
        super().__init__()
        features, n = architecture.features, architecture.convolutions
        inputs = (1, *features[:-1])
        deeper = (*features[1:], features[-1])
        kernels = (5, *(3 for _ in features[1:]))
        self.encode = nn.ModuleList(
            Block(i, f, k, n, dropout) for i, f, k in zip(inputs, features, kernels, strict=True)
        )
        self.down = nn.ModuleList(Conv(f, f, 5, stride=2) for f in features)
        self.up = nn.ModuleList(Conv(d, f, 2) for d, f in zip(deeper, features, strict=True))
        self.decode = nn.ModuleList(Block(2 * f, f, k, n, dropout) for f, k in zip(features, kernels, strict=True))
        self.head: nn.Module = nn.Conv2d(features[0], classes, 1)

        self.doubled: Callable[[Tensor], Tensor] = _doubled
        self.margin = tuple(n * (kernel // 2) for kernel in kernels)

    def forward(self, x: Tensor, part: Box | None = None) -> Tensor:
        """Return class scores before the softmax.

        Parameters
        ----------
        x : (n, 1, h, w) Tensor
            Normalised windows; h and w are multiples of the stride.
        part : Box, optional
            Of the windows; the scores are asked for there alone. Nothing else is computed on the way up, where most
            of the work is done.

        Returns
        -------
        (n, classes, h, w) Tensor
        """
        skips: list[Tensor] = []
        for encode, down in zip(self.encode, self.down, strict=True):
            skips.append(encode(x))
            x = down(skips[-1])  # (n, f, h/2, w/2)
        seen, deepest = self._needed(part, [_shape(skip) for skip in skips])
        wanted, there = deepest, Box.whole(_shape(x))
        for up, decode, skip, (above, around) in zip(
            reversed(self.up), reversed(self.decode), reversed(skips), reversed(seen), strict=True
        ):
            x = up(self.doubled(_cut(x, wanted.relative_to(there))))  # (n, f, h, w)
            there = Box(2 * wanted.y0, 2 * wanted.x0, 2 * wanted.y1, 2 * wanted.x1)
            x = decode(torch.cat([skip[:, :, *around.slices], x[:, :, *around.relative_to(there).slices]], dim=1))
            wanted, there = above, around
        out: Tensor = self.head(x[:, :, *wanted.relative_to(there).slices])
        return out

    def _needed(self, part: Box | None, shapes: list[tuple[int, int]]) -> tuple[list[tuple[Box, Box]], Box]:
        """Return what is needed of every level on the way up, what its convolutions must see of it, and of the deepest.

        Interpolation looks one pixel back and ahead, the 2 × 2 convolution after it another one ahead.
        """
        seen: list[tuple[Box, Box]] = []
        wanted = part or Box.whole(shapes[0])
        for margin, shape in zip(self.margin, shapes, strict=True):
            around = wanted.grow(margin, shape)
            seen.append((wanted, around))
            below = Box(around.y0 // 2 - 1, around.x0 // 2 - 1, around.y1 // 2 + 2, around.x1 // 2 + 2)
            wanted = below & Box(0, 0, shape[0] // 2, shape[1] // 2)
        return seen, wanted


def _cut(maps: Tensor, part: Box) -> Tensor:
    """Cut maps; of those that are not contiguous torch interpolates in another way, and rounds otherwise."""
    if part == Box.whole(_shape(maps)):
        return maps
    return maps[:, :, *part.slices].contiguous(memory_format=torch.channels_last)


def _doubled(maps: Tensor) -> Tensor:
    """Interpolate maps bilinearly to twice their sides, the middles of pixels staying where they are."""
    if not (maps.is_cuda and torch.are_deterministic_algorithms_enabled()):
        doubled: Tensor = F.interpolate(maps, scale_factor=2.0, mode="bilinear", align_corners=False)
        return doubled
    return doubled_reproducibly(maps)  # torch's own way to do so sorts all pixels on the way back: far slower


def doubled_reproducibly(maps: Tensor) -> Tensor:
    """Do the same by sums alone, whose gradient comes out the same each time on a GPU too: for training there."""
    for axis in (2, 3):
        last = maps.shape[axis] - 1
        before = torch.cat([maps.narrow(axis, 0, 1), maps.narrow(axis, 0, last)], axis)
        after = torch.cat([maps.narrow(axis, 1, last), maps.narrow(axis, last, 1)], axis)
        maps = torch.stack([0.25 * before + 0.75 * maps, 0.75 * maps + 0.25 * after], axis + 1).flatten(axis, axis + 1)
    return maps.contiguous(memory_format=torch.channels_last)


def _shape(maps: Tensor) -> tuple[int, int]:
    return maps.shape[2], maps.shape[3]
