from __future__ import annotations

import numpy as np
import oracles
import pytest
from cores import count_cores
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from skimage import measure
from strategies import masks

from axonflow.fiber.measure import count_objects
from axonflow.fiber.morphometry import Ellipses, ellipses, perimeters
from axonflow.kernel.grid import Box
from axonflow.kernel.units import PixelSize

SQUARE = PixelSize.square(0.1)


def assert_like_regionprops(found: Ellipses, labels: NDArray[np.uint32], spacing: tuple[float, float]) -> None:
    objects = measure.regionprops(labels.astype(np.int32), spacing=spacing)
    along_x, along_y = np.array([np.diag(o.inertia_tensor) for o in objects]).reshape(-1, 2).T
    mixed = -np.array([o.inertia_tensor[0, 1] for o in objects])
    # Both are ill-conditioned at a disk: compare the squares that the eccentricity and the orientation come from.
    np.testing.assert_allclose(found.eccentricity**2, [o.eccentricity**2 for o in objects], atol=1e-10)
    long = np.hypot(along_y - along_x, 2 * mixed)
    np.testing.assert_allclose(long * np.cos(2 * found.orientation), along_y - along_x, atol=1e-9 * spacing[0] ** 2)
    np.testing.assert_allclose(long * np.sin(2 * found.orientation), 2 * mixed, atol=1e-9 * spacing[0] ** 2)
    for axis, measure_of in ((found.major, "axis_major_length"), (found.minor, "axis_minor_length")):
        lengths = np.array([getattr(o, measure_of) for o in objects])
        np.testing.assert_allclose(axis**2, lengths**2, rtol=1e-9, atol=1e-9 * spacing[0] ** 2)
    clear = long > 1e-6 * (along_x + along_y)
    vertical = np.abs(np.abs(found.orientation) - np.pi / 2) < 1e-6  # −π/2 and π/2 are one
    expected = np.array([o.orientation for o in objects])
    np.testing.assert_allclose(found.orientation[clear & ~vertical], expected[clear & ~vertical], atol=1e-8)


@settings(max_examples=150)
@given(masks(), st.sampled_from(((1.0, 1.0), (0.3, 0.1), (0.1, 0.25))))
def test_ellipses_are_those_of_scikit_image(mask: NDArray[np.bool_], spacing: tuple[float, float]) -> None:
    labels = oracles.axon_labels(mask)
    found = ellipses(count_cores(labels, [Box.whole(mask.shape)]), PixelSize(*spacing))
    objects = measure.regionprops(labels.astype(np.int32))
    np.testing.assert_allclose(np.c_[found.y, found.x].ravel(), np.ravel([o.centroid for o in objects]), rtol=1e-14)
    assert_like_regionprops(found, labels, spacing)


@pytest.mark.parametrize("origin", [(0, 0), (70_001, 40_003), (3_000_000_000, 5_000_000_001)])
def test_shapes_do_not_depend_on_where_they_are(origin: tuple[int, int]) -> None:
    """Sums of squares wrap at the last origin; what is derived from them does not notice."""
    rng = np.random.default_rng(3)
    labels = oracles.axon_labels(rng.random((60, 80)) < 0.4)
    here = Box.whole(labels.shape)
    there = Box(origin[0], origin[1], origin[0] + 60, origin[1] + 80)
    room = (6_000_000_000, 6_000_000_000)
    window = there.grow(2, room)
    seen = np.zeros(window.shape, np.uint32)
    seen[there.relative_to(window).slices] = labels
    near, far = count_objects(labels, here, here, labels.shape), count_objects(seen, there, window, room)
    np.testing.assert_array_equal(perimeters(near), perimeters(far))
    a, b = ellipses(near, SQUARE), ellipses(far, SQUARE)
    np.testing.assert_array_equal(a.eccentricity, b.eccentricity)
    np.testing.assert_array_equal(a.orientation, b.orientation)
    np.testing.assert_allclose(b.y - origin[0], a.y, atol=1e-6)
    np.testing.assert_allclose(b.x - origin[1], a.x, atol=1e-6)


@pytest.mark.parametrize(
    ("rows", "eccentricity", "orientation"),
    [
        (["1"], 0, -np.pi / 4),
        (["11", "11"], 0, -np.pi / 4),
        (["111"], 1, np.pi / 2),
        (["1", "1", "1"], 1, 0),
        (["100", "010", "001"], 1, np.pi / 4),
        (["001", "010", "100"], 1, -np.pi / 4),
    ],
)
def test_degenerate_shapes_are_decided_as_scikit_image_does(
    rows: list[str], eccentricity: float, orientation: float
) -> None:
    labels = np.array([[int(c) for c in row] for row in rows], np.uint32)
    found = ellipses(count_cores(labels, [Box.whole(labels.shape)]), SQUARE)
    assert found.eccentricity == pytest.approx([eccentricity])
    assert found.orientation == pytest.approx([orientation])
    (expected,) = measure.regionprops(labels.astype(np.int32))
    assert (expected.eccentricity, expected.orientation) == pytest.approx((eccentricity, orientation))
