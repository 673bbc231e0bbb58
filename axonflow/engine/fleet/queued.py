"""Workers that are jobs of a queueing system."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from axonflow.engine import certificates
from axonflow.engine.fleet.workers import GRACE_S, opened, start_workers
from axonflow.engine.jobs import cluster_class, command_output, job_options
from axonflow.engine.ledger import Ledger
from axonflow.engine.profile import Profile
from axonflow.engine.queues import QUEUES
from axonflow.engine.queues.system import JobState
from axonflow.errors import FleetError
from axonflow.kernel.words import count

if TYPE_CHECKING:
    from distributed import SpecCluster

    from axonflow.engine.census import Census

__all__ = ["Jobs", "queued"]

log = logging.getLogger(__name__)

CHECK_S = 5.0
"""Between two looks at the jobs."""

TRIES = 3
"""Jobs in a row that may end before their worker has connected."""


@contextmanager
def queued(profile: Profile, private: Path) -> Iterator[tuple[SpecCluster, Jobs]]:
    """Queue the jobs of a profile; end them, and remove their certificates, at the end.

    Raises
    ------
    FleetError
        If the queueing system refuses them.
    """
    ledger = Ledger(private / "jobs.json")
    ledger.end_jobs()  # of a driver that was killed
    folder = private / "certificates"
    certificates.make(folder)
    try:
        with opened(partial(cluster_class(profile), **job_options(profile, folder, gpu=profile.gpus > 0))) as cluster:
            _queue_jobs(cluster, profile, folder)
            jobs = Jobs(profile, cluster, ledger)
            jobs.note_in_ledger()  # a driver may be killed at any moment
            yield cluster, jobs
    finally:
        ledger.end_jobs()
        certificates.discard(folder)


def _queue_jobs(cluster: SpecCluster, profile: Profile, folder: Path) -> None:
    first = cluster.new_spec
    least, most = profile.adapt or (profile.workers or 1,) * 2
    for _ in range(least):
        cluster.worker_spec.update(cluster.new_worker_spec())
    if profile.cpu_workers:
        without = job_options(profile, folder, gpu=False)
        options = first["options"] | {name: value for name, value in without.items() if name in first["options"]}
        cluster.new_spec = first | {"options": options}
        for _ in range(profile.cpu_workers):
            cluster.worker_spec.update(cluster.new_worker_spec())
        cluster.new_spec = first
    try:
        start_workers(cluster)
    except (RuntimeError, OSError) as error:
        raise FleetError(
            f"Jobs of {profile.system} were expected to be queued, but it answers: {command_output(error)}. "
            f"{_advice(profile)}"
        ) from error
    if profile.adapt:
        beside = profile.cpu_workers or 0
        cluster.adapt(minimum=least + beside, maximum=most + beside)


class Jobs:
    """Workers that are jobs: replaced as they end, and asked after while they wait."""

    def __init__(self, profile: Profile, cluster: SpecCluster, ledger: Ledger) -> None:
        self.profile, self.cluster, self.ledger = profile, cluster, ledger
        self.system = QUEUES[profile.system]
        self.checked, self.noted = -GRACE_S, frozenset[str]()
        self.met: set[str] = set()  # jobs whose worker has connected
        self.silent: dict[str, float] = {}  # those of them that run without it, and since when
        self.early = 0  # jobs in a row that ended before their worker had connected
        self.note = ""

    def note_in_ledger(self) -> dict[str, str]:
        """Note the jobs that there are in the ledger; return them by the names of their workers."""
        jobs = {str(name): str(job.job_id) for name, job in dict(self.cluster.workers).items() if job.job_id}
        if frozenset(jobs.values()) != self.noted:
            self.noted = frozenset(jobs.values())
            self.ledger.write(self.system.name, jobs.values())
        return jobs

    def maintain(self, census: Census, *, on_gpus: bool) -> str:  # noqa: ARG002  # the note names those that wait
        """Queue another job for each that has ended; return what those that wait are waiting for."""
        now = time.monotonic()
        if now - self.checked < (CHECK_S if self.early < TRIES else GRACE_S):  # a bad node is not asked again at once
            return self.note
        self.checked = now
        jobs = self.note_in_ledger()
        here = {job for name, job in jobs.items() if name in census.names}
        if here - self.met:
            self.early = 0
            self.met |= here
        away = {name: job for name, job in jobs.items() if job not in here}
        states = self.system.states(list(away.values())) if away else {}
        if states is None:  # it is too busy to answer; the next time
            return self.note
        for name, job in away.items():
            if not states[job].known:
                self._forget(name, job, alone=not census.names)
        self._end_silent([job for job in away.values() if job in self.met and states[job].runs], now)
        self.cluster.loop.add_callback(self._open_what_is_wanted)  # in dask's thread, as it adapts their number there
        self.note = self._note([states[job] for job in away.values()])
        return self.note

    def scheduler_lost(self) -> FleetError:
        """Return the error to raise when the scheduler was closed."""
        return FleetError(
            f"The jobs of {self.profile.system} were expected to go on, but their scheduler was closed. What was "
            "done is kept: run the same command again to continue."
        )

    def _forget(self, name: str, job: str, *, alone: bool) -> None:
        """Have the cluster forget a job that ended; several that never worked, while no other does, end the run."""
        # An adaptive cluster takes jobs away by itself: dask may be ending this one, or have done so meanwhile.
        there = ((key, one) for key, one in dict(self.cluster.workers).items() if str(key) == name)
        key, ended = next(there, (None, None))
        if ended is None or str(ended.job_id) != job or key not in self.cluster.worker_spec:
            return
        log.warning("job %s of worker %s has ended", job, name)
        self.cluster.loop.add_callback(self.cluster.workers.pop, key, None)
        if job not in self.met:
            self.early += 1
        if self.early >= TRIES and alone:
            raise FleetError(
                f"Workers were expected, but {self.early} jobs of {self.profile.system} in a row ended before theirs "
                f"had come, the last one {job}: {_last_line(ended.output)} {_advice(self.profile)}"
            )

    def _open_what_is_wanted(self) -> None:
        """Have the cluster queue a job for each worker that it wants and does not have."""
        self.cluster.scale(len(self.cluster.worker_spec))

    def _end_silent(self, jobs: list[str], now: float) -> None:
        """End jobs whose worker has not come back in a while; once they have ended, others follow them."""
        self.silent = {job: self.silent.get(job, now) for job in jobs}
        hopeless = [job for job, since in self.silent.items() if now - since > GRACE_S]
        for job in hopeless:
            log.warning("job %s has run without its worker for %.0f s; it is ended", job, now - self.silent[job])
        self.system.cancel(hopeless, wait_s=0)

    def _note(self, states: list[JobState]) -> str:
        waiting = [state for state in states if state.waits]
        reasons = sorted({state.reason for state in waiting if state.reason})
        if hopeless := self.system.hopeless.intersection(reasons):
            raise FleetError(
                f"Workers were expected, but {self.profile.system} holds their jobs back: "
                f"{', '.join(sorted(hopeless))}. {_advice(self.profile)}"
            )
        if not waiting:
            return ""
        waits = count(len(waiting), "job waits", "jobs wait")
        return waits + (f" ({', '.join(reasons)})" if reasons else "")


def _advice(profile: Profile) -> str:
    return f"Change the profile or its flags; 'axonflow cluster show {profile.name}' prints the job script."


def _last_line(path: Path) -> str:
    try:
        lines = [line.strip() for line in path.read_text(errors="replace").splitlines() if line.strip()]
    except OSError:
        return f"there is no log of it at {path}."
    return f"its log {path} ends with {lines[-1]!r}." if lines else f"its log {path} is empty."
