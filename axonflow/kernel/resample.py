"""An image on another pixel grid, anchored at the slide's origin: interpolated, or looked up under pixel centres.

Every output pixel is a weighted sum of a fixed number of input pixels, taken in a fixed order, so any part of the
output can be computed from the input beneath it alone and comes out the same to the bit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from axonflow.kernel.grid import Box
from axonflow.kernel.units import PixelSize

__all__ = ["Resampling", "nearest_pixels"]


def nearest_pixels(
    box: Box, span: tuple[float, float], shape: tuple[int, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows and columns of an image that hold the pixel centres of a box of another grid.

    ``image[np.ix_(*nearest_pixels(box, span, image.shape))]`` is the image in that box. Both begin at the slide's
    top-left corner. They need not end alike, as a grid of another pixel size ends within half a pixel of the slide's
    end: what lies beyond the image has its last row or column.

    Parameters
    ----------
    box : Box
    span : (float, float)
        Height and width of the image in pixels of the box's grid, whole or not: see :attr:`Resampling.span`.
    shape : (int, int)
        Height and width of the image, px.
    """
    # A product of whole numbers divided by one: exact where a centre lies on a border, as long as the span is whole.
    rows, columns = (
        np.minimum(np.floor((np.arange(first, last) + 0.5) * side / length), side - 1).astype(np.int64)
        for first, last, length, side in zip((box.y0, box.x0), (box.y1, box.x1), span, shape, strict=True)
    )
    return rows, columns


@dataclass(frozen=True, slots=True)
class Resampling:
    """Bilinear interpolation, widened to the output pixel when that is the larger (which keeps out aliasing).

    Parameters
    ----------
    shape : (int, int)
        Height and width of the input, px.
    have, want : PixelSize
        Pixel size of the input and of the output.
    """

    shape: tuple[int, int]
    have: PixelSize
    want: PixelSize

    @property
    def scale(self) -> tuple[float, float]:
        """Input pixels per output pixel along y and x."""
        return self.want.y / self.have.y, self.want.x / self.have.x

    @property
    def out_shape(self) -> tuple[int, int]:
        """Height and width of the output, px; at least 1."""
        (h, w), (sy, sx) = self.shape, self.scale
        return max(round(h / sy), 1), max(round(w / sx), 1)

    @property
    def span(self) -> tuple[float, float]:
        """Height and width of the input in pixels of the output, which need not be whole."""
        (h, w), (sy, sx) = self.shape, self.scale
        return round(h / sy, 6), round(w / sx, 6)  # 0.1 / 0.07 is not what its decimals say

    def needs(self, box: Box) -> Box:
        """Return the box of the input that a box of the output is computed from."""
        (rows, _), (columns, _) = self._taps(0, box.y0, box.y1), self._taps(1, box.x0, box.x1)
        return Box(int(rows.min()), int(columns.min()), int(rows.max()) + 1, int(columns.max()) + 1)

    def __call__(self, pixels: NDArray[np.generic], box: Box) -> NDArray[np.float32]:
        """Compute a box of the output.

        Parameters
        ----------
        pixels : (h, w) array
            The input in the box :meth:`needs` names.
        box : Box
            The wanted part of the output.

        Returns
        -------
        (box.shape) float32
        """
        source = self.needs(box)
        out = np.asarray(pixels, np.float32)
        for axis, (first, last, origin) in enumerate(((box.y0, box.y1, source.y0), (box.x0, box.x1, source.x0))):
            index, weight = self._taps(axis, first, last)
            shape = (-1, 1) if axis == 0 else (1, -1)
            out = sum(  # tap by tap: the order of the additions is part of the definition
                (np.take(out, i - origin, axis) * w.reshape(shape) for i, w in zip(index.T, weight.T, strict=True)),
                start=np.zeros((1, 1), np.float32),
            )
        return out

    def classes(self, labels: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
        """Bring a whole image of classes to the output's grid.

        Each output pixel gets the class with the largest share beneath it. (To interpolate the classes' numbers would
        invent myelin between axon and background.)

        Parameters
        ----------
        labels : (h, w) uint8
        count : int
            Number of classes.

        Returns
        -------
        (out_shape) uint8
        """
        whole = Box.whole(self.out_shape)
        shares = [self((labels == number).astype(np.float32), whole) for number in range(count)]
        classes: NDArray[np.uint8] = np.argmax(shares, axis=0).astype(np.uint8)
        return classes

    def _taps(self, axis: int, first: int, last: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return input positions and weights, each (outputs, taps), of the outputs ``[first, last)``."""
        scale = self.scale[axis]
        reach = max(scale, 1.0)
        centre = (np.arange(first, last) + 0.5) * scale - 0.5
        index = (np.floor(centre - reach) + 1).astype(np.int64)[:, None] + np.arange(int(np.ceil(2 * reach)))
        weight = np.maximum(1 - np.abs(index - centre[:, None]) / reach, 0)
        weight /= weight.sum(axis=1, keepdims=True)
        return np.clip(index, 0, self.shape[axis] - 1), weight.astype(np.float32)
