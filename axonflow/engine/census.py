"""How many workers there are, what they have, and how much work may be under way on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from axonflow.engine.graph import GPU

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["Census"]


@dataclass(frozen=True, slots=True)
class Census:
    """The workers that are connected.

    Attributes
    ----------
    names : frozenset of str
        Of all workers that are connected, those that are about to leave and take no more work included.
    threads, gpus : int
        Of all that take work.
    memory : tuple of int
        What each of these may take, bytes; 0 if it has no limit.
    """

    names: frozenset[str]
    threads: int
    gpus: int
    memory: tuple[int, ...]

    @classmethod
    def take(cls, client: Client) -> Census:
        """Count the workers of a client's scheduler."""
        known = client.scheduler_info(n_workers=-1)["workers"].values()
        there = [worker for worker in known if worker["status"] == "running"]
        return cls(
            frozenset(str(worker["name"]) for worker in known),
            sum(worker["nthreads"] for worker in there),
            sum(int(worker["resources"].get(GPU, 0)) for worker in there),
            tuple(worker["memory_limit"] or 0 for worker in there),
        )

    def in_flight(self, memory: int, *, on_gpus: bool, ahead: int = 2) -> int:
        """Return how many batches may be under way, as many as fit in memory.

        Of each slot the one that is at work and the next. A GPU is done with a batch long before the processor has read
        and written it: as many as there are threads to do so.

        Parameters
        ----------
        memory : int
            What one task may take, bytes.
        on_gpus : bool
        ahead : int
            Batches per slot: one is at work, the input of the others is read meanwhile.
        """
        if on_gpus:
            wanted = max(ahead * self.gpus, self.threads) if self.gpus else 0
        else:
            wanted = ahead * self.threads
        room = sum(limit // memory if limit and memory else wanted for limit in self.memory)
        return max(min(wanted, room), 1)
