"""Loops over pixels, compiled to machine code without losing their types."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, ParamSpec, TypeVar

__all__ = ["COMPILED_BYTES", "compiled"]

COMPILED_BYTES = 135 * 2**20
"""What numba and its kernels take in a process that has called one; measured."""

P = ParamSpec("P")
R = TypeVar("R")

_loops: list[Callable[..., Any]] = []
"""Those that are still to be compiled."""

_turn = threading.Lock()


class _Loop(Generic[P, R]):
    """A loop until it is first called."""

    def __init__(self, loop: Callable[P, R]) -> None:
        self._loop = loop
        self.__doc__ = loop.__doc__
        _loops.append(loop)

    def __call__(self, *given: P.args, **named: P.kwargs) -> R:
        _compile()
        kernel: Callable[P, R] = self._loop.__globals__[self._loop.__name__]
        return kernel(*given, **named)


def compiled(loop: Callable[P, R]) -> Callable[P, R]:
    """Compile a loop of a module with numba.

    The result is kept on disk, so that every worker of a cluster need not compile it again, and it runs without
    Python's global lock, so that threads work side by side. Nothing is loaded before a loop is called. Loops may call
    others of their own module.
    """
    return _Loop(loop)


def _compile() -> None:
    """Put kernels in the place of all loops so far: numba looks up there what a loop calls."""
    with _turn:
        if _loops:
            import numba  # a fifth of a second

            for loop in _loops:
                loop.__globals__[loop.__name__] = numba.njit(cache=True, nogil=True)(loop)
            _loops.clear()
