"""Coarseness grows as a slide is enlarged, and tells nothing of what does not count."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from axonflow.net.coarseness import coarseness_limits, coarseness_range, square_coarseness
from axonflow.net.familiarity import block_sums
from axonflow.net.normalise import grey_codes, grey_table, histogram

Image = NDArray[np.uint8]


def tissue_like(side: int, cell: int, seed: int) -> Image:
    """Dark discs in bright rings on grey, one a cell of so many pixels."""
    random = np.random.default_rng(seed)
    grey = np.full((side, side), 128.0)
    for y in range(0, side - cell + 1, cell):
        for x in range(0, side - cell + 1, cell):
            away = np.hypot(*(np.mgrid[:cell, :cell] - cell * random.uniform(0.4, 0.6, (2, 1, 1)))) / cell
            radius = random.uniform(0.1, 0.28)
            grey[y : y + cell, x : x + cell][away < radius + 0.12] = 205
            grey[y : y + cell, x : x + cell][away < radius] = 60
    return np.clip(grey + random.normal(0, 8, grey.shape), 0, 255).astype(np.uint8)


def coarse(pixels: Image, counts: NDArray[np.bool_] | None = None) -> list[float]:
    grey = grey_table(histogram(pixels))[grey_codes(pixels)]
    sums = block_sums(np.full_like(grey, 255), grey)
    shape = (pixels.shape[0], pixels.shape[1])
    return square_coarseness(sums, shape, np.ones(sums.shape[1:], np.bool_) if counts is None else counts)


@given(st.integers(0, 2**32 - 1))
def test_it_is_that_of_the_pixels(seed: int) -> None:
    """By block means and variances of a square, from the pixels themselves."""
    grey = np.random.default_rng(seed).integers(0, 256, (256, 256), np.uint8)
    blocks = grey.reshape(16, 16, 16, 16).swapaxes(1, 2).astype(float)
    means, variances = blocks.mean(axis=(2, 3)), blocks.var(axis=(2, 3))
    steps = np.append(np.abs(np.diff(means, axis=0)), np.abs(np.diff(means, axis=1))).mean()
    sums = block_sums(np.zeros_like(grey), grey)
    found = square_coarseness(sums, (256, 256), np.ones((16, 16), np.bool_))
    assert found == pytest.approx([steps / np.sqrt(variances.mean())])


@pytest.mark.parametrize("seed", range(3))
def test_it_grows_with_the_size_of_what_is_shown(seed: int) -> None:
    sizes = [float(np.median(coarse(tissue_like(512, cell, seed)))) for cell in (16, 32, 64, 128)]
    assert sizes == sorted(sizes)
    assert sizes[-1] > 2 * sizes[0]


def test_exchanging_bright_and_dark_does_not_change_it() -> None:
    grey = tissue_like(256, 32, 0)
    np.testing.assert_allclose(coarse(255 - grey), coarse(grey), rtol=0.01)


def test_only_what_counts_is_looked_at() -> None:
    pixels, tissue = tissue_like(512, 32, 1), tissue_like(512, 32, 1)
    pixels[:, 256:] = np.random.default_rng(0).integers(0, 256, (512, 256), np.uint8)
    counts = np.zeros((32, 32), np.bool_)
    assert coarse(tissue, counts) == []
    counts[:, :16] = True
    assert len(coarse(pixels, counts)) == 2
    counts[8:, :16] = False
    assert len(coarse(pixels, counts)) == 1  # half a square is enough
    counts[7:, :16] = False
    assert coarse(pixels, counts) == []


def test_blank_and_cut_blocks_do_not_count() -> None:
    assert coarse(np.full((256, 256), 7, np.uint8)) == []
    assert len(coarse(tissue_like(272, 17, 0)[:271, :271])) == 1


def test_the_range_holds_every_training_image() -> None:
    images = [[0.5, 0.6, 0.7], [0.9], [], [0.8, 0.8]]
    low, high = coarseness_range(images) or (1.0, 0.0)
    assert (low, high) == pytest.approx((0.57, 0.93))
    assert coarseness_range([[], []]) is None


@given(st.integers(1, 10**6))
def test_more_squares_allow_less(squares: int) -> None:
    low, high = coarseness_limits((0.7, 1.0), squares)
    fewer, more = coarseness_limits((0.7, 1.0), squares + 1)
    assert low < fewer < 0.7
    assert 1.0 < more < high
