"""Which axons or fibers that were found are true ones: by their centroids, and by how far they overlap.

Both count objects, not pixels, on ids of whole images in memory. What they count may be added up over images before
it is divided.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from axonflow.errors import InputError
from axonflow.kernel.classes import AXON_MYELIN, Classes, Labels
from axonflow.kernel.tally import Ints

__all__ = [
    "SMALLEST_PX",
    "Detection",
    "Ids",
    "Matching",
    "axon_ids",
    "centroids",
    "detection",
    "fiber_ids",
    "matching",
    "matchings",
    "object_ids",
]

Ids = NDArray[np.int32]

SMALLEST_PX = 3
"""Axons that are smaller have no centroid."""


@dataclass(frozen=True, slots=True)
class Detection:
    """How many axons were found, judged by centroids.

    Attributes
    ----------
    true_positives : int
        True axons that hold the centroid of at least one found axon.
    false_positives : int
        Centroids of found axons in no true axon.
    true_axons : int
    """

    true_positives: int
    false_positives: int
    true_axons: int

    @property
    def sensitivity(self) -> float:
        """True positives / true axons; NaN if there are none."""
        return self.true_positives / self.true_axons if self.true_axons else nan

    @property
    def precision(self) -> float:
        """True positives / (true positives + false positives); NaN if nothing was found."""
        counted = self.true_positives + self.false_positives
        return self.true_positives / counted if counted else nan


@dataclass(frozen=True, slots=True)
class Matching:
    """How many axons were found, judged by a one-to-one matching of axons that overlap enough.

    Attributes
    ----------
    true_positives : int
        Pairs of a found and a true axon.
    false_positives : int
        Found axons without a partner.
    false_negatives : int
        True axons without a partner.

    Notes
    -----
    Each ratio is 0 without a pair, as in ``stardist.matching``, also where there was nothing to be found.
    """

    true_positives: int
    false_positives: int
    false_negatives: int

    @property
    def precision(self) -> float:
        """Pairs / found axons."""
        return self._share(self.false_positives)

    @property
    def recall(self) -> float:
        """Pairs / true axons."""
        return self._share(self.false_negatives)

    @property
    def accuracy(self) -> float:
        """Pairs / (pairs + axons of either kind without a partner)."""
        return self._share(self.false_positives + self.false_negatives)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return self._share((self.false_positives + self.false_negatives) / 2)

    def _share(self, others: float) -> float:
        return self.true_positives / (self.true_positives + others) if self.true_positives else 0.0


def axon_ids(labels: Labels, classes: Classes = AXON_MYELIN) -> Ids:
    """Give each axon of an image an id, 1, 2, … in raster order.

    Parameters
    ----------
    labels : (h, w) uint8
    classes : Classes
        What they mean.

    Returns
    -------
    (h, w) int32
        Ids of 8-connected components; 0 is no axon.
    """
    return object_ids(labels, classes.axon)


def object_ids(labels: Labels, number: int) -> Ids:
    """Give each object of the class of a number an id; as :func:`axon_ids`."""
    ids: Ids = ndimage.label(labels == number, np.ones((3, 3), np.int8), output=np.int32)[0]
    return ids


def fiber_ids(labels: Labels, axons: Ids, classes: Classes = AXON_MYELIN) -> Ids:
    """Part axons with their myelin as AxonDeepSeg does: a watershed from the axons' centroids.

    Parameters
    ----------
    labels : (h, w) uint8
    axons : (h, w) int32
        Ids of their axons, from :func:`axon_ids`.
    classes : Classes
        What the labels mean.

    Returns
    -------
    (h, w) int32
        The id of the axon whose basin a pixel of axon or myelin is in; 0 elsewhere, and in myelin that no basin
        reaches.

    Notes
    -----
    ``get_watershed_segmentation`` of AxonDeepSeg, which ASTIH scores. Axons that overlap in one basin, or whose
    centroid lies outside axon and myelin, have no fiber there: a run's own fibers are those of
    :mod:`axonflow.fiber.myelin`.
    """
    from skimage.segmentation import watershed

    seeds = np.zeros(axons.shape, np.int32)
    numbers, at = centroids(axons, smallest=1)
    seeds[at[:, 0], at[:, 1]] = numbers
    within = (labels == classes.axon) | (labels == classes.myelin)
    fibers: Ids = watershed(-ndimage.distance_transform_edt(axons > 0), seeds, mask=within).astype(np.int32)
    return fibers


def centroids(ids: NDArray[np.integer], smallest: int = SMALLEST_PX) -> tuple[Ints, Ints]:
    """Return the pixel that stands for each axon when axons are judged by their centroids.

    It is the pixel at the mean row and column, both rounded down. Axons of one or two pixels have none.

    Parameters
    ----------
    ids : (h, w) int
        Ids of the axons, from 1 without large gaps; 0 is no axon.
    smallest : int
        Pixels of the smallest axon that has one.

    Returns
    -------
    (n,) int64
        The ids of the axons, rising.
    (n, 2) int64
        Row and column of each.
    """
    flat = np.flatnonzero(ids)
    area, rows, columns = (
        np.bincount(ids.ravel()[flat], weights) for weights in (None, flat // ids.shape[1], flat % ids.shape[1])
    )
    counted = np.flatnonzero(area >= smallest)
    at = np.stack([rows[counted], columns[counted]], axis=1) // area[counted, None]
    return counted, at.astype(np.int64)


def detection(found: NDArray[np.integer], true: NDArray[np.integer]) -> Detection:
    """Judge found axons by their centroids.

    Objects that share a centroid count once, and further centroids in a true axon are no errors: see :func:`centroids`.

    Parameters
    ----------
    found, true : (h, w) int
        Ids of the axons, from 1 without large gaps; 0 is no axon.

    Returns
    -------
    Detection

    Notes
    -----
    The rule of ``score_analysis`` in AxonDeepSeg (Zaimi et al. 2018, https://doi.org/10.1038/s41598-018-22181-4).
    """
    _check(found, true)
    at = np.unique(centroids(found)[1], axis=0)
    hit = true[at[:, 0], at[:, 1]]
    hits, misses = len(np.unique(hit[hit > 0])), int(np.count_nonzero(hit == 0))
    return Detection(hits, misses, int(np.count_nonzero(_areas(true))))


def matching(found: NDArray[np.integer], true: NDArray[np.integer], iou: float = 0.5) -> Matching:
    """Pair found and true objects, one to one, so that as many pairs as can be overlap enough.

    Parameters
    ----------
    found, true : (h, w) int
        Ids of the axons or fibers, from 1 without large gaps; 0 is none.
    iou : float
        Least intersection over union of a pair, above 0 and up to 1.

    Returns
    -------
    Matching

    Raises
    ------
    InputError
        If the threshold is out of its range.

    Notes
    -----
    The counts of ``stardist.matching.matching`` (Schmidt et al. 2018, https://doi.org/10.1007/978-3-030-00934-2_30).
    Its linear assignment maximises the number of pairs first and their overlap second; the number alone is that of a
    maximum matching of the bipartite graph whose edges are the overlaps, which needs no table of all pairs.
    """
    return matchings(found, true, [iou])[0]


def matchings(found: NDArray[np.integer], true: NDArray[np.integer], ious: Sequence[float]) -> tuple[Matching, ...]:
    """Pair found and true objects as :func:`matching`, for each of several thresholds."""
    _check(found, true)
    for iou in ious:
        if not 0 < iou <= 1:
            raise InputError(f"A least overlap (IoU) above 0 and up to 1 was expected, {iou:g} came; 0.5 is usual.")
    found_area, true_area = _areas(found), _areas(true)
    both = (found > 0) & (true > 0)
    pairs = coo_array(
        (np.ones(np.count_nonzero(both), np.int64), (found[both], true[both])), shape=(len(found_area), len(true_area))
    )
    pairs.sum_duplicates()
    union = found_area[pairs.row] + true_area[pairs.col] - pairs.data
    overlap = pairs.data / union
    n_found, n_true = (int(np.count_nonzero(each)) for each in (found_area, true_area))

    def counted(iou: float) -> Matching:
        enough = overlap >= iou
        edges = coo_array((pairs.data[enough], (pairs.row[enough], pairs.col[enough])), shape=pairs.shape)
        paired = int(np.count_nonzero(maximum_bipartite_matching(edges.tocsr(), perm_type="column") >= 0))
        return Matching(paired, n_found - paired, n_true - paired)

    return tuple(map(counted, ious))


def _areas(ids: NDArray[np.integer]) -> Ints:
    """Return the pixels of each id from 0 on; 0, which is no axon, has none."""
    areas = np.bincount(ids.ravel(), minlength=1).astype(np.int64)
    areas[0] = 0
    return areas


def _check(found: NDArray[np.integer], true: NDArray[np.integer]) -> None:
    if found.shape != true.shape:
        raise InputError(
            f"Two images of one size were expected, {found.shape} and {true.shape} px came; score the prediction "
            "against the truth of the same image."
        )
