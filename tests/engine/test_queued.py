"""Jobs end, wait and fall silent; the fleet queues another one for each that is lost, and only then."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from axonflow.engine.fleet import queued
from axonflow.engine.fleet.contract import GRACE_S
from axonflow.engine.fleet.queued import MEND_S, Jobs
from axonflow.engine.pool import Census
from axonflow.engine.profile import Profile
from axonflow.engine.queue import Ledger, Ticket

RUNS, WAITS, GONE = Ticket(True, "RUNNING"), Ticket(True, "PENDING", "Resources"), Ticket(False)


@dataclass
class Queue:
    """A queueing system, and a cluster that queues a job for each worker that has none."""

    tickets: dict[str, Ticket] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)
    workers: dict[str, Any] = field(default_factory=dict)
    now: float = 1000.0

    @property
    def cluster(self) -> Any:
        """What :class:`Jobs` sees of it."""
        loop = SimpleNamespace(add_callback=lambda call, *given: call(*given))
        return SimpleNamespace(workers=self.workers, worker_spec={"a": 0, "b": 0}, scale=self.scale, loop=loop)

    def scale(self, count: int) -> None:
        """Queue what is missing."""
        for name in ("a", "b")[:count]:
            if name not in self.workers:
                job = str(len(self.tickets))
                self.workers[name] = SimpleNamespace(job_id=job, output=Path("nowhere"))
                self.tickets[job] = WAITS

    def states(self, system: str, jobs: Iterable[str]) -> dict[str, Ticket]:
        """Say what is known."""
        assert system == "slurm"
        return {job: self.tickets[job] for job in jobs}

    def cancel(self, system: str, jobs: Iterable[str], wait_s: float) -> None:
        """End jobs."""
        assert (system, wait_s) == ("slurm", 0)
        self.ended += jobs


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> Queue:
    """A queue of two jobs, 0 and 1."""
    there = Queue()
    monkeypatch.setattr(queued, "states", there.states)
    monkeypatch.setattr(queued, "cancel", there.cancel)
    monkeypatch.setattr(queued, "time", SimpleNamespace(monotonic=lambda: there.now))
    there.scale(2)
    return there


@pytest.fixture
def look(queue: Queue, tmp_path: Path) -> Callable[..., str]:
    """Let the fleet look at its jobs some seconds later, with these workers there."""
    jobs = Jobs(Profile.find("slurm"), queue.cluster, Ledger(tmp_path / "jobs.json"))

    def mend(*names: str, after: float = MEND_S) -> str:
        queue.now += after
        return jobs.mend(Census(frozenset(names), len(names), 0, ()), on_gpus=False)

    return mend


def test_a_job_that_ended_is_followed_by_one_that_may_wait_as_long_as_it_likes(
    queue: Queue, look: Callable[..., str]
) -> None:
    queue.tickets.update({"0": RUNS, "1": RUNS})
    assert look("a", "b") == ""
    queue.tickets["0"] = GONE
    look("b")
    assert {name: job.job_id for name, job in queue.workers.items()} == {"a": "2", "b": "1"}
    for _ in range(5):
        assert look("b", after=GRACE_S) == "1 jobs wait (Resources)"
    assert set(queue.tickets) == {"0", "1", "2"}
    assert queue.ended == []


def test_a_worker_that_is_restarted_keeps_its_job(queue: Queue, look: Callable[..., str]) -> None:
    queue.tickets.update({"0": RUNS, "1": RUNS})
    look("a", "b")
    look("b")
    look("b", after=GRACE_S - 1)
    look("a", "b")
    look("b", after=GRACE_S - 1)
    assert queue.ended == []


def test_a_job_without_its_worker_is_ended(queue: Queue, look: Callable[..., str]) -> None:
    queue.tickets.update({"0": RUNS, "1": RUNS})
    look("a", "b")
    look("b")
    look("b", after=GRACE_S + 1)
    assert queue.ended == ["0"]
    queue.tickets["0"] = GONE
    look("b")
    assert queue.workers["a"].job_id == "2"


def test_time_in_the_queue_is_not_silence(queue: Queue, look: Callable[..., str]) -> None:
    queue.tickets.update({"0": RUNS, "1": RUNS})
    look("a", "b")
    queue.tickets["0"] = WAITS  # it was requeued
    look("b")
    look("b", after=5 * GRACE_S)
    queue.tickets["0"] = RUNS
    look("b")
    assert queue.ended == []


def test_a_job_whose_worker_has_not_come_yet_is_left_alone(queue: Queue, look: Callable[..., str]) -> None:
    queue.tickets.update({"0": RUNS, "1": RUNS})
    look("b")
    look("b", after=5 * GRACE_S)
    assert queue.ended == []
