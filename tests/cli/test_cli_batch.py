"""The command batch: which slides it takes, what it says, what it leaves in its folder."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from batch_folders import FIGURES, SHAPES, BatchFolder
from slides import command

import axonflow.results.report
import axonflow.workflow.batch
from axonflow.errors import FleetError
from axonflow.kernel.refused import refused
from axonflow.results.analysis import Analysis
from axonflow.workflow.record import read_record

FLAGS = ("--cell", 6, "--workers", 1)


def test_a_broken_slide_stops_nobody_and_again_does_what_is_missing(batch_folder: BatchFolder) -> None:
    (batch_folder.path / "C5.tif").rename(batch_folder.path / "away.tif")
    first = command("batch", batch_folder.manifest, *FLAGS)
    assert first.code == 1
    assert first.out.index("failed: C5 (C5.tif): A slide was expected") < first.out.index("slide 1 of 2: C3 (C3.tif)")
    assert "1 of 3 slides" in first.out
    assert batch_folder.summary["state"].tolist() == ["done", "failed", "done"]
    assert "C5.tif does not exist" in batch_folder.summary["reason"][1]
    assert batch_folder.summary["axon_count"].isna().tolist() == [False, True, False]
    made = batch_folder.digests()
    written = [(batch_folder.out / name).read_bytes() for name in ("summary.csv", *FIGURES)]

    again = command("batch", batch_folder.manifest, *FLAGS)
    assert again.code == 1
    assert "done in" not in again.out  # which each stage says that runs
    assert batch_folder.digests() == made
    assert [(batch_folder.out / name).read_bytes() for name in ("summary.csv", *FIGURES)] == written

    (batch_folder.path / "away.tif").rename(batch_folder.path / "C5.tif")
    repaired = command("batch", batch_folder.manifest, *FLAGS)
    assert repaired.code == 0
    assert repaired.out.count("reading the slide: done in") == 1
    assert made.items() <= batch_folder.digests().items()
    assert batch_folder.summary["state"].tolist() == ["done"] * 3
    stores = {f"{level}.ome.zarr" for level in SHAPES}
    assert {path.name for path in batch_folder.out.iterdir()} == {*stores, "summary.csv", *FIGURES, ".axonflow"}


def test_two_slides_may_not_write_one_store(batch_folder: BatchFolder) -> None:
    (batch_folder.path / "other").mkdir()
    (batch_folder.path / "C3.tif").rename(batch_folder.path / "other" / "C5.tif")
    batch_folder.write("slide,labels", "C5.tif,C5.png", "other/C5.tif,C3.png")
    ran = command("batch", batch_folder.manifest, *FLAGS)
    assert ran.code == 2
    assert "C5.tif and other/C5.tif would both write" in ran.err
    assert not batch_folder.out.exists()
    batch_folder.write("slide,labels,out", "C5.tif,C5.png,", "other/C5.tif,C3.png,other/cords/../C5")
    assert command("batch", batch_folder.manifest, *FLAGS).code == 0
    assert [Path(store).resolve() for store in batch_folder.summary["store"]] == [
        batch_folder.out / "C5.ome.zarr",
        batch_folder.path / "other" / "C5",
    ]


def test_slides_may_be_named_or_found(batch_folder: BatchFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(batch_folder.path)
    (batch_folder.path / "ours.toml").write_text("[run]\nlabels = 'C5.png'\ncell_um = 7\nmax_myelin_um = 2\n")
    ran = command("batch", "C[4-9].tif", "--pipeline", "ours.toml", *FLAGS)
    assert ran.code == 0
    config = read_record(Path("batch/C5.ome.zarr"))["config"]
    assert (config["cell_um"], config["max_myelin_um"]) == (6, 2)  # the flag's, and the pipeline's
    assert "C5.tif" in ran.out
    store = command("batch", "batch/C5.ome.zarr", "--workers", 1, "--out", "of stores")
    assert store.code == 0
    assert "done in" not in store.out
    ours, again = (pd.read_csv(f"{folder}/summary.csv") for folder in ("batch", "of stores"))
    pd.testing.assert_frame_equal(again.drop(columns="slide"), ours.drop(columns="slide"))
    fresh = command("batch", "batch/C5.ome.zarr", "--workers", 1, "--out", "of stores", "--fresh")
    assert fresh.out.count("reading the slide: done in") == 1
    assert command("batch", "T*.png", "nothing*").code == 2


def test_a_slide_whose_report_fails_has_failed(batch_folder: BatchFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    written = axonflow.results.report.keep_report

    def failing(result: Analysis, *others: Any) -> Path:
        if result.store.name.startswith("C5"):
            raise OSError(28, "No space left")
        return written(result, *others)

    monkeypatch.setattr(axonflow.results.report, "keep_report", failing)
    ran = command("batch", batch_folder.manifest, *FLAGS)
    assert ran.code == 1
    assert "failed: C5 (C5.tif): " in ran.out
    assert refused(OSError(28, "No space left")) in " ".join(ran.out.split())
    summary = batch_folder.summary
    assert summary["state"].tolist() == ["done", "failed", "done"]
    assert summary["store"].tolist() == [str(batch_folder.out / f"{level}.ome.zarr") for level in SHAPES]
    assert summary["axon_count"].isna().tolist() == [False, True, False]
    monkeypatch.undo()
    again = command("batch", batch_folder.manifest, *FLAGS)
    assert again.code == 0
    assert re.findall("(.*): done in", again.out) == ["drawing figures"]


@pytest.mark.parametrize("error", [FleetError("Nobody is left."), KeyboardInterrupt()])
def test_a_fault_of_the_pool_or_an_interrupt_leaves_no_summary(
    batch_folder: BatchFolder, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def failing(*_arguments: object, **_options: object) -> None:
        raise error

    monkeypatch.setattr(axonflow.workflow.batch, "run_job", failing)
    ran = command("batch", batch_folder.manifest, *FLAGS)
    assert ran.code == (1 if isinstance(error, FleetError) else 130)
    assert not (batch_folder.out / "summary.csv").exists()
