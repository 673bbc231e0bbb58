"""Threads of threads: how one is started that nobody interrupts before it runs.

Until a new thread runs, CPython (before 3.12) knows it by the number of the one that starts it. An exception that is
sent to the latter may then end the new thread, for whose first sign of life the other waits for ever. Hence nothing is
sent while any thread is started: both happen in turn.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import Any, TypeVar

__all__ = ["STARTING", "ThreadPool"]

T = TypeVar("T")

STARTING = Lock()
"""Held while a thread may be started, and by whoever sends exceptions to threads that may start some."""


class ThreadPool(ThreadPoolExecutor):
    """A pool for use in threads that may be interrupted."""

    def submit(self, work: Callable[..., T], /, *arguments: Any, **named: Any) -> Future[T]:
        """Have a thread do something; one is started if none is free."""
        with STARTING:
            return super().submit(work, *arguments, **named)
