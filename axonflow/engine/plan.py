"""What a run will cost, before it starts; and a refusal of what does not fit."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from axonflow.engine.fleet.processes import beside
from axonflow.engine.journal import Journal
from axonflow.engine.profile import Profile
from axonflow.engine.stage import Stage
from axonflow.errors import PlanError
from axonflow.kernel.words import memory

__all__ = ["WORKER_BYTES", "Plan", "StageCost"]

WORKER_BYTES = 100 * 2**20
"""What a worker's process takes before its first task; measured."""


@dataclass(frozen=True, slots=True)
class StageCost:
    """One stage's share of a plan.

    Attributes
    ----------
    name : str
    tasks, missing : int
        Tasks in all, and those that are not recorded yet.
    pixels : int
    memory : int
        Projected peak of a worker, bytes; where several share a process, each one's part of it.
    disk : int
        Projected size of what is still to be written, bytes.
    """

    name: str
    tasks: int
    missing: int
    pixels: int
    memory: int
    disk: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The cost of a run.

    Attributes
    ----------
    steps : tuple of Step
    workers : int
    memory_limit, disk_free : int
        What there is for a worker, and on the store's disk, bytes.
    """

    steps: tuple[StageCost, ...]
    workers: int
    memory_limit: int
    disk_free: int

    @classmethod
    def of(cls, stages: Sequence[Stage], journal: Journal, store: Path, profile: Profile) -> Plan:
        """Plan what is left of a run.

        Parameters
        ----------
        stages : sequence of Stage
        journal : Journal
        store : Path
            Where the outputs go; its first existing parent is asked for free space.
        profile : Profile
            Of the workers. Without a limit of its own, one may take an even share of this machine's memory.
        """
        there = next(path for path in (store, *store.absolute().parents) if path.exists())
        workers = profile.workers or (profile.adapt or (1, 1))[1]
        together = workers if profile.in_process else 1
        steps, resident = [], dict[str, int]()
        for stage in stages:  # what is made ready ahead may be there from the first one on
            if profile.in_process and stage.rehearse and not journal.record(stage).complete:
                resident |= stage.resident
        for stage in stages:
            record = journal.record(stage)
            missing = [] if record.complete else [box for i in record.missing() for box in stage.batches[i]]
            tasks = sum(len(batch) for batch in stage.batches)
            disk = stage.disk * len(missing) // max(tasks, 1)
            resident |= stage.resident if missing else {}  # what one stage has loaded is there in the next
            peak = stage.memory + (sum(resident.values()) + WORKER_BYTES) // together
            steps.append(StageCost(stage.name, tasks, len(missing), stage.pixels, peak, disk))
        share = psutil.virtual_memory().total // (workers + (beside(profile) if profile.system == "local" else 0))
        return cls(tuple(steps), workers, profile.memory or share, shutil.disk_usage(there).free)

    @property
    def complete(self) -> bool:
        """Whether nothing is left to do."""
        return not any(step.missing for step in self.steps)

    @property
    def memory(self) -> int:
        """Projected peak of a worker over what is left, bytes."""
        return max((step.memory for step in self.steps if step.missing), default=0)

    @property
    def disk(self) -> int:
        """Projected size of what is left to write, bytes."""
        return sum(step.disk for step in self.steps)

    def check(self) -> None:
        """Refuse what does not fit.

        Raises
        ------
        PlanError
            With what is projected and what there is.
        """
        if self.memory > self.memory_limit:
            hungry = max((step for step in self.steps if step.missing), key=lambda step: step.memory)
            raise PlanError(
                f"At most {_gib(self.memory_limit)} per worker are there, but the stage {hungry.name!r} is projected "
                f"to need {_gib(self.memory)}; use a smaller --chunk, or fewer --workers."
            )
        if self.disk > self.disk_free:
            raise PlanError(
                f"{memory(self.disk_free)} are free on the store's disk, but the run is projected to write up to "
                f"{memory(self.disk)}; free some space or choose another --out."
            )


def _gib(size: int) -> str:
    return f"{size / 2**30:.2f} GiB"
