"""What is counted of every object: integers about the slide's origin, each pixel once, by the core that owns it.

Perimeters are sums too. Benkrid and Crookes weigh a border pixel (one with another label, or the slide's end, above,
below, left or right of it) by which of its eight neighbours are border pixels of the same object: 1 where the border
runs straight, √2 where it runs diagonally, (1 + √2)/2 where it turns from one to the other, 0 otherwise. So the
counts of the three kinds are all there is to know, and a window needs two pixels around its core.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from axonflow.fiber.compiled import compiled
from axonflow.fiber.slots import slots
from axonflow.grid import Box
from axonflow.tally import FAR, Ints, Tally

__all__ = ["BOUNDS", "HALO", "SUMS", "count"]

HALO = 2
"""Pixels around a core that decide about the borders within it."""

SUMS = ("pixels", "y", "x", "yy", "xx", "xy", "straight", "diagonal", "turning")
"""Names of a Tally's sums: pixels, Σy, Σx, Σy², Σx², Σxy, and border pixels of the three kinds."""

BOUNDS = ("y", "x")
"""Names of its minima and (exclusive) maxima: the bounding box."""


def count(labels: NDArray[np.uint32], core: Box, window: Box, shape: tuple[int, int]) -> Tally:
    """Count the objects of a core.

    Parameters
    ----------
    labels : (h, w) uint32
        Ids in the window; 0 is none.
    core : Box
        The part to count.
    window : Box
        The part that ``labels`` shows: the core with :data:`HALO` pixels around it, or more, within the slide.
    shape : (int, int)
        Height and width of the slide, px.

    Returns
    -------
    Tally
        Keys are ids, sums :data:`SUMS`, minima and maxima :data:`BOUNDS`. Coordinates are those of pixel centres
        about the slide's first pixel. Sums may wrap modulo 2⁶⁴.
    """
    seen = core.grow(HALO, shape)
    h, w = core.shape
    around = np.zeros((h + 2 * HALO, w + 2 * HALO), np.uint32)  # beyond the slide nothing has a label
    frame = Box(core.y0 - HALO, core.x0 - HALO, core.y1 + HALO, core.x1 + HALO)
    around[seen.relative_to(frame).slices] = labels[seen.relative_to(window).slices]
    ids, slot = slots(around[HALO:-HALO, HALO:-HALO])
    total = np.zeros((len(ids), len(SUMS)), np.int64)
    low = np.full((len(ids), len(BOUNDS)), FAR)
    high = np.full((len(ids), len(BOUNDS)), -FAR)
    if len(ids):
        _count(around, core.y0, core.x0, ids[0], slot, total, low, high)
    return Tally(ids, total, low, high)


@compiled
def _count(
    around: NDArray[np.uint32], top: int, left: int, first: int, slot: Ints, total: Ints, low: Ints, high: Ints
) -> None:
    """Add every pixel but the two rings around them to the rows of its id."""
    h, w = around.shape
    for i in range(2, h - 2):
        for j in range(2, w - 2):
            label = around[i, j]
            if label == 0:
                continue
            k = slot[np.int64(label) - first]
            y, x = np.int64(top + i - 2), np.int64(left + j - 2)
            total[k, 0] += 1
            total[k, 1] += y
            total[k, 2] += x
            total[k, 3] += y * y
            total[k, 4] += x * x
            total[k, 5] += x * y
            low[k, 0], low[k, 1] = min(low[k, 0], y), min(low[k, 1], x)
            high[k, 0], high[k, 1] = max(high[k, 0], y + 1), max(high[k, 1], x + 1)
            if _on_border(around, i, j):
                kind = _border_kind(around, i, j)
                if kind > 0:
                    total[k, 5 + kind] += 1


@compiled
def _on_border(around: NDArray[np.uint32], i: int, j: int) -> bool:
    """Tell whether a pixel has another label above, below, left or right of it."""
    label = around[i, j]
    return bool(
        around[i - 1, j] != label or around[i + 1, j] != label or around[i, j - 1] != label or around[i, j + 1] != label
    )


@compiled
def _border_kind(around: NDArray[np.uint32], i: int, j: int) -> int:
    """Return 1 where a border pixel lies on a straight run, 2 on a diagonal one, 3 on a turn, 0 elsewhere."""
    beside, across = 0, 0
    for di in range(-1, 2):
        for dj in range(-1, 2):
            if around[i + di, j + dj] == around[i, j] and _on_border(around, i + di, j + dj):
                if di == 0 or dj == 0:
                    beside += 1  # counts the pixel itself
                else:
                    across += 1
    beside -= 1
    code = 1 + 2 * beside + 10 * across  # the code of the paper, and of scikit-image
    if code in (5, 7, 15, 17, 25, 27):
        return 1
    if code in (21, 33):
        return 2
    if code in (13, 23):
        return 3
    return 0
