"""A real Slurm's faults: jobs and drivers that are ended, jobs that never start; each run ends right or says why."""

from __future__ import annotations

import json
import signal
import subprocess
from contextlib import suppress

import psutil
import pytest
from slides import command, files
from trials import SMALL, Trial

from axonflow.workflow.status import read_status

pytestmark = pytest.mark.slurm


def test_a_run_speaks_tls_and_leaves_nothing_behind(trial: Trial) -> None:
    certificates = trial.private / "certificates"
    with trial.driven("--workers", 2) as driver:
        trial.strike(driver, 1)
        jobs = trial.jobs()
        assert len(jobs) == 2
        assert json.loads((trial.private / "jobs.json").read_text())["jobs"] == jobs
        asked = ["scontrol", "write", "batch_script", jobs[0], "-"]
        script = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
        assert " tls://" in script
        assert "tcp://" not in script
        assert str(certificates) in script
        assert certificates.stat().st_mode & 0o777 == 0o700
        assert {path.stat().st_mode & 0o777 for path in certificates.iterdir()} == {0o600}
        assert driver.wait(150) == 0, trial.said()
    assert files(trial.store) == trial.expected
    assert not certificates.exists()
    assert not (trial.private / "jobs.json").exists()
    assert not trial.jobs()


def test_a_cancelled_worker_is_replaced(trial: Trial) -> None:
    with trial.driven("--workers", 1) as driver:
        trial.strike(driver, 5)
        recorded, (job,) = trial.recorded(), trial.jobs()
        subprocess.run(["scancel", job], check=True)
        assert driver.wait(200) == 0, trial.said()
    assert files(trial.store) == trial.expected
    assert recorded.items() <= trial.recorded().items()  # nothing was done twice
    assert len(list((trial.private / "jobs").glob("*.log"))) == 2


def test_a_killed_driver_is_followed_by_one_that_tidies_up(trial: Trial) -> None:
    with trial.driven("--workers", 1) as driver:
        trial.strike(driver, 5)
    recorded, left = trial.recorded(), trial.jobs()
    assert len(left) == 1
    with trial.driven("--workers", 1) as driver:
        trial.strike(driver, len(recorded) + 1)
        (job,) = trial.jobs()
        assert job not in left
        assert driver.wait(150) == 0, trial.said()
    assert files(trial.store) == trial.expected
    assert recorded.items() <= trial.recorded().items()
    assert not trial.jobs()
    assert not (trial.private / "certificates").exists()


def test_a_driver_that_is_ended_takes_its_jobs_along(trial: Trial) -> None:
    with trial.driven("--workers", 2) as driver:
        trial.strike(driver, 3)
        driver.send_signal(signal.SIGTERM)
        assert driver.wait(60) == 130
    assert not trial.jobs()
    assert not (trial.private / "certificates").exists()
    assert read_status(trial.store).state == "stopped"
    assert "same command again" in trial.said()


def workers() -> list[psutil.Process]:
    """Return the processes of workers that some nanny has started."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            nanny = process.parent()
            if nanny and "distributed.cli.dask_worker" in nanny.cmdline() and "spawn_main" in str(process.cmdline()):
                found.append(process)
    return found


def test_a_killed_worker_is_restarted_in_its_job(trial: Trial) -> None:
    with trial.driven("--workers", 1) as driver:
        trial.strike(driver, 5)
        mine = str(trial.private)
        (worker,) = (one for one in workers() if any(mine in word for word in one.parent().cmdline()))
        worker.kill()
        assert driver.wait(200) == 0, trial.said()
    assert files(trial.store) == trial.expected


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (["--partition", "nix"], "invalid partition"),
        (["--cores", 999], "PartitionConfig"),
        (["--directive=--hold"], "JobHeldUser"),
        (["--prologue", "echo there is no module gcc; exit 3"], "3 jobs of slurm in a row.*there is no module gcc"),
    ],
)
def test_what_slurm_says_is_passed_on(short_trial: Trial, flags: list[object], reason: str) -> None:
    with short_trial.driven("--workers", 2, *flags) as driver:
        assert driver.wait(60) == 1
    assert not short_trial.jobs()
    said = short_trial.said().replace("\n", " ")
    assert reason.split(".*")[0] in said
    assert reason.split(".*")[-1] in said
    assert "axonflow cluster show slurm" in said
    ran = command("run", "slide.tif", *short_trial.flags, "--cluster", "slurm", "--workers", 1, *SMALL)
    assert ran.code == 0, ran.err
    assert files(short_trial.store) == short_trial.expected


def test_as_many_jobs_as_there_is_work_for(trial: Trial) -> None:
    """Dask queues jobs and ends them while the run looks after them."""
    with trial.driven("--adapt", "1:3") as driver:
        trial.strike(driver, 3)
        assert 1 <= len(trial.jobs()) <= 3
        assert driver.wait(200) == 0, trial.said()
    assert files(trial.store) == trial.expected
    assert not trial.jobs()
