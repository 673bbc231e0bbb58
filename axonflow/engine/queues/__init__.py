"""The queueing systems, one a file: how a job is described to each, asked after and ended.

Importing them is cheap: dask-jobqueue is imported when a job is made.
"""

from __future__ import annotations

import os

from axonflow.engine.queues.lsf import LSF
from axonflow.engine.queues.pbs import PBS
from axonflow.engine.queues.sge import SGE
from axonflow.engine.queues.slurm import SLURM
from axonflow.engine.queues.system import QueueingSystem

__all__ = ["QUEUES", "own_job"]

QUEUES: dict[str, QueueingSystem] = {system.name: system for system in (SLURM, PBS, LSF, SGE)}
"""All systems by their names in profiles."""


def own_job() -> str:
    """Return system and id of the job that this process is part of, such as ``slurm 42``; empty if there is none."""
    for system in QUEUES.values():
        if os.environ.keys() >= {*system.job_variables}:
            return f"{system.name} {os.environ[system.job_variables[0]]}"
    return ""
