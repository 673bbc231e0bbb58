"""The log that a run keeps in its store; where the disk is full the run itself says so."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["logged"]


class _LogFile(logging.FileHandler):
    """A log whose disk may fill up; the run itself says so."""

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(OSError):  # of opening it
            super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # the base's name
        pass

    def close(self) -> None:
        with suppress(OSError):
            super().close()


@contextmanager
def logged(path: Path) -> Iterator[None]:
    """Have all that the package logs written into a file, within the context."""
    handler = _LogFile(path, encoding="utf-8", delay=True)  # where nothing is logged, nothing is written
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("axonflow")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()
