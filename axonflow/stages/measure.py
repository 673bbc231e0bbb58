"""Axon ids and myelin → fibers, and the table of every axon."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from axonflow.engine.stage import Result, Stage
from axonflow.fiber.columns import Column
from axonflow.fiber.geodesic import Steps, assign_by_length, steps_of
from axonflow.fiber.kinds import KIND
from axonflow.fiber.measure import HALO
from axonflow.fiber.merge import Measured, Objects, complete
from axonflow.fiber.myelin import assign, cut_off, reach_px
from axonflow.fiber.probability import PROBABILITY, beside, with_probability
from axonflow.fiber.table import AXES, ROWS, TOUCHES, by_ellipses, fiber_table, mark_kinds, write_parquet
from axonflow.kernel.compiled import COMPILED_BYTES
from axonflow.kernel.files import make_folder
from axonflow.kernel.grid import Box, Grid
from axonflow.stages.layout import Layout
from axonflow.stages.levels import levels
from axonflow.stages.probability import sums_of_axons
from axonflow.stages.unmeasured import touched

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["AxonShape", "measure"]

AxonShape = Literal["circle", "ellipse"]


@dataclass(frozen=True, slots=True)
class _Table:
    """What the table has of a run."""

    axon_shape: AxonShape
    by_network: bool
    two_kinds: bool

    @property
    def extra(self) -> list[Column]:
        """The columns that it has after those of every table."""
        axes = [] if self.axon_shape == "circle" else [*AXES]
        return [KIND] * self.two_kinds + [PROBABILITY] * self.by_network + axes


def measure(
    layout: Layout,
    max_myelin_um: float,
    after: Stage,
    gaps: Stage | None = None,
    axon_shape: AxonShape = "circle",
    *,
    by_network: bool = False,
) -> tuple[Stage, ...]:
    """Declare the measurement of every fiber.

    Parameters
    ----------
    layout : Layout
    max_myelin_um : float
        How far along the myelin a pixel may lie from its axon, µm.
    after : Stage
        The one that writes the axon ids.
    gaps : Stage, optional
        The one that writes where the slide was not measured, if it may have such places; the table then has
        :data:`~axonflow.fiber.table.TOUCHES`.
    axon_shape : str
        Whether diameters are those of disks of the same area, or short axes of ellipses.
    by_network : bool
        Whether a network made the semantic labels; the table then has
        :data:`~axonflow.fiber.probability.PROBABILITY`.
    """
    grid = Grid(layout.work.shape, (layout.chunk, layout.chunk))
    reach = reach_px(max_myelin_um, layout.work.pixel_size)
    steps = steps_of(layout.work.pixel_size)
    shape = {} if axon_shape == "circle" else {"axon_shape": axon_shape}  # stores of circles keep their key
    table = _Table(axon_shape, by_network, layout.classes.unmyelinated is not None)
    largest = max(box.grow(reach + HALO, grid.shape).size for box in grid)
    stage = Stage(
        name="measure",
        revision=2,
        parameters={"reach_px": reach} | ({"steps": steps} if steps else {}) | shape,
        after=(after,) if gaps is None else (after, gaps),
        shape=grid.shape,
        batches=tuple(grid.batches(1)),
        task=partial(_task if gaps is None else _task_around, layout, reach, steps, by_network),
        prepare=layout.fibers.create,
        finish=partial(_finish if gaps is None else _finish_around, layout, table),
        memory=largest * ((96 if steps else 8) + (6 if layout.classes.unmyelinated is not None else 0)),
        resident={"compiled": COMPILED_BYTES},
        disk=grid.shape[0] * grid.shape[1] // 8,
        rehearse=partial(_rehearse, layout, reach, steps),
    )
    return (stage, *levels(layout.fibers, "fibers", stage))


def _rehearse(layout: Layout, reach: int, steps: Steps | None) -> None:
    box = Box(0, 0, 8, 8)
    axons, myelin = np.zeros(box.shape, np.uint32), np.ones(box.shape, np.bool_)
    axons[2, 2], axons[5, 5] = 1, 2
    of_axons = Objects.of(axons, box, box, box.shape)
    _grow(axons, myelin, reach, steps)
    cut_off(axons, myelin, box, box)
    measured = Measured(of_axons, Objects.of(axons, box, box, box.shape))
    for part in complete([(box, measured)], ROWS):
        fiber_table(part, layout.work.pixel_size, box.shape)


def _task(layout: Layout, reach: int, steps: Steps | None, by_network: bool, box: Box) -> Result:
    return _measure(layout, reach, steps, by_network, box)[0]


def _task_around(layout: Layout, reach: int, steps: Steps | None, by_network: bool, box: Box) -> Result:
    result, fibers = _measure(layout, reach, steps, by_network, box)
    return {**result, "touched": touched(layout, fibers, box)}


def _measure(
    layout: Layout, reach: int, steps: Steps | None, by_network: bool, box: Box
) -> tuple[Result, NDArray[np.uint32]]:
    """Measure a core; return what goes to the table, and its fibers."""
    window = box.grow(reach + HALO, layout.work.shape)
    inside = box.relative_to(window).slices
    axons, labels = layout.axons.read(window), layout.semantic.read(window)
    myelin = labels == layout.classes.myelin
    # Axons without myelin are fibers by themselves, and none grows through the myelin of another.
    without = None if layout.classes.unmyelinated is None else labels == layout.classes.unmyelinated
    del labels
    of_axons = Objects.of(axons, box, window, layout.work.shape)
    if by_network:
        of_axons = replace(of_axons, tally=beside(of_axons.tally, *sums_of_axons(layout, box, axons, window)))
    fibers = axons if without is None else np.where(without, np.uint32(0), axons)
    _grow(fibers, myelin, reach, steps)
    result = {"beyond": np.array(cut_off(fibers, myelin, box, window))}
    if without is not None:
        np.copyto(fibers, axons, where=without)
        ids = np.unique(axons[inside][without[inside]])
        result["unmyelinated"] = ids[ids > 0]
    core = fibers[inside]
    layout.fibers.write(box, core)
    of_fibers = Objects.of(fibers, box, window, layout.work.shape)
    return {**result, **Measured(of_axons, of_fibers).arrays()}, core


def _grow(axons: NDArray[np.uint32], myelin: NDArray[np.bool_], reach: int, steps: Steps | None) -> None:
    """Make fibers of axons, in place."""
    if steps:
        assign_by_length(axons, myelin, reach, steps)
    else:
        assign(axons, myelin, reach)


def _finish(layout: Layout, table: _Table, results: Iterable[tuple[Box, Result]]) -> dict[str, int]:
    make_folder(layout.table.parent, layout.store)
    write_parquet(_parts(layout, table, results), layout.table, table.extra)
    return _noted(results)


def _finish_around(layout: Layout, table: _Table, results: Iterable[tuple[Box, Result]]) -> dict[str, int]:
    ids = np.unique(np.concatenate([result["touched"] for _, result in results]))
    make_folder(layout.table.parent, layout.store)
    parts = _parts(layout, table, results)
    marked = (part.assign(**{TOUCHES.name: np.isin(part["axon_id"], ids)}) for part in parts)
    write_parquet(marked, layout.table, [*table.extra, TOUCHES])
    return _noted(results) | {"touch_unmeasured": len(ids)}


def _parts(layout: Layout, table: _Table, results: Iterable[tuple[Box, Result]]) -> Iterator[pd.DataFrame]:
    """Return the parts of the table."""
    parts = _tables(layout, table, results)
    if not table.two_kinds:
        return parts
    ids = np.unique(np.concatenate([result["unmyelinated"] for _, result in results]))
    return (mark_kinds(part, ids) for part in parts)


def _tables(layout: Layout, table: _Table, results: Iterable[tuple[Box, Result]]) -> Iterator[pd.DataFrame]:
    size = layout.work.pixel_size
    for part in complete(((box, Measured.from_arrays(result)) for box, result in results), ROWS):
        rows = fiber_table(part, size, layout.work.shape)
        if table.axon_shape == "ellipse":
            rows = by_ellipses(rows, part, size)
        yield with_probability(rows, part) if table.by_network else rows


def _noted(results: Iterable[tuple[Box, Result]]) -> dict[str, int]:
    return {"myelin_px_beyond_reach": sum(int(result["beyond"]) for _, result in results)}
