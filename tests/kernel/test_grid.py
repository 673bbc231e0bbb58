from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from axonflow.kernel.grid import Box, Grid, ceil_to, mirror

shapes = st.tuples(st.integers(1, 60), st.integers(1, 60))


@st.composite
def grids(draw: st.DrawFn) -> Grid:
    core = draw(st.tuples(st.integers(1, 25), st.integers(1, 25)))
    return Grid(draw(shapes), core, draw(st.integers(0, min(core))))


@st.composite
def boxes(draw: st.DrawFn, shape: tuple[int, int] = (60, 60)) -> Box:
    y0, x0 = (draw(st.integers(0, side)) for side in shape)
    return Box(y0, x0, draw(st.integers(y0, shape[0])), draw(st.integers(x0, shape[1])))


def painted(box: Box, shape: tuple[int, int] = (60, 60)) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    image = np.zeros(shape, np.bool_)
    image[box.slices] = True
    return image


@given(st.integers(0, 10**9), st.integers(1, 10**6))
def test_ceil_to_is_the_next_multiple(n: int, step: int) -> None:
    assert ceil_to(n, step) % step == 0
    assert n <= ceil_to(n, step) < n + step


@given(st.integers(1, 12), st.integers(0, 40), st.integers(0, 40), st.integers(-9, 9))
def test_mirror_is_symmetric_padding(side: int, before: int, after: int, low: int) -> None:
    inside = np.arange(low, low + side)
    index = np.arange(low - before, low + side + after)
    np.testing.assert_array_equal(mirror(index, low, low + side), np.pad(inside, (before, after), mode="symmetric"))


@given(boxes(), boxes())
def test_a_box_is_the_set_of_its_pixels(a: Box, b: Box) -> None:
    assert a.size == np.count_nonzero(painted(a)) == a.shape[0] * a.shape[1]
    np.testing.assert_array_equal(painted(a & b), painted(a) & painted(b))
    moved = (a & b).relative_to(a)
    assert moved.shape == (a & b).shape
    np.testing.assert_array_equal(painted(a)[a.slices][moved.slices], np.ones((a & b).shape, np.bool_))


@given(boxes(), st.integers(0, 30))
def test_growing_ends_at_the_image(box: Box, by: int) -> None:
    y, x = np.mgrid[:60, :60]
    near = (y >= box.y0 - by) & (y < box.y1 + by) & (x >= box.x0 - by) & (x < box.x1 + by)
    np.testing.assert_array_equal(painted(box.grow(by, (60, 60))), near)


@given(boxes(), st.integers(0, 4))
def test_coarse_pixels_are_those_whose_first_fine_pixel_is_inside(box: Box, level: int) -> None:
    step = 2**level
    coarse = painted(box)[::step, ::step]
    np.testing.assert_array_equal(painted(box.coarser(step), coarse.shape), coarse)


@given(grids())
def test_a_grid_tiles_its_image_once_in_raster_order(grid: Grid) -> None:
    count = np.zeros(grid.shape, int)
    for box in grid:
        count[box.slices] += 1
    assert (count == 1).all()
    assert list(grid) == sorted(grid)
    assert len(list(grid)) == len(grid) == grid.counts[0] * grid.counts[1]


@given(grids())
def test_no_core_is_thinner_than_asked_unless_the_image_is(grid: Grid) -> None:
    for axis in (0, 1):
        widths = np.diff(grid.edges(axis))
        assert (widths >= min(grid.smallest, grid.shape[axis])).all()
        assert (widths < grid.core[axis] + max(grid.smallest, 1)).all()
        assert all(edge % grid.core[axis] == 0 for edge in grid.edges(axis)[:-1])


@given(grids(), st.integers(1, 5))
def test_batches_are_neighbours_of_one_row_and_hold_every_core(grid: Grid, cores: int) -> None:
    batches = list(grid.batches(cores))
    assert [box for batch in batches for box in batch] == list(grid)
    for batch in batches:
        assert 1 <= len(batch) <= cores
        assert {(box.y0, box.y1) for box in batch} == {(batch[0].y0, batch[0].y1)}
        assert all(left.x1 == right.x0 for left, right in pairwise(batch))


@given(st.data())
def test_within_finds_the_cores_of_a_larger_box(data: st.DataObject) -> None:
    grid = data.draw(grids())
    cuts = [sorted(data.draw(st.tuples(*[st.sampled_from(grid.edges(axis))] * 2))) for axis in (0, 1)]
    box = Box(cuts[0][0], cuts[1][0], cuts[0][1], cuts[1][1])
    assert list(grid.within(box)) == [core for core in grid if core.size and core & box == core]


def test_boxes_read_as_half_open_ranges() -> None:
    assert str(Box(0, 5, 10, 20)) == "y [0, 10) × x [5, 20)"


@pytest.mark.parametrize("side", [1, 7, 8, 9])
def test_a_slide_smaller_than_a_core_is_one_core(side: int) -> None:
    assert list(Grid((side, side), (9, 9), smallest=5)) == [Box(0, 0, side, side)]
