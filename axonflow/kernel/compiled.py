"""Loops over pixels, compiled to machine code without losing their types."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, ParamSpec, TypeVar

from axonflow.kernel.caches import can_be_written, temporary_cache, user_folder

__all__ = ["COMPILED_BYTES", "NOT_KEPT", "compiled", "kept_in"]

log = logging.getLogger(__name__)

COMPILED_BYTES = 135 * 2**20
"""What numba and its kernels take in a process that has called one; measured."""

NOT_KEPT = (
    "Compiled loops cannot be kept: neither the installation, nor the user's cache, nor the temporary folder can be "
    "written, so every process compiles them anew; NUMBA_CACHE_DIR may name a folder for them."
)

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

    The result is kept on disk (:func:`kept_in`), so that every worker of a cluster need not compile it again, and it
    runs without Python's global lock, so that threads work side by side. Nothing is loaded before a loop is called.
    Loops may call others of their own module.
    """
    return _Loop(loop)


def kept_in(package: Path = Path(__file__).parent) -> Path | None:
    """Return the folder in which the loops of a package are kept once they are compiled.

    Parameters
    ----------
    package : Path
        Its folder.

    Returns
    -------
    Path or None
        The first that can be written of: what ``NUMBA_CACHE_DIR`` names, ``__pycache__`` in the package, the user's
        cache, a temporary folder; None if none of them can.
    """
    cache, named = user_folder("XDG_CACHE_HOME", ".cache"), os.environ.get("NUMBA_CACHE_DIR")
    places = (Path(named) if named else None, _beside(package), cache and cache / "numba")
    writable = (place for place in places if place and can_be_written(place))
    return next(writable, None) or temporary_cache("numba")


def _beside(package: Path) -> Path:
    return package / "__pycache__"


def _compile() -> None:
    """Put kernels in the place of all loops so far: numba looks up there what a loop calls."""
    with _turn:
        if not _loops:
            return
        from numba import njit  # a fifth of a second

        packages = {loop: Path(loop.__code__.co_filename).parent for loop in _loops}
        folders = {package: kept_in(package) for package in set(packages.values())}
        for loop, package in packages.items():
            folder = folders[package]
            with _keeping(None if folder == _beside(package) else folder):
                kernel = njit(cache=folder is not None, nogil=True, error_model="numpy")(loop)
            _forgive(kernel)
            loop.__globals__[loop.__name__] = kernel
        if None in folders.values():
            log.warning(NOT_KEPT)
        _loops.clear()


def _forgive(kernel: Any) -> None:
    """Have a kernel whose kept files are damaged, as by a power cut, be compiled anew: numba would fail for ever."""
    kept = getattr(kernel, "_cache", None)
    load = getattr(kept, "load_overload", None)
    if kept is None or load is None:
        return

    def load_or_forget(*asked: Any) -> Any:
        try:
            return load(*asked)
        except Exception as error:  # whatever unpickling raises
            log.info("compiled loops of %s were damaged and are made anew: %r", kernel.__name__, error)
            kept.flush()
            return None

    kept.load_overload = load_or_forget


@contextmanager
def _keeping(folder: Path | None) -> Iterator[None]:
    """Have numba keep in a folder the loops that are declared meanwhile; beside their module if None."""
    from numba import config

    before = config.CACHE_DIR
    config.CACHE_DIR = "" if folder is None else str(folder)
    try:
        yield
    finally:
        config.CACHE_DIR = before
