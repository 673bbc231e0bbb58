"""What is exported for other programs is read by their own libraries, and is what is in the store."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import openpyxl
import pandas as pd
import pytest
import roifile
import xarray as xr
import zarr
from numpy.typing import NDArray
from PIL import Image
from skimage.draw import polygon2mask
from slides import analyse, picture, tissue, write_labels, write_model, write_slide

import axonflow
from axonflow.errors import InputError
from axonflow.kernel import extras
from axonflow.results import workbook
from axonflow.results.analysis import LABELS, Analysis
from axonflow.results.export import FORMATS, export_store, notes, scverse
from axonflow.workflow.config import Config

SHAPE = (301, 423)
NAME = "=cmd|' /C calc'!A0"
"""Of a region: a formula, if a spreadsheet takes it for one."""


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    """A run in chunks of 64 px on masks, with a region that does not cover all."""
    folder = tmp_path_factory.mktemp("formats")
    classes = tissue(SHAPE, 7)
    ring = [[0, 0], [200, 0], [200, 301], [0, 301]]
    tract = {"type": "Feature", "properties": {"name": NAME}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
    (folder / "r.geojson").write_text(json.dumps(tract))
    config = Config(
        write_slide(folder / "slide.tif", picture(classes)),
        folder / "slide.ome.zarr",
        labels=write_labels(folder / "labels.png", classes),
        cell_um=6.0,
        chunk=64,
        max_myelin_um=1.0,
        border="all",
        min_axon_area_um2=0.5,
        regions=folder / "r.geojson",
    )
    analyse(config)
    return axonflow.open(config.out)


@pytest.fixture(scope="module")
def resampled(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    """A run by a network at another pixel size than the slide's."""
    folder = tmp_path_factory.mktemp("resampled")
    slide = write_slide(folder / "slide.tif", picture(tissue((150, 170))), 0.07)
    config = Config(slide, folder / "slide.ome.zarr", model=str(write_model(folder)), min_axon_area_um2=0.2)
    analyse(config)
    return axonflow.open(config.out)


@pytest.fixture(scope="module")
def ruled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Analysis, Analysis]:
    """A run in which border, mask and two rules that judge leave axons out, and the same in which nothing does."""
    folder, found = tmp_path_factory.mktemp("ruled"), []
    classes = tissue(SHAPE, 7)
    slide, labels = write_slide(folder / "slide.tif", picture(classes)), write_labels(folder / "labels.png", classes)
    covered = np.full(SHAPE, 255, np.uint8)
    covered[:, :60] = 0
    mask = write_slide(folder / "mask.tif", covered)
    ring = [[0, 0], [423, 0], [423, 301], [0, 301]]
    tract = {"type": "Feature", "properties": {"name": "all"}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
    (folder / "r.geojson").write_text(json.dumps(tract))
    for name, rules in (
        ("ruled", {"min_diameter_um": 1.3, "max_axon_area_um2": 6.0, "mask": mask}),
        ("all", {"border": "all"}),
    ):
        out, regions = folder / f"{name}.ome.zarr", folder / "r.geojson"
        config = Config(slide, out, labels=labels, cell_um=6.0, max_myelin_um=1.0, regions=regions)
        analyse(replace(config, **rules))
        found.append(axonflow.open(out))
    return found[0], found[1]


def documented(format_: str) -> str:
    """Return what the documentation says that an export does with axons that are left out."""
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "leave-out.md").read_text()
    rows = re.findall(r"^\| ((?:`[\w-]+`(?:, )?)+) \| (.*) \|$", page.partition("## In each export")[2], re.MULTILINE)
    (said,) = (said for names, said in rows if f"`{format_}`" in names)
    return str(said)


def numbered(names: list[str]) -> set[int]:
    return {int(name.removeprefix("axon ")) for name in names if name.startswith("axon ")}


@pytest.mark.parametrize("format_", FORMATS)
def test_what_an_export_does_with_axons_that_are_left_out(
    ruled: tuple[Analysis, Analysis], format_: str, tmp_path: Path
) -> None:
    result, whole = ruled
    said, path = documented(format_), export_store(result, format_, tmp_path / f"out{FORMATS[format_]}")
    fibers = result.fibers.set_index("axon_id")
    rule = fibers["left_out"]
    assert set(rule.dropna()) == {"diameter", "area", "mask", "frame"}
    kept, counting = [None if pd.isna(name) else name for name in rule], set(fibers.index[rule.isna()])
    if format_ in {"csv", "parquet", "xlsx"}:
        read: Any = {
            "csv": pd.read_csv,
            "parquet": pd.read_parquet,
            "xlsx": partial(pd.read_excel, sheet_name="fibers"),
        }
        table = read[format_](path)
        assert table["axon_id"].tolist() == fibers.index.tolist()
        assert as_written(table["left_out"]) == kept
        assert said.startswith("kept, with the column `left_out`")
    elif format_ in {"anndata", "spatialdata"}:
        table = (
            anndata.read_h5ad(path)
            if format_ == "anndata"
            else anndata.io.read_elem(zarr.open_group(path / "tables" / scverse.TABLE_NAME, mode="r"))
        ).obs
        assert table["axon_id"].tolist() == fibers.index.tolist()
        assert as_written(table["left_out"]) == kept
        assert said.startswith('kept, with `obs["left_out"]`')
    elif format_ == "roi":
        assert numbered([roi.name for roi in roifile.roiread(path)]) == set(fibers.index)
        assert said.startswith("kept, and not marked")
    elif format_ == "geojson":
        features = json.loads(path.read_text())["features"]
        assert numbered([feature["properties"]["name"] for feature in features]) == counting
        assert said == "dropped"
    elif format_ == "ads-csv":
        assert len(pd.read_csv(path)) == len(counting)
        assert said == "dropped"
    elif format_ == "ads-mask":
        judged = fibers.index[rule.isin(["diameter", "area"])]
        axons = np.asarray(result.pyramid("axons").array()[:])
        shown = (axons > 0) & ~np.isin(axons, judged)
        np.testing.assert_array_equal(np.asarray(Image.open(path)) == 255, shown)
        assert said.startswith("background if a rule judges them")
    elif format_ == "netcdf":
        assert int(xr.load_dataset(path)["axon_count"].sum()) == len(counting)
        assert said.startswith("dropped from all counts")
    elif format_ == "regions-csv":
        assert pd.read_csv(path)["axon_count"].tolist() == [len(counting)]
        assert said.startswith("dropped")
    else:  # the figure is drawn from the maps
        assert path.read_bytes() != export_store(whole, format_, tmp_path / f"all{FORMATS[format_]}").read_bytes()
        assert said.startswith("dropped from all counts")


def as_written(column: pd.Series[Any]) -> list[Any]:
    return [None if pd.isna(value) else value for value in column.tolist()]


def test_a_workbook_holds_the_tables(result: Analysis, tmp_path: Path) -> None:
    book = openpyxl.load_workbook(export_store(result, "xlsx", tmp_path / "t.xlsx"), read_only=True)
    assert book.sheetnames == ["fibers", "regions", "columns", "origin"]
    names, *rows = book["fibers"].iter_rows(values_only=True)
    assert [*names] == [*result.fibers]
    rows = [(*row, *(len(names) - len(row)) * (None,)) for row in rows]  # of empty cells at a row's end nothing is read
    for name, found in zip(names, zip(*rows, strict=True), strict=True):
        wanted: Any = as_written(result.fibers[name])
        if result.fibers[name].dtype.kind == "f":
            wanted = pytest.approx(wanted, rel=1e-15)  # openpyxl writes 16 digits
        assert [*found] == wanted
    table = dict(zip(*list(book["regions"].iter_rows(values_only=True))[:2], strict=True))
    assert table["region"] == NAME
    assert table["axon_count"] == result.regions["axon_count"][0]
    about = {row[:2]: row[2:] for row in book["columns"].iter_rows(values_only=True)}
    assert about["fibers", "axon_area (um^2)"] == ("um^2", "axon pixels × area of a pixel")
    assert dict(book["origin"].iter_rows(values_only=True))["slide"] == str(result.record["slide"]["path"])


def test_no_text_of_a_workbook_is_a_formula(result: Analysis, tmp_path: Path) -> None:
    book = openpyxl.load_workbook(export_store(result, "xlsx", tmp_path / "t.xlsx"))
    assert {cell.data_type for sheet in book for row in sheet.iter_rows() for cell in row} <= {
        "n",
        "s",
        "b",
        "inlineStr",
    }


def test_axons_beyond_the_end_of_a_sheet_go_on_in_the_next(
    result: Analysis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbook, "ROWS", 20)
    book = openpyxl.load_workbook(export_store(result, "xlsx", tmp_path / "t.xlsx"), read_only=True)
    count = -(-len(result.fibers) // 20)
    sheets = ["fibers", *(f"fibers {k}" for k in range(2, count + 1))]
    assert book.sheetnames[:count] == sheets
    ids = [row[0] for name in sheets for row in list(book[name].iter_rows(values_only=True))[1:]]
    assert ids == result.fibers["axon_id"].tolist()


@pytest.mark.parametrize("name", ["t.h5ad", "t.zarr"])
def test_anndata_reads_the_table(result: Analysis, name: str, tmp_path: Path) -> None:
    path = export_store(result, "anndata", tmp_path / name)
    found = anndata.read_h5ad(path) if name.endswith("h5ad") else anndata.read_zarr(path)
    fibers = result.fibers
    measured = found.to_df().reset_index(drop=True)
    pd.testing.assert_frame_equal(measured, fibers[[*measured]], check_exact=True, check_column_type=False)
    np.testing.assert_array_equal(found.obsm["spatial"], fibers[["x0 (um)", "y0 (um)"]])
    for column in found.obs:
        assert as_written(found.obs[column]) == as_written(fibers[column])
    assert {*measured, *found.obs, "x0 (um)", "y0 (um)"} == {*fibers}
    assert found.obs_names.tolist() == fibers["axon_id"].astype(str).tolist()
    assert found.var.loc["axon_area (um^2)", "unit"] == "um^2"
    assert found.uns["axonflow"]["slide"] == str(result.record["slide"]["path"])


def drawn(roi: roifile.ImagejRoi, scale: float = 1.0, shape: tuple[int, int] = SHAPE) -> NDArray[np.bool_]:
    """Draw a ROI as ImageJ does, by the even-odd rule."""
    inside = np.zeros(shape, bool)
    for ring in roi.coordinates(multi=True):
        inside ^= polygon2mask(shape, ring[:, ::-1] / scale - 0.5)
    return inside


def test_rois_are_the_labels(result: Analysis, tmp_path: Path) -> None:
    rois = roifile.roiread(export_store(result, "roi", tmp_path / "r.zip"))
    assert len(rois) == 2 * len(result.fibers) > 20
    assert any(roi.composite for roi in rois)
    for kind, labels in (("axon", "axons"), ("fiber", "fibers")):
        ids = np.zeros(SHAPE, np.uint32)
        for roi in rois:
            if roi.name.startswith(f"{kind} "):
                ids[drawn(roi)] = int(roi.name.split()[1])
        np.testing.assert_array_equal(ids, np.asarray(result.pyramid(labels).array()[:]))


def test_rois_lie_on_the_slides_pixels(resampled: Analysis, tmp_path: Path) -> None:
    axons = np.asarray(resampled.pyramid("axons").array()[:])
    ids = np.zeros_like(axons)
    for roi in roifile.roiread(export_store(resampled, "roi", tmp_path / "r.zip")):
        if roi.name.startswith("axon "):
            ids[drawn(roi, 0.1 / 0.07, axons.shape)] = int(roi.name.split()[1])
    np.testing.assert_array_equal(ids, axons)


@pytest.mark.parametrize("format_", ["geojson", "roi"])
@pytest.mark.parametrize("chunk", [64, 192])
def test_exported_outlines_come_back_as_the_labels(result: Analysis, format_: str, chunk: int, tmp_path: Path) -> None:
    outlines = export_store(result, format_, tmp_path / f"o.{'zip' if format_ == 'roi' else 'geojson'}")
    config = Config.from_json(result.record["config"])
    config = replace(config, out=tmp_path / "again", labels=None, axon_mask=outlines, myelin_mask=outlines, chunk=chunk)
    analyse(config)
    again = axonflow.open(config.out)
    for name in ("axons", "fibers"):
        found, before = (np.asarray(each.pyramid(name).array()[:]) for each in (again, result))
        np.testing.assert_array_equal(found, before)
    pd.testing.assert_frame_equal(again.fibers, result.fibers, check_exact=True)
    assert axonflow.check(config.out).sound


def test_netcdf_says_what_it_is_of(result: Analysis, resampled: Analysis, tmp_path: Path) -> None:
    for made in (result, resampled):
        record = made.record
        with xr.open_dataset(export_store(made, "netcdf", tmp_path / "m.nc"), engine="h5netcdf") as maps:
            xr.testing.assert_equal(maps.drop_vars(["y_bounds", "x_bounds"]), made.maps)
            assert maps.attrs["cell_side_um"] == made.maps.attrs["cell_side_um"]
            assert maps.attrs["slide"] == record["slide"]["path"]
            assert maps.attrs["slide_identity"] == record["slide"]["identity"]
            assert maps.attrs["version_axonflow-histology"] == record["versions"]["axonflow-histology"]
            if "masks" in record["model"]:
                assert maps.attrs["masks_identity"] == record["model"]["masks"][0]["identity"]
            else:
                assert maps.attrs["model"] == record["model"]["name"]
                assert maps.attrs["model_sha256"] == record["model"]["sha256"]


def test_notes_say_in_which_pixels_places_are_and_where_a_gratio_means_nothing(
    result: Analysis, resampled: Analysis
) -> None:
    for of, format_ in ((result, "csv"), (resampled, "ads-csv"), (resampled, "roi"), (resampled, "netcdf")):
        assert not any("px" in note for note in notes(of, format_))
    (said,) = (note for note in notes(resampled, "parquet") if "px" in note)
    sizes = [f"{resampled.record[part]['pixel_size_um'][0]:g} µm" for part in ("labels", "slide")]
    assert sizes[0] != sizes[1]
    assert said.index(sizes[0]) < said.index(sizes[1])
    bare = int((resampled.counted_fibers()["myelin_area (um^2)"] == 0).sum())
    assert resampled.summary["myelin missing"].split()[0] == str(bare)
    assert any(f"g-ratio of {bare} axon" in note for note in notes(resampled, "ads-csv")) == (bare > 0)
    assert not any("g-ratio" in note for note in notes(resampled, "geojson"))


def test_the_table_of_axondeepseg_is_in_the_slides_own_pixels(resampled: Analysis, tmp_path: Path) -> None:
    """Held against the mask that lies on these pixels, of which each label's pixel is one or two."""
    table = pd.read_csv(export_store(resampled, "ads-csv", tmp_path / "t.csv"), index_col=0)
    fibers, (h, w) = resampled.counted_fibers().reset_index(drop=True), resampled.record["slide"]["shape"]
    np.testing.assert_allclose((table["x0 (px)"] + 0.5) * 0.07, fibers["x0 (um)"], rtol=1e-12)
    np.testing.assert_allclose((table["y0 (px)"] + 0.5) * 0.07, fibers["y0 (um)"], rtol=1e-12)
    labels = np.asarray(resampled.pyramid("fibers").array()[:])
    rows, columns = (
        np.minimum(((np.arange(n) + 0.5) * 0.7).astype(int), m - 1) for n, m in zip((h, w), labels.shape, strict=True)
    )
    on_slide = labels[np.ix_(rows, columns)]
    bounds = table[["bbox_min_y", "bbox_min_x", "bbox_max_y", "bbox_max_x"]].to_numpy()
    for (y0, x0, y1, x1), id_ in zip(bounds, fibers["axon_id"], strict=True):
        y, x = np.nonzero(on_slide == id_)
        assert y0 <= y.min() <= y0 + 1
        assert x0 <= x.min() <= x0 + 1
        assert y1 - 1 <= y.max() + 1 <= y1
        assert x1 - 1 <= x.max() + 1 <= x1
    assert table[["bbox_max_y", "bbox_max_x"]].max().tolist() <= [h, w]
    same = [name for name in table if not str(name).startswith(("bbox", "x0 (", "y0 ("))]
    pd.testing.assert_frame_equal(table[same], fibers[same], check_exact=False, rtol=1e-12)


def test_spatialdata_holds_the_same_arrays(result: Analysis, tmp_path: Path) -> None:
    store = export_store(result, "spatialdata", tmp_path / "s.zarr")
    root = zarr.open_group(store, mode="r")
    assert dict(root.attrs["spatialdata_attrs"])["version"] == scverse.CONTAINER  # type: ignore[arg-type]
    for name in (None, *LABELS):
        pyramid = result.pyramid(name)
        for level in range(pyramid.count):
            array: Any = root[f"images/slide/s{level}" if name is None else f"labels/{name}/s{level}"]
            np.testing.assert_array_equal(array[:], pyramid.array(level)[:])
    table = anndata.read_zarr(store / "tables" / scverse.TABLE_NAME)
    assert table.uns["spatialdata_attrs"] == {"region": "axons", "region_key": "labels", "instance_key": "axon_id"}
    assert export_store(result, "spatialdata", store) == store  # an earlier one is replaced
    (tmp_path / "other").mkdir()
    with pytest.raises(InputError, match="something else is"):
        export_store(result, "spatialdata", tmp_path / "other")


@pytest.mark.parametrize(("format_", "name"), [("xlsx", "t.xls"), ("roi", "r.roi"), ("anndata", "t.csv")])
def test_another_ending_is_refused(result: Analysis, format_: str, name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"{name} came; rename --out"):
        export_store(result, format_, tmp_path / name)
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("format_", ["anndata", "roi", "spatialdata", "xlsx"])
def test_a_library_that_is_not_installed_is_named(
    result: Analysis, format_: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(extras, "import_module", missing)
    with pytest.raises(InputError, match=r"pip install \w+, or axonflow with its extra \[\w+\]"):
        export_store(result, format_)
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_nothing_is_written_into_a_store_or_over_what_the_run_was_given(
    form: str, result: Analysis, tmp_path: Path
) -> None:
    config = result.record["config"]
    places = [result.store / "run.json", result.store / "labels" / "axons.zarr", result.store, Path(), Path("..")]
    places += [Path(config[name]) for name in ("slide", "labels", "regions")]
    before = {path: path.read_bytes() for path in result.store.parent.rglob("*") if path.is_file()}
    for place in places:
        with pytest.raises(InputError, match="was expected for --out"):
            export_store(result, form, place)
    assert {path: path.read_bytes() for path in result.store.parent.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(("form", "name"), [("anndata", "a.zarr"), ("spatialdata", "s.zarr")])
def test_a_folder_is_replaced_by_an_export_of_its_kind_alone(
    form: str, name: str, result: Analysis, tmp_path: Path
) -> None:
    export_store(result, form, tmp_path / name)
    export_store(result, form, tmp_path / name)
    (tmp_path / "other.zarr").mkdir()
    (tmp_path / "other.zarr" / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="something else is"):
        export_store(result, form, tmp_path / "other.zarr")
    assert (tmp_path / "other.zarr" / "mine.txt").read_text() == "mine"
