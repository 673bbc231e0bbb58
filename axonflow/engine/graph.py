"""The dask graph of a batch, and what every task notes about itself.

A task of a stage with an overlap is three: the window is read (with its neighbours', by ``map_overlap``), applied to,
and written. Only the second needs an accelerator, so only its layer of the graph asks for one: the processor reads the
next window and writes the last meanwhile. The annotation is lost when dask fuses layers, so graphs are run unoptimised.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import current_thread
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from axonflow.engine.cpus import take_turns_often, tasks_side_by_side
from axonflow.engine.stage import Batch, Overlap, Result, Source, Stage
from axonflow.errors import DeviceError
from axonflow.kernel.files import Sum, summed
from axonflow.kernel.grid import Box
from axonflow.kernel.memory import peak
from axonflow.kernel.retry import retry

if TYPE_CHECKING:
    import dask.array as da

__all__ = ["GPU", "Done", "Graph", "build"]

T = TypeVar("T")
GPU = "GPU"
"""The resource that workers with an accelerator declare; dask's name for it by custom."""

_OF_A_GPU = 0.5
"""What a task asks for of it: while one waits for its results, another gets its windows ready."""

Graph = list[Any]
"""Delayed tasks of one batch, each a :class:`Done` when computed."""


@dataclass(frozen=True, slots=True)
class Done:
    """What a task returns: its result, and what it took.

    Attributes
    ----------
    result : Result
    peak : int
        Its share of the peak memory of its process so far, bytes.
    worker : str
        Who applied the network, if anyone did.
    device : str
        On what, if the stage can tell.
    busy : (float, float)
        From when to when, s on the clock of that worker.
    files : Mapping of Path to Sum
        What it wrote.
    """

    result: Result
    peak: int
    worker: str = ""
    device: str = ""
    busy: tuple[float, float] = (0.0, 0.0)
    files: Mapping[Path, Sum] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Applied:
    """What was made of a window, by whom, on what, from when to when; the block of an array to dask."""

    planes: NDArray[Any]
    worker: str
    device: str
    busy: tuple[float, float]


def build(stage: Stage, batch: Batch, *, gpu: bool = False) -> Graph:
    """Build the dask graph of one batch: a delayed task for each of its boxes.

    Parameters
    ----------
    stage : Stage
    batch : Batch
    gpu : bool
        Whether the fleet has accelerators; then nothing that uses one runs elsewhere.
    """
    import dask  # a tenth of a second, which a finished run does without

    wants = {"resources": {GPU: _OF_A_GPU}} if gpu and stage.accelerated else {}
    if stage.overlap is None:
        with dask.annotate(**wants) if wants else nullcontext():
            return [dask.delayed(_run)(stage.task, box) for box in batch]
    windows = _overlapped(stage.overlap, stage.shape, batch)
    windows.dask.layers[windows.name].annotations = wants or None  # of map_overlap's layers, the one that applies
    blocks = windows.to_delayed(optimize_graph=False).ravel()
    # What is not dask's goes into the function, or dask would look through it for more of its own.
    return [dask.delayed(partial(_write, stage.task, box))(block) for block, box in zip(blocks, batch, strict=True)]


class _Part:
    """The part of an image that a batch reads, as an array of its own, opened where it is read."""

    def __init__(self, overlap: Overlap, box: Box) -> None:
        source = overlap.source()
        self.open, self.box = overlap.source, box
        self.shape, self.dtype, self.ndim = box.shape, source.dtype, 2

    def __getitem__(self, index: tuple[slice, slice]) -> NDArray[Any]:
        rows, columns = (range(side)[part] for side, part in zip(self.shape, index, strict=True))
        y, x = self.box.y0, self.box.x0

        def read() -> NDArray[Any]:
            source: Source = self.open()
            return source[y + rows.start : y + rows.stop, x + columns.start : x + columns.stop]

        return retry(read)


def _overlapped(overlap: Overlap, shape: tuple[int, int], batch: Batch) -> da.Array:
    """Return the (planes, y, x) array of a batch's cores, whose blocks are :class:`_Applied`."""
    import dask.array as da  # two thirds of a second, which stages without an overlap do without

    first, last = batch[0], batch[-1]
    region = Box(first.y0, first.x0, last.y1, last.x1)
    outer = region.grow(overlap.depth, within=shape)
    # The outermost chunks hold the batch's own halo, so that inner and outer cores alike see their whole window.
    widths = [box.x1 - box.x0 for box in batch]
    reads = list(widths)
    reads[0] += first.x0 - outer.x0
    reads[-1] += outer.x1 - last.x1
    part = _Part(overlap, outer)  # stays a task that all reads depend on, which brings them to one worker
    pixels = da.from_array(
        part,
        chunks=((outer.shape[0],), tuple(reads)),
        name=False,
        meta=np.empty((0, 0), part.dtype),  # or dask would read a corner to see what it is
    )
    return da.map_overlap(
        partial(_apply, overlap, batch),
        pixels,
        depth={0: 0, 1: overlap.depth if len(batch) > 1 else 0},  # the rows above and below were read along
        boundary="none",
        trim=False,
        allow_rechunk=False,
        new_axis=0,
        chunks=((overlap.planes,), (region.shape[0],), tuple(widths)),
        dtype=overlap.dtype,
        meta=np.empty((0, 0, 0), overlap.dtype),
    )


def _apply(
    overlap: Overlap,
    batch: Batch,
    pixels: NDArray[Any],
    block_id: tuple[int, int, int],
) -> _Applied:
    take_turns_often()
    started = time.perf_counter()
    planes = _on_device(partial(overlap.apply, pixels, batch[block_id[-1]]))
    device = overlap.device() if overlap.device else ""
    return _Applied(planes, _whoami(), device, (started, time.perf_counter()))


def _write(task: Callable[..., Result], box: Box, applied: _Applied) -> Done:
    take_turns_often()
    with summed() as files:
        result = retry(partial(task, applied.planes, box))
    return Done(result, _peak(), applied.worker, applied.device, applied.busy, files)


def _run(task: Callable[..., Result], box: Box) -> Done:
    take_turns_often()
    with summed() as files:
        result = retry(partial(_on_device, partial(task, box)))
    return Done(result, _peak(), files=files)


def _on_device(work: Callable[[], T]) -> T:
    """Do something that may use an accelerator; a worker whose accelerator is broken leaves, and another takes over."""
    try:
        return work()
    except DeviceError as error:
        from distributed import Reschedule, get_worker

        try:
            worker = get_worker()
        except ValueError:  # in this process there is no other
            raise error from None
        worker.log_event("axonflow-device", f"{platform.node()}: {error}")
        worker.loop.add_callback(worker.close_gracefully, restart=False)
        raise Reschedule from error


def _whoami() -> str:
    if "distributed" in sys.modules:  # no worker is without it, and it takes a fifth of a second to load
        from distributed import get_worker

        with suppress(ValueError):
            return f"{get_worker().name} on {platform.node()}"
    return f"process {os.getpid()}, {current_thread().name}, on {platform.node()}"


def _peak() -> int:
    """Return a task's share of the peak memory of this process, bytes."""
    return peak() // tasks_side_by_side()
