"""The cpus of this machine that this process may use, and how many of its tasks share them.

Tasks that run side by side in one process share its libraries and its memory, too.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["cores_of_a_task", "cpus", "set_tasks_side_by_side", "task_under_way", "tasks_side_by_side"]

_this_thread = threading.local()
_under_way, _turn = 0, threading.Lock()


def cpus() -> int:
    """Return how many cpus this process may use; a job's or a container's may be fewer than the machine has."""
    from dask.system import CPU_COUNT  # an eighth of a second, which a finished run does without

    return int(CPU_COUNT)


def set_tasks_side_by_side(count: int) -> None:
    """Note that this thread runs one of so many tasks side by side in this process."""
    _this_thread.tasks = count


def tasks_side_by_side() -> int:
    """Return how many tasks run side by side in this process; 1 unless this thread has noted another number."""
    tasks: int = getattr(_this_thread, "tasks", 1)
    return tasks


@contextmanager
def task_under_way() -> Iterator[None]:
    """Count what is done within the context among the tasks that share the cpus now."""
    global _under_way  # noqa: PLW0603  # of the process
    with _turn:
        _under_way += 1
    try:
        yield
    finally:
        with _turn:
            _under_way -= 1


def cores_of_a_task() -> int:
    """Return how many cores each task under way may use now: more once fewer are left than run side by side."""
    return max(cpus() // max(_under_way, 1), 1)
