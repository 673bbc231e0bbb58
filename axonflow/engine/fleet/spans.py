"""A preload of dask's scheduler, by which it keeps no spans: what a run needs to know stands in its own record.

For every span of a computation dask keeps all groups of tasks that ever were, and looks through them whenever tasks are
added. A run is one computation of as many groups as the slide has chunks, so that would cost more with every chunk.

Schedulers that a fleet or ``axonflow cluster scheduler`` starts load this module; one that somebody else started keeps
what it keeps.
"""

from __future__ import annotations

from typing import Any

from distributed.spans import SpansSchedulerExtension

__all__ = ["dask_setup"]


class _NoSpans(SpansSchedulerExtension):
    """What the scheduler and its dashboard expect to be there; it stays empty."""

    def observe_tasks(self, *_: Any, **__: Any) -> dict[Any, Any]:
        return {}

    def heartbeat(self, *_: Any, **__: Any) -> None:
        pass


def dask_setup(scheduler: Any) -> None:
    """Replace a scheduler's extension; dask calls this by its name when the scheduler starts."""
    scheduler.extensions["spans"] = _NoSpans(scheduler)
