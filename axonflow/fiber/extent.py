"""Where outlines lie and how large they are, and whether their numbers look like µm though they were read as pixels.

A file of outlines says neither its unit nor its slide. Two things give µm away. Nearly all slides have pixels smaller
than 1 µm, so that the numbers of a drawing in µm are small: read as pixels, all of it lies in the slide's upper left
corner, in a part that is as large beside the slide as a pixel beside 1 µm. And axons become thinner than any axon is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from axonflow.kernel.tally import Ints
from axonflow.kernel.units import PixelSize

__all__ = ["Extent"]

SPILLS = 0.02
"""How far beyond the slide's sides outlines may reach that are drawn along them, as a part of the slide."""

SPANS = 0.25
"""Which part of the corner's height and width they span at least, so that they were hardly drawn in there."""

SPANS_MORE = 2.0
"""The same beside the corner's part of the slide: the larger the corner, the more it is a place as any other."""

AXONS_UM = (0.2, 20.0)
"""Median diameters that axons, or fibers, may have."""


@dataclass(frozen=True, slots=True)
class Extent:
    """Of outlines that were read in pixels of a slide.

    Attributes
    ----------
    low, high : (float, float)
        Least and greatest y and x, px.
    diameter : float
        Median of √(4 · area / π) over the outlines, px.
    """

    low: tuple[float, float]
    high: tuple[float, float]
    diameter: float

    @classmethod
    def of(cls, sides: NDArray[np.float64], begin: Ints) -> Extent:
        """Measure outlines.

        Parameters
        ----------
        sides : (m, 4) float64
            Of all areas, one area's after the other's: (y, x) of one end and (y, x) of the other, px.
        begin : (k + 1,) int64
            Where each area's begin, and where the last one's end.
        """
        # Beside a corner of their own, as products of large coordinates have few digits left for a small area.
        first = np.repeat(sides[begin[:-1], :2], np.diff(begin), axis=0)
        (ya, xa), (yb, xb) = (sides[:, :2] - first).T, (sides[:, 2:] - first).T
        areas = np.abs(np.add.reduceat(ya * xb - yb * xa, begin[:-1])) / 2
        (y0, x0), (y1, x1) = sides[:, :2].min(axis=0).tolist(), sides[:, :2].max(axis=0).tolist()
        return cls((y0, x0), (y1, x1), float(np.median(np.sqrt(4 * areas / np.pi))))

    def fits_in_um(self, shape: tuple[int, int], pixel_size: PixelSize) -> bool:
        """Tell whether the outlines lie on a slide of a shape, px, if their numbers are µm."""
        in_um = np.array(shape) * (pixel_size.y, pixel_size.x)
        return bool((np.array(self.high) <= (1 + SPILLS) * in_um).all() and (self.low >= -SPILLS * in_um).all())

    def fills_in_um(self, shape: tuple[int, int], pixel_size: PixelSize) -> bool:
        """Tell whether the outlines span much of a slide if their numbers are µm, and only its corner if pixels."""
        um = np.array((pixel_size.y, pixel_size.x))
        span = (np.array(self.high) - self.low) / (shape * um)
        return self.fits_in_um(shape, pixel_size) and bool((span >= np.maximum(SPANS, SPANS_MORE * um)).all())

    def too_thin_for_axons(self, shape: tuple[int, int], pixel_size: PixelSize) -> bool:
        """Tell whether the outlines are thinner than axons are, and not so, and on the slide, if their numbers are µm.

        Parameters are those of :meth:`fills_in_um`.
        """
        least, most = AXONS_UM
        thin = self.diameter * pixel_size.geometric_um < least <= self.diameter <= most
        return thin and self.fits_in_um(shape, pixel_size)
