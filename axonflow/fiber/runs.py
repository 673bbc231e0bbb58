"""An image of labels as runs: the stretches of its rows that hold one label each.

What is asked about an object is seldom a matter of single pixels: its area, its sums, its hull and what it is joined
to follow from its runs, and of these there are many times fewer.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from axonflow.kernel.compiled import compiled
from axonflow.kernel.grid import Box
from axonflow.kernel.tally import Ints

__all__ = ["Columns", "Runs", "find_runs"]

Columns = NDArray[np.int32]


class Runs(NamedTuple):
    """The runs of a part of an image, in raster order; runs of two labels may touch.

    Attributes
    ----------
    first : (h + 1,) int64
        Number of each row's first run, and of all runs.
    begin, end : (n,) int32
        Column of each run's first pixel in the part, and the column behind its last.
    label : (n,) array of the image's dtype
        Never 0.
    """

    first: Ints
    begin: Columns
    end: Columns
    label: NDArray[Any]


def find_runs(labels: NDArray[Any], part: Box | None = None) -> Runs:
    """Find the runs of all labels but 0.

    Parameters
    ----------
    labels : (h, w) array of integers
    part : Box, optional
        Where to look, in pixels of ``labels``; everywhere when left out.
    """
    y0, x0, y1, x1 = (0, 0, *labels.shape) if part is None else (part.y0, part.x0, part.y1, part.x1)
    labels = np.ascontiguousarray(labels)  # rows whose pixels lie side by side are read many pixels at once
    first = np.zeros(y1 - y0 + 1, np.int64)
    _count(labels, y0, x0, y1, x1, first)
    np.cumsum(first, out=first)
    begin, end = np.empty(first[-1], np.int32), np.empty(first[-1], np.int32)
    label = np.empty(first[-1], labels.dtype)
    _find(labels, y0, x0, y1, x1, np.zeros(x1 - x0 + 1, np.int32), begin, end, label)
    return Runs(first, begin, end, label)


@compiled
def _count(labels: NDArray[Any], y0: int, x0: int, y1: int, x1: int, first: Ints) -> None:
    """Write the number of runs in row ``y0 + i`` to ``first[i + 1]``."""
    for y in range(y0, y1):
        row = labels[y, x0:x1]
        n = np.int32(row[0] != 0)
        for x in range(1, len(row)):
            n += np.int32((row[x] != row[x - 1]) & (row[x] != 0))
        first[y - y0 + 1] = n


@compiled
def _find(
    labels: NDArray[Any],
    y0: int,
    x0: int,
    y1: int,
    x1: int,
    change: Columns,
    begin: Columns,
    end: Columns,
    label: NDArray[Any],
) -> None:
    """Write the runs; where a row changes is found without a branch, which a processor could not foretell.

    ``change`` has room for a row's columns and its end, and begins with 0.
    """
    i = 0
    for y in range(y0, y1):
        row = labels[y, x0:x1]
        n = np.int64(1)
        for x in range(1, len(row)):
            change[n] = x
            n += np.int64(row[x] != row[x - 1])
        change[n] = len(row)
        for k in range(n):
            if row[change[k]] != 0:
                begin[i], end[i], label[i] = change[k], change[k + 1], row[change[k]]
                i += 1
