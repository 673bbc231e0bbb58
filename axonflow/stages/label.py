"""Semantic labels → axon ids: components per core, joined across the seams, numbered in raster order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

import numpy as np

from axonflow.engine.stage import Result, Stage
from axonflow.fiber.axons import Kinds, Pieces, join, label, number_axons, smallest_px, survey
from axonflow.kernel.compiled import COMPILED_BYTES
from axonflow.kernel.files import NewFiles
from axonflow.kernel.grid import Box, Grid
from axonflow.stages.layout import Layout
from axonflow.stages.levels import levels

__all__ = ["label_axons"]


def label_axons(
    layout: Layout, min_axon_area_um2: float, min_unmyelinated_area_um2: float, after: Stage
) -> tuple[Stage, ...]:
    """Declare the labelling of axons.

    Parameters
    ----------
    layout : Layout
    min_axon_area_um2, min_unmyelinated_area_um2 : float
        Smaller axons, and smaller ones of the class without myelin, get no id, µm².
    after : Stage
        The one that writes the semantic labels.
    """
    grid = _cores(layout)
    least_px = smallest_px(min_axon_area_um2, layout.work.pixel_size)
    least_without = smallest_px(min_unmyelinated_area_um2, layout.work.pixel_size)
    two = layout.classes.unmyelinated is not None  # stores of one kind keep their key
    largest = max(box.size for box in grid)
    first = Stage(
        name="label.survey",
        revision=2,
        parameters={"smallest_px": least_px} | ({"smallest_unmyelinated_px": least_without} if two else {}),
        after=(after,),
        shape=grid.shape,
        batches=tuple(grid.batches(1)),
        task=partial(_survey, layout),
        finish=partial(_number, layout, least_px, least_without),
        memory=largest * 2,
        resident={"compiled": COMPILED_BYTES},
        rehearse=_rehearse,
    )
    second = Stage(
        name="label",
        revision=1,
        parameters={},
        after=(first,),
        shape=grid.shape,
        batches=first.batches,
        task=partial(_label, layout),
        prepare=layout.axons.create,
        memory=largest * 7,
        resident={"compiled": COMPILED_BYTES},
        disk=grid.shape[0] * grid.shape[1] // 10,
    )
    return (first, second, *levels(layout.axons, "axons", second))


def _rehearse() -> None:
    box, kinds = Box(0, 0, 4, 4), np.eye(4, dtype=np.uint8)
    cores = [(box, survey(kinds, box, box.shape))]
    for _, table in number_axons(cores, join(cores)):
        label(kinds, table)


def _cores(layout: Layout) -> Grid:
    return Grid(layout.work.shape, (layout.chunk, layout.chunk))


def _kinds(layout: Layout, box: Box) -> Kinds:
    return layout.classes.kinds(layout.semantic.read(box))


def _survey(layout: Layout, box: Box) -> Result:
    return survey(_kinds(layout, box), box, layout.work.shape).arrays()


def _number(layout: Layout, least_px: int, least_without: int, results: Iterable[tuple[Box, Result]]) -> dict[str, int]:
    """Write every core's table from local to final ids, one after the other, and where each begins.

    Returns the number of connected parts that are too small to get an id.
    """

    def cores() -> Iterator[tuple[Box, Pieces]]:
        return ((box, Pieces.from_arrays(result)) for box, result in results)

    begin, ids, joined = [0], 0, join(cores())
    with NewFiles(layout.private) as files:
        with files.new_file(layout.private / "ids.u4") as file:
            for _, table in number_axons(cores(), joined, least_px, least_without):
                file.write(table.astype("<u4", copy=False).tobytes())
                begin.append(begin[-1] + len(table))
                ids = max(ids, int(table.max()))
        with files.new_file(layout.private / "ids_begin.i8") as file:
            file.write(np.array(begin, "<i8").tobytes())
    pieces = begin[-1] - (len(begin) - 1)  # each table begins with that of no axon
    return {"too_small": pieces - len(joined.axon) + len(joined.first) - ids}


def _label(layout: Layout, box: Box) -> Result:
    rank = box.y0 // layout.chunk * _cores(layout).counts[1] + box.x0 // layout.chunk  # among all in raster order
    first, last = np.fromfile(layout.private / "ids_begin.i8", "<i8", 2, offset=8 * rank).tolist()
    table = np.fromfile(layout.private / "ids.u4", "<u4", last - first, offset=4 * first)
    layout.axons.write(box, label(_kinds(layout, box), table))
    return {}
