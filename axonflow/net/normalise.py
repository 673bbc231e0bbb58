"""From grey values to what the network sees: equalise by the slide's histogram, then centre and scale.

The paper does it per window, which makes every window's edge a seam. Here the histogram is of the whole slide, a
:class:`~axonflow.kernel.tally.Tally` of pixel counts per grey value, so the mapping is one lookup table and no window
depends on its neighbours.

A grey code is a number of 16 bits. Integers are their own. Floats take two passes: their 16 leading bits are counted
first, which needs no range but leaves only seven bits of the mantissa; then all codes are handed out anew where the
slide's greys are, so that a small contrast on a large offset keeps its shades.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axonflow.kernel.tally import Tally

__all__ = ["GREYS", "Codes", "FineCodes", "grey_codes", "grey_table", "histogram", "lookup_table"]

GREYS = 2**16
"""Number of grey codes, whatever the slide's dtype."""

Codes = Callable[[NDArray[Any]], NDArray[np.uint16]]
"""Returns the grey codes of pixels, (h, w) each; they sort as the pixels do."""


def grey_codes(pixels: NDArray[np.generic]) -> NDArray[np.uint16]:
    """Return the grey values of an image as numbers that sort as they do.

    Parameters
    ----------
    pixels : (h, w) uint8, uint16 or float32

    Returns
    -------
    (h, w) uint16
        The value itself for integers. For floats its 16 leading bits, which keep sign, exponent and seven bits of
        the mantissa, rearranged so that they sort as the values do: no range has to be known beforehand. The network
        sees :class:`FineCodes`, which follow from these.
    """
    if pixels.dtype.kind == "u":
        return pixels.astype(np.uint16)
    return (_sortable(pixels) >> 16).astype(np.uint16)


def _sortable(pixels: NDArray[Any]) -> NDArray[np.uint32]:
    """Return the bits of floats as integers that sort as they do."""
    bits = (np.ascontiguousarray(pixels, np.float32) + np.float32(0)).view(np.uint32)  # -0 becomes 0
    return np.where(bits >> 31, ~bits, bits | np.uint32(2**31))


@dataclass(frozen=True, slots=True, eq=False)
class FineCodes:
    """Grey codes of one slide of floats.

    Every code of :func:`grey_codes` that occurs is parted evenly into as many as its share of the slide's pixels is
    worth. All is integer arithmetic: a pixel's code depends on the slide alone.

    Attributes
    ----------
    first, count : (65536,) uint32
        Of each leading code, the first of its own codes and their number; where that is 0, codes are those of the next
        grey that occurs.
    """

    first: NDArray[np.uint32]
    count: NDArray[np.uint32]

    @classmethod
    def of(cls, greys: Tally) -> FineCodes:
        """Hand out the codes.

        Parameters
        ----------
        greys : Tally
            Pixel counts per leading code over the whole slide (:func:`histogram`, merged).
        """
        count = np.zeros(GREYS, np.int64)
        pixels = greys.total[:, 0]
        count[greys.key] = 1 + (GREYS - len(pixels)) * pixels // max(int(pixels.sum()), 1)
        first = np.minimum(np.cumsum(count) - count, GREYS - 1)
        return cls(first.astype(np.uint32), count.astype(np.uint32))

    def __call__(self, pixels: NDArray[Any]) -> NDArray[np.uint16]:
        """Return the codes of (h, w) float32 pixels."""
        bits = _sortable(pixels)
        leading = bits >> 16
        within = ((bits & np.uint32(0xFFFF)) * self.count[leading]) >> 16  # less than 2³²: a count is 2¹⁶ at most
        codes: NDArray[np.uint16] = (self.first[leading] + within).astype(np.uint16)
        return codes

    def values(self, codes: NDArray[Any]) -> NDArray[np.float32]:
        """Return the smallest grey value of each of some codes that occur."""
        occurring = np.flatnonzero(self.count)
        first = self.first[occurring]
        leading = occurring[np.searchsorted(first, codes, "right") - 1]
        within = codes.astype(np.int64) - self.first[leading]
        bits = (leading << 16) + -(-(within << 16) // self.count[leading])
        return np.where(bits >> 31, bits - 2**31, ~bits & 0xFFFFFFFF).astype(np.uint32).view(np.float32)


def histogram(pixels: NDArray[np.generic], codes: Codes = grey_codes) -> Tally:
    """Count the pixels of each grey code of an image, as a Tally with one sum."""
    counts = _counts_of_bytes(pixels) if pixels.dtype == np.uint8 else _counts(pixels, codes)
    present = np.flatnonzero(counts)
    none = np.zeros((len(present), 0), np.int64)
    return Tally(present, counts[present, None], none, none)


def _counts(pixels: NDArray[np.generic], codes: Codes) -> NDArray[np.int64]:
    """Count the pixels of each of all grey codes."""
    counts = np.zeros(GREYS, np.int64)
    rows = max(2**19 // max(pixels.shape[1], 1), 1)
    for first in range(0, len(pixels), rows):  # in parts: numpy counts on copies of 8 bytes a pixel
        counts += np.bincount(codes(pixels[first : first + rows]).ravel(), minlength=GREYS)
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
        Network input per grey code; ``table[codes(pixels)]`` is the normalised image. A slide of a single grey
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
