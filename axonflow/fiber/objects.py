"""Rows for ids: a table small enough to be addressed by an id, for windows whose ids lie close together.

Ids follow the raster, so those of a window span a short range of all. That makes a plain array the fastest
dictionary there is.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from axonflow.fiber.runs import Runs, find_runs
from axonflow.kernel.grid import Box
from axonflow.kernel.tally import Ints

__all__ = ["FoundObjects", "compact_ids", "find_objects"]


class FoundObjects(NamedTuple):
    """The objects of a part of an image, as runs.

    Attributes
    ----------
    runs : Runs
    ids : (k,) int64
        Increasing.
    row : (n,) int64
        Where each run's id stands among them.
    """

    runs: Runs
    ids: Ints
    row: Ints


def find_objects(labels: NDArray[Any], part: Box | None = None) -> FoundObjects:
    """Find the objects; parameters as for :func:`axonflow.fiber.runs.find_runs`."""
    runs = find_runs(labels, part)
    return FoundObjects(runs, *compact_ids(runs.label))


def compact_ids(labels: NDArray[np.uint32]) -> tuple[Ints, Ints]:
    """Give ids rows 0, 1, ….

    Parameters
    ----------
    labels : (n,) uint32
        Ids of the runs of a part of a slide, none of them 0; an id may stand there several times.

    Returns
    -------
    ids : (k,) int64
        The ids, increasing.
    row : (n,) int64
        The row of each label.
    """
    if len(labels) == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    low = int(labels.min())
    at = labels.astype(np.int64) - low
    present = np.zeros(at.max() + 1, np.bool_)
    present[at] = True
    return np.flatnonzero(present) + low, (np.cumsum(present) - 1)[at]
