"""A few threads that work side by side, and can be stopped in the middle of it, as ^C stops the main one."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TypeVar

from axonflow.engine.cpus import set_tasks_side_by_side, task_under_way
from axonflow.kernel.starting import STARTING

__all__ = ["Threads"]

T = TypeVar("T")


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
        self._turn, self._at_work = threading.Lock(), set[int]()

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Have a thread do something; whatever it raises is raised by the result."""
        return self._executor.submit(self._do, work)

    def _do(self, work: Callable[[], T]) -> T:
        me = threading.get_ident()
        with self._turn:
            self._at_work.add(me)
        try:
            with task_under_way():
                return work()
        finally:
            with self._turn:  # a thread that has just finished is not interrupted
                self._at_work.discard(me)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)
        with STARTING, self._turn:
            for thread in self._at_work:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(KeyboardInterrupt))
        self._executor.shutdown(wait=True)
