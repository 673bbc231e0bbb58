"""Rows that were counted pixel by pixel → the table of true axons."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["axon_table"]


def axon_table(rows: NDArray[np.int64]) -> pd.DataFrame:
    """Name what was counted.

    Parameters
    ----------
    rows : (n, 9) int64
        First pixel, axon and fiber pixels, sums of y and x, bounding box; those without an axon are left out.

    Returns
    -------
    DataFrame
        One row per axon, ordered by the axon's first pixel in raster order: ``axon_id`` from 1, ``axon_px`` and
        ``fiber_px`` (areas), ``y0 (px)`` and ``x0 (px)`` (centroid), ``min_y``, ``min_x``, ``max_y``, ``max_x``
        (bounding box of the axon, end exclusive).
    """
    rows = rows[rows[:, 1] > 0]
    rows = rows[np.argsort(rows[:, 0])]
    return pd.DataFrame(
        {
            "axon_id": np.arange(1, len(rows) + 1),
            "axon_px": rows[:, 1],
            "fiber_px": rows[:, 2],
            "y0 (px)": rows[:, 3] / rows[:, 1],
            "x0 (px)": rows[:, 4] / rows[:, 1],
        }
        | {name: rows[:, 5 + i] for i, name in enumerate(("min_y", "min_x", "max_y", "max_x"))}
    )
