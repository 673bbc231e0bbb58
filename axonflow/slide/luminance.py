"""How the samples of a pixel become one grey value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axonflow.errors import SlideError

__all__ = ["GREY", "RGB", "Luminance", "rec601"]


@dataclass(frozen=True, slots=True)
class Luminance:
    """The way from stored samples to luminance, in which dark is low.

    Attributes
    ----------
    channels : str
        What a pixel is, in words.
    samples : tuple of int
        The samples of a pixel that count: one that is taken as it is, or red, green and blue.
    white : int or None
        The grey stored for black where greys are stored inverted (0 for what becomes floats, which are negated).
    palette : bytes or None
        Luminance of each stored value, where it is an index.
    colours : bytes or None
        Red, green and blue of each index, 8 bits.
    """

    channels: str
    samples: tuple[int, ...] = (0,)
    white: int | None = None
    palette: bytes | None = None
    colours: bytes | None = None

    def dtype(self, stored: np.dtype[np.generic]) -> np.dtype[np.generic]:
        """Return the dtype of the luminance of samples of a stored dtype.

        Raises
        ------
        SlideError
            If they are neither integers of up to 32 bits, bits, nor floats.
        """
        if self.palette is not None or stored.kind == "b":
            return np.dtype(np.uint8)
        if stored.kind == "f":
            return np.dtype(np.float32)
        if stored.kind == "u" and stored.itemsize <= 2:
            return stored.newbyteorder("=")
        if stored.kind in "iu" and stored.itemsize <= 4:
            return np.dtype(np.float32)  # what is negative, or beyond 16 bits, neither wraps nor is cut off
        raise SlideError(
            f"Integers of up to 32 bits or floats were expected as pixels, {stored.name} came; convert the image to "
            "one of them."
        )

    def of(self, *samples: NDArray[Any]) -> NDArray[np.generic]:
        """Compute the luminance.

        Parameters
        ----------
        samples : (h, w) arrays
            One for each of :attr:`samples`.

        Returns
        -------
        (h, w) array
            It may share its memory with a single sample.
        """
        if self.palette is not None:
            index = samples[0].view(np.uint8) if samples[0].dtype.kind == "b" else samples[0]
            grey: NDArray[np.generic] = np.frombuffer(self.palette, np.uint8)[index]
            return grey
        out = self.dtype(samples[0].dtype)
        with np.errstate(over="ignore"):  # a float64 beyond float32 becomes infinite, which is refused by the slide
            plain = [s * np.uint8(255) if s.dtype.kind == "b" else s.astype(out, copy=False) for s in samples]
        grey = plain[0] if len(plain) == 1 else rec601(*plain)
        if self.white is not None:
            grey = np.subtract(self.white, grey, dtype=out)
        return grey


def rec601(red: NDArray[Any], green: NDArray[Any], blue: NDArray[Any]) -> NDArray[Any]:
    """Mix colours to the luminance of ITU-R BT.601, 0.299 R + 0.587 G + 0.114 B.

    Parameters
    ----------
    red, green, blue : (h, w) uint8, uint16 or float32

    Returns
    -------
    (h, w) array of the same dtype
        Integers are rounded; for uint8 it is what Pillow computes.
    """
    if red.dtype.kind == "f":
        mixed = red * np.float32(0.299) + green * np.float32(0.587) + blue * np.float32(0.114)
        return np.asarray(mixed, np.float32)
    total: NDArray[Any] = red * np.uint32(19595)  # weights in 2⁻¹⁶, so that 65535 × their sum just fits in 32 bits
    total += green * np.uint32(38470)
    total += blue * np.uint32(7471)
    total += np.uint32(1 << 15)
    total >>= np.uint32(16)
    return total.astype(red.dtype)


GREY = Luminance("grey")
RGB = Luminance("RGB", (0, 1, 2))
