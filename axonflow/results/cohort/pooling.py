"""Slides, or tracts of them, of one animal → its numbers: as if all their tissue lay on one slide.

What is a share of an area (density, AVF, MVF) is the mean of the slides weighted by their areas: all axons over all
tissue. What is of axons (diameters, g-ratios) is of all their axons together, so each axon counts once, and a slide
with twice as many counts twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from axonflow.errors import StoreError
from axonflow.fiber.columns import Column
from axonflow.fiber.gratio import aggregate_gratio
from axonflow.fiber.kinds import MYELINATED, UNMYELINATED, of_kind
from axonflow.fiber.region_table import HISTOGRAM, PERCENTILES, REGION_COLUMNS, UNMYELINATED_COLUMNS
from axonflow.fiber.table import REGION
from axonflow.fiber.tissue import DIAMETER, GRATIO, MYELIN_AREA
from axonflow.results.analysis import open_store
from axonflow.workflow.animals import EVERYTHING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["POOLED", "POOLED_UNMYELINATED", "THICKNESS", "Sample", "pool", "samples_of", "with_myelin"]

THICKNESS = "myelin_thickness (um)"

POOLED = (
    *(column for column in REGION_COLUMNS if column.name != "region" and column != HISTOGRAM),
    Column("myelin_thickness_mean (um)", "um", "mean myelin thickness of the axons that have myelin"),
)
"""The numbers of an animal, which are those of a region and one more."""

POOLED_UNMYELINATED = UNMYELINATED_COLUMNS
"""Those beside them where the classes have axons without myelin."""

_BY_AREA = ("axon_density (mm^-2)", "avf", "mvf", "unmyelinated_density (mm^-2)", "unmyelinated_avf")

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """What counts of one slide, or of one tract of it.

    Attributes
    ----------
    tract : str
        Its name; :data:`~axonflow.workflow.animals.EVERYTHING` for the whole slide.
    numbers : Mapping
        Values of :data:`~axonflow.fiber.region_table.REGION_COLUMNS` by their names, and of those of unmyelinated axons
        if they are a class.
    axons : DataFrame
        The axons that count there: diameter, g-ratio, area and thickness of the myelin, and their kind if there are
        two.
    """

    tract: str
    numbers: Mapping[str, Any]
    axons: pd.DataFrame


def samples_of(store: Path, numbers: Mapping[str, Any]) -> Iterator[Sample]:
    """Yield what counts of a slide: all of it, and each of its tracts if the run had outlines of them.

    Parameters
    ----------
    store : Path
        Of a finished run.
    numbers : Mapping
        The slide's row in the table of the batch.
    """
    result = open_store(store)
    try:
        tracts = result.regions
    except StoreError:  # there were no outlines
        tracts = None
    columns = [DIAMETER, GRATIO, MYELIN_AREA, THICKNESS, *result.kind_columns]
    if tracts is None:
        yield Sample(EVERYTHING, numbers, result.counted_fibers(columns))
        return
    axons = result.counted_fibers([*columns, REGION.name])
    yield Sample(EVERYTHING, numbers, axons)
    for row in tracts.to_dict("records"):
        name = str(row["region"])
        named = f"{name} (outline)" if name == EVERYTHING else name
        yield Sample(named, {str(key): value for key, value in row.items()}, axons[axons[REGION.name] == name])


def pool(samples: Sequence[Sample]) -> dict[str, Any]:
    """Return the numbers of an animal.

    Parameters
    ----------
    samples : sequence of Sample
        Of its slides; of a tract, from all slides that show it. None at all is an animal of which nothing counts.

    Returns
    -------
    dict
        Values of :data:`POOLED` by name, and of :data:`POOLED_UNMYELINATED` if any sample knows such axons. They are
        NaN where nothing counts.
    """
    weighted = {name: _by_area(samples, name) for name in _BY_AREA}
    axons = [of_kind(sample.axons, MYELINATED) for sample in samples]
    diameters = _joined([each[DIAMETER] for each in axons])
    sheathed = [with_myelin(each) for each in axons]
    avf, mvf = weighted["avf"], weighted["mvf"]
    found = {
        "area (mm^2)": float(sum(sample.numbers["area (mm^2)"] for sample in samples)),
        "axon_count": int(sum(sample.numbers["axon_count"] for sample in samples)),
        **weighted,
        "gratio_aggregate": float(aggregate_gratio(avf, mvf)) if np.isfinite([avf, mvf]).all() else np.nan,
        "gratio_mean": _mean(_joined([each[GRATIO] for each in sheathed])),
        "axon_diam_mean (um)": _mean(diameters),
        "axon_diam_std (um)": float(diameters.std()) if len(diameters) else np.nan,
        **{
            f"axon_diam_p{percent} (um)": float(np.percentile(diameters, percent)) if len(diameters) else np.nan
            for percent in PERCENTILES
        },
        "myelin_thickness_mean (um)": _mean(_joined([each[THICKNESS] for each in sheathed])),
    }
    known = [
        sample for sample in samples if "unmyelinated_count" in sample.numbers and _is(sample, "unmyelinated_count")
    ]
    columns = [column.name for column in POOLED]
    if known:
        bare = [of_kind(sample.axons, UNMYELINATED)[DIAMETER] for sample in known]
        without, n = _joined(bare), int(sum(sample.numbers["unmyelinated_count"] for sample in known))
        beside = int(sum(sample.numbers["axon_count"] for sample in known))
        found |= {
            "unmyelinated_count": n,
            "unmyelinated_diam_mean (um)": _mean(without),
            "unmyelinated_diam_std (um)": float(without.std()) if len(without) else np.nan,
            "myelinated_fraction": beside / (beside + n) if beside + n else np.nan,
        }
        columns += [column.name for column in POOLED_UNMYELINATED]
    return {name: found[name] for name in columns}


def with_myelin(axons: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of axons about which myelin was found."""
    return axons[axons[MYELIN_AREA] > 0]


def _is(sample: Sample, name: str) -> bool:
    import pandas as pd

    value = sample.numbers.get(name)
    return value is not None and not pd.isna(value)


def _by_area(samples: Sequence[Sample], name: str) -> float:
    """Return the mean of a share of the area, each sample weighted by its area; NaN if none knows it."""
    known = [sample for sample in samples if _is(sample, name) and sample.numbers["area (mm^2)"] > 0]
    if not known:
        return float("nan")
    areas, values = (np.array([float(each.numbers[of]) for each in known]) for of in ("area (mm^2)", name))
    return float((areas * values).sum() / areas.sum())


def _joined(columns: Sequence[pd.Series[Any]]) -> Floats:
    return np.concatenate([column.to_numpy(np.float64) for column in columns]) if columns else np.zeros(0)


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else float("nan")
