"""What the samples of a TIFF's pixels mean: its photometric interpretation."""

from __future__ import annotations

from typing import Any

import numpy as np

from axonflow.errors import SlideError
from axonflow.slide.luminance import GREY, RGB, Luminance, rec601

__all__ = ["luminances"]

_MINISWHITE, _MINISBLACK, _RGB, _PALETTE, _MASK, _YCBCR = 0, 1, 2, 3, 4, 6
_ALPHA = (1, 2)
_DECODED_TO_RGB = (6, 7, 34892, 33007, 50001)  # JPEG and WebP codecs undo the YCbCr of what they decode
_APERIO_JPEG2000_YCBCR = 33003


def luminances(page: Any) -> tuple[Luminance, ...]:
    """Return the ways to read a page as grey: one, or one for each sample where samples are channels of their own.

    Raises
    ------
    SlideError
        If the page's colours are none of grey, palette, RGB and YCbCr.
    """
    samples = page.samplesperpixel
    kind = int(page.photometric) if 262 in page.tags else _MINISBLACK
    if int(page.compression) == _APERIO_JPEG2000_YCBCR:
        return (Luminance("YCbCr"),)  # Y is the luminance of Rec. 601 itself
    if kind == _YCBCR and int(page.compression) not in _DECODED_TO_RGB:
        return (Luminance("YCbCr"),)
    if kind in (_RGB, _YCBCR) and samples >= 3:
        return (RGB if samples == 3 else Luminance("RGBA", RGB.samples),)
    if kind == _PALETTE and samples == 1:
        return (_palette(page),)
    if kind in (_MINISWHITE, _MINISBLACK, _MASK):
        white = _white(page) if kind == _MINISWHITE else None
        if samples == 1:
            return (GREY if white is None else Luminance("grey", white=white),)
        if samples == 2 and tuple(page.extrasamples)[:1] in ((alpha,) for alpha in _ALPHA):
            return (Luminance("LA", white=white),)
        return tuple(Luminance("grey", (sample,), white) for sample in range(samples))
    name = getattr(page.photometric, "name", page.photometric)
    raise SlideError(
        f"A grey, palette, RGB or YCbCr image was expected, photometric interpretation {name} with {samples} samples "
        "per pixel came; convert it to RGB or grey."
    )


def _white(page: Any) -> int:
    """Return the largest value that a sample can have; 0 for floats and for what becomes floats."""
    if page.dtype is None or page.dtype.kind in "fi" or page.dtype.itemsize > 2:
        return 0
    return 255 if page.dtype.kind == "b" else 2 ** int(page.bitspersample) - 1


def _palette(page: Any) -> Luminance:
    table = np.array(page.colormap, np.uint16).reshape(3, -1)
    if table.max() > 255:  # the standard wants 16 bits; some writers fill in 8
        table >>= 8
    red, green, blue = table.astype(np.uint8)
    colours = np.stack([red, green, blue], axis=1).tobytes()
    return Luminance("grey", palette=rec601(red, green, blue).tobytes(), colours=colours)
