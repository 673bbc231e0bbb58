"""Which axons of the table have their centroid in a core."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from axonflow.fiber.maps import CENTROID, centroid_pixels
from axonflow.fiber.table import read_parts
from axonflow.kernel.grid import Box
from axonflow.kernel.tally import Ints

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["centroids_in"]


def centroids_in(table: Path, box: Box, columns: tuple[str, ...] = ()) -> tuple[Ints, Ints, Ints, pd.DataFrame]:
    """Return which axons of the table have their centroid in a box.

    Parameters
    ----------
    table : Path
    box : Box
    columns : tuple of str
        Others that are wanted, too.

    Returns
    -------
    rows : (k,) int64
        Their rows.
    y, x : (k,) int64
        The pixels of their centroids, counted from the box's corner.
    part : DataFrame
        These rows, with the columns of the centroid and those that were wanted.
    """
    import pandas as pd

    found = []
    rows, ys, xs = ([np.zeros(0, np.int64)] for _ in range(3))
    for first, part in read_parts(table, (*CENTROID, *columns), within=(CENTROID[0], box.y0 - 1, box.y1)):
        y, x = centroid_pixels(part)
        inside = np.flatnonzero((y >= box.y0) & (y < box.y1) & (x >= box.x0) & (x < box.x1))
        rows.append(first + inside)
        ys.append(y[inside] - box.y0)
        xs.append(x[inside] - box.x0)
        found.append(part.iloc[inside])
    there = pd.concat(found) if found else pd.DataFrame(columns=[*CENTROID, *columns])
    return np.concatenate(rows), np.concatenate(ys), np.concatenate(xs), there
