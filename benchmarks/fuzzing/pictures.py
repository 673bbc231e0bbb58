"""The small picture of axons in myelin of which slides and masks are made, and a slide, opened and read."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axonflow.errors import AxonflowError
from axonflow.kernel.grid import Box
from benchmarks.fuzzing.kind import only_one

__all__ = ["SCALE", "SIDE", "open_slide_at", "picture", "read_some", "tissue"]

SIDE = 64
"""Of the slides, px."""


def tissue() -> NDArray[np.uint8]:
    """Return classes: some axons in myelin."""
    y, x = np.mgrid[:SIDE, :SIDE]
    classes = np.zeros((SIDE, SIDE), np.uint8)
    for at_y, at_x, radius in ((16, 18, 7), (40, 44, 9), (52, 12, 5), (10, 50, 4)):
        away = np.hypot(y - at_y, x - at_x)
        classes[away <= radius + 3] = 1
        classes[away <= radius] = 2
    return classes


def picture() -> NDArray[np.uint8]:
    """Return the greys of the tissue, myelin bright."""
    noise = np.random.default_rng(0).integers(0, 12, (SIDE, SIDE), np.uint8)
    grey: NDArray[np.uint8] = np.array([128, 205, 60], np.uint8)[tissue()] + noise
    return grey


SCALE: dict[str, Any] = {"resolution": (1e5, 1e5), "resolutionunit": "CENTIMETER"}
"""0.1 µm per pixel, as tifffile writes it."""


def read_some(image: Any) -> None:
    """Read the first pixels of an image and the last."""
    h, w = image.shape
    image.read(Box(0, 0, min(h, SIDE), min(w, SIDE)))
    image.read(Box(max(h - 8, 0), max(w - 8, 0), h, w))


def open_slide_at(_chance: random.Random, folder: Path) -> None:
    """Open the one slide of a folder, and read some of it."""
    from axonflow.slide import find_bar, open_slide

    path = only_one(folder)
    try:
        slide = open_slide(path)
    except AxonflowError:
        slide = open_slide(path, series=0, channel=0 if path.is_dir() else None)
    find_bar(slide)
    read_some(slide)
