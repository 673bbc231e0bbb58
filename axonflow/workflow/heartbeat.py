"""The driver's side of a store's status: a Watch that writes it down, and says every ten seconds that it is alive."""

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
from typing import TYPE_CHECKING, Any

from axonflow.engine.journal import write_whole
from axonflow.errors import AxonflowError
from axonflow.kernel.rate import Pace
from axonflow.workflow.status import Status

if TYPE_CHECKING:
    from axonflow.engine.journal import Journal
    from axonflow.engine.runner import Watch
    from axonflow.engine.stage import Stage

__all__ = ["Heartbeat"]

log = logging.getLogger(__name__)

CHANGED_S = 2.0
"""Least time between two writings."""

BEAT_S = 10.0
"""Most time between them."""

_JOBS = {
    "slurm": ("SLURM_JOB_ID",),
    "pbs": ("PBS_JOBID",),
    "lsf": ("LSB_JOBID",),
    "sge": ("JOB_ID", "SGE_TASK_ID"),  # the first alone may be anything's
}
"""What tells a process of which job it is part; the first holds the job's id."""


class Heartbeat(AbstractContextManager["Heartbeat"]):
    """A Watch that keeps the status file of a store, and passes on what it is told.

    That the file cannot be written never ends a run.

    Parameters
    ----------
    private : Path
        The store's own folder, ``STORE/.axonflow``.
    stages : sequence of Stage
        All that the run is to complete, in order.
    journal : Journal
    watch : Watch
        Is told everything, too.
    """

    def __init__(self, private: Path, stages: Sequence[Stage], journal: Journal, watch: Watch) -> None:
        self._path = private / "status.json"
        self._watch = watch
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
            job=_job(),
            pid=os.getpid(),
            started=_now(),
            log=str(private.absolute().parent / "run.log"),
        )
        self._pace: Pace | None = None
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
            said = str(error) if isinstance(error, AxonflowError) else f"{type(error).__name__}: {error}"
            self._status = replace(self._status, state="failed", error=said)
        else:
            self._status = replace(self._status, state="stopped", error="It was interrupted.")
        self._write()

    def begin(self, stage: Stage, done_px: int) -> None:
        """Note the stage."""
        self._pace = None  # the thread may write at any moment
        self._status = replace(self._status, stage=stage.name.replace(".", " "), all_done_px=self._before[stage.name])
        self._pace = Pace(done_px, stage.pixels)
        self._changed = True
        self._watch.begin(stage, done_px)

    def advance(self, pixels: int) -> None:
        """Note the pixels."""
        if self._pace:
            self._pace.advance(pixels)
        self._changed = True
        self._watch.advance(pixels)

    def end(self, stage: Stage, summary: dict[str, Any]) -> None:
        """Note nothing: all of its pixels were told."""
        self._watch.end(stage, summary)

    def workers(self, count: int, note: str) -> None:
        """Note how many there are."""
        if (count, note) != (self._status.workers, self._status.note):
            self._status = replace(self._status, workers=count, note=note)
            self._changed = True
        self._watch.workers(count, note)

    def _beat(self) -> None:
        written = time.monotonic()
        while not self._ended.wait(CHANGED_S):
            if self._changed or time.monotonic() - written >= BEAT_S:
                self._changed = False
                self._write()
                written = time.monotonic()

    def _write(self) -> None:
        pace, now = self._pace, replace(self._status, updated=_now())
        if pace:
            now = replace(now, done_px=pace.done, total_px=pace.total, all_done_px=now.all_done_px + pace.done)
        if pace and now.state == "running":
            now = replace(now, rate_px_s=pace.rate, remaining_s=pace.remaining_s)
        try:
            write_whole(self._path, json.dumps(asdict(now), indent=1, ensure_ascii=False).encode())
        except OSError as error:
            log.debug("status not written: %s", error)


def _job() -> str:
    """Return the job of a queueing system that this process is part of."""
    mine = (f"{system} {os.environ[names[0]]}" for system, names in _JOBS.items() if os.environ.keys() >= {*names})
    return next(mine, "")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
