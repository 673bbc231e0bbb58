"""What a file system refused, in words, and what to do about it."""

from __future__ import annotations

import errno

__all__ = ["refused"]

_WHAT = {
    errno.ENOSPC: ("the disk is full", "free some space"),
    errno.EDQUOT: ("the disk quota is used up", "free some space"),
    errno.EACCES: ("that is not permitted", "choose another folder or change the permission"),
    errno.EPERM: ("that is not permitted", "choose another folder or change the permission"),
    errno.EROFS: ("the file system is read-only", "choose another folder"),
}


def refused(error: OSError) -> str:
    """Say what was refused, where, and what to do; as the end of a sentence, without its point."""
    what, way_on = _WHAT.get(error.errno or 0, (error.strerror or str(error) or type(error).__name__, ""))
    where = "" if error.filename is None else f" ({error.filename})"
    return f"{what}{where}{way_on and f'; {way_on}'}"
