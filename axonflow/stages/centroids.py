"""Which axons of the table have their centroid in a core."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from axonflow.fiber.maps import CENTROID, centroid_pixels
from axonflow.fiber.table import read_parts
from axonflow.kernel.grid import Box
from axonflow.kernel.tally import Ints

__all__ = ["centroids_in"]


def centroids_in(table: Path, box: Box) -> tuple[Ints, Ints, Ints]:
    """Return the rows of the table whose centroid lies in a box, and their centroids' pixels (y, x) in that box."""
    rows, ys, xs = ([np.zeros(0, np.int64)] for _ in range(3))
    for first, part in read_parts(table, CENTROID, within=(CENTROID[0], box.y0 - 1, box.y1)):
        y, x = centroid_pixels(part)
        inside = np.flatnonzero((y >= box.y0) & (y < box.y1) & (x >= box.x0) & (x < box.x1))
        rows.append(first + inside)
        ys.append(y[inside] - box.y0)
        xs.append(x[inside] - box.x0)
    return np.concatenate(rows), np.concatenate(ys), np.concatenate(xs)
