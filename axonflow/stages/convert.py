"""The slide's file → sharded OME-Zarr with all its levels, and the slide's histogram, in one pass over the file."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from functools import partial

import numpy as np

from axonflow.engine.stage import Batch, Result, Stage
from axonflow.kernel.files import new_file
from axonflow.kernel.grid import Box, Grid, ceil_to
from axonflow.kernel.tally import Tally
from axonflow.net.normalise import grey_values, histogram
from axonflow.ngff import Pyramid
from axonflow.slide import Slide
from axonflow.stages.layout import Layout
from axonflow.stages.levels import levels

__all__ = ["convert", "read_greys"]

_turn = threading.Lock()


def convert(layout: Layout, slide: Slide) -> tuple[Stage, ...]:
    """Declare the conversion of a slide."""
    image = layout.slide
    batches, largest = _batches(slide, layout.chunk)
    size = slide.dtype.itemsize
    first = Stage(
        name="convert",
        revision=1,
        parameters={"slide": slide.identity} | layout.parameters,
        after=(),
        shape=slide.shape,
        batches=batches,
        task=partial(_task, slide, image),
        prepare=image.create,
        finish=partial(_finish, layout),
        memory=int(largest * 1.5 * size) + slide.grain[0] * slide.grain[1] * size,
        disk=int(slide.shape[0] * slide.shape[1] * size * 4 / 3),
    )
    return (first, *levels(image, "slide", first))


def read_greys(layout: Layout) -> Tally:
    """Read the histogram of the whole slide that the conversion left."""
    # numpy has Python's parser read a header, and in two threads at once that one fails at times.
    with _turn, np.load(layout.private / "greys.npz") as arrays:
        return Tally.from_arrays(dict(arrays), "greys")


def _batches(slide: Slide, chunk: int) -> tuple[tuple[Batch, ...], int]:
    """Cut the slide so that no part of its file is decoded twice, and no shard is written by two tasks."""
    tall, wide = (
        min(ceil_to(grain, chunk), ceil_to(side, chunk)) for grain, side in zip(slide.grain, slide.shape, strict=True)
    )
    grid = Grid(slide.shape, (tall, wide))
    return tuple(grid.batches(1)), max(box.size for box in grid)


def _task(slide: Slide, image: Pyramid, box: Box) -> Result:
    pixels = slide.read(box)
    image.write(box, pixels)
    return histogram(pixels).arrays("greys")


def _finish(layout: Layout, results: Iterable[tuple[Box, Result]]) -> None:
    greys = Tally.empty(1)
    for _, result in results:
        greys += Tally.from_arrays(dict(result), "greys")
    with new_file(layout.private / "greys.npz") as part, part.open("wb") as file:
        np.savez(file, allow_pickle=False, **greys.arrays("greys"))
    shares = np.cumsum(greys.total[:, 0]) / greys.total[:, 0].sum()
    low, high = grey_values(greys.key[np.searchsorted(shares, (0.005, 0.995))], np.dtype(layout.dtype))
    layout.slide.set_window(float(low), float(high))
