from __future__ import annotations

import numpy as np
import oracles
from cores import hull_cores
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from skimage import measure
from strategies import Mask, chunked_masks, chunked_tissues, generators

from axonflow.fiber.hull import Hulls, convex_areas, hulls
from axonflow.kernel.grid import Box

Case = tuple[NDArray[np.uint8], list[Box]]


def assert_same(a: Hulls, b: Hulls) -> None:
    for name in Hulls.__slots__:
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


@settings(max_examples=150)
@given(chunked_masks(), st.integers(0, 2))
def test_any_chunking_gives_the_hulls_of_the_whole(case: tuple[Mask, list[Box]], extra_halo: int) -> None:
    mask, boxes = case
    axons = oracles.axon_labels(mask)
    assert_same(hull_cores(axons, boxes, extra_halo), hull_cores(axons, [Box.whole(mask.shape)]))


@settings(max_examples=60)
@given(chunked_tissues())
def test_areas_are_those_of_scikit_image(case: Case) -> None:
    semantic, boxes = case
    fibers = oracles.grown(oracles.axon_labels(semantic == 2), semantic == 1, 4)
    merged = hull_cores(fibers, boxes)
    objects = measure.regionprops(fibers.astype(np.int32))
    assert merged.key.tolist() == [o.label for o in objects]
    assert convex_areas(merged).tolist() == [o.area_convex for o in objects]


@settings(max_examples=20)
@given(generators)
def test_large_objects_too(rng: np.random.Generator) -> None:
    points = np.zeros((700, 900), np.uint32)
    points[tuple(rng.integers(0, points.shape, (40, 2)).T)] = 1
    merged = hull_cores(points, [Box(0, 0, 311, 900), Box(311, 0, 700, 400), Box(311, 400, 700, 900)])
    assert convex_areas(merged).tolist() == [measure.regionprops(points.astype(np.int32))[0].area_convex]


def test_a_pixel_is_a_diamond_in_half_pixels() -> None:
    box = Box(10, 20, 11, 21)
    diamond = hulls(np.array([[5]], np.uint32), box, box)
    assert diamond.corner.tolist() == [[20, 41], [21, 40], [22, 41], [21, 42]]
    assert convex_areas(diamond).tolist() == [1]


def test_pieces_of_one_object_need_not_touch() -> None:
    labels = np.zeros((9, 9), np.uint32)
    labels[0, 0] = labels[8, 8] = labels[0, 8] = 3
    assert convex_areas(hull_cores(labels, [Box.whole((9, 9))])).tolist() == [45]


def test_nothing_has_no_hull() -> None:
    box = Box(0, 0, 2, 2)
    nothing = Hulls.merge([hulls(np.zeros((2, 2), np.uint32), box, box)] * 2)
    assert len(nothing.key) == len(nothing.corner) == len(convex_areas(nothing)) == 0


@settings(max_examples=60)
@given(chunked_masks())
def test_what_ends_inside_a_core_is_never_joined(case: tuple[NDArray[np.bool_], list[Box]]) -> None:
    mask, boxes = case
    labels = oracles.axon_labels(mask)
    whole = Box.whole(mask.shape)
    closed, touching = zip(*(hulls(labels[b.slices], b, b).inside(b) for b in boxes), strict=True)
    joined = Hulls.merge(touching)
    ids = np.concatenate([joined.key, *(part.key for part in closed)])
    areas = np.concatenate([convex_areas(part) for part in (joined, *closed)])
    alone = hulls(labels, whole, whole)
    np.testing.assert_array_equal(np.sort(ids), alone.key)
    np.testing.assert_array_equal(areas[np.argsort(ids)], convex_areas(alone))
