"""dask-jobqueue, whose import does not change what this process does on ^C."""

from __future__ import annotations

import signal

__all__ = ["Job", "JobQueueCluster"]

_answer = signal.getsignal(signal.SIGINT)
try:
    from dask_jobqueue.core import (
        Job,
        JobQueueCluster,
    )  # its runner, which nobody asks for, ends with exit code 0 on ^C
finally:
    signal.signal(signal.SIGINT, _answer)
