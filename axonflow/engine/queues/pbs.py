"""PBS: OpenPBS, PBS Pro and Torque."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from axonflow.engine.queues.system import JOB_NAME, JobStates, QueueingSystem, Request, ask_one_by_one

__all__ = ["PBS"]


def _options(request: Request) -> dict[str, Any]:
    gpu = ":ngpus=1" if request.gpu else ""
    return {
        "resource_spec": f"select=1:ncpus={request.cpus}{gpu}:mem={request.memory_mib}mb",
        "walltime": f"{request.hours_and_minutes}:00",
        "account": request.account,
    }


def _directives(_request: Request) -> list[str]:
    return []


def _states(jobs: Sequence[str]) -> JobStates | None:
    return ask_one_by_one("qstat", jobs=jobs, state_column=-2, ended=frozenset({"C", "F"}))


PBS = QueueingSystem(
    name="pbs",
    title="PBS",
    job_class=("dask_jobqueue.pbs", "PBSJob"),
    options=_options,
    directives=_directives,
    output_directives=("-j oe", "-o {}/"),
    output_name=f"{JOB_NAME}.o{{}}",
    states=_states,
    cancel_command="qdel",
    job_variables=("PBS_JOBID",),
    own_command="pbsnodes",
    partitions_question=("qstat", "-Q"),
)
