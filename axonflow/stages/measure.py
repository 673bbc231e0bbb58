"""Axon ids and myelin → fibers, and the table of every axon."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import numpy as np

from axonflow.engine.stage import Result, Stage
from axonflow.fiber.compiled import COMPILED_BYTES
from axonflow.fiber.geodesic import Steps, assign_by_length, steps_of
from axonflow.fiber.measure import HALO
from axonflow.fiber.merge import Measured, Objects, complete
from axonflow.fiber.myelin import assign, cut_off, reach_px
from axonflow.fiber.table import ROWS, fiber_table, write_parquet
from axonflow.kernel.files import make_folder
from axonflow.kernel.grid import Box, Grid
from axonflow.stages.layout import Layout
from axonflow.stages.levels import levels

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
    steps = steps_of(layout.work.pixel_size)
    largest = max(box.grow(reach + HALO, grid.shape).size for box in grid)
    stage = Stage(
        name="measure",
        revision=2,
        parameters={"reach_px": reach} | ({"steps": steps} if steps else {}),
        after=(after,),
        shape=grid.shape,
        batches=tuple(grid.batches(1)),
        task=partial(_task, layout, reach, steps),
        prepare=layout.fibers.create,
        finish=partial(_finish, layout),
        memory=largest * (96 if steps else 15),
        resident={"compiled": COMPILED_BYTES},
        disk=grid.shape[0] * grid.shape[1] // 8,
    )
    return (stage, *levels(layout.fibers, "fibers", stage))


def _task(layout: Layout, reach: int, steps: Steps | None, box: Box) -> Result:
    window = box.grow(reach + HALO, layout.work.shape)
    axons, myelin = layout.axons.read(window), layout.semantic.read(window) == layout.classes.myelin
    fibers = assign_by_length(axons, myelin, reach, steps) if steps else assign(axons, myelin, reach)
    layout.fibers.write(box, fibers[box.relative_to(window).slices])
    measured = Measured(*(Objects.of(labels, box, window, layout.work.shape) for labels in (axons, fibers)))
    return {"beyond": np.array(cut_off(fibers, myelin, box, window)), **measured.arrays()}


def _finish(layout: Layout, results: Iterable[tuple[Box, Result]]) -> dict[str, int]:
    cores = ((box, Measured.from_arrays(result)) for box, result in results)
    size, shape = layout.work.pixel_size, layout.work.shape
    make_folder(layout.table.parent, layout.store)
    write_parquet((fiber_table(part, size, shape) for part in complete(cores, ROWS)), layout.table)
    return {"myelin_px_beyond_reach": sum(int(result["beyond"]) for _, result in results)}
