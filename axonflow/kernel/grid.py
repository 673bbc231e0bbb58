"""Integer geometry of a slide: half-open boxes and the grids they tile.

Everything is (y, x), in pixels, about the slide's origin. A grid only decides *who* computes a pixel; nothing here
may change *what* is computed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

__all__ = ["Box", "Grid", "ceil_to", "mirror"]


def ceil_to(n: int, step: int) -> int:
    """Return the smallest multiple of ``step`` that is not below ``n``."""
    return -(-n // step) * step


def mirror(index: NDArray[np.int64], low: int, high: int) -> NDArray[np.int64]:
    """Fold positions outside ``[low, high)`` back inside, as ``numpy.pad(mode="symmetric")`` does.

    Parameters
    ----------
    index : (n,) int64
        Positions, anywhere.
    low, high : int
        The half-open range that holds pixels; not empty.

    Returns
    -------
    (n,) int64
        A position inside ``[low, high)`` for each index; the edge pixel is repeated.
    """
    period = 2 * (high - low)
    folded = (index - low) % period
    return np.where(folded < high - low, folded, period - 1 - folded) + low


@dataclass(frozen=True, slots=True, order=True)
class Box:
    """A half-open rectangle ``[y0, y1) × [x0, x1)`` of pixels."""

    y0: int
    x0: int
    y1: int
    x1: int

    @classmethod
    def whole(cls, shape: tuple[int, int]) -> Box:
        """Return the box of a whole image."""
        return cls(0, 0, *shape)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width, px."""
        return self.y1 - self.y0, self.x1 - self.x0

    @property
    def size(self) -> int:
        """Number of pixels."""
        return (self.y1 - self.y0) * (self.x1 - self.x0)

    @property
    def slices(self) -> tuple[slice, slice]:
        """The box as an index of a (y, x) array."""
        return slice(self.y0, self.y1), slice(self.x0, self.x1)

    def grow(self, by: int, within: tuple[int, int]) -> Box:
        """Grow on all sides by a halo, but not beyond an image of shape ``within``."""
        return Box(
            max(self.y0 - by, 0), max(self.x0 - by, 0), min(self.y1 + by, within[0]), min(self.x1 + by, within[1])
        )

    def relative_to(self, other: Box) -> Box:
        """Return this box in the coordinates of another box's first pixel."""
        return Box(self.y0 - other.y0, self.x0 - other.x0, self.y1 - other.y0, self.x1 - other.x0)

    def __and__(self, other: Box) -> Box:
        y0, x0 = max(self.y0, other.y0), max(self.x0, other.x0)
        return Box(y0, x0, max(min(self.y1, other.y1), y0), max(min(self.x1, other.x1), x0))

    def coarser(self, factor: int) -> Box:
        """Return the box of the coarse pixels that this box's fine pixels begin; corners round up."""
        return Box(*(-(-side // factor) for side in (self.y0, self.x0, self.y1, self.x1)))

    def __str__(self) -> str:
        return f"y [{self.y0}, {self.y1}) × x [{self.x0}, {self.x1})"


@dataclass(frozen=True, slots=True)
class Grid:
    """Equal cores that tile an image once, in raster order, from its origin.

    Parameters
    ----------
    shape : (int, int)
        Height and width of the image, px; neither is 0.
    core : (int, int)
        Height and width of a core, px.
    smallest : int
        A last core that would be thinner than this joins the one before it, so that no core is thinner than the
        halo its neighbours want to read from it.
    """

    shape: tuple[int, int]
    core: tuple[int, int]
    smallest: int = 0

    def edges(self, axis: int) -> tuple[int, ...]:
        """Return the cut positions along an axis, from 0 to the image's side."""
        side, step = self.shape[axis], self.core[axis]
        cuts = [*range(0, side, step), side]
        if len(cuts) > 2 and cuts[-1] - cuts[-2] < self.smallest:
            del cuts[-2]
        return tuple(cuts)

    @property
    def counts(self) -> tuple[int, int]:
        """Number of cores along y and x."""
        return len(self.edges(0)) - 1, len(self.edges(1)) - 1

    def __len__(self) -> int:
        rows, columns = self.counts
        return rows * columns

    def __iter__(self) -> Iterator[Box]:
        for y0, y1 in pairwise(self.edges(0)):
            for x0, x1 in pairwise(self.edges(1)):
                yield Box(y0, x0, y1, x1)

    def within(self, box: Box) -> Iterator[Box]:
        """Yield the cores inside a box whose sides are cuts of this grid, in raster order."""
        rows, columns = (
            [(low, high) for low, high in pairwise(self.edges(axis)) if first <= low < last]
            for axis, first, last in ((0, box.y0, box.y1), (1, box.x0, box.x1))
        )
        for y0, y1 in rows:
            for x0, x1 in columns:
                yield Box(y0, x0, y1, x1)

    def batches(self, cores: int) -> Iterator[tuple[Box, ...]]:
        """Cut the grid into runs of at most ``cores`` neighbours of one row, in raster order."""
        columns = tuple(pairwise(self.edges(1)))
        for y0, y1 in pairwise(self.edges(0)):
            for first in range(0, len(columns), cores):
                yield tuple(Box(y0, x0, y1, x1) for x0, x1 in columns[first : first + cores])
