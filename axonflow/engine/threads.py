"""A few threads that work side by side, and can be stopped in the middle of it, as ^C stops the main one."""

from __future__ import annotations

import ctypes
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import TypeVar

from axonflow.engine.cpus import set_tasks_side_by_side, task_under_way
from axonflow.kernel.starting import STARTING, must_not_be_interrupted

__all__ = ["LOOK_S", "Interruptible", "Threads"]

LOOK_S = 0.1
"""Between two tries to interrupt a thread."""

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

    def interrupt(self, known: Iterable[int] = ()) -> tuple[set[int], bool]:
        """Raise a KeyboardInterrupt in each thread that is at work, where it next runs Python and may be interrupted.

        Parameters
        ----------
        known : iterable of int
            Threads that are left alone.

        Returns
        -------
        set of int
            The threads in which it was raised.
        bool
            Whether others were spared for the moment.
        """
        with STARTING, self._turn:
            frames = sys._current_frames()  # the only way to see what another thread does
            left = self._at_work.difference(known)
            told = {thread for thread in left if not must_not_be_interrupted(frames.get(thread))}
            for thread in told:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(KeyboardInterrupt))
        return told, told != left


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
        told, spared = self._interruptible.interrupt()
        while spared:
            time.sleep(LOOK_S)
            more, spared = self._interruptible.interrupt(told)  # each once: what it does then is to clear away
            told |= more
        self._executor.shutdown(wait=True)
