"""The same results from whole images, by scipy, scikit-image or the plainest loop."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage import measure, segmentation

Mask = NDArray[np.bool_]
Labels = NDArray[np.uint32]


def axon_labels(mask: Mask, smallest_area: int = 0) -> Labels:
    """8-connected components in raster order of their first pixels, without the small ones."""
    labels, n = ndimage.label(mask, np.ones((3, 3)))
    keep = np.bincount(labels.ravel(), minlength=n + 1) >= smallest_area
    keep[0] = False
    return np.asarray((np.cumsum(keep) * keep)[labels], np.uint32)


def labels_of_kinds(kinds: NDArray[np.uint8], smallest_area: int = 0, smallest_without: int = 0) -> Labels:
    """Components of each kind (1, 2) alone, without the small ones, in raster order of the first pixels of both."""
    found = np.zeros(kinds.shape, np.int64)
    for kind, smallest in ((1, smallest_area), (2, smallest_without)):
        labels = axon_labels(kinds == kind, smallest).astype(np.int64)
        found += labels + (labels > 0) * found.max(initial=0)
    ids, first = np.unique(found, return_index=True)
    ordered = ids[ids > 0][np.argsort(first[ids > 0])]
    rank = np.zeros(found.max(initial=0) + 1, np.uint32)
    rank[ordered] = np.arange(1, len(ordered) + 1)
    return rank[found]


def grown(axons: Labels, myelin: Mask, reach: int) -> Labels:
    """Synchronous 4-connected dilation through the myelin, round by round over the whole image."""
    fibers = axons.astype(np.int64)
    none = 2**33  # scipy takes it as a float
    cross = ndimage.generate_binary_structure(2, 1)
    for _ in range(reach):
        smallest = ndimage.minimum_filter(
            np.where(fibers > 0, fibers, none), footprint=cross, mode="constant", cval=none
        )
        taken = (fibers == 0) & myelin & (smallest < none)
        if not taken.any():
            break
        fibers[taken] = smallest[taken]
    return fibers.astype(np.uint32)


def axondeepseg_fibers(axons: Labels, myelin: Mask) -> Labels:
    """AxonDeepSeg's rule: a watershed from the centroids, on the axons' distance to their border."""
    seeds = np.zeros(axons.shape, np.int32)
    for axon in measure.regionprops(axons.astype(np.int32)):
        seeds[tuple(int(at) for at in axon.centroid)] = axon.label
    depth = ndimage.distance_transform_edt(axons > 0)
    return np.asarray(segmentation.watershed(-depth, seeds, mask=(axons > 0) | myelin), np.uint32)
