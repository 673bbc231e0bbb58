"""napari, ngio and SpatialData see in a store what is in it; they run in an environment of their own."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from slides import analyse, picture, tissue, write_labels, write_model, write_slide

import axonflow
from axonflow.results.analysis import LABELS, Analysis
from axonflow.results.export import export_store
from axonflow.workflow.config import Config

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.readers


class Opened(NamedTuple):
    """A result, and what the readers saw."""

    result: Analysis
    seen: dict[str, Any]
    out: Path


@pytest.fixture(scope="module", params=["own pixels", "resampled"])
def opened(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Opened:
    """A store of several levels whose labels lie on the slide's pixels, and one of a network that wants others."""
    folder = tmp_path_factory.mktemp("opened")
    classes = tissue((700, 620), 3)
    out = folder / "slide.ome.zarr"
    given: dict[str, Any]
    if request.param == "resampled":
        slide = write_slide(folder / "slide.tif", picture(classes), 0.07)
        given = {"model": str(write_model(folder)), "min_axon_area_um2": 0.2}
    else:
        slide = write_slide(folder / "slide.tif", picture(classes))
        given = {"labels": write_labels(folder / "labels.png", classes), "regions": _regions(folder)}
    config = Config(slide, out, cell_um=6.0, chunk=256, **given)
    analyse(config)
    result = axonflow.open(out)
    spatial = export_store(result, "spatialdata", folder / "slide.spatialdata.zarr")
    inside = ROOT / "tests" / "readers_inside.py"
    page = ROOT / "docs" / "how-to" / "open-elsewhere.md"
    python = os.environ["AXONFLOW_TEST_READERS"]
    ran = subprocess.run([python, inside, out, spatial, page, folder], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return Opened(result, json.loads((folder / "seen.json").read_text()), folder)


def _regions(folder: Path) -> Path:
    ring = [[0, 0], [400, 0], [400, 700], [0, 700], [0, 0]]
    path = folder / "regions.geojson"
    path.write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}))
    return path


def total(result: Analysis, name: str | None) -> int:
    return int(np.asarray(result.pyramid(name).array()[:]).astype(np.int64).sum())


def test_napari_shows_every_id_in_a_colour_of_its_own_choice(opened: Opened) -> None:
    layers = opened.seen["napari"]
    for name in ("axons", "fibers"):
        background, *ids = layers[f"labels/labels/{name}"]["colours"]
        assert background[3] == 0
        assert len(ids) == len(opened.result.fibers) > 10
        assert all(colour[3] == 1 for colour in ids)
        assert len({tuple(colour) for colour in ids}) > 20


def test_napari_shows_the_classes_in_ours(opened: Opened) -> None:
    wanted = [(0, 0, 0, 0), *((*each.rgb, 160) for each in opened.result.classes if each.number)]
    colours = np.array(opened.seen["napari"]["labels/labels/semantic"]["colours"])
    np.testing.assert_allclose(colours, np.array(wanted) / 255, atol=1e-6)


@pytest.mark.parametrize("way", ["napari", "example"])
def test_napari_lays_the_labels_over_the_slide(opened: Opened, way: str) -> None:
    names = {"napari": ("slide: slide", "labels/labels/{}"), "example": ("slide", "{}")}[way]
    for name in (None, "axons", "fibers"):
        layer = opened.seen[way][names[0] if name is None else names[1].format(name)]
        pyramid = opened.result.pyramid(name)
        assert layer["sum"] == total(opened.result, name)
        assert layer["levels"] == pyramid.count > 1
        assert layer["scale"] == pytest.approx([pyramid.pixel_size.y, pyramid.pixel_size.x])
        assert layer["units"] == ["micrometer"] * 2
        if way == "example":
            assert layer["translate"] == pytest.approx(pyramid.origin_um)
    assert opened.seen[way][names[0]]["limits"] == pytest.approx(opened.result.pyramid().window) or way == "example"


def test_the_example_gives_napari_the_columns(opened: Opened) -> None:
    for name in ("axons", "fibers"):
        assert {"index", "gratio", "axon_diam (um)"} <= {*opened.seen["example"][name]["features"]}


def test_ngio_finds_labels_and_tables(opened: Opened) -> None:
    seen, result = opened.seen["ngio"], opened.result
    regions = result.record["config"]["regions"] is not None
    assert seen["labels"] == sorted(LABELS)
    assert seen["tables"] == {"fibers": "FeatureTableV1"} | ({"regions": "GenericTable"} if regions else {})
    assert seen["of"] == "axons"
    assert seen["pixel_um"] == pytest.approx(result.record["labels"]["pixel_size_um"])
    assert seen["sum"] == total(result, "axons")
    fibers = pd.read_pickle(opened.out / "ngio-fibers.pkl")
    pd.testing.assert_frame_equal(fibers[[*result.fibers]], result.fibers, check_exact=True, check_dtype=False)
    if regions:
        table = pd.read_pickle(opened.out / "ngio-regions.pkl")
        pd.testing.assert_frame_equal(table[[*result.regions]], result.regions, check_exact=True, check_dtype=False)


def test_spatialdata_reads_what_is_exported(opened: Opened) -> None:
    seen, result = opened.seen["spatialdata"], opened.result
    assert seen["elements"] == sorted(["morphometrics", "slide", *LABELS])
    for name, found in seen["extents"].items():
        pyramid = result.pyramid(None if name == "slide" else name)
        (h, w), size = pyramid.shape, pyramid.pixel_size
        assert found == pytest.approx([0, h * size.y, 0, w * size.x])
    assert seen["ids"] == [0, *result.fibers["axon_id"]]
    assert seen["annotated"] == len(result.fibers)
    table = pd.read_pickle(opened.out / "spatialdata.pkl").reset_index(drop=True)
    pd.testing.assert_frame_equal(table, result.fibers[[*table]], check_exact=True)
