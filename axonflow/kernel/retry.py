"""Retries of what a file system refused: a fault that may pass is tried again, any other is raised at once."""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Callable
from typing import TypeVar

__all__ = ["retry"]

T = TypeVar("T")
log = logging.getLogger(__name__)

PASSING = frozenset(
    {errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EAGAIN, errno.EBUSY, errno.EINTR, errno.ENOTCONN, errno.ECONNRESET}
)
"""What network file systems answer when a server restarts or is too busy. A full disk is none of it."""

PAUSES_S = (0.5, 2.0, 8.0)
"""Before each further try."""


def retry(work: Callable[[], T]) -> T:
    """Do something that reads or writes files and that may be done again; try again after a fault that may pass.

    Raises
    ------
    OSError
        That of the last try.
    """
    for pause in PAUSES_S:
        try:
            return work()
        except OSError as error:
            if error.errno not in PASSING:
                raise
            log.warning("tried again in %g s after: %s", pause, error)
            time.sleep(pause)
    return work()
