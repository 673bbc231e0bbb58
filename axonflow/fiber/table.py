"""The table of axons: its columns, each with its unit and its formula, and its files.

The names, their order and their definitions are AxonDeepSeg's (``compute_morphometrics.py``), whose shape measures
are those of ``skimage.measure.regionprops``; the columns after ``bbox_max_x`` are this project's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from math import pi
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from axonflow.fiber.columns import ROWS, Column, column_names, count_rows, read_columns, read_groups, write_columns
from axonflow.fiber.gratio import gratio
from axonflow.fiber.kinds import KIND, MYELINATED, OF_MYELIN, UNMYELINATED, of_kind
from axonflow.fiber.measure import SUMS
from axonflow.fiber.merge import Measured
from axonflow.fiber.morphometry import ellipses, perimeters
from axonflow.fiber.probability import PROBABILITY
from axonflow.fiber.rules import LEFT_OUT, LEFT_OUT_OF_MASKS
from axonflow.kernel.files import new_file
from axonflow.kernel.tally import Ints
from axonflow.kernel.units import PixelSize

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "ADS_COLUMNS",
    "ADS_UNMYELINATED",
    "AXES",
    "COLUMNS",
    "REGION",
    "ROWS",
    "TOUCHES",
    "by_ellipses",
    "count_axons",
    "extra_columns",
    "fiber_table",
    "mark_kinds",
    "read_parquet",
    "read_parts",
    "write_ads_csv",
    "write_ads_unmyelinated",
    "write_parquet",
]

ADS_COLUMNS = (
    Column("x0 (px)", "px", "column of the axon's centroid; the first pixel's centre is 0"),
    Column("y0 (px)", "px", "row of the axon's centroid; the first pixel's centre is 0"),
    Column("gratio", "1", "axon diameter / fiber diameter; 1 without myelin"),
    Column("axon_area (um^2)", "um^2", "axon pixels × area of a pixel"),
    Column("axon_perimeter (um)", "um", "axon border after Benkrid and Crookes × √(area of a pixel)"),
    Column("myelin_area (um^2)", "um^2", "myelin pixels of this axon × area of a pixel"),
    Column("axon_diam (um)", "um", "diameter of the disk of the axon's area: √(4 · area / π)"),
    Column("myelin_thickness (um)", "um", "(fiber diameter − axon diameter) / 2"),
    Column("axonmyelin_area (um^2)", "um^2", "fiber pixels × area of a pixel; a fiber is an axon and its myelin"),
    Column("axonmyelin_perimeter (um)", "um", "fiber border after Benkrid and Crookes × √(area of a pixel)"),
    Column("eccentricity", "1", "of the ellipse with the axon's second moments: 0 is a disk, 1 is a line"),
    Column("orientation", "rad", "from the y axis to that ellipse's long axis, counter-clockwise, −π/2 to π/2"),
    Column("fiber_eccentricity", "1", "of the ellipse with the fiber's second moments"),
    Column("fiber_orientation", "rad", "from the y axis to the fiber's long axis, counter-clockwise, −π/2 to π/2"),
    Column("solidity", "1", "axon pixels / pixels whose centres lie in the axon's convex hull"),
    Column("image_border_touching", "1", "whether the fiber's bounding box touches the slide's border", "bool"),
    Column("bbox_min_y", "px", "first row of the fiber", "int64"),
    Column("bbox_min_x", "px", "first column of the fiber", "int64"),
    Column("bbox_max_y", "px", "row after the last of the fiber", "int64"),
    Column("bbox_max_x", "px", "column after the last of the fiber", "int64"),
)
"""AxonDeepSeg's columns, in its order."""

ADS_UNMYELINATED = (
    "x0 (px)",
    "y0 (px)",
    "axon_area (um^2)",
    "axon_perimeter (um)",
    "axon_diam (um)",
    "eccentricity",
    "orientation",
    "solidity",
)
"""Those of its table of axons without myelin, in its order (``launch_morphometrics_computation.py``, ``-u``)."""

COLUMNS = (
    Column("axon_id", "1", "the axon's value in labels/axons, and its fiber's in labels/fibers", "int64"),
    *ADS_COLUMNS,
    Column("fiber_solidity", "1", "fiber pixels / pixels whose centres lie in the fiber's convex hull"),
    Column("x0 (um)", "um", "centroid's distance from the slide's left side: (x0 px + 0.5) · pixel width"),
    Column("y0 (um)", "um", "centroid's distance from the slide's top side: (y0 px + 0.5) · pixel height"),
)
"""All columns that every table has, in order."""

REGION = Column(
    "region", "", "region that holds the axon's centroid, if that counts; missing elsewhere; only with --regions", "str"
)
"""A column after these in a table of a slide whose regions are known."""

TOUCHES = Column(
    "touches_unmeasured",
    "1",
    "whether a pixel of the fiber lies in or beside a place that was not measured; only with --on-bad-tile fill",
    "bool",
)
"""A column after these in a table of a slide that may have such places."""

AXES = (
    Column("axon_major_axis (um)", "um", "long axis of the axon's ellipse; only with --axon-shape ellipse"),
    Column("axon_minor_axis (um)", "um", "its short axis; only with --axon-shape ellipse"),
    Column(
        "fiber_major_axis (um)", "um", "long axis of the fiber's ellipse; only with --axon-shape ellipse", optional=True
    ),
    Column("fiber_minor_axis (um)", "um", "its short axis; only with --axon-shape ellipse", optional=True),
)
"""Columns after these in a table whose diameters are short axes."""

_BY_ELLIPSE = {
    "gratio": "short axis of the axon's ellipse / short axis of the fiber's; 1 without myelin",
    "axon_diam (um)": "short axis of the ellipse with the axon's second moments",
    "myelin_thickness (um)": "(short axis of the fiber's ellipse − short axis of the axon's) / 2",
}
"""What columns of such a table mean."""

_OF_FIBER = tuple(column.name for column in AXES if column.optional)

_EXTRA = (KIND, PROBABILITY, *AXES, TOUCHES, LEFT_OUT, REGION)


def fiber_table(measured: Measured, pixel_size: PixelSize, shape: tuple[int, int]) -> pd.DataFrame:
    """Describe axons by what was measured of them and of their fibers.

    Pixels that are not square count with their own area; moments are taken in µm, and perimeters with the geometric
    mean of the sides, which is an approximation.

    Parameters
    ----------
    measured : Measured
        Of all cores that show something of these axons.
    pixel_size : PixelSize
    shape : (int, int)
        Height and width of the slide, px.

    Returns
    -------
    DataFrame
        :data:`COLUMNS`, one row per axon, ids increasing.

    Raises
    ------
    ValueError
        If the axons and the fibers are not of the same ids.
    """
    axons, fibers = measured.axons.tally, measured.fibers.tally
    hulls = measured.axons.hull_areas, measured.fibers.hull_areas
    if not (np.array_equal(axons.key, fibers.key) and len(axons.key) == len(hulls[0]) == len(hulls[1])):
        raise ValueError(
            f"Axons and fibers of the same ids were expected, {len(axons.key)} axons with {len(hulls[0])} hulls "
            f"and {len(fibers.key)} fibers with {len(hulls[1])} hulls came; merge what was measured in every core."
        )
    axon, fiber = ellipses(axons, pixel_size), ellipses(fibers, pixel_size)
    axon_px, fiber_px = (objects.total[:, SUMS.index("pixels")] for objects in (axons, fibers))
    axon_um2, fiber_um2 = (px * pixel_size.area_um2 for px in (axon_px, fiber_px))
    axon_diameter, fiber_diameter = (np.sqrt(4 * area / pi) for area in (axon_um2, fiber_um2))
    values = (
        axons.key,
        axon.x,
        axon.y,
        gratio(axon_px, fiber_px),
        axon_um2,
        perimeters(axons) * pixel_size.geometric_um,
        (fiber_px - axon_px) * pixel_size.area_um2,
        axon_diameter,
        (fiber_diameter - axon_diameter) / 2,
        fiber_um2,
        perimeters(fibers) * pixel_size.geometric_um,
        axon.eccentricity,
        axon.orientation,
        fiber.eccentricity,
        fiber.orientation,
        axon_px / hulls[0],
        (fibers.low == 0).any(axis=1) | (fibers.high == shape).any(axis=1),
        *fibers.low.T,
        *fibers.high.T,
        fiber_px / hulls[1],
        (axon.x + 0.5) * pixel_size.x,
        (axon.y + 0.5) * pixel_size.y,
    )
    import pandas as pd

    return pd.DataFrame(
        {column.name: np.asarray(value, column.dtype) for column, value in zip(COLUMNS, values, strict=True)}
    )


def by_ellipses(table: pd.DataFrame, measured: Measured, pixel_size: PixelSize) -> pd.DataFrame:
    """Return a table with :data:`AXES`, whose diameters are the short axes, as AxonDeepSeg's are with ``ellipse``.

    Parameters
    ----------
    table : DataFrame
        As :func:`fiber_table` returned it.
    measured : Measured
        What it was given.
    pixel_size : PixelSize

    Notes
    -----
    With a and f the short axes of axon and fiber (``minor_axis_length`` of ``regionprops``), the g-ratio is a / f and
    the thickness of the myelin (f − a) / 2 (``evaluate_myelin_thickness_in_px``). An axon one pixel wide has a = 0.
    """
    axon, fiber = (ellipses(objects.tally, pixel_size) for objects in (measured.axons, measured.fibers))
    ratio = np.divide(axon.minor, fiber.minor, out=np.ones(len(table)), where=fiber.minor > 0)
    values = (axon.major, axon.minor, fiber.major, fiber.minor)
    return table.assign(
        **{"axon_diam (um)": axon.minor, "gratio": ratio, "myelin_thickness (um)": (fiber.minor - axon.minor) / 2},
        **{column.name: value for column, value in zip(AXES, values, strict=True)},
    )


def mark_kinds(table: pd.DataFrame, unmyelinated: Ints) -> pd.DataFrame:
    """Return a table with :data:`~axonflow.fiber.kinds.KIND`, and nothing about the myelin of axons that have none.

    Parameters
    ----------
    table : DataFrame
        As :func:`fiber_table` returned it.
    unmyelinated : (k,) int
        Ids of the axons of the class without myelin.
    """
    without = np.isin(table["axon_id"], unmyelinated)
    marked = table.assign(**{KIND.name: np.where(without, UNMYELINATED, MYELINATED).astype(object)})
    marked.loc[without, [name for name in (*OF_MYELIN, *_OF_FIBER) if name in marked]] = np.nan
    return marked


def write_parquet(parts: Iterable[pd.DataFrame], path: Path, extra: Sequence[Column] = ()) -> None:
    """Write the table of axons; the file appears whole or not at all, and equal tables give equal bytes.

    Parameters
    ----------
    parts : iterable of DataFrame
        What :func:`fiber_table` returned, one after the other: of :data:`ROWS` rows or a multiple, but for the last.
    path : Path
        A column's field holds ``unit`` and ``description`` in its metadata.
    extra : sequence of Column
        Which they have after :data:`COLUMNS`.
    """
    common = _common(told_apart=KIND in extra)
    if AXES[0] in extra:
        common = tuple(replace(each, meaning=_BY_ELLIPSE.get(each.name, each.meaning)) for each in common)
    if PROBABILITY not in extra:
        extra = [LEFT_OUT_OF_MASKS if column == LEFT_OUT else column for column in extra]
    write_columns(parts, (*common, *extra), path)


def count_axons(path: Path) -> int:
    """Return how many axons a table has.

    Raises
    ------
    StoreError
        If there is no such table, or the file is something else.
    """
    return count_rows(path, "axons")


def extra_columns(path: Path) -> list[Column]:
    """Return which columns a table of axons has after :data:`COLUMNS`.

    Their kind, :data:`~axonflow.fiber.probability.PROBABILITY`, :data:`AXES`, :data:`TOUCHES`,
    :data:`~axonflow.fiber.rules.LEFT_OUT` and :data:`REGION` may be there.

    Raises
    ------
    StoreError
        If there is no such table, or the file is something else.
    """
    names = column_names(path, "axons")
    return [column for column in _EXTRA if column.name in names]


def read_parquet(path: Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Read the table of axons.

    Parameters
    ----------
    path : Path
    columns : sequence of str, optional
        Names of the columns wanted; when left out all of :data:`COLUMNS`, and those beyond that are there.

    Raises
    ------
    StoreError
        If there is no such table, or the file is something else.
    """
    if columns is None:
        columns = [column.name for column in (*COLUMNS, *extra_columns(path))]
    return read_columns(path, _columns(columns, path), "axons")


def _columns(names: Sequence[str], path: Path) -> list[Column]:
    told_apart = not {*OF_MYELIN}.isdisjoint(names) and KIND in extra_columns(path)
    known = {column.name: column for column in (*_common(told_apart=told_apart), *_EXTRA)}
    return [known[name] for name in names]


def _common(*, told_apart: bool) -> tuple[Column, ...]:
    """Return :data:`COLUMNS` as a table has them that tells kinds of axons apart, or not."""
    return tuple(replace(each, optional=told_apart and each.name in OF_MYELIN) for each in COLUMNS)


def read_parts(
    path: Path, columns: Sequence[str], within: tuple[str, float, float] | None = None
) -> Iterator[tuple[int, pd.DataFrame]]:
    """Read the table of axons part by part, as it was written.

    Parameters
    ----------
    path : Path
    columns : sequence of str
    within : (str, float, float), optional
        A column, and the least and the greatest value wanted in it. Parts that have none are left out; ids go down the
        slide, so ``y0 (px)`` leaves most out.

    Yields
    ------
    first : int
        Number of the part's first row.
    part : DataFrame

    Raises
    ------
    StoreError
        As :func:`read_parquet`.
    """
    return read_groups(path, _columns(columns, path), "axons", within)


def write_ads_csv(table: pd.DataFrame, path: Path) -> None:
    """Write the columns that AxonDeepSeg writes, as it writes them: rows numbered from 0, missing values ``NaN``.

    Its table has no axons without myelin; :func:`write_ads_unmyelinated` writes these.
    """
    _write_ads(of_kind(table, MYELINATED), [column.name for column in ADS_COLUMNS], path)


def write_ads_unmyelinated(table: pd.DataFrame, path: Path) -> None:
    """Write the axons without myelin as AxonDeepSeg does, with :data:`ADS_UNMYELINATED`."""
    _write_ads(of_kind(table, UNMYELINATED), ADS_UNMYELINATED, path)


def _write_ads(rows: pd.DataFrame, columns: Sequence[str], path: Path) -> None:
    with new_file(path) as part:
        rows[[*columns]].reset_index(drop=True).to_csv(part, na_rep="NaN")
