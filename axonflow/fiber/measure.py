"""What is counted of every object: integers about the slide's origin, each pixel once, by the core that owns it.

Perimeters are sums too. Benkrid and Crookes weigh a border pixel (one with another label, or the slide's end, above,
below, left or right of it) by which of its eight neighbours are border pixels of the same object: 1 where the border
runs straight, √2 where it runs diagonally, (1 + √2)/2 where it turns from one to the other, 0 otherwise. So the
counts of the three kinds are all there is to know, and a window needs two pixels around its core.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from axonflow.fiber.objects import FoundObjects, find_objects
from axonflow.fiber.runs import Columns
from axonflow.kernel.compiled import compiled
from axonflow.kernel.grid import Box
from axonflow.kernel.tally import FAR, Ints, Tally

__all__ = ["BOUNDS", "HALO", "SUMS", "count_objects"]

HALO = 2
"""Pixels around a core that decide about the borders within it."""

SUMS = ("pixels", "y", "x", "yy", "xx", "xy", "straight", "diagonal", "turning")
"""Names of a Tally's sums: pixels, Σy, Σx, Σy², Σx², Σxy, and border pixels of the three kinds."""

BOUNDS = ("y", "x")
"""Names of its minima and (exclusive) maxima: the bounding box."""


def count_objects(
    labels: NDArray[np.uint32], core: Box, window: Box, shape: tuple[int, int], found: FoundObjects | None = None
) -> Tally:
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
    found : Found, optional
        The objects of the core, if they are known.

    Returns
    -------
    Tally
        Keys are ids, sums :data:`SUMS`, minima and maxima :data:`BOUNDS`. Coordinates are those of pixel centres
        about the slide's first pixel. Sums may wrap modulo 2⁶⁴.
    """
    seen = core.grow(HALO, shape)
    if window & seen != seen:
        raise ValueError(f"A window that shows {seen} was expected, {window} came; read the core with its halo.")
    labels = np.ascontiguousarray(labels)
    runs, ids, row = found or find_objects(labels, core.relative_to(window))
    total = np.zeros((len(ids), len(SUMS)), np.int64)
    low = np.full((len(ids), len(BOUNDS)), FAR)
    high = np.full((len(ids), len(BOUNDS)), -FAR)
    _add_runs(runs.first, runs.begin, runs.end, row, core.y0, core.x0, total, low, high)
    inside = core.relative_to(window)
    lines = np.zeros((3, labels.shape[1] + 2), np.uint32)
    _add_borders(runs.first, runs.begin, runs.end, row, labels, inside.y0, inside.x0, lines, total)
    return Tally(ids, total, low, high)


@compiled
def _add_runs(
    first: Ints, begin: Columns, end: Columns, row: Ints, top: int, left: int, total: Ints, low: Ints, high: Ints
) -> None:
    """Add the pixels of every run to the row of its id, by the formulas of their sums."""
    for i in range(len(first) - 1):
        y = np.int64(top + i)
        for r in range(first[i], first[i + 1]):
            k = row[r]
            x, n = np.int64(left + begin[r]), np.int64(end[r] - begin[r])
            steps = n * (n - 1) // 2  # Σ j over the run's pixels x + j
            squares = steps * (2 * n - 1) // 3  # Σ j²; of j alone, as a run is short and these may not wrap
            sum_x = n * x + steps
            total[k, 0] += n
            total[k, 1] += n * y
            total[k, 2] += sum_x
            total[k, 3] += n * y * y
            total[k, 4] += n * x * x + 2 * x * steps + squares
            total[k, 5] += sum_x * y
            low[k, 0], low[k, 1] = min(low[k, 0], y), min(low[k, 1], x)
            high[k, 0], high[k, 1] = max(high[k, 0], y + 1), max(high[k, 1], x + n)


@compiled
def _add_borders(
    first: Ints,
    begin: Columns,
    end: Columns,
    row: Ints,
    labels: NDArray[np.uint32],
    top: int,
    left: int,
    lines: NDArray[np.uint32],
    total: Ints,
) -> None:
    """Add the kinds of the border pixels in every run; a core begins at (top, left) of the window.

    ``lines`` (3, w + 2) are of the row above, this one, and the one below, with a pixel of 0 around.
    """
    for y in range(top - 1, top + 1):
        _outline(labels, y, lines[y % 3])
    for i in range(len(first) - 1):
        y = top + i
        above, here, below = lines[(y - 1) % 3], lines[y % 3], lines[(y + 1) % 3]
        _outline(labels, y + 1, below)
        for r in range(first[i], first[i + 1]):
            for x in range(left + begin[r] + 1, left + end[r] + 1):
                if here[x] != 0:
                    kind = _border_kind(above, here, below, x)
                    if kind > 0:
                        total[row[r], 5 + kind] += 1


@compiled
def _outline(labels: NDArray[np.uint32], y: int, line: NDArray[np.uint32]) -> None:
    """Write the labels of a row's border pixels to ``line[1:-1]``, and 0 where there is none, or no such row."""
    h, w = labels.shape
    if y < 0 or y >= h:
        for x in range(w):
            line[x + 1] = 0
        return
    here = labels[y]
    if y == 0 or y == h - 1:  # beyond is another label, as the window ends with the slide
        for x in range(w):
            line[x + 1] = here[x]
        return
    above, below = labels[y - 1], labels[y + 1]
    for x in range(1, w - 1):
        label = here[x]
        alone = (above[x] != label) | (below[x] != label) | (here[x - 1] != label) | (here[x + 1] != label)
        line[x + 1] = label if alone else np.uint32(0)
    line[1], line[w] = here[0], here[w - 1]


_KINDS = np.zeros(50, np.int64)
_KINDS[[5, 7, 15, 17, 25, 27]], _KINDS[[21, 33]], _KINDS[[13, 23]] = 1, 2, 3
"""The kind of a border pixel by the code of the paper, and of scikit-image."""


@compiled
def _border_kind(above: NDArray[np.uint32], here: NDArray[np.uint32], below: NDArray[np.uint32], x: int) -> int:
    """Return 1 where a border pixel lies on a straight run, 2 on a diagonal one, 3 on a turn, 0 elsewhere."""
    label = here[x]
    beside = (
        np.int64(above[x] == label)
        + np.int64(below[x] == label)
        + np.int64(here[x - 1] == label)
        + np.int64(here[x + 1] == label)
    )
    across = (
        np.int64(above[x - 1] == label)
        + np.int64(above[x + 1] == label)
        + np.int64(below[x - 1] == label)
        + np.int64(below[x + 1] == label)
    )
    kind: int = _KINDS[1 + 2 * beside + 10 * across]
    return kind
