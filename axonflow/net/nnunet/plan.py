"""What an nnU-Net folder says of its network and of how it is to be run, without nnU-Net's own classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["NORMALISED", "Layers", "NnUNetPlan", "Normalisation"]

Normalisation = Literal["RescaleTo01Normalization", "ZScoreNormalization", "NoNormalization", "RGBTo01Normalization"]
"""nnU-Net's names for what is done to a channel's numbers before the network sees them."""

NORMALISED = "as nnU-Net's plan says, by the whole slide"
"""What a contract says of that."""


@dataclass(frozen=True, slots=True)
class Layers:
    """A 2-D U-Net of nnU-Net, as numbers.

    Attributes
    ----------
    residual : bool
        Residual blocks in the encoder (``ResidualEncoderUNet``), or plain ones (``PlainConvUNet``).
    features : tuple of int
        Channels at each level.
    kernels : tuple of (int, int)
        Sides of the convolutions at each level.
    strides : tuple of (int, int)
        By how much each level is smaller than the one before; (1, 1) at the first.
    encoder, decoder : tuple of int
        Convolutions (or residual blocks) at each level of the encoder, convolutions at each of the decoder; the
        decoder's deepest first.
    bias : bool
        Whether the convolutions have one.
    epsilon : float
        Of the instance norm.
    affine : bool
        Whether the instance norm scales and shifts.
    slope : float
        Of the leaky ReLU below zero.
    """

    residual: bool
    features: tuple[int, ...]
    kernels: tuple[tuple[int, int], ...]
    strides: tuple[tuple[int, int], ...]
    encoder: tuple[int, ...]
    decoder: tuple[int, ...]
    bias: bool
    epsilon: float
    affine: bool
    slope: float


@dataclass(frozen=True, slots=True)
class NnUNetPlan:
    """How an nnU-Net model is run.

    Attributes
    ----------
    layers : Layers
    patch : (int, int)
        Sides of a window, px.
    channels : tuple of str
        Names of the channels it sees; one is grey, three are red, green and blue.
    normalisations : tuple of Normalisation
        One per channel.
    mirrors : tuple of int
        Axes that may be mirrored: none, (0,) rows, (1,) columns, or both. nnU-Net then averages over every combination.
    folds : tuple of str
        Names of the networks whose logits are averaged, as their folders were called after ``fold_``.
    step : float
        Between windows, as a part of the patch; nnU-Net's is 0.5.
    """

    layers: Layers
    patch: tuple[int, int]
    channels: tuple[str, ...]
    normalisations: tuple[Normalisation, ...]
    mirrors: tuple[int, ...]
    folds: tuple[str, ...]
    step: float = 0.5
