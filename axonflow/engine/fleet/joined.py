"""Workers of a scheduler that already runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from axonflow.engine import certificates
from axonflow.engine.fleet.workers import GRACE_S, no_workers_left
from axonflow.engine.graph import GPU
from axonflow.engine.profile import Profile
from axonflow.errors import FleetError, InputError

if TYPE_CHECKING:
    from distributed import Client

    from axonflow.engine.census import Census

__all__ = ["JoinedWorkers", "ask_workers", "joined"]

T = TypeVar("T")


@contextmanager
def joined(profile: Profile) -> Iterator[Client]:
    """Join a scheduler by its address or folder.

    Raises
    ------
    InputError
        If nothing answers there.
    """
    from distributed import Client

    address, security = certificates.scheduler(str(profile.address))
    try:
        client = Client(address, security=security, timeout="30s", set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise InputError(
            f"A dask scheduler was expected at {profile.address}, but: {error}; start it, or correct --cluster."
        ) from error
    with client:
        yield client


def ask_workers(profile: Profile, question: Callable[[], T]) -> list[T]:
    """Ask the workers that accelerated work will go to: those that declare a GPU, or all if none does.

    Returns
    -------
    list
        An answer of each; nothing if there is no worker yet.

    Raises
    ------
    InputError
        If nothing answers at the scheduler's address.
    """
    with joined(profile) as client:
        workers = client.scheduler_info(n_workers=-1)["workers"]
        with_gpu = [address for address, worker in workers.items() if worker["resources"].get(GPU)]
        asked = with_gpu or list(workers)
        return list(client.run(question, workers=asked).values()) if asked else []


class JoinedWorkers:
    """Workers of a scheduler that already runs: whoever runs it adds and removes them."""

    def __init__(self, client: Client) -> None:
        self.client, self.seen = client, time.monotonic()

    def maintain(self, census: Census, *, on_gpus: bool) -> str:
        """Wait for workers, but give up when there has been none for a while."""
        if census.gpus if on_gpus else census.threads:
            self.seen = time.monotonic()
            return ""
        if time.monotonic() - self.seen > 5 * GRACE_S:
            raise no_workers_left(on_gpus=on_gpus)
        return "none has come yet"

    def scheduler_lost(self) -> FleetError:
        """Return the error to raise when the scheduler has gone."""
        return FleetError(
            f"The scheduler at {self.client.scheduler.address} was expected to stay, but it has gone. What was done is "
            "kept: start it again and run the same command to continue."
        )
