from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from axonflow.kernel.grid import Box
from axonflow.kernel.resample import Resampling
from axonflow.kernel.units import PixelSize


@st.composite
def resamplings(draw: st.DrawFn) -> Resampling:
    shape = draw(st.tuples(st.integers(1, 40), st.integers(1, 40)))
    sides = st.floats(0.03, 0.3)
    return Resampling(shape, PixelSize(draw(sides), draw(sides)), PixelSize(draw(sides), draw(sides)))


def noise(shape: tuple[int, int]) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    return np.random.default_rng(shape[0] * 1000 + shape[1]).integers(0, 256, shape, np.uint8)


@given(st.data())
def test_any_part_is_that_part_of_the_whole_to_the_bit(data: st.DataObject) -> None:
    resampling = data.draw(resamplings())
    pixels, (h, w) = noise(resampling.shape), resampling.out_shape
    whole = resampling(pixels[resampling.needs(Box.whole((h, w))).slices], Box.whole((h, w)))
    y0, x0 = data.draw(st.integers(0, h - 1)), data.draw(st.integers(0, w - 1))
    box = Box(y0, x0, data.draw(st.integers(y0 + 1, h)), data.draw(st.integers(x0 + 1, w)))
    source = resampling.needs(box)
    assert source & Box.whole(resampling.shape) == source
    part = resampling(pixels[source.slices], box)
    assert part.dtype == np.float32
    np.testing.assert_array_equal(part, whole[box.slices])


@given(resamplings(), st.floats(-100, 100, width=32))
def test_one_grey_stays_one_grey(resampling: Resampling, grey: float) -> None:
    box = Box.whole(resampling.out_shape)
    out = resampling(np.full(resampling.needs(box).shape, grey, np.float32), box)
    np.testing.assert_allclose(out, grey, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1), (7, 30)])
def test_the_same_pixel_size_changes_nothing(shape: tuple[int, int]) -> None:
    size = PixelSize(0.1, 0.2)
    resampling = Resampling(shape, size, size)
    assert resampling.out_shape == shape
    np.testing.assert_array_equal(resampling(noise(shape), Box.whole(shape)), noise(shape))


@pytest.mark.parametrize(("have", "want"), [(0.1, 0.2), (0.1, 0.3), (0.2, 0.1), (0.3, 0.1), (0.3, 0.2), (0.2, 0.3)])
def test_away_from_the_edges_it_is_pillows_triangle_filter(have: float, want: float) -> None:
    shape = (60, 42)
    resampling = Resampling(shape, PixelSize.square(have), PixelSize.square(want))
    h, w = resampling.out_shape
    assert (h, w) == (round(60 * have / want), round(42 * have / want))
    ours = resampling(noise(shape)[resampling.needs(Box.whole((h, w))).slices], Box.whole((h, w)))
    theirs = np.asarray(Image.fromarray(noise(shape).astype(np.float32)).resize((w, h), Image.Resampling.BILINEAR))
    inner = Box(4, 4, h - 4, w - 4).slices
    np.testing.assert_allclose(ours[inner], theirs[inner], rtol=1e-5, atol=1e-4)


@given(resamplings())
def test_a_place_stays_where_it_is_about_the_origin(resampling: Resampling) -> None:
    """A ramp of the distance from the slide's top-left corner keeps its values, away from the edges."""
    for axis in (0, 1):
        n, out = resampling.shape[axis], resampling.out_shape[axis]
        have, want = (((size.y, size.x)[axis]) for size in (resampling.have, resampling.want))
        ramp = np.expand_dims((np.arange(n) + 0.5) * have, 1 - axis)
        box = Box.whole(resampling.out_shape)
        pixels = np.broadcast_to(ramp, resampling.shape)[resampling.needs(box).slices]
        line = np.take(resampling(pixels, box), 0, 1 - axis)
        expected = (np.arange(out) + 0.5) * want
        reach = max(have, want)
        inner = (expected > reach + have / 2) & (expected < n * have - reach - have / 2)
        # The weights of a widened triangle sum to 1 but are not exactly symmetric about a place between pixels.
        np.testing.assert_allclose(line[inner], expected[inner], atol=have / 4)


def test_a_slide_thinner_than_an_output_pixel_gives_one() -> None:
    resampling = Resampling((1, 3), PixelSize.square(0.1), PixelSize.square(1.0))
    assert resampling.out_shape == (1, 1)
    assert resampling(noise((1, 3)), Box(0, 0, 1, 1)).shape == (1, 1)
