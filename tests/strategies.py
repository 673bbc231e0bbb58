"""Hypothesis strategies: masks that are hard on seams, and chunkings of them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from axonflow.kernel.grid import Box

Mask = NDArray[np.bool_]
Shape = tuple[int, int]


def _noise(shape: Shape, rng: np.random.Generator) -> Mask:
    return rng.random(shape) < rng.uniform(0.2, 0.7)


def _blobs(shape: Shape, rng: np.random.Generator) -> Mask:
    field = ndimage.gaussian_filter(rng.random(shape), rng.uniform(0.7, 3))
    return np.asarray(field > np.quantile(field, rng.uniform(0.3, 0.8)), np.bool_)


def _polar(shape: Shape, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    y, x = np.mgrid[: shape[0], : shape[1]]
    y, x = y - rng.uniform(0, shape[0]), x - rng.uniform(0, shape[1])
    return np.hypot(y, x), np.arctan2(y, x)


def _spiral(shape: Shape, rng: np.random.Generator) -> Mask:
    radius, angle = _polar(shape, rng)
    return (radius - angle * rng.uniform(1, 3)) % rng.uniform(4, 12) < 2.5


def _rings(shape: Shape, rng: np.random.Generator) -> Mask:
    return _polar(shape, rng)[0] % rng.uniform(3, 8) < 1.5


def _checkerboard(shape: Shape, rng: np.random.Generator) -> Mask:
    return np.asarray(np.indices(shape).sum(axis=0) % rng.integers(2, 4) == 0, np.bool_)


def _bridges(shape: Shape, rng: np.random.Generator) -> Mask:
    """Blocks that touch only over corners, at every place where four could meet."""
    side = int(rng.integers(1, 6))
    return np.asarray((np.indices(shape) // side).sum(axis=0) % 2 == 0, np.bool_)


def _bars(shape: Shape, rng: np.random.Generator) -> Mask:
    """Objects that run through every core of a row or a column, joined at one end or not at all."""
    mask = np.zeros(shape, np.bool_)
    mask[:: int(rng.integers(2, 5))] = True
    mask[:, : int(rng.integers(0, 2))] = True
    return mask if rng.random() < 0.5 else np.ascontiguousarray(mask[:, ::-1])


def _empty(shape: Shape, _: np.random.Generator) -> Mask:
    return np.zeros(shape, np.bool_)


def _full(shape: Shape, _: np.random.Generator) -> Mask:
    return np.ones(shape, np.bool_)


KINDS: tuple[Callable[[Shape, np.random.Generator], Mask], ...] = (
    _noise,
    _blobs,
    _spiral,
    _rings,
    _checkerboard,
    _bridges,
    _bars,
    _empty,
    _full,
)

shapes = st.tuples(st.integers(1, 44), st.integers(1, 44))
generators = st.integers(0, 2**32 - 1).map(np.random.default_rng)


@st.composite
def masks(draw: st.DrawFn, shape: Shape | None = None) -> Mask:
    """A mask of any kind; of a given shape, or of any."""
    shape = draw(shapes) if shape is None else shape
    return draw(st.sampled_from(KINDS))(shape, draw(generators))


@st.composite
def chunkings(draw: st.DrawFn, shape: Shape) -> list[Box]:
    """Cores of any sizes that tile a shape in rows and columns, in any order."""
    (y, x) = (
        [0, *sorted(draw(st.sets(st.integers(1, side - 1), max_size=6)) if side > 1 else ()), side] for side in shape
    )
    boxes = [Box(y0, x0, y1, x1) for y0, y1 in pairwise(y) for x0, x1 in pairwise(x)]
    return draw(st.permutations(boxes))


@st.composite
def chunked_masks(draw: st.DrawFn) -> tuple[Mask, list[Box]]:
    """A mask and a chunking of it."""
    mask = draw(masks())
    return mask, draw(chunkings(mask.shape))


@st.composite
def chunked_kinds(draw: st.DrawFn) -> tuple[NDArray[np.uint8], list[Box]]:
    """Kinds of axons (0 none, 1 with myelin, 2 without), which may touch anywhere, and a chunking of them."""
    axon = draw(masks())
    without = draw(st.one_of(masks(axon.shape), st.just(~axon)))
    return np.where(axon, 1, 2 * without).astype(np.uint8), draw(chunkings(axon.shape))


@st.composite
def chunked_tissues(draw: st.DrawFn) -> tuple[NDArray[np.uint8], list[Box]]:
    """Classes (0 background, 1 myelin, 2 axon) and a chunking of them."""
    axon = draw(masks())
    sheath = ndimage.binary_dilation(axon, iterations=draw(st.integers(1, 4))) & ~draw(masks(axon.shape))
    myelin = draw(st.sampled_from((sheath, draw(masks(axon.shape)))))
    return np.where(axon, 2, myelin).astype(np.uint8), draw(chunkings(axon.shape))
