"""The ways that sites allow, on a real Slurm: the driver as a job, one allocation, an array, and many slides."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from slides import command, contents, files
from trials import SMALL, Trial, wait_for_job

from axonflow.engine.profile import PROFILES
from axonflow.workflow.status import read_status

pytestmark = pytest.mark.slurm


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The command axonflow on the path of a script; what it puts at home is put elsewhere."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path))


def sbatch(*words: str) -> str:
    """Submit a script, wait for its end, and return the job's id."""
    asked = subprocess.run(["sbatch", "--parsable", *words], capture_output=True, text=True, check=True)
    wait_for_job(job := asked.stdout.strip())
    return job


def test_a_driver_that_is_a_job(short_trial: Trial) -> None:
    ran = command(
        "submit", "slide.tif", *short_trial.flags, "--cluster", "slurm", "--workers", 1, *SMALL, "--driver-memory", 1
    )
    assert ran.code == 0, ran.err
    note = json.loads((short_trial.private / "submitted.json").read_text())
    wait_for_job(note["job"])
    assert files(short_trial.store) == short_trial.expected, Path(note["log"]).read_text()
    status = read_status(short_trial.store)
    assert status.state == "done"
    assert status.job == f"slurm {note['job']}"
    assert command("status", short_trial.store).code == 0


@pytest.mark.usefixtures("program")
def test_an_allocation(short_trial: Trial, tmp_path: Path) -> None:
    options = ["-n", "2", "--mem-per-cpu=1G", "-t", "10"]
    job = sbatch(*options, str(PROFILES / "allocation.sbatch"), "slide.tif", *short_trial.flags)
    log = (short_trial.folder / f"axonflow-{job}.log").read_text()
    assert short_trial.store.exists(), log
    assert files(short_trial.store) == short_trial.expected, log
    assert not list(tmp_path.glob(".axonflow-fleet-*"))


@pytest.mark.usefixtures("program")
def test_an_array(short_trial: Trial) -> None:
    (short_trial.folder / "other.tif").write_bytes(short_trial.slide.read_bytes())
    (short_trial.folder / "slides.txt").write_text("slide.tif\nother.tif\n")
    options = ["-a", "1-2", "-c", "1", "--mem-per-cpu=1G", "-t", "10"]
    job = sbatch(*options, str(PROFILES / "array.sbatch"), "slides.txt", *short_trial.flags)
    logs = [path.read_text() for path in short_trial.folder.glob(f"axonflow-{job}_*.log")]
    assert len(logs) == 2
    assert files(short_trial.store) == short_trial.expected, logs
    assert contents(short_trial.folder / "other.ome.zarr") == contents(short_trial.store)


def test_a_batch_of_which_one_is_broken(short_trial: Trial) -> None:
    (short_trial.folder / "other.tif").write_bytes(short_trial.slide.read_bytes())
    (short_trial.folder / "broken.tif").write_bytes(short_trial.slide.read_bytes()[:200])
    slides = ["slide.tif", "broken.tif", "other.tif"]
    words = [*short_trial.flags, "--out", "cords", "--cluster", "slurm", "--workers", 1, *SMALL]
    ran = command("batch", *slides, *words)
    assert ran.code == 1, ran.err
    with (short_trial.folder / "cords" / "summary.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["slide"], row["state"]) for row in rows] == [
        *(("slide.tif", "done"), ("broken.tif", "failed"), ("other.tif", "done")),
    ]
    assert rows[1]["reason"]
    stores = [short_trial.folder / "cords" / f"{name}.ome.zarr" for name in ("slide", "other")]
    assert files(stores[0]) == short_trial.expected
    assert contents(stores[1]) == contents(stores[0])
    assert not short_trial.jobs()
    assert not (short_trial.folder / "cords" / ".axonflow" / "certificates").exists()
