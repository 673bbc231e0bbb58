"""Jobs end, wait and fall silent; the fleet queues another one for each that is lost, and only then."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from axonflow.engine.census import Census
from axonflow.engine.fleet import queued
from axonflow.engine.fleet.queued import CHECK_S, TRIES, Jobs
from axonflow.engine.fleet.workers import GRACE_S
from axonflow.engine.ledger import Ledger
from axonflow.engine.profile import Profile
from axonflow.engine.queues import QUEUES
from axonflow.engine.queues.system import GONE, JobState

RUNS, WAITS = JobState(waits=False), JobState(runs=False, reason="Resources")


@dataclass
class Queue:
    """A queueing system, and a cluster that queues a job for each worker that has none."""

    jobs: dict[str, JobState] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)
    workers: dict[str, Any] = field(default_factory=dict)
    now: float = 1000.0
    meanwhile: Callable[[], object] = lambda: None  # what happens while the system is asked

    @property
    def cluster(self) -> Any:
        """What :class:`Jobs` sees of it."""
        loop = SimpleNamespace(add_callback=lambda call, *given: call(*given))
        return SimpleNamespace(workers=self.workers, worker_spec={"a": 0, "b": 0}, scale=self.scale, loop=loop)

    def scale(self, count: int) -> None:
        """Queue what is missing."""
        for name in ("a", "b")[:count]:
            if name not in self.workers:
                job = str(len(self.jobs))
                self.workers[name] = SimpleNamespace(job_id=job, output=Path("nowhere"))
                self.jobs[job] = WAITS

    def states(self, jobs: Iterable[str]) -> dict[str, JobState]:
        """Say what is known."""
        self.meanwhile()
        return {job: self.jobs[job] for job in jobs}

    def cancel(self, jobs: Iterable[str], wait_s: float) -> None:
        """End jobs."""
        assert wait_s == 0
        self.ended += jobs


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> Queue:
    """A queue of two jobs, 0 and 1."""
    there = Queue()
    system = SimpleNamespace(name="slurm", states=there.states, cancel=there.cancel, hopeless=QUEUES["slurm"].hopeless)
    monkeypatch.setitem(QUEUES, "slurm", system)
    monkeypatch.setattr(queued, "time", SimpleNamespace(monotonic=lambda: there.now))
    there.scale(2)
    return there


@pytest.fixture
def look(queue: Queue, tmp_path: Path) -> Callable[..., str]:
    """Let the fleet look at its jobs some seconds later, with these workers there."""
    jobs = Jobs(Profile.find("slurm"), queue.cluster, Ledger(tmp_path / "jobs.json"))

    def after_a_while(*names: str, after: float = CHECK_S) -> str:
        queue.now += after
        return jobs.maintain(Census(frozenset(names), len(names), 0, ()), on_gpus=False)

    return after_a_while


def test_a_job_that_ended_is_followed_by_one_that_may_wait_for_any_time(queue: Queue, look: Callable[..., str]) -> None:
    queue.jobs.update({"0": RUNS, "1": RUNS})
    assert look("a", "b") == ""
    queue.jobs["0"] = GONE
    look("b")
    assert {name: job.job_id for name, job in queue.workers.items()} == {"a": "2", "b": "1"}
    for _ in range(5):
        assert look("b", after=GRACE_S) == "1 job waits (Resources)"
    assert set(queue.jobs) == {"0", "1", "2"}
    assert queue.ended == []


def test_a_worker_that_is_restarted_keeps_its_job(queue: Queue, look: Callable[..., str]) -> None:
    queue.jobs.update({"0": RUNS, "1": RUNS})
    look("a", "b")
    look("b")
    look("b", after=GRACE_S - 1)
    look("a", "b")
    look("b", after=GRACE_S - 1)
    assert queue.ended == []


def test_a_job_without_its_worker_is_ended(queue: Queue, look: Callable[..., str]) -> None:
    queue.jobs.update({"0": RUNS, "1": RUNS})
    look("a", "b")
    look("b")
    look("b", after=GRACE_S + 1)
    assert queue.ended == ["0"]
    queue.jobs["0"] = GONE
    look("b")
    assert queue.workers["a"].job_id == "2"


def test_time_in_the_queue_is_not_silence(queue: Queue, look: Callable[..., str]) -> None:
    queue.jobs.update({"0": RUNS, "1": RUNS})
    look("a", "b")
    queue.jobs["0"] = WAITS  # it was requeued
    look("b")
    look("b", after=5 * GRACE_S)
    queue.jobs["0"] = RUNS
    look("b")
    assert queue.ended == []


def test_a_job_whose_worker_has_not_come_yet_is_left_alone(queue: Queue, look: Callable[..., str]) -> None:
    queue.jobs.update({"0": RUNS, "1": RUNS})
    look("b")
    look("b", after=5 * GRACE_S)
    assert queue.ended == []


def test_a_job_that_dask_retires_while_it_is_asked_after_is_no_loss(queue: Queue, look: Callable[..., str]) -> None:
    """An adaptive cluster takes jobs away by itself, at any moment and more of them than may fail in a row."""
    for _ in range(2 * TRIES):
        (_, job) = next(iter(queue.workers.items()))
        queue.jobs[job.job_id] = GONE

        def retire() -> None:
            del queue.workers[next(iter(queue.workers))]

        queue.meanwhile = retire
        look()
        queue.meanwhile = lambda: None
    assert len(queue.workers) == 2


def test_a_job_that_dask_has_replaced_meanwhile_is_kept(queue: Queue, look: Callable[..., str]) -> None:
    queue.jobs["0"] = GONE
    queue.jobs["new"] = RUNS

    def replace() -> None:
        queue.workers["a"] = SimpleNamespace(job_id="new", output=Path("nowhere"))

    queue.meanwhile = replace
    look()
    assert queue.workers["a"].job_id == "new"
