"""One lookup table normalises a whole slide, whatever its dtype and however it was counted."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import rankdata
from skimage.exposure import equalize_hist

from axonflow.kernel.tally import Tally
from axonflow.net.normalise import FineCodes, grey_codes, grey_table, histogram, lookup_table


@pytest.fixture(params=["uint8", "uint16", "float32"])
def pixels(request: pytest.FixtureRequest) -> NDArray[np.generic]:
    values = np.random.default_rng(1).gamma(2, 30, (60, 70))
    if request.param == "float32":
        return (values - 80).astype(np.float32)  # negative values too
    return np.minimum(values, 255).astype(request.param)


def test_codes_sort_as_values_do(pixels: NDArray[np.generic]) -> None:
    values = np.sort(pixels.ravel())
    assert (np.diff(grey_codes(values[None])[0].astype(int)) >= 0).all()


floats = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(st.lists(floats, min_size=1, max_size=40), st.lists(floats, min_size=1, max_size=10))
def test_fine_codes_sort_as_values_do(seen: list[float], others: list[float]) -> None:
    """Those of values that the slide does not have, too: a resampled slide lies between its greys."""
    pixels = np.array([seen], np.float32)
    codes = FineCodes.of(histogram(pixels))
    values = np.sort(np.r_[pixels[0], np.array(others, np.float32)])
    found = codes(values[None])[0].astype(int)
    assert (np.diff(found) >= 0).all()
    used = np.unique(codes(pixels))
    np.testing.assert_array_equal(codes(codes.values(used)[None])[0], used)
    assert (codes.values(used) <= np.sort(pixels[0])[np.searchsorted(np.sort(codes(pixels)[0]), used)]).all()


@pytest.mark.parametrize("offset", [0.0, -1e4, 32_768.0, 1e6])
@pytest.mark.parametrize("step", [0.25, 1.0, 16.0])
@pytest.mark.parametrize("stray", [None, -1e30, 3e38])
def test_fine_codes_keep_shades_on_any_offset(offset: float, step: float, stray: float | None) -> None:
    """A dead pixel, which any range would have to hold, takes nothing of it."""
    shades = np.random.default_rng(3).integers(0, 256, (200, 300)).astype(np.float32)
    pixels = shades * np.float32(step) + np.float32(offset)
    if stray is not None:
        pixels[7, 9] = stray
    codes = FineCodes.of(histogram(pixels))
    kept = np.ones(pixels.shape, bool) if stray is None else pixels != np.float32(stray)
    found, inverse = np.unique(codes(pixels)[kept], return_inverse=True)
    assert len(found) == 256
    np.testing.assert_array_equal(inverse, shades[kept])


@given(st.lists(st.integers(0, 59), max_size=6))
@settings(max_examples=30)
def test_fine_codes_are_the_slides_however_it_was_cut(cuts: list[int]) -> None:
    pixels = np.random.default_rng(2).normal(1000, 3, (60, 40)).astype(np.float32)
    edges = [0, *sorted(cuts), 60]
    merged = Tally.merge(histogram(pixels[a:b]) for a, b in pairwise(edges))
    ours, whole = FineCodes.of(merged), FineCodes.of(histogram(pixels))
    np.testing.assert_array_equal(ours(pixels), whole(pixels))
    greys = Tally.merge(histogram(pixels[a:b], ours) for a, b in pairwise(edges))
    codes, counts = np.unique(whole(pixels), return_counts=True)
    np.testing.assert_array_equal(greys.key, codes)
    np.testing.assert_array_equal(greys.total[:, 0], counts)


def test_mean_deviation_and_polarity(pixels: NDArray[np.generic]) -> None:
    table = lookup_table(histogram(pixels))
    out = table[grey_codes(pixels)]
    assert abs(out.mean()) < 1e-5
    assert abs(out.std() - 1) < 1e-5
    np.testing.assert_array_equal(lookup_table(histogram(pixels), invert=True), -table)


def test_equalisation_is_that_of_scikit_image() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8) // 3
    ours = lookup_table(histogram(pixels))[grey_codes(pixels)]
    theirs = equalize_hist(pixels, nbins=256)
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.9999


def test_each_code_is_counted(pixels: NDArray[np.generic]) -> None:
    for part in (pixels, pixels[3:40, 5:8], pixels[::2, 1:], pixels[:1, :1]):
        found = histogram(part)
        codes, counts = np.unique(grey_codes(part), return_counts=True)
        np.testing.assert_array_equal(found.key, codes)
        np.testing.assert_array_equal(found.total[:, 0], counts)


@settings(max_examples=30)
@given(st.lists(st.integers(0, 59), max_size=6))
def test_parts_add_up(cuts: list[int]) -> None:
    pixels = np.random.default_rng(2).integers(0, 65536, (60, 40), dtype=np.uint16)
    edges = [0, *sorted(cuts), 60]
    parts = [histogram(pixels[a:b]) for a, b in pairwise(edges)]
    merged, whole = Tally.merge(reversed(parts)), histogram(pixels)
    np.testing.assert_array_equal(merged.key, whole.key)
    np.testing.assert_array_equal(merged.total, whole.total)


def test_one_grey_maps_to_zero() -> None:
    pixels = np.full((5, 5), 7, np.uint8)
    assert not lookup_table(histogram(pixels))[grey_codes(pixels)].any()
    assert set(grey_table(histogram(pixels))[grey_codes(pixels)].ravel()) == {128}


def test_grey_levels_are_what_the_network_sees_before_it_is_scaled(pixels: NDArray[np.generic]) -> None:
    greys = histogram(pixels)
    seen, levels = (table[grey_codes(pixels)] for table in (lookup_table(greys), grey_table(greys)))
    rank = rankdata(grey_codes(pixels)).reshape(pixels.shape) - 0.5  # of the middle of all that are alike
    np.testing.assert_allclose(levels, rank / pixels.size * 255, rtol=0, atol=0.5001)
    assert np.corrcoef(seen.ravel(), levels.ravel())[0, 1] > 0.9999
    np.testing.assert_array_equal(grey_table(greys, invert=True), 255 - grey_table(greys))
