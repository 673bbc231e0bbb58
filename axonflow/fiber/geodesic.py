"""Which myelin belongs to which axon where pixels are not square: the nearest one by the length of the way through it.

A step along an axis is as long as a pixel's side, in integers, so that equal ways are equal; of equal ones the axon
with the smaller id wins. On square pixels this is :mod:`axonflow.fiber.myelin`, whose rounds are faster.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from axonflow.kernel.compiled import compiled
from axonflow.kernel.units import PixelSize

__all__ = ["UNIT", "Steps", "assign_by_length", "steps_of"]

UNIT = 256
"""Length of a pixel's smaller side: the larger one is rounded to 0.2 % at most."""

Steps = tuple[int, int]
"""Lengths of a step down and of one across."""


def steps_of(pixel_size: PixelSize) -> Steps | None:
    """Return the lengths of a pixel's sides; None if they are alike within 1 %, which counts as square."""
    if pixel_size.matches(PixelSize.square(pixel_size.x)):
        return None
    smaller = min(pixel_size.y, pixel_size.x)
    return round(UNIT * pixel_size.y / smaller), round(UNIT * pixel_size.x / smaller)


def assign_by_length(axons: NDArray[np.uint32], myelin: NDArray[np.bool_], reach: int, steps: Steps) -> None:
    """Give every myelin pixel to the axon that is nearest along the myelin, in place.

    Parameters
    ----------
    axons : (h, w) uint32
        Ids of axons; 0 is none. They become ids of fibers: each axon and its myelin.
    myelin : (h, w) bool
        Pixels that may be entered.
    reach : int
        Longest way, in smaller sides of a pixel. A core is right when its window has a halo of as many pixels.
    steps : (int, int)
        Lengths of a pixel's sides (:func:`steps_of`).
    """
    h, w = axons.shape
    fibers, free = np.zeros((h + 2, w + 2), np.uint32), np.zeros((h + 2, w + 2), np.bool_)
    inside = (slice(1, -1), slice(1, -1))  # a pixel around that is not free: nobody looks where the window ends
    fibers[inside] = axons
    np.logical_and(myelin, axons == 0, out=free[inside])
    _grow(fibers.ravel(), free.ravel(), w + 2, steps[0], steps[1], reach * UNIT)
    axons[:] = fibers[inside]


@compiled
def _grow(
    fibers: NDArray[np.uint32], free: NDArray[np.bool_], width: int, down: int, across: int, longest: int
) -> None:
    """Let ``fibers`` grow into the ``free`` pixels, in place, the nearest ones first; both are (h · width,).

    Pixels wait in a list for each length of their way (Dial's algorithm). A pixel's way and id are settled when its
    turn has come, as every step is longer than 0.
    """
    ways = np.full(len(fibers), longest + 1, np.int64)
    first = np.full(longest + 1, -1, np.int64)  # of the list of each length, its entry
    room = 4 * np.count_nonzero(free) + 1  # a pixel is entered from each side once at most
    pixel, following = np.empty(room, np.int64), np.empty(room, np.int64)
    seeds = np.flatnonzero(fibers)
    n = 0
    for length in range(longest + 1):
        entry = np.int64(len(seeds) - 1) if length == 0 else first[length]
        while entry >= 0:
            if length == 0:
                at, entry = seeds[entry], entry - 1
            else:
                at, entry = pixel[entry], following[entry]
                if not free[at] or ways[at] != length:
                    continue
                free[at] = False
            for side in range(4):
                beside = at + (-width if side == 0 else width if side == 1 else -1 if side == 2 else 1)
                way = length + (down if side < 2 else across)
                if not free[beside] or way > longest or way > ways[beside]:
                    continue
                if way == ways[beside]:
                    fibers[beside] = min(fibers[beside], fibers[at])
                    continue
                ways[beside], fibers[beside] = way, fibers[at]
                pixel[n], following[n] = beside, first[way]
                first[way] = n
                n += 1
