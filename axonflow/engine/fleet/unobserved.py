"""dask without what it keeps to show how a computation went: a run's own record says that, in a few numbers.

For every span of a computation dask keeps all groups of tasks that ever were, and looks through them whenever tasks are
added. A run is one computation of as many groups as the slide has chunks, so that would cost more with every chunk.
"""

from __future__ import annotations

from typing import Any

from distributed import Client, SchedulerPlugin
from distributed.spans import SpansSchedulerExtension

__all__ = ["unobserved"]


def unobserved(client: Client) -> Client:
    """Have a scheduler keep no spans; return its client."""
    client.register_plugin(_WithoutSpans())
    return client


class _NoSpans(SpansSchedulerExtension):
    """What the scheduler and its dashboard expect to be there; it stays empty."""

    def observe_tasks(self, *_: Any, **__: Any) -> dict[Any, Any]:
        return {}

    def heartbeat(self, *_: Any, **__: Any) -> None:
        pass


class _WithoutSpans(SchedulerPlugin):
    name = "axonflow-without-spans"

    def start(self, scheduler: Any) -> None:
        scheduler.extensions["spans"] = _NoSpans(scheduler)
