"""The bar of text that scanning electron microscopes burn in below the image: how tall it is, and the slide without it.

A file may say how many rows the microscope scanned, which its format reads. Where it says nothing, the look of the bar
gives it away: black and white without any grey between, from the last row upwards.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from axonflow.errors import SlideError
from axonflow.kernel.grid import Box
from axonflow.slide.slide import InfoBar, Slide, tallest_bar

__all__ = ["find_bar", "without_bar"]

LARGEST_PX = 2**26
"""Larger images are mosaics, which have no bar; nor is so much decoded only to have a look."""

_FEWEST_ROWS = 16
_LEAST_SHARE = 0.005
"""Of black and of white in a bar: text is neither nothing nor everything."""

_LEAST_WRITTEN = 0.25
"""Of a bar's rows, those that show both."""


def find_bar(slide: Slide) -> InfoBar | None:
    """Find the bar of an image: the one its file speaks of, or one that is seen.

    Parameters
    ----------
    slide : Slide
        The whole image.
    """
    return slide.bar or _see(slide)


def without_bar(slide: Slide, bar: InfoBar) -> Slide:
    """Return a slide that ends above its bar."""
    return replace(slide, shape=(slide.shape[0] - bar.rows, slide.shape[1]), bar=bar)


def _white(rows: NDArray[np.generic]) -> int:
    """Return the white of a camera of 8 to 16 bits: the least that the lowest rows do not exceed."""
    brightest = int(np.max(rows.astype(np.int64)))
    return next((1 << bits) - 1 for bits in range(8, 17) if brightest < 1 << bits)


def _see(slide: Slide) -> InfoBar | None:
    height, width = slide.shape
    tallest = tallest_bar(height)
    if slide.dtype.kind != "u" or height * width > LARGEST_PX or tallest < _FEWEST_ROWS:
        return None
    black = 0
    try:
        for top in (height - 1, height - tallest - 1):  # the last row settles it for nearly every image
            pixels = slide.read(Box(top, 0, height, width))
            white = _white(pixels[-_FEWEST_ROWS:])
            pure = ((pixels == black) | (pixels == white)).all(axis=1)
            if not pure[-1]:
                return None
    except SlideError:  # said when the pixels are needed
        return None
    rows = int(np.argmin(pure[::-1]))  # 0 if all are pure: then it is no bar but the image
    lit = pixels[len(pixels) - rows :] == white
    if rows < _FEWEST_ROWS or not _LEAST_SHARE < lit.mean() < 1 - _LEAST_SHARE:
        return None
    written = (lit.any(axis=1) & ~lit.all(axis=1)).mean()
    return InfoBar(rows, "its look: rows of pure black and white") if written >= _LEAST_WRITTEN else None
