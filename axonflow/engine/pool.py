"""Where tasks run: in this process, or on the workers of a distributed cluster.

A pool computes batches of dask graphs and yields each as it ends, with a bounded number in flight. Which pool it is
never changes a byte of what is computed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import dask
import psutil

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["LocalPool", "Pool", "WorkersPool", "open_pool"]

Graph = list[Any]
"""Delayed tasks of one batch."""


class Pool(Protocol):
    """Computes graphs."""

    @property
    def workers(self) -> int:
        """How many tasks run at a time."""

    def run(self, graphs: Iterable[tuple[int, Callable[[], Graph]]]) -> Iterator[tuple[int, list[Any]]]:
        """Compute numbered graphs, each built when its turn comes; yield number and results as they end."""


class LocalPool:
    """Computes in this process: the reference, one task after the other, or a few threads.

    Parameters
    ----------
    threads : int
        1 means dask's synchronous scheduler.
    """

    def __init__(self, threads: int = 1) -> None:
        self.workers = threads

    def run(self, graphs: Iterable[tuple[int, Callable[[], Graph]]]) -> Iterator[tuple[int, list[Any]]]:
        """Compute one graph after the other."""
        how: dict[str, Any] = {"scheduler": "synchronous"}
        if self.workers > 1:
            how = {"scheduler": "threads", "num_workers": self.workers}
        for number, build in graphs:
            yield number, list(dask.compute(*build(), optimize_graph=False, **how))


class WorkersPool:
    """The workers of a distributed client.

    Parameters
    ----------
    client : distributed.Client
    ahead : int
        Batches in flight per worker: one runs, the others wait with their input read.
    """

    def __init__(self, client: Client, ahead: int = 2) -> None:
        self.client, self.ahead = client, ahead

    @property
    def workers(self) -> int:
        """How many tasks run at a time."""
        return max(sum(int(n) for n in self.client.nthreads().values()), 1)

    def run(self, graphs: Iterable[tuple[int, Callable[[], Graph]]]) -> Iterator[tuple[int, list[Any]]]:
        """Compute graphs on the workers; what is in flight is bounded, and cancelled when one fails."""
        from distributed import as_completed

        waiting = iter(graphs)
        flying: dict[str, int] = {}
        ended = as_completed(with_results=True)

        def launch() -> None:
            for number, build in waiting:
                future = self.client.compute(dask.delayed(list)(build()), optimize_graph=False)
                flying[future.key] = number
                ended.add(future)
                return

        for _ in range(self.ahead * self.workers):
            launch()
        try:
            for future, results in ended:
                number = flying.pop(future.key)
                launch()
                yield number, results
        finally:
            if flying:
                self.client.cancel(list(ended.futures), force=True)


@contextmanager
def open_pool(workers: int, memory: int | None = None) -> Iterator[Pool]:
    """Open a pool on this machine.

    Parameters
    ----------
    workers : int
        1 runs in this process; more start as many worker processes, which share the cores.
    memory : int, optional
        Bytes a worker may take; all memory there is, shared evenly, when left out.
    """
    if workers == 1:
        yield LocalPool()
        return
    from distributed import Client, LocalCluster

    share = memory or psutil.virtual_memory().total // workers
    threads = max((os.cpu_count() or 1) // workers, 1)
    with (
        dask.config.set(
            {
                "distributed.worker.daemon": True,
                # ^C reaches the whole process group; only this process answers it, and closes its workers.
                "distributed.worker.preload": ["import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"],
                "distributed.scheduler.allowed-failures": 2,
                "distributed.scheduler.no-workers-timeout": "120s",
                "distributed.worker.memory.spill": False,  # tasks write their output; there is nothing to spill
                "distributed.worker.memory.target": False,
            }
        ),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            memory_limit=share,
            dashboard_address="127.0.0.1:0",  # None is port 8787, and a warning where that is taken
            host="127.0.0.1",
            silence_logs=50,
            env={"OMP_NUM_THREADS": str(threads), "NUMBA_NUM_THREADS": str(threads)},
        ) as cluster,
        Client(cluster) as client,
    ):
        yield WorkersPool(client)
