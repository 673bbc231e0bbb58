"""What a slide holds where it is not empty, in whole numbers: nnU-Net's networks are normalised by it.

nnU-Net crops to the bounding box of what is not zero before all else, and there takes minimum, maximum, mean and
deviation. Each task counts the greys of its pixels and says where some are not zero; what lies outside is zero, so that
the counts inside follow from those of the whole slide.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axonflow.engine.stage import Result, Stage
from axonflow.kernel.documents import read_json
from axonflow.kernel.files import write_file
from axonflow.kernel.grid import Box, Grid
from axonflow.kernel.tally import Tally
from axonflow.net.nnunet.normalise import Content, Range
from axonflow.net.normalise import grey_codes, histogram
from axonflow.stages.convert import read_greys
from axonflow.stages.layout import Layout
from axonflow.stages.segmentation import NnUNet

__all__ = ["bounds", "channels_of", "read_content"]


def bounds(layout: Layout, network: NnUNet, after: tuple[Stage, ...]) -> Stage:
    """Declare the count of what the network will see.

    Parameters
    ----------
    layout : Layout
    network : NnUNet
    after : tuple of Stage
        Those that write the network's input, and count the greys.
    """
    grid = Grid(layout.work.shape, (layout.chunk, layout.chunk))
    channels = len(network.plan.channels)
    return Stage(
        name="segment.bounds",
        revision=1,
        parameters={"channels": channels, "stretched": network.stretched, "colours": network.colours is not None},
        after=after,
        shape=layout.work.shape,
        batches=tuple(grid.batches(1)),
        task=partial(_count, layout, network),
        finish=partial(_sum_up, layout, network),
        memory=max(box.size for box in grid) * (np.dtype(layout.dtype).itemsize + 1 + 4 * channels),
    )


def read_content(layout: Layout) -> Content:
    """Read what the stage has found."""
    # A worker may outlive a change of the slide: the file's time tells one from the next.
    return _read(layout, (layout.private / "content.json").stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _read(layout: Layout, _time: int) -> Content:
    return Content.from_json(read_json(layout.private / "content.json"))


def channels_of(network: NnUNet, pixels: NDArray[Any], stretched: tuple[float, float] | None) -> list[NDArray[Any]]:
    """Take the pixels that a run reads apart into the channels of a network.

    Parameters
    ----------
    network : NnUNet
    pixels : (h, w) array
        Greys, or stored values of colours.
    stretched : (float, float), optional
        The greys that become 0 and 255.
    """
    if network.colours is not None:
        shades = network.colours.rgb(pixels)
        return [shades[..., i] for i in range(3)]
    return [pixels if stretched is None else _stretch(stretched)[pixels]]


@lru_cache(maxsize=4)
def _stretch(ends: tuple[float, float]) -> NDArray[np.uint8]:
    """Return the table from greys to bytes with which AxonDeepSeg's reader brings a mixture of colours to 0 to 255."""
    low, high = ends
    greys = np.clip(np.arange(2**16, dtype=np.float64), low, high)
    return ((greys - low) / max(high - low, 1) * 255 + 0.499999999).astype(np.uint8)


def _ends(layout: Layout, network: NnUNet) -> tuple[float, float] | None:
    if not network.stretched:
        return None
    greys = read_greys(layout).counts.key
    return float(greys[0]), float(greys[-1])


def _count(layout: Layout, network: NnUNet, box: Box) -> Result:
    channels = channels_of(network, network.source(layout)[box.slices], _ends(layout, network))
    there = np.zeros(box.shape, bool)
    found: dict[str, NDArray[Any]] = {}
    for i, channel in enumerate(channels):
        there |= channel != 0
        found |= histogram(channel).arrays(f"greys{i}")
        some = channel[channel != 0] if channel.dtype.kind == "f" else channel[:0]
        found[f"floats{i}"] = np.array([[some.min(), some.max(), len(some)]] if len(some) else np.zeros((0, 3)))
    rows, columns = (np.flatnonzero(there.any(axis=axis)) for axis in (1, 0))
    if len(rows):
        first = rows[0] + box.y0, columns[0] + box.x0
        found["inside"] = np.array([[*first, rows[-1] + 1 + box.y0, columns[-1] + 1 + box.x0]], np.int64)
    else:
        found["inside"] = np.zeros((0, 4), np.int64)
    return found


def _sum_up(layout: Layout, network: NnUNet, results: Iterable[tuple[Box, Result]]) -> dict[str, Any]:
    channels = range(len(network.plan.channels))
    greys, floats = [Tally.empty(1) for _ in channels], [[np.zeros((0, 3))] for _ in channels]
    places = []
    for _, part in results:
        places.append(part["inside"])
        for i in channels:
            greys[i] += Tally.from_arrays(dict(part), f"greys{i}")
            floats[i].append(part[f"floats{i}"])
    there = np.concatenate(places)
    inside = whole = Box.whole(layout.work.shape)  # as nnU-Net has it of a slide on which nothing is
    if len(there):
        inside = Box(*there[:, :2].min(axis=0).tolist(), *there[:, 2:].max(axis=0).tolist())
    if np.dtype(layout.dtype).kind == "f":
        ranges = [_of_floats(np.concatenate(found), inside) for found in floats]
    else:
        ranges = [Range.of(_without(counts, whole.size - inside.size)) for counts in greys]
    content = Content(inside, tuple(ranges), _ends(layout, network))
    write_file(layout.private / "content.json", json.dumps(content.to_json()).encode())
    return {"inside": [inside.y0, inside.x0, inside.y1, inside.x1]}


def _of_floats(found: NDArray[np.float64], inside: Box) -> Range:
    """Return the ends of floats from those of the ones that are not zero; nobody asks for their mean."""
    ends = [] if found[:, 2].sum() == inside.size else [0.0]
    ends += [*found[:, 0].tolist(), *found[:, 1].tolist()]
    return Range(min(ends), max(ends), 0.0, 1.0)


def _without(greys: Tally, zeros: int) -> Tally:
    """Take pixels that are zero from a count."""
    total = greys.total - np.where(greys.key[:, None] == int(grey_codes(np.zeros((1, 1), np.uint8))[0, 0]), zeros, 0)
    rest = total[:, 0] > 0
    return Tally(greys.key[rest], total[rest], greys.low[rest], greys.high[rest])
