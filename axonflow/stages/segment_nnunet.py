"""A network of nnU-Net over its own windows → semantic labels that are nnU-Net's, and how sure it was.

Every task computes all windows that touch its box, so that there are no seams; windows over the edge of two boxes are
computed for both. Where a run approximates nnU-Net, to be faster, some places are computed exactly, too, and compared.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from axonflow.engine.cpus import cpus, tasks_side_by_side
from axonflow.engine.stage import Overlap, Result, Stage
from axonflow.kernel.classes import AXON_MYELIN
from axonflow.kernel.compiled import COMPILED_BYTES
from axonflow.kernel.grid import Box, Grid
from axonflow.net.nnunet.cost import weight_bytes, window_bytes
from axonflow.net.nnunet.normalise import Content, normalised
from axonflow.net.nnunet.plan import NnUNetPlan
from axonflow.net.nnunet.windows import Windows
from axonflow.net.normalise import grey_table
from axonflow.slide.luminance import rec601
from axonflow.stages.bounds import channels_of, read_content
from axonflow.stages.convert import greys_file, read_greys
from axonflow.stages.layout import Layout
from axonflow.stages.levels import levels
from axonflow.stages.predicted import CLASS, GREY, Outputs, outputs_of
from axonflow.stages.probability import keep_sums
from axonflow.stages.segment import NETWORK_BYTES, device_of
from axonflow.stages.segmentation import NnUNet

if TYPE_CHECKING:
    from axonflow.net.checkpoint import Precision
    from axonflow.net.nnunet.predict import NnUNetPredictor

__all__ = ["PLACES", "grid_of", "segment_by_nnunet", "windows_of"]

PLACES = 8
"""At how many places, at most, a run that approximates nnU-Net is compared with it."""

_GOLDEN = 0.6180339887498949

_SIDE_BY_SIDE = 16
"""Windows that a process computes at once, at most, however many cpus there are: each takes some 0.3 GiB."""

_PLACE_PX, _WINDOWS_A_PLACE = 64, 64
"""Side of such a place; and there is one for as many windows of the slide, so that it costs a tenth of the run."""


def grid_of(layout: Layout) -> Grid:
    """Return the boxes that tasks compute."""
    return Grid(layout.work.shape, (layout.chunk, layout.chunk))


def windows_of(layout: Layout, plan: NnUNetPlan) -> Windows:
    """Return the windows of a slide if nothing of it is empty: as many as there can be."""
    return Windows(Box.whole(layout.work.shape), plan.patch, plan.step)


def segment_by_nnunet(layout: Layout, network: NnUNet, after: Stage) -> tuple[Stage, ...]:
    """Declare the segmentation by a network of nnU-Net.

    Parameters
    ----------
    layout : Layout
    network : NnUNet
    after : Stage
        The one that finds the bounds.
    """
    checkpoint, plan = network.checkpoint, network.plan
    grid, reach = grid_of(layout), max(plan.patch) - 1
    outputs = outputs_of(layout, keep_probabilities=network.keep_probabilities)
    parameters: dict[str, Any] = {"model": checkpoint.sha256, "precision": network.precision}
    parameters |= {"step": plan.step, "mirrors": plan.mirrors}
    if layout.classes != AXON_MYELIN:
        parameters["classes"] = layout.classes.to_json()
    itemsize = np.dtype(network.colours.dtype if network.colours else layout.dtype).itemsize
    read, box = (max(each) for each in zip(*((b.grow(reach, grid.shape).size, b.size) for b in grid), strict=True))
    scores = 2 * len(layout.classes) * (1 + (len(plan.folds) > 1)) + 2
    weights = weight_bytes(checkpoint.plan or plan, len(layout.classes))
    first = Stage(
        name="segment",
        revision=2,
        parameters=parameters | {"keep_probabilities": network.keep_probabilities, "kind": "nnunet"},
        after=(after,),
        shape=grid.shape,
        batches=tuple(grid.batches(1)),  # the rows and columns that a window reaches over are wider than some boxes
        task=outputs.write,
        prepare=outputs.create,
        finish=partial(keep_sums, layout),
        overlap=Overlap(
            source=partial(network.source, layout),
            depth=reach,
            planes=outputs.planes,
            dtype="uint8",
            apply=partial(_predict, layout, network, outputs.planes),
            device=device_of,
        ),
        accelerated=True,
        resident={
            "network": NETWORK_BYTES + 2 * weights + min(cpus(), _SIDE_BY_SIDE) * window_bytes(plan),
            "compiled": COMPILED_BYTES,
        },
        memory=2 * read * itemsize + box * (scores + outputs.planes + 2) + 2**26,
        disk=outputs.disk,
        rehearse=partial(_rehearse, outputs),
    )
    pyramids = [stage for image in outputs.images.values() for stage in levels(image, image.path.name, first)]
    if not network.approximates:
        return (first, *pyramids)
    return (first, *pyramids, _comparison(layout, network, first))


def _rehearse(outputs: Outputs) -> None:
    import axonflow.net.nnunet.predict  # noqa: F401  # with torch, a second

    outputs.rehearse()


def _comparison(layout: Layout, network: NnUNet, after: Stage) -> Stage:
    """Declare the comparison with nnU-Net's own labels, at some places."""
    chosen = _places(layout.work.shape, min(max(len(windows_of(layout, network.plan)) // _WINDOWS_A_PLACE, 1), PLACES))
    return Stage(
        name="segment.fast",
        revision=1,
        parameters={"step": network.exact.step, "mirrors": network.exact.mirrors},
        after=(after,),
        shape=layout.work.shape,
        batches=tuple((place,) for place in chosen),
        task=partial(_compare, layout, network),
        finish=_note,
        accelerated=True,
        resident={"network in full": 2 * weight_bytes(network.exact, len(layout.classes))},
        memory=8 * (_PLACE_PX + 2 * max(network.exact.patch)) ** 2,
    )


def _places(shape: tuple[int, int], count: int) -> list[Box]:
    """Return places in raster order, spread over rows evenly and over columns by the golden ratio."""
    grid = Grid(shape, (_PLACE_PX, _PLACE_PX))
    (rows, columns), places = grid.counts, list(grid)
    at = [(rows * (2 * k + 1) // (2 * count), int(columns * ((k + 0.5) * _GOLDEN % 1))) for k in range(count)]
    return [places[row * columns + column] for row, column in sorted(set(at))]


def _predictor(layout: Layout, network: NnUNet, plan: NnUNetPlan, precision: Precision) -> NnUNetPredictor:
    from axonflow.net.device import cores_used  # torch is loaded where it is used
    from axonflow.net.nnunet.loaded import load
    from axonflow.net.nnunet.predict import NnUNetPredictor

    content = read_content(layout)
    side_by_side = tasks_side_by_side()
    return NnUNetPredictor(
        partial(load, network.checkpoint, precision),
        Windows(content.inside, plan.patch, plan.step),
        plan.mirrors,
        len(layout.classes),
        len(plan.channels),
        partial(_seen, network, content),
        min(max(cpus() // side_by_side, 1) if side_by_side > 1 else cores_used(), _SIDE_BY_SIDE),
    )


def _seen(network: NnUNet, content: Content, pixels: NDArray[Any]) -> NDArray[np.float32]:
    channels = channels_of(network, pixels, content.stretched)
    each = zip(channels, network.plan.normalisations, content.ranges, strict=True)
    return np.stack([normalised(channel, how, known) for channel, how, known in each])


def _predict(layout: Layout, network: NnUNet, planes: int, pixels: NDArray[Any], box: Box) -> NDArray[np.uint8]:
    have = box.grow(max(network.plan.patch) - 1, layout.work.shape)
    out = np.empty((planes, *box.shape), np.uint8)
    out[GREY] = _greys(layout, network, pixels[box.relative_to(have).slices])
    _predictor(layout, network, network.plan, network.precision).predict(pixels, have, box, out[CLASS:])
    return out


def _greys(layout: Layout, network: NnUNet, pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Return what stands for the grey of pixels where a slide's look is described."""
    codes, table = _table(layout, greys_file(layout).stat().st_mtime_ns)
    greys = pixels
    if network.colours is not None:
        greys = rec601(*np.moveaxis(network.colours.rgb(pixels), -1, 0))
    found: NDArray[np.uint8] = table[codes(greys)]
    return found


@lru_cache(maxsize=4)
def _table(layout: Layout, _time: int) -> tuple[Any, NDArray[np.uint8]]:
    greys = read_greys(layout)
    return greys.codes, grey_table(greys.counts)


def _compare(layout: Layout, network: NnUNet, place: Box) -> Result:
    have = place.grow(max(network.exact.patch) - 1, layout.work.shape)
    pixels = network.source(layout)[have.slices]
    planes = np.empty((2, *place.shape), np.uint8)
    _predictor(layout, network, network.exact, "float32").predict(pixels, have, place, planes)
    differs = planes[0] != layout.semantic.read(place)
    return {"place": np.array([differs.size, np.count_nonzero(differs)])}


def _note(results: Iterable[tuple[Box, Result]]) -> dict[str, float | int]:
    counted = [result["place"] for _, result in results]
    total = sum(counted, start=np.zeros(2, int))
    return {"compared_px": int(total[0]), "disagrees": float(total[1] / total[0])}
