"""Workers of a cluster of our own: starting them, and how long a fleet without any is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from axonflow.errors import FleetError

if TYPE_CHECKING:
    from distributed import SpecCluster

__all__ = ["GRACE_S", "no_workers_left", "start_workers"]

GRACE_S = 60.0
"""How long there may be no worker where none has to be waited for."""


def no_workers_left(*, on_gpus: bool) -> FleetError:
    """Return the error to raise when there is no worker."""
    return FleetError(
        f"Workers {'with a GPU ' if on_gpus else ''}were expected, but none is left, and none has come back; run.log "
        "and the workers' logs say more. What was done is kept: run the same command again to continue."
    )


def start_workers(cluster: SpecCluster) -> None:
    """Start the workers that are wanted; an error of the first is raised here."""

    async def start() -> None:
        await cluster

    cluster.sync(start)
