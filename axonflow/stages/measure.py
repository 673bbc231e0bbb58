"""Axon ids and myelin → fibers, and the table of every axon."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from axonflow.engine.stage import Result, Stage
from axonflow.fiber.hull import Hulls, convex_areas, hulls
from axonflow.fiber.measure import HALO, count
from axonflow.fiber.myelin import assign, reach_px
from axonflow.fiber.table import fiber_table, write_parquet
from axonflow.grid import Box, Grid
from axonflow.stages.label import MYELIN
from axonflow.stages.layout import Layout
from axonflow.stages.levels import levels
from axonflow.tally import Tally

__all__ = ["measure"]


def measure(layout: Layout, max_myelin_um: float, after: Stage) -> tuple[Stage, ...]:
    """Declare the measurement of every fiber.

    Parameters
    ----------
    layout : Layout
    max_myelin_um : float
        How far along the myelin a pixel may lie from its axon, µm.
    after : Stage
        The one that writes the axon ids.
    """
    grid = Grid(layout.work.shape, (layout.chunk, layout.chunk))
    reach = reach_px(max_myelin_um, layout.work.pixel_size)
    largest = max(box.grow(reach + HALO, grid.shape).size for box in grid)
    stage = Stage(
        name="measure",
        revision=1,
        parameters={"reach_px": reach},
        after=(after,),
        shape=grid.shape,
        batches=tuple(grid.batches(1)),
        task=partial(_task, layout, reach),
        prepare=layout.fibers.create,
        finish=partial(_finish, layout),
        memory=largest * 24,
        disk=grid.shape[0] * grid.shape[1] // 8,
    )
    return (stage, *levels(layout.fibers, "fibers", stage))


def _task(layout: Layout, reach: int, box: Box) -> Result:
    window = box.grow(reach + HALO, layout.work.shape)
    axons = layout.axons.read(window)
    fibers = assign(axons, layout.semantic.read(window) == MYELIN, reach)
    core = box.relative_to(window).slices
    layout.fibers.write(box, fibers[core])
    return {
        name: array
        for kind, labels in (("axons", axons), ("fibers", fibers))
        for part in (
            count(labels, box, window, layout.work.shape).arrays(f"{kind}.tally"),
            hulls(labels, box, window).arrays(f"{kind}.hulls"),
        )
        for name, array in part.items()
    }


def _finish(layout: Layout, results: Iterable[tuple[Box, Result]]) -> None:
    parts = [dict(result) for _, result in results]
    tallies = {kind: Tally.merge(Tally.from_arrays(part, f"{kind}.tally") for part in parts) for kind in _KINDS}
    areas = {
        kind: convex_areas(Hulls.merge([Hulls.from_arrays(part, f"{kind}.hulls") for part in parts])) for kind in _KINDS
    }
    table = fiber_table(
        tallies["axons"], tallies["fibers"], areas["axons"], areas["fibers"], layout.work.pixel_size, layout.work.shape
    )
    layout.table.parent.mkdir(exist_ok=True)
    write_parquet(table, layout.table)


_KINDS = ("axons", "fibers")
