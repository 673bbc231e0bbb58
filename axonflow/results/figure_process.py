"""A second process, which draws the overviews of a report beside this one, which draws what is seen near by.

Drawing holds Python's one lock, so threads would take turns. What the process needs takes a second to load: whoever
knows that figures will be wanted starts it before. What it does is in :mod:`axonflow.results.report.beside`. Where it
cannot be had, or fails, nothing is lost but time: whoever asked draws all of them.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from axonflow.engine.cpus import cpus

__all__ = ["Answer", "FigureProcess"]

log = logging.getLogger(__name__)

Answer = Callable[[], list[list[Any]] | None]
"""Waits for the figures that were drawn: of each the fields that describe it. None if they could not be drawn."""


class FigureProcess(AbstractContextManager["FigureProcess"]):
    """The process, from its start to the end of the context.

    Parameters
    ----------
    alone : bool
        Whether one worker was asked for, which has no second process beside it; nor has one core.
    """

    def __init__(self, *, alone: bool = False) -> None:
        self._alone = alone
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Have it load what it needs, unless it has."""
        if self._process is not None or self._alone or cpus() == 1:
            return
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "axonflow.results.report.beside"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                start_new_session=True,  # ^C reaches the whole process group; only this process answers it
            )
        except OSError as error:
            log.debug("no process for figures: %r", error)

    @contextmanager
    def drawing(self, store: Path, folder: Path) -> Iterator[Answer]:
        """Have it draw the overviews of a store, while other figures are drawn within the context.

        Parameters
        ----------
        store : Path
        folder : Path
            Where the figures go. If the context is left by an error, nothing is written there any more.

        Yields
        ------
        callable
            An :data:`Answer`.
        """
        self.start()
        try:
            self._tell([str(store.absolute()), str(folder.absolute())])
            yield self._answer
        except BaseException:
            self._end()
            raise

    def _tell(self, what: list[str]) -> None:
        if self._process is None or self._process.stdin is None:
            return
        try:
            print(json.dumps(what), file=self._process.stdin, flush=True)
        except OSError:
            self._end()

    def _answer(self) -> list[list[Any]] | None:
        if self._process is None or self._process.stdout is None:
            return None
        try:
            answer: list[list[Any]] = json.loads(self._process.stdout.readline())
        except ValueError as error:  # it ended, perhaps in the middle of a line
            log.debug("no figures of the second process: %r", error)
            self._end()
            return None
        return answer

    def _end(self) -> None:
        """End it, and wait until it has ended."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()
