"""Grid Engine: SGE and what descends from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from axonflow.engine.queues.system import JOB_NAME, JobStates, QueueingSystem, Request, ask_one_by_one

__all__ = ["SGE"]


def _options(request: Request) -> dict[str, Any]:
    return {
        "resource_spec": f"mem_free={request.memory_mib}M",
        "walltime": f"{request.hours_and_minutes}:00",
        "project": request.account,
    }


def _directives(request: Request) -> list[str]:
    return [
        *([f"-pe smp {request.cpus}"] if request.cpus > 1 else []),
        *(["-l gpu=1"] if request.gpu else []),
    ]


def _states(jobs: Sequence[str]) -> JobStates | None:
    return ask_one_by_one("qstat", "-j", jobs=jobs)


SGE = QueueingSystem(
    name="sge",
    title="SGE",
    job_class=("dask_jobqueue.sge", "SGEJob"),
    options=_options,
    directives=_directives,
    output_directives=("-o {}/",),
    output_name=f"{JOB_NAME}.o{{}}",
    states=_states,
    cancel_command="qdel",
    job_variables=("JOB_ID", "SGE_TASK_ID"),  # the first alone may belong to anything
    own_command="qconf",
    partitions_question=("qconf", "-sql"),
)
