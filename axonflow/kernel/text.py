"""Text as other programs have it: files in the encodings that they write, and cells that a spreadsheet does not run.

A spreadsheet takes a cell that begins with ``=``, ``+``, ``-``, ``@``, a tab or a carriage return for a formula, and a
formula may start programs. The usual defence is an apostrophe before such text: spreadsheets then take it for text.
"""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from axonflow.kernel.documents import read_file

__all__ = ["from_cell", "read_text", "to_cell"]

LARGEST = 2**30
"""Bytes of a text: outlines of a whole slide may be long."""

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
"""How a formula begins, or text that looks as if it had been one."""


def to_cell(text: str) -> str:
    """Return text as a cell of a CSV file: with an apostrophe where a spreadsheet would take it for a formula."""
    return f"'{text}" if _FORMULA.match(text) else text


def from_cell(cell: str) -> str:
    """Return the text that :func:`to_cell` made a cell of."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def read_text(path: Path) -> str:
    """Read a text file, whose line ends become single line feeds.

    UTF-16 is known by its mark, or by its every other byte, as the first letters are plain. What is no UTF-8 is
    Windows' western code page (cp1252), if it is mostly ASCII.

    Raises
    ------
    OSError
        If it cannot be read.
    UnicodeDecodeError
        If it is no text of these kinds.
    """
    content = read_file(path, LARGEST)
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = content.decode("utf-16")
    elif len(content) > 3 and (content[0] == 0) != (content[1] == 0) and content[0] + content[1] < 128:
        text = content.decode("utf-16-be" if content[0] == 0 else "utf-16-le")
    else:
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            plain = sum(byte < 128 for byte in content)
            if b"\0" in content or plain * 4 < len(content) * 3:
                raise
            text = content.decode("cp1252")
    return text.replace("\r\n", "\n").replace("\r", "\n")
