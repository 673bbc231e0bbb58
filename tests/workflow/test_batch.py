"""A batch does what single runs do, slide by slide; one that fails leaves the others alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from batch_folders import SHAPES, BatchFolder, Finished, Notes, run, store_of
from slides import analyse, contents, picture, tissue, write_slide

import axonflow.workflow.batch
from axonflow.errors import FleetError, RunError
from axonflow.kernel.refused import refused
from axonflow.workflow.config import Config
from axonflow.workflow.job import Job, run_job


def test_a_batch_is_its_runs(masked_batch: Finished, tmp_path: Path) -> None:
    assert masked_batch.notes == [(level, state, "") for level in SHAPES for state in ("begun", "done")]
    folder = masked_batch.folder.path
    analyse(Config(folder / "C3.tif", tmp_path, labels=folder / "C3.png", mask=folder / "mask.png", cell_um=6.0))
    assert contents(tmp_path) == contents(Path(masked_batch.table["store"][0]))


def test_all_is_checked_before_anything_runs(batch_folder: BatchFolder) -> None:
    write_slide(batch_folder.path / "unscaled.tif", picture(tissue((64, 64))), None)
    (batch_folder.path / "mask.geojson").write_text("{")
    batch_folder.write(
        "slide,level,labels,mask,pixel_size,model,max_myelin_um",
        "unscaled.tif,a,C3.png,,,,",
        "C3.tif,b,C3.png,mask.geojson,,,",
        "C3.tif,c,T1.png,,,,",
        "C3.tif,d,C3.png,,wide,,",
        "C3.tif,e,,,,nobody,",
        "C3.tif,f,C3.png,,,,-1",
        "C3.tif,g,C3.png,,,,",
        "C3.png/x.tif,h,C3.png,,,,",
    )
    notes = Notes()
    outcomes = run(batch_folder.open(), store_of, notes)
    reasons = {level: reason for level, state, reason in notes if state == "failed"}
    assert [state for _, state, _ in notes] == ["failed"] * 7 + ["begun", "done"]
    for level, said in {
        "a": "--pixel-size",
        "b": "GeoJSON was expected",
        "c": "T1.png",
        "d": "pixel_size was expected",
        "e": "A model was expected",
        "f": "max_myelin_um was expected",
        "h": "C3.png/x.tif",
    }.items():
        assert said in reasons.pop(level)
    assert not reasons
    assert [outcome.state for outcome in outcomes] == ["failed"] * 6 + ["done", "failed"]
    assert [outcome.made for outcome in outcomes if outcome.made] == [batch_folder.out / "C3.ome.zarr"]
    assert [path.name for path in batch_folder.out.iterdir()] == ["C3.ome.zarr"]


def test_a_slide_that_breaks_on_the_way_stops_nobody(batch_folder: BatchFolder) -> None:
    content = (batch_folder.path / "C3.tif").read_bytes()
    (batch_folder.path / "C3.tif").write_bytes(content.replace(b"\x78", b"\x00"))  # where zlib's tiles begin
    notes = Notes()
    first, *others = run(batch_folder.open(), store_of, notes)
    assert [note[:2] for note in notes][:3] == [("C3", "begun"), ("C3", "failed"), ("C5", "begun")]
    assert (first.state, first.made) == ("failed", None)
    assert "C3.tif" in first.reason
    assert [(other.state, other.reason, other.made) for other in others] == [
        ("done", "", batch_folder.out / f"{level}.ome.zarr") for level in ("C5", "T1")
    ]


ERRORS = [
    (RunError("The disk was\nexpected."), "The disk was expected."),
    (ZeroDivisionError("by zero"), "ZeroDivisionError: by zero"),
    (OSError(28, "No space left"), "OSError: [Errno 28] No space left"),
]


@pytest.mark.parametrize(("error", "reason"), ERRORS)
def test_what_a_run_raises_is_the_slides_alone(
    batch_folder: BatchFolder, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    def failing(job: Job, *arguments: Any, **options: Any) -> None:
        if job.config.slide.name == "C5.tif":
            raise error
        run_job(job, *arguments, **options)

    monkeypatch.setattr(axonflow.workflow.batch, "run_job", failing)
    outcomes = run(batch_folder.open(), store_of)
    assert [outcome.state for outcome in outcomes] == ["done", "failed", "done"]
    assert [outcome.reason for outcome in outcomes] == ["", reason, ""]


@pytest.mark.parametrize(("error", "reason"), ERRORS)
def test_so_is_what_comes_after_it(batch_folder: BatchFolder, error: Exception, reason: str) -> None:
    def failing(job: Job) -> str:
        if job.config.slide.name == "C5.tif":
            raise error
        return job.config.slide.name

    notes = Notes()
    outcomes = run(batch_folder.open(), failing, notes)
    assert [outcome.made for outcome in outcomes] == ["C3.tif", None, "T1.tif"]
    said = outcomes[1].reason
    assert [outcome.reason for outcome in outcomes] == ["", said, ""]
    assert (refused(error) in said) if isinstance(error, OSError) else (said == reason)
    assert notes[2:4] == [("C5", "begun", ""), ("C5", "failed", said)]


@pytest.mark.parametrize("error", [FleetError("Nobody is left."), KeyboardInterrupt()])
def test_a_fault_of_the_pool_or_an_interrupt_ends_the_batch(
    batch_folder: BatchFolder, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def failing(*_arguments: Any, **_options: Any) -> None:
        raise error

    monkeypatch.setattr(axonflow.workflow.batch, "run_job", failing)
    notes = Notes()
    with pytest.raises(type(error)):
        run(batch_folder.open(), store_of, notes)
    assert notes == [("C3", "begun", "")]
