"""Batches on threads: what becomes of those under way when one fails, or somebody stops the run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

import dask
import pytest

from axonflow.engine.cpus import tasks_side_by_side
from axonflow.engine.events import Event, WorkersCounted, ignore
from axonflow.engine.graph import Done, Graph
from axonflow.engine.pool import LocalPool

Work = Callable[[int], None]


def graph(work: Work, number: int) -> Graph:
    """Build the graph of one task."""

    def task() -> Done:
        work(number)
        return Done({}, tasks_side_by_side())

    return [dask.delayed(task)()]


def through(pool: LocalPool, work: Work, count: int) -> Iterator[int]:
    """Compute so many graphs; yield the number of each as it ends."""
    graphs = ((i, partial(graph, work, i)) for i in range(count))
    for number, _ in pool.run(graphs, 0, accelerated=False, on_event=ignore):
        yield number


def test_threads_work_side_by_side_and_know_it() -> None:
    together, events = threading.Barrier(3, timeout=60), list[Event]()

    def meet(number: int) -> None:
        together.wait()

    graphs = [(i, partial(graph, meet, i)) for i in range(6)]
    done = dict(LocalPool(3).run(graphs, 0, accelerated=False, on_event=events.append))
    assert sorted(done) == list(range(6))
    assert {task.peak for (task,) in done.values()} == {3}
    assert tasks_side_by_side() == 1
    assert events == [WorkersCounted(3, "")]


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_graphs_are_built_as_their_turn_comes(threads: int) -> None:
    built: list[int] = []

    def build(number: int) -> Graph:
        built.append(number)
        return graph(lambda _: None, number)

    graphs = ((i, partial(build, i)) for i in range(20))
    run = LocalPool(threads).run(graphs, 0, accelerated=False, on_event=ignore)
    for count, _ in enumerate(run, start=1):
        assert count <= len(built) <= count + (2 * threads + 1 if threads > 1 else 0)  # on threads, before it is taken
    assert built == list(range(20))


def test_what_is_under_way_beside_a_failure_is_not_lost() -> None:
    started: list[int] = []
    together, failed = threading.Barrier(3), threading.Event()

    def work(number: int) -> None:
        started.append(number)
        if number < 3:
            together.wait(60)
        if number == 1:
            failed.set()
            raise OSError("the disk is full")
        assert failed.wait(60)
        time.sleep(0.1)

    done: set[int] = set()

    def run() -> None:
        for number in through(LocalPool(3), work, 9):
            done.add(number)

    with pytest.raises(OSError, match="the disk is full"):
        run()
    assert sorted(started) in ([0, 1, 2], [0, 1, 2, 3])  # the one that waited may have begun
    assert done == {*started} - {1}


def test_who_stops_does_not_wait_for_whole_batches() -> None:
    left: list[int] = []

    def work(number: int) -> None:
        if number:
            try:
                for _ in range(6000):
                    time.sleep(0.01)
            except KeyboardInterrupt:
                left.append(number)
                raise

    def stop() -> None:
        for number in through(LocalPool(3), work, 9):
            assert number == 0
            time.sleep(0.2)  # the others are on their way
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop()
    assert sorted(left) in ([1, 2], [1, 2, 3])
