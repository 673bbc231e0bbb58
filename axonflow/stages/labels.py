"""What the values in one image of labels mean: which class each pixel is of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from axonflow.errors import InputError
from axonflow.kernel.classes import Classes, Labels
from axonflow.kernel.grid import Box
from axonflow.slide import StoredImage
from axonflow.slide.stored import Shades, shades_of
from axonflow.stages.pixel_form import Form, is_luminance, numbers_of, place_of, refuse_inverted
from axonflow.stages.sample import Seen, TooManyValuesError, has_third_mode, see

__all__ = ["LabelImage", "open_labels", "open_numbers"]

_ASTRAY = 16
"""How far from 0, 127 and 255 soft edges or a JPEG may leave a label's grey value."""

_COLOUR_ASTRAY = 96
"""How far from its colour they may leave red, green and blue together."""

_LARGEST_SHARE_ASTRAY = 0.05
"""An image in which more pixels than this are farther away is a picture, not labels."""

_FEWEST_OF_A_CLASS = 0.002
"""Of the pixels that are drawn: fewer strays are dirt."""

_ALIKE = 8
"""How far greys or colours of one further class are apart."""

_AXON, _MYELIN = (0, 0, 255), (255, 0, 0)
"""How AxonDeepSeg colours axons and myelin."""


@dataclass(frozen=True, slots=True)
class LabelImage:
    """An image of classes.

    Attributes
    ----------
    image : StoredImage
    classes : Classes
        Which it holds.
    form : Form
        What of a pixel counts, unless the rule is colours.
    rule : str
        ``"greys"`` (0, 127, 255), ``"numbers"`` of classes, or ``"colours"``.
    soft : bool
        Whether there are values between those of the classes.
    has_myelin : bool
        Whether myelin was seen.
    alike : str
        The class of every pixel that was looked at; empty if they differ.
    """

    image: StoredImage
    classes: Classes
    form: Form
    rule: Literal["greys", "numbers", "colours"]
    soft: bool
    has_myelin: bool
    alike: str = ""

    @property
    def plain(self) -> bool:
        """Whether it is read as all labels were before there were other readings: three greys in 8 bits."""
        eight = self.image.coloured or self.image.palette is not None or self.image.dtype == np.uint8
        return self.rule == "greys" and is_luminance(self.image, self.form) and eight and not self.image.bilevel

    @property
    def words(self) -> str:
        """The reading, which decides what a pixel is."""
        return {
            "greys": "0 background, 127 myelin, 255 axon",
            "numbers": "numbers of classes: " + ", ".join(f"{each.number} {each.name}" for each in self.classes),
            "colours": "AxonDeepSeg's colours: axons blue, myelin red",
        }[self.rule]

    def read(self, box: Box) -> Labels:
        """Return the labels in a box.

        Raises
        ------
        InputError
            If a pixel has a value that the reading does not know.
        """
        return self.read_and_astray(box)[0]

    def read_and_astray(self, box: Box) -> tuple[Labels, int]:
        """Return the labels in a box, and how many of its pixels have a value far from those of the classes."""
        if self.rule == "colours":
            values = self.image.read(box)
            known, number = np.unique(values, return_inverse=True)
            nearest, far = _nearest(_shades(self.image, known))
            number = number.reshape(box.shape)
            astray = int(np.count_nonzero(far[number]))
            return self.classes.from_masks(nearest[number] == 2, nearest[number] == 1), astray
        values = numbers_of(self.image, self.form, box)
        most = len(self.classes) - 1 if self.rule == "numbers" else 255
        strange = (values < 0) | (values > most)
        if values.dtype.kind == "f":
            strange |= values != np.floor(values)
        if strange.any():
            raise place_of(self.image, box, values, strange, f"Labels, {self.words}, were expected")
        small = values.astype(np.uint8, copy=False)
        if self.rule == "numbers":
            return small, 0
        away = _away(np.arange(256))[small]
        if not self.soft and away.any():
            raise place_of(self.image, box, values, away, f"Labels, {self.words}, were expected")
        return self.classes.from_greys(small), int(np.count_nonzero(away))


def open_labels(image: StoredImage, classes: Classes) -> LabelImage:
    """Judge what the values of an image of labels mean.

    Parameters
    ----------
    image : StoredImage
    classes : Classes
        Whose numbers the values may be.

    Raises
    ------
    InputError
        If their meaning is not certain.
    """
    refuse_inverted(image)
    try:
        return _judge(image, classes)
    except TooManyValuesError as error:
        raise _refusal(image, classes, "more different values than labels have") from error


def open_numbers(image: StoredImage, classes: Classes) -> LabelImage:
    """Take the values of an image for the numbers of classes that a person has named.

    Parameters
    ----------
    image : StoredImage
        Of grey, or with a palette, whose index counts.
    classes : Classes

    Raises
    ------
    InputError
        If a value is no number of a class, or pixels have several colours.
    """
    refuse_inverted(image)
    form: Form = "grey" if image.coloured else "values"
    try:
        if image.coloured and not _is_grey(_colours(image)):
            raise _of_others(image, classes, "several colours")
        seen = see(image.shape, lambda box: numbers_of(image, form, box))
    except TooManyValuesError as error:
        raise _of_others(image, classes, "more different values than labels have") from error
    values = seen.values
    if (values != np.floor(values)).any() or values[0] < 0 or values[-1] >= len(classes):
        raise _of_others(image, classes, seen.words)
    alike = classes[int(values[0])].name if len(values) == 1 else ""
    return LabelImage(image, classes, form, "numbers", False, bool((values == classes.myelin).any()), alike)


def _of_others(image: StoredImage, classes: Classes, found: str) -> InputError:
    known = ", ".join(f"{each.number} {each.name}" for each in classes)
    return InputError(
        f"Numbers of the classes that --classes names ({known}) were expected in {image.path}; found: {found}. Name "
        "all of its classes, or give the image that these are of."
    )


def _judge(image: StoredImage, classes: Classes) -> LabelImage:
    form: Form = "values"
    if image.coloured or image.shades is not None:
        shade = _colours(image)
        grey = _is_grey(shade)
        nearest, far = _nearest(shade.values.astype(np.uint8))
        drawn = shade.counts[(nearest > 0) | far].sum()
        few = shade.counts[far].sum() <= _LARGEST_SHARE_ASTRAY * shade.counts.sum()
        other = _another_class(shade.values[far, :3], shade.counts[far], drawn)
        if few and not other and not grey and nearest.any():
            soft = bool(shade.counts[_unlike(shade.values)].sum())
            return LabelImage(image, classes, "values", "colours", soft, bool((nearest == 1).any()))
        shades = image.shades
        if grey:
            form = "grey"
        elif shades is None or shades[0, :3].any():
            raise _refusal(image, classes, _some(shade))
    return _of_numbers(image, classes, form, see(image.shape, lambda box: numbers_of(image, form, box)))


def _of_numbers(image: StoredImage, classes: Classes, form: Form, seen: Seen) -> LabelImage:
    values = seen.values
    top = float(values[-1])
    if (values != np.floor(values)).any() or values[0] < 0 or top > 255:
        raise _refusal(image, classes, seen.words)
    if top == 0:
        return LabelImage(image, classes, form, "greys", False, False, "background")
    if 2 <= top < len(classes) and form == "values":
        return LabelImage(image, classes, form, "numbers", False, bool((values == classes.myelin).any()))
    if top < 127 - _ASTRAY:
        raise _refusal(image, classes, seen.words)
    myelin, axon = seen.within(127 - _ASTRAY, 127 + _ASTRAY), seen.within(255 - _ASTRAY, 255)
    astray = seen.total - seen.within(0, _ASTRAY) - myelin - axon
    # Soft edges of axons pass through the grey of myelin: without more myelin than that it is no image of labels.
    between = _away(values.astype(np.int64))
    other = _another_class(values[between], seen.counts[between], seen.total - seen.within(0, _ASTRAY))
    if astray > _LARGEST_SHARE_ASTRAY * seen.total or myelin < 2 * astray or other:
        raise _refusal(image, classes, seen.words)
    alike = ("myelin" if myelin else "axon") if len(values) == 1 else ""
    exact = bool(np.isin(values, (0, 127, 128, 255)).all())
    return LabelImage(image, classes, form, "greys", not exact, bool(myelin), alike)


def _another_class(strays: NDArray[Any], counts: NDArray[np.int64], drawn: int) -> bool:
    """Tell whether values far from those of the classes are a class that is not among them."""
    return bool(counts.sum() > _FEWEST_OF_A_CLASS * drawn) and has_third_mode(strays, counts, _ALIKE)


def _some(shade: Seen) -> str:
    order = np.argsort(-shade.counts, kind="stable")[:5]
    return "red, green, blue and opacity of " + ", ".join(f"{tuple(shade.values[k].tolist())}" for k in order)


def _refusal(image: StoredImage, classes: Classes, found: str) -> InputError:
    numbers = ", ".join(str(each.number) for each in classes)
    return InputError(
        f"Labels of 0 background, 127 myelin and 255 axon, or {numbers}, or in AxonDeepSeg's colours, were expected in "
        f"{image.path}; found: {found}. Give an image of labels, or masks of axons and of myelin; a run takes numbers "
        "of other classes with --labels and --classes, such as 0=background,1=myelin,2=axon,3=nuclei."
    )


def _colours(image: StoredImage) -> Seen:
    """Return the colours that were seen, (n, 4), and how often."""
    seen = see(image.shape, image.read)
    shades, which = np.unique(_shades(image, seen.values), axis=0, return_inverse=True)  # a palette may repeat itself
    counts = np.bincount(which.ravel(), seen.counts, len(shades))
    return Seen(shades.astype(np.int64), counts.astype(np.int64))


def _is_grey(shade: Seen) -> bool:
    """Tell whether all that was seen is grey, and opaque: else what nobody sees would count."""
    spread = shade.values[:, :3].max(axis=1) - shade.values[:, :3].min(axis=1)
    seen = (shade.values[:, 3] >= _ASTRAY) | (shade.values[:, :3].max(axis=1) <= _ASTRAY)
    return bool((spread <= _ASTRAY).all() and seen.all())


def _shades(image: StoredImage, values: NDArray[Any]) -> Shades:
    shades = image.shades
    return shades_of(values) if shades is None else shades[values]


def _nearest(shades: Shades) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return 0 background, 1 myelin, 2 axon for each colour, and whether it is far from all of them."""
    rgb = np.where(shades[:, 3:] < 128, 0, shades[:, :3]).astype(np.int64)
    away = np.abs(rgb[:, None] - np.array([(0, 0, 0), _MYELIN, _AXON])).sum(axis=2)
    return away.argmin(axis=1).astype(np.uint8), away.min(axis=1) > _COLOUR_ASTRAY


def _unlike(shades: NDArray[Any]) -> NDArray[np.bool_]:
    rgb = np.where(shades[:, 3:] < 128, 0, shades[:, :3])
    known = (rgb[:, None] == np.array([(0, 0, 0), _MYELIN, _AXON])).all(axis=2)
    unlike: NDArray[np.bool_] = ~known.any(axis=1)
    return unlike


def _away(greys: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Return which greys are far from 0, 127 and 255."""
    away: NDArray[np.bool_] = np.abs(greys[:, None] - np.array([0, 127, 255])).min(axis=1) > _ASTRAY
    return away
