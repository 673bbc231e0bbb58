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
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from axonflow.fiber.compiled import compiled
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
    local, n = _components(mask)
    begin, area = _begin_and_area(local, n)
    y, x = np.divmod(begin, mask.shape[1])
    return Pieces(
        (y + box.y0) * shape[1] + x + box.x0,
        area,
        *(np.ascontiguousarray(edge) for edge in (local[0], local[-1], local[:, 0], local[:, -1])),
    )


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
    return table[_components(mask)[0]]


def _components(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int32], int]:
    """Label the 8-connected components of a core by 1, 2, …; always alike for the same mask."""
    local, n = ndimage.label(mask, np.ones((3, 3), np.int8), output=np.int32)
    return local, n


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
def _begin_and_area(local: NDArray[np.int32], n: int) -> tuple[Ints, Ints]:
    """Return the raster index in the core of each piece's first pixel, and its area; both (n,)."""
    begin = np.zeros(n, np.int64)
    area = np.zeros(n, np.int64)
    h, w = local.shape
    for y in range(h):
        for x in range(w):
            piece = local[y, x] - 1
            if piece >= 0:
                if area[piece] == 0:
                    begin[piece] = y * w + x
                area[piece] += 1
    return begin, area
