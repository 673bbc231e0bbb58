"""The driver's side of a store's status: written as the run proceeds, and every ten seconds to show that it lives."""

from __future__ import annotations

import json
import logging
import os
import platform
import threading
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from axonflow.engine.events import BatchDone, Event, Listener, StageBegun, WorkersCounted, ignore
from axonflow.engine.queues import own_job
from axonflow.errors import AxonflowError
from axonflow.kernel.files import write_file
from axonflow.kernel.rate import RateMeter
from axonflow.workflow.status import Status

if TYPE_CHECKING:
    from axonflow.engine.journal import Journal
    from axonflow.engine.stage import Stage

__all__ = ["Heartbeat"]

log = logging.getLogger(__name__)

CHANGED_S = 2.0
"""Least time between two writings."""

BEAT_S = 10.0
"""Most time between them."""


class Heartbeat(AbstractContextManager["Heartbeat"]):
    """Keeps the status file of a store while a run is on, and passes events on.

    That the file cannot be written never ends a run.

    Parameters
    ----------
    private : Path
        The store's own folder, ``STORE/.axonflow``.
    stages : sequence of Stage
        All that the run is to complete, in order.
    journal : Journal
    on_event : callable
        Called with every event that :meth:`note` is called with.
    """

    def __init__(self, private: Path, stages: Sequence[Stage], journal: Journal, on_event: Listener = ignore) -> None:
        self._path = private / "status.json"
        self._on_event = on_event
        self._before: dict[str, int] = {}
        self._total = 0
        for stage in stages:
            self._before[stage.name] = self._total
            self._total += stage.pixels
        first = next((stage.name for stage in stages if not journal.record(stage).complete), "")
        self._status = Status(
            state="running",
            all_done_px=self._before.get(first, self._total),
            all_total_px=self._total,
            host=platform.node(),
            job=own_job(),
            pid=os.getpid(),
            started=_now(),
            log=str(private.absolute().parent / "run.log"),
        )
        self._meter: RateMeter | None = None
        self._changed, self._ended = False, threading.Event()
        self._thread = threading.Thread(target=self._beat, name="axonflow status", daemon=True)

    def __enter__(self) -> Heartbeat:
        self._write()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        if error is None:
            self._status = replace(self._status, state="done", note="")
        elif isinstance(error, Exception):
            message = str(error) if isinstance(error, AxonflowError) else f"{type(error).__name__}: {error}"
            self._status = replace(self._status, state="failed", error=message)
        else:
            self._status = replace(self._status, state="stopped", error="It was interrupted.")
        self._write()

    def note(self, event: Event) -> None:
        """Note an event in the file, now or within two seconds, and pass it on."""
        match event:
            case StageBegun(stage, done_px):
                name = stage.name.replace(".", " ")
                self._meter = None  # the thread may write at any moment
                self._status = replace(self._status, stage=name, all_done_px=self._before[stage.name])
                self._meter = RateMeter(done_px, stage.pixels)
                self._changed = True
            case BatchDone(pixels):
                if self._meter:
                    self._meter.advance(pixels)
                self._changed = True
            case WorkersCounted(count, note) if (count, note) != (self._status.workers, self._status.note):
                self._status = replace(self._status, workers=count, note=note)
                self._changed = True
        self._on_event(event)

    def _beat(self) -> None:
        written = time.monotonic()
        while not self._ended.wait(CHANGED_S):
            if self._changed or time.monotonic() - written >= BEAT_S:
                self._changed = False
                self._write()
                written = time.monotonic()

    def _write(self) -> None:
        meter, now = self._meter, replace(self._status, updated=_now())
        if meter:
            now = replace(now, done_px=meter.done, total_px=meter.total, all_done_px=now.all_done_px + meter.done)
        if meter and now.state == "running":
            now = replace(now, rate_px_s=meter.rate, remaining_s=meter.remaining_s)
        try:
            content = json.dumps(asdict(now), indent=1, ensure_ascii=False).encode()
            write_file(self._path, content, durable=False)  # it is written again in a moment
        except OSError as error:
            log.debug("status not written: %s", error)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
