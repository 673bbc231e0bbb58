"""Axon ids and myelin → fibers, and the table of every axon."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np

from axonflow.engine.stage import Result, Stage
from axonflow.fiber.hull import Hulls, convex_areas, hulls
from axonflow.fiber.measure import HALO, count
from axonflow.fiber.myelin import assign, cut_off, reach_px
from axonflow.fiber.table import fiber_table, write_parquet
from axonflow.grid import Box, Grid
from axonflow.stages.label import MYELIN
from axonflow.stages.layout import Layout
from axonflow.stages.levels import levels
from axonflow.tally import Ints, Tally

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
    axons, myelin = layout.axons.read(window), layout.semantic.read(window) == MYELIN
    fibers = assign(axons, myelin, reach)
    layout.fibers.write(box, fibers[box.relative_to(window).slices])
    result: dict[str, Any] = {"beyond": np.array(cut_off(fibers, myelin, box, window))}
    for kind, labels in (("axons", axons), ("fibers", fibers)):
        result |= count(labels, box, window, layout.work.shape).arrays(f"{kind}.tally")
        # Only hulls that may grow beyond the core are kept; of the others the area is all that is asked for.
        closed, open_ = hulls(labels, box, window).split(box)
        result |= {f"{kind}.closed.key": closed.key, f"{kind}.closed.area": convex_areas(closed)}
        result |= open_.arrays(f"{kind}.open")
    return result


def _finish(layout: Layout, results: Iterable[tuple[Box, Result]]) -> dict[str, int]:
    # One pass over the results for each thing, as there is a row for every axon of the slide in each.
    axons, fibers = (
        Tally.merge(Tally.from_arrays(result, f"{kind}.tally") for _, result in results) for kind in ("axons", "fibers")
    )
    hull_areas = [_hull_areas(results, kind) for kind in ("axons", "fibers")]
    table = fiber_table(axons, fibers, hull_areas[0], hull_areas[1], layout.work.pixel_size, layout.work.shape)
    layout.table.parent.mkdir(exist_ok=True)
    write_parquet(table, layout.table)
    return {"myelin_px_beyond_reach": sum(int(result["beyond"]) for _, result in results)}


def _hull_areas(results: Iterable[tuple[Box, Result]], kind: str) -> Ints:
    """Return the areas of the hulls of all objects, in the order of their ids, px."""
    joined = Hulls.merge(Hulls.from_arrays(result, f"{kind}.open") for _, result in results)
    key = np.concatenate([joined.key, *(result[f"{kind}.closed.key"] for _, result in results)])
    area = np.concatenate([convex_areas(joined), *(result[f"{kind}.closed.area"] for _, result in results)])
    return area[np.argsort(key)]
