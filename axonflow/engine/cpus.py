"""The cores of this machine that this process may use, and how many of its tasks share them.

Tasks that run side by side in one process share its libraries and its memory, too.
"""

from __future__ import annotations

import threading

__all__ = ["cores", "share", "sharing"]

_here = threading.local()


def cores() -> int:
    """Return how many cores this process may use; a job's or a container's may be fewer than the machine has."""
    from dask.system import CPU_COUNT  # an eighth of a second, which a finished run does without

    return int(CPU_COUNT)


def share(count: int) -> None:
    """Note that this thread runs one of so many tasks side by side in this process."""
    _here.count = count


def sharing() -> int:
    """Return how many tasks run side by side in this process; 1 if this thread was told nothing."""
    count: int = getattr(_here, "count", 1)
    return count
