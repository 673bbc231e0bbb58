"""Axons without myelin: found, measured and mapped beside the others, as scipy and scikit-image do on the whole image.

Runs on masks and labels in chunks of several sizes are compared with results of the whole image.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import oracles
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from skimage import measure
from slides import analyse, contents, picture, tissue, write_slide

import axonflow
from axonflow.fiber.kinds import KIND, OF_MYELIN, UNMYELINATED
from axonflow.fiber.myelin import reach_px
from axonflow.fiber.region_table import UNMYELINATED_COLUMNS
from axonflow.fiber.rules import LEFT_OUT
from axonflow.fiber.table import COLUMNS
from axonflow.kernel.classes import AXON_MYELIN
from axonflow.kernel.units import PixelSize
from axonflow.results.analysis import Analysis
from axonflow.workflow.config import Config
from axonflow.workflow.job import prepare

SIZE = PixelSize.square(0.1)
CLASSES = "0=background,1=myelin,2=axon,3=unmyelinated,4=nuclei"


def two_kinds(shape: tuple[int, int], seed: int) -> NDArray[np.uint8]:
    """Tissue with axons without myelin of any shape wherever nothing else is, and with nuclei in what is left."""
    random = np.random.default_rng(seed)
    labels = tissue(shape, seed)
    for number in (3, 4):
        field = ndimage.gaussian_filter(random.random(shape), random.uniform(0.7, 4))
        labels[(labels == 0) & (field > np.quantile(field, random.uniform(0.5, 0.9)))] = number
    return labels


def run_on(labels: NDArray[np.uint8], folder: Path, **given: Any) -> Analysis:
    """Run on an image of class numbers."""
    slide, image = write_slide(folder / "slide.tif", picture(np.minimum(labels, 2))), folder / "labels.png"
    Image.fromarray(labels).save(image)
    config = Config(slide, folder / "out", labels=image, classes=CLASSES, cell_um=5.0, max_myelin_um=1.0, **given)
    analyse(config)
    return axonflow.open(config.out)


@settings(max_examples=12)
@given(
    st.tuples(st.integers(65, 200), st.integers(65, 200)),
    st.integers(0, 2**32 - 1),
    st.sampled_from((64, 128, 256)),
    st.sampled_from((0.0, 0.1)),
    st.sampled_from((0.0, 0.05, 0.3)),
)
def test_a_run_is_as_whole_image_libraries_are(
    shape: tuple[int, int], seed: int, chunk: int, smallest: float, smallest_without: float
) -> None:
    labels = two_kinds(shape, seed)
    with TemporaryDirectory() as folder:
        limits = {"min_axon_area_um2": smallest, "min_unmyelinated_area_um2": smallest_without}
        result = run_on(labels, Path(folder), chunk=chunk, **limits)
        kinds = np.array([0, 0, 1, 2, 0], np.uint8)[labels]
        axons = oracles.labels_of_kinds(kinds, round(smallest * 100), round(smallest_without * 100))
        found = {name: array.compute(scheduler="synchronous") for name, array in result.labels.items()}
        np.testing.assert_array_equal(found["semantic"], labels)
        np.testing.assert_array_equal(found["axons"], axons)
        specks = int(oracles.labels_of_kinds(kinds, 0, 0).max()) - int(axons.max())
        assert result.record["stages"]["label.survey"]["too_small"] == specks
        grown = oracles.grown(np.where(kinds == 1, axons, 0).astype(np.uint32), labels == 1, reach_px(1.0, SIZE))
        np.testing.assert_array_equal(found["fibers"], np.where(kinds == 2, axons, grown))
        counted = np.where((kinds > 0) & (axons == 0), 0, labels)
        np.testing.assert_array_equal(result.counted.compute(scheduler="synchronous"), counted)
        table = result.fibers
        assert list(table) == [*(column.name for column in COLUMNS), KIND.name, LEFT_OUT.name]
        assert_measured(table, axons, kinds)
        assert_mapped(result, result.counted_fibers(), counted)


def assert_measured(table: pd.DataFrame, axons: NDArray[np.uint32], kinds: NDArray[np.uint8]) -> None:
    without = np.unique(axons[(kinds == 2) & (axons > 0)])
    assert table["axon_id"].tolist() == list(range(1, int(axons.max()) + 1))
    assert table.loc[table[KIND.name] == UNMYELINATED, "axon_id"].tolist() == without.tolist()
    bare = table[table[KIND.name] == UNMYELINATED]
    assert table[[*OF_MYELIN]].isna().to_numpy().all(axis=1).tolist() == (table[KIND.name] == UNMYELINATED).tolist()
    assert not table.drop(columns=[*OF_MYELIN, LEFT_OUT.name]).isna().to_numpy().any()
    objects = measure.regionprops(np.where(np.isin(axons, without), axons, 0).astype(np.int32))
    expected = {
        "x0 (px)": [each.centroid[1] for each in objects],
        "y0 (px)": [each.centroid[0] for each in objects],
        "axon_area (um^2)": [each.area * 0.01 for each in objects],
        "axon_perimeter (um)": [each.perimeter * 0.1 for each in objects],
        "axon_diam (um)": [each.equivalent_diameter_area * 0.1 for each in objects],
        "solidity": [each.solidity for each in objects],
        "eccentricity": [each.eccentricity for each in objects],
        "image_border_touching": [
            0 in each.bbox[:2] or each.bbox[2] == axons.shape[0] or each.bbox[3] == axons.shape[1] for each in objects
        ],
        "bbox_min_y": [each.bbox[0] for each in objects],
        "bbox_max_x": [each.bbox[3] for each in objects],
    }
    for name, values in expected.items():
        np.testing.assert_allclose(
            bare[name].to_numpy(float), np.array(values, float), rtol=1e-9, atol=1e-6, err_msg=name
        )


def assert_mapped(result: Analysis, table: pd.DataFrame, counted: NDArray[np.uint8]) -> None:
    maps, area = result.maps, result.maps["covered_area"]
    without = table[KIND.name] == UNMYELINATED
    assert int(maps["axon_count"].sum()) == int((~without).sum())
    assert int(maps["unmyelinated_count"].sum()) == int(without.sum())
    for name, number in (("avf", 2), ("mvf", 1), ("unmyelinated_avf", 3)):
        assert float((maps[name] * area).sum() / area.sum()) == pytest.approx((counted == number).mean())
    for y, x in np.ndindex(area.shape):
        there = (np.floor(table["y0 (um)"] / 5) == y) & (
            table["x0 (um)"] // 5 == x
        )  # no cell's edge lies within a pixel
        cell = maps.isel(y=y, x=x)
        n, bare = int(there.sum()), table[there & without]
        assert int(cell["unmyelinated_count"]) == len(bare)
        assert float(cell["unmyelinated_density"]) == pytest.approx(len(bare) / float(cell["covered_area"]))
        mean = bare["axon_diam (um)"].mean() if len(bare) else np.nan
        assert float(cell["unmyelinated_diameter_mean"]) == pytest.approx(mean, nan_ok=True)
        fraction = (n - len(bare)) / n if n else np.nan
        assert float(cell["myelinated_fraction"]) == pytest.approx(fraction, nan_ok=True)


def test_chunks_change_nothing_of_the_store(tmp_path: Path) -> None:
    labels = two_kinds((190, 230), 3)
    stores = []
    for chunk in (64, 128, 256):
        folder = tmp_path / str(chunk)
        folder.mkdir()
        stores.append(contents(run_on(labels, folder, chunk=chunk).store))
    assert stores[0] == stores[1] == stores[2]


def test_a_mask_of_its_own_says_the_same_as_labels(tmp_path: Path) -> None:
    labels = np.where((found := two_kinds((120, 150), 5)) == 4, 0, found).astype(np.uint8)
    by_labels = run_on(labels, tmp_path)
    masks: dict[str, Any] = {}
    for name, number in (("axon_mask", 2), ("myelin_mask", 1), ("uaxon_mask", 3)):
        masks[name] = tmp_path / f"{name}.png"
        Image.fromarray(((labels == number) * 255).astype(np.uint8)).save(masks[name])
    config = Config(tmp_path / "slide.tif", tmp_path / "masks", cell_um=5.0, max_myelin_um=1.0, **masks)
    analyse(config)
    result = axonflow.open(config.out)
    assert "notes" not in result.record["stages"]["segment"]
    pd.testing.assert_frame_equal(result.fibers, by_labels.fibers)
    assert result.maps.equals(by_labels.maps)
    assert [each.name for each in result.classes] == ["background", "myelin", "axon", "unmyelinated axon"]
    assert result.record["labels"]["min_unmyelinated_area_um2"] == 0


def test_what_masks_contradict_each_other_about_is_axon_or_myelin_and_said(tmp_path: Path) -> None:
    labels = np.where((found := two_kinds((120, 150), 6)) == 4, 0, found).astype(np.uint8)
    wider = ndimage.binary_dilation(labels == 3, iterations=2)
    masks: dict[str, Any] = {}
    for name, mask in (("axon_mask", labels == 2), ("myelin_mask", labels == 1), ("uaxon_mask", wider)):
        masks[name] = tmp_path / f"{name}.png"
        Image.fromarray((mask * 255).astype(np.uint8)).save(masks[name])
    slide = write_slide(tmp_path / "slide.tif", picture(np.minimum(labels, 2)))
    analyse(Config(slide, tmp_path / "out", cell_um=5.0, chunk=64, **masks))
    result = axonflow.open(tmp_path / "out")
    semantic = result.labels["semantic"].compute(scheduler="synchronous")
    np.testing.assert_array_equal(semantic, np.where((labels == 1) | (labels == 2), labels, 3 * wider))
    (note,) = result.record["stages"]["segment"]["notes"]
    share = (wider & (semantic != 3)).sum() / wider.sum()
    assert note.startswith(f"{share:.1%} of what is drawn in {masks['uaxon_mask']} is drawn as axon or myelin, too")


def test_regions_count_them_apart(tmp_path: Path) -> None:
    labels, halves = two_kinds((120, 150), 8), tmp_path / "halves.png"
    Image.fromarray(np.array([[1, 2]], np.uint8)).save(halves)
    result = run_on(labels, tmp_path, regions=halves)
    fibers = result.counted_fibers()
    for (_, row), part in zip(result.regions.iterrows(), (np.s_[:, :75], np.s_[:, 75:]), strict=True):
        own = fibers[fibers["region"] == row["region"]]
        bare = own[own[KIND.name] == UNMYELINATED]
        assert row["unmyelinated_count"] == len(bare)
        assert row["axon_count"] == len(own) - len(bare)
        assert row["unmyelinated_avf"] == pytest.approx((labels[part] == 3).mean())
        assert row["unmyelinated_diam_mean (um)"] == pytest.approx(bare["axon_diam (um)"].mean())
        assert row["unmyelinated_diam_std (um)"] == pytest.approx(bare["axon_diam (um)"].std(ddof=0))
        assert row["myelinated_fraction"] == pytest.approx(1 - len(bare) / len(own))
    assert list(result.regions)[-len(UNMYELINATED_COLUMNS) :] == [column.name for column in UNMYELINATED_COLUMNS]


def test_a_store_of_one_kind_has_nothing_of_it(tmp_path: Path) -> None:
    labels = np.minimum(two_kinds((100, 130), 2), 2)
    slide, image = write_slide(tmp_path / "slide.tif", picture(labels)), tmp_path / "labels.png"
    Image.fromarray(AXON_MYELIN.greys[labels]).save(image)
    config = Config(slide, tmp_path / "out", labels=image, cell_um=5.0)
    survey = next(stage for stage in prepare(config).stages if stage.name == "label.survey")
    assert survey.parameters == {"smallest_px": 0}
    analyse(config)
    result = axonflow.open(config.out)
    assert list(result.fibers) == [*(column.name for column in COLUMNS), LEFT_OUT.name]
    assert not [name for name in result.maps if "myelinated" in str(name)]
    assert "classes" not in result.record["model"]
    assert list(result.record["labels"]) == ["shape", "pixel_size_um", "chunk", "min_axon_area_um2"]


@pytest.mark.parametrize("name", ["sub-366A_sample-0001", "sub-370_sample-0003"])
def test_real_masks_are_counted_as_scipy_counts_them(real_data: Path, tmp_path: Path, name: str) -> None:
    top, subject = real_data / "tem2", name.split("_")[0]
    image = top / subject / "micr" / f"{name}_acq-roi_TEM.png"
    if not image.exists():
        pytest.skip(f"no image {image}")
    masks = {
        kind: top / "derivatives" / "labels" / subject / "micr" / f"{image.stem}_seg-{kind}-manual.png"
        for kind in ("axon", "myelin", "uaxon")
    }
    given: dict[str, Any] = {f"{kind}_mask": path for kind, path in masks.items()}
    result = axonflow.run(image, tmp_path / "out", cell=0.5, workers=1, **given)
    axon, myelin, uaxon = (np.asarray(Image.open(path).convert("L")) > 127 for path in masks.values())
    drawn = uaxon & ~axon & ~myelin
    labels, n = ndimage.label(drawn, np.ones((3, 3)))
    bare = result.fibers[result.fibers[KIND.name] == UNMYELINATED]
    um2 = np.prod(result.record["labels"]["pixel_size_um"])
    np.testing.assert_allclose(bare["axon_area (um^2)"], np.bincount(labels.ravel())[1:] * um2, rtol=1e-12)
    assert len(bare) == n
    assert len(result.fibers) - n == ndimage.label(axon, np.ones((3, 3)))[1]
