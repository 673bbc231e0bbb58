"""One process at a time: a lock that goes with the process that holds it, where the file system has locks at all."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["do_without_hdf5_locks", "locked", "unprotected"]

_NONE = frozenset({errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})
"""What file systems without locks answer, such as NFS and Lustre where they are mounted without."""

_HELD = frozenset({errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK})


@contextmanager
def locked(path: Path) -> Iterator[bool]:
    """Hold the lock of a file, which is made if it is not there, and stays.

    Yields
    ------
    bool
        Whether the file system has locks. A mark of our own in place of one would outlive a process that was killed on
        another node, and nobody could tell; so where there are none, nothing is held.

    Raises
    ------
    BlockingIOError
        If another process holds it.
    OSError
        What else the file system says, as it is.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        yield _take(handle)
    finally:
        os.close(handle)  # which lets go of it


def unprotected(folder: Path) -> str:
    """Return what to say of a folder that :func:`locked` cannot protect."""
    return f"No lock protects {folder}, as its file system has none: have nothing else write there meanwhile."


def do_without_hdf5_locks() -> None:
    """Have HDF5 write where there are no locks; it fails there otherwise, and our files appear when they are whole."""
    os.environ.setdefault("HDF5_USE_FILE_LOCKING", "FALSE")


def _take(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _NONE:
            return False
        if error.errno in _HELD:
            raise BlockingIOError(error.errno, "another process holds the lock") from error
        raise
    return True
