"""How coarse what a slide shows is, in the network's pixels, and whether its training images were as coarse.

A wrong pixel size makes a slide coarser or finer than it is, and looks otherwise like any other: the network finds
axons in it, and is sure of them. Coarseness tells by the greys alone: structures larger than a block of 16 × 16 px make
its neighbours differ, smaller ones vary within it. It follows from the same sums as the traits.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from axonflow.net.familiarity import BLOCK, MARGIN, SQUARE, SUMS

__all__ = ["coarseness_limits", "coarseness_range", "square_coarseness"]

_GREY, _SQUARED = SUMS.index("grey"), SUMS.index("grey²")

STRAY = 0.15
"""How far a single square may lie from the rest of its image: of ``sem``'s training images, six in seven lie nearer."""


def square_coarseness(sums: NDArray[np.uint32], shape: tuple[int, int], counts: NDArray[np.bool_]) -> list[float]:
    """Return how coarse each square of 256 px of a part of a slide is.

    Parameters
    ----------
    sums : (4, b, c) uint32
        Of :func:`axonflow.net.familiarity.block_sums`.
    shape : (int, int)
        Sides of the part, px. Blocks that it cuts are left out.
    counts : (b, c) bool
        Which blocks count. Those of a single grey never do.

    Returns
    -------
    list of float
        Of each square of which at least half counts: the mean absolute difference between the mean greys of
        neighbouring blocks, by the standard deviation of the greys within blocks. About 0.3 to 1.5.
    """
    rows, columns = (side // BLOCK for side in shape)
    whole = sums[:, :rows, :columns].astype(np.float64)
    mean = whole[_GREY] / BLOCK**2
    variance = whole[_SQUARED] / BLOCK**2 - mean**2
    known = counts[:rows, :columns] & (variance > 0)
    found = []
    for y in range(0, rows, SQUARE):
        for x in range(0, columns, SQUARE):
            square = np.s_[y : y + SQUARE, x : x + SQUARE]
            within, greys = known[square], mean[square]
            if 2 * np.count_nonzero(within) < SQUARE**2:
                continue
            down, across = within[1:] & within[:-1], within[:, 1:] & within[:, :-1]
            steps = np.abs(np.append((greys[1:] - greys[:-1])[down], (greys[:, 1:] - greys[:, :-1])[across]))
            if steps.size:
                found.append(float(steps.mean() / np.sqrt(variance[square][within].mean())))
    return found


def coarseness_range(images: Iterable[list[float]]) -> tuple[float, float] | None:
    """Return how coarse the training images are, as a model's contract states it.

    Parameters
    ----------
    images : iterable of list of float
        The squares of each (:func:`square_coarseness`).

    Returns
    -------
    (float, float) or None
        From the finest to the coarsest image, each by the median of its squares, widened at either end by a tenth of
        what lies between them; None if no image has a square.
    """
    medians = [float(np.median(squares)) for squares in images if squares]
    if not medians:
        return None
    low, high = min(medians), max(medians)
    margin = MARGIN * (high - low)
    return round(max(low - margin, 0), 4), round(high + margin, 4)


def coarseness_limits(familiar: tuple[float, float], squares: int) -> tuple[float, float]:
    """Return between what the median of so many squares of a slide lies if it is as coarse as the training images.

    The fewer squares there are, the farther their median may stray.
    """
    stray = STRAY / squares**0.5
    return familiar[0] - stray, familiar[1] + stray
