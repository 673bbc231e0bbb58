"""Areas of a slide in which every pixel is the same: padding, tiles that a scanner left empty, saturation.

They are looked for in blocks of 64 × 64 px that begin with the slide, so that they do not depend on how it is cut.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axonflow.engine.stage import Result
from axonflow.kernel.grid import Box
from axonflow.kernel.units import PixelSize

__all__ = ["BLOCK", "blank_blocks", "sum_up_blank"]

BLOCK = 64
_STEP = 21
"""Of the pixels that are looked at first: rows and columns 0, 21, 42, 63 of a block."""


def blank_blocks(pixels: NDArray[np.generic], box: Box) -> dict[str, NDArray[Any]]:
    """Find the blocks of one grey, those of the slide's end that are not whole aside.

    Parameters
    ----------
    pixels : (h, w) array
    box : Box
        Where they lie; it begins with whole blocks.

    Returns
    -------
    dict
        ``blank.at``, (n, 2) int64: the first pixel of each; ``blank.grey``, (n,) float64.
    """
    rows, columns = (side // BLOCK for side in box.shape)
    blocks = pixels[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK)
    some = blocks[:, ::_STEP, :, ::_STEP]
    likely = np.argwhere((some == some[:, :1, :, :1]).all(axis=(1, 3)))
    found = [(i, j) for i, j in likely.tolist() if (blocks[i, :, j] == blocks[i, 0, j, 0]).all()]
    at = np.array(found, np.int64).reshape(-1, 2)
    grey = blocks[at[:, 0], 0, at[:, 1], 0].astype(np.float64)
    return {"blank.at": at * BLOCK + (box.y0, box.x0), "blank.grey": grey}


def sum_up_blank(
    results: Iterable[tuple[Box, Result]], shape: tuple[int, int], pixel_size: PixelSize
) -> dict[str, Any] | None:
    """Return the share of a slide that is blank, the grey most of it has, and where the first block lies.

    None if nothing is, or if a task's result is of before there was such a search.
    """
    pairs = [(r["blank.at"], r["blank.grey"]) for _, r in results if "blank.at" in r]
    if not pairs or sum(len(at) for at, _ in pairs) == 0:
        return None
    at, greys = (np.concatenate(each) for each in zip(*pairs, strict=True))
    values, counts = np.unique(greys, return_counts=True)
    y, x = min(at.tolist())
    return {
        "share": round(len(at) * BLOCK**2 / (shape[0] * shape[1]), 6),
        "grey": float(values[np.argmax(counts)]),
        "first_um": [round(y * pixel_size.y, 3), round(x * pixel_size.x, 3)],
    }
