"""Outlines of objects along the edges of their pixels: an outline holds the centres of its pixels and no others.

They are polygons as geometry software wants them: no outline touches itself, every hole belongs to the shell around
it, and parts of an object that meet in nothing but a corner are polygons of their own.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from axonflow.kernel.compiled import compiled
from axonflow.kernel.tally import Ints

__all__ = ["outlines"]

Corner = tuple[int, int]


def outlines(mask: NDArray[np.bool_]) -> list[list[Ints]]:
    """Outline an object.

    Parameters
    ----------
    mask : (h, w) bool

    Returns
    -------
    list of list of (k, 2) int64
        For each 4-connected part its shell, and then its holes: (y, x) of the corners in their order, the first not
        repeated. The first pixel's corners are (0, 0) to (1, 1). Shells turn from +x to +y, holes the other way round.
    """
    h, w = mask.shape
    padded = np.zeros((h + 2, w + 2), np.bool_)
    padded[1:-1, 1:-1] = mask
    corners, begins, crosses = _trace(padded)
    rings: list[Ints] = []
    for first, last, crossed in zip(begins, begins[1:], crosses, strict=False):
        ring = corners[first:last]
        rings += [np.array(part) for part in _untangled(ring.tolist())] if crossed else [ring]
    shells: list[Ints] = []
    holes: list[Ints] = []
    for ring in rings:
        (shells if _area(ring) > 0 else holes).append(ring)
    if len(shells) == 1 or not holes:
        return [[shell, *holes] for shell in shells]
    parts, _ = ndimage.label(mask)
    around: dict[int, list[Ints]] = {_part_of(shell, parts): [shell] for shell in shells}
    for hole in holes:
        around[_part_of(hole, parts)].append(hole)
    return list(around.values())


@compiled
def _trace(padded: NDArray[np.bool_]) -> tuple[Ints, Ints, NDArray[np.bool_]]:
    """Walk around a mask with a ring of False about it, its pixels on the right.

    Returns the corners of all rings, where each ring begins (and the last ends), and whether it passed a corner that
    is all that two pixels of the mask have in common.
    """
    h, w = padded.shape
    count = 0
    for y in range(h - 1):
        for x in range(w - 1):
            here = padded[y, x] + 2 * padded[y, x + 1] + 4 * padded[y + 1, x] + 8 * padded[y + 1, x + 1]
            if here in (1, 2, 4, 8, 7, 11, 13, 14):
                count += 1
            elif here in (6, 9):
                count += 2
    corners = np.empty((count, 2), np.int64)
    begins = np.zeros(count // 4 + 1, np.int64)
    crosses = np.zeros(count // 4, np.bool_)
    walked = np.zeros((h, w), np.bool_)  # pixels whose upper edge was
    n, rings = 0, 0
    for top in range(h - 1):
        for left in range(w - 1):
            if not padded[top + 1, left + 1] or padded[top, left + 1] or walked[top + 1, left + 1]:
                continue
            y, x, dy, dx = top, left, 0, 1  # of the corner, and of the step from it
            while True:
                corners[n, 0], corners[n, 1] = y, x
                n += 1
                while True:  # to the next turn
                    if dx == 1:
                        walked[y + 1, x + 1] = True
                    y, x = y + dy, x + dx
                    # Of the four pixels around this corner, the two ahead; the one on the right lies (dx, -dy) of it.
                    right = padded[y + (dy + dx + 1) // 2, x + (dx - dy + 1) // 2]
                    left_ = padded[y + (dy - dx + 1) // 2, x + (dx + dy + 1) // 2]
                    if not right:
                        dy, dx = dx, -dy
                        crosses[rings] |= left_
                        break
                    if left_:
                        dy, dx = -dx, dy
                        break
                if y == top and x == left and dx == 1:
                    break
            rings += 1
            begins[rings] = n
    return corners, begins[: rings + 1], crosses[:rings]


def _untangled(ring: list[list[int]]) -> Iterator[list[Corner]]:
    """Cut a ring that meets itself in corners into rings that do not."""
    path: list[Corner] = []
    place: dict[Corner, int] = {}
    for y, x in ring:
        corner = (y, x)
        if corner in place:
            first = place[corner]
            yield path[first:]
            for passed in path[first:]:
                del place[passed]
            del path[first:]
        place[corner] = len(path)
        path.append(corner)
    yield path


@compiled
def _area(ring: Ints) -> int:
    """Return the area within a ring, negative if it is a hole's."""
    area = 0
    for i in range(len(ring)):
        area += ring[i, 0] * (ring[i - 1, 1] - ring[i, 1])  # steps along y add nothing
    return area


def _part_of(ring: Ints, parts: NDArray[np.int32]) -> int:
    """Return the number of the part whose pixels a ring runs along."""
    step = np.roll(ring, -1, axis=0) - ring
    y, x = ring[np.flatnonzero(step[:, 1] > 0)[0]]  # where it runs along the upper edge of a pixel
    return int(parts[y, x])
