"""From grey values to what the network sees: equalise by the slide's histogram, then centre and scale.

The paper does it per window, which makes every window's edge a seam. Here the histogram is of the whole slide, a
:class:`~axonflow.kernel.tally.Tally` of pixel counts per grey value, so the mapping is one lookup table and no window
depends on its neighbours.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from axonflow.kernel.tally import Tally

__all__ = ["GREYS", "grey_codes", "grey_table", "grey_values", "histogram", "lookup_table"]

GREYS = 2**16
"""Number of grey codes, whatever the slide's dtype."""


def grey_codes(pixels: NDArray[np.generic]) -> NDArray[np.uint16]:
    """Return the grey values of an image as numbers that sort as they do.

    Parameters
    ----------
    pixels : (h, w) uint8, uint16 or float32

    Returns
    -------
    (h, w) uint16
        The value itself for integers. For floats its 16 leading bits, which keep sign, exponent and seven bits of
        the mantissa, rearranged so that they sort as the values do: no range has to be known beforehand.
    """
    if pixels.dtype.kind == "u":
        return pixels.astype(np.uint16)
    leading = (np.ascontiguousarray(pixels, np.float32).view(np.uint32) >> 16).astype(np.uint16)
    return np.where(leading & 0x8000, ~leading, leading | 0x8000)


def grey_values(codes: NDArray[np.integer[Any]], dtype: np.dtype[Any]) -> NDArray[np.generic]:
    """Return the grey values of codes: of floats the smallest in magnitude that has the code."""
    if dtype.kind == "u":
        return codes.astype(dtype)
    leading = np.where(codes & 0x8000, codes & 0x7FFF, ~codes).astype(np.uint16)
    return (leading.astype(np.uint32) << 16).view(np.float32)


def histogram(pixels: NDArray[np.generic]) -> Tally:
    """Count the pixels of each grey code of an image, as a Tally with one sum."""
    counts = _counts_of_bytes(pixels) if pixels.dtype == np.uint8 else _counts(pixels)
    present = np.flatnonzero(counts)
    none = np.zeros((len(present), 0), np.int64)
    return Tally(present, counts[present, None], none, none)


def _counts(pixels: NDArray[np.generic]) -> NDArray[np.int64]:
    """Count the pixels of each of all grey codes."""
    counts = np.zeros(GREYS, np.int64)
    rows = max(2**19 // max(pixels.shape[1], 1), 1)
    for first in range(0, len(pixels), rows):  # in parts: numpy counts on copies of 8 bytes a pixel
        counts += np.bincount(grey_codes(pixels[first : first + rows]).ravel(), minlength=GREYS)
    return counts


def _counts_of_bytes(pixels: NDArray[np.generic]) -> NDArray[np.int64]:
    """Count as :func:`_counts` does, without a copy: Pillow counts bytes five times as fast as numpy."""
    from PIL import Image

    shape, whole = pixels.shape[::-1], np.ascontiguousarray(pixels)
    counts = np.zeros(GREYS, np.int64)
    counts[:256] = Image.frombuffer("L", shape, whole, "raw", "L", 0, 1).histogram()
    return counts


def lookup_table(greys: Tally, *, invert: bool = False) -> NDArray[np.float32]:
    """Build the table that equalises a slide's histogram and brings it to mean 0 and standard deviation 1.

    Parameters
    ----------
    greys : Tally
        Pixel counts per grey code over the whole slide (:func:`histogram`, merged).
    invert : bool
        Whether bright and dark are exchanged, as for TEM, where myelin is dark.

    Returns
    -------
    (65536,) float32
        Network input per grey code; ``table[grey_codes(pixels)]`` is the normalised image. A slide of a single grey
        value maps to 0.

    Notes
    -----
    Equalised value of a grey code: the share of pixels at or below it, minus half the share at it, so that inverting
    the image inverts the table.
    """
    counts = np.zeros(GREYS, np.int64)
    counts[greys.key] = greys.total[:, 0]
    share = counts / max(int(counts.sum()), 1)
    level = np.cumsum(share) - share / 2
    mean = float(np.sum(share * level))
    deviation = float(np.sqrt(np.sum(share * (level - mean) ** 2)))
    table = (level - mean) / deviation if deviation > 0 else np.zeros(GREYS)
    return (-table if invert else table).astype(np.float32)


def grey_table(greys: Tally, *, invert: bool = False) -> NDArray[np.uint8]:
    """Build the table of what the network sees, before it is centred and scaled, as grey levels.

    Parameters
    ----------
    greys, invert
        As for :func:`lookup_table`.

    Returns
    -------
    (65536,) uint8
        Equalised value per grey code in 255ths, rounded half up in integers; inverted after that.
    """
    counts = np.zeros(GREYS, np.int64)
    counts[greys.key] = greys.total[:, 0]
    twice = 2 * np.cumsum(counts) - counts
    whole = max(int(counts.sum()), 1)
    table = ((255 * twice + whole) // (2 * whole)).astype(np.uint8)
    return 255 - table if invert else table
