from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.measure import points_in_poly
from strategies import chunkings, generators, shapes

from axonflow.errors import InputError
from axonflow.fiber.regions import Polygons
from axonflow.kernel.grid import Box

Ring = list[list[float]]
SQUARE: Ring = [[0, 0], [4, 0], [4, 4], [0, 4], [0, 0]]
HOLE: Ring = [[1, 1], [3, 1], [3, 3], [1, 3], [1, 1]]


def geojson(*areas: list[Ring]) -> str:
    return json.dumps({"type": "MultiPolygon", "coordinates": areas})


@settings(max_examples=100)
@given(st.data(), generators, shapes)
def test_any_chunking_covers_the_pixels_whose_centres_are_inside(
    data: st.DataObject, rng: np.random.Generator, shape: tuple[int, int]
) -> None:
    h, w = shape
    areas = [
        [(rng.uniform(-0.3, 1.3, (rng.integers(3, 9), 2)) * (w, h)).tolist() for _ in range(rng.integers(1, 4))]
        for _ in range(rng.integers(1, 4))
    ]
    polygons = Polygons.from_geojson(geojson(*areas))
    centres = np.argwhere(np.ones(shape, np.bool_))[:, ::-1] + 0.5
    inside = [sum(points_in_poly(centres, np.array(ring)).astype(int) for ring in rings) % 2 == 1 for rings in areas]
    expected = np.any(inside, axis=0).reshape(shape)
    found = np.zeros(shape, np.bool_)
    for box in data.draw(chunkings(shape)):
        found[box.slices] = polygons.cover(box)
    np.testing.assert_array_equal(found, expected)


def test_areas_that_share_a_side_share_no_pixel() -> None:
    """Sides and corners run through pixel centres here: each centre belongs to one side of them."""
    shape = (30, 30)
    tiles = [
        [[[x + 0.5, y + 0.5], [x + 10.5, y + 0.5], [x + 10.5, y + 10.5], [x + 0.5, y + 10.5]]]
        for y in (0, 10)
        for x in (0, 10)
    ]
    times = sum(Polygons.from_geojson(geojson(tile)).cover(Box.whole(shape)).astype(int) for tile in tiles)
    expected = np.zeros(shape, int)
    expected[:20, :20] = 1
    np.testing.assert_array_equal(times, expected)


NO_COORDINATES: list[dict[str, object]] = [{}, {"coordinates": None}, {"coordinates": []}, {"coordinates": [[]]}]
LEFT_OUT: list[tuple[object, str]] = [
    ({"type": "Point", "coordinates": [1, 1]}, "a 'Point'"),
    ({"type": "Circle", "coordinates": [1, 1], "radius": 4}, "a 'Circle'"),
    ({"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]}, "a 'Polygon' of fewer than 3 corners"),
    *(
        ({"type": kind} | coordinates, f"an empty '{kind}'")
        for kind in ("Polygon", "MultiPolygon")
        for coordinates in NO_COORDINATES
    ),
]


@pytest.mark.parametrize(("geometry", "words"), LEFT_OUT, ids=str)
def test_what_is_no_area_is_left_out_and_named(geometry: object, words: str) -> None:
    area = {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [SQUARE]}, "properties": {"name": "T"}}
    other = {"type": "Feature", "geometry": geometry, "properties": {"name": "note"}}
    polygons = Polygons.from_geojson(json.dumps([other, area]))
    assert (polygons.regions, polygons.left_out) == (("T",), (f"note ({words})",))
    with pytest.raises(InputError, match=f"were expected, note \\({words}\\) came; export areas"):
        Polygons.from_geojson(json.dumps([other]))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 100_000, "brackets in brackets"),
        ('{"type": "Polygon", "coordinates": [[[0, ' + "9" * 5000 + "], [4, 4], [0, 4]]]}", "too long a number"),
        ('{"type": "Polygon", "coordinates": [["00", "40", "44"]]}', "positions"),
        ("3", "^A GeoJSON object with a type was expected, '3' came; export the outlines as GeoJSON.$"),
    ],
    ids=["brackets", "digits", "words", "number"],
)
def test_what_cannot_be_is_refused_in_one_sentence(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Polygons.from_geojson(text)


def test_a_name_may_be_a_number() -> None:
    features = [
        {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [SQUARE]}, "properties": {"name": name}}
        for name in (3, "4", True)
    ]
    polygons = Polygons.from_geojson(json.dumps(features))
    assert polygons.regions == ("3", "4", "region 3")
    assert polygons.by_word


@pytest.mark.parametrize(
    "document",
    [
        {"type": "Polygon", "coordinates": [SQUARE, HOLE]},
        {"type": "Polygon", "coordinates": [SQUARE[:-1], HOLE[::-1]]},
        {"type": "MultiPolygon", "coordinates": [[SQUARE, HOLE]]},
        {"type": "GeometryCollection", "geometries": [{"type": "Polygon", "coordinates": [SQUARE, HOLE]}]},
        {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [SQUARE, HOLE]}},
        [{"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [SQUARE, HOLE]}}],
        {
            "type": "FeatureCollection",
            "features": [
                {"type": "Feature", "geometry": None},
                {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [SQUARE, HOLE]}},
                {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [SQUARE, HOLE]}},
            ],
        },
    ],
)
def test_every_way_to_write_a_square_with_a_hole(document: object) -> None:
    expected = np.zeros((5, 5), np.bool_)
    expected[:4, :4] = True
    expected[1:3, 1:3] = False
    np.testing.assert_array_equal(Polygons.from_geojson(json.dumps(document)).cover(Box(0, 0, 5, 5)), expected)


def test_the_scale_is_pixels_per_unit_along_y_and_x() -> None:
    covered = Polygons.from_geojson(geojson([SQUARE]), scale=(0.5, 2)).cover(Box(0, 0, 9, 9))
    assert covered[:2, :8].all()
    assert np.count_nonzero(covered) == 16


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("not json", "not JSON"),
        ("{}", "object with a type"),
        ("3", "object with a type"),
        ('{"type": "FeatureCollection", "features": []}', "at least one Polygon"),
        ('{"type": "Point", "coordinates": [1, 2]}', "'Point'"),
        ('{"type": "Polygon", "coordinates": []}', "'Polygon'"),
        ('{"type": "Polygon"}', "'Polygon'"),
        ('{"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]}', "fewer than 3 corners"),
        ('{"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [NaN, 2]]]}', "at least 3 finite positions"),
        ('{"type": "Polygon", "coordinates": [[0, 0, 1]]}', "positions"),
        ('{"type": "Polygon", "coordinates": [[["a", 0], [1, 2], [3, 4]]]}', "positions"),
        ('{"type": "Polygon", "coordinates": [7]}', "positions"),
        ('{"type": "Polygon", "coordinates": [[[0, 0], [1' + "0" * 400 + ", 1], [3, 4]]]}", "positions"),
        ('{"type": "Polygon", "coordinates": [[[0, 0], [1' + "0" * 9000 + ", 1], [3, 4]]]}", "cannot be read"),
        ('{"type": "Polygon", "coordinates": [[[0, 0], [1e400, 1], [3, 4]]]}', "finite"),
        ('{"type": "Polygon", "coordinates": [[[0, 0], [-1e308, 1], [3, 4]]]}', "px of the slide"),
        ("[" * 100_000, "cannot be read"),
        ("[" * 100_000 + "]" * 100_000, "cannot be read"),
        (
            '{"type": "Feature", "properties": {"name": "\\ud800"}, "geometry": {"type": "Polygon", "coordinates": '
            "[[[0, 0], [4, 0], [4, 4]]]}}",
            "whole letters",
        ),
    ],
)
def test_what_is_no_area_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Polygons.from_geojson(text)


def feature(class_: object, **properties: object) -> dict[str, object]:
    return {
        "type": "Feature",
        "properties": properties | ({} if class_ is None else {"classification": class_}),
        "geometry": {"type": "MultiPolygon", "coordinates": [[SQUARE], [HOLE]]},
    }


def test_regions_are_named_by_class_then_by_name_then_by_place() -> None:
    features = [
        feature({"name": "tract"}, name="left"),
        feature({"names": ["tract", "left"]}),
        feature(None, name="lone"),
        {"type": "Feature", "geometry": None},
        feature(None),
        feature({"name": ""}, name="lone"),
        {"type": "Polygon", "coordinates": [SQUARE]},
    ]
    polygons = Polygons.from_geojson(json.dumps({"type": "FeatureCollection", "features": features}))
    assert polygons.regions == ("tract", "tract: left", "lone", "region 5", "region 7")
    assert polygons.names == tuple(
        [name for name in ("tract", "tract: left", "lone", "region 5", "lone") for _ in range(2)] + ["region 7"]
    )


@settings(max_examples=50)
@given(st.data(), generators, shapes)
def test_the_first_area_of_the_file_has_a_pixel(
    data: st.DataObject, rng: np.random.Generator, shape: tuple[int, int]
) -> None:
    names = data.draw(st.lists(st.sampled_from("abc"), min_size=1, max_size=5))
    rings = [(rng.uniform(-0.3, 1.3, (4, 2)) * shape[::-1]).tolist() for _ in names]
    features = [
        {"type": "Feature", "properties": {"name": name}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
        for name, ring in zip(names, rings, strict=True)
    ]
    polygons = Polygons.from_geojson(json.dumps(features))
    expected = np.zeros(shape, np.uint32)
    for name, ring in reversed([*zip(names, rings, strict=True)]):
        expected[Polygons.from_geojson(geojson([ring])).cover(Box.whole(shape))] = polygons.regions.index(name) + 1
    found = np.zeros(shape, np.uint32)
    for box in data.draw(chunkings(shape)):
        found[box.slices] = polygons.label(box)
    np.testing.assert_array_equal(found, expected)


def test_what_is_no_region_is_left_out_and_named() -> None:
    others = [
        {"type": "Feature", "properties": {"name": "note"}, "geometry": {"type": "Point", "coordinates": [1, 1]}},
        {"type": "Feature", "properties": {"name": "bar"}, "geometry": {"type": "LineString", "coordinates": [[0, 0]]}},
        {"type": "Feature", "properties": {"name": "none"}, "geometry": {"type": "Polygon", "coordinates": []}},
        feature({"name": "Ignore*"}),
    ]
    polygons = Polygons.from_geojson(json.dumps([others[0], feature({"name": "tract"}), *others[1:]]))
    assert polygons.regions == ("tract",)
    assert polygons.left_out[:3] == ("note (a 'Point')", "bar (a 'LineString')", "none (an empty 'Polygon')")
    assert {left.split()[0] for left in polygons.left_out[3:]} == {"Ignore*"}
    with pytest.raises(InputError, match="'Point'"):
        Polygons.from_geojson(json.dumps(others))


def test_a_class_may_be_a_word() -> None:
    polygons = Polygons.from_geojson(json.dumps([feature("tract", name="left"), feature({"name": "tract"})]))
    assert polygons.regions == ("tract",)
    assert polygons.by_word
    assert not Polygons.from_geojson(json.dumps([feature({"name": "tract"})])).by_word


@pytest.mark.parametrize(("by", "off"), [((-5, 0), True), ((0, -5), True), ((-3, 0), False), ((20, 0), True)])
def test_regions_off_the_slide_are_named(by: tuple[int, int], off: bool) -> None:
    ring = [[x + by[0], y + by[1]] for x, y in SQUARE]
    there = {"type": "Feature", "properties": {"name": "b"}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
    polygons = Polygons.from_geojson(json.dumps([feature(None, name="a"), there]))
    assert polygons.outside((20, 20)) == (("b",) if off else ())
