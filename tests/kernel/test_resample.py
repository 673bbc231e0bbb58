from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from strategies import chunkings, shapes

from axonflow.kernel.grid import Box
from axonflow.kernel.resample import Resampling, nearest_pixels
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


@given(st.data(), shapes, shapes)
def test_any_chunking_looks_up_the_pixel_under_each_centre(
    data: st.DataObject, shape: tuple[int, int], image_shape: tuple[int, int]
) -> None:
    image = np.arange(np.prod(image_shape)).reshape(image_shape)
    found: NDArray[np.int64] = np.zeros(shape, np.int64)
    for box in data.draw(chunkings(shape)):
        found[box.slices] = image[np.ix_(*nearest_pixels(box, shape, image_shape))]
    y, x = ([(2 * i + 1) * m // (2 * n) for i in range(n)] for n, m in zip(shape, image_shape, strict=True))
    np.testing.assert_array_equal(found, image[np.ix_(y, x)])


def test_an_image_of_the_same_size_is_itself() -> None:
    rows, columns = nearest_pixels(Box(3, 4, 7, 9), (20, 30), (20, 30))
    assert (rows.tolist(), columns.tolist()) == ([3, 4, 5, 6], [4, 5, 6, 7, 8])


@given(shapes, st.integers(5, 40), st.integers(5, 40))
def test_what_is_looked_up_lies_there_in_micrometres(shape: tuple[int, int], fine: int, coarse: int) -> None:
    """Both ways between a slide and labels of another pixel size, which end within half a pixel of each other."""
    have, want = PixelSize.square(fine / 100), PixelSize.square(coarse / 100)
    there = Resampling(shape, have, want).out_shape
    for outer, inner, um, inner_um in ((shape, there, fine, coarse), (there, shape, coarse, fine)):
        span = Resampling(inner, PixelSize.square(inner_um / 100), PixelSize.square(um / 100)).span
        found = nearest_pixels(Box.whole(outer), span, inner)
        for axis in (0, 1):
            centres = [(Fraction(i) + Fraction(1, 2)) * um / inner_um for i in range(outer[axis])]
            expected = np.array([min(int(centre), inner[axis] - 1) for centre in centres])
            clear = np.array([abs(centre - round(centre)) > 1e-4 for centre in centres])  # not on a border
            np.testing.assert_array_equal(found[axis][clear], expected[clear])
