"""The steps of a run, core by core and in a random order, without an engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from axonflow.fiber.axons import Pieces, join, label, number_axons, survey
from axonflow.fiber.hull import Hulls, hulls
from axonflow.fiber.measure import HALO, count_objects
from axonflow.fiber.merge import Measured, Objects, complete
from axonflow.fiber.myelin import assign
from axonflow.fiber.table import ROWS, fiber_table
from axonflow.kernel.grid import Box
from axonflow.kernel.tally import Tally
from axonflow.kernel.units import PixelSize

Mask = NDArray[np.bool_]
Labels = NDArray[np.uint32]


def label_cores(
    mask: Mask | NDArray[np.uint8], boxes: Sequence[Box], smallest_area: int = 0, smallest_without: int = 0
) -> Labels:
    """Survey, number and label a mask of axons, or of two kinds of them."""
    kinds = mask.astype(np.uint8)
    found = {box: survey(kinds[box.slices], box, kinds.shape).arrays() for box in boxes}
    pieces = [(box, Pieces.from_arrays(found[box])) for box in sorted(boxes)]
    tables = dict(number_axons(pieces, join(pieces), smallest_area, smallest_without))
    labels = np.zeros(kinds.shape, np.uint32)
    for box in boxes:
        labels[box.slices] = label(kinds[box.slices], tables[box])
    return labels


def assign_cores(axons: Labels, myelin: Mask, reach: int, boxes: Sequence[Box]) -> Labels:
    """Grow every core in its window."""
    fibers = np.zeros_like(axons)
    for box in boxes:
        window = box.grow(reach, axons.shape)
        grown = axons[window.slices].copy()
        assign(grown, myelin[window.slices], reach)
        fibers[box.slices] = grown[box.relative_to(window).slices]
    return fibers


def count_cores(labels: Labels, boxes: Sequence[Box], extra_halo: int = 0) -> Tally:
    """Count every core in its window, by way of a journal, and merge."""
    parts = []
    for box in boxes:
        window = box.grow(HALO + extra_halo, labels.shape)
        arrays = count_objects(labels[window.slices], box, window, labels.shape).arrays("t")
        parts.append(Tally.from_arrays(arrays, "t"))
    return Tally.merge(parts)


def hull_cores(labels: Labels, boxes: Sequence[Box], extra_halo: int = 0) -> Hulls:
    """Take the hulls in every core, by way of a journal, and merge."""
    parts = []
    for box in boxes:
        window = box.grow(extra_halo, labels.shape)
        parts.append(Hulls.from_arrays(hulls(labels[window.slices], box, window).arrays("h"), "h"))
    return Hulls.merge(parts)


def measured_cores(
    axons: Labels, fibers: Labels, boxes: Sequence[Box], seen: Callable[[Box], object] = id
) -> Iterator[tuple[Box, Measured]]:
    """Measure every core in its window, by way of a journal, in raster order."""
    for box in sorted(boxes):
        seen(box)
        window = box.grow(HALO, axons.shape)
        of = (Objects.of(labels[window.slices], box, window, axons.shape) for labels in (axons, fibers))
        yield box, Measured.from_arrays(Measured(*of).arrays())


def measure_cores(
    axons: Labels, fibers: Labels, boxes: Sequence[Box], pixel_size: PixelSize, rows: int = ROWS
) -> pd.DataFrame:
    """Measure labels, and describe the axons so many at a time."""
    parts = complete(measured_cores(axons, fibers, boxes), rows)
    return pd.concat([fiber_table(part, pixel_size, axons.shape) for part in parts], ignore_index=True)
