"""Where tasks run: in this process, on one or a few threads, or on the workers of a fleet.

A pool computes the graphs of batches and yields each batch as it ends, with a bounded number in flight. Which pool it
is never changes a byte of what is computed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from itertools import islice
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Protocol

from axonflow.engine.ahead import begin, getting_ready
from axonflow.engine.census import Census
from axonflow.engine.events import Listener, WorkersCounted
from axonflow.engine.graph import GPU, Done, Graph
from axonflow.engine.threads import Threads
from axonflow.errors import FleetError, RunError
from axonflow.kernel.memory import begin_peak

if TYPE_CHECKING:
    from concurrent.futures import Future as Promise

    from distributed import Client, Future

__all__ = ["Fleet", "LocalPool", "Pool", "WorkersPool"]

LOOK_S = 1.0
"""Between two looks at the fleet."""

FETCH_S = 10.0
"""How long results may be on their way here, until the fleet is looked at again."""


class Pool(Protocol):
    """Computes graphs; ``gpu`` says whether some of its workers have one."""

    gpu: bool

    def getting_ready(self, steps: Sequence[Callable[[], object]]) -> AbstractContextManager[None]:
        """Take steps beside what is done within the context: they load and compile what later tasks need.

        What a step fails with is no matter: whoever needs what it was to make ready meets the same.
        """

    def run(
        self, graphs: Iterable[tuple[int, Callable[[], Graph]]], memory: int, *, accelerated: bool, on_event: Listener
    ) -> Iterator[tuple[int, list[Done]]]:
        """Compute numbered graphs, each built when its turn comes.

        Parameters
        ----------
        graphs : iterable of (int, callable)
        memory : int
            What one of their tasks may take, bytes.
        accelerated : bool
            Whether they want an accelerator.
        on_event : callable
            Called with a :class:`~axonflow.engine.events.WorkersCounted` every second or so.

        Yields
        ------
        number : int
        done : list of Done
            In no order of the numbers.
        """


class LocalPool:
    """Computes in this process: the reference, one task after the other, or a batch on each of a few threads.

    Parameters
    ----------
    threads : int
    """

    gpu = False

    def __init__(self, threads: int = 1) -> None:
        self.threads = threads

    def getting_ready(self, steps: Sequence[Callable[[], object]]) -> AbstractContextManager[None]:
        """Take steps on a thread of its own."""
        return getting_ready(steps)

    def run(
        self,
        graphs: Iterable[tuple[int, Callable[[], Graph]]],
        memory: int,  # noqa: ARG002  # the protocol's
        *,
        accelerated: bool,  # noqa: ARG002
        on_event: Listener,
    ) -> Iterator[tuple[int, list[Done]]]:
        """Compute a graph on each thread, with one waiting; when one fails, those under way are still ended."""
        on_event(WorkersCounted(self.threads, ""))
        begin_peak()  # of these tasks: this is the driver's process, too
        if self.threads == 1:
            for number, build in graphs:
                yield number, _computed(build())
            return
        waiting = iter(graphs)
        flying: dict[Promise[list[Done]], int] = {}
        ended: list[tuple[int, list[Done]]] = []
        failure: BaseException | None = None
        with Threads(self.threads) as threads:
            while True:
                if failure is None:
                    for number, build in islice(waiting, self.threads + 1 - len(flying)):
                        flying[threads.submit(partial(_computed, build()))] = number
                yield from ended  # while the next are computed: whoever takes them writes files
                if not flying:
                    break
                ended = []
                for future in wait(flying, return_when=FIRST_COMPLETED).done:
                    number = flying.pop(future)
                    if future.exception() is None:
                        ended.append((number, future.result()))
                    else:
                        failure = failure or future.exception()
                if failure is not None:
                    flying = {future: number for future, number in flying.items() if not future.cancel()}
        if failure is not None:
            raise failure


class Fleet(Protocol):
    """The workers of a run: who they are, and what is done when some are lost."""

    def maintain(self, census: Census, *, on_gpus: bool) -> str:
        """Replace what was lost; return a note for the user, or nothing.

        Raises
        ------
        FleetError
            If there are no workers, and waiting does not help.
        """

    def scheduler_lost(self) -> FleetError:
        """Return the error to raise when the scheduler, and the work it held, has gone."""


class WorkersPool:
    """The workers of a fleet.

    Parameters
    ----------
    client : distributed.Client
    fleet : Fleet
    gpu : bool
        Whether some of its workers have an accelerator, so that what wants one runs nowhere else.
    """

    def __init__(self, client: Client, fleet: Fleet, *, gpu: bool) -> None:
        self.client, self.fleet, self.gpu = client, fleet, gpu

    def getting_ready(self, steps: Sequence[Callable[[], object]]) -> AbstractContextManager[None]:
        """Have one of the workers that are there take steps, one with a GPU if any has; all find what it compiles."""
        workers = self.client.scheduler_info(n_workers=-1)["workers"]
        first = min(workers, key=lambda address: (not workers[address]["resources"].get(GPU), address), default=None)
        if steps and first is not None:
            self.client.run(begin, steps, workers=[first], on_error="ignore")
        return nullcontext()

    def run(
        self, graphs: Iterable[tuple[int, Callable[[], Graph]]], memory: int, *, accelerated: bool, on_event: Listener
    ) -> Iterator[tuple[int, list[Done]]]:
        """Compute graphs on the workers; what is in flight is bounded, and cancelled when one fails.

        Raises
        ------
        FleetError
            If nobody is left to compute them.
        """
        import dask
        from distributed.comm.core import CommClosedError

        waiting = iter(graphs)
        flying: dict[Future[Any], int] = {}
        ended: SimpleQueue[Future[Any]] = SimpleQueue()
        on_gpus = self.gpu and accelerated
        looked, allowed, more = 0.0, 1, True
        try:
            while more or flying:
                if time.monotonic() - looked > LOOK_S:
                    census = Census.take(self.client)
                    note = self.fleet.maintain(census, on_gpus=on_gpus)
                    on_event(WorkersCounted(len(census.names), note))
                    looked, allowed = time.monotonic(), census.in_flight(memory, on_gpus=on_gpus)
                while more and len(flying) < allowed:
                    number, build = next(waiting, (None, None))
                    if number is None or build is None:
                        more = False
                        break
                    # Queueing of tasks does not hold for those with resources, hence a bound of our own.
                    future = self.client.compute(dask.delayed(list)(build()), optimize_graph=False)
                    flying[future] = number
                    future.add_done_callback(ended.put)
                together = _arrived(ended) if flying else []
                good = [future for future in together if future.status == "finished"]
                for future, done in zip(good, self._results(good), strict=False):
                    yield flying.pop(future), done
                # What has failed comes last, so that nothing beside it is lost.
                self._results([future for future in together if future.status in {"error", "cancelled"}])
                for future in together:
                    if future in flying:  # its worker died with the result, and may have to be replaced first
                        future.add_done_callback(ended.put)
        except CommClosedError as error:
            raise self.fleet.scheduler_lost() from error
        finally:
            if flying:
                with suppress(CommClosedError):
                    self.client.cancel(list(flying), force=True)

    def _results(self, futures: list[Future[Any]]) -> list[list[Done]]:
        """Fetch what has ended; nothing if that takes long, as it does when results went with their workers."""
        from distributed import KilledWorker
        from distributed.client import FutureCancelledError

        try:
            gather = partial(self.client.gather, futures, asynchronous=True)
            results: list[list[Done]] = self.client.sync(gather, callback_timeout=FETCH_S)
        except TimeoutError:
            if any(future.status == "error" for future in futures):  # a task's own, of a file system
                raise
            return []
        except KilledWorker as error:
            raise RunError(
                "A task was expected to end, but each worker that tried it died: most likely it ran out of memory. Use "
                "a smaller --chunk, or more --memory per worker. What was done is kept: run the same command again to "
                "continue."
            ) from error
        except FutureCancelledError as error:
            raise self.fleet.scheduler_lost() from error
        return results


def _computed(graph: Graph) -> list[Done]:
    import dask

    return list(dask.compute(*graph, optimize_graph=False, scheduler=dask.get))  # by its name, distributed is loaded


def _arrived(ended: SimpleQueue[Future[Any]]) -> list[Future[Any]]:
    """Wait a while for what has ended; take all of it, as asking for results one by one costs a round trip each."""
    arrived: list[Future[Any]] = []
    with suppress(Empty):
        arrived.append(ended.get(timeout=LOOK_S))
        while True:
            arrived.append(ended.get_nowait())
    return arrived
