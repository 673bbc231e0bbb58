"""Masks a user already has → semantic labels, in the network's place."""

from __future__ import annotations

from functools import partial

import numpy as np

from axonflow.engine.stage import Result, Stage
from axonflow.errors import InputError
from axonflow.kernel.grid import Box, Grid, ceil_to
from axonflow.slide import Slide
from axonflow.stages.layout import Layout
from axonflow.stages.levels import levels

__all__ = ["own_masks"]


def own_masks(layout: Layout, masks: tuple[Slide, ...]) -> tuple[Stage, ...]:
    """Declare the import of masks.

    Parameters
    ----------
    layout : Layout
    masks : (labels,) or (axons, myelin)
        One image of 0 background, 127 myelin, 255 axon; or two images whose non-zero pixels are axon and myelin,
        axon where both are.

    Raises
    ------
    InputError
        If a mask has not the slide's shape.
    """
    for mask in masks:
        if mask.shape != layout.work.shape:
            raise InputError(
                f"A mask of the slide's {layout.work.shape[0]} × {layout.work.shape[1]} px (height × width) was "
                f"expected, {mask.path} has {mask.shape[0]} × {mask.shape[1]}; give the mask of this slide."
            )
        if len(masks) == 1 and mask.dtype != np.uint8:
            raise InputError(f"Labels of 0, 127 and 255 in 8 bits were expected, {mask.path} holds {mask.dtype}.")
    core = tuple(
        min(
            ceil_to(max(mask.grain[axis] for mask in masks), layout.chunk),
            ceil_to(layout.work.shape[axis], layout.chunk),
        )
        for axis in (0, 1)
    )
    grid = Grid(layout.work.shape, (core[0], core[1]))
    largest = max(box.size for box in grid)
    first = Stage(
        name="segment",
        revision=1,
        parameters={"masks": [mask.identity for mask in masks]} | layout.parameters,
        after=(),
        shape=layout.work.shape,
        batches=tuple(grid.batches(1)),
        task=partial(_task, masks, layout),
        prepare=partial(layout.semantic.create, colours=layout.colours),
        memory=int(largest * 3.5) + sum(mask.grain[0] * mask.grain[1] for mask in masks),
        disk=layout.work.shape[0] * layout.work.shape[1] // 8,
    )
    return (first, *levels(layout.semantic, "semantic", first))


def _task(masks: tuple[Slide, ...], layout: Layout, box: Box) -> Result:
    pixels = [mask.read(box) for mask in masks]
    if len(pixels) == 1:
        labels = layout.classes.from_greys(pixels[0].astype(np.uint8, copy=False))
    else:
        axon, myelin = (mask != 0 for mask in pixels)
        labels = layout.classes.from_masks(axon, myelin)
    layout.semantic.write(box, labels)
    return {}
