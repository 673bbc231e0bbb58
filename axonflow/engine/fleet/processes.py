"""Workers that are processes of this machine."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

import psutil

from axonflow.engine.cpus import cpus
from axonflow.engine.fleet.workers import GRACE_S, no_workers_left, opened, start_workers
from axonflow.engine.profile import Profile
from axonflow.errors import FleetError, InputError

if TYPE_CHECKING:
    from distributed import SpecCluster

    from axonflow.engine.census import Census

__all__ = ["Processes", "beside", "local_profile", "processes", "visible_gpus"]

_MANY_CORES, _BESIDE_BYTES = 8, 4 * 2**30
"""From so many cores on there are workers beside those with a GPU, while each has so much memory: what a GPU has
segmented, more processes measure faster than more threads of one."""


@contextmanager
def processes(profile: Profile) -> Iterator[SpecCluster]:
    """Start the processes of a profile: one for each GPU, or as many as it says.

    Each GPU goes to one process, so that no two compete for its memory; those beyond the number of GPUs have none, and
    do what needs none. Where there are some, those with a GPU have half of the cores. All have the same memory.

    Raises
    ------
    InputError
        If there is no GPU, and it does not say how many are to act as if they had one.
    """
    from distributed import LocalCluster
    from distributed.security import Security

    from axonflow.engine.graph import GPU

    found = visible_gpus() if profile.gpus else []
    if profile.gpus and not found and profile.workers is None:
        raise InputError(
            "A GPU was expected on this machine for a worker each, none was found; use --cluster local, or say with "
            "--workers how many workers are to declare one."
        )
    count = profile.workers or len(found) or 1
    with_gpu = min(count, len(found)) if found else count if profile.gpus else 0
    without = count + beside(profile) - with_gpu
    cores = cpus() // 2 if with_gpu and without else cpus()
    memory = profile.memory or psutil.virtual_memory().total // (with_gpu + without)
    make = partial(
        LocalCluster,
        n_workers=0,
        memory_limit=memory,
        dashboard_address=profile.dashboard,
        host="127.0.0.1",
        protocol="tls://",
        security=Security.temporary(),  # in memory: every user of this machine could connect
        silence_logs=50,
        local_directory=None if profile.scratch is None else os.path.expandvars(profile.scratch),
    )
    with opened(make) as cluster:
        for i in range(with_gpu + without):
            gpu = i < with_gpu
            own = profile.cpus or max(cores // (with_gpu if gpu else without), 1)
            env = {"OMP_NUM_THREADS": str(own), "NUMBA_NUM_THREADS": str(own)}
            if profile.gpus:
                env["CUDA_VISIBLE_DEVICES"] = found[i] if gpu and found else ""
            # Beside a GPU the processor reads, writes and measures; without one it is the network's, a task at a time.
            options = {"nthreads": max(own, 2) if gpu else 1, "resources": {GPU: 1} if gpu else {}, "env": env}
            spec = cluster.new_spec | {"options": cluster.new_spec["options"] | options}
            cluster.worker_spec[i] = spec
        start_workers(cluster)
        yield cluster


def beside(profile: Profile) -> int:
    """Return how many workers without a GPU there are on this machine beside those that were asked for."""
    if profile.cpu_workers is not None:
        return profile.cpu_workers
    if not profile.gpus or cpus() < _MANY_CORES:
        return 0
    return min(cpus() * 3 // 4, int(psutil.virtual_memory().total) // 2 // _BESIDE_BYTES)


class Processes:
    """Workers that are processes of this machine, each restarted by its nanny."""

    def __init__(self) -> None:
        self.seen = time.monotonic()

    def maintain(self, census: Census, *, on_gpus: bool) -> str:
        """Give up when none has come back for a minute."""
        if census.gpus if on_gpus else census.threads:
            self.seen = time.monotonic()
        elif time.monotonic() - self.seen > GRACE_S:
            raise no_workers_left(on_gpus=on_gpus)
        return ""

    def scheduler_lost(self) -> FleetError:
        """Return the error to raise when the scheduler was closed."""
        return FleetError(
            "The workers were expected to go on, but their scheduler was closed. What was done is kept: run the same "
            "command again to continue."
        )


def local_profile() -> str:
    """Return the name of the profile of this machine: with its GPUs if it has any."""
    return "local-gpu" if visible_gpus() else "local"


def visible_gpus() -> list[str]:
    """Return the GPUs that may be used, in CUDA's words."""
    if (named := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [card for card in named.split(",") if card and card != "-1"]
    with suppress(OSError, subprocess.SubprocessError):
        asked = ("nvidia-smi", "--query-gpu=index", "--format=csv,noheader")
        answer = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=True)
        return answer.stdout.split()
    return []
