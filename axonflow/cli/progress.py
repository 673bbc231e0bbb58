"""The progress of a run, shown to a person: bars that move on a terminal, a line now and then anywhere else."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.table import Column
from rich.text import Text

from axonflow.cli.terminal import say
from axonflow.engine.events import BatchDone, Event, Noted, StageBegun, StageDone, WorkersCounted
from axonflow.kernel.rate import RateMeter, duration, rate
from axonflow.stages.titles import stage_title

if TYPE_CHECKING:
    from axonflow.engine.stage import Stage

__all__ = ["Bars"]

LINE_S = 60.0
"""Least time between two lines of one stage where nothing can move."""

WORKERS_S = 10.0
"""Least time between two lines of the workers, while there are some."""


class _Rate(ProgressColumn):
    """Pixels a second: of the last minute, and of the whole stage when it has ended."""

    def render(self, task: Task) -> Text:
        meter: RateMeter = task.fields["meter"]
        speed = task.fields["missing"] / task.finished_time if task.finished_time else meter.rate
        return Text(rate(speed) if speed else "", "cyan", justify="right")


class _Share(ProgressColumn):
    """How much is done; of what has just begun, whose bar only pulses, nobody knows."""

    def render(self, task: Task) -> Text:
        return Text("" if task.total is None else f"{task.percentage:.0f} %", justify="right")


class _Time(ProgressColumn):
    """What a stage still takes; what it has taken, if it has ended or nobody knows."""

    def render(self, task: Task) -> Text:
        if task.finished_time is not None:
            return Text(f"in {duration(task.finished_time)}", "green")
        left = task.fields["meter"].remaining_s
        return Text(f"{duration(task.elapsed or 0.0)} so far" if left is None else f"{duration(left)} left", "cyan")


class _Lines(Progress):
    """The bars of all stages, and under them a line on the workers."""

    workers = ""

    def get_renderables(self) -> Iterable[RenderableType]:
        yield from super().get_renderables()
        if self.workers:
            yield Text(f"{'workers':<19}{self.workers}", "dim", no_wrap=True, overflow="ellipsis")


class Bars(AbstractContextManager["Bars"]):
    """The progress of a run, drawn on a console.

    Parameters
    ----------
    console : rich.console.Console
        If it is no terminal, nothing moves: a line is printed as each stage ends, and at most one a minute before.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        # With FORCE_COLOR, which a job inherits, rich takes any file for a terminal.
        self._moves = console.is_interactive and console.file.isatty()
        self._progress = _Lines(
            TextColumn("{task.description:<18}"),
            BarColumn(bar_width=None, table_column=Column(max_width=60, ratio=1)),
            _Share(table_column=Column(min_width=5, no_wrap=True)),
            _Rate(table_column=Column(min_width=10, no_wrap=True)),
            _Time(table_column=Column(min_width=11, no_wrap=True)),
            console=console,
            disable=not self._moves,
        )
        self._task = TaskID(0)
        self._meter = RateMeter(0, 0)
        self._line_at = 0.0
        self._printed: tuple[int, str] | None = None  # of the workers, count and note
        self._printed_at = 0.0

    def __enter__(self) -> Bars:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.workers = ""
        self._progress.stop()

    def clear(self) -> None:
        """Take the bars of a slide away; the next one has its own."""
        for task in self._progress.task_ids:
            self._progress.remove_task(task)

    @contextmanager
    def drawing(self) -> Iterator[None]:
        """Show that figures are drawn within the context; how much of it is done nobody knows."""
        title, began = "drawing figures", time.monotonic()
        task = self._progress.add_task(title, total=None, meter=RateMeter(0, 0), missing=0)
        yield
        self._progress.update(task, total=1, completed=1)
        if not self._moves:
            self._print(f"{title}: done in {duration(time.monotonic() - began)}")

    def show(self, event: Event) -> None:
        """Show what has happened in a run."""
        match event:
            case StageBegun(stage, done_px):
                self._begin(stage, done_px)
            case BatchDone(pixels):
                self._advance(pixels)
            case StageDone(stage, summary):
                self._end(stage, summary)
            case WorkersCounted(count, note):
                self._show_workers(count, note)
            case Noted(text):
                self._print(f"note: {text}")

    def _begin(self, stage: Stage, done_px: int) -> None:
        """Start a bar."""
        self._meter = RateMeter(done_px, stage.pixels)
        self._line_at = time.monotonic()
        self._task = self._progress.add_task(
            stage_title(stage.name),
            total=stage.pixels if done_px else None,  # libraries load first
            completed=done_px,
            meter=self._meter,
            missing=stage.pixels - done_px,
        )

    def _advance(self, pixels: int) -> None:
        """Move the bar, or print a line if the last one is a minute old."""
        self._meter.advance(pixels)
        self._progress.update(self._task, total=self._meter.total, advance=pixels)
        if not self._moves and self._meter.done < self._meter.total and time.monotonic() - self._line_at >= LINE_S:
            self._line_at = time.monotonic()
            self._print(f"{self._progress.tasks[-1].description}: {_state(self._meter)}")

    def _end(self, stage: Stage, summary: Mapping[str, Any]) -> None:
        """Fill the bar, or print the stage's line."""
        all_ = max(stage.pixels, 1)  # some stages have none, and only finish
        self._progress.update(self._task, total=all_, completed=all_)
        if not self._moves:
            seconds, peak = summary["seconds"], summary["peak_worker_bytes"] / 2**30
            speed = rate(summary["pixels"] / max(seconds, 1e-3))
            cost = f", {speed}, {peak:.2f} GiB per worker" if summary["pixels"] else ""  # some stages only finish
            self._print(f"{stage_title(stage.name)}: done in {duration(seconds)}{cost}")
        for note in summary.get("notes", ()):
            self._print(f"note: {note}")

    def _show_workers(self, count: int, note: str) -> None:
        """Show how many workers there are, and the note on them, if either has changed."""
        if self._moves:
            self._progress.workers = _workers_text(count, note)
            return
        first_or_last = self._printed is None or (count == 0) is not (self._printed[0] == 0)
        if (count, note) != self._printed and (first_or_last or time.monotonic() - self._printed_at >= WORKERS_S):
            self._printed, self._printed_at = (count, note), time.monotonic()
            self._print(f"workers: {_workers_text(count, note)}")

    def _print(self, line: str) -> None:
        say(line, self._console)


def _state(meter: RateMeter) -> str:
    parts = [f"{100 * meter.share:.0f} %"]
    if meter.rate and meter.remaining_s is not None:
        parts += [rate(meter.rate), f"{duration(meter.remaining_s)} left"]
    return ", ".join(parts)


def _workers_text(count: int, note: str) -> str:
    return ", ".join([str(count or "none"), *([note] if note else [])])
