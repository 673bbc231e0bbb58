"""Where workers come from: this machine, jobs of a queueing system, or a scheduler that already runs.

A fleet is all workers of a run. It is opened from a profile, replaces the workers it loses, and says in one message
why, when none is left to wait for. All of its connections are encrypted; the certificates go when it is closed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from axonflow.engine.profile import Profile

if TYPE_CHECKING:
    from axonflow.engine.pool import Pool

__all__ = ["SETTINGS", "WITHOUT_SPANS", "open_pool"]

WITHOUT_SPANS = "axonflow.engine.fleet.spans"
"""A module that a scheduler of ours loads as it starts."""

SETTINGS: dict[str, object] = {
    "distributed.worker.daemon": True,
    # ^C reaches the whole process group; only this process answers it, and closes its workers.
    "distributed.worker.preload": ["import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"],
    "distributed.scheduler.preload": [WITHOUT_SPANS],
    "distributed.scheduler.allowed-failures": 2,
    "distributed.scheduler.no-workers-timeout": None,  # the fleet knows why there are none, and says it
    # The fleet knows who is lost. Dask would end whatever bears a lost worker's name by then, its successor too.
    "distributed.deploy.lost-worker-timeout": "365d",
    "distributed.worker.use-file-locking": False,  # of the folder for what is spilled
    "distributed.worker.memory.spill": False,  # tasks write their output; there is nothing to spill
    "distributed.worker.memory.target": False,
    "distributed.worker.profile.enabled": False,  # it holds Python's lock to look at what all threads do
    # What dask keeps to show afterwards would grow with the slide: as long as there is work, all is one computation.
    "distributed.diagnostics.computations.max-history": 0,
    "distributed.admin.low-level-log-length": 50,  # whole tasks, to and from every worker
}


@contextmanager
def open_pool(profile: Profile, private: Path) -> Iterator[Pool]:
    """Open the pool of a profile.

    Parameters
    ----------
    profile : Profile
        ``workers`` is expected to be set for a local one.
    private : Path
        A folder for certificates and for a note of the jobs; workers read it, too.

    Raises
    ------
    InputError
        If nothing answers at a scheduler's address.
    FleetError
        If the queueing system refuses the jobs.
    """
    import dask

    from axonflow.engine.census import Census
    from axonflow.engine.pool import LocalPool, WorkersPool

    if profile.in_process:
        yield LocalPool(profile.workers or 1)
        return
    from distributed import Client

    with dask.config.set(SETTINGS):
        if profile.system == "scheduler":
            from axonflow.engine.fleet.joined import JoinedWorkers, joined

            with joined(profile) as client:
                yield WorkersPool(client, JoinedWorkers(client), gpu=Census.take(client).gpus > 0)
        elif profile.system == "local":
            from axonflow.engine.fleet.processes import Processes, processes

            with processes(profile) as cluster, Client(cluster) as client:
                yield WorkersPool(client, Processes(), gpu=profile.gpus > 0)
        else:
            from axonflow.engine.fleet.queued import queued

            with queued(profile, private) as (cluster, fleet), Client(cluster) as client:
                yield WorkersPool(client, fleet, gpu=profile.gpus > 0)
