"""How much of a slide is in colour, which its luminance no longer shows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from axonflow.errors import SlideError
from axonflow.kernel.grid import Box
from axonflow.slide.slide import Slide
from axonflow.slide.stored import Shades, open_stored, shades_of

__all__ = ["coloured_share"]

APART = 48
"""How far red, green and blue of a grey may be apart, of 255: a JPEG of greys stays below."""

_LARGEST_PX = 2**26
"""Of what a file decodes at once: so much is not decoded only to have a look."""

_TILE, _ACROSS = 256, 3


def coloured_share(slide: Slide, series: int | None = None, channel: int | None = None) -> float | None:
    """Return the share of pixels in colour, of nine tiles spread over the slide.

    Parameters
    ----------
    slide : Slide
    series, channel : int, optional
        Which image of its file it is.

    Returns
    -------
    float or None
        0 if its pixels have one channel; None if colours cannot be read.
    """
    if slide.channels in {"grey", "LA"}:
        return 0.0
    if slide.grain[0] * slide.grain[1] > _LARGEST_PX:
        return None
    try:
        image = open_stored(slide.path, series=series, channel=channel)
        if not image.coloured and image.shades is None:  # such as YCbCr, of which the luminance alone is read
            return None
        shares = [np.mean(_spread(image.shades, image.read(box)) > APART) for box in _tiles(slide.shape)]
    except SlideError:  # such as colours of floats; what is damaged is said when the pixels are needed
        return None
    return float(np.mean(shares))


def _tiles(shape: tuple[int, int]) -> list[Box]:
    rows, columns = (sorted({max(side - _TILE, 0) * k // (_ACROSS - 1) for k in range(_ACROSS)}) for side in shape)
    return [Box(y, x, min(y + _TILE, shape[0]), min(x + _TILE, shape[1])) for y in rows for x in columns]


def _spread(shades: Shades | None, values: NDArray[Any]) -> NDArray[np.uint8]:
    """Return how far red, green and blue of each pixel are apart."""
    rgb = (shades_of(values) if shades is None else shades[values])[..., :3]
    spread: NDArray[np.uint8] = rgb.max(axis=-1) - rgb.min(axis=-1)
    return spread
