"""How sure the network was of the pieces of axons: kept from the segmentation until the axons have ids.

Probabilities of pixels are not stored, unless they are asked for; these sums are, of 16 bytes a piece.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from axonflow.engine.stage import Result
from axonflow.fiber.probability import PieceSums
from axonflow.kernel.files import new_file, write_file
from axonflow.kernel.grid import Box, Grid
from axonflow.kernel.tally import Ints
from axonflow.stages.layout import Layout

__all__ = ["keep_sums", "summed", "sums_of_axons"]


def summed(layout: Layout) -> dict[str, int]:
    """Return what the sums depend on beside the labels, as a stage that makes them names it in its key."""
    return {} if layout.classes.unmyelinated is None else {"unmyelinated": layout.classes.unmyelinated}


def keep_sums(layout: Layout, results: Iterable[tuple[Box, Result]]) -> None:
    """Write the sums of all boxes of the segmentation, chunk by chunk, and where those of each chunk begin."""
    chunks = _chunks(layout)
    counts = np.zeros(len(chunks), np.int64)
    with new_file(_sums_path(layout)) as part, part.open("wb") as file:
        for rank, sums in _rows(layout, chunks.counts[1], results):
            counts += np.bincount(rank, minlength=len(chunks))
            file.write(sums.astype("<i8").tobytes())
    write_file(_begin_path(layout), np.append(0, np.cumsum(counts)).astype("<i8").tobytes())


def sums_of_axons(layout: Layout, box: Box, axons: NDArray[np.uint32], window: Box) -> tuple[Ints, Ints]:
    """Return the ids of the axons whose pieces begin in a chunk, and the confidence over each piece; both (n,) int64.

    Parameters
    ----------
    layout : Layout
    box : Box
        The chunk.
    axons : (h, w) uint32
        Ids in a window; 0 is none, as of specks.
    window : Box
        Which holds the chunk.
    """
    rank = box.y0 // layout.chunk * _chunks(layout).counts[1] + box.x0 // layout.chunk
    begin, end = np.fromfile(_begin_path(layout), "<i8", 2, offset=8 * rank).tolist()
    kept = np.fromfile(_sums_path(layout), "<i8", 2 * (end - begin), offset=16 * begin).reshape(-1, 2)
    y, x = np.divmod(kept[:, 0], layout.work.shape[1])
    return axons[y - window.y0, x - window.x0].astype(np.int64), kept[:, 1].astype(np.int64)


def _rows(layout: Layout, across: int, results: Iterable[tuple[Box, Result]]) -> Iterator[tuple[Ints, Ints]]:
    """Yield the rank of each piece's chunk in raster order, and its sums, sorted by chunks; a row of boxes at once.

    A box may be larger than a chunk, where the last ones would be thinner than the network's halo.
    """
    for _, row in groupby(results, key=lambda result: result[0].y0):
        first, confidence = (
            np.concatenate(parts)
            for parts in zip(*([found[name] for name in PieceSums._fields] for _, found in row), strict=True)
        )
        y, x = np.divmod(first, layout.work.shape[1])
        rank = y // layout.chunk * across + x // layout.chunk
        order = np.argsort(rank, kind="stable")
        yield rank, np.column_stack([first, confidence])[order]


def _chunks(layout: Layout) -> Grid:
    return Grid(layout.work.shape, (layout.chunk, layout.chunk))


def _sums_path(layout: Layout) -> Path:
    return layout.private / "confidence.i8"


def _begin_path(layout: Layout) -> Path:
    return layout.private / "confidence_begin.i8"
