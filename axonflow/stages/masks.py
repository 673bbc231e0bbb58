"""What the values in the file of a mask mean: which pixels are drawn.

Every command that takes a mask asks here. A reading is judged once for a file, and says itself in words; what cannot be
read with certainty is refused, since a wrong map is worse than none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from axonflow.errors import InputError
from axonflow.fiber.extent import Extent
from axonflow.kernel.grid import Box
from axonflow.slide import StoredImage
from axonflow.stages.pixel_form import Form, form_of, is_luminance, numbers_of, place_of, refuse_inverted
from axonflow.stages.sample import Seen, TooManyValuesError, see, touch, values_are_objects

__all__ = ["Mask", "open_mask"]

_EDGE = 0.125
"""Values nearer to a mode than this share of the way to the other belong to it."""


@dataclass(frozen=True, slots=True)
class Mask:
    """An image of what is drawn and what is not.

    Attributes
    ----------
    image : StoredImage
    form : Form
    rule : str
        ``"not zero"``, ``"threshold"``, ``"ids"`` or ``"outlines"``, which are ids that were drawn.
    low, high : float
        Of a threshold, the values of the two modes; else 0 and the value that is drawn.
    alike : str
        What every pixel that was looked at is, ``"drawn"`` or ``"not drawn"``; empty if they differ.
    notes : tuple of str
        What else a person should know of it.
    extent : Extent or None
        Of outlines whose unit was not given, so that they were read in pixels; else None.
    """

    image: StoredImage
    form: Form
    rule: Literal["not zero", "threshold", "ids", "outlines"]
    low: float
    high: float
    alike: str = ""
    notes: tuple[str, ...] = ()
    extent: Extent | None = None

    @property
    def plain(self) -> bool:
        """Whether it is read as every mask was before there were other readings, from the luminance."""
        return self.rule == "not zero" and is_luminance(self.image, self.form) and not self.image.bilevel

    @property
    def words(self) -> str:
        """The reading, which decides what is drawn."""
        of = {"values": "", "grey": "", "opacity": " of the opacity", "brightness": " of the colour"}[self.form]
        if self.rule == "threshold":
            return f"two modes{of}, {self.low:g} and {self.high:g}, with a threshold of {(self.low + self.high) / 2:g}"
        if self.rule == "ids":
            return "ids of axons, those that touch kept apart by a line of one pixel"
        if self.rule == "outlines":
            return (
                f"outlines of {self.high:,.0f} axons, those that touch kept apart by a line of one pixel; where two "
                "overlap, the first in the file has the place"
            )
        return f"0 and {self.high:g}{of}"

    def drawn(self, box: Box) -> NDArray[np.bool_]:
        """Return which pixels of a box are drawn.

        Raises
        ------
        InputError
            If a pixel has a value that the reading does not know.
        """
        return self.drawn_and_between(box)[0]

    def covered(self, box: Box) -> NDArray[np.bool_]:
        """Return which pixels of a box are drawn, whatever object they belong to: objects that touch stay together."""
        if self.rule in {"ids", "outlines"}:
            covered: NDArray[np.bool_] = numbers_of(self.image, self.form, box) != 0
            return covered
        return self.drawn(box)

    def drawn_and_between(self, box: Box) -> tuple[NDArray[np.bool_], int]:
        """Return which pixels of a box are drawn, and how many have a value far from both modes."""
        if self.rule in {"ids", "outlines"}:
            return self._apart(box), 0
        values = numbers_of(self.image, self.form, box)
        if self.rule == "threshold":
            reach = _EDGE * (self.high - self.low)
            limits = (self.low + reach, (self.low + self.high) / 2, self.high - reach)
            low, half, high = (_as(values, limit) for limit in limits)
            between = int(np.count_nonzero((values > low) & (values <= high)))
            drawn: NDArray[np.bool_] = values > half
            return drawn, between
        drawn = values != 0
        if (strange := drawn & (values != _as(values, self.high))).any():
            raise place_of(self.image, box, values, strange, f"Only 0 and {self.high:g} were expected")
        return drawn, 0

    def _apart(self, box: Box) -> NDArray[np.bool_]:
        """Return the pixels of objects, without those that touch an object of a smaller id."""
        h, w = self.image.shape
        seen = Box(max(box.y0 - 1, 0), max(box.x0 - 1, 0), min(box.y1 + 1, h), min(box.x1 + 1, w))
        ids = numbers_of(self.image, self.form, seen)
        strange = ids < 0
        if ids.dtype.kind == "f":
            strange |= ids != np.floor(ids)
        if strange.any():
            raise place_of(self.image, seen, ids, strange, "Ids of axons, whole and not negative, were expected")
        before = ((box.y0 - seen.y0), (box.x0 - seen.x0))
        framed = np.pad(ids, [(1 - before[0], 1 - (seen.y1 - box.y1)), (1 - before[1], 1 - (seen.x1 - box.x1))])
        inner = framed[1:-1, 1:-1]
        drawn: NDArray[np.bool_] = inner != 0
        for dy in range(3):
            for dx in range(3):
                other = framed[dy : dy + box.shape[0], dx : dx + box.shape[1]]
                drawn &= (other == 0) | (other >= inner)
        return drawn


def open_mask(image: StoredImage, *, labels_flag: str = "--labels") -> Mask:
    """Judge what the values of a mask mean.

    Parameters
    ----------
    image : StoredImage
    labels_flag : str
        What takes an image of classes instead; for a message.

    Raises
    ------
    InputError
        If their meaning is not certain.
    """
    refuse_inverted(image)
    try:
        return _judge(image, labels_flag)
    except TooManyValuesError as error:
        raise InputError(
            f"A mask of two values, 0 and 255 for instance, was expected in {image.path}, a picture of very many "
            "values came; give the mask."
        ) from error


def _judge(image: StoredImage, labels_flag: str) -> Mask:
    form = form_of(image)

    def read(box: Box) -> NDArray[Any]:
        return numbers_of(image, form, box)

    seen = see(image.shape, read)
    values = seen.values
    if len(values) == 1 and values[0] == 0:
        top = 1 if image.dtype.kind == "f" or (form == "values" and image.palette is not None) else 255
        return Mask(image, form, "not zero", 0, top, "not drawn")
    if len(values) == 1:
        return Mask(image, form, "not zero", 0, float(values[0]), "drawn")
    if len(values) == 2 and values[0] == 0:
        return Mask(image, form, "not zero", 0, float(values[1]))
    whole = bool((values == np.floor(values)).all() and values[0] == 0)
    if whole and form in {"values", "grey"} and values_are_objects(image.shape, read):
        if len(values) > 3 or not touch(image.shape, read):
            return Mask(image, form, "ids", 0, float(values[-1]))
    elif (modes := _two_modes(seen)) is not None:
        return Mask(image, form, "threshold", *modes)
    raise InputError(
        f"A mask of two values, 0 and 255 for instance, or of an id for each axon, was expected in {image.path}; "
        f"found: {seen.words}. Save it with two values; an image of classes is given with {labels_flag}, and "
        "with --classes if it has others than background, myelin and axon."
    )


def _as(values: NDArray[Any], limit: float) -> float:
    """Return a limit such that ``values > limit`` is decided in the values' own dtype, which takes no more memory."""
    return limit if values.dtype.kind == "f" else math.floor(limit)


def _two_modes(seen: Seen) -> tuple[float, float] | None:
    """Return the values of two clear modes, the lower one near 0; None if there are not two."""
    values = seen.values.astype(np.float64)
    bottom, top = values[0], values[-1]
    half = values <= (bottom + top) / 2
    low = float(values[half][np.argmax(seen.counts[half])])
    high = float(values[~half][np.argmax(seen.counts[~half])])
    reach = _EDGE * (high - low)
    near_low, near_high = seen.within(bottom, low + reach), seen.within(high - reach, top)
    between = seen.total - near_low - near_high
    if bottom < 0 or low > _EDGE * high or between > near_high:
        return None
    # A third mode between them is that of another class.
    inside = (values > low + reach) & (values < high - reach)
    if inside.any():
        third = float(values[inside][np.argmax(seen.counts[inside])])
        if seen.within(third - reach / 4, third + reach / 4) * 2 > between > near_high / 20:
            return None
    return low, high
