"""What the pixels and the axons of any parts of a slide amount to: the numbers of a map's cell, and of a region."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from axonflow.tally import Ints
from axonflow.units import PixelSize

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["AREAS", "DIAMETER", "GRATIO", "MYELIN_AREA", "Tissue", "tissue"]

AREAS = ("covered", "axon", "myelin")
"""Names of the sums of a part: pixels that count, and those of them that are axon and myelin."""

DIAMETER, MYELIN_AREA, GRATIO = "axon_diam (um)", "myelin_area (um^2)", "gratio"
"""The columns of the table of axons that are read."""

Floats = NDArray[np.float64]


class Tissue(NamedTuple):
    """The numbers of each of k parts, all (k,) float64.

    They are NaN where nothing of a part counts; means are NaN where no axon does, and the aggregate g-ratio where no
    pixel is axon. The area is then 0.
    """

    area_mm2: Floats
    axon_count: Floats
    axon_density: Floats
    avf: Floats
    mvf: Floats
    gratio_aggregate: Floats
    gratio_mean: Floats
    diameter_mean: Floats
    diameter_std: Floats


def tissue(pixels: Ints, part: Ints, axons: pd.DataFrame, pixel_size: PixelSize) -> Tissue:
    """Turn counts into numbers of tissue.

    Parameters
    ----------
    pixels : (k, 3) int64
        :data:`AREAS` of each part.
    part : (n,) int64
        Index of the part that each axon counts in.
    axons : DataFrame
        Their n rows of the table of axons.
    pixel_size : PixelSize

    Notes
    -----
    AVF and MVF are the fractions of the area that are axon and myelin; the aggregate g-ratio is √(1 / (1 + MVF / AVF))
    (Stikov et al. 2015). The mean g-ratio is that of the axons that have myelin. Standard deviations are those of the
    population (divided by n). Floating-point sums run in the order of the table, so they do not depend on how the
    slide was cut.
    """
    k = len(pixels)
    covered, (axon, myelin) = _known(pixels[:, 0]), pixels[:, 1:].T
    diameter, gratio = axons[DIAMETER].to_numpy(), axons[GRATIO].to_numpy()
    sheathed = axons[MYELIN_AREA].to_numpy() > 0
    count = np.where(np.isnan(covered), np.nan, np.bincount(part, minlength=k))
    mean = _mean(part, diameter, k)
    avf, mvf = axon / covered, myelin / covered
    return Tissue(
        area_mm2=pixels[:, 0].astype(np.float64) * (pixel_size.area_um2 / 1e6),
        axon_count=count,
        axon_density=count / (covered * pixel_size.area_um2) * 1e6,
        avf=avf,
        mvf=mvf,
        gratio_aggregate=np.sqrt(1 / (1 + mvf / _known(avf))),
        gratio_mean=_mean(part[sheathed], gratio[sheathed], k),
        diameter_mean=mean,
        diameter_std=np.sqrt(_mean(part, (diameter - mean[part]) ** 2, k)),
    )


def _known(values: NDArray[np.generic]) -> Floats:
    """Return values as float64, with NaN in place of 0."""
    known = values.astype(np.float64)
    known[known == 0] = np.nan
    return known


def _mean(part: Ints, values: Floats, parts: int) -> Floats:
    """Return the mean of the values in each part, NaN where there are none; summed in the order of the rows."""
    return np.bincount(part, values, parts) / _known(np.bincount(part, minlength=parts))
