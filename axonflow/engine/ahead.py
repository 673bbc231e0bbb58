"""What the tasks of later stages need loaded or compiled, done on a thread of its own beside the stages before them.

Libraries load under Python's global lock, and so do loops compile. A network, or the compression of a slide, does not
want it: meanwhile there is time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager

from axonflow.kernel.starting import ThreadPool

__all__ = ["getting_ready"]

log = logging.getLogger(__name__)


@contextmanager
def getting_ready(steps: Sequence[Callable[[], object]]) -> Iterator[None]:
    """Take steps in their order, beside what is done within the context.

    When it is left, those that have not begun are left out, and the one under way is waited for. What a step fails
    with is no matter here: who needs what it was to make ready meets the same.
    """
    if not steps:
        yield
        return
    with ThreadPool(1, "axonflow ahead") as thread:
        taken = [thread.submit(step) for step in steps]
        for each in taken:
            each.add_done_callback(_note)
        try:
            yield
        finally:
            thread.shutdown(wait=False, cancel_futures=True)


def _note(taken: Future[object]) -> None:
    if not taken.cancelled() and (error := taken.exception()) is not None:
        log.debug("not made ready ahead: %r", error)
