"""A synthetic slide of ellipses in squares, for tests that need simple arithmetic: any box of it, and the truth.

A hashed quadtree places the fibers: each of its squares holds one fiber, none, or four smaller squares, as the hash
of (seed, level, row, column) says. So any box of the slide can be drawn alone, in any order, and no memory is needed
for the rest; fibers never touch, because each keeps a pixel away from the sides of its square. No fiber crosses a
side of the largest squares, so these lie askew to every grid of chunks: their side is no round number of pixels, and
the seed says where they begin.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log2

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from axonflow.errors import InputError
from axonflow.kernel.classes import AXON_MYELIN
from axonflow.kernel.grid import Box
from axonflow.kernel.units import PixelSize
from axonflow.phantom.loops import draw_classes, draw_greys, draw_ground, expose, measure_fibers, mix, place
from axonflow.phantom.truth import axon_table

__all__ = ["SEM_PIXEL", "Phantom"]

SEM_PIXEL = PixelSize.square(0.1)
SMALLEST_UM = 1.7
"""Side of the smallest square, µm: fibers of 1.4 µm."""

BLUR = np.exp(-0.5 * (np.arange(-3, 4) / 0.9) ** 2)
BLUR /= BLUR.sum()


@dataclass(frozen=True, slots=True)
class Phantom:
    """A synthetic slide.

    Parameters
    ----------
    shape : (int, int)
        Height and width, px.
    seed : int
        Another seed places other fibers.
    pixel_size : PixelSize
        0.1 µm unless given.
    largest_um : float
        Diameter of the largest fibers, µm; large ones are rare.

    Notes
    -----
    Diameters and g-ratios vary smoothly over the slide, as they do between the tracts of a cord. Fibers are ellipses,
    cut where the slide ends. Myelin is bright, axons are dark, as in scanning electron micrographs.
    """

    shape: tuple[int, int]
    seed: int = 0
    pixel_size: PixelSize = SEM_PIXEL
    largest_um: float = 24.0

    def __post_init__(self) -> None:
        if min(self.shape) < 1:
            raise InputError(f"A phantom of at least 1 × 1 px was expected, {self.shape} came.")
        if not self.largest_um > SMALLEST_UM:
            raise InputError(f"Fibers larger than {SMALLEST_UM} µm were expected, {self.largest_um:g} µm came.")
        if not 0 <= self.seed < 2**64:
            raise InputError(f"A seed from 0 to 2⁶⁴ - 1 was expected, {self.seed} came.")

    @property
    def smallest(self) -> int:
        """Side of the smallest squares, px; large enough for a fiber to be drawn."""
        return max(round(SMALLEST_UM / self.pixel_size.geometric_um), 9)

    @property
    def root(self) -> int:
        """Side of the largest squares, px."""
        return self.smallest << ceil(log2(max(self.largest_um / self.pixel_size.geometric_um / self.smallest, 1)))

    @property
    def shift(self) -> tuple[int, int]:
        """Rows and columns of the first largest square that lie before the slide's first pixel."""
        word = int(mix(np.uint64(self.seed), np.uint64(0)))
        return word % self.root, (word >> 32) % self.root

    def classes(self, box: Box) -> NDArray[np.uint8]:
        """Draw the true classes of a box: the numbers of :data:`axonflow.kernel.classes.AXON_MYELIN`."""
        out = np.zeros(box.shape, np.uint8)
        draw_classes(self._fibers(box), AXON_MYELIN.axon, AXON_MYELIN.myelin, box.y0, box.x0, out)
        return out

    def image(self, box: Box) -> NDArray[np.uint8]:
        """Draw the micrograph of a box, uint8."""
        reach = len(BLUR) // 2
        grown = Box(box.y0 - reach, box.x0 - reach, box.y1 + reach, box.x1 + reach)
        grey = np.empty(grown.shape, np.float32)
        draw_ground(np.uint64(self.seed), grown.y0, grown.x0, grey)
        draw_greys(self._fibers(grown), grown.y0, grown.x0, grey)
        out = np.empty(box.shape, np.uint8)
        expose(grey, BLUR, np.uint64(self.seed), box.y0, box.x0, self.shape[0], self.shape[1], out)
        return out

    def truth(self) -> pd.DataFrame:
        """Measure every axon as it is drawn: :func:`axonflow.phantom.truth.axon_table`."""
        (h, w), root, (down, _) = self.shape, self.root, self.shift
        bands = (Box(max(y, 0), 0, min(y + root, h), w) for y in range(-down, h, root))
        parts = [measure_fibers(self._fibers(band), h, w) for band in bands]
        return axon_table(np.concatenate(parts))

    def outlines(self) -> dict[str, str]:
        """Return no outlines: the grid has no tracts."""
        return {}

    def _fibers(self, box: Box) -> NDArray[np.float64]:
        """Return the fibers of the largest squares that meet a box."""
        root, (down, right) = self.root, self.shift
        first_y, first_x = (box.y0 + down) // root, (box.x0 + right) // root
        last_y, last_x = (box.y1 - 1 + down) // root, (box.x1 - 1 + right) // root
        squares = np.array([first_y, first_x, last_y, last_x])
        return place(np.uint64(self.seed), root, self.smallest, down, right, squares, *self.shape)
