"""Running stages to their end: what is recorded is skipped, what fails leaves the rest recorded."""

from __future__ import annotations

import errno
import logging
import resource
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

import dask
import dask.array as da
from numpy.typing import NDArray

from axonflow.engine.journal import Journal, Record
from axonflow.engine.pool import Graph, Pool
from axonflow.engine.stage import Batch, Overlap, Result, Source, Stage
from axonflow.errors import AxonflowError, RunError
from axonflow.grid import Box

__all__ = ["Silent", "Watch", "graph", "run_stages"]

log = logging.getLogger(__name__)


class Watch(Protocol):
    """Is told how a run gets on."""

    def begin(self, stage: Stage, done_px: int) -> None:
        """Take note that a stage starts, with so many pixels done by an earlier run."""

    def advance(self, pixels: int) -> None:
        """Take note that a batch of so many pixels was recorded."""

    def end(self, stage: Stage, summary: dict[str, Any]) -> None:
        """Take note that a stage is complete."""


class Silent:
    """A Watch that says nothing."""

    def begin(self, stage: Stage, done_px: int) -> None:
        """Say nothing."""

    def advance(self, pixels: int) -> None:
        """Say nothing."""

    def end(self, stage: Stage, summary: dict[str, Any]) -> None:
        """Say nothing."""


def run_stages(stages: Sequence[Stage], journal: Journal, pool: Pool, watch: Watch) -> None:
    """Run stages in order, each to its end; every task that was recorded before is left out.

    Raises
    ------
    AxonflowError
        As a task raised it, or a RunError that says what happened where. What was recorded stays so.
    """
    for i, stage in enumerate(stages):
        record = journal.record(stage)
        if record.complete:
            continue
        if not record.begun:
            # Later stages were made from outputs that are about to go, whatever their keys say.
            for later in stages[i:]:
                journal.forget(later)
        try:
            summary = _run(stage, record, pool, watch)
        except AxonflowError:
            raise
        except OSError as error:
            raise _os_error(stage, error) from error
        except Exception as error:
            log.exception("stage %s failed", stage.name)
            raise RunError(
                f"The stage {stage.group!r} was expected to end, but a task failed: {type(error).__name__}: {error}. "
                "What was done is kept; the log has the details. Run the same command again to continue."
            ) from error
        watch.end(stage, summary)


def _run(stage: Stage, record: Record, pool: Pool, watch: Watch) -> dict[str, Any]:
    started = time.perf_counter()
    if not record.begun:
        if stage.prepare:
            stage.prepare()
        record.begin()
    missing = record.missing()
    left = sum(box.size for i in missing for box in stage.batches[i])
    watch.begin(stage, stage.pixels - left)
    peak = 0
    for i, measured in pool.run((i, partial(graph, stage, stage.batches[i])) for i in missing):
        record.commit(i, [result for result, _ in measured])
        peak = max(peak, *(used for _, used in measured))
        watch.advance(sum(box.size for box in stage.batches[i]))
    noted = stage.finish(record.results()) if stage.finish else None
    summary = {
        "seconds": round(time.perf_counter() - started, 3),
        "pixels": left,
        "peak_worker_bytes": peak,
        **(noted or {}),
    }
    record.close(summary)
    log.info("stage %s: %s", stage.name, summary)
    return summary


def graph(stage: Stage, batch: Batch) -> Graph:
    """Build the dask graph of one batch: a delayed task for each of its boxes."""
    if stage.overlap is None:
        return [dask.delayed(_measured)(stage.task, box) for box in batch]
    blocks = _overlapped(stage.overlap, stage.shape, batch).to_delayed().ravel()
    return [dask.delayed(_measured)(stage.task, block, box) for block, box in zip(blocks, batch, strict=True)]


class _Part:
    """The part of an image that a batch reads, as an array of its own, opened where it is read."""

    def __init__(self, overlap: Overlap, box: Box) -> None:
        source = overlap.source()
        self.open, self.box = overlap.source, box
        self.shape, self.dtype, self.ndim = box.shape, source.dtype, 2

    def __getitem__(self, index: tuple[slice, slice]) -> NDArray[Any]:
        rows, columns = (range(side)[part] for side, part in zip(self.shape, index, strict=True))
        y, x = self.box.y0, self.box.x0
        source: Source = self.open()
        part: NDArray[Any] = source[y + rows.start : y + rows.stop, x + columns.start : x + columns.stop]
        return part


def _overlapped(overlap: Overlap, shape: tuple[int, int], batch: Batch) -> da.Array:
    """Return the (planes, y, x) array of a batch's cores."""
    first, last = batch[0], batch[-1]
    region = Box(first.y0, first.x0, last.y1, last.x1)
    outer = region.grow(overlap.depth, within=shape)
    # The outermost chunks hold the batch's own halo, so that inner and outer cores alike see their whole window.
    widths = [box.x1 - box.x0 for box in batch]
    reads = list(widths)
    reads[0] += first.x0 - outer.x0
    reads[-1] += outer.x1 - last.x1
    pixels = da.from_array(_Part(overlap, outer), chunks=((outer.shape[0],), tuple(reads)), name=False)
    return da.map_overlap(
        partial(_apply, overlap.apply, batch),
        pixels,
        depth={0: 0, 1: overlap.depth if len(batch) > 1 else 0},  # the rows above and below were read along
        boundary="none",
        trim=False,
        allow_rechunk=False,
        new_axis=0,
        chunks=((overlap.planes,), (region.shape[0],), tuple(widths)),
        dtype=overlap.dtype,
        meta=da.empty((0, 0, 0), dtype=overlap.dtype)._meta,
    )


def _apply(
    apply: Callable[[NDArray[Any], Box], NDArray[Any]],
    batch: Batch,
    pixels: NDArray[Any],
    block_id: tuple[int, int, int],
) -> NDArray[Any]:
    return apply(pixels, batch[block_id[-1]])


def _measured(task: Callable[..., Result], *arguments: object) -> tuple[Result, int]:
    """Run a task; return its result and the peak memory of its process so far, bytes."""
    result = task(*arguments)
    unit = 1 if sys.platform == "darwin" else 1024
    return result, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _os_error(stage: Stage, error: OSError) -> RunError:
    what = {
        errno.ENOSPC: "the disk is full; free some space",
        errno.EDQUOT: "the disk quota is used up; free some space",
        errno.EACCES: "writing is not permitted there; choose another --out or change the permission",
        errno.EROFS: "the file system is read-only; choose another --out",
    }.get(error.errno or 0, f"{error}; see the log")
    log.exception("stage %s failed", stage.name)
    return RunError(
        f"The stage {stage.group!r} was expected to write its outputs, but {what}. "
        "What was done is kept: run the same command again to continue."
    )
