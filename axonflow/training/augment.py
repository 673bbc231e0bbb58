"""A random, randomly changed patch of an image: the paper's changes of geometry as one resampling, then of greys.

Shift, rescaling, rotation, elastic deformation and flips, in this order, are composed into one field of coordinates,
so a patch is interpolated once: greys linearly, classes by the nearest pixel. (The paper's code resamples for each of
them, which blurs, and truncates interpolated masks.) Blur follows, then what the paper does not have: curve, uneven
light, contrast and brightness, noise.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from axonflow.training.recipe import Augmentation

__all__ = ["patch"]

_EDGE = 3**0.5
"""Equalised greys are spread evenly; with mean 0 and standard deviation 1 they end here."""

_KNOTS = 4
"""Along each side of a patch, of the light's field."""


def patch(
    image: NDArray[np.float32], labels: NDArray[np.uint8], side: int, ranges: Augmentation, random: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Cut a random patch and change it.

    Every pixel of the image is the patch's middle, (side // 2, side // 2), equally often; beyond the image it is
    mirrored. With all ranges off the patch is the image's pixels as they are.

    Parameters
    ----------
    image : (h, w) float32
        Normalised: equalised, mean 0, standard deviation 1.
    labels : (h, w) uint8
    side : int
        Of the patch, px.
    ranges : Augmentation
    random : numpy.random.Generator

    Returns
    -------
    image : (side, side) float32
    labels : (side, side) uint8
    """
    at = _coordinates((image.shape[0], image.shape[1]), side, ranges, random)
    grey = ndimage.map_coordinates(image, at, order=1, mode="mirror")
    classes = ndimage.map_coordinates(labels, at, order=0, mode="mirror")
    return _retouch(grey, ranges, random), classes


def _coordinates(
    shape: tuple[int, int], side: int, ranges: Augmentation, random: np.random.Generator
) -> NDArray[np.float64]:
    """Draw where in the image each pixel of a patch lies: (2, side, side)."""
    middle = (side - 1) / 2
    corner = random.integers(0, shape) - side // 2
    shift = random.uniform(-ranges.shift, ranges.shift, 2) * side
    scale = random.uniform(1 / ranges.scale, ranges.scale)
    angle = np.deg2rad(random.uniform(*ranges.rotation))
    flip = np.where(random.random(2) < ranges.flip, -1.0, 1.0)
    # From the patch back to the image, so the last change comes first. A flip of the elastic field is as random as
    # the field, and is left out.
    steps = np.stack(np.broadcast_arrays(*np.ogrid[-middle : middle + 1, -middle : middle + 1])) * flip[:, None, None]
    steps += _elastic(side, ranges, random)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / scale
    origin = corner + middle + shift
    return np.stack([turn[i, 0] * steps[0] + turn[i, 1] * steps[1] + origin[i] for i in (0, 1)])


def _elastic(side: int, ranges: Augmentation, random: np.random.Generator) -> NDArray[np.float64]:
    """Draw a smooth displacement, px: (2, side, side).

    It is drawn and smoothed at one number every σ px, as in the paper's code, and interpolated; that code repeats the
    numbers and smooths afterwards, whose amplitude is the same within 5 %.
    """
    factor = random.uniform(*ranges.elastic)
    if factor == 0:
        return np.zeros((2, 1, 1))
    sigma = ranges.elastic_sigma
    count = int(np.ceil(side / sigma)) + 1
    coarse = ndimage.gaussian_filter(random.uniform(-1, 1, (2, count, count)), (0, 1, 1)) * factor
    return _spread(coarse, round(count * sigma))[:, :side, :side]


def _retouch(grey: NDArray[np.float32], ranges: Augmentation, random: np.random.Generator) -> NDArray[np.float32]:
    """Change the greys of a patch."""
    if ranges.blur and random.random() < ranges.blur_probability:
        grey = ndimage.gaussian_filter(grey, random.uniform(0, ranges.blur), mode="mirror")
    if ranges.gamma > 1:
        most = np.log(ranges.gamma)
        level = np.clip(grey / (2 * _EDGE) + 0.5, 0, 1)
        grey = (level ** np.float32(np.exp(random.uniform(-most, most))) - 0.5) * (2 * _EDGE)
    gain = 1 + random.uniform(-ranges.contrast, ranges.contrast)
    offset = random.uniform(-ranges.brightness, ranges.brightness)
    if ranges.uneven:
        knots = random.uniform(-ranges.uneven, ranges.uneven, (2, _KNOTS, _KNOTS))
        over, above = _spread(knots, len(grey)).astype(np.float32)
        grey = grey * (np.float32(gain) + over) + (np.float32(offset) + above)
    elif ranges.contrast or ranges.brightness:
        grey = grey * np.float32(gain) + np.float32(offset)
    if ranges.noise and random.random() < ranges.noise_probability:
        sigma = np.float32(random.uniform(0, ranges.noise))
        grey = grey + sigma * random.standard_normal(grey.shape, np.float32)
    return grey.astype(np.float32)


def _spread(knots: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    """Interpolate (n, k, k) knots, the middles of k × k equal cells, bilinearly to (n, side, side)."""
    place = np.clip((np.arange(side) + 0.5) * knots.shape[1] / side - 0.5, 0, knots.shape[1] - 1)
    before = np.minimum(place.astype(np.int64), knots.shape[1] - 2)
    share = place - before
    rows = knots[:, before] * (1 - share[:, None]) + knots[:, before + 1] * share[:, None]
    spread: NDArray[np.float64] = rows[:, :, before] * (1 - share) + rows[:, :, before + 1] * share
    return spread
