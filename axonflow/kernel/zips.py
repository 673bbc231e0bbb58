"""Members of zip archives that would be written elsewhere than in the folder that the archive is unpacked into."""

from __future__ import annotations

import stat
from pathlib import PurePosixPath
from zipfile import ZipInfo

__all__ = ["astray"]


def astray(info: ZipInfo) -> str:
    """Name a member that is a link or leads out of its folder, on any system; empty if it stays there."""
    path = PurePosixPath(info.filename)
    link = stat.S_ISLNK(info.external_attr >> 16)
    if link or not path.parts or path.is_absolute() or ".." in path.parts or {"\\", ":"} & set(info.filename):
        return f"{info.filename!r}{', a link' if link else ''}"
    return ""
