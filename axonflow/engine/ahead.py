"""What the tasks of later stages need loaded or compiled, done on a thread of its own beside the stages before them.

Libraries load under Python's global lock, and so do loops compile. A network, or the compression of a slide, does not
want it: meanwhile there is time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager
from threading import Thread

from axonflow.engine.threads import LOOK_S, Interruptible
from axonflow.kernel.starting import ThreadPool

__all__ = ["begin", "getting_ready"]

AGAIN_S = 1.0
"""After which a step is interrupted again: what was raised may have come where it is swallowed, but not while it still
clears away."""

log = logging.getLogger(__name__)


@contextmanager
def getting_ready(steps: Sequence[Callable[[], object]]) -> Iterator[None]:
    """Take steps in their order, beside what is done within the context.

    When it is left, those that have not begun are left out, and the one under way is waited for; if it is left by a
    KeyboardInterrupt, that one is stopped in the middle: no store has anything of it that could be lost. Only an import
    is waited for, as a library that was loaded half cannot be loaded again. What a step fails with is no matter here:
    who needs what it was to make ready meets the same.
    """
    if not steps:
        yield
        return
    interruptible = Interruptible()
    with ThreadPool(1, "axonflow ahead") as thread:
        taken = [thread.submit(_take, step, interruptible) for step in steps]
        for each in taken:
            each.add_done_callback(_note)
        try:
            yield
        except KeyboardInterrupt:
            thread.shutdown(wait=False, cancel_futures=True)
            _stop(interruptible, [each for each in taken if not each.cancelled()])
            raise
        finally:
            thread.shutdown(wait=False, cancel_futures=True)


def begin(steps: Sequence[Callable[[], object]]) -> None:
    """Begin to take steps on a thread that nobody waits for, not even the end of this process: a worker's."""

    def take_all() -> None:
        for step in steps:
            try:
                step()
            except Exception as error:  # no matter here, as above
                log.debug("not made ready ahead: %r", error)

    Thread(target=take_all, daemon=True, name="axonflow ahead").start()


def _stop(interruptible: Interruptible, taken: Sequence[Future[object]]) -> None:
    spared = True
    while wait(taken, LOOK_S if spared else AGAIN_S).not_done:
        _, spared = interruptible.interrupt()


def _take(step: Callable[[], object], interruptible: Interruptible) -> object:
    with interruptible.at_work():
        return step()


def _note(taken: Future[object]) -> None:
    if not taken.cancelled() and (error := taken.exception()) is not None:
        log.debug("not made ready ahead: %r", error)
