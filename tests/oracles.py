"""The same results from whole images, by scipy, scikit-image or the plainest loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

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


def nnunet_scores(
    image: NDArray[np.float32],
    networks: Sequence[Callable[[Any], Any]],
    classes: int,
    patch: tuple[int, int],
    step: float,
    mirrors: tuple[int, ...],
) -> NDArray[np.float16]:
    """nnU-Net's predictor over a whole normalised image, (channels, h, w), in the plainest words: (classes, h, w)."""
    import torch

    missing = [max(want - side, 0) for want, side in zip(patch, image.shape[1:], strict=True)]
    before = [n // 2 for n in missing]
    padded = np.pad(image, [(0, 0), *((b, n - b) for b, n in zip(before, missing, strict=True))])
    starts = []
    for side, want in zip(padded.shape[1:], patch, strict=True):
        n = int(np.ceil((side - want) / (want * step))) + 1
        starts.append([int(at) for at in np.round(np.arange(n) * ((side - want) / max(n - 1, 1)))])
    impulse = np.zeros(patch)
    impulse[patch[0] // 2, patch[1] // 2] = 1
    bell = ndimage.gaussian_filter(impulse, [want / 8 for want in patch], mode="constant")
    weight = torch.tensor(bell / bell.max() * 10).half()
    weight[weight == 0] = weight[weight > 0].min()
    ways: list[tuple[int, ...]] = [(), *((axis,) for axis in mirrors), *([(0, 1)] if len(mirrors) == 2 else [])]
    total = torch.zeros((classes, *padded.shape[1:]), dtype=torch.half)
    with torch.inference_mode():
        for network in networks:
            sums, weights = torch.zeros_like(total), torch.zeros_like(total[0])
            for y in starts[0]:
                for x in starts[1]:
                    at = np.s_[..., y : y + patch[0], x : x + patch[1]]
                    window = torch.from_numpy(padded[at])[None]
                    said = torch.zeros(1)
                    for way in ways:
                        axes = [axis + 2 for axis in way]
                        said = said + network(window.flip(axes)).flip(axes)[0]
                    sums[at] += said / len(ways) * weight
                    weights[at] += weight
            total += sums / weights
    total /= len(networks)
    h, w = image.shape[1:]
    scores: NDArray[np.float16] = total[:, before[0] : before[0] + h, before[1] : before[1] + w].numpy()
    return scores
