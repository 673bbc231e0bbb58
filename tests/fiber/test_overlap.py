"""What a region loses to an earlier one is what the drawing of both gives away."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import binary_erosion
from strategies import generators

from axonflow.fiber.overlap import overlaps
from axonflow.fiber.regions import Polygons
from axonflow.kernel.grid import Box

SIDE = 400

Areas = list[tuple[str, list[list[list[float]]]]]


def polygons(areas: Areas) -> Polygons:
    features = [
        {"type": "Feature", "properties": {"name": name}, "geometry": {"type": "Polygon", "coordinates": rings}}
        for name, rings in areas
    ]
    return Polygons.from_geojson(json.dumps({"type": "FeatureCollection", "features": features}))


def by_pixels(areas: Areas) -> dict[tuple[str, str], float]:
    """Draw each region that is no sliver, of whose pixels a tenth lie on its rim, by itself, and all, and compare."""
    whole = Box(-SIDE, -SIDE, 2 * SIDE, 2 * SIDE)
    together = polygons(areas)
    drawn = together.label(whole)
    found = {}
    for name in together.regions:
        alone = polygons([area for area in areas if area[0] == name]).cover(whole)
        for number, other in enumerate(together.regions, 1):
            if other != name and binary_erosion(alone).sum() > 0.9 * alone.sum():
                found[name, other] = float(np.mean(drawn[alone] == number))
    return found


@settings(max_examples=60, deadline=None)
@given(generators, st.integers(1, 6))
def test_shares_are_those_of_the_pixels(rng: np.random.Generator, count: int) -> None:
    """Of crossing, nested and self-crossing outlines with holes, several of one name, some of them off the slide."""
    areas: Areas = []
    for _ in range(count):
        place, size = rng.uniform(-0.3, 1.0, 2) * SIDE, rng.uniform(0.1, 0.9) * SIDE
        rings = [(place + rng.uniform(0, size, (rng.integers(3, 8), 2))).tolist() for _ in range(rng.integers(1, 3))]
        areas.append((str(rng.choice(["a", "b", "c"])), rings))
    expected = by_pixels(areas)
    found = {(each.region, each.before): each.share for each in overlaps(polygons(areas), 0.0) if each.share}
    for pair, share in expected.items():
        assert found.get(pair, 0.0) == pytest.approx(share, abs=0.05)
    drawn = {region for region, _ in expected}
    assert {pair for pair in found if pair[0] in drawn} <= expected.keys()


def test_regions_side_by_side_lose_nothing() -> None:
    tiles: Areas = [
        (f"{x} {y}", [[[x, y], [x + 10, y], [x + 10, y + 10], [x, y + 10]]]) for y in (0, 10, 20) for x in (0, 10)
    ]
    assert overlaps(polygons(tiles), 1e-9) == ()


def test_left_and_right_of_one_name_are_one_region() -> None:
    square = [[[0.0, 0.0], [10.0, 0.0], [10.0, 10.0], [0.0, 10.0]]]
    assert overlaps(polygons([("a", square), ("a", square)]), 0.0) == ()


def test_very_many_regions_are_looked_through() -> None:
    tiles: Areas = [
        (f"{x} {y}", [[[x, y], [x + 6, y], [x + 6, y + 5], [x, y + 5]]])
        for y in range(0, 500, 5)
        for x in range(0, 100, 5)
    ]
    found = overlaps(polygons(tiles), 0.01)
    assert len(found) == 100 * 19  # each but the first of a row loses its first sixth
    assert {round(each.share, 2) for each in found} == {0.17}
