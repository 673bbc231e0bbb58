"""Text files as spreadsheets and drawing programs write them: UTF-8 with or without its mark, UTF-16, Windows' own."""

from __future__ import annotations

import codecs
from pathlib import Path

__all__ = ["read_text"]


def read_text(path: Path) -> str:
    """Read a text file, whose line ends become single line feeds.

    UTF-16 is known by its mark. What is no UTF-8 is Windows' western code page (cp1252), if it is mostly ASCII.

    Raises
    ------
    OSError
        If it cannot be read.
    UnicodeDecodeError
        If it is no text of these kinds.
    """
    content = path.read_bytes()
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = content.decode("utf-16")
    else:
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            plain = sum(byte < 128 for byte in content)
            if b"\0" in content or plain * 4 < len(content) * 3:
                raise
            text = content.decode("cp1252")
    return text.replace("\r\n", "\n").replace("\r", "\n")
