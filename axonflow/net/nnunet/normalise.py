"""What nnU-Net's networks see of a pixel: its numbers, shifted and scaled by what the whole slide holds.

nnU-Net takes minimum, maximum, mean and deviation inside the bounding box of what is not zero. Here they come from
integers that were counted over all of the slide, so that they do not depend on how it was cut. Minimum and maximum are
nnU-Net's to the bit; mean and deviation are exact, where nnU-Net's are added up in float32 and may differ in the sixth
digit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import isqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axonflow.kernel.grid import Box
from axonflow.kernel.tally import Tally
from axonflow.net.nnunet.plan import Normalisation

__all__ = ["Content", "Range", "normalised"]

_LEAST = np.float32(1e-8)
"""What nnU-Net divides by at least."""


@dataclass(frozen=True, slots=True)
class Range:
    """What one channel holds inside the bounding box.

    Attributes
    ----------
    low, high : float
        Its least and largest number.
    mean, deviation : float
    """

    low: float
    high: float
    mean: float
    deviation: float

    @classmethod
    def of(cls, counts: Tally) -> Range:
        """Return it from the number of pixels of each grey.

        Parameters
        ----------
        counts : Tally
            Pixels by grey value, at least one.
        """
        values, pixels = counts.key.tolist(), counts.total[:, 0].tolist()
        number = sum(pixels)
        total = sum(value * n for value, n in zip(values, pixels, strict=True))
        squares = sum(value * value * n for value, n in zip(values, pixels, strict=True))
        # Whole numbers of any size until the end; 64 more bits than the result keeps.
        variance = (number * squares - total * total << 64) // number**2
        return cls(float(values[0]), float(values[-1]), total / number, isqrt(variance) / 2**32)


@dataclass(frozen=True, slots=True)
class Content:
    """What a slide holds, as far as its normalisation depends on it.

    Attributes
    ----------
    inside : Box
        Bounding box of the pixels that are not zero in all channels.
    ranges : tuple of Range
        One per channel.
    stretched : (float, float), optional
        The greys that become 0 and 255, in whole steps, before all else: AxonDeepSeg does so with the grey of colours.
    """

    inside: Box
    ranges: tuple[Range, ...]
    stretched: tuple[float, float] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the value as JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Content:
        """Build the value from what :meth:`to_json` returned."""
        stretched = content["stretched"]
        return cls(
            Box(**content["inside"]),
            tuple(Range(**each) for each in content["ranges"]),
            None if stretched is None else (float(stretched[0]), float(stretched[1])),
        )


def normalised(pixels: NDArray[Any], how: Normalisation, known: Range) -> NDArray[np.float32]:
    """Return what the network sees of one channel, computed in float32 as nnU-Net does.

    Parameters
    ----------
    pixels : array
    how : Normalisation
        nnU-Net's name.
    known : Range
        Of the whole slide.

    Returns
    -------
    array of the same shape, float32
    """
    seen = pixels.astype(np.float32)
    if how == "RescaleTo01Normalization":
        low = np.float32(known.low)
        seen -= low
        seen /= max(np.float32(known.high) - low, _LEAST)
    elif how == "ZScoreNormalization":
        seen -= np.float32(known.mean)
        seen /= max(np.float32(known.deviation), _LEAST)
    elif how == "RGBTo01Normalization":
        seen /= np.float32(255)
    return seen
