"""One id per axon, whatever the cores: 8-connected components across all seams.

A core is labelled alone and keeps only what its neighbours need: where each piece begins, how large it is, and the
pieces along its four edges. Joining the pieces of all cores is a graph problem of a few numbers per core. An axon's
id is the rank of its first pixel in raster order, which no grid can change: the result equals
``scipy.ndimage.label`` of the whole slide.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from axonflow.fiber.compiled import compiled
from axonflow.fiber.runs import Columns, Runs, find_runs
from axonflow.grid import Box
from axonflow.tally import FAR, Ints, Tally

__all__ = ["Pieces", "label", "number", "survey"]


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
    """

    first: Ints
    area: Ints
    top: NDArray[np.int32]
    bottom: NDArray[np.int32]
    left: NDArray[np.int32]
    right: NDArray[np.int32]

    def arrays(self) -> dict[str, NDArray[np.int32] | Ints]:
        """Return the attributes as named arrays, to be written to a journal."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Pieces:
        """Build Pieces from what :meth:`arrays` returned."""
        return cls(*(arrays[name] for name in cls.__slots__))


def survey(mask: NDArray[np.bool_], box: Box, shape: tuple[int, int]) -> Pieces:
    """Find the pieces of axons in a core.

    Parameters
    ----------
    mask : (h, w) bool
        Where the core's pixels are axon.
    box : Box
        The core.
    shape : (int, int)
        Height and width of the slide, px.
    """
    found, piece, n = _components(mask)
    first, area = _first_and_area(found.first, found.begin, found.end, piece, n, box.y0, box.x0, shape[1])
    h, w = box.shape
    edges = np.zeros(w, np.int32), np.zeros(w, np.int32), np.zeros(h, np.int32), np.zeros(h, np.int32)
    _write_edges(found.first, found.begin, found.end, piece, *edges)
    return Pieces(first, area, *edges)


def number(pieces: Mapping[Box, Pieces], smallest_area: int = 0) -> dict[Box, NDArray[np.uint32]]:
    """Join the pieces of all cores to axons and number these.

    Parameters
    ----------
    pieces : mapping of Box to Pieces
        Every core of a grid whose rows and columns run through the slide.
    smallest_area : int
        Axons of fewer pixels are left out: they get the id 0, and the others are numbered without a gap.

    Returns
    -------
    dict of Box to (n + 1,) uint32
        For each core the axon's id at each local id; 0 at 0.
    """
    offset = dict(zip(pieces, np.cumsum([0, *(len(part.first) for part in pieces.values())]).tolist(), strict=False))
    # Node 0 is the background. It begins before every axon and is never too small, so its rank and id are 0.
    first = np.concatenate([[-1], *(part.first for part in pieces.values())])
    area = np.concatenate([[FAR], *(part.area for part in pieces.values())])

    touching = [np.zeros((2, 0), np.int64)]
    for before, after in (*_seams(pieces, offset, 0), *_seams(pieces, offset, 1)):
        for a, b in ((before, after), (before[1:], after[:-1]), (before[:-1], after[1:])):
            both = (a > 0) & (b > 0)
            touching.append(np.stack([a[both], b[both]]))
    pairs = np.concatenate(touching, axis=1)
    graph = coo_array((np.ones(pairs.shape[1], np.int8), tuple(pairs)), shape=(len(first), len(first)))
    axon_of = connected_components(graph, directed=False)[1].astype(np.int64)

    axons = Tally.of(axon_of, area[:, None], low=first[:, None])
    kept = np.flatnonzero(axons.total[:, 0] >= smallest_area)
    ids = np.zeros(len(axons.key), np.uint32)
    ids[kept[np.argsort(axons.low[kept, 0])]] = np.arange(len(kept))
    return {
        box: ids[axon_of[np.r_[0, offset[box] + 1 : offset[box] + 1 + len(part.first)]]] for box, part in pieces.items()
    }


def label(mask: NDArray[np.bool_], table: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Write the axons' ids into a core.

    Parameters
    ----------
    mask : (h, w) bool
        The mask :func:`survey` was given.
    table : (n + 1,) uint32
        What :func:`number` returned for this core.

    Returns
    -------
    (h, w) uint32
    """
    found, piece, _ = _components(mask)
    labels = np.zeros(mask.shape, np.uint32)
    _paint(found.first, found.begin, found.end, table[piece], labels)
    return labels


def _components(mask: NDArray[np.bool_]) -> tuple[Runs, NDArray[np.int32], int]:
    """Return the runs of a core's axons, the 8-connected piece of each by its local id, and the number of pieces.

    Local ids 1, 2, … follow the first pixels of the pieces in raster order, so they are alike for the same mask.
    """
    found = find_runs(mask.view(np.uint8))
    piece = np.empty(len(found.begin), np.int32)
    return found, piece, _join(found.first, found.begin, found.end, piece)


def _seams(pieces: Mapping[Box, Pieces], offset: Mapping[Box, int], axis: int) -> Iterator[tuple[Ints, Ints]]:
    """Yield the two lines of pixels that face one another along each seam across an axis.

    A line runs through the whole slide and holds nodes of the graph. So its neighbours in the facing line include
    the diagonals, and those over the corners where four cores meet, without any case of their own.
    """
    before: dict[int, Ints] = {}
    after: dict[int, Ints] = {}
    length = max(box.x1 if axis == 0 else box.y1 for box in pieces)
    for box, part in pieces.items():
        if axis == 0:
            run, edges = slice(box.x0, box.x1), ((before, box.y1, part.bottom), (after, box.y0, part.top))
        else:
            run, edges = slice(box.y0, box.y1), ((before, box.x1, part.right), (after, box.x0, part.left))
        for lines, cut, edge in edges:
            line = lines.setdefault(cut, np.zeros(length, np.int64))
            line[run] = np.where(edge > 0, edge + offset[box], 0)
    for cut in before.keys() & after.keys():
        yield before[cut], after[cut]


@compiled
def _join(first: Ints, begin: Columns, end: Columns, piece: NDArray[np.int32]) -> int:
    """Write the piece of each run, and return how many there are.

    Runs are joined to a forest, in which each hangs on an earlier one of its piece, up to the first. So a piece is
    numbered before any run that hangs on it is come to.
    """
    above = np.arange(len(begin))
    for y in range(1, len(first) - 1):
        i = first[y - 1]
        for j in range(first[y], first[y + 1]):
            while i < first[y] and end[i] < begin[j]:
                i += 1
            k = i
            while k < first[y] and begin[k] <= end[j]:  # at its end, not only before it: over a corner
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
def _first_and_area(
    first: Ints, begin: Columns, end: Columns, piece: NDArray[np.int32], n: int, top: int, left: int, width: int
) -> tuple[Ints, Ints]:
    """Return the raster index in the slide of each piece's first pixel, and its area; both (n,)."""
    index = np.zeros(n, np.int64)
    area = np.zeros(n, np.int64)
    for y in range(len(first) - 1):
        for i in range(first[y], first[y + 1]):
            k = piece[i] - 1
            if area[k] == 0:
                index[k] = (top + y) * width + left + begin[i]
            area[k] += end[i] - begin[i]
    return index, area


@compiled
def _write_edges(
    first: Ints,
    begin: Columns,
    end: Columns,
    piece: NDArray[np.int32],
    top: NDArray[np.int32],
    bottom: NDArray[np.int32],
    left: NDArray[np.int32],
    right: NDArray[np.int32],
) -> None:
    """Write the pieces along the four edges of a core."""
    h, w = len(left), len(top)
    for edge, y in ((top, 0), (bottom, h - 1)):
        for i in range(first[y], first[y + 1]):
            edge[begin[i] : end[i]] = piece[i]
    for y in range(h):
        if first[y] < first[y + 1]:
            i, j = first[y], first[y + 1] - 1
            if begin[i] == 0:
                left[y] = piece[i]
            if end[j] == w:
                right[y] = piece[j]


@compiled
def _paint(first: Ints, begin: Columns, end: Columns, label: NDArray[np.uint32], labels: NDArray[np.uint32]) -> None:
    """Fill every run with its label."""
    for y in range(len(first) - 1):
        for i in range(first[y], first[y + 1]):
            labels[y, begin[i] : end[i]] = label[i]
