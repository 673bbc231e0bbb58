"""How much is under way at once, and what becomes of it when something fails or somebody stops it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

import dask
import pytest
from hypothesis import given
from hypothesis import strategies as st

from axonflow.engine.cpus import sharing
from axonflow.engine.graph import Done, Graph
from axonflow.engine.pool import Census, LocalPool
from axonflow.engine.runner import Silent

WORKERS = st.lists(st.tuples(st.integers(1, 8), st.integers(0, 1), st.integers(0, 64) | st.just(0)), max_size=9)


def census(workers: list[tuple[int, int, int]]) -> Census:
    """Count workers of so many threads, GPUs and bytes each."""
    names = frozenset(map(str, range(len(workers))))
    threads, gpus = (sum(worker[i] for worker in workers) for i in range(2))
    return Census(names, threads, gpus, tuple(worker[2] for worker in workers))


@given(WORKERS, st.integers(0, 80), st.booleans(), st.integers(1, 4))
def test_what_is_in_flight_is_bounded(
    workers: list[tuple[int, int, int]], memory: int, on_gpus: bool, ahead: int
) -> None:
    there = census(workers)
    flying = there.in_flight(memory, on_gpus=on_gpus, ahead=ahead)
    slots = there.gpus if on_gpus else there.threads
    assert 1 <= flying <= max(ahead * slots, 1)
    if flying > 1 and all(there.memory):
        assert flying * memory <= sum(there.memory)


@given(WORKERS, st.booleans(), st.integers(1, 4))
def test_without_limits_all_slots_are_used(workers: list[tuple[int, int, int]], on_gpus: bool, ahead: int) -> None:
    there = census([(threads, gpus, 0) for threads, gpus, _ in workers])
    slots = there.gpus if on_gpus else there.threads
    assert there.in_flight(10, on_gpus=on_gpus, ahead=ahead) == max(ahead * slots, 1)


@given(WORKERS, st.tuples(st.integers(1, 8), st.integers(0, 1), st.integers(0, 64)), st.integers(0, 80), st.booleans())
def test_another_worker_never_means_less(
    workers: list[tuple[int, int, int]], another: tuple[int, int, int], memory: int, on_gpus: bool
) -> None:
    before = census(workers).in_flight(memory, on_gpus=on_gpus)
    assert census([*workers, another]).in_flight(memory, on_gpus=on_gpus) >= before


class Told(Silent):
    """Notes what is said of workers."""

    def __init__(self) -> None:
        self.counts: list[tuple[int, str]] = []

    def workers(self, count: int, note: str) -> None:
        """Note it."""
        self.counts.append((count, note))


Work = Callable[[int], None]


def graph(work: Work, number: int) -> Graph:
    """Build the graph of one task."""

    def task() -> Done:
        work(number)
        return Done({}, sharing(), "", 0.0)

    return [dask.delayed(task)()]


def through(pool: LocalPool, work: Work, count: int) -> Iterator[int]:
    """Compute so many graphs; yield the number of each as it ends."""
    graphs = ((i, partial(graph, work, i)) for i in range(count))
    for number, _ in pool.run(graphs, 0, accelerated=False, tell=Silent().workers):
        yield number


def test_threads_work_side_by_side_and_know_it() -> None:
    together, watch = threading.Barrier(3, timeout=60), Told()

    def meet(number: int) -> None:
        together.wait()

    graphs = [(i, partial(graph, meet, i)) for i in range(6)]
    done = dict(LocalPool(3).run(graphs, 0, accelerated=False, tell=watch.workers))
    assert sorted(done) == list(range(6))
    assert {task.peak for (task,) in done.values()} == {3}
    assert sharing() == 1
    assert watch.counts == [(3, "")]


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_graphs_are_built_as_their_turn_comes(threads: int) -> None:
    built: list[int] = []

    def build(number: int) -> Graph:
        built.append(number)
        return graph(lambda _: None, number)

    graphs = ((i, partial(build, i)) for i in range(20))
    run = LocalPool(threads).run(graphs, 0, accelerated=False, tell=Silent().workers)
    for count, _ in enumerate(run, start=1):
        assert count <= len(built) <= count + threads
    assert built == list(range(20))


def test_what_is_under_way_beside_a_failure_is_not_lost() -> None:
    started: list[int] = []
    failed = threading.Event()

    def work(number: int) -> None:
        started.append(number)
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
