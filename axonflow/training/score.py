"""How good a segmentation is: its pixels, its axons, and the numbers of the tissue that maps are made of.

Prediction and truth are classes on one pixel grid, whole images in memory. A score that would divide nothing by
nothing is NaN, never 1: an image without axons says nothing about how well axons are found.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, copysign, inf, nan, pi, sqrt

import numpy as np
from numpy.typing import NDArray

from axonflow.errors import InputError
from axonflow.kernel.tally import Ints
from axonflow.kernel.units import PixelSize
from axonflow.training.matching import Detection, Ids, Matching, axon_ids, detection, matching

__all__ = [
    "CLASSES",
    "QUANTITIES",
    "PixelScores",
    "Scores",
    "Tissue",
    "pixel_scores",
    "score",
    "tissue",
    "without_small_axons",
]

Classes = NDArray[np.uint8]

CLASSES = ("background", "myelin", "axon")
"""What the numbers 0, 1, 2 mean."""

QUANTITIES = {
    "density": ("axon density", "mm⁻²"),
    "avf": ("axon volume fraction (AVF)", ""),
    "mvf": ("myelin volume fraction (MVF)", ""),
    "gratio": ("aggregate g-ratio", ""),
    "diameter": ("mean axon diameter", "µm"),
}
"""The numbers of a tissue by their short names: in words, and the unit they are printed with."""

_MYELIN, _AXON = 1, 2


@dataclass(frozen=True, slots=True, eq=False)
class PixelScores:
    """How many pixels of each class were found to be of which.

    Attributes
    ----------
    confusion : (3, 3) int64
        Pixels by their true class (rows) and the one that was found (columns).
    """

    confusion: Ints

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
class Tissue:
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
        return sqrt(self.axon_px / (self.axon_px + self.myelin_px)) if self.axon_px else nan

    @property
    def axon_diameter_um(self) -> float:
        """Mean diameter of the disks with the axons' areas, µm; NaN without axons."""
        return nan if self.pixel_size is None else self.diameter_px * self.pixel_size.geometric_um

    def numbers(self) -> dict[str, float]:
        """Return the numbers that :data:`QUANTITIES` names."""
        values = (self.density_mm2, self.avf, self.mvf, self.gratio, self.axon_diameter_um)
        return dict(zip(QUANTITIES, values, strict=True))

    def relative_errors(self, truth: Tissue) -> dict[str, float]:
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
class Scores:
    """All scores of one image.

    Attributes
    ----------
    pixels : PixelScores
    detection : Detection
    matching : Matching
    found, truth : Tissue
    """

    pixels: PixelScores
    detection: Detection
    matching: Matching
    found: Tissue
    truth: Tissue

    def row(self) -> dict[str, float]:
        """Return the scores as one row of a table; its columns are always the same."""
        dice, iou = (dict(zip(CLASSES, values, strict=True)) for values in (self.pixels.dice, self.pixels.iou))
        row = {
            "accuracy": self.pixels.accuracy,
            "dice_axon": dice["axon"],
            "dice_myelin": dice["myelin"],
            "iou_axon": iou["axon"],
            "iou_myelin": iou["myelin"],
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
        return row


def score(found: Classes, truth: Classes, pixel_size: PixelSize | None = None, *, iou: float = 0.5) -> Scores:
    """Score a segmentation against the truth.

    Parameters
    ----------
    found, truth : (h, w) uint8
        0 background, 1 myelin, 2 axon, on one pixel grid. Axons that a run left out as too small are background in
        ``found``: see :func:`without_small_axons`.
    pixel_size : PixelSize, optional
        Of that grid.
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
    pixels = pixel_scores(found, truth)
    found_ids, true_ids = axon_ids(found), axon_ids(truth)
    return Scores(
        pixels,
        detection(found_ids, true_ids),
        matching(found_ids, true_ids, iou),
        tissue(found, found_ids, pixel_size),
        tissue(truth, true_ids, pixel_size),
    )


def pixel_scores(found: Classes, truth: Classes) -> PixelScores:
    """Count pixels by their true class and the one that was found.

    Parameters
    ----------
    found, truth : (h, w) uint8
        0 background, 1 myelin, 2 axon.

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
    if (largest := max(found.max(), truth.max())) >= len(CLASSES):
        raise InputError(f"Classes 0, 1 and 2 were expected, {largest} came; turn the image's values into classes.")
    n = len(CLASSES)
    pairs = truth.astype(np.uint8) * np.uint8(n) + found.astype(np.uint8)
    return PixelScores(np.bincount(pairs.ravel(), minlength=n * n).reshape(n, n))


def tissue(classes: Classes, ids: Ids, pixel_size: PixelSize | None = None) -> Tissue:
    """Measure an image as a map's cell is measured.

    Parameters
    ----------
    classes : (h, w) uint8
        0 background, 1 myelin, 2 axon.
    ids : (h, w) int32
        Its axons, from :func:`axonflow.training.matching.axon_ids`.
    pixel_size : PixelSize, optional
    """
    areas = np.bincount(ids.ravel(), minlength=1)[1:]
    axon_px, myelin_px = (int(np.count_nonzero(classes == number)) for number in (_AXON, _MYELIN))
    diameter_px = float(np.sqrt(4 / pi * areas).mean()) if len(areas) else nan
    return Tissue(len(areas), axon_px, myelin_px, classes.size, diameter_px, pixel_size)


def without_small_axons(classes: Classes, pixel_size: PixelSize, smallest_um2: float) -> Classes:
    """Make axons that are too small background, as they are in the maps of a run.

    Parameters
    ----------
    classes : (h, w) uint8
        0 background, 1 myelin, 2 axon.
    pixel_size : PixelSize
    smallest_um2 : float
        Axons of this area and larger are kept, µm².

    Returns
    -------
    (h, w) uint8
    """
    ids = axon_ids(classes)
    small = np.bincount(ids.ravel()) < ceil(smallest_um2 / pixel_size.area_um2)
    small[0] = False
    return np.where(small[ids], np.uint8(0), classes)


def _ratio(part: float, whole: float) -> float:
    """Divide as IEEE 754 does: 0 / 0 is NaN, and anything else by 0 infinite."""
    if whole:
        return float(part) / float(whole)
    return copysign(inf, part) if part else nan
