import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from axonflow.ngff import halve

sides = st.tuples(st.integers(1, 12), st.integers(1, 12))
integers = st.sampled_from([np.uint8, np.uint16]).flatmap(lambda dtype: hnp.arrays(dtype, sides))
floats = hnp.arrays(np.float32, sides, elements=st.floats(-(2.0**100), 2.0**100, width=32, allow_subnormal=False))


def blocks(pixels: NDArray[np.generic]) -> NDArray[np.float64]:
    h, w = pixels.shape
    even = np.pad(pixels, ((0, h % 2), (0, w % 2)), mode="edge").astype(np.float64)
    return even.reshape(-(-h // 2), 2, -(-w // 2), 2).swapaxes(1, 2).reshape(-(-h // 2), -(-w // 2), 4)


@given(integers)
def test_integers_are_averaged_and_rounded_half_up(pixels: NDArray[np.generic]) -> None:
    result = halve.mean(pixels)
    assert result.dtype == pixels.dtype
    np.testing.assert_array_equal(result, np.floor(blocks(pixels).mean(axis=2) + 0.5))


@given(floats)
def test_floats_are_averaged(pixels: NDArray[np.float32]) -> None:
    result = halve.mean(pixels)
    assert result.dtype == np.float32
    bound = 4 * np.finfo(np.float32).eps * np.abs(blocks(pixels)).max(axis=2)
    assert (np.abs(result - blocks(pixels).mean(axis=2)) <= bound).all()


def test_the_largest_floats_do_not_overflow() -> None:
    largest = np.full((2, 2), np.finfo(np.float32).max)
    assert halve.mean(largest)[0, 0] == largest[0, 0]


@given(integers)
def test_a_label_is_never_invented(labels: NDArray[np.generic]) -> None:
    result = halve.nearest(labels)
    h, w = result.shape
    assert (h, w) == (-(-labels.shape[0] // 2), -(-labels.shape[1] // 2))
    for y, x in np.ndindex(h, w):
        assert result[y, x] == labels[2 * y, 2 * x]


@pytest.mark.parametrize("rule", [halve.mean, halve.nearest])
@given(pixels=integers | floats, data=st.data())
def test_a_cut_on_an_even_pixel_changes_nothing(rule: object, pixels: NDArray[np.generic], data: st.DataObject) -> None:
    assert callable(rule)
    y = 2 * data.draw(st.integers(0, (pixels.shape[0] - 1) // 2))
    x = 2 * data.draw(st.integers(0, (pixels.shape[1] - 1) // 2))
    whole = rule(pixels)
    np.testing.assert_array_equal(rule(pixels[y:, x:]), whole[y // 2 :, x // 2 :])
    if y and x:
        np.testing.assert_array_equal(rule(pixels[:y, :x]), whole[: y // 2, : x // 2])
