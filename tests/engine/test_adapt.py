"""An adaptive fleet queues and ends jobs by itself, at any moment; the fleet that looks after them takes no offence."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import dask
import pytest
from distributed import Client

from axonflow.engine.census import Census
from axonflow.engine.fleet import SETTINGS, queued
from axonflow.engine.fleet.queued import TRIES
from axonflow.engine.profile import Profile

PROFILE = Profile.find("slurm").but(adapt="1:4")


def ids(jobs: Path) -> list[str]:
    return [job.name for job in jobs.iterdir()]


def until(happened: Callable[[], bool], seconds: float = 60.0) -> bool:
    limit = time.monotonic() + seconds
    while not happened() and time.monotonic() < limit:
        time.sleep(0.05)
    return happened()


def test_jobs_follow_the_work_and_are_not_missed_when_they_go(
    waiting_jobs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    monkeypatch.setattr(queued, "CHECK_S", 0.0)  # a look at every call
    monkeypatch.chdir(tmp_path)
    with (
        dask.config.set(SETTINGS | {"distributed.adaptive.interval": "100ms", "distributed.adaptive.wait-count": 1}),
        queued.queued(PROFILE, tmp_path / "private") as (cluster, jobs),
        Client(cluster, set_as_default=False) as client,
    ):

        def looked(count: int) -> bool:
            jobs.maintain(Census.take(client), on_gpus=False)
            return len(ids(waiting_jobs)) == count

        assert ids(waiting_jobs)
        assert until(lambda: looked(1))
        for _ in range(TRIES + 1):  # more often than jobs may fail in a row
            work = client.map(time.sleep, range(1, 101), pure=False)  # dask guesses at half a second each
            assert until(lambda: looked(4))
            client.cancel(work, force=True)
            del work
            assert until(lambda: looked(1))
    assert not ids(waiting_jobs)


def test_the_least_of_them_is_queued_at_once(
    waiting_jobs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    monkeypatch.chdir(tmp_path)
    with dask.config.set(SETTINGS), queued.queued(PROFILE.but(adapt="3:5"), tmp_path / "private"):
        assert len(ids(waiting_jobs)) == 3
    assert not ids(waiting_jobs)
