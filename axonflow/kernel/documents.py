"""Documents that anybody may have written: JSON and TOML, read so that what is wrong with one has one error.

Python's parsers raise a RecursionError where brackets lie in brackets in brackets, a pipe is waited for without an end,
and a link to a device fills the memory. Here a file that is none, or far too large, is an OSError, and text that cannot
be understood a ValueError.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import tomllib
from pathlib import Path
from typing import Any, BinaryIO

__all__ = ["open_file", "parse_json", "parse_toml", "read_file", "read_json", "said", "shortened", "shown"]

LARGEST = 2**28
"""Bytes of a document."""

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)


def open_file(path: Path) -> BinaryIO:
    """Open a file to read it, but nothing that only looks like one.

    Raises
    ------
    OSError
        What the file system says, as it is; or if a folder, pipe or device is there.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe is not waited for
    mode = os.fstat(handle).st_mode
    if not stat.S_ISREG(mode):
        os.close(handle)
        found = next((words for holds, words in _KINDS if holds(mode)), "something else")
        number = errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL
        raise OSError(number, f"A file was expected, {found} is there", str(path))
    return os.fdopen(handle, "rb")


def read_file(path: Path, largest: int = LARGEST) -> bytes:
    """Read a file.

    Parameters
    ----------
    path : Path
    largest : int
        Bytes that it may have.

    Raises
    ------
    OSError
        As :func:`open_file`, or if the file is larger.
    """
    with open_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > largest:
            raise OSError(errno.EFBIG, f"A file of {largest:,} bytes or less was expected, {size:,} came", str(path))
        return file.read()


def read_json(path: Path) -> Any:
    """Read a file of JSON.

    Raises
    ------
    OSError
        As :func:`read_file`.
    ValueError
        If it is no JSON, or none that can be held: brackets thousands deep, a number of thousands of digits.
    """
    return parse_json(read_file(path))


def parse_json(text: str | bytes) -> Any:
    """Return what a text of JSON says; it raises what :func:`read_json` does."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("its brackets are nested too deep") from error


def parse_toml(text: str) -> dict[str, Any]:
    """Return what a text of TOML says.

    Raises
    ------
    ValueError
        If it is no TOML, or none that can be held.
    """
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise ValueError("its brackets are nested too deep") from error


def shown(value: object, most: int = 200) -> str:
    """Return how a value is written, for a message: cut if it is long, and in words if Python will not write it."""
    try:
        text = repr(value)
    except (RecursionError, ValueError):  # nested too deep; an integer of thousands of digits
        return f"a value of the type {type(value).__name__} that is too large to be shown"
    return shortened(text, most)


def said(error: BaseException) -> str:
    """Return what an error of a library says, for a message: of its first line as much as a person reads."""
    first = next(iter(str(error).strip().splitlines()), "").rstrip(". ")
    return shortened(first or type(error).__name__, 300)


def shortened(text: str, most: int = 200) -> str:
    """Return a text, cut if it is long."""
    return text if len(text) <= most else f"{text[: most - 1]}…"
