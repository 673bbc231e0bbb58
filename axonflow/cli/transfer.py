"""How far a transfer is, on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from axonflow.cli.terminal import console

__all__ = ["bar"]


@contextmanager
def bar() -> Iterator[Callable[[int, int | None], None]]:
    """Draw how far a transfer is, if there is a terminal to draw on; yield what is told the bytes."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("archive", total=None, visible=False)
        yield lambda done, total: progress.update(task, completed=done, total=total, visible=True)
