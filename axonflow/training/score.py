"""How good a segmentation is: its pixels, its axons, and the numbers of the tissue that maps are made of.

Prediction and truth are labels of the same classes on one pixel grid, whole images in memory. A score that would
divide nothing by nothing is NaN, never 1: an image without axons says nothing about how well axons are found.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import copysign, inf, nan, pi

import numpy as np

from axonflow.errors import InputError
from axonflow.fiber.axons import smallest_px
from axonflow.fiber.gratio import gratio
from axonflow.kernel.classes import AXON_MYELIN, Classes, Labels
from axonflow.kernel.tally import Ints
from axonflow.kernel.units import PixelSize
from axonflow.net.judged import QUANTITIES
from axonflow.training.matching import Detection, Ids, Matching, axon_ids, detection, matching, object_ids

__all__ = [
    "PixelScores",
    "Quantities",
    "Scores",
    "Unmyelinated",
    "pixel_scores",
    "quantities",
    "score",
    "without_small_axons",
]


@dataclass(frozen=True, slots=True, eq=False)
class PixelScores:
    """How many pixels of each class were found to be of which.

    Attributes
    ----------
    confusion : (n, n) int64
        Pixels by their true class (rows) and the one that was found (columns).
    classes : Classes
        These n.
    """

    confusion: Ints
    classes: Classes

    @property
    def accuracy(self) -> float:
        """Pixels whose class is right / pixels."""
        return _ratio(np.trace(self.confusion), self.confusion.sum())

    @property
    def dice(self) -> tuple[float, ...]:
        """2 · both / (found + true) of each class; NaN where the class is in neither."""
        both, found, true = self._areas
        return tuple(map(_ratio, 2 * both, found + true))

    @property
    def iou(self) -> tuple[float, ...]:
        """Both / either of each class; NaN where the class is in neither."""
        both, found, true = self._areas
        return tuple(map(_ratio, both, found + true - both))

    @property
    def mean_iou(self) -> float:
        """Mean of the classes that are in prediction or truth."""
        known = [value for value in self.iou if value == value]
        return sum(known) / len(known)

    @property
    def _areas(self) -> tuple[Ints, Ints, Ints]:
        return np.diagonal(self.confusion), self.confusion.sum(axis=0), self.confusion.sum(axis=1)


@dataclass(frozen=True, slots=True)
class Quantities:
    """What a map's cell would say of a whole image.

    Attributes
    ----------
    axons : int
        8-connected objects.
    axon_px, myelin_px, area_px : int
        Pixels that are axon, myelin, any.
    diameter_px : float
        Mean over the axons of √(4 · pixels / π); NaN without axons.
    pixel_size : PixelSize or None
        None if unknown: density and diameter are NaN then, though their errors are known.
    """

    axons: int
    axon_px: int
    myelin_px: int
    area_px: int
    diameter_px: float
    pixel_size: PixelSize | None

    @property
    def density_mm2(self) -> float:
        """Axons per mm²."""
        return nan if self.pixel_size is None else self.axons / (self.area_px * self.pixel_size.area_um2 * 1e-6)

    @property
    def avf(self) -> float:
        """Axon volume fraction: axon pixels / pixels."""
        return self.axon_px / self.area_px

    @property
    def mvf(self) -> float:
        """Myelin volume fraction: myelin pixels / pixels."""
        return self.myelin_px / self.area_px

    @property
    def gratio(self) -> float:
        """Aggregate g-ratio √(AVF / (AVF + MVF)); NaN without axons, as in the maps."""
        return float(gratio(self.axon_px, self.axon_px + self.myelin_px)) if self.axon_px else nan

    @property
    def axon_diameter_um(self) -> float:
        """Mean diameter of the disks with the axons' areas, µm; NaN without axons."""
        return nan if self.pixel_size is None else self.diameter_px * self.pixel_size.geometric_um

    def numbers(self) -> dict[str, float]:
        """Return the numbers that :data:`QUANTITIES` names."""
        values = (self.density_mm2, self.avf, self.mvf, self.gratio, self.axon_diameter_um)
        return dict(zip(QUANTITIES, values, strict=True))

    def relative_errors(self, truth: Quantities) -> dict[str, float]:
        """Return (found − true) / true of each number; NaN where either is unknown.

        Both lie on one pixel grid, so none depends on the pixel size. Something where nothing is true is infinitely
        wrong; nothing where nothing is true is NaN.
        """
        pairs = (
            (self.axons, truth.axons),
            (self.axon_px, truth.axon_px),
            (self.myelin_px, truth.myelin_px),
            (self.gratio, truth.gratio),
            (self.diameter_px, truth.diameter_px),
        )
        return {name: _ratio(found - true, true) for name, (found, true) in zip(QUANTITIES, pairs, strict=True)}


@dataclass(frozen=True, slots=True)
class Unmyelinated:
    """How well axons of the class without myelin were found, as the others are judged.

    Attributes
    ----------
    detection : Detection
    matching : Matching
    found, true : int
        8-connected objects.
    """

    detection: Detection
    matching: Matching
    found: int
    true: int

    @classmethod
    def of(cls, found: Labels, truth: Labels, number: int, iou: float) -> Unmyelinated:
        """Compare the objects of the class of a number."""
        ids, true_ids = object_ids(found, number), object_ids(truth, number)
        return cls(detection(ids, true_ids), matching(ids, true_ids, iou), int(ids.max()), int(true_ids.max()))

    def row(self) -> dict[str, float]:
        """Return the scores by the names of their columns."""
        return {
            "unmyelinated_sensitivity": self.detection.sensitivity,
            "unmyelinated_precision": self.detection.precision,
            "unmyelinated_instance_f1": self.matching.f1,
            "unmyelinated_found": self.found,
            "unmyelinated_true": self.true,
        }


@dataclass(frozen=True, slots=True)
class Scores:
    """All scores of one image.

    Attributes
    ----------
    pixels : PixelScores
    detection : Detection
    matching : Matching
    found, truth : Quantities
    unmyelinated : Unmyelinated or None
        None if the classes have no such axons, which are in none of the others but the pixels.
    """

    pixels: PixelScores
    detection: Detection
    matching: Matching
    found: Quantities
    truth: Quantities
    unmyelinated: Unmyelinated | None = None

    def row(self) -> dict[str, float]:
        """Return the scores as one row of a table; its columns are the same for all images of the same classes."""
        axon, myelin = self.pixels.classes.axon, self.pixels.classes.myelin
        others = [each for each in self.pixels.classes if each.role in {"unmyelinated", "other"}]
        dice, iou = self.pixels.dice, self.pixels.iou
        row = {
            "accuracy": self.pixels.accuracy,
            "dice_axon": dice[axon],
            "dice_myelin": dice[myelin],
            **{f"dice_{each.name.replace(' ', '_')}": dice[each.number] for each in others},
            "iou_axon": iou[axon],
            "iou_myelin": iou[myelin],
            "mean_iou": self.pixels.mean_iou,
            "sensitivity": self.detection.sensitivity,
            "precision": self.detection.precision,
            "instance_precision": self.matching.precision,
            "instance_recall": self.matching.recall,
            "instance_accuracy": self.matching.accuracy,
            "instance_f1": self.matching.f1,
            "axons_found": self.found.axons,
            "axons_true": self.truth.axons,
            "axons_paired": self.matching.true_positives,
        }
        found, true, errors = self.found.numbers(), self.truth.numbers(), self.found.relative_errors(self.truth)
        for name in QUANTITIES:
            row |= {f"{name}_found": found[name], f"{name}_true": true[name], f"{name}_error": errors[name]}
        return row if self.unmyelinated is None else row | self.unmyelinated.row()


def score(
    found: Labels,
    truth: Labels,
    pixel_size: PixelSize | None = None,
    *,
    classes: Classes = AXON_MYELIN,
    iou: float = 0.5,
) -> Scores:
    """Score a segmentation against the truth.

    Parameters
    ----------
    found, truth : (h, w) uint8
        On one pixel grid. Axons that a run left out as too small are background in ``found``: see
        :func:`without_small_axons`.
    pixel_size : PixelSize, optional
        Of that grid.
    classes : Classes
        What the numbers mean.
    iou : float
        Least intersection over union of a found and a true axon that count as a pair.

    Returns
    -------
    Scores

    Raises
    ------
    InputError
        If the images differ in size, are empty, or hold other classes.
    """
    pixels = pixel_scores(found, truth, classes)
    found_ids, true_ids = axon_ids(found, classes), axon_ids(truth, classes)
    return Scores(
        pixels,
        detection(found_ids, true_ids),
        matching(found_ids, true_ids, iou),
        quantities(found, found_ids, pixel_size, classes),
        quantities(truth, true_ids, pixel_size, classes),
        None if classes.unmyelinated is None else Unmyelinated.of(found, truth, classes.unmyelinated, iou),
    )


def pixel_scores(found: Labels, truth: Labels, classes: Classes = AXON_MYELIN) -> PixelScores:
    """Count pixels by their true class and the one that was found.

    Parameters
    ----------
    found, truth : (h, w) uint8
    classes : Classes
        What the numbers mean.

    Raises
    ------
    InputError
        If the images differ in size, are empty, or hold other classes.
    """
    if found.shape != truth.shape or found.size == 0:
        raise InputError(
            f"Two images of one size were expected, {found.shape} and {truth.shape} px came; score the prediction "
            "against the truth of the same image."
        )
    n = len(classes)
    if (largest := max(found.max(), truth.max())) >= n:
        known = ", ".join(f"{each.number} {each.name}" for each in classes)
        raise InputError(f"Classes {known} were expected, {largest} came; turn the image's values into classes.")
    pairs = truth.astype(np.uint16) * np.uint16(n) + found.astype(np.uint16)
    return PixelScores(np.bincount(pairs.ravel(), minlength=n * n).reshape(n, n), classes)


def quantities(
    labels: Labels, ids: Ids, pixel_size: PixelSize | None = None, classes: Classes = AXON_MYELIN
) -> Quantities:
    """Measure an image as a map's cell is measured.

    Parameters
    ----------
    labels : (h, w) uint8
    ids : (h, w) int32
        Its axons, from :func:`axonflow.training.matching.axon_ids`.
    pixel_size : PixelSize, optional
    classes : Classes
        What the labels mean.
    """
    areas = np.bincount(ids.ravel(), minlength=1)[1:]
    axon_px, myelin_px = (int(np.count_nonzero(labels == number)) for number in (classes.axon, classes.myelin))
    diameter_px = float(np.sqrt(4 / pi * areas).mean()) if len(areas) else nan
    return Quantities(len(areas), axon_px, myelin_px, labels.size, diameter_px, pixel_size)


def without_small_axons(
    labels: Labels, pixel_size: PixelSize, smallest_um2: float, classes: Classes = AXON_MYELIN
) -> Labels:
    """Make axons that are too small background, as they are in the maps of a run.

    Parameters
    ----------
    labels : (h, w) uint8
    pixel_size : PixelSize
    smallest_um2 : float
        Axons of this area and larger are kept, µm².
    classes : Classes
        What the labels mean.

    Returns
    -------
    (h, w) uint8
    """
    ids = axon_ids(labels, classes)
    small = np.bincount(ids.ravel()) < smallest_px(smallest_um2, pixel_size)
    kept: Labels = np.where((labels == classes.axon) & small[ids], np.uint8(0), labels)
    return kept


def _ratio(part: float, whole: float) -> float:
    """Divide as IEEE 754 does: 0 / 0 is NaN, and anything else by 0 infinite."""
    if whole:
        return float(part) / float(whole)
    return copysign(inf, part) if part else nan
