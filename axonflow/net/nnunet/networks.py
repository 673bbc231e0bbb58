"""The U-Nets of nnU-Net in torch, with its names for their parameters, so that its weights load strictly.

Isensee, Jaeger, Kohl, Petersen & Maier-Hein, Nat. Methods 18:203, 2021; residual encoders: MICCAI 2024::

    features[0] ─ block ───────────────── skip ───────────────── block ─ 1×1 → classes
                    └ strided block ───── skip ───── block ─ transposed convolution
                          └ … ─ strided block ─ transposed convolution

nnU-Net's checkpoints hold more: the same weights under further names, and heads at lower resolutions for its training.
:func:`own` drops both.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn

from axonflow.net.nnunet.plan import Layers

__all__ = ["build", "own"]

Pair = tuple[int, int]


class NormedConv(nn.Module):
    """Convolution → instance norm."""

    def __init__(
        self, layers: Layers, inputs: int, outputs: int, kernel: Pair, stride: Pair = (1, 1), *, bias: bool
    ) -> None:
        super().__init__()
        padding = ((kernel[0] - 1) // 2, (kernel[1] - 1) // 2)
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=bias)
        self.norm = nn.InstanceNorm2d(outputs, eps=layers.epsilon, affine=layers.affine)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.norm(self.conv(x))
        return out


class ActiveConv(NormedConv):
    """Convolution → instance norm → leaky ReLU."""

    def __init__(self, layers: Layers, inputs: int, outputs: int, kernel: Pair, stride: Pair = (1, 1)) -> None:
        super().__init__(layers, inputs, outputs, kernel, stride, bias=layers.bias)
        self.nonlin = nn.LeakyReLU(layers.slope, inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.nonlin(super().forward(x))
        return out


class Convs(nn.Module):
    """Convolutions one after the other, of which the first may make the image smaller."""

    def __init__(self, layers: Layers, n: int, inputs: int, outputs: int, kernel: Pair, stride: Pair = (1, 1)) -> None:
        super().__init__()
        self.convs = nn.Sequential(
            ActiveConv(layers, inputs, outputs, kernel, stride),
            *(ActiveConv(layers, outputs, outputs, kernel) for _ in range(n - 1)),
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.convs(x)
        return out


class Residual(nn.Module):
    """Two convolutions, to which their input is added: averaged and projected to their shape if it has another."""

    def __init__(self, layers: Layers, inputs: int, outputs: int, kernel: Pair, stride: Pair) -> None:
        super().__init__()
        self.conv1 = ActiveConv(layers, inputs, outputs, kernel, stride)
        self.conv2 = NormedConv(layers, outputs, outputs, kernel, bias=layers.bias)
        around: list[nn.Module] = []
        if stride != (1, 1):
            around.append(nn.AvgPool2d(stride, stride))
        if inputs != outputs:
            around.append(NormedConv(layers, inputs, outputs, (1, 1), bias=False))
        self.skip = nn.Sequential(*around)
        self.nonlin2 = nn.LeakyReLU(layers.slope, inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        around = self.skip(x)
        total: Tensor = self.conv2(self.conv1(x))
        total += around
        out: Tensor = self.nonlin2(total)
        return out


class Residuals(nn.Module):
    """Residual blocks one after the other, of which the first may make the image smaller."""

    def __init__(self, layers: Layers, n: int, inputs: int, outputs: int, kernel: Pair, stride: Pair) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            Residual(layers, inputs, outputs, kernel, stride),
            *(Residual(layers, outputs, outputs, kernel, (1, 1)) for _ in range(n - 1)),
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.blocks(x)
        return out


class Encoder(nn.Module):
    """The way down: what each level saw."""

    def __init__(self, layers: Layers, channels: int) -> None:
        super().__init__()
        first = layers.features[0] if layers.residual else channels
        self.stem: nn.Module = nn.Identity()
        if layers.residual:
            self.stem = Convs(layers, 1, channels, first, layers.kernels[0])
        levels = zip(
            layers.encoder,
            pairwise((first, *layers.features)),
            layers.kernels,
            layers.strides,
            strict=True,
        )
        self.stages = nn.Sequential(
            *(
                Residuals(layers, n, inputs, outputs, kernel, stride)
                if layers.residual
                else nn.Sequential(Convs(layers, n, inputs, outputs, kernel, stride))
                for n, (inputs, outputs), kernel, stride in levels
            )
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.stem(x)
        seen: list[Tensor] = []
        for stage in self.stages:
            x = stage(x)
            seen.append(x)
        return seen


class Decoder(nn.Module):
    """The way up, the deepest level first; of nnU-Net's heads the one at full resolution."""

    def __init__(self, layers: Layers, classes: int) -> None:
        super().__init__()
        levels = [*zip(pairwise(reversed(layers.features)), reversed(layers.strides[1:]), strict=True)]
        self.transpconvs = nn.ModuleList(
            nn.ConvTranspose2d(below, skip, stride, stride, bias=layers.bias) for (below, skip), stride in levels
        )
        self.stages = nn.ModuleList(
            Convs(layers, n, 2 * skip, skip, kernel)
            for n, ((_, skip), _), kernel in zip(layers.decoder, levels, reversed(layers.kernels[:-1]), strict=True)
        )
        self.seg_layers = nn.ModuleDict({str(len(levels) - 1): nn.Conv2d(layers.features[0], classes, 1)})

    def forward(self, seen: list[Tensor]) -> Tensor:
        *skips, x = seen
        for up, stage in zip(self.transpconvs, self.stages, strict=True):
            x = stage(torch.cat((up(x), skips.pop()), 1))
        (head,) = self.seg_layers.values()
        out: Tensor = head(x)
        return out


class EncoderDecoder(nn.Module):
    """An nnU-Net, for prediction alone."""

    def __init__(self, layers: Layers, channels: int, classes: int) -> None:
        super().__init__()
        self.encoder = Encoder(layers, channels)
        self.decoder = Decoder(layers, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return class scores before the softmax.

        Parameters
        ----------
        x : (n, channels, h, w) Tensor
            Normalised windows; their sides are multiples of the product of all strides.

        Returns
        -------
        (n, classes, h, w) Tensor
        """
        out: Tensor = self.decoder(self.encoder(x))
        return out


def build(layers: Layers, channels: int, classes: int) -> nn.Module:
    """Return the network of a plan, with weights that nobody has trained, ready for prediction.

    Parameters
    ----------
    layers : Layers
    channels : int
        Of the image.
    classes : int
        Beside each other in the output, the background among them.

    Returns
    -------
    nn.Module
        (n, channels, h, w) float32 → (n, classes, h, w) logits.
    """
    return EncoderDecoder(layers, channels, classes).eval()


def own(weights: Mapping[str, Tensor], layers: Layers) -> dict[str, Tensor]:
    """Return the weights of an nnU-Net checkpoint that :func:`build`'s network has, by the names that both give them.

    What is left out are second names of the same weights (``decoder.encoder.…``, ``….all_modules.…``) and the heads
    that only training uses.
    """
    head = f"decoder.seg_layers.{len(layers.features) - 2}."
    return {
        name: values
        for name, values in weights.items()
        if not name.startswith("decoder.encoder.")
        and ".all_modules." not in name
        and (not name.startswith("decoder.seg_layers.") or name.startswith(head))
    }
