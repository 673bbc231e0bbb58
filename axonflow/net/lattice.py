"""The lattice of windows on which predictions are defined.

Equal cores are anchored at the slide's origin, and each is seen with its halo in a window whose sides and origin
are multiples of the network's stride. A window is a function of the slide and of the lattice alone: who computes it,
and with which neighbours, cannot change what it sees.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from axonflow.kernel.grid import Box, Grid, ceil_to, mirror

__all__ = ["Lattice"]


@dataclass(frozen=True, slots=True)
class Lattice:
    """Cores with a halo over an image.

    Parameters
    ----------
    shape : (int, int)
        Sides of the image, px.
    core : int
        Side of a core, px; a multiple of the stride.
    halo : int
        What a core sees on each side, px.
    stride : int
        Of the network.
    """

    shape: tuple[int, int]
    core: int
    halo: int
    stride: int

    def cores(self, box: Box) -> Iterator[Box]:
        """Yield the cores inside a box that is cut along the lattice, in raster order."""
        yield from Grid(self.shape, (self.core, self.core)).within(box)

    def window(self, core: Box, pixels: NDArray[np.generic], have: Box) -> tuple[NDArray[np.generic], Box]:
        """Cut the window of a core.

        Parameters
        ----------
        core : Box
        pixels : (h, w) array
            Pixels that hold at least the core grown by the halo, as far as the image goes.
        have : Box
            Where they lie.

        Returns
        -------
        window : (m·stride, n·stride) array
            The core with its halo. Beyond the image its pixels are mirrored; what the stride asks for beyond the
            halo is mirrored at the halo's end, so that no pixel outside the halo is seen.
        inner : Box
            Where the core lies in the window.
        """
        rows = self._seen(core.y0, core.y1, self.shape[0]) - have.y0
        columns = self._seen(core.x0, core.x1, self.shape[1]) - have.x0
        left = columns.min()  # whole stretches of rows, then columns: four times as fast as both at once
        window = pixels[rows, left : columns.max() + 1].take(columns - left, axis=1)
        return window, self.inner(core)

    def _seen(self, first: int, last: int, side: int) -> NDArray[np.int64]:
        """Return which rows, or columns, of the image the window of a core holds."""
        return _seen(first - self.halo, last + self.halo, self.stride, side)

    def inner(self, core: Box) -> Box:
        """Return where a core lies in its window."""
        y, x = ((first - self.halo) // self.stride * self.stride for first in (core.y0, core.x0))
        return Box(core.y0 - y, core.x0 - x, core.y1 - y, core.x1 - x)


@lru_cache(maxsize=256)  # cores of one row of the lattice hold the same rows
def _seen(low: int, high: int, stride: int, side: int) -> NDArray[np.int64]:
    at = np.arange(low // stride * stride, ceil_to(high, stride), dtype=np.int64)
    return mirror(mirror(at, low, high), 0, side)
