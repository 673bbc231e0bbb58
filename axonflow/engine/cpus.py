"""The cpus of this machine that this process may use, and how many of its tasks share them.

Tasks that run side by side in one process share its libraries and its memory, too.
"""

from __future__ import annotations

import threading

__all__ = ["cpus", "set_tasks_side_by_side", "tasks_side_by_side"]

_this_thread = threading.local()


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
