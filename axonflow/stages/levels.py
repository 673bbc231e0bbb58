"""The coarse levels of an image that do not fit under one shard: a short pass over the coarsest so far."""

from __future__ import annotations

from functools import partial

import numpy as np

from axonflow.engine.stage import Result, Stage
from axonflow.kernel.grid import Box
from axonflow.ngff import Pyramid

__all__ = ["levels"]


def levels(image: Pyramid, name: str, after: Stage) -> tuple[Stage, ...]:
    """Declare the passes that complete the levels of an image that ``after`` writes; ``name`` tells it from others."""
    stages = [after]
    for r in image.rounds():
        grid = image.round_grid(r)
        stages.append(
            Stage(
                name=f"{after.group}.{name}-levels-{r}",
                revision=1,
                parameters={},
                after=(stages[-1],),
                shape=grid.shape,
                batches=tuple(grid.batches(1)),
                task=partial(_task, image, r),
                memory=int(max(box.size for box in grid) * np.dtype(image.dtype).itemsize * 1.5),
            )
        )
    return tuple(stages[1:])


def _task(image: Pyramid, r: int, box: Box) -> Result:
    image.write_round(r, box)
    return {}
