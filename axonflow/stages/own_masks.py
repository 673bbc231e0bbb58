"""Masks a user already has → semantic labels, in the network's place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np

from axonflow.engine.stage import Result, Stage
from axonflow.errors import InputError
from axonflow.kernel.classes import AXON_MYELIN
from axonflow.kernel.grid import Box, Grid, ceil_to
from axonflow.stages.labels import LabelImage
from axonflow.stages.layout import Layout
from axonflow.stages.levels import levels
from axonflow.stages.masks import Mask

__all__ = ["OwnMasks", "own_masks"]

OwnMasks = tuple[LabelImage] | tuple[Mask, Mask] | tuple[Mask, Mask, Mask]
"""One image of classes; or a mask of axons and one of myelin, axon where both are, and perhaps one of axons without
myelin, which counts where neither is."""

_SHOWS = {"--axon-mask": "axons", "--myelin-mask": "myelin", "--uaxon-mask": "axons without myelin"}
"""What the masks are of, by the flags that give them, in their order."""

_BYTES = {True: 4.5, False: 24}
"""Of a pixel of a task, by whether its masks are plain."""


def own_masks(layout: Layout, masks: OwnMasks) -> tuple[Stage, ...]:
    """Declare the import of masks.

    Parameters
    ----------
    layout : Layout
    masks : (labels,), (axons, myelin) or (axons, myelin, axons without myelin)

    Raises
    ------
    InputError
        If a mask has not the slide's shape, or two are the same.
    """
    images = [mask.image for mask in masks]
    for image in images:
        if image.shape != layout.work.shape:
            raise InputError(
                f"A mask of the slide's {layout.work.shape[0]} × {layout.work.shape[1]} px (height × width) was "
                f"expected, {image.path} has {image.shape[0]} × {image.shape[1]}; give the mask of this slide."
            )
    for (one, (_, shows)), (other, (flag, shows_too)) in combinations(zip(images, _SHOWS.items(), strict=False), 2):
        if one.identity == other.identity:
            raise InputError(
                f"A mask of {shows} and one of {shows_too} were expected, {one.path} and {other.path} have the same "
                f"content; give the mask of {shows_too} with {flag}."
            )
    core = tuple(
        min(
            ceil_to(max(image.grain[axis] for image in images), layout.chunk),
            ceil_to(layout.work.shape[axis], layout.chunk),
        )
        for axis in (0, 1)
    )
    grid = Grid(layout.work.shape, (core[0], core[1]))
    largest = max(box.size for box in grid)
    plain = all(mask.plain for mask in masks)
    # A store of plain masks keeps its key.
    readings: dict[str, Any] = {} if plain else {"readings": [mask.words for mask in masks]}
    if len(masks) == 1 and layout.classes != AXON_MYELIN:
        readings["classes"] = layout.classes.to_json()
    noted = not plain or any(_is_soft(mask) or _notes(mask) for mask in masks) or len(masks) > 1
    first = Stage(
        name="segment",
        revision=1,
        parameters={"masks": [image.identity for image in images]} | layout.parameters | readings,
        after=(),
        shape=layout.work.shape,
        batches=tuple(grid.batches(1)),
        task=partial(_task, masks, layout),
        prepare=partial(layout.semantic.create, colours=layout.colours),
        finish=partial(_finish, masks, layout.work.shape) if noted else None,
        memory=int(largest * _BYTES[plain]) + sum(image.grain[0] * image.grain[1] for image in images),
        disk=layout.work.shape[0] * layout.work.shape[1] // 8,
    )
    return (first, *levels(layout.semantic, "semantic", first))


def _is_soft(mask: LabelImage | Mask) -> bool:
    return mask.soft if isinstance(mask, LabelImage) else mask.rule == "threshold"


def _notes(mask: LabelImage | Mask) -> tuple[str, ...]:
    return () if isinstance(mask, LabelImage) else mask.notes


def _task(masks: OwnMasks, layout: Layout, box: Box) -> Result:
    if len(masks) == 1:
        labels, astray = masks[0].read_and_astray(box)
        between, third = [astray], None
    else:
        drawn, counts = zip(*(mask.drawn_and_between(box) for mask in masks), strict=True)
        third = layout.classes.unmyelinated
        labels = layout.classes.from_masks(drawn[0], drawn[1], {} if third is None else {third: drawn[2]})
        between = [*counts]
    layout.semantic.write(box, labels)
    result = {"between": np.array(between, np.int64)} if any(_is_soft(mask) for mask in masks) else {}
    if len(masks) > 1:
        result["covered"] = np.array([np.count_nonzero(drawn[0] & drawn[1]), np.count_nonzero(drawn[1])])
    if third is not None:
        result["contested"] = np.array([np.count_nonzero(drawn[2] & (labels != third)), np.count_nonzero(drawn[2])])
    return result


def _finish(masks: OwnMasks, shape: tuple[int, int], results: Iterable[tuple[Box, Result]]) -> Mapping[str, Any]:
    """Say how the masks were read, and how many of their pixels could have been read as either."""
    between = sum((result["between"] for _, result in results if "between" in result), np.zeros(len(masks), np.int64))
    notes: list[str] = []
    each: tuple[LabelImage | Mask, ...] = masks
    for mask, pixels in zip(each, between.tolist(), strict=True):
        if _is_soft(mask):
            share = pixels / (shape[0] * shape[1])
            notes.append(
                f"{mask.image.path} was read as {mask.words}; {share:.2%} of its pixels lie between, as soft edges "
                "and JPEG leave them."
            )
        elif not (mask.plain or mask.image.bilevel):
            notes.append(f"{mask.image.path} was read as {mask.words}.")
        notes += _notes(mask)
    contested, drawn = _sum_of("contested", results)
    covered, myelin = _sum_of("covered", results)
    if contested:
        notes.append(
            f"{contested / drawn:.1%} of what is drawn in {masks[-1].image.path} is drawn as axon or myelin, too, and "
            "is taken for that."
        )
    said: dict[str, Any] = {"notes": notes} if notes else {}
    most = max(between.tolist()) / (shape[0] * shape[1])
    said |= {"contested": contested / drawn} if contested else {}
    said |= {"covered": covered / myelin} if covered else {}
    return said | ({"between": most} if any(map(_is_soft, masks)) else {})


def _sum_of(name: str, results: Iterable[tuple[Box, Result]]) -> list[int]:
    """Add up pairs of counts; none of a store of an earlier version."""
    pairs = [found[name] for _, found in results if name in found]
    counts: list[int] = np.sum([np.zeros(2, np.int64), *pairs], axis=0).tolist()
    return counts
