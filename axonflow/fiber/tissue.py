"""What the pixels and the axons of any parts of a slide amount to: the numbers of a map's cell, and of a region."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from axonflow.fiber.gratio import aggregate_gratio
from axonflow.kernel.tally import Ints
from axonflow.kernel.units import PixelSize

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["AREAS", "DIAMETER", "GRATIO", "MYELIN_AREA", "Counting", "Tissue", "tissue"]

Counting = Callable[[], Iterable[tuple[Ints, "pd.DataFrame"]]]
"""Goes through the axons that count, some rows of their table after others: where each counts, and the rows."""

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


def tissue(pixels: Ints, counting: Counting, pixel_size: PixelSize) -> Tissue:
    """Turn counts into numbers of tissue.

    Parameters
    ----------
    pixels : (k, 3) int64
        :data:`AREAS` of each part.
    counting : callable
        Goes through the axons; each counts in the part of an index.
    pixel_size : PixelSize

    Notes
    -----
    AVF and MVF are the fractions of the area that are axon and myelin; the aggregate g-ratio is what
    :func:`~axonflow.fiber.gratio.aggregate_gratio` makes of them. The mean g-ratio is that of the axons that have
    myelin. Standard deviations are those of the population (divided by n). Floating-point sums run in the order of the
    table, one axon after the other, so they depend neither on how the slide was cut nor on how the table is.
    """
    k = len(pixels)
    covered, (axon, myelin) = _known(pixels[:, 0]), pixels[:, 1:].T
    axons, sheathed = np.zeros(k, np.int64), np.zeros(k, np.int64)
    diameters, gratios, squares = np.zeros(k), np.zeros(k), np.zeros(k)
    for part, rows in counting():
        axons += np.bincount(part, minlength=k)
        np.add.at(diameters, part, rows[DIAMETER].to_numpy())
        own = rows[MYELIN_AREA].to_numpy() > 0
        sheathed += np.bincount(part[own], minlength=k)
        np.add.at(gratios, part[own], rows[GRATIO].to_numpy()[own])
    mean = diameters / _known(axons)
    for part, rows in counting():
        np.add.at(squares, part, (rows[DIAMETER].to_numpy() - mean[part]) ** 2)
    count = np.where(np.isnan(covered), np.nan, axons)
    avf, mvf = axon / covered, myelin / covered
    return Tissue(
        area_mm2=pixels[:, 0].astype(np.float64) * (pixel_size.area_um2 / 1e6),
        axon_count=count,
        axon_density=count / (covered * pixel_size.area_um2) * 1e6,
        avf=avf,
        mvf=mvf,
        gratio_aggregate=aggregate_gratio(avf, mvf),
        gratio_mean=gratios / _known(sheathed),
        diameter_mean=mean,
        diameter_std=np.sqrt(squares / _known(axons)),
    )


def _known(values: NDArray[np.generic]) -> Floats:
    """Return values as float64, with NaN in place of 0."""
    known = values.astype(np.float64)
    known[known == 0] = np.nan
    return known
