"""Where nnU-Net's windows lie on a slide, and how much each counts at a pixel.

Every number here is nnU-Net's own, down to the order of the floating-point operations: a window that lies one pixel
beside nnU-Net's gives other labels. A window is a function of the slide alone: who computes it cannot change what it
sees.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import ceil

import numpy as np
from numpy.typing import NDArray

from axonflow.kernel.grid import Box

__all__ = ["Windows", "importance"]

_SIGMA, _MOST = 1 / 8, 10
"""Of the bell by which a window counts: its width as a part of the patch, and its height."""


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows of one size over the part of a slide that is not empty.

    Parameters
    ----------
    inside : Box
        Bounding box of the pixels that are not zero; the whole slide if all are.
    patch : (int, int)
        Height and width of a window, px.
    step : float
        Largest distance from one to the next, as a part of the patch.
    """

    inside: Box
    patch: tuple[int, int]
    step: float = 0.5

    def starts(self, axis: int) -> tuple[int, ...]:
        """Return where windows begin along an axis, px of the slide.

        Where the box is smaller than the patch there is one window, which stands out over it evenly on both sides
        (one pixel farther at the end if that is not possible); it may begin before the slide does.
        """
        first = (self.inside.y0, self.inside.x0)[axis]
        span = self.inside.shape[axis] - self.patch[axis]
        if span <= 0:
            return (first - -span // 2,)
        count = ceil(span / (self.patch[axis] * self.step)) + 1
        apart = span / (count - 1)
        return tuple(first + round(apart * i) for i in range(count))

    def touching(self, box: Box) -> Iterator[Box]:
        """Yield the windows that see a pixel of a box which is not outside, in raster order."""
        rows, columns = self._along(box)
        for y in rows:
            for x in columns:
                yield Box(y, x, y + self.patch[0], x + self.patch[1])

    def count(self, boxes: Iterable[Box]) -> int:
        """Return how many windows are computed if boxes are computed one by one."""
        return sum(len(rows) * len(columns) for rows, columns in map(self._along, boxes))

    def __len__(self) -> int:
        return len(self.starts(0)) * len(self.starts(1))

    def _along(self, box: Box) -> tuple[list[int], list[int]]:
        part = box & self.inside
        if not part.size:
            return [], []
        rows, columns = (
            [start for start in self.starts(axis) if start < last and start + self.patch[axis] > first]
            for axis, first, last in ((0, part.y0, part.y1), (1, part.x0, part.x1))
        )
        return rows, columns


@lru_cache(maxsize=4)
def importance(patch: tuple[int, int]) -> NDArray[np.float16]:
    """Return how much a window counts at each of its pixels: a bell around its centre, nowhere zero.

    Returns
    -------
    patch float16
    """
    from scipy.ndimage import gaussian_filter  # not needed by every command

    bell = np.zeros(patch)
    bell[patch[0] // 2, patch[1] // 2] = 1
    bell = gaussian_filter(bell, [side * _SIGMA for side in patch], mode="constant")
    bell /= bell.max() / _MOST
    counts: NDArray[np.float16] = bell.astype(np.float32).astype(np.float16)  # torch's way to float16 leads by float32
    counts[counts == 0] = counts[counts > 0].min()
    counts.flags.writeable = False
    return counts
