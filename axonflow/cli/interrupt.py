"""What ends a run from outside: Ctrl-C, and the SIGTERM by which a queueing system ends a driver."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from threading import current_thread, main_thread
from types import FrameType, TracebackType
from typing import TypeVar

from axonflow.kernel.starting import must_not_be_interrupted

__all__ = ["Interrupts"]

E = TypeVar("E")

ANSWERED = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)

AGAIN_S = 0.1
"""After which a signal that could not be answered comes again."""


class Interrupts(AbstractContextManager["Interrupts"]):
    """Within its context either signal raises a KeyboardInterrupt, so that its workers end with it.

    Where none may be raised an alarm is set, which is answered as the signal itself; a thread could not be started, as
    that may be what was interrupted. One that comes while an object is taken away, where nothing can be raised, is not
    printed, and comes again, too.
    """

    def __init__(self) -> None:
        self._came = False

    def __enter__(self) -> Interrupts:
        self._answers = {number: signal.signal(number, self.interrupt) for number in ANSWERED}
        self._tell, sys.unraisablehook = sys.unraisablehook, self._tell_others
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        sys.unraisablehook = self._tell
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, answer in self._answers.items():
            signal.signal(number, answer)
        if self._came and isinstance(error, Exception):
            raise KeyboardInterrupt from error  # whatever failed, failed because it was interrupted

    def interrupt(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002  # a signal handler's
        """Answer a signal; one that comes in the middle of an import comes again a little later."""
        self._came = True
        if not must_not_be_interrupted(frame):
            raise KeyboardInterrupt
        signal.setitimer(signal.ITIMER_REAL, AGAIN_S)

    def _tell_others(self, what: sys.UnraisableHookArgs) -> None:
        if not issubclass(what.exc_type, KeyboardInterrupt):
            self._tell(what)
        elif current_thread() is main_thread():  # others are stopped by an exception of their own
            signal.setitimer(signal.ITIMER_REAL, AGAIN_S)

    def before(self, listener: Callable[[E], object]) -> Callable[[E], None]:
        """Return a listener that raises again first: a library that was just cleaning up may have swallowed it."""

        def listen(event: E) -> None:
            if self._came:
                raise KeyboardInterrupt
            listener(event)

        return listen
