"""dask-jobqueue, whose import does not change what this process does on ^C."""

from __future__ import annotations

import signal

__all__ = ["Job", "JobQueueCluster"]

_answer = signal.getsignal(signal.SIGINT)
try:
    # It loads a runner of which we have no use, and which has ^C end any process with exit code 0.
    from dask_jobqueue.core import Job, JobQueueCluster
finally:
    signal.signal(signal.SIGINT, _answer)
