"""A network of whole numbers: what every layer holds, and the file that keeps it.

A layer sums products of codes (0 to 255) and weights (−127 to 127), adds a bias, divides by a power of two, rounds to
the nearest whole number, of two as near to the even one, and cuts off below 0 and above 255. Sums of whole numbers have
no order, so a processor that multiplies bytes, one that has to do so in float32, and a loop in Python get the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "FIRST_CODES",
    "GREY_STEPS",
    "LARGEST_BIAS",
    "LARGEST_CODE",
    "LARGEST_HEAD",
    "LARGEST_PAIR",
    "LARGEST_WEIGHT",
    "MEAN_GREY",
    "SHIFTS",
    "IntegerLayer",
    "IntegerNetwork",
    "input_codes",
]

LARGEST_CODE, LARGEST_WEIGHT = 255, 127

LARGEST_PAIR = 128
"""Of two neighbouring inputs' weights of one sign, together, in a network that is chosen here: with the largest codes
these are 32,640, which fits the 16 bits in which processors without VNNI add up two products."""

LARGEST_BIAS, SHIFTS = 2**23, range(1, 16)
"""A sum of 2²⁴ or more is not exact in float32, but it is cut off then, however it is rounded: less 2²³, divided by
2¹⁵, it is above 255."""

LARGEST_HEAD = 10**6
"""Of the weights of a head, far beyond those of any network; scores are finite then."""

GREY_STEPS = 128
"""Steps of what the network sees for a standard deviation of the slide's greys."""

FIRST_CODES = 8
"""A grey is seen as the sum of so many codes, 2,041 steps, because 255 would be too coarse. Mean grey is step 1,024."""

MEAN_GREY = LARGEST_CODE * FIRST_CODES // 2 + 4


def input_codes(table: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return what the network sees for normalised greys: eight codes of a byte in each number.

    Parameters
    ----------
    table : float32
        Normalised values, such as a slide's table of :func:`axonflow.net.normalise.lookup_table`.

    Returns
    -------
    int64
        Of the same shape; in memory the codes stand side by side, which sum to the grey's step.
    """
    steps = np.clip(np.rint(table * np.float32(GREY_STEPS)) + MEAN_GREY, 0, LARGEST_CODE * FIRST_CODES)
    parts = np.clip(steps[..., None] - LARGEST_CODE * np.arange(FIRST_CODES), 0, LARGEST_CODE).astype(np.uint8)
    codes: NDArray[np.int64] = parts.view(np.int64)[..., 0]
    return codes


@dataclass(frozen=True, slots=True, eq=False)
class IntegerLayer:
    """A convolution of whole numbers.

    Attributes
    ----------
    weight : (outputs, inputs, k, k) int8
    bias : (outputs,) int32
        In units of the sums.
    shift : (outputs,) int32
        Sums are divided by two to this power.
    """

    weight: NDArray[np.int8]
    bias: NDArray[np.int32]
    shift: NDArray[np.int32]

    def __post_init__(self) -> None:
        n = len(self.weight)
        if (
            [each.dtype.name for each in (self.weight, self.bias, self.shift)] != ["int8", "int32", "int32"]
            or self.weight.ndim != 4
            or (self.bias.shape, self.shift.shape) != ((n,), (n,))
            or self.weight.min(initial=0) < -LARGEST_WEIGHT
            or np.abs(self.bias.astype(np.int64)).max(initial=0) > LARGEST_BIAS
            or not np.isin(self.shift, SHIFTS).all()
        ):
            raise ValueError("whole numbers of a layer that computes exactly were expected, others came")

    @property
    def largest_sum(self) -> int:
        """What the magnitude of a sum, and of any part of it, cannot exceed."""
        weight = self.weight.astype(np.int64).reshape(len(self.weight), -1)
        parts = np.maximum(np.maximum(weight, 0).sum(axis=1), np.maximum(-weight, 0).sum(axis=1))
        return int((LARGEST_CODE * parts + np.abs(self.bias.astype(np.int64))).max(initial=0))


@dataclass(frozen=True, slots=True, eq=False)
class IntegerNetwork:
    """All layers of one of the paper's networks.

    Attributes
    ----------
    layers : Mapping of str to IntegerLayer
        By the names that they have in the network. The last one's sums are not made codes.
    head, head_bias : (classes, features) and (classes,) float32
        The last 1×1 convolution, from the last layer's sums, divided, to scores.
    """

    layers: Mapping[str, IntegerLayer]
    head: NDArray[np.float32]
    head_bias: NDArray[np.float32]

    def to_bytes(self) -> bytes:
        """Return the content of a safetensors file."""
        from safetensors.numpy import save

        tensors: dict[str, NDArray[Any]] = {"head.weight": self.head, "head.bias": self.head_bias}
        for name, layer in self.layers.items():
            tensors |= {f"{name}.weight": layer.weight, f"{name}.bias": layer.bias, f"{name}.shift": layer.shift}
        return save({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()})

    @classmethod
    def from_bytes(cls, content: bytes) -> IntegerNetwork:
        """Read what :meth:`to_bytes` returned; anything else is a LookupError, TypeError or ValueError."""
        from safetensors import SafetensorError
        from safetensors.numpy import load

        try:
            tensors = load(content)
        except SafetensorError as error:
            raise ValueError(str(error)) from error
        head, head_bias = tensors.pop("head.weight"), tensors.pop("head.bias")
        names = dict.fromkeys(name.rpartition(".")[0] for name in tensors)
        layers = {
            name: IntegerLayer(*(tensors[f"{name}.{part}"] for part in ("weight", "bias", "shift"))) for name in names
        }
        numbers = np.abs([*head.flat, *head_bias])
        if head.ndim != 2 or head_bias.shape != head.shape[:1] or not (numbers <= LARGEST_HEAD).all():
            raise ValueError(f"weights of a head up to {LARGEST_HEAD:,} were expected, others came")
        return cls(layers, head, head_bias)
