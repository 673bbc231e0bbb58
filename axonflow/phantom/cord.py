"""The cross-section of a rat's cervical cord as a value: a size and a seed → any box of it, and its truth.

The cord fills the slide. On a small one it is a small cord: tracts and horns shrink with it, fibers keep their size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from axonflow.errors import InputError
from axonflow.kernel.classes import AXON_MYELIN
from axonflow.kernel.grid import Box
from axonflow.kernel.units import PixelSize
from axonflow.phantom.anatomy import HALF_HEIGHT, STEP, atlas, outlines
from axonflow.phantom.packing import pack
from axonflow.phantom.paint import add_noise, charge, expose, paint
from axonflow.phantom.shapes import Shapes, draw_classes, draw_depths, measure_fibers, shape
from axonflow.phantom.truth import axon_table

__all__ = ["Cord"]

MARGIN = 0.995
"""Part of the slide's width or height that the cord fills."""

BAND = 1024
"""Rows that the truth is measured at a time."""

_AT = np.arange(-3, 4)
SHARP = np.exp(-0.5 * (_AT / 1.1) ** 2)
SHARP /= SHARP.sum()
SOFT = np.exp(-0.5 * (_AT / 1.8) ** 2)
SOFT /= SOFT.sum()


@dataclass(frozen=True, slots=True)
class Cord:
    """A synthetic cross-section of a rat's cervical cord, as a scanning electron micrograph of 0.1 µm per pixel.

    Parameters
    ----------
    shape : (int, int)
        Height and width, px. The cord is as large as fits; a slide four fifths as high as wide has little resin.
    seed : int
        Another seed places other fibers in the same tracts.
    """

    shape: tuple[int, int]
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.shape) < 1:
            raise InputError(f"A phantom of at least 1 × 1 px was expected, {self.shape} came.")
        if not 0 <= self.seed < 2**64:
            raise InputError(f"A seed from 0 to 2⁶⁴ - 1 was expected, {self.seed} came.")

    @property
    def pixel_size(self) -> PixelSize:
        """0.1 µm."""
        return PixelSize.square(0.1)

    @property
    def px_per_um(self) -> float:
        """Pixels per µm."""
        return 1 / self.pixel_size.geometric_um

    @property
    def frame(self) -> tuple[float, float, float]:
        """Middle of the cord, y and x, and half its width, px."""
        h, w = self.shape
        return h / 2, w / 2, MARGIN * min(w / 2, h / 2 / HALF_HEIGHT)

    def classes(self, box: Box) -> NDArray[np.uint8]:
        """Draw the true classes of a box: the numbers of :data:`axonflow.kernel.classes.AXON_MYELIN`."""
        out = np.zeros(box.shape, np.uint8)
        shapes = self._shapes(box)
        draw_classes(shapes.rows, shapes.first, shapes.lines, AXON_MYELIN.axon, AXON_MYELIN.myelin, box.y0, box.x0, out)
        return out

    def image(self, box: Box) -> NDArray[np.uint8]:
        """Draw the micrograph of a box, uint8."""
        reach, um, seed = len(SHARP) // 2, self.px_per_um, np.uint64(self.seed)
        grown = Box(box.y0 - reach, box.x0 - reach, box.y1 + reach, box.x1 + reach)
        top, left = grown.y0, grown.x0
        shapes = self._shapes(grown)
        owner = np.full(grown.shape, -1, np.int32)
        depth, thick = np.full(grown.shape, -1.5, np.float32), np.zeros(grown.shape, np.float32)
        draw_depths(shapes.rows, shapes.first, shapes.lines, top, left, owner, depth, thick)
        grain, patches = self._noise(grown, 601, (3, 0.5), (6, 0.5)), self._noise(grown, 602, (19, 0.5), (47, 0.5))
        grey, drawn = np.empty(grown.shape, np.float32), atlas()
        paint(
            seed, shapes.rows, shapes.words, owner, depth, thick, grain, patches, np.array(self.frame),
            drawn.inside, drawn.grey, STEP, um, top, left, grey,
        )  # fmt: skip
        charge(seed, um, top, left, grey)
        light = self._noise(box, 603, (320, 0.015), (1500, 0.025))
        focus = self._noise(box, 604, (900, 0.5), (2600, 0.5))
        knife = self._noise(box, 605, (260, 1.0))
        out = np.empty(box.shape, np.uint8)
        angle = 2 * np.pi * ((self.seed * 0.61803398875 + 0.11) % 1)
        expose(grey, SHARP, SOFT, focus, light, knife, seed, angle, um, box.y0, box.x0, out)
        return out

    def truth(self) -> pd.DataFrame:
        """Measure every axon as it is drawn: :func:`axonflow.phantom.truth.axon_table`."""
        h, w = self.shape
        parts = []
        for y in range(0, h, BAND):
            shapes = self._shapes(Box(y, 0, min(y + BAND, h), w))
            parts.append(measure_fibers(shapes.rows, shapes.first, shapes.lines, y, min(y + BAND, h), h, w))
        return axon_table(np.concatenate(parts))

    def outlines(self) -> dict[str, str]:
        """Return the outlines of tissue, white matter and tracts, in pixels, as GeoJSON by the name of its file."""
        return outlines(*self.frame)

    def _shapes(self, box: Box) -> Shapes:
        return shape(pack(self.seed, box, self.shape, self.frame, atlas(), self.px_per_um), box)

    def _noise(self, box: Box, number: int, *octaves: tuple[int, float]) -> NDArray[np.float32]:
        out = np.zeros(box.shape, np.float32)
        for step, strength in octaves:
            add_noise(np.uint64((self.seed + number * 0x9E3779B9) % 2**64), step, strength, box.y0, box.x0, out)
        return out
