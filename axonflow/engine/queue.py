"""What a queueing system says of jobs: whether they are still known, why they wait, how to end them.

dask-jobqueue submits jobs and never asks again, so a job that cannot start would be waited for in silence.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from axonflow.engine.journal import write_whole

__all__ = ["HOPELESS", "Ledger", "Ticket", "cancel", "states"]

HOPELESS = frozenset(
    {
        "AccountNotAllowed", "AssocMaxCpuPerJobLimit", "AssocMaxMemPerJob", "AssocMaxNodePerJobLimit",
        "AssocMaxWallDurationPerJobLimit", "BadConstraints", "BeginTimeInvalid", "DependencyNeverSatisfied",
        "InvalidAccount", "InvalidQOS", "JobHeldAdmin", "JobHeldUser", "PartitionConfig", "PartitionDown",
        "PartitionInactive", "PartitionNodeLimit", "PartitionTimeLimit", "QOSMaxCpuPerJobLimit", "QOSMaxMemoryPerJob",
        "QOSMaxWallDurationPerJobLimit", "QOSNotAllowed",
    }
)  # fmt: skip
"""Slurm's reasons for which a job waits and waiting does not help."""

_ENDED = frozenset(
    {"BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "TIMEOUT"}
)
_WAITING = frozenset({"PENDING", "CONFIGURING", "REQUEUED"})
_CANCEL = {"slurm": "scancel", "pbs": "qdel", "sge": "qdel", "lsf": "bkill"}
_ASK = {"pbs": ("qstat",), "sge": ("qstat", "-j"), "lsf": ("bjobs",)}
_GONE = {"pbs": (-2, {"C", "F"}), "lsf": (2, {"DONE", "EXIT"})}
"""Where the last line of an answer has the job's state, and in which of them it has ended."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """What is said of one job.

    Attributes
    ----------
    known : bool
        Whether it waits or runs.
    state, reason : str
        In the system's own words; empty where it has none that we can read.
    """

    known: bool
    state: str = ""
    reason: str = ""

    @property
    def waits(self) -> bool:
        """Whether it has not started, as far as is known."""
        return self.known and self.state in {"", *_WAITING}

    @property
    def runs(self) -> bool:
        """Whether it has started, as far as is known, and has not ended."""
        return self.known and self.state not in _WAITING


Tickets = dict[str, Ticket]


def states(system: str, jobs: Iterable[str]) -> Tickets | None:
    """Ask of jobs by their ids; None if the system does not answer.

    Parameters
    ----------
    system : "slurm", "pbs", "sge" or "lsf"
    jobs : iterable of str
    """
    wanted = list(jobs)
    if system != "slurm":
        # The answers differ from version to version, but fail for a job that is no more, or give its state for a while.
        answers = {job: _run(*_ASK[system], job) for job in wanted}
        if None in answers.values():
            return None
        return {job: Ticket(_is_there(system, answer)) for job, answer in answers.items() if answer}
    answer = _run("squeue", "--me", "--noheader", "--states=all", "--format=%A|%T|%r")
    if answer is None or answer.returncode:
        return None
    rows = (line.split("|", 2) for line in answer.stdout.splitlines())
    found = {job: (state, reason) for job, state, reason in rows}
    return {job: Ticket(found[job][0] not in _ENDED, *found[job]) if job in found else Ticket(False) for job in wanted}


def cancel(system: str, jobs: Iterable[str], wait_s: float = 30.0) -> None:
    """End jobs, and wait until they are gone; those that are no more do not matter."""
    ids = list(jobs)
    if not ids:
        return
    _run(_CANCEL[system], *ids)
    until = time.monotonic() + wait_s
    while time.monotonic() < until:
        tickets = states(system, ids)
        if tickets is None or not any(ticket.known for ticket in tickets.values()):
            return
        time.sleep(0.5)


@dataclass(frozen=True, slots=True)
class Ledger:
    """The jobs of a run on disk, so that what a killed driver left in the queue can be ended by the next."""

    path: Path

    def write(self, system: str, jobs: Iterable[str]) -> None:
        """Note the jobs that are there now."""
        write_whole(self.path, json.dumps({"system": system, "jobs": sorted(jobs)}).encode())

    def settle(self) -> None:
        """End what is noted, and forget it."""
        if self.path.exists():
            left = json.loads(self.path.read_text())
            cancel(left["system"], left["jobs"])
            self.path.unlink()


def _is_there(system: str, answer: subprocess.CompletedProcess[str]) -> bool:
    if answer.returncode:
        return False
    column, ended = _GONE.get(system, (0, set()))
    words = answer.stdout.strip().rpartition("\n")[2].split()
    return len(words) <= abs(column) or words[column] not in ended


def _run(*command: str) -> subprocess.CompletedProcess[str] | None:
    """Return how a command ended; None if it is not there, or does not end."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
