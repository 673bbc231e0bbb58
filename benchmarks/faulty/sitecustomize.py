"""Makes a process of axonflow fail where ``benchmarks.faults`` or ``benchmarks.soak`` asks for it, as Python starts.

A file in the folder ``AXONFLOW_FAULTY`` asks for a fault. Once: ``memory``, ``EIO`` or ``slow`` befall the next
file of a store that a task puts in its place. As long as it is there: ``linger`` makes every such file take longer,
``ENOSPC`` refuses what is written into a store, ``clock`` holds the seconds by which the time is wrong, and ``sector``
the part of a file that cannot be read (JSON: ``file``, ``begin``, ``end``, and ``largest``, the most bytes that fail in
one call). ``gpu`` breaks the accelerator of workers with ``AXONFLOW_FAULTY_GPU``. ``started`` says that Python has.
"""

from __future__ import annotations

import builtins
import errno
import io
import json
import os
import time
from pathlib import Path
from typing import Any

asked = Path(os.environ["AXONFLOW_FAULTY"])
replace, open_file, now, now_ns = os.replace, io.open, time.time, time.time_ns


def read(kind: str) -> str:
    """Return what a fault's file says; nothing if nobody asks for it."""
    try:
        handle = os.open(f"{asked}/{kind}", os.O_RDONLY)
    except OSError:
        return ""
    try:
        return os.read(handle, 4096).decode()
    finally:
        os.close(handle)


def befalls(kind: str) -> bool:
    """Whether this fault was asked for; it is no more then, whoever else looks."""
    try:
        (asked / kind).unlink()
    except FileNotFoundError:
        return False
    return True


def of_store(path: Any) -> bool:
    """Whether a path lies in a store."""
    return ".ome.zarr" in os.fsdecode(path) if isinstance(path, str | bytes | os.PathLike) else False


def fault(number: int, path: Any) -> OSError:
    """Return what the system raises."""
    return OSError(number, os.strerror(number), str(path))


def replace_unless_asked(source: Any, target: Any, **options: Any) -> None:
    """Put a file in its place, or fail as asked."""
    if of_store(target):
        if (asked / "linger").exists():
            time.sleep(1)
        if befalls("EIO"):
            raise fault(errno.EIO, target)
        if read("ENOSPC"):
            raise fault(errno.ENOSPC, target)
        if befalls("slow"):
            time.sleep(15)
        if befalls("memory"):
            taken = b"\1" * 2**31  # the nanny looks every fifth of a second
            time.sleep(30)
            del taken
    replace(source, target, **options)


class Faulty(io.FileIO):
    """A file of a disk that is full, or has a bad sector."""

    def write(self, data: Any) -> int:
        """Write, if there is space."""
        if read("ENOSPC"):
            raise fault(errno.ENOSPC, self.name)
        return super().write(data)

    def readinto(self, buffer: Any) -> int:
        """Read, unless it is from the bad sector."""
        if told := read("sector"):
            bad, begin = json.loads(told), self.tell()
            length = len(memoryview(buffer).cast("B"))
            here = begin < bad["end"] and begin + length > bad["begin"]
            if here and length <= bad["largest"] and Path(self.name).samefile(bad["file"]):
                raise fault(errno.EIO, self.name)
        return super().readinto(buffer)


def open_unless_asked(file: Any, mode: str = "r", buffering: int = -1, *rest: Any, **more: Any) -> Any:
    """Open a file that fails as asked."""
    whose = isinstance(file, str | os.PathLike) and os.fspath(file)
    if not whose or mode not in {"rb", "wb", "xb", "r+b"} or not (of_store(file) or str(whose).endswith(".tif")):
        return open_file(file, mode, buffering, *rest, **more)
    raw = Faulty(file, mode.replace("b", ""))
    if buffering == 0:
        return raw
    kind = {"r": io.BufferedReader, "r+": io.BufferedRandom}.get(mode.replace("b", ""), io.BufferedWriter)
    return kind(raw)


for module in (io, builtins):
    setattr(module, "open", open_unless_asked)  # noqa: B010  # a checker of types minds the plain assignment
setattr(os, "replace", replace_unless_asked)  # noqa: B010
setattr(time, "time", lambda: now() + float(read("clock") or 0))  # noqa: B010
setattr(time, "time_ns", lambda: now_ns() + int(float(read("clock") or 0) * 1e9))  # noqa: B010

if asked.is_dir():
    (asked / "started").touch()

if "AXONFLOW_FAULTY_GPU" in os.environ:
    from dataclasses import replace as with_changes

    from axonflow.engine import graph
    from axonflow.engine.stage import Overlap
    from axonflow.errors import DeviceError

    apply = graph._apply

    def apply_unless_broken(overlap: Overlap, *rest: Any, **more: Any) -> Any:
        """Apply a network on an accelerator that may be broken."""

        def on_it(*arguments: Any) -> Any:
            if (asked / "gpu").exists():
                raise DeviceError("CUDA error: an illegal memory access was encountered")
            return overlap.apply(*arguments)

        return apply(with_changes(overlap, apply=on_it), *rest, **more)

    setattr(graph, "_apply", apply_unless_broken)  # noqa: B010
