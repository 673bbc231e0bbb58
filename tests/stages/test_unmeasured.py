"""Where a slide could not be read nothing is measured: as if a mask had left the place out."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from damaged_slides import SIDE, WAYS, damaged_tiff, without_tiles
from PIL import Image
from scipy import ndimage
from slides import analyse, command, contents, picture, tissue, write_labels, write_model, write_slide

import axonflow
from axonflow.errors import SlideError
from axonflow.ngff.maps import read_maps
from axonflow.stages.convert import read_greys
from axonflow.workflow.config import Config
from axonflow.workflow.job import prepare

SHAPE = (200, 260)
CLASSES = tissue(SHAPE)
PIXELS = picture(CLASSES)
BAD = [0, 7, 8]
GOOD = without_tiles(SHAPE, BAD)


def config(folder: Path, **options: Any) -> Config:
    labels = write_labels(folder / "labels.png", CLASSES)
    given: dict[str, Any] = {"labels": labels, "cell_um": 3.0, "chunk": 64, "on_bad_tile": "fill"} | options
    return Config(folder / "slide.tif", folder / "out", **given)


def maps_with_a_mask(folder: Path, good: np.ndarray[Any, Any]) -> xr.Dataset:
    """Return what the whole slide gives where a mask leaves out the bad places."""
    write_slide(folder / "whole.tif", PIXELS)
    Image.fromarray(good).save(folder / "good.png")
    plain = replace(config(folder, on_bad_tile="stop"), slide=folder / "whole.tif", out=folder / "masked")
    analyse(replace(plain, mask=folder / "good.png"))
    return read_maps(folder / "masked" / "maps")


@pytest.mark.parametrize("way", WAYS)
def test_the_maps_are_those_of_a_mask(tmp_path: Path, way: str) -> None:
    damaged_tiff(tmp_path / "slide.tif", PIXELS, way, BAD)
    run = config(tmp_path)
    with pytest.raises(SlideError, match=r"row \d+, column \d+ of level 0 .* µm.*--on-bad-tile fill\.$"):
        analyse(replace(run, on_bad_tile="stop", out=tmp_path / "stopped"))
    analyse(run)
    xr.testing.assert_identical(read_maps(run.out / "maps"), maps_with_a_mask(tmp_path, GOOD))
    fibers = np.asarray(axonflow.open(run.out).labels["fibers"][:])
    near = ndimage.binary_dilation(~GOOD, np.ones((3, 3)))
    table = axonflow.open(run.out).fibers
    touching = np.isin(table["axon_id"], fibers[near])
    assert 0 < touching.sum() < len(touching)
    np.testing.assert_array_equal(table["touches_unmeasured"], touching)


@pytest.mark.parametrize("kind", ["masks", "network"])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_nothing_depends_on_the_chunking(tmp_path: Path, kind: str, dtype: str) -> None:
    pixels = picture(CLASSES, dtype)
    if dtype == "float32":
        pixels[150:, 100:131] = np.nan
    damaged_tiff(tmp_path / "slide.tif", pixels, "nonsense in deflate", BAD)
    found = []
    for chunk in (64, 192, 512):
        run = replace(config(tmp_path), chunk=chunk, out=tmp_path / f"{chunk}")
        if kind == "network":
            run = replace(run, labels=None, model=str(write_model(tmp_path)), pixel_size=None)
        analyse(run)
        record = json.loads((run.out / "run.json").read_text())
        greys = read_greys(prepare(run).layout).counts
        noted = record["stages"]["convert"]["unmeasured"], greys.key.tolist(), greys.total.tolist()
        found.append((contents(run.out), noted, record["warnings"]))
    assert found[0] == found[1] == found[2]
    assert sum(greys.total[:, 0]) == np.count_nonzero(GOOD & np.isfinite(pixels))


def test_labels_of_another_pixel_size(tmp_path: Path) -> None:
    """Pixels of the labels are twice as wide, and count if all that they are interpolated from were read."""
    damaged_tiff(tmp_path / "slide.tif", PIXELS, "nonsense in deflate", BAD)
    run = replace(config(tmp_path), labels=None, model=str(write_model(tmp_path, pixel_size_um=0.2)))
    analyse(run)
    needs = ndimage.minimum_filter(GOOD, size=4)[1::2, 1::2]  # interpolation over two pixels reads four
    counted = float(read_maps(run.out / "maps")["covered_area"].sum())
    assert counted / 0.04e-6 == pytest.approx(np.count_nonzero(needs), abs=1e-6)


def test_it_is_said_everywhere(tmp_path: Path) -> None:
    damaged_tiff(tmp_path / "slide.tif", PIXELS, "no bytes", BAD)
    labels = write_labels(tmp_path / "labels.png", CLASSES)
    said = ("run", tmp_path / "slide.tif", "--labels", labels, "--cell", 3, "--workers", 1, "--chunk", 64)
    stopped = command(*said)
    assert stopped.code == 2
    assert "row 0, column 0 of level 0" in stopped.err.replace("\n", " ")
    ran = command(*said, "--on-bad-tile", "fill")
    assert ran.code == 0, ran.err
    store = tmp_path / "slide.ome.zarr"
    (warning,) = (each for each in axonflow.open(store).warnings if each.id == "not-measured")
    assert warning.values["tiles"] == len(BAD)
    assert "row 0, column 0, at y = 0.0 µm, x = 0.0 µm" in warning.message
    assert warning.message in ran.out
    assert "<code>not-measured</code>" in (store / "report.html").read_text()
    unmeasured = json.loads((store / "run.json").read_text())["stages"]["convert"]["unmeasured"]
    assert unmeasured["share"] == pytest.approx(1 - GOOD.mean())
    assert [(bad["row"], bad["column"]) for bad in unmeasured["bad_tiles"]] == [divmod(tile, 5) for tile in BAD]
    again = command(*said, "--on-bad-tile", "stop")
    assert again.code == 2


def test_regions_leave_it_out_and_both_columns_stay(tmp_path: Path) -> None:
    damaged_tiff(tmp_path / "slide.tif", PIXELS, "no place", BAD)
    Image.fromarray(np.array([[1, 2]], np.uint8)).save(tmp_path / "tracts.png")
    run = replace(config(tmp_path), regions=tmp_path / "tracts.png")
    analyse(run)
    first, regions = axonflow.open(run.out).fibers, axonflow.open(run.out).regions
    assert list(first.columns[-3:]) == ["touches_unmeasured", "left_out", "region"]
    assert regions is not None
    halves = np.count_nonzero(GOOD[:, :130]), np.count_nonzero(GOOD[:, 130:])
    np.testing.assert_allclose(regions["area (mm^2)"], np.array(halves) * 1e-8)
    analyse(replace(run, regions=None))
    pd.testing.assert_frame_equal(axonflow.open(run.out).fibers, first.drop(columns="region"))


def test_a_run_that_stops_has_no_such_places(tmp_path: Path) -> None:
    """Not even after one that went on in the same store; and a slide without damage gives the same maps either way."""
    write_slide(tmp_path / "slide.tif", PIXELS)
    run = config(tmp_path)
    analyse(run)
    assert (run.out / "unmeasured").is_dir()
    assert not axonflow.open(run.out).fibers["touches_unmeasured"].any()
    assert "not-measured" not in {each.id for each in axonflow.open(run.out).warnings}
    maps = read_maps(run.out / "maps").load()
    assert "convert" in analyse(replace(run, on_bad_tile="stop"))
    assert not (run.out / "unmeasured").exists()
    assert "touches_unmeasured" not in axonflow.open(run.out).fibers
    xr.testing.assert_identical(read_maps(run.out / "maps"), maps)
    assert command("check", run.out).code == 0


def test_nothing_can_be_read(tmp_path: Path) -> None:
    damaged_tiff(tmp_path / "slide.tif", PIXELS, "nonsense in deflate", [*range(20)])
    with pytest.raises(SlideError, match=r"nothing of .*slide\.tif can be read"):
        analyse(config(tmp_path))


@pytest.mark.parametrize("value", [0, 117, 255])
def test_areas_of_one_grey_are_found(tmp_path: Path, value: int) -> None:
    pixels = PIXELS.copy()
    pixels[SIDE : 2 * SIDE, 2 * SIDE :] = value
    write_slide(tmp_path / "slide.tif", pixels)
    blank = []
    for chunk in (64, 128, 512):
        run = replace(config(tmp_path, on_bad_tile="stop", chunk=chunk), out=tmp_path / f"{chunk}")
        analyse(run)
        (warning,) = (each for each in axonflow.open(run.out).warnings if each.id == "image-blank")
        blank.append(warning.values)
    assert blank[0] == blank[1] == blank[2]
    assert blank[0] == {"share": round(2 * SIDE**2 / PIXELS.size, 6), "grey": value, "y_um": 6.4, "x_um": 12.8}
