"""The slide at the model's pixel size, where the two differ: the image that the network sees."""

from __future__ import annotations

from functools import partial

import numpy as np

from axonflow.engine.stage import Result, Stage
from axonflow.kernel.grid import Box, Grid
from axonflow.kernel.resample import Resampling
from axonflow.ngff import Pyramid
from axonflow.stages.layout import Layout
from axonflow.stages.levels import levels

__all__ = ["resample"]


def resample(layout: Layout, after: Stage) -> tuple[Stage, ...]:
    """Declare the resampling of a converted slide."""
    resampling = Resampling(layout.native.shape, layout.native.pixel_size, layout.work.pixel_size)
    grid = Grid(layout.work.shape, (layout.chunk, layout.chunk))
    out = layout.input
    largest = max(resampling.needs(box).size + 3 * box.size for box in grid)
    first = Stage(
        name="resample",
        revision=1,
        parameters={"pixel_size": [layout.work.pixel_size.y, layout.work.pixel_size.x]},
        after=(after,),
        shape=layout.work.shape,
        batches=tuple(grid.batches(1)),
        task=partial(_task, layout.slide, out, resampling),
        prepare=out.create,
        memory=largest * 4,
        disk=int(layout.work.shape[0] * layout.work.shape[1] * np.dtype(layout.dtype).itemsize * 4 / 3),
    )
    return (first, *levels(out, "image", first))


def _task(slide: Pyramid, out: Pyramid, resampling: Resampling, box: Box) -> Result:
    values = resampling(slide.read(resampling.needs(box)), box)
    dtype = np.dtype(out.dtype)
    out.write(box, np.rint(values).astype(dtype) if dtype.kind == "u" else values.astype(dtype))
    return {}
