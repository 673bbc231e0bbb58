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
from axonflow.fiber.slots import slots
from axonflow.grid import Box
from axonflow.tally import Ints

__all__ = ["Hulls", "convex_areas", "hulls"]

Corners = NDArray[np.int32]


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

    def split(self, core: Box) -> tuple[Hulls, Hulls]:
        """Part the objects that end inside a core from those that touch its sides and may go on beyond them."""
        low, high = (np.zeros((0, 2), np.int32),) * 2
        if len(self.key):
            low, high = (end.reduceat(self.corner, self.start[:-1]) for end in (np.minimum, np.maximum))
        first, last = np.array([core.y0 + 1, core.x0 + 1]), np.array([core.y1 - 1, core.x1 - 1])
        inside = np.all((low >= 2 * first) & (high <= 2 * last), axis=1)
        return self._only(inside), self._only(~inside)

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


def hulls(labels: NDArray[np.uint32], core: Box, window: Box) -> Hulls:
    """Return the hulls of the objects' pixels in a core.

    Parameters
    ----------
    labels : (h, w) uint32
        Ids in the window; 0 is none.
    core : Box
        The part to look at.
    window : Box
        The part that ``labels`` shows: at least the core.
    """
    inside = labels[core.relative_to(window).slices]
    ids, slot = slots(inside)
    if len(ids) == 0:
        return Hulls(ids, np.zeros(1, np.int64), np.zeros((0, 2), np.int32))
    start, corner = _enclose(inside, core.y0, core.x0, ids[0], slot, len(ids))
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
def _enclose(inside: NDArray[np.uint32], top: int, left: int, first: int, slot: Ints, k: int) -> tuple[Ints, Corners]:
    """Enclose the pixels of each id, of which only the two outermost of every row matter."""
    h, w = inside.shape
    begin, end = np.full(k, h), np.zeros(k, np.int64)
    for y in range(h):
        for x in range(w):
            if inside[y, x] > 0:
                i = slot[np.int64(inside[y, x]) - first]
                begin[i], end[i] = min(begin[i], y), max(end[i], y + 1)
    at = np.zeros(k + 1, np.int64)
    at[1:] = np.cumsum(end - begin)
    outermost = np.empty((at[k], 2), np.int64)
    outermost[:, 0], outermost[:, 1] = w, -1
    for y in range(h):
        for x in range(w):
            if inside[y, x] > 0:
                i = slot[np.int64(inside[y, x]) - first]
                row = outermost[at[i] + y - begin[i]]
                row[0], row[1] = min(row[0], x), max(row[1], x)

    tallest = (end - begin).max()
    halves = np.empty((2 * tallest + 1, 2), np.int64)
    points = np.empty((4 * tallest + 2, 2), np.int64)
    hull = np.empty((2 * len(points), 2), np.int64)
    start = np.zeros(k + 1, np.int64)
    corner = np.empty((4 * at[k] + 2 * k, 2), np.int32)
    for i in range(k):
        rows = end[i] - begin[i]
        halves[: 2 * rows + 1, 0], halves[: 2 * rows + 1, 1] = 2 * w + 1, -1
        for y in range(rows):
            low, high = outermost[at[i] + y]
            if high >= 0:
                for half, wider in ((2 * y, 0), (2 * y + 1, 1), (2 * y + 2, 0)):
                    halves[half, 0] = min(halves[half, 0], 2 * low + 1 - wider)
                    halves[half, 1] = max(halves[half, 1], 2 * high + 1 + wider)
        n = 0
        for half in range(2 * rows + 1):
            low, high = halves[half]
            for x in (low, high):
                if high >= 0 and (x == low or high > low):
                    points[n] = 2 * (top + begin[i]) + half, 2 * left + x
                    n += 1
        size = _chain(points, n, hull)
        corner[start[i] : start[i] + size] = hull[:size]
        start[i + 1] = start[i] + size
    return start, corner[: start[k]].copy()


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
