"""Where windows of the lattice meet: what each predicts beyond its core, how far neighbours disagree, straight edges.

A window also predicts pixels beyond its core, which are its neighbours' to label. Those nearest to a seam are kept in
the core's own place, folded inward at the seam: so whoever writes a core writes them, too, and nothing of another core.
They need two planes, as those beyond the sides overlap with those above and below in the corners.

What two windows say of the pixels on both sides of their seam tells whether it cuts something. Where they agree, the
seam is nowhere to be seen. Where they do not, an object may end in a straight line, which tissue hardly ever does.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from axonflow.kernel.grid import Box, Grid
from axonflow.net.lattice import Lattice

__all__ = ["ACROSS", "DEPTH", "DOWN", "REACH", "STRAIGHT_PX", "Seam", "Seams", "straight_edges"]

ACROSS, DOWN = 0, 1
"""The planes of what is kept: beyond the left and right sides of cores, and beyond the upper and lower ones."""

DEPTH = 8
"""How far from a seam windows are compared, px: farther out they disagree everywhere, as their own edge is near."""

REACH = 64
"""How far from a seam its traces reach, px.

With all that the network can see, beside seams that show, 5 % of the labels change within 16 px, 1.3 % at 48 to 64 px,
and farther away as many as in the middle of a core. On images of rat cord at 0.1 µm.
"""

STRAIGHT_PX = 15
"""From how many pixels on an edge is called straight."""


class Seam(NamedTuple):
    """A side that two cores share.

    Attributes
    ----------
    beside : Box
        What lies within reach of it, on both of its sides.
    disagreement : float
        Of the pixels within the depth of it, on both sides, the share that the two windows give different classes.
    own : bool
        Whether the core to the right of it, or below, lies in the box that was asked about: of two boxes that share a
        seam, it is one's own.
    """

    beside: Box
    disagreement: float
    own: bool


@dataclass(frozen=True, slots=True)
class Seams:
    """The seams of a lattice.

    Parameters
    ----------
    lattice : Lattice
    depth : int
        How far from a seam windows are compared, px; not more than the halo, nor than half a core.
    reach : int
        How far from a seam labels are made again where it shows, px; a multiple of the stride.
    """

    lattice: Lattice
    depth: int
    reach: int

    @classmethod
    def of(cls, lattice: Lattice) -> Seams:
        """Return the seams of a lattice, with :data:`DEPTH` and :data:`REACH` as far as halo and cores allow."""
        half = lattice.core // 2
        reach = max(min(REACH, half // lattice.stride * lattice.stride), lattice.stride)
        return cls(lattice, min(DEPTH, lattice.halo, half), reach)

    def folded(self, around: NDArray[np.uint8], core: Box) -> NDArray[np.uint8]:
        """Fold what a window predicts beyond its core into the core's own place.

        Parameters
        ----------
        around : (h + 2·depth, w + 2·depth) uint8
            Classes of the core and of what surrounds it.
        core : Box

        Returns
        -------
        (2, h, w) uint8
            :data:`ACROSS` and :data:`DOWN`. Each strip lies on the inner side of the seam that it is beyond of, its
            pixels in their order; 0 elsewhere, and where there is no neighbour.
        """
        (h, w), d = core.shape, self.depth
        out = np.zeros((2, h, w), np.uint8)
        _fold(around[d : d + h], out[ACROSS], core.x0, core.x1, self.lattice.shape[1], d)
        _fold(around[:, d : d + w].T, out[DOWN].T, core.y0, core.y1, self.lattice.shape[0], d)
        return out

    def compared(
        self, box: Box, labels: NDArray[np.uint8], beyond: NDArray[np.uint8], have: Box
    ) -> tuple[list[Seam], list[Seam]]:
        """Compare windows at every seam that has a core in a box.

        Parameters
        ----------
        box : Box
            Cut along the lattice.
        labels : (h, w) uint8
            The classes that every window predicted of its own core.
        beyond : (2, h, w) uint8
            Of :meth:`folded`.
        have : Box
            Where both lie: the box grown by the depth.

        Returns
        -------
        upright, level : list of Seam
            Those between neighbours in a row, then those between one row and the next, both in raster order.
        """
        down, across = box.relative_to(have).slices
        (y, x), (h, w), reach = (self._edges(box, axis) for axis in (0, 1)), self.lattice.shape, self.reach
        upright = self._shares(labels[down], beyond[ACROSS, down], x, have.x0, w, y)
        level = self._shares(labels[:, across].T, beyond[DOWN, :, across].T, y, have.y0, h, x).T
        return (
            [
                Seam(Box(top, at - reach, bottom, min(at + reach, w)), share, at < box.x1)
                for (top, bottom), shares in zip(pairwise(y.tolist()), upright.tolist(), strict=True)
                for at, share in zip(x.tolist(), shares, strict=True)
                if 0 < at < w
            ],
            [
                Seam(Box(at - reach, left, min(at + reach, h), right), share, at < box.y1)
                for at, shares in zip(y.tolist(), level.tolist(), strict=True)
                for (left, right), share in zip(pairwise(x.tolist()), shares, strict=True)
                if 0 < at < h
            ],
        )

    def straight(self, box: Box, labels: NDArray[np.uint8]) -> tuple[int, int]:
        """Count straight edges inside a box: on its seams, and on lines through the middle of its cores.

        Of the cores whose lower or right side is a seam, wherever it lies, the middle is looked at: over a slide these
        lines are as long as the seams, and no window ends there.

        Parameters
        ----------
        box : Box
            Cut along the lattice.
        labels : (box.shape) uint8
        """
        on_seams = in_cores = 0
        for lines, axis in ((labels.T, 0), (labels, 1)):
            edges, ends = self._edges(box, axis), self.ends(box, 1 - axis)
            first, seams = edges[0], edges[1:][edges[1:] < self.lattice.shape[axis]]
            on_seams += sum(_on(lines, at - first, ends) for at in seams if at < edges[-1])
            in_cores += sum(_on(lines, at - self.lattice.core // 2 - first, ends) for at in seams)
        return on_seams, in_cores

    def ends(self, box: Box, axis: int) -> NDArray[np.int64]:
        """Return where cores meet along a side of a box, from its first pixel on, px."""
        edges = self._edges(box, axis)
        inner: NDArray[np.int64] = edges[1:-1] - edges[0]
        return inner

    def _edges(self, box: Box, axis: int) -> NDArray[np.int64]:
        """Return where the cores of a box begin along an axis, and where the last of them ends."""
        low, high = ((box.y0, box.y1), (box.x0, box.x1))[axis]
        edges = Grid(self.lattice.shape, (self.lattice.core, self.lattice.core)).edges(axis)
        return np.array([edge for edge in edges if low <= edge <= high], np.int64)

    def _shares(
        self,
        own: NDArray[np.uint8],
        others: NDArray[np.uint8],
        edges: NDArray[np.int64],
        origin: int,
        side: int,
        rows: NDArray[np.int64],
    ) -> NDArray[np.float64]:
        """Return how far windows disagree at upright edges, for each row of cores; 0 at the sides of the slide."""
        heights = np.diff(rows)
        found = np.zeros((len(heights), len(edges)))
        for j, edge in enumerate(edges.tolist()):
            if 0 < edge < side:
                depth, at = min(self.depth, side - edge), edge - origin  # the last core may be narrower
                left, right = slice(at - depth, at), slice(at, at + depth)
                differ = (own[:, left] != others[:, right]).sum(axis=1) + (own[:, right] != others[:, left]).sum(axis=1)
                found[:, j] = np.add.reduceat(differ, rows[:-1] - rows[0]) / (2 * depth * heights)
        return found


def straight_edges(one: NDArray[np.uint8], other: NDArray[np.uint8], ends: NDArray[np.int64]) -> int:
    """Count straight edges between two lines of labels side by side.

    Parameters
    ----------
    one, other : (n,) uint8
    ends : (m,) int64
        Where edges end in any case, so that a long one counts the same however the slide is cut.

    Returns
    -------
    int
        How often the two differ over at least :data:`STRAIGHT_PX` neighbouring pixels.
    """
    differs = np.pad(np.insert(one != other, ends, False), 1)
    first, last = np.flatnonzero(np.diff(differs)).reshape(-1, 2).T
    return int(np.count_nonzero(last - first >= STRAIGHT_PX))


def _on(lines: NDArray[np.uint8], at: int, ends: NDArray[np.int64]) -> int:
    return straight_edges(lines[:, at - 1], lines[:, at], ends)


def _fold(around: NDArray[np.uint8], out: NDArray[np.uint8], first: int, last: int, side: int, depth: int) -> None:
    """Fold the columns beyond a core, which begin a depth before it, into the sides of its own place."""
    width = last - first
    if first > 0:
        strip = min(depth, width)
        out[:, :strip] = around[:, depth - strip : depth]
    if last < side:
        strip = min(depth, side - last)
        out[:, width - strip :] = around[:, depth + width : depth + width + strip]
