"""From one level to the next: how four pixels become one.

Both rules look at one 2 × 2 block at a time, counted from the slide's origin, so a level does not depend on how it
is cut, as long as every cut lies on an even pixel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["mean", "nearest"]

BAND = 128
"""Rows that are averaged at once: their sums stay in the processor's cache."""


def mean(pixels: NDArray[np.generic]) -> NDArray[np.generic]:
    """Average the 2 × 2 blocks of an image.

    Parameters
    ----------
    pixels : (h, w) uint8, uint16 or float32
        An odd last row or column counts twice.

    Returns
    -------
    (⌈h/2⌉, ⌈w/2⌉) array of the same dtype
        Integers are rounded half up: (sum + 2) >> 2.
    """
    h, w = pixels.shape
    out = np.empty(((h + 1) // 2, (w + 1) // 2), pixels.dtype)
    for y in range(0, h, BAND):
        out[y // 2 : (y + BAND) // 2] = _mean(pixels[y : y + BAND])
    return out


def _mean(pixels: NDArray[np.generic]) -> NDArray[np.generic]:
    h, w = pixels.shape
    if h % 2 or w % 2:
        pixels = np.pad(pixels, ((0, h % 2), (0, w % 2)), mode="edge")
    if pixels.dtype.kind == "f":
        quarters = np.asarray(pixels, np.float32) * np.float32(0.25)  # before the sum, which then cannot overflow
        sums = quarters[0::2] + quarters[1::2]
        return sums[:, 0::2] + sums[:, 1::2]
    bits = 8 * pixels.itemsize
    pairs = np.ascontiguousarray(pixels).view(f"u{2 * pixels.itemsize}")  # two neighbours as one number twice as wide
    sums = (pairs >> bits) + (pairs & (2**bits - 1))
    total: NDArray[np.unsignedinteger] = sums[0::2] + sums[1::2]
    total += 2
    total >>= 2
    return total.astype(pixels.dtype)


def nearest(labels: NDArray[np.generic]) -> NDArray[np.generic]:
    """Keep the top left label of every 2 × 2 block; labels cannot be averaged.

    Parameters
    ----------
    labels : (h, w) array

    Returns
    -------
    (⌈h/2⌉, ⌈w/2⌉) array
        A view: every level is read once, when its chunks are stored.
    """
    return labels[::2, ::2]
