"""The slide's file → sharded OME-Zarr with all its levels, and the slide's histogram, in one pass over the file.

The greys of floats are counted twice: by their leading bits while the file is read, then finely from what was written.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from axonflow.engine.stage import Batch, Result, Stage
from axonflow.kernel.files import new_file
from axonflow.kernel.grid import Box, Grid, ceil_to
from axonflow.kernel.tally import Ints, Tally
from axonflow.net.normalise import Codes, FineCodes, grey_codes, histogram
from axonflow.ngff import Pyramid
from axonflow.slide import Slide
from axonflow.stages.layout import Layout
from axonflow.stages.levels import levels

__all__ = ["GREYS", "Greys", "convert", "greys_file", "read_greys"]

GREYS = "convert.greys"
"""The stage that counts the greys of floats, once it is known where they are."""

_turn = threading.Lock()


@dataclass(frozen=True, slots=True)
class Greys:
    """The greys of a whole slide.

    Attributes
    ----------
    codes : callable
        Grey codes of pixels.
    counts : Tally
        How many pixels have each.
    """

    codes: Codes
    counts: Tally


def convert(layout: Layout, slide: Slide) -> tuple[Stage, ...]:
    """Declare the conversion of a slide; the stage named :data:`GREYS` is among it for floats."""
    image = layout.slide
    batches, largest = _batches(slide, layout.chunk)
    size = slide.dtype.itemsize
    first = Stage(
        name="convert",
        revision=2 if slide.dtype.kind == "f" else 1,  # -0 was a grey of its own
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
    pyramid = levels(image, "slide", first)
    return (first, *pyramid, _count_finely(layout, first)) if slide.dtype.kind == "f" else (first, *pyramid)


def _count_finely(layout: Layout, after: Stage) -> Stage:
    """Declare the second count of floats."""
    grid = Grid(layout.slide.shape, (layout.chunk, layout.chunk))
    return Stage(
        name=GREYS,
        revision=1,
        parameters={},
        after=(after,),
        shape=grid.shape,
        batches=tuple(grid.batches(1)),
        task=partial(_count, layout),
        finish=partial(_finish_greys, layout),
        memory=max(box.size for box in grid) * 8,
    )


def greys_file(layout: Layout) -> Path:
    """Return the last file from which :func:`read_greys` reads."""
    return _fine(layout) if np.dtype(layout.dtype).kind == "f" else _leading(layout)


def read_greys(layout: Layout) -> Greys:
    """Read the greys of the whole slide that the conversion left."""
    leading = _read(_leading(layout))
    if np.dtype(layout.dtype).kind == "f":
        return Greys(FineCodes.of(leading), _read(_fine(layout)))
    return Greys(grey_codes, leading)


def _leading(layout: Layout) -> Path:
    return layout.private / "greys.npz"


def _fine(layout: Layout) -> Path:
    return layout.private / "fine-greys.npz"


def _read(path: Path) -> Tally:
    # numpy has Python's parser read a header, and in two threads at once that one fails at times.
    with _turn, np.load(path) as arrays:
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
    greys = _sum_up(_leading(layout), results)
    if np.dtype(layout.dtype).kind != "f":
        low, high = _most(greys)
        layout.slide.set_window(float(low), float(high))


@lru_cache(maxsize=4)
def _codes(layout: Layout, _key: int) -> FineCodes:
    return FineCodes.of(_read(_leading(layout)))


def _count(layout: Layout, box: Box) -> Result:
    codes = _codes(layout, _leading(layout).stat().st_mtime_ns)  # a worker may outlive a change of the slide
    return histogram(layout.slide.read(box), codes).arrays("greys")


def _finish_greys(layout: Layout, results: Iterable[tuple[Box, Result]]) -> None:
    greys = _sum_up(_fine(layout), results)
    low, high = FineCodes.of(_read(_leading(layout))).values(_most(greys))
    layout.slide.set_window(float(low), float(high))


def _sum_up(path: Path, results: Iterable[tuple[Box, Result]]) -> Tally:
    """Add up the greys of all tasks, and write them."""
    greys = Tally.empty(1)
    for _, result in results:
        greys += Tally.from_arrays(dict(result), "greys")
    with new_file(path) as part, part.open("wb") as file:
        np.savez(file, allow_pickle=False, **greys.arrays("greys"))
    return greys


def _most(greys: Tally) -> Ints:
    """Return the codes between which 99 of 100 pixels lie."""
    shares = np.cumsum(greys.total[:, 0]) / greys.total[:, 0].sum()
    return greys.key[np.searchsorted(shares, (0.005, 0.995))]
