"""A few threads that work side by side, and can be stopped in the middle of it, as ^C stops the main one."""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from types import FrameType, TracebackType
from typing import TypeVar

from axonflow.engine.cpus import set_tasks_side_by_side, task_under_way
from axonflow.kernel.starting import STARTING

__all__ = ["Interruptible", "Threads"]

T = TypeVar("T")


class Interruptible:
    """Who is at work, so that all of them can be stopped in the middle of it."""

    def __init__(self) -> None:
        self._turn, self._at_work = threading.Lock(), set[int]()

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Have what this thread does within the context stopped by :meth:`interrupt`."""
        me = threading.get_ident()
        with self._turn:
            self._at_work.add(me)
        try:
            yield
        finally:
            with self._turn:  # a thread that has just finished is not interrupted
                self._at_work.discard(me)

    def any(self, holds: Callable[[FrameType | None], bool]) -> bool:
        """Tell whether something holds of what one of them calls just now."""
        frames = sys._current_frames()  # the only way to see what another thread does
        with self._turn:
            return any(holds(frames.get(thread)) for thread in self._at_work)

    def interrupt(self) -> None:
        """Raise a KeyboardInterrupt in each thread that is at work, where it next runs Python."""
        with STARTING, self._turn:
            for thread in self._at_work:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(KeyboardInterrupt))


class Threads(AbstractContextManager["Threads"]):
    """Threads that share this process; leaving the context ends what they are at, and waits until they have.

    Parameters
    ----------
    count : int
    """

    def __init__(self, count: int) -> None:
        self._executor = ThreadPoolExecutor(
            count, "axonflow worker", initializer=set_tasks_side_by_side, initargs=(count,)
        )
        self._interruptible = Interruptible()

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Have a thread do something; whatever it raises is raised by the result."""
        return self._executor.submit(self._do, work)

    def _do(self, work: Callable[[], T]) -> T:
        with self._interruptible.at_work(), task_under_way():
            return work()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)
        self._interruptible.interrupt()
        self._executor.shutdown(wait=True)
