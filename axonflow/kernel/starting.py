"""When a thread must not be interrupted: before it runs, and while it imports.

Until a new thread runs, CPython (before 3.12) knows it by the number of the one that starts it. An exception that is
sent to the latter may then end the new thread, for whose first sign of life the other waits for ever. Hence nothing is
sent while any thread is started: both happen in turn.

An exception in the middle of an import may come while Python's lock of that module changes hands. Then nobody lets go
of it, and the next one to import the module waits for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from types import FrameType
from typing import Any, TypeVar

__all__ = ["STARTING", "ThreadPool", "imports"]

T = TypeVar("T")

STARTING = Lock()
"""Held while a thread may be started, and by whoever sends exceptions to threads that may start some."""


class ThreadPool(ThreadPoolExecutor):
    """A pool for use in threads that may be interrupted."""

    def submit(self, work: Callable[..., T], /, *arguments: Any, **named: Any) -> Future[T]:
        """Have a thread do something; one is started if none is free."""
        with STARTING:
            return super().submit(work, *arguments, **named)


def imports(frame: FrameType | None) -> bool:
    """Tell whether an import is under way in a thread, by what it calls."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False
