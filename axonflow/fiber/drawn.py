"""Outlines of many objects → ids: a pixel has the number of the first object whose outline holds its centre.

Coordinates are those of :mod:`axonflow.fiber.regions`, and so is the answer whether a pixel is inside, which every core
gives alike. An object may have several areas, and an area holes; where rings of one area cross, or lie in each other,
the even-odd rule decides, as in ImageJ and in GeoJSON.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import shapely
from numpy.typing import NDArray

from axonflow.fiber.regions import inside
from axonflow.kernel.grid import Box
from axonflow.kernel.tally import Ints

__all__ = ["Area", "Drawn", "crossing"]


@dataclass(frozen=True, slots=True, eq=False)
class Area:
    """One area of an object.

    Attributes
    ----------
    owner : int
        The object's number, from 1.
    rings : tuple of (n, 4) float64
        The sides of each: (y, x) of one end and (y, x) of the other, px.
    """

    owner: int
    rings: tuple[NDArray[np.float64], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """Many outlines.

    Attributes
    ----------
    sides : (m, 4) float64
        Of all areas, one area's after the other's.
    begin : (k + 1,) int64
        Where each area's begin, and where the last one's end.
    owner : (k,) uint32
        Number of the object that each area belongs to.
    low, high : (k, 2) float64
        Least and greatest (y, x) of each area.
    """

    sides: NDArray[np.float64]
    begin: Ints
    owner: NDArray[np.uint32]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    @classmethod
    def of(cls, areas: Sequence[Area]) -> Drawn:
        """Pack areas, at least one; their order is the order in which they are drawn."""
        packed = [np.concatenate(area.rings) for area in areas]
        sides, begin = np.concatenate(packed), np.cumsum([0, *map(len, packed)])
        low, high = (end.reduceat(sides[:, :2], begin[:-1], axis=0) for end in (np.minimum, np.maximum))
        return cls(sides, begin, np.array([area.owner for area in areas], np.uint32), low, high)

    def draw(self, box: Box) -> NDArray[np.uint32]:
        """Draw what lies in a box.

        Returns
        -------
        (box.shape) uint32
            The number of the object that a pixel belongs to; 0 is none.
        """
        ids = np.zeros(box.shape, np.uint32)
        reach = (self.low < (box.y1, box.x1)).all(axis=1) & (self.high > (box.y0, box.x0)).all(axis=1)
        for k in np.flatnonzero(reach).tolist():
            (y0, x0), (y1, x1) = np.floor(self.low[k]), np.ceil(self.high[k])
            part = box & Box(int(y0), int(x0), int(y1), int(x1))
            if part.size:
                free = ids[part.relative_to(box).slices]
                free[inside(self.sides[self.begin[k] : self.begin[k + 1]], part) & (free == 0)] = self.owner[k]
        return ids

    def off(self, shape: tuple[int, int]) -> Ints:
        """Return the objects of which nothing lies on a slide of a shape, px."""
        there = (self.high > 0).all(axis=1) & (self.low < shape).all(axis=1)
        return np.setdiff1d(self.owner, self.owner[there]).astype(np.int64)

    def flat(self) -> Ints:
        """Return the objects whose outlines hold no area: all of an outline lies on one line."""
        first = np.repeat(self.sides[self.begin[:-1], :2], np.diff(self.begin), axis=0)
        (ya, xa), (yb, xb) = (self.sides[:, :2] - first).T, (self.sides[:, 2:] - first).T
        away = np.maximum.reduceat(np.abs(ya * xb - xa * yb), self.begin[:-1])
        return np.setdiff1d(self.owner, self.owner[away > 0]).astype(np.int64)

    def twice(self) -> Ints:
        """Return the objects that are drawn exactly as one before them."""
        seen: set[tuple[bytes, ...]] = set()
        again = []
        bounds = np.flatnonzero(np.diff(self.owner, prepend=0, append=0))  # areas of an object stand together
        for first, last in pairwise(bounds.tolist()):
            key = tuple(self.sides[self.begin[k] : self.begin[k + 1]].tobytes() for k in range(first, last))
            again += [int(self.owner[first])] * (key in seen)
            seen.add(key)
        return np.array(again, np.int64)


def crossing(areas: Sequence[Area]) -> Ints:
    """Return the objects of which an outline crosses itself, or runs back over itself; to touch itself is neither."""
    owners = np.array([area.owner for area in areas for _ in area.rings], np.int64)
    corners = [ring[:, :2] for area in areas for ring in area.rings]
    counts = [len(each) for each in corners]
    rings = shapely.linearrings(np.concatenate(corners), indices=np.repeat(np.arange(len(counts)), counts))
    polygons = shapely.polygons(rings)
    wrong = np.flatnonzero(~shapely.is_valid(polygons))
    reasons = shapely.is_valid_reason(polygons[wrong])
    crossed = [k for k, reason in zip(wrong, reasons, strict=True) if reason.startswith("Self-intersection")]
    return np.unique(owners[crossed])
