"""Traits are those of the pixels, however the image was cut; what was not trained on lies outside their ranges."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from axonflow.kernel.grid import Grid
from axonflow.net.familiarity import (
    TRAITS,
    block_sums,
    centres,
    familiar_ranges,
    square_traits,
    traits,
    unfamiliar,
    weighed,
)
from axonflow.net.normalise import grey_codes, grey_table, histogram

Image = NDArray[np.uint8]


@st.composite
def images(draw: st.DrawFn) -> tuple[Image, Image]:
    shape = draw(st.tuples(st.integers(1, 70), st.integers(1, 70)))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    low, high = sorted(draw(st.tuples(st.integers(0, 255), st.integers(0, 255))))
    return random.integers(85, 256, shape, np.uint8), random.integers(low, high + 1, shape, np.uint8)


def differences(block: Image) -> tuple[int, int]:
    """Sum and number of the differences of neighbours, from a list of all pairs."""
    level = block.astype(int)
    pairs = [*np.abs(level[1:] - level[:-1]).ravel(), *np.abs(level[:, 1:] - level[:, :-1]).ravel()]
    return sum(pairs), len(pairs)


@settings(max_examples=30)
@given(images())
def test_sums_are_those_of_the_pixels_block_by_block(image: tuple[Image, Image]) -> None:
    confidence, grey = image
    totals = weighed(block_sums(confidence, grey), grey.shape)
    assert totals.shape[:2] == (-(-grey.shape[0] // 16), -(-grey.shape[1] // 16))
    for i, box in enumerate(Grid(grey.shape, (16, 16))):
        sure, seen = confidence[box.slices].astype(int), grey[box.slices].astype(int)
        difference, pairs = differences(grey[box.slices])
        expected = [sure.sum(), seen.sum(), (seen**2).sum(), difference, seen.size, pairs]
        assert totals.reshape(-1, 6)[i].tolist() == expected


@settings(max_examples=30)
@given(images(), st.integers(1, 4), st.integers(1, 4))
def test_sums_do_not_depend_on_how_the_image_is_cut(image: tuple[Image, Image], tall: int, wide: int) -> None:
    confidence, grey = image
    whole = weighed(block_sums(confidence, grey), grey.shape)
    for box in Grid(grey.shape, (16 * tall, 16 * wide)):
        part = weighed(block_sums(confidence[box.slices], grey[box.slices]), box.shape)
        np.testing.assert_array_equal(part, whole[box.coarser(16).slices])


@settings(max_examples=30)
@given(images(), st.integers(1, 3))
def test_traits_of_squares_are_those_of_their_pixels(image: tuple[Image, Image], side: int) -> None:
    confidence, grey = image
    found = square_traits(block_sums(confidence, grey), grey.shape, side).reshape(-1, 4)
    boxes = list(Grid(grey.shape, (16 * side, 16 * side)))
    assert len(found) == len(boxes)
    for box, values in zip(boxes, found, strict=True):
        seen = grey[box.slices]
        if 2 * seen.size < (16 * side) ** 2:
            assert np.isnan(values).all()
            continue
        blocks = [differences(seen[part.slices]) for part in Grid(seen.shape, (16, 16))]
        total, pairs = map(sum, zip(*blocks, strict=True))
        texture = total / pairs if pairs else 0
        expected = [confidence[box.slices].mean(), seen.mean(), seen.std(), texture]
        np.testing.assert_allclose(values * 255, expected, rtol=1e-9, atol=1e-5)


def test_one_grey_has_neither_contrast_nor_texture() -> None:
    for grey in (0, 77, 255):
        flat = np.full((40, 40), grey, np.uint8)
        _, brightness, contrast, texture = square_traits(block_sums(flat, flat), flat.shape, 3)[0, 0]
        assert (brightness, contrast, texture) == (grey / 255, 0, 0)


def test_nothing_has_no_traits() -> None:
    assert np.isnan(traits(np.zeros((2, 6), np.int64))).all()


@given(st.integers(1, 100))
def test_the_central_pixel_lies_in_its_block(side: int) -> None:
    np.testing.assert_array_equal(centres(side) // 16, np.arange(-(-side // 16)))
    assert centres(side)[-1] < side


def test_a_range_holds_nearly_all_squares_and_a_little_more() -> None:
    random = np.random.default_rng(0)
    regions = random.normal(0.5, 0.05, (2000, 4))
    ranges = familiar_ranges([np.concatenate([regions, np.full((3, 4), np.nan)])])
    assert tuple(ranges) == TRAITS
    assert ranges["confidence"][1] == 1
    for i, (low, high) in enumerate(ranges.values()):
        first, last = np.quantile(regions[:, i], (0.005, 0.995))
        assert low == pytest.approx(first - (last - first) / 10, abs=1e-4)
        if i > 0:
            assert high == pytest.approx(last + (last - first) / 10, abs=1e-4)
    everywhere = familiar_ranges([random.uniform(0, 1, (50, 4))])
    assert all((0 <= low <= high <= 1) for low, high in everywhere.values())


def test_a_small_image_counts_as_a_large_one() -> None:
    large, small = np.full((1000, 4), 0.4), np.full((2, 4), 0.6)
    assert familiar_ranges([large, small]) == familiar_ranges([small, large])
    for low, high in familiar_ranges([large, small]).values():
        assert low < 0.4
        assert high > 0.6
    assert familiar_ranges([np.full((3, 4), np.nan)]) == {}


def tissue_like(shape: tuple[int, int], seed: int, noise: float = 8) -> Image:
    """Dark discs in bright rings on grey, of a microscope's noise."""
    random = np.random.default_rng(seed)
    grey = np.full(shape, 128.0)
    for y in range(0, shape[0], 32):
        for x in range(0, shape[1], 32):
            away = np.hypot(*(np.mgrid[:32, :32] - random.uniform(12, 20, (2, 1, 1))))
            radius = random.uniform(3, 9)
            grey[y : y + 32, x : x + 32][away < radius + 4] = 205
            grey[y : y + 32, x : x + 32][away < radius] = 60
    return np.clip(grey + random.normal(0, noise, shape), 0, 255).astype(np.uint8)


def sums_of(pixels: Image) -> NDArray[np.uint32]:
    """Sums under a network that is as sure as the grey is far from the middle."""
    grey = grey_table(histogram(pixels))[grey_codes(pixels)]
    confidence = 128 + (np.abs(grey.astype(int) - 128) // 2).astype(np.uint8)
    return block_sums(confidence, grey)


@pytest.fixture(scope="module")
def familiar() -> dict[str, tuple[float, float]]:
    trained = [tissue_like((512, 512), 100 + i, noise) for i, noise in enumerate((6, 7, 8, 9, 10))]
    squares = [square_traits(sums_of(image), image.shape).reshape(-1, 4) for image in trained]
    return familiar_ranges(squares)


def flags(pixels: Image, familiar: dict[str, tuple[float, float]]) -> NDArray[np.float64]:
    totals = weighed(sums_of(pixels), pixels.shape).reshape(2, 16, 2, 16, 6).sum(axis=(1, 3))
    return unfamiliar(totals, familiar)


def half_blank(pixels: Image) -> Image:
    out = pixels.copy()
    out[:, 256:] = 250
    return out


def test_more_of_the_same_is_familiar(familiar: dict[str, tuple[float, float]]) -> None:
    assert flags(tissue_like((512, 512), 7), familiar).tolist() == [[0, 0], [0, 0]]


STRANGE: dict[str, Callable[[Image], Image]] = {
    "blurred": partial(ndimage.gaussian_filter, sigma=3),
    "noisy": lambda pixels: np.clip(pixels + np.random.default_rng(1).normal(0, 60, pixels.shape), 0, 255).astype(
        np.uint8
    ),
    "larger": lambda pixels: np.kron(pixels[:128, :128], np.ones((4, 4), np.uint8)),
    "blank": lambda pixels: np.full_like(pixels, 90),
}


@pytest.mark.parametrize("how", STRANGE)
def test_what_was_not_trained_on_is_not(familiar: dict[str, tuple[float, float]], how: str) -> None:
    assert flags(STRANGE[how](tissue_like((512, 512), 7)), familiar).all()


def test_doubt_alone_is_enough(familiar: dict[str, tuple[float, float]]) -> None:
    sums = sums_of(tissue_like((512, 512), 7))
    sums[0] = sums[0] * 4 // 5
    totals = weighed(sums, (512, 512)).reshape(2, 16, 2, 16, 6).sum(axis=(1, 3))
    assert unfamiliar(totals, familiar).all()
    assert not unfamiliar(totals, {name: familiar[name] for name in TRAITS if name != "confidence"}).any()


def test_the_strange_part_of_a_slide_is_told_from_the_rest(familiar: dict[str, tuple[float, float]]) -> None:
    assert flags(half_blank(tissue_like((512, 512), 7)), familiar)[:, 1].all()


def test_what_is_too_small_is_not_judged(familiar: dict[str, tuple[float, float]]) -> None:
    sums = sums_of(tissue_like((128, 256), 7))
    assert np.isnan(unfamiliar(weighed(sums[:, :, 1:], (128, 240)).sum(axis=(0, 1)), familiar))
    assert not np.isnan(unfamiliar(weighed(sums, (128, 256)).sum(axis=(0, 1)), familiar))
