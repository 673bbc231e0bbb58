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

from axonflow.fiber.compiled import compiled
from axonflow.fiber.objects import FoundObjects, find_objects
from axonflow.fiber.runs import Columns
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
        ids, first = np.unique(key[order], return_index=True)
        start, merged = _join(corner, np.r_[0, np.cumsum(size)], order, np.r_[first, len(key)])
        return cls(ids, start, merged)

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
    top, at, low, high = _outermost(runs.first, runs.begin, runs.end, row, len(ids))
    start, corner = _enclose(core.y0, core.x0, top, at, low, high)
    return Hulls(ids, start, corner)


def convex_areas(hulls: Hulls) -> Ints:
    """Count the pixel centres in each closed hull.

    Returns
    -------
    (k,) int64
        Pixels, in the order of ``hulls.key``; equal to ``area_convex`` of ``skimage.measure.regionprops``.
    """
    return _centres(hulls.start, hulls.corner)


@compiled
def _turns_left(a: Corners | Ints, b: Corners | Ints, y: int, x: int) -> bool:
    """Tell whether the way over ``a`` and ``b`` to (y, x) turns left, seen with y downwards."""
    return bool((b[0] - a[0]) * (x - a[1]) > (b[1] - a[1]) * (y - a[0]))


@compiled
def _chain(points: Ints, n: int, out: Ints) -> int:
    """Write the hull of the first ``n`` points, sorted by (y, x), to ``out`` (2n, 2) and return its size (Andrew)."""
    size = 0
    for i in range(n):
        while size >= 2 and not _turns_left(out[size - 2], out[size - 1], points[i, 0], points[i, 1]):
            size -= 1
        out[size] = points[i]
        size += 1
    down = size
    for i in range(n - 2, -1, -1):
        while size > down and not _turns_left(out[size - 2], out[size - 1], points[i, 0], points[i, 1]):
            size -= 1
        out[size] = points[i]
        size += 1
    return size - 1  # the first point has come back


@compiled
def _outermost(first: Ints, begin: Columns, end: Columns, row: Ints, k: int) -> tuple[Ints, Ints, Columns, Columns]:
    """Return each object's first row, and the outermost pixels of its rows; more do not matter to a hull.

    Returns
    -------
    top : (k,) int64
    at : (k + 1,) int64
        Where the rows of each object begin in ``low`` and ``high``, and the end of the last.
    low, high : (at[k],) int32
        Columns of the outermost pixels; ``EMPTY`` and -1 in a row without any.
    """
    h = len(first) - 1
    top, bottom = np.full(k, h), np.zeros(k, np.int64)
    for y in range(h):
        for r in range(first[y], first[y + 1]):
            top[row[r]], bottom[row[r]] = min(top[row[r]], y), y + 1
    at = np.zeros(k + 1, np.int64)
    at[1:] = np.cumsum(bottom - top)
    low, high = np.full(at[k], EMPTY, np.int32), np.full(at[k], -1, np.int32)
    for y in range(h):
        for r in range(first[y], first[y + 1]):
            i = at[row[r]] + y - top[row[r]]
            low[i], high[i] = min(low[i], begin[r]), max(high[i], end[r] - 1)
    return top, at, low, high


@compiled
def _enclose(y0: int, x0: int, top: Ints, at: Ints, low: Columns, high: Columns) -> tuple[Ints, Corners]:
    """Enclose each object in two chains: down its left side, and up its right one."""
    k = len(top)
    start = np.zeros(k + 1, np.int64)
    corner = np.empty((4 * at[k] + 2 * k, 2), np.int32)
    for i in range(k):
        lefts, rights = low[at[i] : at[i + 1]], high[at[i] : at[i + 1]]
        oy, ox, ends = 2 * (y0 + top[i]), 2 * x0, 2 * len(lefts)
        size = start[i]
        for half in range(ends + 1):
            x = _half_pixel(lefts, half, -1)
            if x >= 0:
                size = _push(corner, start[i], size, oy + half, ox + x)
        # Where one point alone is the lowest, both chains have it: the next one drops the second of the two.
        lowest = size - 1
        for half in range(ends, -1, -1):
            x = _half_pixel(rights, half, 1)
            if x >= 0:
                size = _push(corner, lowest, size, oy + half, ox + x)
        if corner[size - 1, 1] == corner[start[i], 1]:  # likewise the highest one
            size -= 1
        start[i + 1] = size
    return start, corner[: start[k]].copy()


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
def _join(corner: Corners, begin: Ints, order: Ints, group: Ints) -> tuple[Ints, Corners]:
    """Join the hulls ``order[group[g]:group[g + 1]]`` to one for each ``g``; ``begin`` is their rows in ``corner``."""
    start = np.zeros(len(group), np.int64)
    out = np.empty_like(corner)
    for g in range(len(group) - 1):
        parts = order[group[g] : group[g + 1]]
        n = 0
        for part in parts:
            n += begin[part + 1] - begin[part]
        if len(parts) == 1:
            size = n
            out[start[g] : start[g] + n] = corner[begin[parts[0]] : begin[parts[0] + 1]]
        else:
            codes = np.empty(n, np.int64)  # y and x in one number, to be sorted
            n = 0
            for part in parts:
                for i in range(begin[part], begin[part + 1]):
                    codes[n] = (np.int64(corner[i, 0]) << 32) + corner[i, 1]
                    n += 1
            codes.sort()
            points = np.empty((n, 2), np.int64)
            points[:, 0], points[:, 1] = codes >> 32, codes & 0xFFFFFFFF
            hull = np.empty((2 * n, 2), np.int64)
            size = _chain(points, n, hull)
            out[start[g] : start[g] + size] = hull[:size]
        start[g + 1] = start[g] + size
    return start, out[: start[len(group) - 1]].copy()


@compiled
def _centres(start: Ints, corner: Corners) -> Ints:
    """Count odd points in hulls, side by side: right of the left side, and not right of the right one."""
    count = np.zeros(len(start) - 1, np.int64)
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
    return count
