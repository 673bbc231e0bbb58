"""What is exported is what is in the store, to the pixel."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image
from shapely.geometry import shape
from skimage.draw import polygon2mask
from slides import analyse, picture, tissue, write_labels, write_model, write_slide

import axonflow
from axonflow.errors import InputError, StoreError
from axonflow.fiber.region_table import REGION_COLUMNS
from axonflow.fiber.table import COLUMNS
from axonflow.results.analysis import Analysis
from axonflow.results.export import ads_mask, export_store, objects
from axonflow.workflow.config import Config

SHAPE = (301, 423)
TRACT = {
    "type": "Feature",
    "properties": {"name": 'a "tract"'},
    "geometry": {"type": "Polygon", "coordinates": [[[0, 0], [200, 0], [200, 301], [0, 301]]]},
}


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """A run in chunks of 64 px on masks, with a region and with axons that are left out."""
    folder = tmp_path_factory.mktemp("export")
    classes = tissue(SHAPE, 7)
    (folder / "r.geojson").write_text(json.dumps(TRACT))
    return Config(
        write_slide(folder / "slide.tif", picture(classes)),
        folder / "slide.ome.zarr",
        labels=write_labels(folder / "labels.png", classes),
        cell_um=6.0,
        chunk=64,
        max_myelin_um=1.0,
        min_axon_area_um2=0.5,
        border="all",
        regions=folder / "r.geojson",
    )


@pytest.fixture(scope="module")
def result(config: Config) -> Analysis:
    analyse(config)
    return axonflow.open(config.out)


def whole(result: Analysis, name: str) -> NDArray[Any]:
    labels: NDArray[Any] = np.asarray(result.pyramid(name).array(0)[:])
    return labels


def features_of(path: Path) -> list[dict[str, Any]]:
    document = json.loads(path.read_text())
    assert document["type"] == "FeatureCollection"
    features: list[dict[str, Any]] = document["features"]
    return features


def drawn(features: list[dict[str, Any]], shape_: tuple[int, int], scale: float = 1.0) -> NDArray[np.uint32]:
    """Draw the polygons by scikit-image, each with the number in its name."""
    labels = np.zeros(shape_, np.uint32)
    for feature in features:
        geometry = feature["geometry"]
        areas = [geometry["coordinates"]] if geometry["type"] == "Polygon" else geometry["coordinates"]
        for rings in areas:
            inside = np.zeros(shape_, bool)
            for ring in rings:
                assert ring[0] == ring[-1]
                inside ^= polygon2mask(shape_, np.array(ring)[:, ::-1] / scale - 0.5)
            assert (labels[inside] == 0).all()
            labels[inside] = int(feature["properties"]["name"].split()[1])
    return labels


def of_class(features: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [feature for feature in features if feature["properties"]["classification"]["name"] == name]


@pytest.mark.parametrize(("tile", "margin"), [(2048, 512), (64, 32), (50, 1)])
def test_the_polygons_are_the_labels(
    result: Analysis, tile: int, margin: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "TILE", tile)
    monkeypatch.setattr(objects, "MARGIN", margin)
    features = features_of(export_store(result, "geojson", tmp_path / "f.geojson"))
    assert len(features) == 2 * len(result.fibers) > 20
    for class_, name in (("Axon", "axons"), ("Fiber", "fibers")):
        np.testing.assert_array_equal(drawn(of_class(features, class_), SHAPE), whole(result, name))
    for feature in features:
        assert shape(feature["geometry"]).is_valid


def test_features_are_detections_with_the_columns_as_measurements(result: Analysis, tmp_path: Path) -> None:
    features = features_of(export_store(result, "geojson", tmp_path / "f.geojson"))
    assert {feature["properties"]["objectType"] for feature in features} == {"detection"}
    table = result.fibers.set_index("axon_id", drop=False)
    measured = set()
    for feature in features:
        row = table.loc[int(feature["properties"]["name"].split()[1])]
        values = feature["properties"]["measurements"]
        measured |= set(values)
        assert values == pytest.approx({name: float(row[name]) for name in values}, rel=1e-6)
        area = "axon_area (um^2)" if feature["properties"]["name"].startswith("axon") else "axonmyelin_area (um^2)"
        assert shape(feature["geometry"]).area * 0.01 == pytest.approx(values[area], rel=1e-6)
        region = feature["properties"].get("metadata", {}).get("region")
        assert region == (None if pd.isna(row["region"]) else 'a "tract"')
    unmeasured = {column.name for column in COLUMNS} - measured
    assert unmeasured == {"x0 (px)", "y0 (px)", "bbox_min_y", "bbox_min_x", "bbox_max_y", "bbox_max_x"}


def test_chunks_decide_nothing_and_gz_is_compressed(config: Config, result: Analysis, tmp_path: Path) -> None:
    other = replace(config, out=tmp_path / "other", chunk=512)
    analyse(other)
    plain, packed = (tmp_path / name for name in ("f.geojson", "f.geojson.gz"))
    export_store(result, "geojson", plain)
    export_store(axonflow.open(other.out), "geojson", packed)
    assert gzip.decompress(packed.read_bytes()) == plain.read_bytes()
    again = tmp_path / "g.geojson.gz"
    export_store(result, "geojson", again)
    assert again.read_bytes() == packed.read_bytes()
    assert not [*tmp_path.glob(".*partial")]


@pytest.fixture(scope="module")
def resampled(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    """A run by a network at another pixel size than the slide's."""
    folder = tmp_path_factory.mktemp("resampled")
    slide = write_slide(folder / "slide.tif", picture(tissue((150, 170))), 0.07)
    out, model = folder / "slide.ome.zarr", str(write_model(folder))
    config = Config(slide, out, model=model, min_axon_area_um2=0.2, border="all")
    analyse(config)
    return axonflow.open(config.out)


def test_outlines_lie_on_the_slides_pixels(resampled: Analysis, tmp_path: Path) -> None:
    features = features_of(export_store(resampled, "geojson", tmp_path / "f.geojson"))
    axons = whole(resampled, "axons")
    assert len(features) > 10
    np.testing.assert_array_equal(drawn(of_class(features, "Axon"), axons.shape, 0.1 / 0.07), axons)


def test_a_slide_without_axons_has_no_features(tmp_path: Path) -> None:
    nothing = np.zeros((70, 90), np.uint8)
    config = Config(
        write_slide(tmp_path / "s.tif", nothing), tmp_path / "s", labels=write_labels(tmp_path / "l.png", nothing)
    )
    analyse(config)
    assert features_of(export_store(axonflow.open(config.out), "geojson", tmp_path / "f.geojson")) == []


@pytest.mark.parametrize("name", ["mask.tif", "mask.png"])
def test_the_mask_makes_the_same_table_again(
    config: Config, result: Analysis, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ads_mask, "TILE", 64)
    monkeypatch.setattr(ads_mask, "READ", 128)
    mask = export_store(result, "ads-mask", tmp_path / name)
    pixels = tifffile.imread(mask) if name.endswith("tif") else np.asarray(Image.open(mask))
    np.testing.assert_array_equal(
        pixels, np.array([0, 127, 255], np.uint8)[result.counted.compute(scheduler="synchronous")]
    )
    again = replace(config, out=tmp_path / "again", labels=mask, min_axon_area_um2=None)
    analyse(again)
    pd.testing.assert_frame_equal(axonflow.open(again.out).fibers, result.fibers, check_exact=True)


def test_a_tiff_mask_is_tiled_and_has_its_pixel_size(result: Analysis, tmp_path: Path) -> None:
    with tifffile.TiffFile(export_store(result, "ads-mask", tmp_path / "mask.tif")) as file:
        assert file.is_bigtiff
        assert file.pages.first.is_tiled
        assert file.pages.first.tags["XResolution"].value[0] / file.pages.first.tags["XResolution"].value[1] == 1e5
    export_store(result, "ads-mask", tmp_path / "m.tif")
    assert (tmp_path / "m.tif").read_bytes() == (tmp_path / "mask.tif").read_bytes()


def test_a_mask_of_resampled_labels_lies_on_the_slides_pixels(resampled: Analysis, tmp_path: Path) -> None:
    pixels = tifffile.imread(export_store(resampled, "ads-mask", tmp_path / "mask.tif"))
    counted = resampled.counted.compute(scheduler="synchronous")
    rows, columns = (
        [min(int((i + 0.5) * 0.07 / 0.1), there - 1) for i in range(here)]
        for here, there in zip((150, 170), counted.shape, strict=True)
    )
    assert len(np.unique(counted)) == 3
    np.testing.assert_array_equal(pixels, np.array([0, 127, 255])[counted[np.ix_(rows, columns)]])


def test_what_is_too_large_for_a_png_is_refused(
    result: Analysis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ads_mask, "LARGEST_PNG_PX", 1000)
    with pytest.raises(InputError, match=r"at most 1,000 px .* 301 × 423 came; name a \.tif"):
        export_store(result, "ads-mask", tmp_path / "mask.png")
    with pytest.raises(InputError, match=r"mask\.jpg came"):
        export_store(result, "ads-mask", tmp_path / "mask.jpg")


def test_regions_as_csv_have_a_column_per_bin(result: Analysis, tmp_path: Path) -> None:
    table = pd.read_csv(export_store(result, "regions-csv", tmp_path / "r.csv"))
    names = [column.name for column in REGION_COLUMNS if column.dtype != "list[int64]"]
    assert list(table)[: len(names)] == names
    pd.testing.assert_frame_equal(table[names], result.regions[names], check_exact=True)
    bins = table.columns[len(names) :]
    assert (bins[0], bins[1], bins[-2], bins[-1]) == (
        "axons 0-0.25 um",
        "axons 0.25-0.5 um",
        "axons 9.75-10 um",
        "axons 10- um",
    )
    np.testing.assert_array_equal(table[bins].to_numpy()[0], result.regions["axon_diam_histogram"][0])
    assert table[bins].sum(axis=1).tolist() == table["axon_count"].tolist()


def test_without_regions_there_is_no_table_of_them(resampled: Analysis, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="run it with --regions"):
        export_store(resampled, "regions-csv", tmp_path / "r.csv")
    assert not [*tmp_path.iterdir()]


def test_an_svg_is_drawn(result: Analysis, tmp_path: Path) -> None:
    assert "<svg" in export_store(result, "svg", tmp_path / "maps.svg").read_text()
