"""Regions, semantic labels, axon ids and the table → the region of every axon, and a table of regions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from axonflow.engine.stage import Result, Stage
from axonflow.fiber.columns import Column
from axonflow.fiber.region_table import count_regions, region_table, write_regions
from axonflow.fiber.rules import LEFT_OUT, Rules, counts
from axonflow.fiber.table import COLUMNS, REGION, count_axons, extra_columns, read_parts, write_parquet
from axonflow.fiber.tissue import areas as areas_of
from axonflow.kernel.files import remove
from axonflow.kernel.grid import Box, Grid
from axonflow.kernel.tally import Ints, Tally
from axonflow.ngff.tables import feature_table, generic_table, write_tables
from axonflow.stages.annotation import Coverage, Regions
from axonflow.stages.centroids import centroids_in
from axonflow.stages.layout import Layout
from axonflow.stages.map import needed_columns
from axonflow.stages.rules import counted_pixels

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["describe_regions"]

_FIBERS = {"fibers": feature_table("axons", "axon_id")}
"""The table that every store has, as it is told to other programs."""


def describe_regions(layout: Layout, regions: Regions | None, rules: Rules, coverage: Coverage, after: Stage) -> Stage:
    """Declare the pass over the regions.

    It follows the measurement, so that other regions do not redo it. Without regions it has nothing to count, but is
    there: it takes away what a run with some has left. It is the last to write the table of axons, and so shows the
    tables to other programs, too.

    Parameters
    ----------
    layout : Layout
    regions : Regions or None
    rules : Rules
        Which axons count.
    coverage : Coverage
        What counts of the slide.
    after : Stage
        The one that says in the table which axons count.
    """
    grid = Grid(layout.work.shape, (layout.chunk, layout.chunk))
    if regions is None:
        return Stage(
            name="measure.regions",
            revision=1,
            parameters={"regions": None},
            after=(after,),
            shape=grid.shape,
            batches=(),
            task=_nothing,
            finish=partial(_forget, layout),
        )
    return Stage(
        name="measure.regions",
        revision=2,
        parameters={"regions": regions.identity, "mask": coverage.identity},
        after=(after,),
        shape=grid.shape,
        batches=tuple(grid.batches(1)),
        task=partial(_task, layout, regions, rules, coverage),
        finish=partial(_finish, layout, regions.names, regions.notes),
        memory=max(box.size for box in grid) * 32,
    )


def _task(layout: Layout, regions: Regions, rules: Rules, coverage: Coverage, box: Box) -> Result:
    labels, covered = regions.label(box), coverage.cover(box)
    rows, y, x, _ = centroids_in(layout.table, box)
    tally = count_regions(labels, counted_pixels(layout, rules, box), layout.classes, covered)
    return {"rows": rows, "region": np.where(covered[y, x], labels[y, x], 0), **tally.arrays("regions")}


def _nothing(box: Box) -> Result:  # noqa: ARG001  # a task gets one
    return {}


def _finish(
    layout: Layout, names: tuple[str, ...], notes: tuple[str, ...], results: Iterable[tuple[Box, Result]]
) -> dict[str, Any] | None:
    region = np.zeros(count_axons(layout.table), np.int64)
    for _, result in results:
        region[result["rows"]] = result["region"]
    # Those that are named have a row even if the slide shows nothing of them.
    known = np.arange(1, len(names) + 1)
    nothing = Tally.of(known, np.zeros((len(known), len(areas_of(layout.classes))), np.int64))
    areas = Tally.merge([nothing, *(Tally.from_arrays(result, "regions") for _, result in results)])
    named = [names[key - 1] if key <= len(names) else str(key) for key in areas.key.tolist()]

    columns = (*needed_columns(layout), LEFT_OUT.name)

    def counting() -> Iterator[tuple[Ints, pd.DataFrame]]:
        for first, rows in read_parts(layout.table, columns):
            yield np.where(counts(rows), region[first : first + len(rows)], 0), rows

    write_regions(region_table(areas, named, counting, layout.work.pixel_size), layout.regions)
    of_key = np.array([None, *named], object)
    row = np.where(region > 0, np.searchsorted(areas.key, region) + 1, 0)
    extra, parts = _others(layout), _parts(layout)
    named_parts = (part.assign(**{REGION.name: of_key[row[first : first + len(part)]]}) for first, part in parts)
    write_parquet(named_parts, layout.table, [*extra, REGION])
    write_tables(layout.table.parent, _FIBERS | {"regions": generic_table(REGION.name)})
    empty = [name for name, pixels in zip(named, areas.total.tolist(), strict=True) if not any(pixels)]
    if empty:
        notes += (
            f"No pixel lies in these regions: {', '.join(empty[:5])}{' …' * (len(empty) > 5)}. They are off the slide, "
            "outside the mask, or covered by regions that stand before them in the file.",
        )
    return {"notes": [*notes]} if notes else None


def _forget(layout: Layout, results: Iterable[tuple[Box, Result]]) -> None:  # noqa: ARG001  # a finish gets them
    remove(layout.regions, layout.regions.with_suffix(""))
    if REGION in extra_columns(layout.table):
        write_parquet((part for _, part in _parts(layout)), layout.table, _others(layout))
    write_tables(layout.table.parent, _FIBERS)


def _parts(layout: Layout) -> Iterator[tuple[int, pd.DataFrame]]:
    return read_parts(layout.table, [column.name for column in (*COLUMNS, *_others(layout))])


def _others(layout: Layout) -> list[Column]:
    """Return the columns beyond those of every table, but the one that is written here."""
    return [column for column in extra_columns(layout.table) if column != REGION]
