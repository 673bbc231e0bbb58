"""Where libraries keep what they can make again: the user's cache, or a temporary folder where that cannot be written.

In a container, or for a user without a home, none of their usual places may be writable. Some libraries fail there,
others complain at every start.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

__all__ = ["can_be_written", "prepare_caches", "temporary_cache", "user_folder"]

_PROBE = bytes(2**16)
"""A full disk and a used-up quota still let empty files be made."""


def can_be_written(folder: Path) -> bool:
    """Return whether files can be written in a folder, which is made if it is not there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(_PROBE)
    except OSError:
        return False
    return True


def user_folder(variable: str, below_home: str) -> Path | None:
    """Return a folder of the user: that of an XDG variable, or one below the home; None if there is no home."""
    if named := os.environ.get(variable):
        return Path(named)
    try:
        return Path.home() / below_home
    except RuntimeError:  # a user whom this system does not know, as in a container
        return None


def temporary_cache(name: str) -> Path | None:
    """Return a folder below the temporary one that later processes of this user find again; None if there is none.

    Libraries execute what they find there, so it has to be this user's and nobody else's.
    """
    for top in _temporary():
        with suppress(OSError):
            own = top / f"axonflow-{os.getuid()}"
            own.mkdir(mode=0o700, exist_ok=True)
            found = own.lstat()
            mine = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022
            if mine and can_be_written(own / name):
                return own / name
    return None


def _temporary() -> Iterator[Path]:
    with suppress(FileNotFoundError):  # none can be written
        yield Path(tempfile.gettempdir())
    yield Path("/dev/shm")  # memory, which a container has even if it has no temporary folder


def prepare_caches() -> None:
    """Name temporary folders to fontconfig and matplotlib, by variables of the environment, where their own are closed.

    What a variable names is left alone if it can be written.
    """
    cache = user_folder("XDG_CACHE_HOME", ".cache")
    if cache is None or not can_be_written(cache):
        _name("XDG_CACHE_HOME", "cache")
    named = os.environ.get("MPLCONFIGDIR")
    config = Path(named) if named else user_folder("XDG_CONFIG_HOME", ".config")
    if config is None or not can_be_written(config):
        _name("MPLCONFIGDIR", "matplotlib")


def _name(variable: str, name: str) -> None:
    if folder := temporary_cache(name):
        os.environ[variable] = str(folder)
