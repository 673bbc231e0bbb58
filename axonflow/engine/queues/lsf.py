"""IBM Spectrum LSF."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from axonflow.engine.queues.system import JOB_NAME, JobStates, QueueingSystem, Request, ask_one_by_one

__all__ = ["LSF"]


def _options(request: Request) -> dict[str, Any]:
    return {
        "ncpus": request.cpus,
        "mem": request.memory,
        "walltime": request.hours_and_minutes,
        "project": request.account,
    }


def _directives(request: Request) -> list[str]:
    return ['-gpu "num=1"'] if request.gpu else []


def _states(jobs: Sequence[str]) -> JobStates | None:
    return ask_one_by_one("bjobs", jobs=jobs, state_column=2, ended=frozenset({"DONE", "EXIT"}))


LSF = QueueingSystem(
    name="lsf",
    title="LSF",
    job_class=("dask_jobqueue.lsf", "LSFJob"),
    options=_options,
    directives=_directives,
    output_directives=(f"-o {{}}/{JOB_NAME}-%J.log",),
    output_name=f"{JOB_NAME}-{{}}.log",
    states=_states,
    cancel_command="bkill",
    job_variables=("LSB_JOBID",),
    own_command="bsub",
    partitions_question=("bqueues", "-w"),
)
