"""What a file system refused, in words, and what to do about it."""

from __future__ import annotations

import errno
import re
from pathlib import Path

__all__ = ["refused"]

_WHAT = {
    errno.ENOSPC: ("the disk is full", "free some space"),
    errno.EDQUOT: ("the disk quota is used up", "free some space"),
    errno.EACCES: ("that is not permitted", "choose another folder{} or change the permission"),
    errno.EPERM: ("that is not permitted", "choose another folder{} or change the permission"),
    errno.EROFS: ("the file system is read-only", "choose another folder{}"),
}

_PARTIAL = re.compile(r"\.(.+)\.[0-9a-f]{32}\.partial")
"""How :mod:`axonflow.kernel.files` calls a file until it is whole, which nobody has asked for."""


def refused(error: OSError, flag: str = "") -> str:
    """Say what was refused, where, and what to do; as the end of a sentence, without its point.

    Parameters
    ----------
    error : OSError
    flag : str
        By which another folder can be given, if there is one.
    """
    what, way_on = _WHAT.get(error.errno or 0, (error.strerror or str(error) or type(error).__name__, ""))
    where = "" if error.filename is None else f" ({_asked(error.filename)})"
    by = f" with {flag}" if flag else ""
    return f"{what}{where}{way_on and '; '}{way_on.format(by)}"


def _asked(name: object) -> object:
    """Return the file that was asked for."""
    if isinstance(name, str | Path) and (partial := _PARTIAL.fullmatch(Path(name).name)):
        return Path(name).with_name(partial[1])
    return name
