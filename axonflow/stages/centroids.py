"""Which axons of the table have their centroid in a core."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from axonflow.fiber.maps import CENTROID, centroid_pixels
from axonflow.fiber.table import read_parquet
from axonflow.grid import Box
from axonflow.tally import Ints

__all__ = ["centroids_in"]


def centroids_in(table: Path, box: Box) -> tuple[Ints, Ints, Ints]:
    """Return the rows of the table whose centroid lies in a box, and their centroids' pixels (y, x) in that box."""
    y, x = _centroids(table, table.stat().st_mtime_ns)
    rows = np.flatnonzero((y >= box.y0) & (y < box.y1) & (x >= box.x0) & (x < box.x1))
    return rows, y[rows] - box.y0, x[rows] - box.x0


@lru_cache(maxsize=1)
def _centroids(table: Path, _written: int) -> tuple[Ints, Ints]:
    return centroid_pixels(read_parquet(table, CENTROID))
