"""The table of regions: what the tissue of each tract is like."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from axonflow.fiber.columns import Column, column_names, read_columns, write_columns
from axonflow.fiber.kinds import MYELINATED, Counting, counting_kind
from axonflow.fiber.objects import find_objects
from axonflow.fiber.runs import Columns
from axonflow.fiber.tissue import DIAMETER, areas, places, tissue
from axonflow.fiber.unmyelinated import unmyelinated
from axonflow.kernel.classes import Classes, Labels
from axonflow.kernel.compiled import compiled
from axonflow.kernel.tally import Ints, Tally
from axonflow.kernel.units import PixelSize

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "DIAMETER_EDGES_UM",
    "HISTOGRAM",
    "REGION_COLUMNS",
    "UNMYELINATED_COLUMNS",
    "count_regions",
    "read_regions",
    "region_table",
    "spread_histogram",
    "write_regions",
]

DIAMETER_EDGES_UM = np.arange(41) / 4
"""Edges of the histogram's bins, µm: 0, 0.25, … 10. A bin holds its lower edge; the last one has no upper edge."""

PERCENTILES = (5, 25, 50, 75, 95)

HISTOGRAM = Column(
    "axon_diam_histogram",
    "1",
    "axons in bins of 0.25 µm of diameter, each with its lower edge: 40 from 0 to 10 µm, and one from 10 µm on",
    "list[int64]",
)

REGION_COLUMNS = (
    Column("region", "", "name of the region", "str"),
    Column("area (mm^2)", "mm^2", "covered pixels × area of a pixel"),
    Column("axon_count", "1", "axons whose centroid lies in a covered pixel of the region", "int64"),
    Column("axon_density (mm^-2)", "mm^-2", "axons / area"),
    Column("avf", "1", "axon volume fraction: axon pixels / covered pixels"),
    Column("mvf", "1", "myelin volume fraction: myelin pixels / covered pixels"),
    Column("gratio_aggregate", "1", "√(1 / (1 + MVF / AVF))"),
    Column("gratio_mean", "1", "mean g-ratio of the axons that have myelin"),
    Column("axon_diam_mean (um)", "um", "mean axon diameter"),
    Column("axon_diam_std (um)", "um", "standard deviation of the axon diameter, of the population"),
    *(
        Column(f"axon_diam_p{percent} (um)", "um", f"{percent}th percentile of the axon diameter, linear between axons")
        for percent in PERCENTILES
    ),
    HISTOGRAM,
)
"""The columns that every table has, in order."""

UNMYELINATED_COLUMNS = (
    Column(
        "unmyelinated_count", "1", "unmyelinated axons whose centroid lies in a covered pixel of the region", "int64"
    ),
    Column("unmyelinated_density (mm^-2)", "mm^-2", "unmyelinated axons / area"),
    Column("unmyelinated_avf", "1", "unmyelinated axon pixels / covered pixels"),
    Column("unmyelinated_diam_mean (um)", "um", "mean diameter of the unmyelinated axons"),
    Column("unmyelinated_diam_std (um)", "um", "standard deviation of their diameter, of the population"),
    Column("myelinated_fraction", "1", "share of the axons that are myelinated"),
)
"""Those after these where the classes have axons without myelin; the columns of every table are of the others."""


def count_regions(
    regions: NDArray[np.uint32],
    counted: Labels,
    classes: Classes,
    covered: NDArray[np.bool_],
) -> Tally:
    """Count the pixels of a core in each region.

    Parameters
    ----------
    regions : (h, w) uint32
        Numbers of regions; 0 is none.
    counted : (h, w) uint8
        What :meth:`axonflow.kernel.classes.Classes.counted` returned.
    classes : Classes
        What they mean.
    covered : (h, w) bool
        Which pixels count.

    Returns
    -------
    Tally
        Keys are the regions that the core has a pixel of, sums are :func:`axonflow.fiber.tissue.areas`.
    """
    found, numbers, row = find_objects(regions)
    total = np.zeros((len(numbers), len(areas(classes))), np.int64)
    none = np.zeros((len(numbers), 0), np.int64)
    _add_up(found.first, found.begin, found.end, row, counted, places(classes), covered, total)
    return Tally(numbers, total, none, none)


def region_table(counted: Tally, names: Sequence[str], counting: Counting, pixel_size: PixelSize) -> pd.DataFrame:
    """Describe every region.

    Parameters
    ----------
    counted : Tally
        What :func:`count_regions` found on the slide, merged.
    names : sequence of str
        Of the regions with the keys of ``counted``, in their order.
    counting : callable
        Goes through the axons; each counts in the region of a number, or, if that is 0, in none.
    pixel_size : PixelSize

    Returns
    -------
    DataFrame
        :data:`REGION_COLUMNS`, and :data:`UNMYELINATED_COLUMNS` if axons without myelin are a class; one row per
        region, in the order of their numbers. Numbers are NaN where nothing of a region counts, and those of its axons
        where it has none.
    """

    def within() -> Iterator[tuple[Ints, pd.DataFrame]]:
        for region, rows in counting():
            counts = region > 0
            yield np.searchsorted(counted.key, region[counts]), rows[counts]

    myelinated = counting_kind(within, MYELINATED)
    found = tissue(counted.total[:, :3], myelinated, pixel_size)
    without = unmyelinated(counted.total, found, within, pixel_size)
    parts, diameters = [np.zeros(0, np.int64)], [np.zeros(0)]
    for part, rows in myelinated():  # percentiles want all diameters at once
        parts.append(part)
        diameters.append(rows[DIAMETER].to_numpy())
    part, diameter, k = np.concatenate(parts), np.concatenate(diameters), len(counted.key)
    number = np.bincount(part, minlength=k)
    bins = len(DIAMETER_EDGES_UM)
    bin_ = np.searchsorted(DIAMETER_EDGES_UM, diameter, side="right") - 1
    histogram = np.bincount(part * bins + bin_, minlength=k * bins).reshape(k, bins)
    values = (
        np.array(names, object),
        found.area_mm2,
        number,
        found.axon_density,
        found.avf,
        found.mvf,
        found.gratio_aggregate,
        found.gratio_mean,
        found.diameter_mean,
        found.diameter_std,
        *_percentiles(part, diameter, number).T,
        [*histogram],
    )
    columns = REGION_COLUMNS
    if without is not None:
        columns += UNMYELINATED_COLUMNS
        values += (np.nan_to_num(without.number), *without[1:])
    import pandas as pd

    return pd.DataFrame(
        {
            column.name: pd.Series(value, dtype=column.dtype if column is not HISTOGRAM else object)
            for column, value in zip(columns, values, strict=True)
        }
    )


def spread_histogram(regions: pd.DataFrame) -> pd.DataFrame:
    """Return the table of regions with a column for each bin of the histogram, for formats without lists."""
    import pandas as pd

    edges = [f"{edge:g}" for edge in DIAMETER_EDGES_UM]
    names = [f"axons {low}-{high} um" for low, high in pairwise(edges)] + [f"axons {edges[-1]}- um"]
    counts = np.array(regions[HISTOGRAM.name].tolist(), np.int64).reshape(len(regions), len(names))
    return pd.concat([regions.drop(columns=HISTOGRAM.name), pd.DataFrame(counts, regions.index, names)], axis=1)


def write_regions(table: pd.DataFrame, path: Path) -> None:
    """Write the table of regions as Parquet, with units and meanings; whole or not at all."""
    write_columns([table], _columns(table), path)


def read_regions(path: Path) -> pd.DataFrame:
    """Read the table of regions.

    Raises
    ------
    StoreError
        If there is no such table, or the file is something else.
    """
    return read_columns(path, _columns(column_names(path, "regions")), "regions")


def _columns(names: Container[str]) -> tuple[Column, ...]:
    return REGION_COLUMNS + (UNMYELINATED_COLUMNS if UNMYELINATED_COLUMNS[0].name in names else ())


@compiled
def _add_up(
    first: Ints,
    begin: Columns,
    end: Columns,
    row: Ints,
    counted: Labels,
    place: NDArray[np.uint8],
    covered: NDArray[np.bool_],
    total: Ints,
) -> None:
    """Add the covered pixels of every run to the row of its region in ``total``, (regions, sums)."""
    for y in range(len(first) - 1):
        for r in range(first[y], first[y + 1]):
            k = row[r]
            for x in range(begin[r], end[r]):
                if covered[y, x]:
                    at = place[counted[y, x]]
                    total[k, 0] += 1
                    total[k, at] += at > 0


def _percentiles(part: Ints, values: NDArray[np.float64], number: Ints) -> NDArray[np.float64]:
    """Return the :data:`PERCENTILES` of the values of each part, (k, 5); NaN where there are none."""
    groups = np.split(values[np.argsort(part, kind="stable")], np.cumsum(number)[:-1]) if len(number) else []
    nothing = np.full(len(PERCENTILES), np.nan)
    found = [np.percentile(group, PERCENTILES) if len(group) else nothing for group in groups]
    return np.reshape(found, (len(number), len(PERCENTILES)))
