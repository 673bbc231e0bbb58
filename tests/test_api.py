"""The Python API does what the command does."""

from __future__ import annotations

import inspect
import shutil
from pathlib import Path

import dask.array as da
import numpy as np
import oracles
import pandas as pd
import pytest
import xarray as xr
from slides import Classes, contents, picture, tissue, write_labels, write_slide

import axonflow
import axonflow.api
from axonflow.errors import InputError, PixelSizeError, PlanError, RunError, SlideError, StoreError
from axonflow.kernel.words import density
from axonflow.results.analysis import Analysis
from axonflow.workflow.config import Config


@pytest.fixture(scope="module")
def classes() -> Classes:
    return tissue((210, 240), 3)


@pytest.fixture(scope="module")
def result(classes: Classes, tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    folder = tmp_path_factory.mktemp("api")
    slide = write_slide(folder / "slide.tif", picture(classes), None)
    labels = write_labels(folder / "labels.png", classes)
    return axonflow.run(slide, pixel_size=0.1, labels=labels, cell=6, border="all", workers=1)


def test_all_is_what_is_visible() -> None:
    assert sorted(axonflow.__all__) == ["AxonflowError", "check", "open", "run"]
    for name in axonflow.__all__:
        assert getattr(axonflow, name).__doc__
    modules = {name for name, value in vars(axonflow).items() if inspect.ismodule(value)}
    visible = {name for name in vars(axonflow) if not name.startswith("_")} - modules - {"annotations"}
    assert visible == set(axonflow.__all__)
    assert callable(axonflow.run)  # a module of that name would take its place once it is imported


def test_the_image_is_the_slide(result: Analysis, classes: Classes) -> None:
    assert isinstance(result.image, da.Array)
    assert result.image.dtype == np.uint8
    np.testing.assert_array_equal(result.image.compute(scheduler="synchronous"), picture(classes))


def test_the_labels_are_lazy_and_right(result: Analysis, classes: Classes) -> None:
    assert list(result.labels) == ["semantic", "axons", "fibers"]
    assert all(isinstance(labels, da.Array) for labels in result.labels.values())
    semantic, axons, fibers = (labels.compute(scheduler="synchronous") for labels in result.labels.values())
    np.testing.assert_array_equal(semantic, classes)
    np.testing.assert_array_equal(axons, oracles.axon_labels(classes == 2))
    np.testing.assert_array_equal(fibers, oracles.grown(axons, classes == 1, 71))


def test_fibers_and_maps_are_those_of_the_labels(result: Analysis) -> None:
    assert isinstance(result.fibers, pd.DataFrame)
    assert isinstance(result.maps, xr.Dataset)
    axons = result.labels["axons"].compute(scheduler="synchronous")
    np.testing.assert_array_equal(result.fibers["axon_id"], np.unique(axons)[1:])
    np.testing.assert_allclose(result.fibers["axon_area (um^2)"], np.bincount(axons.ravel())[1:] * 0.01)
    assert int(result.maps["axon_count"].sum()) == len(result.fibers)
    assert result.maps.sizes == {"y": 4, "x": 4}
    assert result.maps["axon_diameter_mean"].attrs["units"] == "um"


def test_the_summary_is_that_of_all_that_counts(result: Analysis, classes: Classes) -> None:
    summary = result.summary
    axon, myelin = (np.count_nonzero(classes == number) for number in (2, 1))
    assert summary["axons"] == str(len(result.fibers))
    assert summary["AVF"] == f"{axon / classes.size:.3f}"
    assert summary["MVF"] == f"{myelin / classes.size:.3f}"
    assert summary["g-ratio"] == f"{(1 / (1 + myelin / axon)) ** 0.5:.3f} (aggregate)"
    assert summary["area"] == f"{classes.size * 1e-2:.4g} µm²"
    assert summary["density"] == f"{density(len(result.fibers) / (classes.size * 1e-8))} axons/mm²"


def test_own_masks_have_no_traits(result: Analysis) -> None:
    with pytest.raises(StoreError, match="run the slide with --model"):
        result.square_traits()


def test_opening_gives_the_result_back(result: Analysis) -> None:
    for store in (result.store, str(result.store)):
        again = axonflow.open(store)
        assert again.record == result.record
        pd.testing.assert_frame_equal(again.fibers, result.fibers, check_exact=True)
        xr.testing.assert_identical(again.maps, result.maps)


def test_running_again_is_opening(result: Analysis) -> None:
    before = contents(result.store)
    config = Config.from_json(result.record["config"])
    again = axonflow.run(str(config.slide), pixel_size=(0.1, 0.1), labels=config.labels, cell=6, border="all")
    assert again.store == result.store
    assert contents(again.store) == before


def test_a_slide_without_anything_has_empty_results(tmp_path: Path) -> None:
    nothing = np.zeros((70, 90), np.uint8)
    labels = write_labels(tmp_path / "labels.png", nothing)
    result = axonflow.run(write_slide(tmp_path / "s.tif", nothing), tmp_path / "out", labels=labels, workers=1)
    assert len(result.fibers) == 0
    assert result.summary["axons"] == "0"
    assert result.summary["g-ratio"] == "–"
    assert float(result.maps["avf"].max()) == 0


def test_the_settings_are_those_of_the_command() -> None:
    given = set(inspect.signature(axonflow.run).parameters) - {"cluster", "workers", "fresh"}
    renamed = {"cell": "cell_um", "min_axon_area": "min_axon_area_um2", "max_myelin": "max_myelin_um"}
    renamed |= {"working_pixel_size": "working_pixel_size_um", "min_unmyelinated_area": "min_unmyelinated_area_um2"}
    renamed |= {name: f"{name}_um" for name in ("min_diameter", "max_diameter")}
    renamed["max_axon_area"] = "max_axon_area_um2"
    assert {renamed.get(name, name) for name in given} == set(Config.__dataclass_fields__)


def test_errors_are_also_the_built_in_ones(tmp_path: Path) -> None:
    assert all(issubclass(error, InputError) for error in (SlideError, PixelSizeError, StoreError, PlanError))
    with pytest.raises(ValueError, match="does not exist"):
        axonflow.run(tmp_path / "none.tif")
    with pytest.raises(axonflow.AxonflowError):
        axonflow.open(tmp_path)
    assert issubclass(PlanError, MemoryError)
    assert issubclass(RunError, RuntimeError)
    assert not issubclass(RunError, InputError)


def test_a_copy_without_its_journal_says_that_nothing_is_proved(result: Analysis, tmp_path: Path) -> None:
    assert "unproved" not in {warning.id for warning in axonflow.open(result.store).warnings}
    copy = tmp_path / "copy.ome.zarr"
    shutil.copytree(result.store, copy, ignore=shutil.ignore_patterns(".axonflow"))
    assert "unproved" in {warning.id for warning in axonflow.open(copy).warnings}
