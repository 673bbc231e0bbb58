"""What of a pixel of an image of masks or labels counts: a number, the grey of its colour, opacity or brightness."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from axonflow.errors import InputError
from axonflow.kernel.grid import Box
from axonflow.slide import StoredImage
from axonflow.slide.luminance import rec601
from axonflow.slide.stored import Shades, shades_of
from axonflow.stages.sample import see

__all__ = ["Form", "form_of", "is_luminance", "numbers_of", "place_of", "refuse_inverted"]

Form = Literal["values", "grey", "opacity", "brightness"]
"""What of a pixel counts: the stored value, the grey of its colour, how opaque it is, or its brightest colour."""

_GREY, _SAME = 16, 64
"""How far red, green and blue of a grey may be apart; and those of one colour, however bright, as a JPEG leaves it."""

_DARKEST = 32
"""A colour whose brightest part is darker than this is black."""


def is_luminance(image: StoredImage, form: Form) -> bool:
    """Tell whether what counts is the luminance, from which all images were read before there were other readings."""
    return form == "grey" or (form == "values" and image.palette is None)


def numbers_of(image: StoredImage, form: Form, box: Box) -> NDArray[Any]:
    """Read what of the pixels counts in a box."""
    values = image.read(box)
    if form == "values":
        return values
    shades = image.shades
    colours: Shades = shades_of(values) if shades is None else shades[values]
    red, green, blue, opacity = np.moveaxis(colours, -1, 0)
    if form == "opacity":
        return np.asarray(opacity)
    if form == "grey":
        return np.asarray(rec601(red, green, blue))
    brightest: NDArray[Any] = np.where(opacity < 128, np.uint8(0), colours[..., :3].max(axis=-1))
    return brightest


def form_of(image: StoredImage) -> Form:
    """Decide what of a pixel counts.

    Raises
    ------
    InputError
        If there are several colours.
    """
    shades = image.shades
    if not image.coloured and shades is None:
        return "values"
    seen = see(image.shape, image.read)
    found, counts = (shades_of(seen.values) if shades is None else shades[seen.values]).astype(np.int64), seen.counts
    rgb, opaque = found[:, :3], found[:, 3] >= 128
    spread = rgb.max(axis=1) - rgb.min(axis=1)
    if not rgb[~opaque].any() and opaque.any() and rgb[opaque].max() >= 128:
        opaque[:] = True  # what is transparent is black, too
    if not opaque.any() and (found != found[0]).any() and (found[:, 3] == 0).all():
        raise InputError(
            f"A mask that can be seen was expected in {image.path}, but every pixel of it is transparent (its alpha "
            "channel is 0 everywhere); save it without an alpha channel, in black and white."
        )
    if not opaque.all():
        if not opaque.any() or (np.ptp(rgb[opaque], axis=0) == 0).all():
            return "opacity"
        rgb, counts, spread = rgb[opaque], counts[opaque], spread[opaque]
    grey = counts[spread > _GREY].sum() == 0
    if grey and opaque.all():
        return "grey"
    if grey:
        return "brightness"
    if shades is not None and not shades[0, :3].any():  # 0 is black: the index is the value, its colour for the eye
        return "values"
    brightest = rgb.max(axis=1)
    bright = brightest >= max(brightest.max() / 2, _DARKEST)
    if bright.any():
        main = rgb[bright][np.argmax(counts[bright])]
        # Its soft edges are darker, in the same proportions.
        unlike = np.abs(rgb - brightest[:, None] * main / main.max()).max(axis=1) > _SAME
        if counts[unlike].sum() * 20 <= counts[brightest >= _DARKEST].sum() and not main.min() > 128:
            return "brightness"
    order = np.argsort(-counts, kind="stable")[:4]
    some = ", ".join(f"{tuple(rgb[k].tolist())} ({counts[k] / counts.sum():.1%})" for k in order)
    raise InputError(
        f"A mask in black and one colour was expected in {image.path}, red, green and blue of {some} came; save it in "
        "black and white. An image of classes in AxonDeepSeg's colours is given with --labels."
    )


def refuse_inverted(image: StoredImage) -> None:
    """Refuse an image with an inverting look-up table.

    Raises
    ------
    InputError
        If the file says that 0 is white: what is drawn is then white for one program and black for another.
    """
    if image.inverted:
        raise InputError(
            f"An image in which 0 is black was expected, {image.path} says that 0 is white (an inverting LUT, "
            "MINISWHITE): what is drawn may be its white or its black. Invert the LUT (ImageJ: Image > Lookup Tables > "
            "Invert LUT), look that what is drawn is white, and save it again."
        )


def place_of(
    image: StoredImage, box: Box, values: NDArray[Any], strange: NDArray[np.bool_], expected: str
) -> InputError:
    """Return the refusal of a value that a reading does not know, with its place."""
    y, x = np.argwhere(strange)[0]
    return InputError(
        f"{expected} in {image.path}, as in the parts that were looked at first, but the pixel at y {box.y0 + y}, "
        f"x {box.x0 + x} has {values[y, x]}; mend it there, or save the mask with two values."
    )
