"""What a terminal of so many columns shows of a program, and what a file holds of it."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from contextlib import suppress
from pathlib import Path

import pyte

MAIN = "from axonflow.cli import main; main()"


def on_terminal(columns: int, code: str, *arguments: object, term: str = "xterm") -> list[str]:
    """Run Python code on a terminal; return the lines that stand there at the end, without those that are empty."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES", "NO_COLOR"}}
    call = [sys.executable, "-c", code, *map(str, arguments)]
    process = subprocess.Popen(
        call, stdin=theirs, stdout=theirs, stderr=theirs, env=environment | {"TERM": term}, start_new_session=True
    )
    os.close(theirs)
    written = b""
    with suppress(OSError):  # which is how a terminal says that nobody is left
        while more := os.read(ours, 65536):
            written += more
    os.close(ours)
    assert process.wait(60) == 0, written.decode()
    screen = pyte.Screen(columns, 50)
    pyte.ByteStream(screen).feed(written)
    return [line.rstrip() for line in screen.display if line.strip()]


def into_file(path: Path, code: str, *arguments: object, **environment: str) -> str:
    """Run Python code with its output in a file, as a job's is; return what is in it."""
    with path.open("wb") as file:
        call = [sys.executable, "-c", code, *map(str, arguments)]
        subprocess.run(
            call, stdin=subprocess.DEVNULL, stdout=file, stderr=file, check=True, env=os.environ | environment
        )
    return path.read_text()
