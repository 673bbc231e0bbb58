"""Running stages to their end: what is recorded is skipped, what fails leaves the rest recorded."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from typing import Any

from axonflow.engine.events import BatchDone, Listener, StageBegun, StageDone, ignore
from axonflow.engine.graph import build
from axonflow.engine.journal import Files, Journal, Record
from axonflow.engine.pool import Pool
from axonflow.engine.stage import Stage
from axonflow.errors import AxonflowError, RunError
from axonflow.kernel.files import summed
from axonflow.kernel.memory import give_back
from axonflow.kernel.refused import refused
from axonflow.kernel.retry import retry

__all__ = ["run_stages"]

log = logging.getLogger(__name__)

_MEMORY = ("failed to map segment", "can't start new thread", "Cannot allocate memory")


def run_stages(stages: Sequence[Stage], journal: Journal, pool: Pool, on_event: Listener = ignore) -> None:
    """Run stages in order, each to its end; every task that was recorded before is left out.

    Parameters
    ----------
    stages : sequence of Stage
    journal : Journal
    pool : Pool
    on_event : callable
        Called with each :data:`~axonflow.engine.events.Event`, in this thread.

    Raises
    ------
    AxonflowError
        As a task raised it, or a RunError that says what happened where. What was recorded stays so.
    """
    missing = [stage for stage in stages if not journal.record(stage).complete]
    with pool.getting_ready([stage.rehearse for stage in missing if stage.rehearse]):
        _run_all(stages, journal, pool, on_event)


def _run_all(stages: Sequence[Stage], journal: Journal, pool: Pool, on_event: Listener) -> None:
    for i, stage in enumerate(stages):
        record = journal.record(stage)
        if record.complete:
            continue
        if not record.begun:
            # Stages that rest on it were made from outputs that are about to go, whatever their keys say.
            journal.forget(later for later in stages[i:] if later is stage or later.rests_on(stage))
        try:
            summary, ended, as_before = _run(stage, record, pool, on_event)
            if not as_before:  # what was mended came out otherwise, as on another kind of GPU
                journal.forget(later for later in stages[i + 1 :] if later.rests_on(stage))
            for later in stages[i + 1 :]:
                journal.record(later).reopen(ended)
        except AxonflowError:
            raise
        except OSError as error:
            raise _os_error(stage, error) from error
        except Exception as error:
            log.exception("stage %s failed", stage.name)
            way_on = "It ran out of memory: use a smaller --chunk, or fewer --workers. " if _of_memory(error) else ""
            raise RunError(
                f"The stage {stage.group!r} was expected to end, but a task failed: {type(error).__name__}: {error}. "
                f"{way_on}What was done is kept; the log has the details. Run the same command again to continue."
            ) from error
        on_event(StageDone(stage, summary))


def _run(stage: Stage, record: Record, pool: Pool, on_event: Listener) -> tuple[dict[str, Any], Files, bool]:
    """Run a stage; return its summary, what its end wrote, and whether what had to be made again came out as before."""
    started, as_before = time.perf_counter(), True
    if not record.begun:
        with summed() as files:
            if stage.prepare:
                stage.prepare()
        retry(partial(record.begin, files))
    missing = record.missing()
    left = sum(box.size for i in missing for box in stage.batches[i])
    on_event(StageBegun(stage, stage.pixels - left))
    peak = 0
    busy: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    devices: set[str] = set()
    graphs = ((i, partial(build, stage, stage.batches[i], gpu=pool.gpu)) for i in missing)
    for i, done in pool.run(
        graphs, stage.memory + sum(stage.resident.values()), accelerated=stage.accelerated, on_event=on_event
    ):
        written = {path: each for task in done for path, each in task.files.items()}
        as_before &= retry(partial(record.commit, i, [task.result for task in done], written))
        peak = max(peak, *(task.peak for task in done))
        for task in done:
            busy[task.worker].append(task.busy)
            devices |= {task.device} - {""}
        on_event(BatchDone(sum(box.size for box in stage.batches[i])))
    computed = time.perf_counter() - started
    with summed() as files:
        noted = stage.finish(record.results()) if stage.finish else None
    give_back()
    summary = {
        "seconds": round(time.perf_counter() - started, 3),
        "pixels": left,
        "peak_worker_bytes": peak,
        **(noted or {}),
    }
    if stage.accelerated and stage.overlap:
        if devices:
            summary["devices"] = sorted(devices)
        summary["busy"] = {worker: round(_covered(spans) / computed, 3) for worker, spans in sorted(busy.items())}
    as_before &= retry(partial(record.close, summary, files))
    log.info("stage %s: %s", stage.name, summary)
    return summary, files, as_before


def _covered(spans: Sequence[tuple[float, float]]) -> float:
    """Return how much of the time spans cover: a worker with an accelerator has two tasks at once."""
    covered, until = 0.0, float("-inf")
    for begin, end in sorted(spans):
        covered += max(end - max(begin, until), 0.0)
        until = max(end, until)
    return covered


def _of_memory(error: Exception) -> bool:
    """Whether memory was missing; a library that cannot be loaded, or a thread not be started, says it in its words."""
    return isinstance(error, MemoryError) or any(said in str(error) for said in _MEMORY)


def _os_error(stage: Stage, error: OSError) -> RunError:
    log.exception("stage %s failed", stage.name)
    return RunError(
        f"The stage {stage.group!r} was expected to write its outputs, but {refused(error)}. "
        "What was done is kept: run the same command again to continue."
    )
