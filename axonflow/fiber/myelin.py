"""Which myelin belongs to which axon: the nearest one, on a path that never leaves the myelin.

Every axon grows through the myelin by one pixel at a time, up, down, left and right, all at once; where two arrive
in the same round the smaller id wins. A pixel's fiber is thus the axon at the smallest city-block *geodesic*
distance. Myelin that no axon reaches belongs to none. After ``reach`` rounds the growth ends, so that a pixel depends
on nothing farther away than that: the reach is the halo.
"""

from __future__ import annotations

from math import ceil, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axonflow.kernel.compiled import compiled
from axonflow.kernel.grid import Box
from axonflow.kernel.tally import Ints
from axonflow.kernel.units import PixelSize

__all__ = ["assign", "cut_off", "reach_px"]

Arrivals = NDArray[np.uint64]
"""Pixels that growth has reached, and the id that reached each: the id in the upper half, the pixel in the lower.

Pixels are numbered in the window with one more around it.
"""

ID, PIXEL = np.uint64(32), np.uint64(2**32 - 1)
"""Where the two are: windows are smaller than 65,536 × 65,536 px."""


def reach_px(thickness_um: float, pixel_size: PixelSize) -> int:
    """Return the rounds that cross myelin of a given thickness in any direction.

    A step goes along an axis, so the diagonal of a sheath takes √2 times as many: ⌈√2 · thickness / smaller side⌉.
    """
    return ceil(sqrt(2) * thickness_um / min(pixel_size.y, pixel_size.x))


def assign(axons: NDArray[np.uint32], myelin: NDArray[np.bool_], reach: int) -> None:
    """Give every myelin pixel to the axon that reaches it first, in place: a copy would be half of a task's memory.

    Parameters
    ----------
    axons : (h, w) uint32
        Ids of axons; 0 is none. They become ids of fibers: each axon and its myelin.
    myelin : (h, w) bool
        Pixels that may be entered.
    reach : int
        Rounds of growth, px. A core is right when its window has a halo of as many pixels.
    """
    if reach == 0:
        return
    h, w = axons.shape
    free = np.zeros((h + 2, w + 2), np.bool_)  # a pixel around that is not: nobody looks where the window ends
    inside = free[1:-1, 1:-1]
    np.equal(axons, 0, out=inside)
    inside &= myelin
    shores = _by_id(_shores(axons, free))
    room = np.count_nonzero(free) + 1
    arriving, spare = np.empty(room, np.uint64), np.empty(room, np.uint64)
    _grow(axons, free.ravel(), w + 2, shores, arriving, spare, reach)


def cut_off(fibers: NDArray[np.uint32], myelin: NDArray[np.bool_], core: Box, window: Box) -> int:
    """Count the myelin pixels of a core that the next round would have given to a fiber.

    Anything but 0 says that some myelin is thicker than the reach.

    Parameters
    ----------
    fibers : (h, w) uint32
        What :func:`assign` made of a window with a halo of reach + 1.
    myelin : (h, w) bool
        The myelin it was given.
    core, window : Box
        The part to count in, and the part that both arrays show.
    """
    inside = core.relative_to(window)
    nothing = np.zeros(fibers.shape[1], np.uint32)
    return _count_next(fibers, myelin, nothing, inside.y0, inside.x0, inside.y1, inside.x1)


def _shores(axons: NDArray[np.uint32], free: NDArray[np.bool_]) -> Arrivals:
    """Return the pixels of axons that have a free neighbour, in raster order."""
    w = axons.shape[1]
    found = np.empty(np.count_nonzero(axons), np.uint64)
    return found[: _find_shores(axons, free, np.empty(w, np.bool_), np.empty(w + 1, np.int64), found)]


def _by_id(arrivals: Arrivals) -> Arrivals:
    """Order arrivals by their ids, which lie close together: by counting them."""
    if len(arrivals) == 0:
        return arrivals
    low, high = int(arrivals.min() >> ID), int(arrivals.max() >> ID)
    ordered = np.empty_like(arrivals)
    _order(arrivals, low, np.zeros(high - low + 2, np.int64), ordered)
    return ordered


@compiled
def _find_shores(
    axons: NDArray[np.uint32], free: NDArray[np.bool_], on_shore: NDArray[np.bool_], column: Ints, found: Arrivals
) -> int:
    """Write the pixels of axons that have a free neighbour, and return how many; ``free`` has one more around."""
    h, w = axons.shape
    n = 0
    for y in range(h):
        row, above, here, below = axons[y], free[y, 1:-1], free[y + 1], free[y + 2, 1:-1]
        for x in range(w):
            on_shore[x] = (row[x] != 0) & (above[x] | below[x] | here[x] | here[x + 2])
        k: Any = np.int64(0)
        for x in range(w):  # without a branch, which a processor could not foretell
            column[k] = x
            k += np.int64(on_shore[x])
        first = (y + 1) * (w + 2) + 1
        for i in range(k):
            found[n] = (np.uint64(row[column[i]]) << ID) | np.uint64(first + column[i])
            n += 1
    return n


@compiled
def _order(arrivals: Arrivals, low: int, at: Ints, ordered: Arrivals) -> None:
    """Write arrivals in the order of their ids, of which ``low`` is the smallest; ``at`` is 0 at first."""
    for arrival in arrivals:
        at[np.int64(arrival >> ID) - low + 1] += 1
    for k in range(1, len(at)):
        at[k] += at[k - 1]
    for arrival in arrivals:
        i = np.int64(arrival >> ID) - low
        ordered[at[i]] = arrival
        at[i] += 1


@compiled
def _grow(
    fibers: NDArray[np.uint32],
    free: NDArray[np.bool_],
    width: int,
    shores: Arrivals,
    arriving: Arrivals,
    spare: Arrivals,
    reach: int,
) -> None:
    """Let ``fibers`` (h, width - 2) grow from their shores into the ``free`` pixels ((h + 2) · width,), in place.

    The shores are ordered by id. So the first to arrive has the smallest id of all that arrive in that round, and those
    who have come are in the order of their ids again. ``arriving`` and ``spare`` have room for one more than all free.
    """
    arrived = shores
    for _ in range(reach):
        n = np.int64(0)
        for arrival in arrived:
            fiber, at = arrival & ~PIXEL, np.int64(arrival & PIXEL)
            for beside in (at - width, at + width, at - 1, at + 1):
                # Written in any case, and kept if it was free: a branch could not be foretold.
                arriving[n] = fiber | np.uint64(beside)
                n += np.int64(free[beside])
                free[beside] = False
        arrived, arriving, spare = arriving[:n], spare, arriving
        for arrival in arrived:
            at = np.int64(arrival & PIXEL)
            row = at // width
            fibers[row - 1, at - row * width - 1] = np.uint32(arrival >> ID)
        if n == 0:
            break


@compiled
def _count_next(
    fibers: NDArray[np.uint32],
    myelin: NDArray[np.bool_],
    nothing: NDArray[np.uint32],
    y0: int,
    x0: int,
    y1: int,
    x1: int,
) -> int:
    """Count the myelin pixels in a part of the window that belong to no fiber and lie beside one.

    ``nothing`` is a row without fibers.
    """
    h, w = fibers.shape
    total = np.int64(0)
    for y in range(y0, y1):
        here, myelin_here = fibers[y], myelin[y]
        above = fibers[y - 1] if y > 0 else nothing
        below = fibers[y + 1] if y + 1 < h else nothing
        n = np.int32(0)
        for x in range(1, w - 1):
            beside = above[x] | below[x] | here[x - 1] | here[x + 1]
            n += np.int32(myelin_here[x] & (here[x] == 0) & (beside != 0) & (x0 <= x) & (x < x1))
        for x in range(0, w, max(w - 1, 1)):  # the window's first and last column
            beside = above[x] | below[x] | here[max(x - 1, 0)] | here[min(x + 1, w - 1)]
            n += np.int32(myelin_here[x] & (here[x] == 0) & (beside != 0) & (x0 <= x) & (x < x1))
        total += n
    return int(total)
