"""What the axons without myelin of any parts of a slide amount to, beside those with it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from axonflow.fiber.kinds import UNMYELINATED, Counting, counting_kind
from axonflow.fiber.tissue import Tissue, tissue
from axonflow.kernel.tally import Ints
from axonflow.kernel.units import PixelSize

__all__ = ["Unmyelinated", "unmyelinated"]

Floats = NDArray[np.float64]


class Unmyelinated(NamedTuple):
    """The numbers of the axons without myelin in each of k parts, all (k,) float64.

    They are NaN where nothing of a part counts; means are NaN where no such axon does, and the fraction where none of
    either kind does.
    """

    number: Floats
    density: Floats
    avf: Floats
    diameter_mean: Floats
    diameter_std: Floats
    myelinated_fraction: Floats


def unmyelinated(pixels: Ints, myelinated: Tissue, counting: Counting, pixel_size: PixelSize) -> Unmyelinated | None:
    """Turn counts into numbers of axons without myelin; None if they are no class of their own.

    Parameters
    ----------
    pixels : (k, s) int64
        :func:`axonflow.fiber.tissue.areas` of each part.
    myelinated : Tissue
        Of the other axons in these parts.
    counting : callable
        Goes through the axons of both kinds; each counts in the part of an index.
    pixel_size : PixelSize
    """
    if pixels.shape[1] == 3:
        return None
    found = tissue(pixels[:, (0, 3, 2)], counting_kind(counting, UNMYELINATED), pixel_size)
    both = found.axon_count + myelinated.axon_count
    fraction = np.divide(myelinated.axon_count, both, out=np.full(len(both), np.nan), where=both > 0)
    return Unmyelinated(
        found.axon_count, found.axon_density, found.avf, found.diameter_mean, found.diameter_std, fraction
    )
