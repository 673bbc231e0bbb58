"""The axons of an animal by their diameter, in the bins of AxonDeepSeg's ``axondeepseg_aggregate``.

Its bins (``morphometrics/aggregate.py``) begin at 0.5 µm, and it leaves out what is thinner, and axons without myelin.
Here thinner axons have a bin of their own, so that no axon is lost, and axons without myelin count, but in no number of
myelin.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from axonflow.fiber.columns import Column
from axonflow.fiber.kinds import MYELINATED, of_kind
from axonflow.fiber.tissue import DIAMETER, GRATIO
from axonflow.results.cohort.pooling import THICKNESS, Sample, with_myelin

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CALIBRES", "CALIBRE_COLUMNS", "EDGES_UM", "by_calibre"]

EDGES_UM = (0.0, 0.5, 1.0, 1.25, 1.5, 1.75, np.inf)
"""A bin holds its lower edge and not its upper one; AxonDeepSeg has all but the first."""

CALIBRES = tuple(f"{low:g}-{'' if np.isinf(high) else f'{high:g}'}" for low, high in pairwise(EDGES_UM))
"""As AxonDeepSeg calls them."""

_OF = (
    ("axon_diam", DIAMETER, " (um)", "um", "axon diameter"),
    ("gratio", GRATIO, "", "1", "g-ratio of those with myelin"),
    ("myelin_thickness", THICKNESS, " (um)", "um", "myelin thickness of those with myelin"),
)

_STATISTICS = (
    ("mean", "mean"),
    ("std", "standard deviation, of the population, of the"),
    ("min", "least"),
    ("max", "greatest"),
    ("p50", "median"),
)

CALIBRE_COLUMNS = (
    Column("axon_count", "1", "axons of this diameter", "int64"),
    Column("with_myelin_count", "1", "those of them that have myelin", "int64"),
    Column("axon_share", "1", "axons of this diameter / all axons"),
    Column("axon_density (mm^-2)", "mm^-2", "axons of this diameter / area"),
    *(
        Column(f"{prefix}_{suffix}{written}", unit, f"{words} {what}")
        for prefix, _, written, unit, what in _OF
        for suffix, words in _STATISTICS
    ),
)
"""What is told of each bin; of myelinated axons only, where the classes have others."""


def by_calibre(samples: Sequence[Sample], density: float) -> list[dict[str, Any]]:
    """Describe the axons of an animal by their diameter.

    Parameters
    ----------
    samples : sequence of Sample
        Of the animal, or of one tract in it.
    density : float
        Its axons per mm², which the bins share among them.

    Returns
    -------
    list of dict
        For each of :data:`CALIBRES` the values of :data:`CALIBRE_COLUMNS`; NaN where a bin has no axon.
    """
    import pandas as pd  # loaded where it is used

    parts = [of_kind(sample.axons, MYELINATED) for sample in samples]
    axons = pd.concat(parts) if parts else pd.DataFrame(columns=[DIAMETER, GRATIO, THICKNESS, "myelin_area (um^2)"])
    bins = np.digitize(axons[DIAMETER].to_numpy(np.float64), EDGES_UM[1:-1])
    return [_describe(axons[bins == bin_], len(axons), density) for bin_ in range(len(CALIBRES))]


def _describe(axons: pd.DataFrame, of: int, density: float) -> dict[str, Any]:
    sheathed = with_myelin(axons)
    share = len(axons) / of if of else np.nan
    found: dict[str, Any] = {
        "axon_count": len(axons),
        "with_myelin_count": len(sheathed),
        "axon_share": share,
        "axon_density (mm^-2)": density * share if of else density,  # no axon anywhere is a density of 0
    }
    for prefix, column, written, _, _ in _OF:
        rows = axons if column == DIAMETER else sheathed
        values = _statistics(rows[column].to_numpy(np.float64))
        found |= {f"{prefix}_{suffix}{written}": value for (suffix, _), value in zip(_STATISTICS, values, strict=True)}
    return found


def _statistics(values: NDArray[np.float64]) -> tuple[float, ...]:
    if not len(values):
        return (float("nan"),) * len(_STATISTICS)
    return tuple(map(float, (values.mean(), values.std(), values.min(), values.max(), np.median(values))))
