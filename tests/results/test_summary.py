"""The table of a batch: its numbers are those of whole images, its columns those that are documented."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from batch_folders import FIGURES, SHAPES, BatchFolder, Finished, tabulated
from numpy.typing import NDArray
from PIL import Image
from slides import picture, tissue, write_model, write_slide

from axonflow.fiber.maps import centroid_pixels
from axonflow.fiber.table import read_parquet
from axonflow.ngff import Pyramid
from axonflow.results.batch_table import read_summary
from axonflow.results.summary import COLUMNS, write_results
from axonflow.workflow.batch import open_batch
from axonflow.workflow.manifest import COLUMNS as MANIFEST
from axonflow.workflow.manifest import ListedSlide
from axonflow.workflow.record import read_record


def level0(store: Path, name: str) -> NDArray[Any]:
    return np.squeeze(Pyramid.open(store / name).array(0)[:])


def test_numbers_are_those_of_what_counts(masked_batch: Finished) -> None:
    assert masked_batch.table["slide"].tolist() == [f"{level}.tif" for level in SHAPES]
    for level, row in zip(("C3", "C5"), masked_batch.table.to_dict("records"), strict=False):
        store = Path(row["store"])
        axons, semantic = level0(store, "labels/axons"), level0(store, "labels/semantic")
        counts = np.ones(SHAPES[level], bool)
        if level == "C3":
            counts = np.kron(np.asarray(Image.open(masked_batch.folder.path / "mask.png")), np.ones((10, 10), int)) > 0
        fibers = read_parquet(store / "tables" / "fibers.parquet")
        in_frame = ~fibers["axon_id"].isin([*axons[-1], *axons[:, -1]])
        here = fibers[counts[centroid_pixels(fibers)] & in_frame]
        assert 0 < len(here) <= len(fibers)
        area, diameters = counts.sum() * 1e-8, here["axon_diam (um)"]  # of pixels of 0.1 µm, mm²
        avf, mvf = ((image & counts).sum() / counts.sum() for image in (axons > 0, semantic == 1))
        expected = {
            "area (mm^2)": area,
            "axon_count": len(here),
            "axon_density (mm^-2)": len(here) / area,
            "avf": avf,
            "mvf": mvf,
            "gratio_aggregate": np.sqrt(avf / (avf + mvf)),
            "gratio_mean": here["gratio"][here["myelin_area (um^2)"] > 0].mean(),
            "axon_diam_mean (um)": diameters.mean(),
            "axon_diam_std (um)": diameters.std(ddof=0),
            **{f"axon_diam_p{p} (um)": np.percentile(diameters, p) for p in (5, 25, 50, 75, 95)},
        }
        assert {name: row[name] for name in expected} == pytest.approx(expected)
        assert row["reason"] == ""
        assert set(row) == set(expected) | {
            *("slide", "level", "store", "state", "reason", "confidence", "unfamiliar_cells", "warnings")
        }


def test_where_nothing_counts_nothing_is_known(masked_batch: Finished) -> None:
    row = masked_batch.table.iloc[2]
    assert (row["state"], row["axon_count"], row["area (mm^2)"]) == ("done", 0, 0)
    assert "[nothing-counts]" in row["warnings"]
    assert row[["avf", "gratio_mean", "axon_diam_mean (um)", "axon_diam_p50 (um)"]].isna().all()


def test_the_table_is_as_documented(masked_batch: Finished) -> None:
    assert list(masked_batch.table) == [column.name for column in COLUMNS]
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "batch.md").read_text()
    listed = re.findall(r"^\| `([^`]+)` \| (.*?) \| (.*?) \|$", page, re.MULTILINE)
    assert [row for row in listed if row[0] in set(masked_batch.table)] == [
        (column.name, column.unit, column.meaning) for column in COLUMNS
    ]
    assert set(MANIFEST) <= set(re.findall(r"`(\w+)`", page))


def test_a_network_says_how_sure_it_was(batch_folder: BatchFolder) -> None:
    model = write_model(batch_folder.path)
    model.write_text(json.dumps(json.loads(model.read_text()) | {"familiar": {"texture": [0.9, 1]}}))
    write_slide(batch_folder.path / "large.tif", picture(tissue((190, 220))))  # enough of one cell to judge it
    batch_folder.write("slide,level,model,cell_um", f"large.tif,C3,{model.name},25")
    table = tabulated(batch_folder.open())
    noted = read_record(batch_folder.out / "large.ome.zarr")["stages"]["map"]
    assert table["confidence"].tolist() == [noted["confidence"]]
    assert table["unfamiliar_cells"].tolist() == [noted["unfamiliar_cells"]] == [1]
    assert (
        "The one cell that can be judged looks unlike anything the network was trained on (texture"
        in table["warnings"][0]
    )


def test_figures_of_slides_that_all_fail_go(masked_batch: Finished, tmp_path: Path) -> None:
    written = write_results(masked_batch.table, tmp_path)
    assert [path.name for path in written] == ["summary.csv", *FIGURES]
    failed = tabulated(open_batch([ListedSlide("gone.tif", "C3")], {}, tmp_path))
    assert write_results(failed, tmp_path) == [tmp_path / "summary.csv"]
    assert [path.name for path in tmp_path.iterdir()] == ["summary.csv"]


def test_names_that_would_be_formulas_are_read_back(masked_batch: Finished, tmp_path: Path) -> None:
    named = masked_batch.table.assign(
        slide=lambda table: "=cmd|" + table["slide"], level="+1", reason="@x", warnings="-"
    )
    write_results(named, tmp_path)
    written = (tmp_path / "summary.csv").read_text()
    assert not re.search(r"(^|,)[=+@-][^,\d]", written, re.MULTILINE)
    read = read_summary(tmp_path)
    for column in ("slide", "level", "store", "state", "reason", "warnings"):
        assert read[column].tolist() == named[column].tolist()
