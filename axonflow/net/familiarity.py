"""What a part of a slide is to the network: how sure it was there, and how bright, contrasted and fine the part looks.

Counted as integer sums over blocks of 16 × 16 px about the slide's origin, so that the traits of any region made of
whole blocks are the same however the slide was cut. The traits of the training images, square by square, are what
the network is familiar with; a region beyond their range is unlike anything that it was trained on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from axonflow.kernel.compiled import compiled
from axonflow.kernel.tally import Ints

__all__ = [
    "BLOCK",
    "SQUARE",
    "SUMS",
    "TRAITS",
    "block_sums",
    "centres",
    "familiar_ranges",
    "square_traits",
    "traits",
    "unfamiliar",
    "weighed",
]

BLOCK = 16
"""Side of a block, px; the strides of the networks, and so their lattices' cores, are multiples of it."""

SUMS = ("confidence", "grey", "grey²", "grey difference")
"""What is summed over the pixels of a block, or, the last, over its pairs of neighbours."""

TRAITS = ("confidence", "brightness", "contrast", "texture")
"""Mean maximum class probability; mean, standard deviation and neighbours' mean difference of the grey; all in 0–1."""

SQUARE = 16
"""Side of the squares whose traits make the ranges, in blocks: 256 px."""

JUDGED_PX = (SQUARE * BLOCK) ** 2 // 2
"""A region of fewer pixels than half a square is not judged: it shows one axon rather than tissue.

Of a network's own training images (SEM), cut into squares of 256, 192, 128 and 64 px, 1, 3, 9 and 33 % lay outside
ranges made from squares of 256 px.
"""

OUTSIDE = 0.5
"""Percentage of an image's squares that is left out at either end of a range."""

MARGIN = 0.1
"""By how much a range is widened at either end, as a part of its width."""


def block_sums(confidence: NDArray[np.uint8], grey: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Sum over each block of a part of a slide.

    Parameters
    ----------
    confidence : (h, w) uint8
        Maximum class probability, in 255ths.
    grey : (h, w) uint8
        What the network sees: :func:`axonflow.net.normalise.grey_table` of the pixels.

    Returns
    -------
    (4, ⌈h/16⌉, ⌈w/16⌉) uint32
        :data:`SUMS`. A difference is the absolute one of two horizontal or vertical neighbours in one block.
    """
    h, w = grey.shape
    sums = np.empty((len(SUMS), -(-h // BLOCK), -(-w // BLOCK)), np.uint32)
    columns = np.empty((len(SUMS), w), np.int32)
    _sum_blocks(np.ascontiguousarray(confidence), np.ascontiguousarray(grey), columns, sums)
    return sums


@compiled
def _sum_blocks(
    confidence: NDArray[np.uint8], grey: NDArray[np.uint8], columns: NDArray[np.int32], sums: NDArray[np.uint32]
) -> None:
    """Sum over a block's rows first, into the columns: a loop over a whole row goes by vectors."""
    h, w = grey.shape
    for row in range(sums.shape[1]):
        for name in range(len(sums)):
            for x in range(w):
                columns[name, x] = 0
        last = min((row + 1) * BLOCK, h) - 1
        for y in range(row * BLOCK, last + 1):
            here, below, sure = grey[y], grey[min(y + 1, last)], confidence[y]
            for x in range(w):
                level = np.int32(here[x])
                columns[0, x] += sure[x]
                columns[1, x] += level
                columns[2, x] += level * level
                columns[3, x] += abs(level - below[x])
            for x in range(w - 1):
                columns[3, x] += abs(np.int32(here[x]) - here[x + 1])
            for x in range(BLOCK - 1, w - 1, BLOCK):  # pairs over two blocks
                columns[3, x] -= abs(np.int32(here[x]) - here[x + 1])
        for name in range(len(sums)):
            for column in range(sums.shape[2]):
                total = np.int64(0)
                for x in range(column * BLOCK, min((column + 1) * BLOCK, w)):
                    total += columns[name, x]
                sums[name, row, column] = total


def weighed(sums: NDArray[np.uint32], shape: tuple[int, int]) -> Ints:
    """Put beside the sums of blocks what they are to be divided by.

    Parameters
    ----------
    sums : (4, b, c) uint32
        Of :func:`block_sums`.
    shape : (int, int)
        Sides of the part that they cover, px.

    Returns
    -------
    (b, c, 6) int64
        The sums, then the number of pixels and of pairs of neighbours; may be added up over any blocks.
    """
    (h, w) = (np.minimum(BLOCK, side - np.arange(0, side, BLOCK)) for side in shape)
    totals = np.empty((*sums.shape[1:], len(SUMS) + 2), np.int64)
    totals[..., :-2] = np.moveaxis(sums, 0, -1)
    totals[..., -2] = np.outer(h, w)
    totals[..., -1] = np.outer(h, w - 1) + np.outer(h - 1, w)
    return totals


def centres(side: int) -> Ints:
    """Return where the central pixel of each block along a side lies, px."""
    first = np.arange(0, side, BLOCK)
    central: Ints = first + np.minimum(BLOCK, side - first) // 2
    return central


def traits(totals: Ints) -> NDArray[np.float64]:
    """Return the traits of regions.

    Parameters
    ----------
    totals : (…, 6) int64
        What :func:`weighed` returned, added up over the blocks of each region.

    Returns
    -------
    (…, 4) float64
        :data:`TRAITS`; NaN of a region without pixels. The texture of single pixels is 0.
    """
    confidence, grey, squares, differences, pixels, pairs = np.moveaxis(totals.astype(np.float64), -1, 0)
    pixels = np.where(pixels > 0, pixels, np.nan)
    brightness = grey / pixels
    contrast = np.sqrt(np.maximum(squares / pixels - brightness**2, 0))
    texture = np.where(np.isnan(pixels), np.nan, differences / np.maximum(pairs, 1))
    return np.stack([confidence / pixels, brightness, contrast, texture], axis=-1) / 255


def square_traits(sums: NDArray[np.uint32], shape: tuple[int, int], side: int = SQUARE) -> NDArray[np.float64]:
    """Cut a part of a slide into squares of blocks and return the traits of each.

    Parameters
    ----------
    sums : (4, b, c) uint32
        Of :func:`block_sums`.
    shape : (int, int)
        Sides of the part, px.
    side : int
        Of a square, blocks.

    Returns
    -------
    (⌈b/side⌉, ⌈c/side⌉, 4) float64
        :data:`TRAITS` of the squares of ``side`` · 16 px from the part's origin; the last ones end with the part. One
        that it cuts down to less than half is NaN.
    """
    totals = weighed(sums, shape)
    for axis in (0, 1):
        totals = np.add.reduceat(totals, np.arange(0, totals.shape[axis], side), axis=axis)
    found = traits(totals)
    found[totals[..., 4] * 2 < (side * BLOCK) ** 2] = np.nan
    return found


def familiar_ranges(images: Iterable[NDArray[np.float64]]) -> dict[str, tuple[float, float]]:
    """Return the range of each trait over the training images, as a model's contract states it.

    Parameters
    ----------
    images : iterable of (n, 4) float64
        Traits of the squares of each training image (:func:`square_traits`); rows of NaN are left out.

    Returns
    -------
    dict of str to (float, float)
        Trait → lowest and highest value that is familiar; empty if there is no square. Of each image the 0.5th and the
        99.5th percentile over its squares, so that a small image counts as a large one; of all images the extremes,
        widened at either end by a tenth of what lies between them. The network cannot be too confident: there the
        highest is 1.
    """
    squares = [regions[~np.isnan(regions).any(axis=1)] for regions in images]
    known = [np.percentile(regions, (OUTSIDE, 100 - OUTSIDE), axis=0) for regions in squares if len(regions)]
    if not known:
        return {}
    low, high = np.min(known, axis=0)[0], np.max(known, axis=0)[1]
    margin = MARGIN * (high - low)
    ends = zip(TRAITS, np.maximum(low - margin, 0), np.minimum(high + margin, 1), strict=True)
    ranges = {name: (round(float(first), 4), round(float(last), 4)) for name, first, last in ends}
    return ranges | {"confidence": (ranges["confidence"][0], 1.0)}


def unfamiliar(totals: Ints, familiar: Mapping[str, tuple[float, float]]) -> NDArray[np.float64]:
    """Tell which regions are unlike anything that the network was trained on.

    Parameters
    ----------
    totals : (…, 6) int64
        As for :func:`traits`.
    familiar : Mapping
        Of :func:`familiar_ranges`.

    Returns
    -------
    (…) float64
        1 where any trait lies outside its range, 0 where all lie inside, NaN where the region has fewer than
        32,768 px and cannot be judged.
    """
    found = traits(totals)
    outside = np.zeros(found.shape[:-1])
    for name, (low, high) in familiar.items():
        value = found[..., TRAITS.index(name)]
        outside[(value < low) | (value > high)] = 1
    outside[totals[..., 4] < JUDGED_PX] = np.nan
    return outside
