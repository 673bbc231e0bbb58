"""When a thread must not be interrupted: before it runs, and while it takes certain locks.

Until a new thread runs, CPython (before 3.12) knows it by the number of the one that starts it. An exception that is
sent to the latter may then end the new thread, for whose first sign of life the other waits for ever. Hence nothing is
sent while any thread is started: both happen in turn.

An exception in the middle of an import may come while Python's lock of that module changes hands; so it may where
numba's lock for compiling does, for which threads wait. Then nobody lets go of it, and the next one waits for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from types import FrameType
from typing import Any, TypeVar

__all__ = ["STARTING", "ThreadPool", "must_not_be_interrupted"]

T = TypeVar("T")

STARTING = Lock()
"""Held while a thread may be started, and by whoever sends exceptions to threads that may start some."""

_LOCKS = ("<frozen importlib", str(Path("numba", "core", "compiler_lock.py")))
"""In which files of Python and of numba their locks change hands."""


class ThreadPool(ThreadPoolExecutor):
    """A pool for use in threads that may be interrupted."""

    def submit(self, work: Callable[..., T], /, *arguments: Any, **named: Any) -> Future[T]:
        """Have a thread do something; one is started if none is free."""
        with STARTING:
            return super().submit(work, *arguments, **named)


def must_not_be_interrupted(frame: FrameType | None) -> bool:
    """Tell whether a thread imports, or takes the lock for compiling or lets go of it, by what it calls."""
    while frame is not None:
        if any(file in frame.f_code.co_filename for file in _LOCKS):
            return True
        frame = frame.f_back
    return False
