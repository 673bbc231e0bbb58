"""The U-Nets of AxonDeepSeg (Zaimi, Wabartha, Herman, Antonsanti, Perone & Cohen-Adad, Sci. Rep. 8:3816, 2018).

::

    1 ─ block 16 ──────────────── skip ──────────────── block 16 ─ 1×1 → 3 classes
          └ down ─ block 32 ───── skip ───── block 32 ─ up
                     └ down ─ block 64 ─ skip ─ block 64 ─ up
                                └ down ─ block 128 ─ skip ─ block 128 ─ up
                                           └───── down ────── up ┘

The SEM network has three convolutions a block (1,953,219 parameters), the TEM network two (1,552,387).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from axonflow.net.architecture import Architecture

__all__ = ["UNet"]


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
    """

    def __init__(self, architecture: Architecture, dropout: float = 0.25) -> None:
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
        self.head: nn.Module = nn.Conv2d(features[0], 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return class scores before the softmax.

        Parameters
        ----------
        x : (n, 1, h, w) Tensor
            Normalised windows; h and w are multiples of the stride.

        Returns
        -------
        (n, 3, h, w) Tensor
            Scores of background, myelin and axon.
        """
        skips: list[Tensor] = []
        for encode, down in zip(self.encode, self.down, strict=True):
            skips.append(encode(x))
            x = down(skips[-1])  # (n, f, h/2, w/2)
        for up, decode, skip in zip(reversed(self.up), reversed(self.decode), reversed(skips), strict=True):
            x = up(F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False))  # (n, f, h, w)
            x = decode(torch.cat([skip, x], dim=1))
        out: Tensor = self.head(x)
        return out
