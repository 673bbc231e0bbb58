"""A slide's own statistics for batch norm, from a few windows of it.

Where they may lie follows from the size of the slide alone, and one task measures all of them, so that the same numbers
come out however the slide is cut, and whoever computes. They are kept, and whatever applies the network to this slide
reads them.

Tissue alone should have a say: windows of resin, glass or padding show little structure, and are left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axonflow.engine.cpus import cpus
from axonflow.engine.stage import Result, Stage
from axonflow.kernel.files import write_file
from axonflow.kernel.grid import Box
from axonflow.net.lattice import Lattice
from axonflow.net.statistics import Moments, Statistics
from axonflow.stages.layout import Layout
from axonflow.stages.normalised import normalisation_of
from axonflow.stages.segment import NETWORK_BYTES
from axonflow.stages.segmentation import Network

__all__ = ["PLACES", "WEIGHT", "WINDOWS", "adapt", "places", "structure", "telling"]

WEIGHT = 0.25
"""Of the slide's statistics beside those of the training."""

WINDOWS = 4
"""How many are measured, at most: a sixty-fourth of a slide of 8192 × 8192 px."""

PLACES = 16
"""At how many, at most, is looked whether there is tissue."""

WINDOW_BYTES = 200 * 2**20
"""What the feature maps of one window of 576 px take where all of several are kept; measured."""

_GOLDEN = 0.6180339887498949

_MOMENTS = "mean", "variance"
"""What the arrays of a task are called, after the layer."""

_GRAIN = 4
"""Side of the squares between whose means structure is looked for, px: the noise of a camera cancels out in them."""


def adapt(layout: Layout, network: Network, after: tuple[Stage, ...]) -> Stage:
    """Declare the measurement.

    Parameters
    ----------
    layout : Layout
    network : Network
        One of the paper's, which have batch norm.
    after : tuple of Stage
        Those that write the network's input, and count the greys.
    """
    checkpoint = network.checkpoint
    looked_at = places(layout.work.shape, checkpoint.lattice_px, checkpoint.shape.stride)
    return Stage(
        name="segment.adapt",
        revision=2,
        parameters={
            "model": checkpoint.sha256,
            "invert": checkpoint.invert,
            "precision": network.precision,
            "lattice": checkpoint.lattice_px,
            "weight": WEIGHT,
            "windows": WINDOWS,
            "places": PLACES,
        },
        after=after,
        shape=layout.work.shape,
        batches=((looked_at[0],),),  # stands for all: they are one task
        task=partial(_measure, layout, network, looked_at),
        finish=partial(_keep, layout),
        accelerated=True,
        resident={"network": NETWORK_BYTES},
        memory=WINDOW_BYTES * min(len(looked_at), WINDOWS),
    )


def places(shape: tuple[int, int], core: int, stride: int) -> list[Box]:
    """Return the cores that may be measured, in raster order.

    They are whole cores of the lattice; those that would reach over the end of the slide are moved back onto it, by
    multiples of the stride. Of many, the rows are taken evenly, and the columns by the golden ratio.
    """
    height, width = (min(core, side) for side in shape)
    rows, columns = (
        sorted({min(first, (side - min(core, side)) // stride * stride) for first in range(0, side, core)})
        for side in shape
    )
    at = [(y, x) for y in rows for x in columns]
    if len(at) > PLACES:
        chosen = {
            (len(rows) * (2 * k + 1) // (2 * PLACES), int(len(columns) * ((k + 0.5) * _GOLDEN % 1)))
            for k in range(PLACES)
        }
        at = [(rows[i], columns[j]) for i, j in sorted(chosen)]
    return [Box(y, x, y + height, x + width) for y, x in at]


def structure(pixels: NDArray[Any]) -> float:
    """Return how much the means of neighbouring squares differ, on average, in the pixels' own numbers."""
    rows, columns = (max(side // _GRAIN, 1) for side in pixels.shape)
    whole = pixels[: rows * _GRAIN, : columns * _GRAIN].astype(np.float64)
    means = whole.reshape(rows, -1, columns, whole.shape[1] // columns).mean(axis=(1, 3))
    steps = [np.abs(np.diff(means, axis=axis)) for axis in (0, 1)]
    count = sum(step.size for step in steps)
    return float(sum(step.sum() for step in steps) / count) if count else 0.0


def telling(found: Sequence[float]) -> list[int]:
    """Return which windows have a say, by their structure: the numbers of at most :data:`WINDOWS`, spread evenly.

    Those that have at least half as much as the third of all, or as the first of one or two, or the second of three or
    four: so a fold or dirt, which has more than any tissue, does not silence it. None does if nothing is anywhere.
    """
    third = sorted(found, reverse=True)[min((len(found) - 1) // 2, 2)]
    tissue = [i for i, each in enumerate(found) if each > 0 and each >= third / 2]
    count = min(len(tissue), WINDOWS)
    return [tissue[len(tissue) * (2 * k + 1) // (2 * count)] for k in range(count)]


def _measure(layout: Layout, network: Network, looked_at: Sequence[Box], _box: Box) -> Result:
    from axonflow.net.adaptation import adapted_statistics  # torch is loaded where it is used
    from axonflow.net.device import cores_used, use_cores

    chosen = [looked_at[i] for i in telling([structure(layout.input.read(place)) for place in looked_at])]
    at = {"windows": np.array([[box.y0, box.x0, box.y1, box.x1] for box in chosen], np.int64).reshape(-1, 4)}
    if not chosen:
        return at
    checkpoint = network.checkpoint
    # Without a halo: what it adds to a mean over the window is not worth the quarter more that it costs.
    lattice = Lattice(layout.work.shape, checkpoint.lattice_px, 0, checkpoint.shape.stride)
    codes, table, _ = normalisation_of(layout, network)
    windows = [table[codes(lattice.window(core, layout.input.read(core), core)[0])] for core in chosen]
    used = cores_used()
    use_cores(cpus())  # nothing runs beside it
    try:
        found = adapted_statistics(checkpoint, network.precision, np.stack(windows), WEIGHT)
    finally:
        use_cores(used)
    return at | {
        f"{name}.{what}": np.array(values, np.float32)
        for name, moments in found.layers
        for what, values in zip(_MOMENTS, (moments.mean, moments.variance), strict=True)
    }


def _keep(layout: Layout, results: Iterable[tuple[Box, Result]]) -> dict[str, Any]:
    for _, found in results:  # of the one task, while its arrays can be read
        names = [name.removesuffix(".mean") for name in found if name.endswith(".mean")]
        layers = tuple((name, Moments(*(_numbers(found[f"{name}.{what}"]) for what in _MOMENTS))) for name in names)
        content = {"weight": WEIGHT, "windows": found["windows"].tolist(), "layers": Statistics(layers).to_json()}
        write_file(layout.statistics, json.dumps(content).encode())
        return {"weight": WEIGHT, "windows": content["windows"]}
    raise AssertionError("a stage has a task")


def _numbers(values: NDArray[Any]) -> tuple[float, ...]:
    return tuple(values.tolist())
