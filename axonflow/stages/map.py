"""Semantic labels, axon ids, the table and the network's doubt → maps of square cells."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from axonflow.engine.stage import Result, Stage
from axonflow.fiber.kinds import KIND
from axonflow.fiber.maps import NEEDED, Cells, tissue_maps
from axonflow.fiber.rules import Rules
from axonflow.fiber.table import count_axons, read_parts
from axonflow.kernel.compiled import COMPILED_BYTES
from axonflow.kernel.grid import Box, Grid
from axonflow.kernel.tally import Tally
from axonflow.ngff.maps import write_maps
from axonflow.stages.annotation import Coverage
from axonflow.stages.confidence import Doubt
from axonflow.stages.layout import Layout
from axonflow.stages.rules import counted_pixels, counting_in

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["counted_axons", "map_cells", "needed_columns"]

TABLE_BYTES = 80 * 2**20
"""What a process that reads parts of the table keeps; measured."""


def map_cells(
    layout: Layout,
    cell_um: float,
    rules: Rules,
    coverage: Coverage,
    familiar: Mapping[str, tuple[float, float]] | None,
    after: Stage,
) -> tuple[Stage, ...]:
    """Declare the maps.

    Parameters
    ----------
    layout : Layout
    cell_um : float
        Side of a cell, µm.
    rules : Rules
        Which axons count.
    coverage : Coverage
        What counts of the slide.
    familiar : Mapping or None
        Ranges of traits that the network was trained on, of its contract; None where no network was at work, and no
        doubt is mapped.
    after : Stage
        The one that says in the table which axons count.
    """
    grid = Grid(layout.work.shape, (layout.chunk, layout.chunk))
    cells = Cells(layout.work.shape, layout.work.pixel_size, cell_um)
    doubt = None if familiar is None else Doubt(layout.traits, cells, familiar)
    parameters = {"cell_um": cell_um, "mask": coverage.identity}
    return (
        Stage(
            name="map",
            revision=2,
            parameters=parameters if familiar is None else parameters | {"familiar": dict(familiar)},
            after=(after,),
            shape=grid.shape,
            batches=tuple(grid.batches(1)),
            task=partial(_task, layout, cells, rules, coverage, doubt),
            finish=partial(_finish, layout, cells, doubt, coverage.notes),
            memory=max(box.size for box in grid) * (17 if rules.judges else 7),
            resident={"compiled": COMPILED_BYTES, "table": TABLE_BYTES},
            rehearse=partial(_rehearse, layout, cell_um),
        ),
    )


def _rehearse(layout: Layout, cell_um: float) -> None:
    import xarray  # noqa: F401  # of which maps are made

    box = Box(0, 0, 4, 4)
    cells, nothing = Cells(box.shape, layout.work.pixel_size, cell_um), np.zeros(box.shape, np.uint8)
    cells.count(nothing, layout.classes, nothing == 0, box)


def _task(layout: Layout, cells: Cells, rules: Rules, coverage: Coverage, doubt: Doubt | None, box: Box) -> Result:
    counted, covered = counted_pixels(layout, rules, box), coverage.cover(box)
    tally = cells.count(counted, layout.classes, covered, box)
    doubted = doubt.count(covered, box).arrays("doubt") if doubt else {}
    return {"rows": counting_in(layout, box)[0], **tally.arrays("cells"), **doubted}


def _finish(
    layout: Layout,
    cells: Cells,
    doubt: Doubt | None,
    notes: tuple[str, ...],
    results: Iterable[tuple[Box, Result]],
) -> dict[str, Any] | None:
    areas = Tally.merge(Tally.from_arrays(result, "cells") for _, result in results)
    maps, note = tissue_maps(cells, areas, counted_axons(layout, results)), None
    if doubt:
        maps, note = doubt.onto(maps, Tally.merge(Tally.from_arrays(result, "doubt") for _, result in results))
    write_maps(layout.maps, maps)
    return {**(note or {}), "notes": [*notes]} if notes else note


def counted_axons(
    layout: Layout, results: Iterable[tuple[Box, Result]], columns: tuple[str, ...] | None = None
) -> Callable[[], Iterator[pd.DataFrame]]:
    """Return what goes through columns of the axons that count, by the stage's results; those maps need if None."""
    counts = np.zeros(count_axons(layout.table), np.bool_)
    for _, result in results:
        counts[result["rows"]] = True
    chosen = needed_columns(layout) if columns is None else columns
    return lambda: (rows[counts[first : first + len(rows)]] for first, rows in read_parts(layout.table, chosen))


def needed_columns(layout: Layout) -> tuple[str, ...]:
    """Return the columns of the table that maps and regions are made of."""
    return NEEDED if layout.classes.unmyelinated is None else (*NEEDED, KIND.name)
