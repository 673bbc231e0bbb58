"""Every axon with its mask, one after the other, for formats of outlines.

Labels are read tile by tile. An object comes with the tile that holds the first corner of its fiber's bounding box,
from the whole of that box, so it is one object wherever seams lie, and memory holds a tile and the largest box.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from axonflow.kernel.grid import Box, Grid
from axonflow.ngff import Pyramid

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["BOUNDS", "objects"]

TILE, MARGIN = 2048, 512
"""Side of a tile, and what is read beyond its lower right, px; an object that is larger is read by itself."""

BOUNDS = ("bbox_min_y", "bbox_min_x", "bbox_max_y", "bbox_max_x")


def objects(table: pd.DataFrame, labels: Sequence[Pyramid]) -> Iterator[tuple[int, Box, list[NDArray[np.bool_]]]]:
    """Yield each row of the table with the bounding box of its fiber, and its mask in that box of each of the labels.

    The order is that of the tiles, whatever the chunks of the labels.
    """
    bounds, ids = table[list(BOUNDS)].to_numpy(), table["axon_id"].to_numpy()
    whole = Box.whole(labels[0].shape)
    first = bounds[:, :2] // TILE
    tile = first[:, 0] * (whole.x1 // TILE + 1) + first[:, 1]
    order = np.argsort(tile, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(tile[order])) + 1) if len(order) else ():
        y, x = (first[rows[0]] * TILE).tolist()
        window = Box(y, x, y + TILE + MARGIN, x + TILE + MARGIN) & whole
        pixels = [image.read(window) for image in labels]
        for row in rows.tolist():
            box = Box(*bounds[row].tolist())
            if box & window == box:
                yield row, box, [part[box.relative_to(window).slices] == ids[row] for part in pixels]
            else:
                yield row, box, [_mask(image, box, ids[row]) for image in labels]


def _mask(labels: Pyramid, box: Box, id_: int) -> NDArray[np.bool_]:
    """Return where a large box has an id; no more than a tile of the labels is in memory."""
    mask = np.empty(box.shape, np.bool_)
    for part in Grid(box.shape, (TILE, TILE)):
        there = Box(part.y0 + box.y0, part.x0 + box.x0, part.y1 + box.y0, part.x1 + box.x0)
        mask[part.slices] = labels.read(there) == id_
    return mask
