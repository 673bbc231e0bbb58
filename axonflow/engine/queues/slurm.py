"""Slurm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from axonflow.engine.queues.system import GONE, JOB_NAME, JobState, JobStates, QueueingSystem, Request, ask

__all__ = ["SLURM"]

_WAITING = frozenset({"PENDING", "CONFIGURING", "REQUEUED"})
_ENDED = frozenset(
    {"BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "TIMEOUT"}
)
_HOPELESS = frozenset(
    {
        "AccountNotAllowed", "AssocMaxCpuPerJobLimit", "AssocMaxMemPerJob", "AssocMaxNodePerJobLimit",
        "AssocMaxWallDurationPerJobLimit", "BadConstraints", "BeginTimeInvalid", "DependencyNeverSatisfied",
        "InvalidAccount", "InvalidQOS", "JobHeldAdmin", "JobHeldUser", "PartitionConfig", "PartitionDown",
        "PartitionInactive", "PartitionNodeLimit", "PartitionTimeLimit", "QOSMaxCpuPerJobLimit", "QOSMaxMemoryPerJob",
        "QOSMaxWallDurationPerJobLimit", "QOSNotAllowed",
    }
)  # fmt: skip


def _options(request: Request) -> dict[str, Any]:
    return {
        "job_cpu": request.cpus,
        "job_mem": f"{request.memory_mib}M",
        "walltime": f"{request.hours_and_minutes}:00",
        "account": request.account,
    }


def _directives(request: Request) -> list[str]:
    return ["--gres=gpu:1"] if request.gpu else []


def _states(jobs: Sequence[str]) -> JobStates | None:
    answer = ask("squeue", "--me", "--noheader", "--states=all", "--format=%A|%T|%r")
    if answer is None or answer.returncode:
        return None
    rows = (line.split("|", 2) for line in answer.stdout.splitlines())
    found = {job: _state(word, reason) for job, word, reason in rows}
    return {job: found.get(job, GONE) for job in jobs}


def _state(word: str, reason: str) -> JobState:
    if word in _ENDED:
        return GONE
    waits = word in _WAITING
    return JobState(waits, not waits, "" if reason == "None" else reason)


def _partitions(answer: str) -> list[str]:
    return sorted({line.split()[0] for line in answer.splitlines() if line.strip()})


SLURM = QueueingSystem(
    name="slurm",
    title="Slurm",
    job_class=("dask_jobqueue.slurm", "SLURMJob"),
    options=_options,
    directives=_directives,
    output_directives=(f"-o {{}}/{JOB_NAME}-%j.log",),
    output_name=f"{JOB_NAME}-{{}}.log",
    states=_states,
    cancel_command="scancel",
    hopeless=_HOPELESS,
    job_variables=("SLURM_JOB_ID",),
    own_command="sbatch",
    partitions_question=("sinfo", "--noheader", "--format=%P"),
    partitions=_partitions,
)
