"""The slide's file → sharded OME-Zarr with all its levels, and the slide's histogram, in one pass over the file.

The greys of floats are counted twice: by their leading bits while the file is read, then finely from what was written.
Where the slide cannot be read, the run stops, or goes on and writes down where it was not measured.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from axonflow.engine.stage import Batch, Result, Stage
from axonflow.errors import SlideError
from axonflow.kernel.files import new_file, remove
from axonflow.kernel.grid import Box, Grid, ceil_to
from axonflow.kernel.tally import Ints, Tally
from axonflow.net.normalise import Codes, FineCodes, grey_codes, histogram
from axonflow.slide import BadTileError, Partial, Slide
from axonflow.stages.blank import blank_blocks, sum_up_blank
from axonflow.stages.layout import Layout
from axonflow.stages.levels import levels
from axonflow.stages.unread import count_unread, sum_up_unread

__all__ = ["GREYS", "Greys", "OnBadTile", "convert", "greys_file", "naming_the_way_on", "read_greys"]

OnBadTile = Literal["stop", "fill"]

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


def convert(layout: Layout, slide: Slide, on_bad_tile: OnBadTile = "stop") -> tuple[Stage, ...]:
    """Declare the conversion of a slide; the stage named :data:`GREYS` is among it for floats.

    Parameters
    ----------
    layout : Layout
    slide : Slide
    on_bad_tile : "stop" or "fill"
        Whether the run ends where the slide cannot be read, or the place is filled with 0 and not measured.
    """
    image = layout.slide
    batches, largest = _batches(slide, layout.chunk)
    size, fill = slide.dtype.itemsize, on_bad_tile == "fill"
    first = Stage(
        name="convert",
        revision=2 if slide.dtype.kind == "f" else 1,  # -0 was a grey of its own
        # A store of before there was a choice keeps its key.
        parameters={"slide": slide.identity} | layout.parameters | ({"on_bad_tile": "fill"} if fill else {}),
        after=(),
        shape=slide.shape,
        batches=batches,
        task=partial(_task_around if fill else _task, layout, slide),
        prepare=partial(_prepare_around if fill else _prepare, layout),
        finish=partial(_finish_around if fill else _finish, layout, slide),
        memory=int(largest * (1.5 * size + 3 * fill)) + slide.grain[0] * slide.grain[1] * size,
        disk=int(slide.shape[0] * slide.shape[1] * size * 4 / 3),
    )
    pyramid = levels(image, "slide", first)
    if slide.dtype.kind != "f":
        return (first, *pyramid)
    return (first, *pyramid, _count_finely(layout, first, fill=fill))


def _count_finely(layout: Layout, after: Stage, *, fill: bool) -> Stage:
    """Declare the second count of floats."""
    grid = Grid(layout.slide.shape, (layout.chunk, layout.chunk))
    return Stage(
        name=GREYS,
        revision=1,
        parameters={},
        after=(after,),
        shape=grid.shape,
        batches=tuple(grid.batches(1)),
        task=partial(_count_around if fill else _count, layout),
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


@contextmanager
def naming_the_way_on() -> Iterator[None]:
    """Say of a bad tile of a slide, but not of a mask, that a run can go on without it."""
    try:
        yield
    except BadTileError as error:
        said = str(error).removesuffix(".")
        raise SlideError(f"{said}, or leave such places out with --on-bad-tile fill.") from error


def _prepare(layout: Layout) -> None:
    remove(layout.unmeasured.path)  # of a run that went on where the slide could not be read
    layout.slide.create()


def _task(layout: Layout, slide: Slide, box: Box) -> Result:
    with naming_the_way_on():
        pixels = slide.read(box)
    layout.slide.write(box, pixels)
    return {**histogram(pixels).arrays("greys"), **blank_blocks(pixels, box)}


def _finish(layout: Layout, slide: Slide, results: Iterable[tuple[Box, Result]]) -> dict[str, Any]:
    greys = _sum_up(_leading(layout), results)
    if np.dtype(layout.dtype).kind != "f":
        low, high = _most(greys)
        layout.slide.set_window(float(low), float(high))
    return {"blank": sum_up_blank(results, slide.shape, layout.native.pixel_size)}


def _prepare_around(layout: Layout) -> None:
    layout.unmeasured.create()
    layout.slide.create()


def _task_around(layout: Layout, slide: Slide, box: Box) -> Result:
    read = slide.read_what_is_there(box)
    layout.slide.write(box, read.pixels)
    layout.unmeasured.write(box, read.unmeasured.astype(np.uint8))
    greys = _without(histogram(read.pixels), grey_codes, read.unmeasured, read.pixels.dtype)
    return {**greys.arrays("greys"), **_measured_blocks(read, box), **count_unread(read)}


def _finish_around(layout: Layout, slide: Slide, results: Iterable[tuple[Box, Result]]) -> dict[str, Any]:
    unmeasured = sum_up_unread(results, slide)
    return _finish(layout, slide, results) | {"unmeasured": unmeasured}


def _measured_blocks(read: Partial, box: Box) -> dict[str, NDArray[Any]]:
    """Find the blocks of one grey that were measured."""
    found = blank_blocks(read.pixels, box)
    inside = found["blank.at"] - (box.y0, box.x0)
    measured = ~read.unmeasured[inside[:, 0], inside[:, 1]]  # a block of one grey is filled wholly or by chance
    return {name: values[measured] for name, values in found.items()}


def _without(counted: Tally, codes: Codes, unmeasured: NDArray[np.bool_], dtype: np.dtype[Any]) -> Tally:
    """Take the pixels that were filled from a count of greys."""
    filled, code = np.count_nonzero(unmeasured), int(codes(np.zeros((1, 1), dtype))[0, 0])
    total = counted.total - np.where(counted.key[:, None] == code, filled, 0)
    rest = total[:, 0] > 0
    return Tally(counted.key[rest], total[rest], counted.low[rest], counted.high[rest])


@lru_cache(maxsize=4)
def _codes(layout: Layout, _key: int) -> FineCodes:
    return FineCodes.of(_read(_leading(layout)))


def _count(layout: Layout, box: Box) -> Result:
    codes = _codes(layout, _leading(layout).stat().st_mtime_ns)  # a worker may outlive a change of the slide
    return histogram(layout.slide.read(box), codes).arrays("greys")


def _count_around(layout: Layout, box: Box) -> Result:
    codes = _codes(layout, _leading(layout).stat().st_mtime_ns)
    pixels = layout.slide.read(box)
    unmeasured = layout.unmeasured.read(box) != 0
    return _without(histogram(pixels, codes), codes, unmeasured, pixels.dtype).arrays("greys")


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
