"""What the pixels and the axons of any parts of a slide amount to: the numbers of a map's cell, and of a region."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from axonflow.fiber.gratio import aggregate_gratio
from axonflow.fiber.kinds import Counting
from axonflow.kernel.classes import Classes
from axonflow.kernel.tally import Ints
from axonflow.kernel.units import PixelSize

__all__ = ["DIAMETER", "GRATIO", "MYELIN_AREA", "Tissue", "areas", "places", "tissue"]

DIAMETER, MYELIN_AREA, GRATIO = "axon_diam (um)", "myelin_area (um^2)", "gratio"
"""The columns of the table of axons that are read."""

Floats = NDArray[np.float64]


def areas(classes: Classes) -> tuple[str, ...]:
    """Return the names of the sums of a part: pixels that count, and those of them of each class that is measured."""
    return ("covered", "axon", "myelin", *(() if classes.unmyelinated is None else ("unmyelinated",)))


def places(classes: Classes) -> NDArray[np.uint8]:
    """Return, by the number of a class, in which of these sums its pixels count; 0 is in no more than the first."""
    place = np.zeros(256, np.uint8)
    for name in areas(classes)[1:]:
        place[getattr(classes, name)] = areas(classes).index(name)
    return place


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
        Of each part those that count, and those of them that are axon and myelin.
    counting : callable
        Goes through the axons; each counts in the part of an index. All are of one kind.
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
