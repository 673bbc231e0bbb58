"""A run gives what the whole image gives, however the slide was stored and cut and whoever computed it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import lcm
from pathlib import Path
from typing import Any

import numpy as np
import oracles
import pandas as pd
import pytest
import xarray as xr
from cores import measure_cores
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from skimage import measure
from slides import (
    Classes,
    analyse,
    contents,
    picture,
    processes,
    tissue,
    write_labels,
    write_masks,
    write_model,
    write_slide,
)
from strategies import masks

import axonflow
from axonflow.engine.fleet import open_pool
from axonflow.engine.pool import LocalPool, Pool
from axonflow.engine.runner import run_stages
from axonflow.errors import InputError, StoreError
from axonflow.fiber.geodesic import assign_by_length, steps_of
from axonflow.fiber.maps import Cells, centroid_pixels, tissue_maps
from axonflow.fiber.myelin import reach_px
from axonflow.fiber.table import read_parquet
from axonflow.kernel.classes import AXON_MYELIN
from axonflow.kernel.grid import Box
from axonflow.kernel.resample import Resampling
from axonflow.kernel.units import PixelSize
from axonflow.net.checkpoint import Checkpoint
from axonflow.net.lattice import Lattice
from axonflow.net.normalise import histogram, lookup_table
from axonflow.net.precision import Precisions, best_precision
from axonflow.ngff import Pyramid
from axonflow.ngff.maps import read_maps
from axonflow.workflow.config import Config
from axonflow.workflow.job import prepare
from axonflow.workflow.record import read_record

SHAPE = (301, 423)
SIZE = PixelSize.square(0.1)
REGION = Box(50, 30, 200, 300)  # whole pixels of a mask of a tenth of the resolution


def run_on(pool: Pool, config: Config) -> dict[str, str]:
    job = prepare(config)
    job.layout.private.mkdir(parents=True)
    run_stages(job.stages, job.journal, pool)
    return contents(config.out)


def level0(store: Path, name: str) -> NDArray[Any]:
    return np.squeeze(Pyramid.open(store / name).array(0)[:])


@dataclass(frozen=True)
class Case:
    """A slide with its true classes, and a run of it as one chunk."""

    classes: Classes
    config: Config

    def __post_init__(self) -> None:
        analyse(self.config)

    @property
    def store(self) -> Path:
        return self.config.out


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    folder = tmp_path_factory.mktemp("masks")
    classes = tissue(SHAPE)
    slide = write_slide(folder / "slide.tif", picture(classes))
    labels = write_labels(folder / "labels.png", classes)
    return Case(
        classes, Config(slide, folder / "one", labels=labels, cell_um=6.0, chunk=512, max_myelin_um=1.0, border="all")
    )


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """A slide that is resampled to the pixel size of a network with a lattice of 64 px."""
    folder = tmp_path_factory.mktemp("network")
    classes = tissue((300, 270))
    slide = write_slide(folder / "slide.tif", picture(classes), 0.07)
    model = str(write_model(folder))
    config = Config(slide, folder / "one", model=model, keep_probabilities=True, cell_um=6.0, border="all")
    return Case(classes, config)


@pytest.fixture(scope="module", params=["threads", "distributed"])
def pool(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    if request.param == "threads":
        yield LocalPool(3)
    else:
        with (
            pytest.MonkeyPatch.context() as patch,
            open_pool(processes(patch), tmp_path_factory.mktemp("pool")) as opened,
        ):
            yield opened


def test_masks_give_the_same_on_every_pool(case: Case, pool: Pool, tmp_path: Path) -> None:
    assert run_on(pool, replace(case.config, out=tmp_path / "out", chunk=64)) == contents(case.store)


def test_a_network_gives_the_same_on_every_pool(network: Case, pool: Pool, tmp_path: Path) -> None:
    assert run_on(pool, replace(network.config, out=tmp_path / "out", chunk=64)) == contents(network.store)


@pytest.mark.parametrize("lattice", [48, 640])
def test_a_lattice_that_does_not_divide_the_usual_chunk(network: Case, lattice: int, tmp_path: Path) -> None:
    usual = replace(network.config, out=tmp_path / "usual", model=str(write_model(tmp_path, lattice)))
    chunk = prepare(usual).layout.chunk
    assert (chunk % lattice, chunk % 64) == (0, 0)
    other = replace(usual, out=tmp_path / "other", chunk=chunk + lcm(lattice, 64))
    assert run_on(LocalPool(), usual) == run_on(LocalPool(), other)


@pytest.mark.parametrize("chunk", [128, 192])
def test_chunks_decide_nothing(case: Case, network: Case, chunk: int, tmp_path: Path) -> None:
    for i, one in enumerate((case, network)):
        assert run_on(LocalPool(), replace(one.config, out=tmp_path / str(i), chunk=chunk)) == contents(one.store)


def assert_follows_the_oracles(store: Path, classes: Classes, smallest: int, reach: int) -> None:
    axons = oracles.axon_labels(classes == 2, smallest)
    fibers = oracles.grown(axons, classes == 1, reach)
    np.testing.assert_array_equal(level0(store, "labels/semantic").reshape(classes.shape), classes)
    np.testing.assert_array_equal(level0(store, "labels/axons").reshape(classes.shape), axons)
    np.testing.assert_array_equal(level0(store, "labels/fibers").reshape(classes.shape), fibers)
    table = read_parquet(store / "tables" / "fibers.parquet")
    whole = Box.whole(classes.shape)
    counted = table.pop("left_out").isna()
    pd.testing.assert_frame_equal(table, measure_cores(axons, fibers, [whole], SIZE), check_exact=True)

    maps = read_maps(store / "maps")
    cells = Cells(classes.shape, SIZE, maps.attrs["cell_side_um"])
    areas = cells.count(AXON_MYELIN.counted(classes, axons), AXON_MYELIN, np.ones(classes.shape, bool), whole)
    xr.testing.assert_identical(maps, tissue_maps(cells, areas, lambda: [table[counted]]))


@settings(max_examples=10)
@given(st.data())
def test_any_tissue_in_any_chunks_is_that_of_the_whole_image(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    axon = data.draw(masks(data.draw(st.tuples(st.integers(1, 150), st.integers(1, 150)))))
    classes = np.where(axon, 2, data.draw(masks(axon.shape))).astype(np.uint8)
    folder = tmp_path_factory.mktemp("any")
    config = Config(
        write_slide(folder / "slide.tif", picture(classes)),
        folder / "out",
        labels=write_labels(folder / "labels.png", classes),
        chunk=data.draw(st.sampled_from((64, 128))),
        cell_um=data.draw(st.floats(0.7, 20)),
        min_axon_area_um2=data.draw(st.sampled_from((None, 0.05))),
        max_myelin_um=0.5,
        border="all",
    )
    analyse(config)
    smallest = 0 if config.min_axon_area_um2 is None else 5
    assert_follows_the_oracles(config.out, classes, smallest, reach_px(0.5, SIZE))


def test_labels_columns_and_maps_are_those_of_the_whole_image(case: Case) -> None:
    assert_follows_the_oracles(case.store, case.classes, 0, reach_px(1.0, SIZE))


def test_columns_are_those_of_scikit_image(case: Case) -> None:
    table = read_parquet(case.store / "tables" / "fibers.parquet")
    axons, fibers = (
        measure.regionprops(level0(case.store, f"labels/{name}").astype(np.int32)) for name in ("axons", "fibers")
    )
    assert len(table) > 20
    expected = {
        "axon_area (um^2)": [axon.area * 0.01 for axon in axons],
        "axon_diam (um)": [axon.equivalent_diameter_area * 0.1 for axon in axons],
        "axon_perimeter (um)": [axon.perimeter * 0.1 for axon in axons],
        "eccentricity": [axon.eccentricity for axon in axons],
        "solidity": [axon.solidity for axon in axons],
        "y0 (px)": [axon.centroid[0] for axon in axons],
        "axonmyelin_area (um^2)": [fiber.area * 0.01 for fiber in fibers],
        "gratio": [(axon.area / fiber.area) ** 0.5 for axon, fiber in zip(axons, fibers, strict=True)],
        "fiber_eccentricity": [fiber.eccentricity for fiber in fibers],
        "bbox_max_x": [fiber.bbox[3] for fiber in fibers],
    }
    for name, values in expected.items():
        np.testing.assert_allclose(table[name], values, rtol=1e-9, atol=1e-6, err_msg=name)


def test_maps_are_what_is_counted_cell_by_cell(case: Case) -> None:
    maps, table = read_maps(case.store / "maps"), read_parquet(case.store / "tables" / "fibers.parquet")
    rows, columns = centroid_pixels(table)
    for i in range(maps.sizes["y"]):
        for j in range(maps.sizes["x"]):
            part = case.classes[60 * i : 60 * (i + 1), 60 * j : 60 * (j + 1)]
            here = table[(rows // 60 == i) & (columns // 60 == j)]
            cell = maps.isel(y=i, x=j)
            assert float(cell["axon_count"]) == len(here)
            assert float(cell["axon_density"]) == pytest.approx(len(here) / (part.size * 1e-8))
            assert float(cell["avf"]) == np.mean(part == 2)
            assert float(cell["mvf"]) == np.mean(part == 1)
            diameters = here["axon_diam (um)"]
            assert float(cell["axon_diameter_mean"]) == pytest.approx(diameters.mean(), nan_ok=True)


STORAGE: dict[str, dict[str, Any]] = {
    "bands of strips": {"tile": None, "rowsperstrip": 17, "compression": "zlib"},
    "strips taller than a chunk": {"tile": None, "rowsperstrip": 100, "compression": "lzw"},
    "one compressed piece": {"tile": None, "rowsperstrip": 999, "compression": "zlib"},
    "mapped": {"tile": None, "compression": None},
    "tiles larger than a chunk": {"tile": (160, 96)},
}


@pytest.mark.parametrize("storage", STORAGE)
def test_how_a_slide_is_stored_decides_nothing(case: Case, storage: str, tmp_path: Path) -> None:
    slide = write_slide(tmp_path / "slide.tif", picture(case.classes), **STORAGE[storage])
    labels = write_slide(tmp_path / "labels.tif", np.array([0, 127, 255], np.uint8)[case.classes], **STORAGE[storage])
    config = replace(case.config, slide=slide, labels=labels, out=tmp_path / "out", chunk=64)
    assert run_on(LocalPool(), config) == contents(case.store)


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_slides_of_other_depth_keep_their_pixels(case: Case, network: Case, dtype: str, tmp_path: Path) -> None:
    pixels = picture(network.classes, dtype)
    slide = write_slide(tmp_path / "slide.tif", pixels, 0.07)
    one, two = (replace(network.config, slide=slide, out=tmp_path / str(chunk), chunk=chunk) for chunk in (64, 512))
    assert run_on(LocalPool(), one) == run_on(LocalPool(), two)
    stored = level0(one.out, "")
    assert stored.dtype == dtype
    np.testing.assert_array_equal(stored, pixels)
    resampled = level0(one.out, "resampled")
    assert resampled.dtype == dtype
    assert abs(float(resampled.mean()) / float(pixels.mean()) - 1) < 0.02


@pytest.mark.parametrize(("offset", "step"), [(0, 1.0), (32_768, 1.0), (32_768, 4.0), (-2_000, 0.5)])
def test_floats_give_what_the_same_greys_give_as_integers(
    network: Case, offset: float, step: float, tmp_path: Path
) -> None:
    """A small contrast on a large offset, as cameras count, loses no axon."""
    greys = picture(network.classes)

    def labels(name: str, pixels: NDArray[Any]) -> NDArray[Any]:
        slide = write_slide(tmp_path / f"{name}.tif", pixels)
        config = replace(network.config, slide=slide, out=tmp_path / name, chunk=64)
        analyse(config)
        return np.stack([level0(config.out, f"labels/{name}") for name in ("semantic", "axons", "fibers")])

    ours = labels("float", greys.astype(np.float32) * np.float32(step) + np.float32(offset))
    np.testing.assert_array_equal(ours, labels("integer", greys))
    assert ours[1].max() > 5


def test_segmentation_is_the_networks_over_the_whole_resampled_slide(network: Case) -> None:
    pixels = picture(network.classes)
    resampling = Resampling(pixels.shape, PixelSize.square(0.07), SIZE)
    whole = Box.whole(resampling.out_shape)
    image = np.rint(resampling(pixels[resampling.needs(whole).slices], whole)).astype(np.uint8)
    np.testing.assert_array_equal(level0(network.store, "resampled"), image)
    checkpoint = Checkpoint.find(str(network.config.model))
    from axonflow.net.predict import Predictor

    predictor = Predictor(checkpoint, Lattice(whole.shape, 64, 25, 16), best_precision())
    planes = predictor.predict(image, whole, whole, lookup_table(histogram(pixels)))
    np.testing.assert_array_equal(level0(network.store, "labels/semantic"), planes[0])
    for plane, name in zip(planes[2:], ("background", "myelin", "axon"), strict=True):
        np.testing.assert_array_equal(level0(network.store, f"probabilities/{name}"), plane)
    assert (np.bincount(planes[0].ravel()) > 1000).all()


def test_labels_lie_on_the_models_grid_and_both_lie_in_um(network: Case) -> None:
    slide, labels = Pyramid.open(network.store), Pyramid.open(network.store / "labels" / "axons")
    assert (slide.shape, labels.shape) == ((300, 270), (210, 189))
    assert slide.pixel_size == PixelSize.square(0.07)
    assert labels.pixel_size == SIZE
    np.testing.assert_array_equal(slide.origin_um, (0, 0))
    np.testing.assert_allclose(labels.origin_um, (0.015, 0.015))  # between the centres of the first pixels


def test_the_seams_are_measured_and_recorded(network: Case) -> None:
    seams = read_record(network.store)["seams"]
    assert seams["seams_sampled"] == 2
    assert 0 < seams["neighbours_disagree"] < 0.3  # an untrained network has its doubts everywhere


def test_an_exact_halo_makes_the_lattice_irrelevant(
    network: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("axonflow.net.precision.processor_precisions", lambda: Precisions("float32"))
    found = []
    for lattice in (64, 128):
        model = str(write_model(tmp_path, lattice))
        config = replace(network.config, model=model, halo="exact", out=tmp_path / str(lattice), chunk=256)
        analyse(config)
        found.append(level0(config.out, "labels/semantic"))
        assert read_record(config.out)["model"]["halo_px"] == 144
        assert read_record(config.out)["seams"]["neighbours_disagree"] < 1e-4
    assert np.mean(found[0] != found[1]) < 1e-5


def write_region(folder: Path, how: str) -> dict[str, Any]:
    """Write REGION of a slide of 300 × 420 px as a mask; return the settings that use it."""
    if how.endswith(".png"):
        scale = 10 if how == "coarse.png" else 1
        mask = np.zeros((300 // scale, 420 // scale), np.uint8)
        mask[Box(*(side // scale for side in (REGION.y0, REGION.x0, REGION.y1, REGION.x1))).slices] = 1
        Image.fromarray(mask).save(folder / how)
        return {"mask": folder / how}
    unit = 0.1 if how == "um.geojson" else 1
    corners = [(REGION.x0, REGION.y0), (REGION.x1, REGION.y0), (REGION.x1, REGION.y1), (REGION.x0, REGION.y1)]
    ring = [[x * unit, y * unit] for x, y in [*corners, corners[0]]]
    feature = {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
    (folder / how).write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    return {"mask": folder / how, "mask_unit": how.partition(".")[0]}


def test_a_region_is_the_same_however_it_is_given(tmp_path: Path) -> None:
    classes = tissue((300, 420), 2)
    slide = write_slide(tmp_path / "slide.tif", picture(classes))
    labels = write_labels(tmp_path / "l.png", classes)
    config = Config(slide, tmp_path / "out", labels=labels, cell_um=7.0, chunk=128, border="all")
    analyse(config)
    everywhere = read_maps(config.out / "maps")
    found = []
    for how in ("fine.png", "coarse.png", "px.geojson", "um.geojson"):
        redone = analyse(replace(config, **write_region(tmp_path, how)))
        assert redone == ["measure.rules", "measure.regions", "map"]
        found.append(read_maps(config.out / "maps"))
    for maps in found[1:]:
        xr.testing.assert_identical(maps, found[0])
    maps = found[0]
    rows, columns = centroid_pixels(read_parquet(config.out / "tables" / "fibers.parquet"))
    inside = (rows >= REGION.y0) & (rows < REGION.y1) & (columns >= REGION.x0) & (columns < REGION.x1)
    assert int(maps["axon_count"].sum()) == np.count_nonzero(inside)
    assert 0 < np.count_nonzero(inside) < int(everywhere["axon_count"].sum())
    assert float(maps["covered_area"].sum()) == pytest.approx(REGION.size * 1e-8)
    axon_mm2 = float((maps["avf"] * maps["covered_area"]).sum())
    assert axon_mm2 == pytest.approx(np.count_nonzero(classes[REGION.slices] == 2) * 1e-8)


def test_polygons_are_of_the_slides_pixels_where_labels_are_on_another_grid(network: Case, tmp_path: Path) -> None:
    found = []
    for unit, side in (("px", 1.0), ("um", 0.07)):
        ring = [[x * side, y * side] for x, y in ((40, 20), (200, 20), (200, 250), (40, 250))]
        mask = tmp_path / f"{unit}.json"
        mask.write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}))
        analyse(replace(network.config, mask=mask, mask_unit=unit))  # type: ignore[arg-type]  # either of two words
        found.append(read_maps(network.store / "maps"))
    analyse(network.config)
    xr.testing.assert_identical(*found)
    assert float(found[0]["covered_area"].sum()) == pytest.approx(160 * 230 * 0.07**2 / 1e6, rel=0.02)


def test_two_masks_are_as_good_as_one_image_of_labels(case: Case, tmp_path: Path) -> None:
    axon, myelin = write_masks(tmp_path, case.classes)
    config = replace(case.config, labels=None, axon_mask=axon, myelin_mask=myelin, out=tmp_path / "out")
    assert run_on(LocalPool(), config) == contents(case.store)


def test_small_axons_are_left_out(case: Case, tmp_path: Path) -> None:
    config = replace(case.config, out=tmp_path / "out", chunk=64, min_axon_area_um2=0.3)
    analyse(config)
    assert_follows_the_oracles(config.out, case.classes, 30, reach_px(1.0, SIZE))
    table = read_parquet(config.out / "tables" / "fibers.parquet")
    everyone = read_parquet(case.store / "tables" / "fibers.parquet")
    assert table["axon_area (um^2)"].min() >= 0.3
    assert 0 < len(table) < len(everyone)


def test_pixels_that_are_not_square_count_with_their_own_area(case: Case, tmp_path: Path) -> None:
    config = replace(case.config, out=tmp_path / "out", pixel_size=PixelSize(0.2, 0.05))
    analyse(config)
    maps = read_maps(config.out / "maps")
    assert float(maps["covered_area"].sum()) == pytest.approx(SHAPE[0] * SHAPE[1] * 0.01 / 1e6)
    assert maps.sizes == {"y": 11, "x": 4}
    table, square = (read_parquet(store / "tables" / "fibers.parquet") for store in (config.out, case.store))
    np.testing.assert_allclose(table["axon_area (um^2)"], square["axon_area (um^2)"])
    np.testing.assert_allclose(table["x0 (um)"], (square["x0 (px)"] + 0.5) * 0.05)


def test_myelin_grows_by_um_where_pixels_are_not_square(case: Case, tmp_path: Path) -> None:
    size = PixelSize(0.2, 0.05)
    one, two = (replace(case.config, out=tmp_path / str(n), pixel_size=size, chunk=n) for n in (64, 512))
    assert run_on(LocalPool(), one) == run_on(LocalPool(), two)
    steps = steps_of(size)
    assert steps is not None
    expected = level0(one.out, "labels/axons")
    assign_by_length(expected, case.classes == 1, reach_px(1.0, size), steps)
    np.testing.assert_array_equal(level0(one.out, "labels/fibers"), expected)
    square, oblong = (prepare(config).stages for config in (case.config, one))
    measures = [next(stage for stage in stages if stage.name == "measure") for stages in (square, oblong)]
    assert ["steps" in stage.parameters for stage in measures] == [False, True]


def test_the_record_says_what_made_the_store(case: Case, network: Case) -> None:
    record = read_record(case.store)
    assert record["complete"] is True
    assert record["slide"]["path"] == str(case.config.slide)
    assert record["slide"]["shape"] == list(SHAPE)
    assert record["slide"]["pixel_size_um"] == pytest.approx([0.1, 0.1])
    assert len(record["slide"]["identity"]) == 64
    assert record["labels"]["chunk"] == 512
    assert record["model"]["masks"][0]["path"] == str(case.config.labels)
    assert record["seams"] is None
    assert Config.from_json(record["config"]) == case.config
    assert {"convert", "segment", "label.survey", "label", "measure", "map"} <= set(record["stages"])
    assert all(made["seconds"] >= 0 for made in record["stages"].values())
    assert record["stages"]["map"]["pixels"] == SHAPE[0] * SHAPE[1]
    assert record["versions"]["zarr"]
    assert record["host"]["cores"]
    theirs = read_record(network.store)
    assert theirs["model"]["sha256"] == Checkpoint.find(str(network.config.model)).sha256
    assert theirs["model"]["precision"] == best_precision()
    assert theirs["labels"] == {
        "shape": [210, 189],
        "pixel_size_um": [0.1, 0.1],
        "chunk": 512,
        "min_axon_area_um2": 0.0,
    }


def test_a_store_is_complete_only_when_every_stage_is(case: Case, tmp_path: Path) -> None:
    config = replace(case.config, out=tmp_path / "out")
    ran: list[str] = []
    for group in ("convert", "label", "map"):
        with pytest.raises(StoreError):
            axonflow.open(config.out)
        ran += analyse(config, until=group)
        assert read_record(config.out)["complete"] is (group == "map")
        assert ran[-1].startswith(group)
    assert contents(axonflow.open(config.out).store) == contents(case.store)
    with pytest.raises(InputError, match="A stage among"):
        analyse(config, until="resampling")
