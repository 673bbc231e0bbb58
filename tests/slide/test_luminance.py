"""Luminance of integers is Pillow's to the last digit; of others the formula's."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image

from axonflow.errors import SlideError
from axonflow.slide.luminance import GREY, RGB, Luminance


@given(arrays(np.uint8, (5, 7, 3)))
@settings(max_examples=100)
def test_uint8_is_pillows(pixels: NDArray[np.uint8]) -> None:
    grey = RGB.of(*np.moveaxis(pixels, -1, 0))
    np.testing.assert_array_equal(grey, np.asarray(Image.fromarray(pixels).convert("L")))


@given(arrays(np.uint16, (5, 7, 3)))
@settings(max_examples=100)
def test_uint16_is_the_formula_within_half_a_grey(pixels: NDArray[np.uint16]) -> None:
    grey = RGB.of(*np.moveaxis(pixels, -1, 0))
    assert grey.dtype == np.uint16
    assert np.abs(grey.astype(float) - pixels @ np.array([0.299, 0.587, 0.114])).max() < 1.0


def test_white_stays_white() -> None:
    for dtype in (np.uint8, np.uint16):
        white = np.full((1, 1), np.iinfo(dtype).max, dtype)
        assert RGB.of(white, white, white) == np.iinfo(dtype).max


@given(st.sampled_from([np.int64, np.uint64, np.complex64]))
def test_other_numbers_are_refused(dtype: type[np.generic]) -> None:
    with pytest.raises(SlideError, match=np.dtype(dtype).name):
        GREY.dtype(np.dtype(dtype))


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.uint32])
@pytest.mark.parametrize("order", ["<", ">"])
def test_the_whole_range_of_integers_stays_in_order(dtype: type[np.integer[Any]], order: Literal["<", ">"]) -> None:
    info = np.iinfo(dtype)
    values = np.unique(np.linspace(info.min, info.max, 999).astype(dtype))
    grey = GREY.of(values[None].astype(np.dtype(dtype).newbyteorder(order)))
    assert grey.dtype == GREY.dtype(np.dtype(dtype)) == np.float32
    np.testing.assert_array_equal(grey, values[None].astype(np.float32))
    inverted = Luminance("grey", white=0).of(values[None])
    assert (np.diff(inverted.astype(float)) < 0).all()


def test_an_inverted_grey_comes_back_when_inverted_again() -> None:
    pixels = np.arange(16, dtype=np.uint8).reshape(4, 4)
    four_bits = Luminance("grey", white=15)
    np.testing.assert_array_equal(four_bits.of(four_bits.of(pixels)), pixels)
