"""What this process takes of the machine's memory: its peak, and giving back what is free."""

from __future__ import annotations

import ctypes
import resource
import sys
from contextlib import suppress
from pathlib import Path

__all__ = ["begin_peak", "give_back", "peak"]


def peak() -> int:
    """Return the peak of this process's resident memory since it last began, bytes."""
    try:
        # What getrusage says begins, on Linux, with the memory of whoever started the process.
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:", 1)[1].split(maxsplit=1)[0]) * 1024
    except (OSError, IndexError):
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def begin_peak() -> None:
    """Have the peak begin anew at what is resident now; where no system can do that, it goes on as it was."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def give_back() -> None:
    """Have the allocator give back to the system what is free."""
    with suppress(OSError, AttributeError):  # not glibc
        ctypes.CDLL("libc.so.6").malloc_trim(0)
