"""What is shown and exported of a store with unmyelinated axons: each kind where it belongs."""

from __future__ import annotations

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
from slides import analyse, command, picture, tissue, write_labels, write_slide

import axonflow
from axonflow.errors import InputError
from axonflow.fiber.kinds import MYELINATED, UNMYELINATED, of_kind
from axonflow.fiber.table import ADS_COLUMNS, ADS_UNMYELINATED
from axonflow.kernel.words import count, listed, mean_and_spread
from axonflow.results.analysis import Analysis
from axonflow.results.check import check
from axonflow.results.export import FORMATS, export_store
from axonflow.results.report import write_report
from axonflow.results.report.methods import in_a_paper
from axonflow.results.viewer.scene import Scene
from axonflow.results.viewer.segments import segment_properties
from axonflow.results.viewer.selection import axon_at
from axonflow.workflow.config import Config

SHAPE = (190, 230)


@pytest.fixture(scope="module")
def labels() -> NDArray[np.uint8]:
    """Tissue with small disks of the class without myelin in what is left, one over each corner of a chunk."""
    labels = tissue(SHAPE, 4)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    for at in [(128, 64), (64, 128), (10, 200), (180, 20), (150, 215)]:
        labels[(np.hypot(y - at[0], x - at[1]) < 5.5) & (labels == 0)] = 3
    labels[:3, :3] = 4
    return labels


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory, labels: NDArray[np.uint8]) -> Analysis:
    folder = tmp_path_factory.mktemp("kinds")
    Image.fromarray(labels).save(folder / "labels.png")
    classes = "0=background,1=myelin,2=axon,3=uaxon,4=nuclei"
    slide = write_slide(folder / "slide.tif", picture(np.minimum(labels, 2)))
    analyse(
        Config(
            slide,
            folder / "kinds.ome.zarr",
            labels=folder / "labels.png",
            classes=classes,
            cell_um=6,
            chunk=64,
            border="all",
        )
    )
    return axonflow.open(folder / "kinds.ome.zarr")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    """A store of one kind."""
    folder = tmp_path_factory.mktemp("kind")
    classes = tissue((100, 120), 1)
    slide, labels = write_slide(folder / "slide.tif", picture(classes)), write_labels(folder / "labels.png", classes)
    analyse(Config(slide, folder / "kind.ome.zarr", labels=labels, cell_um=6, border="all"))
    return axonflow.open(folder / "kind.ome.zarr")


def test_axondeepseg_has_a_file_for_each_kind(result: Analysis, labels: NDArray[np.uint8], tmp_path: Path) -> None:
    for kind, unmyelinated, columns in (
        (MYELINATED, False, [column.name for column in ADS_COLUMNS]),
        (UNMYELINATED, True, [*ADS_UNMYELINATED]),
    ):
        path = export_store(result, "ads-csv", tmp_path / kind, unmyelinated=unmyelinated)
        written, rows = pd.read_csv(path, index_col=0), of_kind(result.fibers, kind)[columns].reset_index(drop=True)
        pd.testing.assert_frame_equal(written, rows)
        assert not written.isna().to_numpy().any()
    mask, bare = (
        tifffile.imread(export_store(result, "ads-mask", tmp_path / f"{k}.tif", unmyelinated=k)) for k in (False, True)
    )
    np.testing.assert_array_equal(mask, np.array([0, 127, 255, 0, 0], np.uint8)[labels])
    np.testing.assert_array_equal(bare, (labels == 3) * np.uint8(255))


def test_the_command_names_axondeepsegs_file(result: Analysis) -> None:
    ran = command("export", result.store, "--format", "ads-csv", "--unmyelinated")
    assert ran.code == 0
    assert (result.store.parent / "kinds_uaxon_morphometrics.csv").exists()


def test_what_has_no_kind_of_its_own_is_refused(result: Analysis, other: Analysis, tmp_path: Path) -> None:
    for format_ in FORMATS.keys() - {"ads-csv", "ads-mask"}:
        with pytest.raises(InputError, match="--format ads-csv or ads-mask"):
            export_store(result, format_, tmp_path / "none", unmyelinated=True)
    with pytest.raises(InputError, match="its classes have none: background, myelin, axon"):
        export_store(other, "ads-csv", tmp_path / "none", unmyelinated=True)
    assert not (tmp_path / "none").exists()


def test_whole_tables_hold_both(result: Analysis, tmp_path: Path) -> None:
    assert result.fibers["left_out"].isna().all()
    for format_, read in (("csv", pd.read_csv), ("parquet", pd.read_parquet)):
        written = read(export_store(result, format_, tmp_path / format_))
        assert list(written) == list(result.fibers)
        pd.testing.assert_frame_equal(written.drop(columns="left_out"), result.fibers.drop(columns="left_out"))


def test_an_unmyelinated_axon_is_one_outline_of_its_class(result: Analysis, tmp_path: Path) -> None:
    made = json.loads(export_store(result, "geojson", tmp_path / "outlines.geojson").read_text())["features"]
    by_class: dict[str, list[int]] = {}
    table = result.fibers.set_index("axon_id")
    for feature in made:
        kind, id_ = feature["properties"]["classification"]["name"], int(feature["properties"]["name"].split()[1])
        by_class.setdefault(kind, []).append(id_)
        if kind == "Unmyelinated axon":
            assert shape(feature["geometry"]).area * 0.01 == pytest.approx(table.loc[id_, "axon_area (um^2)"])
            assert feature["properties"]["measurements"].keys().isdisjoint({"gratio", "myelin_area (um^2)"})
    ids = {kind: of_kind(result.fibers, kind)["axon_id"].tolist() for kind in (MYELINATED, UNMYELINATED)}
    assert {kind: sorted(found) for kind, found in by_class.items()} == {
        "Fiber": ids[MYELINATED],
        "Axon": ids[MYELINATED],
        "Unmyelinated axon": ids[UNMYELINATED],
    }
    assert all(ids.values())


def test_the_viewer_finds_every_axon_and_lists_its_kind(result: Analysis) -> None:
    scene = Scene(result)
    for _, row in of_kind(result.fibers, UNMYELINATED).iterrows():
        assert axon_at(scene, scene.to_page(row["y0 (um)"], row["x0 (um)"])) == row["axon_id"]
    inline = json.loads(segment_properties(result.fibers), parse_constant=pytest.fail)["inline"]  # NaN is no JSON
    *_, tags = inline["properties"]
    assert tags["tags"] == ["border", "bare", "unmyelinated"]
    assert [2 in each for each in tags["values"]] == (result.fibers["kind"] == UNMYELINATED).tolist()
    assert [1 in each for each in tags["values"]] == (result.fibers["myelin_area (um^2)"] == 0).tolist()
    assert {"unmyelinated_density", "unmyelinated_avf", "myelinated_fraction"} <= {*scene.names}
    assert list(scene.legend) == ["axon", "myelin", "unmyelinated axon", "nuclei"]


def test_the_report_has_a_section_of_them(result: Analysis, other: Analysis) -> None:
    page, figures = write_report(result).read_text(), result.store / "figures"
    bare = of_kind(result.fibers, UNMYELINATED)
    share = 1 - len(bare) / len(result.fibers)
    assert f"{len(bare)}</td>" in page
    assert f"{share:.1%} of {len(result.fibers)} axons are myelinated" in page
    assert f"{bare['axon_diam (um)'].mean():.2f} µm" in page
    assert {f"unmyelinated-{name}.{kind}" for name in ("maps", "diameter") for kind in ("svg", "png")} < {
        path.name for path in figures.iterdir()
    }
    assert "nmyelinated" not in write_report(other).read_text().replace("unmyelinated, or their myelin was missed", "")


def test_its_words_and_its_check_know_both(result: Analysis) -> None:
    bare, every = of_kind(result.fibers, UNMYELINATED), result.fibers
    assert result.summary["axons"] == f"{len(every) - len(bare)} (myelinated)"
    assert result.summary["unmyelinated"].startswith(f"{len(bare)} axons, ")
    assert result.summary["myelinated"] == f"{1 - len(bare) / len(every):.1%} of the axons"
    diameters = {kind: of_kind(every, kind)["axon_diam (um)"] for kind in (MYELINATED, UNMYELINATED)}
    for name, of in (("axon diameter", diameters[MYELINATED]), ("their diameter", diameters[UNMYELINATED])):
        assert result.summary[name] == mean_and_spread(of.mean(), of.std(ddof=0), len(of), "µm")
    assert check(result.store).sound
    ran = command("info", result.store)
    assert f"unmyelinated   {len(bare)} axons" in ran.out


def test_those_of_a_network_are_said_by_area_alone(result: Analysis) -> None:
    model = {name: value for name, value in result.record["model"].items() if name != "masks"}
    of_network = replace(result, record=result.record | {"model": model | {"name": "tem", "sha256": ""}})
    maps = result.maps
    avf = float((maps["unmyelinated_avf"] * maps["covered_area"]).sum() / maps["covered_area"].sum())
    assert of_network.summary["unmyelinated"].startswith(f"AVF {avf:.3f} (neighbours run together")
    assert of_network.summary.keys().isdisjoint({"their diameter", "myelinated"})
    assert f"a volume fraction of {avf:.3f}, are in none of the numbers above" in in_a_paper(of_network, result.fibers)


def test_what_is_left_out_is_told_by_kind(labels: NDArray[np.uint8], tmp_path: Path) -> None:
    drawn = labels[:, :60].copy()
    y, x = np.mgrid[: drawn.shape[0], : drawn.shape[1]]
    drawn[np.hypot(y - 96, x - 57) < 5.5] = 3  # the right side cuts it
    Image.fromarray(drawn).save(tmp_path / "labels.png")
    slide = write_slide(tmp_path / "slide.tif", picture(np.minimum(drawn, 2)))
    classes = "0=background,1=myelin,2=axon,3=uaxon,4=nuclei"
    analyse(Config(slide, tmp_path / "cut", labels=tmp_path / "labels.png", classes=classes, cell_um=6))
    cut = axonflow.open(tmp_path / "cut")
    gone = cut.fibers[cut.fibers["left_out"] == "frame"]
    kinds = [len(of_kind(gone, kind)) for kind in (MYELINATED, UNMYELINATED)]
    assert kinds[1] >= 1
    said = listed(*(count(n, f"{kind} axon") for n, kind in zip(kinds, (MYELINATED, UNMYELINATED), strict=True) if n))
    assert cut.summary["left out"] == f"{said} cut by the lower or right side (counting frame)"
    assert f"{said} w{'as' if sum(kinds) == 1 else 'ere'} not counted" in in_a_paper(cut, cut.counted_fibers())


def test_a_batch_lists_both_kinds_of_slides(result: Analysis, other: Analysis, tmp_path: Path) -> None:
    names = ("slide", "out", "labels", "classes", "cell_um", "border")
    rows = [[str(each.record["config"][name] or "").replace("None", "") for name in names] for each in (result, other)]
    listed = pd.DataFrame(rows, columns=list(names)).assign(out=[str(each.store) for each in (result, other)])
    listed["chunk"] = [64, None]
    listed["chunk"] = listed["chunk"].astype("Int64")
    listed.to_csv(tmp_path / "list.csv", index=False)
    ran = command("batch", tmp_path / "list.csv", "--out", tmp_path / "batch", "--workers", 1)
    assert ran.code == 0, ran.err
    table = pd.read_csv(tmp_path / "batch" / "summary.csv")
    bare = of_kind(result.fibers, UNMYELINATED)
    assert table["unmyelinated_count"].fillna(-1).tolist() == [len(bare), -1]
    assert table["axon_count"].tolist() == [len(result.fibers) - len(bare), len(other.fibers)]
    assert table["myelinated_fraction"][0] == pytest.approx(1 - len(bare) / len(result.fibers))
    assert "unmyelinated" in (tmp_path / "batch" / "report.html").read_text()


@pytest.mark.parametrize("kinds", [True, False])
def test_cells_of_which_nothing_counts_are_no_fault(kinds: bool, tmp_path: Path, labels: NDArray[np.uint8]) -> None:
    Image.fromarray(np.array([[255, 0], [0, 0]], np.uint8)).save(tmp_path / "mask.png")
    Image.fromarray(labels if kinds else np.minimum(labels, 2)).save(tmp_path / "labels.png")
    slide = write_slide(tmp_path / "slide.tif", picture(np.minimum(labels, 2)))
    classes = "0=background,1=myelin,2=axon" + ",3=unmyelinated,4=nuclei" * kinds
    given: dict[str, Any] = {"labels": tmp_path / "labels.png", "classes": classes, "mask": tmp_path / "mask.png"}
    given["border"] = "all"
    analyse(Config(slide, tmp_path / "out", cell_um=4.0, **given))
    result = axonflow.open(tmp_path / "out")
    assert np.isnan(result.maps["axon_count"]).any()
    assert check(result.store).faults == ()
    fibers = result.fibers
    inside = (fibers["y0 (um)"] < 9.5) & (fibers["x0 (um)"] < 11.5)
    assert result.counted_fibers()["axon_id"].tolist() == fibers[inside]["axon_id"].tolist()
    assert int(result.mapped_axons.sum()) == inside.sum()
