"""Regions that overlap → what each of them loses to those that stand before it in the file.

Where areas overlap, the first one's region has the pixel (:meth:`axonflow.fiber.regions.Polygons.label`). How much that
is, is looked up on a grid of points over each region, which tells a share to about a hundredth, and costs the same
however large the slide is.
"""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from axonflow.fiber.regions import Polygons, inside
from axonflow.kernel.grid import Box

__all__ = ["Overlap", "overlaps"]

POINTS = 256
"""Of the grid along each side of a region's bounding box."""


class Overlap(NamedTuple):
    """What one region loses to another.

    Attributes
    ----------
    region : str
        The later one in the file.
    before : str
        The earlier one, which has the place.
    share : float
        Of the area of the later one.
    """

    region: str
    before: str
    share: float


def overlaps(polygons: Polygons, least: float) -> tuple[Overlap, ...]:
    """Find the regions that lose a share of their area to an earlier one.

    Parameters
    ----------
    polygons : Polygons
    least : float
        Smallest share that is returned.

    Returns
    -------
    tuple of Overlap
        In the order of the regions in the file.
    """
    ends = [sides.reshape(-1, 2) for sides in polygons.sides]
    low, high = np.array([each.min(axis=0) for each in ends]), np.array([each.max(axis=0) for each in ends])
    regions = polygons.regions
    number_of = {name: number for number, name in enumerate(regions)}
    names = np.array([number_of[name] for name in polygons.names])
    areas_of: dict[int, list[int]] = defaultdict(list)
    for area, number in enumerate(names.tolist()):
        areas_of[number].append(area)
    found = []
    for number, own in areas_of.items():
        corner, end = low[own].min(axis=0), high[own].max(axis=0)
        near = np.flatnonzero((low < end).all(axis=1) & (high > corner).all(axis=1))
        rivals = near[(names[near] != number) & (near < own[-1])]
        if not len(rivals) or (end <= corner).any():
            continue
        scale = POINTS / (end - corner)
        taken = np.full((POINTS, POINTS), -1)
        mine = np.zeros_like(taken, np.bool_)
        for area in sorted([*rivals.tolist(), *own]):
            there = _points(polygons.sides[area], corner, scale)
            taken[there & (taken < 0)] = names[area]
            mine |= there & (names[area] == number)
        for rival in np.unique(names[rivals]).tolist():
            share = int(np.count_nonzero(mine & (taken == rival))) / max(int(np.count_nonzero(mine)), 1)
            if share >= least:
                found.append(Overlap(regions[number], regions[rival], share))
    return tuple(found)


def _points(sides: NDArray[np.float64], corner: NDArray[np.float64], scale: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which points of a region's grid an area holds."""
    return inside((sides - np.tile(corner, 2)) * np.tile(scale, 2), Box(0, 0, POINTS, POINTS))
