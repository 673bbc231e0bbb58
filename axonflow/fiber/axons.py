"""One id per axon, whatever the cores: 8-connected components across all seams.

A core is labelled alone and keeps only what its neighbours need: where each piece begins, how large it is, and the
pieces along its four edges. Joining these over the seams is a graph problem of a few numbers per core. An axon's
id is the rank of its first pixel in raster order, which no grid can change: the result equals
``scipy.ndimage.label`` of the whole slide. Ranks are counted one row of cores after the other, so memory does not grow
with the number of axons.

Axons with myelin and without are two kinds. They share one series of ids, ranked together, but pixels of two kinds are
never one axon, even where they touch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axonflow.fiber.runs import Columns, Runs, find_runs
from axonflow.kernel.compiled import compiled
from axonflow.kernel.grid import Box
from axonflow.kernel.tally import Ints, Tally
from axonflow.kernel.units import PixelSize

__all__ = ["Joined", "Kinds", "Pieces", "components", "join", "label", "number_axons", "smallest_px", "survey"]

Kinds = NDArray[np.uint8]
"""Which kind of axon a pixel is of: 1 an axon, 2 one without myelin, 0 none; :meth:`Classes.kinds` tells."""


Edge = NDArray[np.int32]
"""Local ids of pieces along a side of a core; 0 is none."""


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """The pieces of axons that one core holds; piece ``i`` has the local id ``i + 1``.

    Attributes
    ----------
    first : (n,) int64
        Raster index ``y · width + x``, in the slide, of each piece's first pixel.
    area : (n,) int64
        Pixels of each piece.
    top, bottom : (w,) int32
        Local ids along the core's first and last row; 0 is no axon.
    left, right : (h,) int32
        Local ids along its first and last column.
    kind : (n,) uint8
        Of each piece, as in :data:`Kinds`.
    """

    first: Ints
    area: Ints
    top: NDArray[np.int32]
    bottom: NDArray[np.int32]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    kind: Kinds

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the attributes as named arrays, to be written to a journal; kinds only if there are several."""
        arrays: dict[str, NDArray[Any]] = {name: getattr(self, name) for name in self.__slots__}
        if (self.kind == 1).all():
            del arrays["kind"]
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Pieces:
        """Build Pieces from what :meth:`arrays` returned."""
        found = {"kind": np.ones(len(arrays["first"]), np.uint8), **arrays}
        return cls(*(found[name] for name in cls.__slots__))


def smallest_px(min_axon_area_um2: float, pixel_size: PixelSize) -> int:
    """Return the pixels of the smallest axon that is not left out, by its area in µm²."""
    return ceil(min_axon_area_um2 / pixel_size.area_um2)


def survey(kinds: Kinds, box: Box, shape: tuple[int, int]) -> Pieces:
    """Find the pieces of axons in a core.

    Parameters
    ----------
    kinds : (h, w) uint8
        Which of the core's pixels are axon, and of which kind.
    box : Box
        The core.
    shape : (int, int)
        Height and width of the slide, px.
    """
    found, piece, n = components(kinds)
    first, area = np.zeros(n, np.int64), np.zeros(n, np.int64)
    _add_areas(found.first, found.begin, found.end, piece, box.y0, box.x0, shape[1], first, area)
    kind = np.zeros(n, np.uint8)
    kind[piece - 1] = found.label
    return Pieces(first, area, *_edges(found, piece, box.shape), kind)


@dataclass(frozen=True, slots=True, eq=False)
class Joined:
    """The axons that reach a side of some core, and perhaps go on beyond it; of all others each piece is an axon.

    Attributes
    ----------
    axon : (n,) int64
        The axon of each piece that reaches a side of its core: core by core, by local ids.
    first : (k,) int64
        Raster index in the slide of each axon's first pixel.
    area : (k,) int64
        Pixels of each axon.
    kind : (k,) uint8
        Of each axon, as in :data:`Kinds`.
    """

    axon: Ints
    first: Ints
    area: Ints
    kind: Kinds


def join(cores: Iterable[tuple[Box, Pieces]]) -> Joined:
    """Join pieces over the seams.

    Parameters
    ----------
    cores : iterable of (Box, Pieces)
        Every core of a grid whose rows and columns run through the slide, in raster order.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    first, area, touching = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], [np.zeros((2, 0), np.int64)]
    kinds = [np.zeros(0, np.uint8)]
    nodes = 0
    bottom = np.zeros(0, np.int64)
    for _, row in groupby(cores, key=lambda core: core[0].y0):
        top, following, right = [], [], np.zeros(0, np.int64)
        for _, part in row:
            on_sides = _on_sides(part)
            node = np.zeros(len(part.first) + 1, np.int64)  # 0 is none
            node[on_sides] = nodes + 1 + np.arange(len(on_sides))
            nodes += len(on_sides)
            first.append(part.first[on_sides - 1])
            area.append(part.area[on_sides - 1])
            kinds.append(part.kind[on_sides - 1])
            top.append(node[part.top])
            following.append(node[part.bottom])
            if len(right):
                touching += _touching(right, node[part.left])
            right = node[part.right]
        if len(bottom):  # a line through the whole slide, so that it knows of corners where four cores meet
            touching += _touching(bottom, np.concatenate(top))
        bottom = np.concatenate(following)
    pairs, kind = np.concatenate(touching, axis=1) - 1, np.concatenate(kinds)
    pairs = pairs[:, kind[pairs[0]] == kind[pairs[1]]]
    graph = coo_array((np.ones(pairs.shape[1], np.int8), tuple(pairs)), shape=(nodes, nodes))
    axon = connected_components(graph, directed=False)[1].astype(np.int64) if nodes else np.zeros(0, np.int64)
    axons = Tally.of(axon, np.concatenate(area)[:, None], low=np.concatenate(first)[:, None])
    of_axon = np.empty(len(axons.key), np.uint8)
    of_axon[axon] = kind
    return Joined(axon, axons.low[:, 0], axons.total[:, 0], of_axon)


def number_axons(
    cores: Iterable[tuple[Box, Pieces]], joined: Joined, smallest_area: int = 0, smallest_without: int = 0
) -> Iterator[tuple[Box, NDArray[np.uint32]]]:
    """Count the axons in the order of their first pixels; one row of cores is in memory at a time.

    Parameters
    ----------
    cores : iterable of (Box, Pieces)
        What :func:`join` was given.
    joined : Joined
        What it returned.
    smallest_area : int
        Axons of fewer pixels are left out: they get the id 0, and the others are numbered without a gap.
    smallest_without : int
        The same, of axons without myelin.

    Yields
    ------
    box : Box
    table : (n + 1,) uint32
        The axon's id at each local id of the core; 0 at 0.
    """
    # The axon of a piece begins in its row of cores or above: when that row's turn comes, its rank is known.
    over_seams = np.argsort(joined.first)
    smallest = np.array((0, smallest_area, smallest_without))
    over_seams = over_seams[joined.area[over_seams] >= smallest[joined.kind[over_seams]]]
    begins = joined.first[over_seams]
    ids_over_seams = np.zeros(len(joined.first), np.uint32)
    node, following = 0, 1
    for _, row in groupby(cores, key=lambda core: core[0].y0):
        boxes, parts = zip(*row, strict=True)
        width = max(box.x1 for box in boxes)
        here = slice(*np.searchsorted(begins, (boxes[0].y0 * width, boxes[0].y1 * width)))
        sides = [_on_sides(part) for part in parts]
        alone = []
        for part, on_sides in zip(parts, sides, strict=True):
            kept = part.area >= smallest[part.kind]
            kept[on_sides - 1] = False
            alone.append(np.flatnonzero(kept))
        start = np.concatenate([begins[here], *(part.first[kept] for part, kept in zip(parts, alone, strict=True))])
        ids = np.empty(len(start), np.uint32)
        ids[np.argsort(start)] = np.arange(following, following + len(start))
        following += len(start)
        at = here.stop - here.start
        ids_over_seams[over_seams[here]] = ids[:at]
        for box, part, on_sides, kept in zip(boxes, parts, sides, alone, strict=True):
            table = np.zeros(len(part.first) + 1, np.uint32)
            table[kept + 1] = ids[at : at + len(kept)]
            table[on_sides] = ids_over_seams[joined.axon[node : node + len(on_sides)]]
            at, node = at + len(kept), node + len(on_sides)
            yield box, table


def label(kinds: Kinds, table: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Write the axons' ids into a core.

    Parameters
    ----------
    kinds : (h, w) uint8
        What :func:`survey` was given.
    table : (n + 1,) uint32
        What :func:`number_axons` yielded for this core.

    Returns
    -------
    (h, w) uint32
    """
    found, piece, _ = components(kinds)
    labels = np.zeros(kinds.shape, np.uint32)
    _paint(found.first, found.begin, found.end, table[piece], labels)
    return labels


def components(kinds: Kinds) -> tuple[Runs, NDArray[np.int32], int]:
    """Return the runs of a core's axons, the 8-connected piece of each by its local id, and the number of pieces.

    Local ids 1, 2, … follow the first pixels of the pieces in raster order, so they are alike for the same kinds.
    """
    found = find_runs(kinds)
    piece, above = np.empty(len(found.begin), np.int32), np.arange(len(found.begin))
    return found, piece, _join_runs(found.first, found.begin, found.end, found.label, above, piece)


def _edges(found: Runs, piece: NDArray[np.int32], shape: tuple[int, int]) -> tuple[Edge, Edge, Edge, Edge]:
    """Return the pieces along the first and last row of a core, and along its first and last column."""
    h, w = shape
    left, right = np.zeros(h, np.int32), np.zeros(h, np.int32)
    some = np.flatnonzero(np.diff(found.first))
    i, j = found.first[some], found.first[some + 1] - 1
    left[some] = np.where(found.begin[i] == 0, piece[i], 0)
    right[some] = np.where(found.end[j] == w, piece[j], 0)

    def along(y: int) -> Edge:
        of_row = slice(found.first[y], found.first[y + 1])
        steps = np.zeros(w + 1, np.int32)
        steps[found.begin[of_row]] += piece[of_row]
        steps[found.end[of_row]] -= piece[of_row]  # where another run may begin
        return np.cumsum(steps[:w], dtype=np.int32)

    return along(0), along(h - 1), left, right


def _on_sides(part: Pieces) -> Ints:
    """Return the local ids of the pieces that reach a side of their core."""
    there = np.zeros(len(part.first) + 1, np.bool_)
    for side in (part.top, part.bottom, part.left, part.right):
        there[side] = True
    there[0] = False
    return np.flatnonzero(there)


def _touching(before: Ints, after: Ints) -> list[Ints]:
    """Return the pairs of pieces that touch along two lines of pixels that face one another, or diagonally."""
    pairs = []
    for a, b in ((before, after), (before[1:], after[:-1]), (before[:-1], after[1:])):
        both = (a > 0) & (b > 0)
        pairs.append(np.stack([a[both], b[both]]))
    return pairs


@compiled
def _join_runs(first: Ints, begin: Columns, end: Columns, kind: Kinds, above: Ints, piece: NDArray[np.int32]) -> int:
    """Write the piece of each run, and return how many there are.

    Runs of one kind are joined to a forest, in which each hangs on an earlier one of its piece, up to the first. So a
    piece is numbered before the turn of any run that hangs on it. In ``above`` each run hangs on itself at first.
    """
    for y in range(1, len(first) - 1):
        i = first[y - 1]
        for j in range(first[y], first[y + 1]):
            while i < first[y] and end[i] < begin[j]:
                i += 1
            k = i
            while k < first[y] and begin[k] <= end[j]:  # at its end, not only before it: over a corner
                if kind[k] == kind[j]:
                    a, b = _root(above, k), _root(above, j)
                    above[max(a, b)] = min(a, b)
                k += 1
    n = 0
    for i in range(len(begin)):
        if above[i] == i:
            n += 1
            piece[i] = n
        else:
            piece[i] = piece[above[i]]
    return n


@compiled
def _root(above: Ints, i: int) -> int:
    """Return the first run of the tree that holds run ``i``, and halve the way to it."""
    while above[i] != i:
        above[i] = above[above[i]]
        i = above[i]
    return i


@compiled
def _add_areas(
    first: Ints,
    begin: Columns,
    end: Columns,
    piece: NDArray[np.int32],
    top: int,
    left: int,
    width: int,
    index: Ints,
    area: Ints,
) -> None:
    """Add up the area of each piece, from 0, and write the raster index in the slide of its first pixel."""
    for y in range(len(first) - 1):
        for i in range(first[y], first[y + 1]):
            k = piece[i] - 1
            if area[k] == 0:
                index[k] = (top + y) * width + left + begin[i]
            area[k] += end[i] - begin[i]


@compiled
def _paint(first: Ints, begin: Columns, end: Columns, label: NDArray[np.uint32], labels: NDArray[np.uint32]) -> None:
    """Fill every run with its label."""
    for y in range(len(first) - 1):
        for i in range(first[y], first[y + 1]):
            for x in range(begin[i], end[i]):
                labels[y, x] = label[i]
