"""Makes a worker, or what is below it, fail where ``benchmarks.faults`` asks for it; Python imports it when it starts.

A file in the folder ``AXONFLOW_FAULTY`` asks for a fault, once: ``memory``, ``EIO`` or ``slow`` befall the next
file that a task puts in its place. ``linger`` stays, and makes every file take longer; so does ``gpu``, which breaks
the accelerator of workers with ``AXONFLOW_FAULTY_GPU``.
"""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path
from typing import Any

asked = Path(os.environ["AXONFLOW_FAULTY"])
replace = os.replace


def befalls(kind: str) -> bool:
    """Whether this fault was asked for; it is no more then, whoever else looks."""
    try:
        (asked / kind).unlink()
    except FileNotFoundError:
        return False
    return True


def replace_unless_asked(source: Any, target: Any, **options: Any) -> None:
    """Put a file in its place, or fail as asked."""
    if ".ome.zarr" in str(target):
        if (asked / "linger").exists():
            time.sleep(1)
        if befalls("EIO"):
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(target))
        if befalls("slow"):
            time.sleep(15)
        if befalls("memory"):
            taken = b"\1" * 2**31  # the nanny looks every fifth of a second
            time.sleep(30)
            del taken
    replace(source, target, **options)


setattr(os, "replace", replace_unless_asked)  # noqa: B010  # a checker of types minds the plain assignment

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
