"""Workers of a cluster of our own: starting and ending them, and how long a fleet without any is kept."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING

from axonflow.errors import FleetError

if TYPE_CHECKING:
    from distributed import SpecCluster

__all__ = ["GRACE_S", "no_workers_left", "opened", "start_workers"]

GRACE_S = 60.0
"""How long there may be no worker where none has to be waited for."""


def no_workers_left(*, on_gpus: bool) -> FleetError:
    """Return the error to raise when there is no worker."""
    return FleetError(
        f"Workers {'with a GPU ' if on_gpus else ''}were expected, but none is left, and none has come back; run.log "
        "and the workers' logs say more. What was done is kept: run the same command again to continue."
    )


@contextmanager
def opened(make: Callable[[], SpecCluster]) -> Iterator[SpecCluster]:
    """Open a cluster whose threads and processes are deaf to ^C, and close it.

    ^C reaches every process of a terminal's group. A worker ignores it once it runs, but one that is just starting
    would end, and fail its cluster before this process has answered. What fails while a cluster is closed because of
    another error is not what the user has to know.
    """
    # It would make its thread, which starts a worker, hear again.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # threads and processes inherit it
    try:
        cluster = make()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    try:
        yield cluster
    except BaseException:
        with suppress(Exception):
            cluster.close()
        raise
    cluster.close()


def start_workers(cluster: SpecCluster) -> None:
    """Start the workers that are wanted; an error of the first is raised here.

    A cluster cannot be closed before all of them have started or failed, so whoever interrupts it waits for that.
    """

    async def start() -> None:
        await cluster

    starting = asyncio.run_coroutine_threadsafe(start(), cluster.loop.asyncio_loop)
    try:
        starting.result()
    except KeyboardInterrupt:
        with suppress(Exception):
            starting.result()
        raise
