"""Regions are those of the whole image, whoever drew them and however the slide was cut, and redo nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from skimage.draw import polygon2mask
from slides import Classes, analyse, command, contents, picture, tissue, write_labels, write_slide

import axonflow
from axonflow.errors import InputError, StoreError
from axonflow.fiber.maps import centroid_pixels
from axonflow.fiber.rules import LEFT_OUT
from axonflow.fiber.table import COLUMNS, REGION
from axonflow.workflow.config import Config

SHAPE = (301, 423)
CORD = [[12.3, 10.2], [210.7, 33.1], [180.4, 250.6], [31.9, 190.8]]
"""A tract's outline, (x, y)."""
ROOT = [[150.2, 100.1], [400.6, 20.4], [390.3, 280.2]]
"""Another, which overlaps it."""


def feature(class_: str | None, *rings: list[list[float]], **properties: Any) -> dict[str, Any]:
    if class_ is not None:
        properties["classification"] = {"name": class_, "color": [1, 2, 3]}
    return {
        "type": "Feature",
        "id": "2f8c1f6e-0f2c-4b0a-9e55-0c6d1a2b3c4d",
        "geometry": {"type": "Polygon", "coordinates": [*rings]},
        "properties": {"objectType": "annotation"} | properties,
    }


def write(path: Path, *features: dict[str, Any]) -> Path:
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def drawn() -> NDArray[np.uint8]:
    """The same outlines by scikit-image, 1 where the first covers and 2 where the other does alone."""
    first, other = (polygon2mask(SHAPE, np.array(ring)[:, ::-1] - 0.5) for ring in (CORD, ROOT))
    return np.where(first, 1, np.where(other, 2, 0)).astype(np.uint8)


@pytest.fixture(scope="module")
def classes() -> Classes:
    return tissue(SHAPE)


@pytest.fixture(scope="module")
def plain(classes: Classes, tmp_path_factory: pytest.TempPathFactory) -> Config:
    """A run without regions, in chunks of 128 px."""
    folder = tmp_path_factory.mktemp("regions")
    slide, labels = write_slide(folder / "slide.tif", picture(classes)), write_labels(folder / "labels.png", classes)
    config = Config(slide, folder / "out", labels=labels, cell_um=6.0, chunk=128, max_myelin_um=1.0)
    analyse(config)
    return config


@pytest.fixture
def config(plain: Config, tmp_path: Path) -> Config:
    """The same with two tracts, and one that lies beyond the slide."""
    far = [[x + 1000, y] for x, y in CORD]
    return replace(
        plain, regions=write(tmp_path / "r.geojson", feature("cord", CORD), feature("root", ROOT), feature("far", far))
    )


def test_numbers_are_those_of_the_whole_image(config: Config, classes: Classes, tmp_path: Path) -> None:
    covered = np.zeros(SHAPE, bool)
    covered[20:260, 40:380] = True
    Image.fromarray(covered).save(tmp_path / "mask.png")
    analyse(replace(config, mask=tmp_path / "mask.png"))
    result = axonflow.open(config.out)
    table, fibers = result.regions.set_index("region"), result.fibers
    assert list(table.index) == ["cord", "root", "far"]
    y, x = centroid_pixels(fibers)
    at = np.where(covered, drawn(), 0)[y, x]
    names = np.array(["", "cord", "root"])[at]
    assert fibers[REGION.name].fillna("").tolist() == names.tolist()
    assert fibers[REGION.name].isna().any()
    assert set(names) == {"", "cord", "root"}
    for number, name in enumerate(("cord", "root"), 1):
        row, part = table.loc[name], (drawn() == number) & covered
        axon, myelin = (np.count_nonzero(part & (classes == kind)) for kind in (2, 1))
        here = fibers[at == number]
        diameter, area_mm2 = here["axon_diam (um)"], np.count_nonzero(part) * 1e-8
        assert len(here) > 5
        assert row["axon_count"] == len(here)
        expected = {
            "area (mm^2)": area_mm2,
            "axon_density (mm^-2)": len(here) / area_mm2,
            "avf": axon / np.count_nonzero(part),
            "mvf": myelin / np.count_nonzero(part),
            "gratio_aggregate": (1 / (1 + myelin / axon)) ** 0.5,
            "gratio_mean": here["gratio"][here["myelin_area (um^2)"] > 0].mean(),
            "axon_diam_mean (um)": diameter.mean(),
            "axon_diam_std (um)": diameter.std(ddof=0),
        } | {f"axon_diam_p{q} (um)": diameter.quantile(q / 100) for q in (5, 25, 50, 75, 95)}
        assert row[list(expected)].to_dict() == pytest.approx(expected)
        bins = [np.count_nonzero((diameter >= k / 4) & (diameter < (k + 1) / 4)) for k in range(40)]
        assert row["axon_diam_histogram"].tolist() == [*bins, np.count_nonzero(diameter >= 10)]
    far = table.loc["far"]
    assert (far["area (mm^2)"], far["axon_count"], sum(far["axon_diam_histogram"])) == (0, 0, 0)
    assert far[["avf", "axon_density (mm^-2)", "axon_diam_p50 (um)", "gratio_mean"]].isna().all()


def test_regions_redo_no_measurement_and_leave_no_trace(config: Config, plain: Config) -> None:
    analyse(plain)
    before = contents(plain.out)
    redone = analyse(config)
    assert redone[0] == "measure.regions"
    assert {stage.partition(".")[0] for stage in redone} <= {"measure", "map"}
    assert "measure" not in redone
    after = contents(plain.out)
    assert {name for name in before | after if before.get(name) != after.get(name)} == {
        "tables/fibers.parquet",
        "tables/regions.parquet",
        *(f"tables/{name}" for name in ("zarr.json", "fibers/table.parquet", "regions/table.parquet")),
        "tables/regions/zarr.json",
    }
    assert analyse(config) == []
    assert list(axonflow.open(plain.out).fibers) == [*(column.name for column in COLUMNS), LEFT_OUT.name, REGION.name]
    assert analyse(plain)[0] == "measure.regions"
    assert contents(plain.out) == before
    with pytest.raises(StoreError, match="run it with --regions"):
        _ = axonflow.open(plain.out).regions


@pytest.mark.parametrize("chunk", [64, 512])
def test_chunks_decide_nothing(config: Config, chunk: int, tmp_path: Path) -> None:
    analyse(config)
    other = replace(config, out=tmp_path / "out", chunk=chunk)
    analyse(other)
    for name in ("fibers", "regions"):
        one, two = ((store / "tables" / f"{name}.parquet").read_bytes() for store in (config.out, other.out))
        assert one == two


def test_an_image_of_labels_is_the_same_as_the_polygons(config: Config, tmp_path: Path) -> None:
    analyse(config)
    outlined = axonflow.open(config.out)
    names, table = outlined.fibers[REGION.name], outlined.regions
    numbered = replace(config, regions=tmp_path / "labels.png")
    Image.fromarray(drawn()).save(tmp_path / "labels.png")
    analyse(numbered)
    result = axonflow.open(config.out)
    assert result.regions["region"].tolist() == ["1", "2"]
    numbered_so = result.fibers[REGION.name].map({"1": "cord", "2": "root"})
    assert numbered_so.fillna("").tolist() == names.fillna("").tolist()
    numbers = [column for column in table if column not in {"region", "axon_diam_histogram"}]
    np.testing.assert_array_equal(result.regions[numbers], table[numbers][:2])


def test_an_image_of_another_resolution_is_laid_over_the_slide(plain: Config, tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 300], [7, 300]], np.uint16)).save(tmp_path / "labels.png")
    analyse(replace(plain, regions=tmp_path / "labels.png"))
    table = axonflow.open(plain.out).regions
    assert table["region"].tolist() == ["7", "300"]
    np.testing.assert_allclose(table["area (mm^2)"], np.array([151 * 211, 301 * 212]) * 1e-8)


def test_regions_of_one_name_are_one_and_um_are_um(plain: Config, tmp_path: Path) -> None:
    squares = [[[x, 2.0], [x + 4, 2.0], [x + 4, 6.0], [x, 6.0]] for x in (1.0, 3.0, 20.0, 30.0)]
    path = write(
        tmp_path / "r.json",
        feature("a", squares[0]),
        feature("a", squares[1]),
        feature(None, squares[2], name="b"),
        feature(None, squares[3]),
    )
    analyse(replace(plain, regions=path, regions_unit="um"))
    table = axonflow.open(plain.out).regions
    assert table["region"].tolist() == ["a", "b", "region 4"]
    np.testing.assert_allclose(table["area (mm^2)"], np.array([24, 16, 16]) * 1e-6)


def test_the_command_adds_regions_to_a_store_that_has_none(plain: Config, config: Config) -> None:
    analyse(plain)
    ran = command("measure", plain.out, "--regions", config.regions, "--workers", 1)
    assert ran.code == 0, ran.err
    assert (plain.out / "tables" / "regions.parquet").exists()
    assert command("run", plain.out, "--workers", 1).code == 0
    assert len(axonflow.open(plain.out).regions) == 3
    refused = command("run", plain.out, "--regions-unit", "mm")
    assert refused.code == 2
    assert "--regions-unit was expected" in refused.err


@pytest.mark.parametrize("kind", ["colour", "text", "missing", "no area"])
def test_what_are_no_regions_is_refused(plain: Config, kind: str, tmp_path: Path) -> None:
    path = tmp_path / ("r.png" if kind == "colour" else "r.geojson")
    if kind == "colour":
        Image.fromarray(np.zeros((3, 3, 3), np.uint8)).save(path)
    elif kind != "missing":
        path.write_text("no json" if kind == "text" else '{"type": "FeatureCollection", "features": []}')
    with pytest.raises(InputError, match="expected"):
        analyse(replace(plain, regions=path))


def test_a_region_without_a_pixel_is_named(plain: Config, tmp_path: Path) -> None:
    """It stands in the table with an area of 0, which a reader may take for tissue without axons."""
    outlines = write(
        tmp_path / "r.geojson",
        feature("cord", CORD),
        feature("within", [[50, 60], [90, 60], [90, 90]]),
        feature("root", ROOT),
    )
    config = replace(plain, regions=outlines, out=tmp_path / "out")
    analyse(config)
    (note,) = axonflow.open(config.out).record["stages"]["measure.regions"]["notes"]
    assert note.startswith("No pixel lies in these regions: within.")
