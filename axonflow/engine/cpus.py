"""The cpus of this machine that this process may use, and how many of its tasks share them.

Tasks that run side by side in one process share its libraries and its memory, too.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = [
    "cores_of_a_task",
    "cpus",
    "set_tasks_side_by_side",
    "take_turns_often",
    "task_under_way",
    "tasks_side_by_side",
]

TURN_S = 2e-4
"""How long a thread may hold Python's lock while others wait for it; Python's own is 5 ms."""

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


def take_turns_often() -> None:
    """Have the threads of this process wait for Python's lock no longer than they need to.

    A task lets go of the lock at every step of numpy, torch or a codec, and waits for it after each. Cutting the 64
    windows of a chunk took 0.06 s alone; beside a thread that runs Python all the while, 1.8 s with Python's turns, and
    0.2 s with these.
    """
    sys.setswitchinterval(TURN_S)
