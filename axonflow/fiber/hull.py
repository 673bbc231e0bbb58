"""Convex hulls that grow over seams: the hull of a union is the hull of the hulls.

That makes them a commutative monoid, like the sums of a Tally, and exact, because the corners are integers: half
pixels from the slide's top-left corner. A pixel (y, x) is the diamond between the middles of its four sides,
(2y, 2x + 1), (2y + 1, 2x), (2y + 1, 2x + 2) and (2y + 2, 2x + 1), as in ``skimage.morphology.convex_hull_image``;
so no hull is ever degenerate, and pixel centres lie on odd rows while a hull begins and ends on even ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axonflow.fiber.objects import FoundObjects, find_objects
from axonflow.fiber.runs import Columns
from axonflow.kernel.compiled import compiled
from axonflow.kernel.grid import Box
from axonflow.kernel.tally import Ints

__all__ = ["Hulls", "convex_areas", "hulls"]

Corners = NDArray[np.int32]

EMPTY = 2**30
"""A column to the right of all."""


@dataclass(frozen=True, slots=True, eq=False)
class Hulls:
    """The convex hull of every object in one part of a slide.

    Attributes
    ----------
    key : (k,) int64
        Ids, strictly increasing.
    start : (k + 1,) int64
        Row in ``corner`` where each hull begins, and the end of the last.
    corner : (v, 2) int32
        (y, x) in half pixels from the slide's top-left corner. A hull goes down its left side from its first corner
        in raster order, and up its right one; none of its corners lies on a straight line between others.
    """

    key: Ints
    start: Ints
    corner: Corners

    @classmethod
    def merge(cls, parts: Iterable[Hulls]) -> Hulls:
        """Merge parts; their order does not matter, and there is at least one."""
        parts = tuple(parts)
        key = np.concatenate([part.key for part in parts])
        corner = np.concatenate([part.corner for part in parts])
        size = np.concatenate([np.diff(part.start) for part in parts])
        order = np.argsort(key, kind="stable")
        begin, size = (np.cumsum(size) - size)[order], size[order]
        ids, first, parts_of = np.unique(key[order], return_index=True, return_counts=True)
        count = np.add.reduceat(size, first) if len(ids) else size
        several = parts_of > 1
        joined = np.repeat(several, parts_of)
        points = corner[_rows(begin[joined], size[joined])]
        group = np.repeat(np.repeat(np.arange(len(ids)), parts_of)[joined], size[joined])
        points = points[np.lexsort((points[:, 1], points[:, 0], group))]
        begin = begin[first]
        begin[several] = np.cumsum(count[several]) - count[several]
        start, merged = np.zeros(len(ids) + 1, np.int64), np.empty_like(corner)
        chain = np.empty((2 * int(count.max(initial=0)), 2), np.int32)
        _join(corner, points, several, begin, count, chain, start, merged)
        return cls(ids, start, merged[: start[-1]].copy())

    def inside(self, core: Box) -> tuple[Hulls, Hulls]:
        """Part the objects that end inside a core from those that touch its sides and may go on beyond them."""
        low, high = (np.zeros((0, 2), np.int32),) * 2
        if len(self.key):
            low, high = (end.reduceat(self.corner, self.start[:-1]) for end in (np.minimum, np.maximum))
        first, last = np.array([core.y0 + 1, core.x0 + 1]), np.array([core.y1 - 1, core.x1 - 1])
        inside = np.all((low >= 2 * first) & (high <= 2 * last), axis=1)
        return self._only(inside), self._only(~inside)

    def split(self, key: int) -> tuple[Hulls, Hulls]:
        """Part the objects of smaller ids from the others."""
        at = int(np.searchsorted(self.key, key))
        corner = self.start[at]
        return (
            Hulls(self.key[:at], self.start[: at + 1], self.corner[:corner]),
            Hulls(self.key[at:], self.start[at:] - corner, self.corner[corner:]),
        )

    def _only(self, kept: NDArray[np.bool_]) -> Hulls:
        size = np.diff(self.start)
        return Hulls(self.key[kept], np.r_[0, np.cumsum(size[kept])], self.corner[np.repeat(kept, size)])

    def arrays(self, prefix: str) -> dict[str, Ints | Corners]:
        """Return the attributes as named arrays, to be written to a journal."""
        return {f"{prefix}.{name}": getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], prefix: str) -> Hulls:
        """Build Hulls from what :meth:`arrays` returned."""
        return cls(*(arrays[f"{prefix}.{name}"] for name in cls.__slots__))


def _rows(begin: Ints, size: Ints) -> Ints:
    """Return the rows of parts that begin at some, one part after the other."""
    return np.repeat(begin - (np.cumsum(size) - size), size) + np.arange(size.sum())


def hulls(labels: NDArray[np.uint32], core: Box, window: Box, found: FoundObjects | None = None) -> Hulls:
    """Return the hulls of the objects' pixels in a core.

    Parameters
    ----------
    labels : (h, w) uint32
        Ids in the window; 0 is none.
    core : Box
        The part to look at.
    window : Box
        The part that ``labels`` shows: at least the core.
    found : Found, optional
        The objects of the core, if they are known.
    """
    runs, ids, row = found or find_objects(labels, core.relative_to(window))
    if len(ids) == 0:
        return Hulls(ids, np.zeros(1, np.int64), np.zeros((0, 2), np.int32))
    y = np.repeat(np.arange(len(runs.first) - 1), np.diff(runs.first))
    top, bottom = np.empty(len(ids), np.int64), np.empty(len(ids), np.int64)
    top[row[::-1]], bottom[row] = y[::-1], y + 1  # the first and the last run of an object are the ones that stay
    at = np.r_[0, np.cumsum(bottom - top)]
    low, high = np.full(at[-1], EMPTY, np.int32), np.full(at[-1], -1, np.int32)
    _outermost(runs.first, runs.begin, runs.end, row, top, at, low, high)
    start, corner = np.zeros(len(ids) + 1, np.int64), np.empty((4 * at[-1] + 2 * len(ids), 2), np.int32)
    _enclose(core.y0, core.x0, top, at, low, high, start, corner)
    return Hulls(ids, start, corner[: start[-1]].copy())


def convex_areas(hulls: Hulls) -> Ints:
    """Count the pixel centres in each closed hull.

    Returns
    -------
    (k,) int64
        Pixels, in the order of ``hulls.key``; equal to ``area_convex`` of ``skimage.measure.regionprops``.
    """
    count = np.zeros(len(hulls.key), np.int64)
    _add_centres(hulls.start, hulls.corner, count)
    return count


@compiled
def _turns_left(a: Corners, b: Corners, y: int, x: int) -> bool:
    """Tell whether the way over ``a`` and ``b`` to (y, x) turns left, seen with y downwards."""
    return bool((b[0] - a[0]) * (x - a[1]) > (b[1] - a[1]) * (y - a[0]))


@compiled
def _outermost(
    first: Ints, begin: Columns, end: Columns, row: Ints, top: Ints, at: Ints, low: Columns, high: Columns
) -> None:
    """Write the outermost pixels of the objects' rows; more do not matter to a hull.

    Parameters
    ----------
    top : (k,) int64
        Each object's first row.
    at : (k + 1,) int64
        Where the rows of each object begin in ``low`` and ``high``, and the end of the last.
    low, high : (at[k],) int32
        Columns of the outermost pixels; ``EMPTY`` and -1 in a row without any, and before.
    """
    for y in range(len(first) - 1):
        for r in range(first[y], first[y + 1]):
            i = at[row[r]] + y - top[row[r]]
            low[i], high[i] = min(low[i], begin[r]), max(high[i], end[r] - 1)


@compiled
def _enclose(y0: int, x0: int, top: Ints, at: Ints, low: Columns, high: Columns, start: Ints, corner: Corners) -> None:
    """Enclose each object in two chains: down its left side, and up its right one."""
    left: Any = np.int64(-1)  # of one type, so that what they go to is compiled once
    right: Any = np.int64(1)
    for i in range(len(top)):
        lefts, rights = low[at[i] : at[i + 1]], high[at[i] : at[i + 1]]
        oy, ox, ends = 2 * (y0 + top[i]), 2 * x0, 2 * len(lefts)
        size = start[i]
        for half in range(ends + 1):
            x = _half_pixel(lefts, half, left)
            if x >= 0:
                size = _push(corner, start[i], size, oy + half, ox + x)
        # Where one point alone is the lowest, both chains have it: the next one drops the second of the two.
        lowest = size - 1
        for half in range(ends, -1, -1):
            x = _half_pixel(rights, half, right)
            if x >= 0:
                size = _push(corner, lowest, size, oy + half, ox + x)
        if corner[size - 1, 1] == corner[start[i], 1]:  # likewise the highest one
            size -= 1
        start[i + 1] = size


@compiled
def _half_pixel(outermost: Columns, half: int, side: int) -> int:
    """Return where an object ends on a line of half pixels, to its left (side -1) or right (1); -1 if it is not there.

    An odd line runs through the pixels of a row and meets the tips of the outermost, an even one between two rows.
    """
    y = half // 2
    if half % 2:
        column = outermost[y]
        return 2 * column + 1 + side if 0 <= column < EMPTY else -1
    column = outermost[max(y - 1, 0)]
    if y < len(outermost):
        column = min(column, outermost[y]) if side < 0 else max(column, outermost[y])
    return 2 * column + 1 if 0 <= column < EMPTY else -1


@compiled
def _push(corner: Corners, bottom: int, size: int, y: int, x: int) -> int:
    """Add a point to the chain ``corner[bottom:size]``, less what it then goes around, and return its end (Andrew)."""
    while size - bottom >= 2 and not _turns_left(corner[size - 2], corner[size - 1], y, x):
        size -= 1
    corner[size, 0], corner[size, 1] = y, x
    return size + 1


@compiled
def _join(
    corner: Corners,
    points: Corners,
    several: NDArray[np.bool_],
    begin: Ints,
    count: Ints,
    chain: Corners,
    start: Ints,
    out: Corners,
) -> None:
    """Write hulls: as they stand in ``corner``, or of several, whose corners stand in ``points``, sorted by (y, x).

    ``chain`` has room for twice as many corners as any has.
    """
    zero: Any = np.int64(0)  # what it is added to is as wide
    for g in range(len(several)):
        first: Any = begin[g]
        size: Any = count[g]
        source = corner
        if several[g]:
            end, source = first + size, chain
            size = zero
            for i in range(first, end):
                size = _push(chain, zero, size, points[i, 0] + zero, points[i, 1] + zero)
            lowest = size - 1
            for i in range(end - 2, first - 1, -1):
                size = _push(chain, lowest, size, points[i, 0] + zero, points[i, 1] + zero)
            first, size = zero, size - 1  # the first point has come back
        for i in range(size):
            out[start[g] + i, 0], out[start[g] + i, 1] = source[first + i, 0], source[first + i, 1]
        start[g + 1] = start[g] + size


@compiled
def _add_centres(start: Ints, corner: Corners, count: Ints) -> None:
    """Count odd points in hulls, side by side: right of the left side, and not right of the right one."""
    for i in range(len(count)):
        for j in range(start[i], start[i + 1]):
            following = j + 1 if j + 1 < start[i + 1] else start[i]
            y0, x0 = np.int64(corner[j, 0]), np.int64(corner[j, 1])
            y1, x1 = np.int64(corner[following, 0]), np.int64(corner[following, 1])
            left = y1 > y0
            if not left:
                y0, x0, y1, x1 = y1, x1, y0, x0
            for y in range(y0 | 1, y1, 2):  # half-open: where two edges meet, the lower one counts
                across = (x0 - 1) * (y1 - y0) + (y - y0) * (x1 - x0)  # the side's column here is across / (2 · height)
                if left:
                    count[i] += -across // (2 * (y1 - y0))
                else:
                    count[i] += across // (2 * (y1 - y0)) + 1
