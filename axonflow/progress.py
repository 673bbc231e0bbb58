"""How a run gets on, told to a person: bars on a terminal, one line per stage in a file."""

from __future__ import annotations

import signal
from contextlib import AbstractContextManager
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

if TYPE_CHECKING:
    from axonflow.engine.stage import Stage

__all__ = ["Bars"]


class _Rate(ProgressColumn):
    """Megapixels a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed / 1e6:8.1f} Mpx/s" if speed else "", style="cyan")


class Bars(AbstractContextManager["Bars"]):
    """A Watch that draws on a console.

    Parameters
    ----------
    console : rich.console.Console
        If it is no terminal, a line is printed as each stage ends, and nothing moves.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("{task.description:<10}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            _Rate(),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = TaskID(0)
        self._interrupted = False

    def __enter__(self) -> Bars:
        self._answer = signal.signal(signal.SIGINT, self._interrupt)
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()
        signal.signal(signal.SIGINT, self._answer)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002  # a signal handler's
        self._interrupted = True
        raise KeyboardInterrupt

    def _check(self) -> None:
        """Raise again: where a library was just cleaning up, the first exception may have been swallowed."""
        if self._interrupted:
            raise KeyboardInterrupt

    def begin(self, stage: Stage, done_px: int) -> None:
        """Start a bar."""
        self._task = self._progress.add_task(stage.name.replace(".", " "), total=stage.pixels, completed=done_px)

    def advance(self, pixels: int) -> None:
        """Move the bar."""
        self._check()
        self._progress.advance(self._task, pixels)

    def end(self, stage: Stage, summary: dict[str, Any]) -> None:
        """Fill the bar, or print the line."""
        self._check()
        self._progress.update(self._task, completed=stage.pixels)
        if not self._console.is_terminal:
            seconds, peak = summary["seconds"], summary["peak_worker_bytes"] / 2**30
            rate = summary["pixels"] / max(seconds, 1e-3) / 1e6
            self._console.print(f"{stage.name}: {seconds:.1f} s, {rate:.1f} Mpx/s, {peak:.2f} GiB per worker")
