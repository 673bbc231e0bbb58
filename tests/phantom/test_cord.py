"""A cord is the same however it is drawn, its truth is what was drawn, and both are as tissue is."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from axonflow.errors import InputError
from axonflow.kernel.grid import Box, Grid
from axonflow.phantom import Cord, write
from axonflow.phantom.anatomy import GREY_FIBERS, STEP, TRACTS, Tract, atlas

EIGHT = np.ones((3, 3))

REAL_GREYS = {1: (-2.32, -1.32), 5: (-1.80, -1.32), 25: (-0.92, -0.72), 50: (-0.13, 0.16), 75: (0.74, 0.88),
              95: (1.37, 1.70), 99: (1.62, 2.36)}  # fmt: skip
"""Percentile → its range over the nine images of ASTIH SEM1, at 0.1 µm, in standard deviations from the mean."""

REAL_POWER = (
    (0.0025, 0.0280),
    (0.0043, 0.0722),
    (0.0401, 0.1838),
    (0.1910, 0.3727),
    (0.2280, 0.4389),
    (0.1450, 0.4134),
)
"""Share of the power in octaves of wavelength, 2–4, 4–8 … 64–128 px: its range over the same images."""


@settings(max_examples=30)
@given(st.tuples(st.integers(1, 420), st.integers(1, 500)), st.integers(0, 5), st.data())
def test_any_box_is_that_part_of_the_whole(shape: tuple[int, int], seed: int, data: st.DataObject) -> None:
    cord, whole = Cord(shape, seed), Box.whole(shape)
    y0, x0 = (data.draw(st.integers(0, side - 1)) for side in shape)
    y1, x1 = data.draw(st.integers(y0 + 1, shape[0])), data.draw(st.integers(x0 + 1, shape[1]))
    box = Box(y0, x0, y1, x1)
    np.testing.assert_array_equal(cord.classes(box), cord.classes(whole)[box.slices])
    np.testing.assert_array_equal(cord.image(box), cord.image(whole)[box.slices])


@pytest.mark.parametrize("chunk", [(64, 480), (333, 257), (1200, 200)], ids=str)
def test_any_chunks_in_any_order_are_the_whole(chunk: tuple[int, int]) -> None:
    cord = Cord((1200, 1500), 3)
    whole = Box.whole(cord.shape)
    image, classes = np.zeros(cord.shape, np.uint8), np.zeros(cord.shape, np.uint8)
    boxes = [*Grid(cord.shape, chunk)]
    for k in np.random.default_rng(0).permutation(len(boxes)):
        image[boxes[k].slices], classes[boxes[k].slices] = cord.image(boxes[k]), cord.classes(boxes[k])
    np.testing.assert_array_equal(image, cord.image(whole))
    np.testing.assert_array_equal(classes, cord.classes(whole))


@pytest.mark.parametrize("cord", [Cord((900, 9000), 7), Cord((4800, 6000), 1)], ids=str)
def test_a_box_far_from_the_origin_is_that_part_of_a_larger_one(cord: Cord) -> None:
    h, w = cord.shape
    large = Box(h // 2 - 150, w // 2 - 700, h // 2 + 350, w // 2 + 800)
    small = Box(large.y0 + 90, large.x0 + 610, large.y0 + 330, large.x0 + 1010)
    np.testing.assert_array_equal(cord.image(small), cord.image(large)[90:330, 610:1010])


@pytest.mark.parametrize(
    "cord",
    [Cord((1, 1)), Cord((7, 300), 1), Cord((400, 500), 2), Cord((1200, 1500), 3), Cord((2000, 2500), 4)],
    ids=str,
)
def test_truth_is_that_of_the_whole_image(cord: Cord) -> None:
    truth, classes = cord.truth(), cord.classes(Box.whole(cord.shape))
    labels, n = ndimage.label(classes == 2, EIGHT)
    assert len(truth) == n
    assert n or min(cord.shape) < 100
    index = np.arange(1, n + 1)
    np.testing.assert_array_equal(truth["axon_px"], np.bincount(labels.ravel(), minlength=n + 1)[1:])
    for name, grid in zip(("y0 (px)", "x0 (px)"), np.indices(cord.shape), strict=True):
        if n:
            np.testing.assert_allclose(truth[name], ndimage.mean(grid, labels, index), rtol=1e-12)
    for row, box in zip(truth.itertuples(), ndimage.find_objects(labels), strict=True):
        assert (row.min_y, row.min_x, row.max_y, row.max_x) == (
            box[0].start, box[1].start, box[0].stop, box[1].stop,
        )  # fmt: skip
    fibers, _ = ndimage.label(classes > 0, EIGHT)
    if n:
        owner = np.asarray(ndimage.maximum(fibers, labels, index), int)
        assert len(set(owner)) == n  # a pixel parts any two fibers
        np.testing.assert_array_equal(truth["fiber_px"], np.bincount(fibers.ravel())[owner])


def test_no_myelin_is_without_an_axon() -> None:
    cord = Cord((1600, 2000), 6)
    classes = cord.classes(Box.whole(cord.shape))
    fibers, n = ndimage.label(classes > 0, EIGHT)
    assert (ndimage.maximum(classes, fibers, np.arange(1, n + 1)) == 2).all()


@pytest.fixture(scope="module")
def tracts() -> pd.DataFrame:
    """Of a large cord, by tract: axons, density, mean and spread of their diameters, g-ratio, and the fibers' area."""
    cord = Cord((7200, 9000), 5)
    axons = cord.truth()
    tract = _tract_at(cord, axons["y0 (px)"].to_numpy(), axons["x0 (px)"].to_numpy())
    mm2 = np.bincount(atlas().tract.ravel(), minlength=len(TRACTS) + 2) * (cord.frame[2] * STEP * 1e-4) ** 2
    rows = {}
    for number, known in enumerate((GREY_FIBERS, *TRACTS), 1):
        own = axons[tract == number]
        diameter = np.sqrt(4 * own["axon_px"] / np.pi) * 0.1
        rows[known.name] = {
            "n": len(own),
            "density": len(own) / mm2[number],
            "diameter": diameter.mean(),
            "spread": diameter.std(),
            "gratio": np.sqrt(own["axon_px"].sum() / own["fiber_px"].sum()),
            "fibers": own["fiber_px"].sum() * 1e-8 / mm2[number],
        }
    return pd.DataFrame(rows).T


def _tract_at(cord: Cord, y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.uint8]:
    mid_y, mid_x, scale = cord.frame
    drawn = atlas().tract
    v, u = (
        np.rint((at - mid) / (scale * STEP) + (side - 1) / 2).astype(int)
        for at, mid, side in ((y, mid_y, drawn.shape[0]), (x, mid_x, drawn.shape[1]))
    )
    found: NDArray[np.uint8] = drawn[v, u]
    return found


@pytest.mark.parametrize("known", [GREY_FIBERS, *TRACTS], ids=lambda tract: tract.name)
def test_each_tract_has_its_axons(tracts: pd.DataFrame, known: Tract) -> None:
    found = tracts.loc[known.name]
    narrow = known.name in {"Lissauer", "grey matter"}  # its border is a large part of it
    assert found["density"] == pytest.approx(known.density, rel=0.20 if narrow else 0.10)
    assert found["diameter"] == pytest.approx(known.diameter_um, rel=0.15 if narrow else 0.08)
    assert found["gratio"] == pytest.approx(known.gratio, abs=0.02)
    assert found["spread"] == pytest.approx(known.spread_um, rel=0.60 if narrow else 0.25)


def test_tracts_differ_as_the_literature_says(tracts: pd.DataFrame) -> None:
    diameter, density = tracts["diameter"], tracts["density"]
    white = [tract.name for tract in TRACTS if tract.name != "Lissauer"]
    assert density[white].idxmax() == "corticospinal" == diameter[white].idxmin()
    assert density["corticospinal"] == pytest.approx(200_000, rel=0.08)
    assert tracts["gratio"]["corticospinal"] == pytest.approx(0.6, abs=0.015)
    assert diameter["gracile"] < diameter["cuneate"] < diameter["dorsal spinocerebellar"]
    assert set(diameter[white].nlargest(2).index) == {"spinothalamic", "vestibulospinal"}
    assert (tracts["fibers"][white] > 0.5).all()  # as packed as in tissue
    assert tracts["fibers"]["grey matter"] < 0.05
    assert tracts["gratio"].between(0.5, 0.75).all()


def _fields(cord: Cord, side: int = 512) -> list[NDArray[np.uint8]]:
    """Return squares of white matter of every kind."""
    mid_y, mid_x, scale = cord.frame
    places = ((-0.5, -0.1), (-0.5, 0.3), (-0.1, 0.84), (-0.25, -0.62), (0.60, -0.35), (0.58, 0.30), (0.18, -0.88))
    return [
        cord.image(Box(y - side // 2, x - side // 2, y + side // 2, x + side // 2))
        for y, x in ((round(mid_y + v * scale), round(mid_x + u * scale)) for v, u in places)
    ]


def test_greys_are_spread_as_in_real_images() -> None:
    pixels = np.concatenate([field.ravel() for field in _fields(Cord((4800, 6000)))]).astype(float)
    for percentile, (low, high) in REAL_GREYS.items():
        found = (np.percentile(pixels, percentile) - pixels.mean()) / pixels.std()
        assert low - 0.1 <= found <= high + 0.1, percentile
    assert 40 < pixels.std() < 72  # 46 to 72 in the real ones


def test_the_power_spectrum_is_that_of_real_images() -> None:
    n = 256
    window = np.outer(np.hanning(n), np.hanning(n))
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(n), np.fft.fftfreq(n)))
    power = np.zeros((n, n))
    for field in _fields(Cord((4800, 6000))):
        for y, x in ((0, 0), (0, n), (n, 0), (n, n), (n // 2, n // 2)):
            tile = field[y : y + n, x : x + n].astype(float)
            power += np.abs(np.fft.fft2((tile - tile.mean()) * window)) ** 2
    octaves = np.array([power[(frequency >= 2.0**-k / 2) & (frequency < 2.0**-k)].sum() for k in range(1, 7)])
    for share, (low, high) in zip(octaves / octaves.sum(), REAL_POWER, strict=True):
        assert low / 1.2 <= share <= high * 1.2


def test_outlines_are_those_of_what_is_drawn(tmp_path: Path) -> None:
    cord = Cord((800, 1000), 2)
    write(tmp_path / "p.tif", cord, tmp_path / "truth")
    whole = Box.whole(cord.shape)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "p.tif"), cord.image(whole))
    np.testing.assert_array_equal(
        tifffile.imread(tmp_path / "truth" / "labels.tif"), np.array([0, 127, 255])[cord.classes(whole)]
    )
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "truth" / "axons.parquet"), cord.truth())
    shapes = {path.stem: json.loads(path.read_text())["features"] for path in (tmp_path / "truth").glob("*.geojson")}
    assert set(shapes) == {"tissue", "white-matter", "tracts"}
    names = [feature["properties"]["classification"]["name"] for feature in shapes["tracts"]]
    assert names == ["grey matter", *(tract.name for tract in TRACTS)]
    y, x = np.indices(cord.shape)
    tract = _tract_at(cord, y.ravel().astype(float), x.ravel().astype(float)).reshape(cord.shape)
    drawn = {name: _drawn(shapes[name][0], y, x) for name in ("tissue", "white-matter")}
    assert np.mean(drawn["tissue"] != (tract > 0)) < 0.01
    assert np.mean(drawn["white-matter"] != (tract > 1)) < 0.01
    tracts = [_drawn(feature, y, x) for feature in shapes["tracts"]]
    assert np.sum(tracts, axis=0).max() == 1
    for number, pixels in enumerate(tracts, 1):
        assert np.count_nonzero(pixels != (tract == number)) < 0.05 * np.count_nonzero(pixels)


def _drawn(feature: dict[str, Any], y: NDArray[np.int64], x: NDArray[np.int64]) -> NDArray[np.bool_]:
    drawn = np.zeros(y.shape, bool)
    for polygon in feature["geometry"]["coordinates"]:
        for ring in polygon:
            drawn ^= _inside(np.array(ring), y, x)
    return drawn


def _inside(ring: NDArray[np.float64], y: NDArray[np.int64], x: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell which pixels lie in a closed ring of (x, y), by the even–odd rule."""
    inside = np.zeros(y.shape, bool)
    for (x0, y0), (x1, y1) in pairwise(ring):
        if y0 != y1:
            inside ^= ((y0 > y) != (y1 > y)) & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
    return inside


def test_another_seed_is_another_cord() -> None:
    box = Box(200, 200, 300, 300)
    assert (Cord((480, 600), 1).image(box) != Cord((480, 600), 2).image(box)).mean() > 0.5


def test_refusals() -> None:
    with pytest.raises(InputError, match="1 × 1"):
        Cord((0, 5))
    with pytest.raises(InputError, match="seed"):
        Cord((5, 5), -1)
