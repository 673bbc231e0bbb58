"""The steps of a run, core by core and in a random order, without an engine."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from axonflow.fiber.axons import Pieces, label, number, survey
from axonflow.fiber.hull import Hulls, convex_areas, hulls
from axonflow.fiber.measure import HALO, count
from axonflow.fiber.myelin import assign
from axonflow.fiber.table import fiber_table
from axonflow.grid import Box
from axonflow.tally import Tally
from axonflow.units import PixelSize

Mask = NDArray[np.bool_]
Labels = NDArray[np.uint32]


def label_cores(mask: Mask, boxes: Sequence[Box], smallest_area: int = 0) -> Labels:
    """Survey, number and label a mask."""
    found = {box: survey(mask[box.slices], box, mask.shape).arrays() for box in boxes}
    tables = number({box: Pieces.from_arrays(arrays) for box, arrays in found.items()}, smallest_area)
    labels = np.zeros(mask.shape, np.uint32)
    for box in boxes:
        labels[box.slices] = label(mask[box.slices], tables[box])
    return labels


def assign_cores(axons: Labels, myelin: Mask, reach: int, boxes: Sequence[Box]) -> Labels:
    """Grow every core in its window."""
    fibers = np.zeros_like(axons)
    for box in boxes:
        window = box.grow(reach, axons.shape)
        grown = assign(axons[window.slices], myelin[window.slices], reach)
        fibers[box.slices] = grown[box.relative_to(window).slices]
    return fibers


def count_cores(labels: Labels, boxes: Sequence[Box], extra_halo: int = 0) -> Tally:
    """Count every core in its window, by way of a journal, and merge."""
    parts = []
    for box in boxes:
        window = box.grow(HALO + extra_halo, labels.shape)
        arrays = count(labels[window.slices], box, window, labels.shape).arrays("t")
        parts.append(Tally.from_arrays(arrays, "t"))
    return Tally.merge(parts)


def hull_cores(labels: Labels, boxes: Sequence[Box], extra_halo: int = 0) -> Hulls:
    """Take the hulls in every core, by way of a journal, and merge."""
    parts = []
    for box in boxes:
        window = box.grow(extra_halo, labels.shape)
        parts.append(Hulls.from_arrays(hulls(labels[window.slices], box, window).arrays("h"), "h"))
    return Hulls.merge(parts)


def measure_cores(axons: Labels, fibers: Labels, boxes: Sequence[Box], pixel_size: PixelSize) -> pd.DataFrame:
    """Measure labels."""
    return fiber_table(
        count_cores(axons, boxes),
        count_cores(fibers, boxes),
        convex_areas(hull_cores(axons, boxes)),
        convex_areas(hull_cores(fibers, boxes)),
        pixel_size,
        axons.shape,
    )
