"""What a driver that was killed leaves in its store, removed by whoever looks there next: the key to its workers.

Who holds the store's lock is alone with it. Where the file system has no locks, a driver of this machine is gone if its
process is; of one on another machine nobody can be certain, and its certificates stay until the next run.
"""

from __future__ import annotations

import platform
from contextlib import suppress
from pathlib import Path

import psutil

from axonflow.engine import certificates
from axonflow.errors import StoreError
from axonflow.kernel.lock import locked
from axonflow.workflow.status import read_status

__all__ = ["remove_left_certificates"]


def remove_left_certificates(store: Path) -> bool:
    """Remove the certificates of a driver that is gone; return whether there were any.

    A store that cannot be written stays as it is.
    """
    private = store / ".axonflow"
    folder = private / "certificates"
    if folder.is_symlink() or not folder.is_dir():
        return False
    with suppress(OSError, StoreError), locked(private / "lock") as alone:
        if alone or _ended_here(store):
            certificates.discard(folder)
    return not folder.exists()


def _ended_here(store: Path) -> bool:
    status = read_status(store)
    return status.pid > 0 and status.host == platform.node() and not psutil.pid_exists(status.pid)
