"""What every fleet does while work is under way: replace the workers that it loses, or say why there are none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from axonflow.errors import FleetError

if TYPE_CHECKING:
    from distributed import SpecCluster

    from axonflow.engine.pool import Census

__all__ = ["GRACE_S", "Fleet", "nobody", "settle"]

GRACE_S = 60.0
"""How long there may be no worker where none has to be waited for."""


class Fleet(Protocol):
    """Who the workers are, and what is done when some are lost."""

    def mend(self, census: Census, *, on_gpus: bool) -> str:
        """Replace what was lost; return what is to be said of it, or nothing.

        Raises
        ------
        FleetError
            If there are no workers, and waiting does not help.
        """

    def lost(self) -> FleetError:
        """Return what to say when work was dropped because the scheduler went away."""


def nobody(*, on_gpus: bool) -> FleetError:
    """Return what to say when there is no worker."""
    return FleetError(
        f"Workers {'with a GPU ' if on_gpus else ''}were expected, but none is left, and none has come back; run.log "
        "and the workers' logs say more. What was done is kept: run the same command again to continue."
    )


def settle(cluster: SpecCluster) -> None:
    """Start the workers that are wanted; an error of the first is raised here."""

    async def settle() -> None:
        await cluster

    cluster.sync(settle)
