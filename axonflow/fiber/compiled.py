"""Loops over pixels, compiled to machine code without losing their types."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import numba

__all__ = ["compiled"]

P = ParamSpec("P")
R = TypeVar("R")


def compiled(loop: Callable[P, R]) -> Callable[P, R]:
    """Compile a loop with numba.

    The result is kept on disk, so that every worker of a cluster need not compile it again, and it runs without
    Python's global lock, so that threads work side by side.
    """
    kernel: Callable[P, R] = numba.njit(cache=True, nogil=True)(loop)
    return kernel
