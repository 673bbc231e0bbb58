"""Rows for ids: a table small enough to be addressed by an id, for windows whose ids lie close together.

Ids follow the raster, so those of a window span a short range of all. That makes a plain array the fastest
dictionary there is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from axonflow.fiber.compiled import compiled
from axonflow.tally import Ints

__all__ = ["slots"]


def slots(labels: NDArray[np.uint32]) -> tuple[Ints, Ints]:
    """Give the ids that occur in a part of a slide rows 0, 1, ….

    Parameters
    ----------
    labels : (h, w) uint32
        Ids; 0 is none.

    Returns
    -------
    ids : (k,) int64
        The ids, increasing.
    slot : (ids[-1] - ids[0] + 1,) int64
        The row of an id at ``id - ids[0]``.
    """
    low, high = _range(labels)
    present = np.zeros(max(high - low + 1, 0), np.bool_)
    _mark(labels, low, present)
    return np.flatnonzero(present) + low, np.cumsum(present) - 1


@compiled
def _range(labels: NDArray[np.uint32]) -> tuple[int, int]:
    """Return the smallest and the largest id that is not 0; the second is the smaller one where there is none."""
    low, high = 2**32, 0
    for row in labels:
        for label in row:
            if label > 0:
                low, high = min(low, int(label)), max(high, int(label))
    return low, high


@compiled
def _mark(labels: NDArray[np.uint32], low: int, present: NDArray[np.bool_]) -> None:
    for row in labels:
        for label in row:
            if label > 0:
                present[np.int64(label) - low] = True
