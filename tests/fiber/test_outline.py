from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage
from shapely import Polygon
from shapely.geometry import MultiPolygon
from skimage.draw import polygon2mask
from strategies import masks

from axonflow.fiber.outline import outlines

Mask = NDArray[np.bool_]


def shapes_of(mask: Mask) -> list[Polygon]:
    return [Polygon(rings[0], rings[1:]) for rings in outlines(mask)]


def labels_of(mask: Mask) -> Mask:
    """Draw the outlines by scikit-image, which asks whether the centres are inside."""
    found = np.zeros(mask.shape, np.int64)
    for shell, *holes in outlines(mask):
        for ring, sign in ((shell, 1), *((hole, -1) for hole in holes)):
            found += sign * polygon2mask(mask.shape, ring - 0.5)
    assert set(np.unique(found)) <= {0, 1}
    return np.asarray(found == 1, np.bool_)


@settings(max_examples=150)
@given(masks())
def test_the_pixels_inside_are_those_of_the_mask(mask: Mask) -> None:
    np.testing.assert_array_equal(labels_of(mask), mask)


@settings(max_examples=150)
@given(masks())
def test_each_part_is_a_valid_polygon_and_all_are_one(mask: Mask) -> None:
    shapes = shapes_of(mask)
    assert all(shape.is_valid for shape in shapes)
    parts, n = ndimage.label(mask)
    assert len(shapes) == n
    areas = sorted(shape.area for shape in shapes)
    assert areas == sorted(np.bincount(parts.ravel())[1:])
    assert MultiPolygon(shapes).is_valid
    assert sum(len(shape.interiors) for shape in shapes) == sum(holes_of(parts == k) for k in range(1, n + 1))


def holes_of(part: Mask) -> int:
    """The parts of the background within, those that meet in a corner told apart."""
    _, n = ndimage.label(~np.pad(part, 1))
    return int(n) - 1


@settings(max_examples=50)
@given(masks())
def test_every_corner_is_one(mask: Mask) -> None:
    for ring in (ring for rings in outlines(mask) for ring in rings):
        before, after = ring - np.roll(ring, 1, axis=0), np.roll(ring, -1, axis=0) - ring
        assert (np.count_nonzero(before, axis=1) == 1).all()
        assert ((before * after).sum(axis=1) == 0).all()
        assert len(np.unique(ring, axis=0)) == len(ring)


@pytest.mark.parametrize(
    ("drawing", "expected"),
    [
        ("#", [[[(0, 0), (0, 1), (1, 1), (1, 0)]]]),
        ("#.|.#", [[[(0, 0), (0, 1), (1, 1), (1, 0)]], [[(1, 1), (1, 2), (2, 2), (2, 1)]]]),
        (
            "###|#.#|###",
            [[[(0, 0), (0, 3), (3, 3), (3, 0)], [(1, 1), (2, 1), (2, 2), (1, 2)]]],
        ),
    ],
)
def test_drawings(drawing: str, expected: list[list[list[tuple[int, int]]]]) -> None:
    mask = np.array([[pixel == "#" for pixel in row] for row in drawing.split("|")])
    found = [[sorted(map(tuple, ring.tolist())) for ring in rings] for rings in outlines(mask)]
    assert found == [[sorted(ring) for ring in rings] for rings in expected]


@given(st.integers(0, 3))
def test_nothing_has_no_outline(side: int) -> None:
    assert outlines(np.zeros((side, 4), np.bool_)) == []
