"""The program ``axonflow``, also as ``python -m axonflow``: it can be interrupted while it still loads, too."""

from __future__ import annotations

import gc
import os
import signal
from types import FrameType

__all__ = ["main"]

SIGNALS = (signal.SIGINT, signal.SIGTERM)
INTERRUPTED = b"axonflow: interrupted; run the same command again to continue.\n"

LOOKED_THROUGH = 10_000
"""New objects after which Python looks for some that only hold each other. It would do so after every 700, and
libraries are half a million of them, which all stay."""


def main() -> None:
    """Run the command and leave with its exit code."""
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _leave)
    gc.set_threshold(LOOKED_THROUGH)
    from axonflow.cli import main as command  # half a second and more

    try:
        command()
    finally:  # once Python takes itself apart, a second one would take the exit code along
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        gc.freeze()  # or it looks through all of them once more, and takes most of a second to leave


def _leave(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  # a signal handler's
    """Leave at once, as nothing was begun; an exception might be swallowed by what is being imported."""
    os.write(2, INTERRUPTED)
    os._exit(130)


if __name__ == "__main__":
    main()
