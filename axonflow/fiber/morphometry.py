"""From counts to shapes: perimeters, centroids and ellipses, as ``skimage.measure.regionprops`` defines them."""

from __future__ import annotations

from math import pi, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from axonflow.fiber.measure import SUMS
from axonflow.kernel.tally import Ints, Tally
from axonflow.kernel.units import PixelSize

__all__ = ["Ellipses", "ellipses", "perimeters"]

Floats = NDArray[np.float64]


class Ellipses(NamedTuple):
    """The ellipses with the centroid and the second moments of objects.

    Attributes
    ----------
    y, x : (k,) float64
        Centroids, px; the centre of the slide's first pixel is (0, 0).
    eccentricity : (k,) float64
        0 is a disk, 1 is a line.
    orientation : (k,) float64
        Angle from the y axis to the long axis, counter-clockwise, −π/2 to π/2.
    major, minor : (k,) float64
        Lengths of the axes, µm: 4 · √ of the eigenvalues of the covariance.
    """

    y: Floats
    x: Floats
    eccentricity: Floats
    orientation: Floats
    major: Floats
    minor: Floats


def perimeters(objects: Tally) -> Floats:
    """Return the length of every object's border, px: its border pixels of three kinds times their weights."""
    straight, diagonal, turning = (objects.total[:, SUMS.index(kind)] for kind in ("straight", "diagonal", "turning"))
    length: Floats = straight + diagonal * sqrt(2) + turning * ((1 + sqrt(2)) / 2)
    return length


def ellipses(objects: Tally, pixel_size: PixelSize) -> Ellipses:
    """Return the ellipse of every object, of its shape in µm.

    The sums are shifted, still in integers, to the corner of the bounding box, which undoes every wrap, and from
    there to the pixel of the centroid. Only then do they become floating-point numbers, now so small that hardly a
    digit is lost in subtracting the square of the mean.
    """
    pixels = objects.total[:, 0]
    sums = _about(objects.total, *objects.low.T)
    dy, dx = sums[:, 1] // pixels, sums[:, 2] // pixels
    _, y, x, yy, xx, xy = _about(sums, dy, dx)[:, :6].T / np.maximum(pixels, 1)

    along_y = (yy - y * y) * pixel_size.y**2
    along_x = (xx - x * x) * pixel_size.x**2
    mixed = (xy - x * y) * (pixel_size.y * pixel_size.x)
    both, difference = along_y + along_x, np.hypot(along_y - along_x, 2 * mixed)  # sum, difference of eigenvalues
    ratio = np.divide(2 * difference, both + difference, out=np.zeros_like(both), where=both > 0)
    eccentricity = np.sqrt(np.minimum(ratio, 1))
    level = along_y == along_x  # then regionprops decides by a sign
    orientation = np.where(level, np.where(mixed > 0, pi / 4, -pi / 4), np.arctan2(2 * mixed, along_y - along_x) / 2)
    major, minor = (4 * np.sqrt(np.maximum(both + sign * difference, 0) / 2) for sign in (1, -1))
    return Ellipses(objects.low[:, 0] + dy + y, objects.low[:, 1] + dx + x, eccentricity, orientation, major, minor)


def _about(total: Ints, oy: Ints, ox: Ints) -> Ints:
    """Return the first six sums of a Tally about another origin (oy, ox) of each object; int64, modulo 2⁶⁴."""
    n, y, x, yy, xx, xy = total[:, :6].T
    shifted = (
        n,
        y - n * oy,
        x - n * ox,
        yy - 2 * oy * y + n * oy * oy,
        xx - 2 * ox * x + n * ox * ox,
        xy - oy * x - ox * y + n * oy * ox,
    )
    return np.stack(shifted, axis=1)
