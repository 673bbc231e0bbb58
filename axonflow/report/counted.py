"""The axons that count: all of them, or those whose centroids the mask covers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from axonflow.analysis import Analysis
from axonflow.fiber.tissue import MYELIN_AREA

__all__ = ["counted_axons", "myelinated"]


def counted_axons(result: Analysis) -> pd.DataFrame:
    """Return the rows of the table of axons that count in the maps.

    Which axons a mask covers is what the stage that made the maps has noted. If its journal is gone, the axons of the
    cells of which anything counts are taken.
    """
    fibers = result.fibers
    if result.record["config"]["mask"] is None:
        return fibers
    rows = _noted(result.store / ".axonflow" / "journal" / "map")
    if len(rows) != int(result.maps["axon_count"].sum()):
        side = float(result.maps.attrs["cell_side_um"])
        counts = result.maps["covered_area"].to_numpy() > 0
        cells = tuple(
            np.minimum((fibers[f"{axis}0 (um)"].to_numpy() / side).astype(np.int64), counts.shape[i] - 1)
            for i, axis in enumerate("yx")
        )
        rows = np.flatnonzero(counts[cells])
    return fibers.iloc[rows]


def myelinated(axons: pd.DataFrame) -> pd.DataFrame:
    """Return the axons that have myelin; the g-ratio of the others is 1 by definition and says nothing."""
    return axons[axons[MYELIN_AREA] > 0]


def _noted(journal: Path) -> NDArray[np.int64]:
    found = [np.zeros(0, np.int64)]
    for path in journal.glob("*/*.npz"):
        with np.load(path) as arrays:
            found += [arrays[name] for name in arrays.files if name.endswith("/rows")]
    return np.sort(np.concatenate(found))
