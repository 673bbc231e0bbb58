"""How much is under way at once: never more than fits, never less than there is to do it with."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from axonflow.engine.census import Census

WORKERS = st.lists(st.tuples(st.integers(1, 8), st.integers(0, 1), st.integers(0, 64) | st.just(0)), max_size=9)


def census(workers: list[tuple[int, int, int]]) -> Census:
    """Count workers of so many threads, GPUs and bytes each."""
    names = frozenset(map(str, range(len(workers))))
    threads, gpus = (sum(worker[i] for worker in workers) for i in range(2))
    return Census(names, threads, gpus, tuple(worker[2] for worker in workers))


def wanted(there: Census, on_gpus: bool, ahead: int) -> int:
    """Some for each thread; for a GPU as many, and one for each thread that reads and writes."""
    if not on_gpus:
        return max(ahead * there.threads, 1)
    return max(ahead * there.gpus, there.threads) if there.gpus else 1


@given(WORKERS, st.integers(0, 80), st.booleans(), st.integers(1, 4))
def test_what_is_in_flight_is_bounded(
    workers: list[tuple[int, int, int]], memory: int, on_gpus: bool, ahead: int
) -> None:
    there = census(workers)
    flying = there.in_flight(memory, on_gpus=on_gpus, ahead=ahead)
    assert 1 <= flying <= wanted(there, on_gpus, ahead)
    if flying > 1 and all(there.memory):
        assert flying * memory <= sum(there.memory)


@given(WORKERS, st.booleans(), st.integers(1, 4))
def test_without_limits_all_slots_are_used(workers: list[tuple[int, int, int]], on_gpus: bool, ahead: int) -> None:
    there = census([(threads, gpus, 0) for threads, gpus, _ in workers])
    assert there.in_flight(10, on_gpus=on_gpus, ahead=ahead) == wanted(there, on_gpus, ahead)


@given(WORKERS, st.tuples(st.integers(1, 8), st.integers(0, 1), st.integers(0, 64)), st.integers(0, 80), st.booleans())
def test_another_worker_never_means_less(
    workers: list[tuple[int, int, int]], another: tuple[int, int, int], memory: int, on_gpus: bool
) -> None:
    before = census(workers).in_flight(memory, on_gpus=on_gpus)
    assert census([*workers, another]).in_flight(memory, on_gpus=on_gpus) >= before
