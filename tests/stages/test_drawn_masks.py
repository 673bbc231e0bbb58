"""Outlines by QuPath and ImageJ are read as they are meant, or refused."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import roifile
from numpy.typing import NDArray
from skimage.draw import polygon2mask

from axonflow.errors import InputError
from axonflow.kernel.grid import Box
from axonflow.kernel.units import PixelSize
from axonflow.stages.drawn_masks import MaskRole, is_drawn, open_drawn
from axonflow.stages.masks import Mask

SHAPE, UM = (120, 150), PixelSize(0.1, 0.1)
WHOLE = Box.whole(SHAPE)

Ring = list[tuple[float, float]]


def square(x: float, y: float, side: float = 20) -> Ring:
    return [(x, y), (x + side, y), (x + side, y + side), (x, y + side), (x, y)]


def feature(ring: Ring, class_: object = None, *holes: Ring) -> dict[str, Any]:
    properties = {} if class_ is None else {"classification": class_}
    geometry = {"type": "Polygon", "coordinates": [ring, *holes]}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def geojson(folder: Path, *features: dict[str, Any]) -> Path:
    path = folder / "drawn.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def rois(folder: Path, *found: roifile.ImagejRoi) -> Path:
    path = folder / "rois.zip"
    roifile.roiwrite(path, list(found), mode="w")
    return path


def opened(path: Path, role: MaskRole = "axon", unit: Any = "px", size: PixelSize = UM) -> Mask:
    return open_drawn(path, role, unit, SHAPE, size)


def pixels(*rings: Ring) -> NDArray[np.bool_]:
    """Draw rings by scikit-image, by the even-odd rule."""
    drawn = np.zeros(SHAPE, bool)
    for ring in rings:
        drawn ^= polygon2mask(SHAPE, np.array(ring)[:, ::-1] - 0.5)
    return drawn


def test_an_outline_is_known_by_its_ending() -> None:
    names = ("a.geojson", "a.JSON", "a.zip", "a.ROI", "a.tif", "a.png")
    assert [is_drawn(Path(name)) for name in names] == [True, True, True, True, False, False]


def test_outlines_that_touch_stay_apart(tmp_path: Path) -> None:
    left, right = square(10, 10), square(30, 10)
    mask = opened(geojson(tmp_path, feature(left), feature(right)))
    expected = pixels(left) | pixels(right)
    expected[:, 30] = False
    np.testing.assert_array_equal(mask.drawn(WHOLE), expected)
    np.testing.assert_array_equal(mask.covered(WHOLE), pixels(left) | pixels(right))
    assert not mask.notes


def test_myelin_that_touches_stays_together(tmp_path: Path) -> None:
    left, right = square(10, 10), square(30, 10)
    mask = opened(geojson(tmp_path, feature(left), feature(right)), "myelin")
    np.testing.assert_array_equal(mask.drawn(WHOLE), pixels(left) | pixels(right))


CLASSES = {
    "axon": "Axon",
    "myelin": {"name": "Fiber", "color": [1, 2, 3]},
    "unmyelinated": {"names": ["uaxon", "small"]},
}


@pytest.mark.parametrize("role", ["axon", "myelin", "unmyelinated"])
def test_each_mask_takes_the_outlines_of_its_class(role: MaskRole, tmp_path: Path) -> None:
    rings = {name: square(10 + 40 * k, 10 + 5 * k) for k, name in enumerate(CLASSES)}
    path = geojson(
        tmp_path, *(feature(rings[name], CLASSES[name]) for name in CLASSES), feature(square(90, 90), "Tract")
    )
    mask = opened(path, role)
    np.testing.assert_array_equal(mask.covered(WHOLE), pixels(rings[role]))
    assert len({opened(path, each).image.identity for each in ("axon", "myelin", "unmyelinated")}) == 3
    assert "3 of other classes" in mask.notes[0]


def test_a_file_without_classes_is_one_content(tmp_path: Path) -> None:
    path = geojson(tmp_path, feature(square(10, 10), "Tract 1"), feature(square(50, 10)))
    assert opened(path).image.identity == opened(path, "myelin").image.identity  # so that both of it are refused
    assert opened(path, unit="um", size=PixelSize(0.9, 0.9)).image.identity != opened(path).image.identity


def test_a_file_without_the_class_is_refused(tmp_path: Path) -> None:
    path = geojson(tmp_path, feature(square(10, 10), "Axon"))
    with pytest.raises(InputError, match=r"myelin or fibers were expected .*holds Axon; give the file of these"):
        opened(path, "myelin")


def test_um_are_pixels_by_the_pixel_size(tmp_path: Path) -> None:
    path = geojson(tmp_path, feature([(x / 5, y / 10) for x, y in square(30, 20, 60)]))
    mask = opened(path, unit="um", size=PixelSize(0.1, 0.2))
    np.testing.assert_array_equal(mask.drawn(WHOLE), pixels(square(30, 20, 60)))


@pytest.mark.parametrize("unit", [None, "px", "um"])
def test_what_is_um_by_all_appearance_is_not_taken_for_pixels(unit: str | None, tmp_path: Path) -> None:
    places = [(x, y) for x in (1, 7, 12) for y in (1, 5, 9)]  # of a slide of 12 × 15 µm
    path = geojson(tmp_path, *(feature(square(x, y, 2)) for x, y in places))
    if unit:
        opened(path, unit=unit)
    else:
        with pytest.raises(InputError, match=r"reach y 11 and x 14: .*\(12 × 15 µm\).*--outlines-unit um, or px"):
            opened(path, unit=unit)


def test_outlines_of_which_most_are_off_the_slide_are_refused(tmp_path: Path) -> None:
    off = [feature(square(200 + k, 10), f"axon {k}") for k in range(3)]
    with pytest.raises(InputError, match=r"120 × 150 px .*3 of 5 in .* such as axon 0; .*--outlines-unit"):
        opened(geojson(tmp_path, *off, feature(square(10, 10), "axon"), feature(square(50, 10), "axon")))


def test_what_is_odd_is_named(tmp_path: Path) -> None:
    bow = [(50.3, 50.0), (70.0, 70.4), (70.0, 50.0), (50.0, 70.7)]
    drawn = {
        "axon 1": square(10, 10),
        "axon 2": square(400, 10),
        "axon 3": square(10, 10),
        "axon 4": bow,
        "axon 5": [(1.0, 1.0), (2.0, 2.0), (3.0, 3.0)],
    }
    point = {"type": "Feature", "geometry": {"type": "Point", "coordinates": [1, 2]}, "properties": {"name": "here"}}
    mask = opened(geojson(tmp_path, *(feature(ring, name) for name, ring in drawn.items()), point))
    found = " ".join(mask.notes)
    for said in (
        r"no outline of an area: here (a 'Point')",
        "1 outline off the slide: axon 2",
        "1 outline without area: axon 5",
        "drawn as another before, which counts once: axon 3",
        "cross themselves, of which a place that is encircled twice is left out: axon 4",
    ):
        assert said in found
    np.testing.assert_array_equal(mask.covered(WHOLE), pixels(square(10, 10)) | pixels(bow))


def test_parts_of_one_outline_that_meet_in_a_corner_are_one_object(tmp_path: Path) -> None:
    parts = [[square(10, 10)], [square(30, 30)]]
    both = {"type": "Feature", "geometry": {"type": "MultiPolygon", "coordinates": parts}, "properties": None}
    mask = opened(geojson(tmp_path, both))
    np.testing.assert_array_equal(mask.drawn(WHOLE), pixels(parts[0][0]) | pixels(parts[1][0]))


def roi(kind: roifile.ROI_TYPE, ring: Ring, **given: Any) -> roifile.ImagejRoi:
    made = roifile.ImagejRoi.frompoints(np.array(ring), **given)
    made.roitype = kind
    return made


def box_roi(kind: roifile.ROI_TYPE, x: int, y: int, w: int, h: int) -> roifile.ImagejRoi:
    return roifile.ImagejRoi(roitype=kind, left=x, top=y, right=x + w, bottom=y + h, name=kind.name)


@pytest.mark.parametrize("kind", ["POLYGON", "FREEHAND", "TRACED"])
@pytest.mark.parametrize("shift", [0, 0.25])
def test_rois_are_drawn_as_imagej_means_them(kind: str, shift: float, tmp_path: Path) -> None:
    ring = [(20 + shift, 10), (60, 12), (55, 70 + shift), (30, 60)]
    path = rois(tmp_path, roi(roifile.ROI_TYPE[kind], [(float(x), float(y)) for x, y in ring] if shift else ring))
    np.testing.assert_array_equal(opened(path).drawn(WHOLE), pixels(ring))


def test_rectangles_are_pixels_and_ovals_those_whose_centres_they_hold(tmp_path: Path) -> None:
    kinds = roifile.ROI_TYPE
    path = rois(tmp_path, box_roi(kinds.RECT, 10, 20, 30, 5), box_roi(kinds.OVAL, 50, 40, 61, 40))
    expected = np.zeros(SHAPE, bool)
    expected[20:25, 10:40] = True
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]] + 0.5
    away = ((x - 80.5) / 30.5) ** 2 + ((y - 60) / 20) ** 2 - 1
    expected |= away <= 0
    clear = np.abs(away) > 0.002  # of what lies on the line itself either is right
    np.testing.assert_array_equal(opened(path).drawn(WHOLE)[clear], expected[clear])


def test_a_roi_with_a_hole_has_one(tmp_path: Path) -> None:
    rings = [square(10, 10, 60), square(20, 20, 20), square(100, 10, 9)]
    made = box_roi(roifile.ROI_TYPE.RECT, 10, 10, 100, 60)
    steps = [
        step for ring in rings for k, at in enumerate(ring[:-1]) for step in (float(k > 0), *at, *[4.0] * (k == 3))
    ]
    made.multi_coordinates = np.array(steps, np.float32)
    made.shape_roi_size = len(steps)
    np.testing.assert_array_equal(opened(rois(tmp_path, made)).drawn(WHOLE), pixels(*rings))


def test_rois_without_area_are_left_out_and_named(tmp_path: Path) -> None:
    kinds = roifile.ROI_TYPE
    line = [roi(kinds[kind], square(10, 10), name=kind) for kind in ("POLYLINE", "FREELINE", "POINT", "ANGLE")]
    mask = opened(rois(tmp_path, *line, roi(kinds.POLYGON, square(40, 40), name="axon 7")))
    np.testing.assert_array_equal(mask.drawn(WHOLE), pixels(square(40, 40)))
    assert "POLYLINE (polyline), FREELINE (freeline), POINT (point) and ANGLE (angle)" in mask.notes[0]
    with pytest.raises(InputError, match=r"Outlines of areas were expected in .*POLYLINE \(polyline\)"):
        opened(rois(tmp_path, *line))


def test_a_single_roi_is_a_set_of_one(tmp_path: Path) -> None:
    (tmp_path / "a.roi").write_bytes(roi(roifile.ROI_TYPE.POLYGON, square(40, 40)).tobytes())
    np.testing.assert_array_equal(opened(tmp_path / "a.roi").drawn(WHOLE), pixels(square(40, 40)))


def packed(**members: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.roi", data)
    return content.getvalue()


GOOD = roi(roifile.ROI_TYPE.POLYGON, square(40, 40)).tobytes()

BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "no zip": (lambda: b"PK\x03\x04 nothing", "set of ImageJ's ROIs"),
    "empty": (lambda: b"", "set of ImageJ's ROIs"),
    "cut": (lambda: packed(a=GOOD)[:-30], "set of ImageJ's ROIs"),
    "without ROIs": (packed, "Outlines of areas were expected .* nothing came"),
    "a text": (lambda: packed(a=b"nothing of the kind" * 9), "a cannot be read"),
    "a ROI that is cut": (lambda: packed(a=GOOD[:70]), "a cannot be read"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_set_of_rois_is_refused(name: str, tmp_path: Path) -> None:
    content, said = BAD[name]
    (tmp_path / "rois.zip").write_bytes(content())
    with pytest.raises(InputError, match=said):
        opened(tmp_path / "rois.zip")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{}", "with a type was expected"),
        (b"nothing", "it is not JSON"),
        (b'{"type": "FeatureCollection", "features": []}', "Outlines of areas were expected .* nothing came"),
        (b'{"type": "Polygon", "coordinates": [[[0, 0], [1, 1e999], [2, 2]]]}', "finite positions"),
        (b"\xff\xfe\x00", "cannot be read"),
    ],
)
def test_what_is_no_geojson_is_refused(content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "a.geojson").write_bytes(content)
    with pytest.raises(InputError, match=said):
        opened(tmp_path / "a.geojson")


def test_a_file_that_changed_meanwhile_is_not_drawn(tmp_path: Path) -> None:
    path = geojson(tmp_path, feature(square(10, 10)))
    mask = opened(path)
    geojson(tmp_path, feature(square(20, 20)))
    with pytest.raises(Exception, match="the file has changed"):
        mask.drawn(WHOLE)
