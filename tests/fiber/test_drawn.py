"""Outlines are drawn alike wherever the slide is cut, as scikit-image and shapely see them."""

from __future__ import annotations

import numpy as np
import shapely
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from skimage.draw import polygon2mask
from skimage.measure import points_in_poly

from axonflow.fiber.drawn import Area, Drawn, crossing
from axonflow.kernel.grid import Box, Grid

SHAPE = (37, 41)

places = st.tuples(*(st.floats(-8, side + 8, allow_nan=False, width=32) for side in SHAPE))
rings = st.lists(places, min_size=3, max_size=9)


def sides(ring: list[tuple[float, float]]) -> NDArray[np.float64]:
    corners = np.array(ring, np.float64)
    return np.concatenate([corners, np.roll(corners, -1, axis=0)], axis=1)


def area(owner: int, *found: list[tuple[float, float]]) -> Area:
    return Area(owner, tuple(map(sides, found)))


objects = st.lists(st.lists(rings, min_size=1, max_size=2), min_size=1, max_size=6).map(
    lambda drawn: [area(k, *each) for k, each in enumerate(drawn, 1)]
)


@given(drawn=objects, chunk=st.tuples(st.integers(1, 40), st.integers(1, 45)))
def test_any_chunking_gives_the_same(drawn: list[Area], chunk: tuple[int, int]) -> None:
    packed = Drawn.of(drawn)
    whole = packed.draw(Box.whole(SHAPE))
    parts = np.zeros_like(whole)
    for box in Grid(SHAPE, chunk):
        parts[box.slices] = packed.draw(box)
    np.testing.assert_array_equal(parts, whole)


@given(ring=rings)
def test_the_pixels_are_those_whose_centres_lie_inside(ring: list[tuple[float, float]]) -> None:
    """As scikit-image finds them by even and odd, and shapely where a ring does not cross itself."""
    outline = shapely.Polygon(ring)
    y, x = (axis.ravel() + 0.5 for axis in np.mgrid[: SHAPE[0], : SHAPE[1]])
    centres = shapely.points(y, x)
    clear = shapely.distance(outline.exterior, centres) > 1e-3  # on the line itself either answer is right
    drawn = Drawn.of([area(1, ring)]).draw(Box.whole(SHAPE)).ravel() > 0
    np.testing.assert_array_equal(drawn[clear], points_in_poly(np.column_stack((y, x)), ring)[clear])
    if outline.is_valid:
        np.testing.assert_array_equal(drawn[clear], shapely.contains(outline, centres)[clear])


@given(drawn=objects)
def test_where_two_overlap_the_first_has_the_place(drawn: list[Area]) -> None:
    expected = np.zeros(SHAPE, np.uint32)
    for one in reversed(drawn):
        expected[Drawn.of([one]).draw(Box.whole(SHAPE)) > 0] = one.owner
    np.testing.assert_array_equal(Drawn.of(drawn).draw(Box.whole(SHAPE)), expected)


def test_a_hole_is_not_drawn() -> None:
    outer = [(2.0, 3.0), (2.0, 30.0), (30.0, 30.0), (30.0, 3.0)]
    inner = [(10.0, 10.0), (10.0, 20.0), (20.0, 20.0), (20.0, 10.0)]
    expected = polygon2mask(SHAPE, np.array(outer) - 0.5) ^ polygon2mask(SHAPE, np.array(inner) - 0.5)
    np.testing.assert_array_equal(Drawn.of([area(1, outer, inner)]).draw(Box.whole(SHAPE)) > 0, expected)


def test_what_is_off_the_slide_flat_drawn_twice_or_crossed_is_named() -> None:
    square = [(2.0, 2.0), (2.0, 9.0), (9.0, 9.0), (9.0, 2.0)]
    drawn = [
        area(1, square),
        area(2, [(-9, 2), (-2, 2), (-2, 9)]),
        area(3, [(1, 1), (5, 5), (9, 9)]),
        area(4, square),
        area(5, [(2, 2), (9, 9), (2, 9), (9, 2)]),
        area(6, [(12, 12), (12, 14), (14, 14), (14, 12), (12, 12), (10, 12), (10, 10), (12, 10)]),  # touches itself
        area(7, [(50, 2), (60, 2), (60, 9)]),
    ]
    packed = Drawn.of(drawn)
    assert packed.off(SHAPE).tolist() == [2, 7]
    assert packed.flat().tolist() == [3]
    assert packed.twice().tolist() == [4]
    assert crossing(drawn).tolist() == [3, 5]  # what lies on a line runs back over itself


@given(owner=st.integers(1, 5), ring=rings)
def test_an_object_of_two_areas_is_off_only_with_both(owner: int, ring: list[tuple[float, float]]) -> None:
    there = [(2.0, 2.0), (2.0, 9.0), (9.0, 9.0)]
    assert not Drawn.of([area(owner, ring), area(owner, there)]).off(SHAPE).size
