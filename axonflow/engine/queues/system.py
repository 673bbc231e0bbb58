"""What every queueing system has in common: the form in which one is described, and how its commands are run.

dask-jobqueue submits jobs and never asks after them, so a job that cannot start would be waited for in silence. What
it does not know of a system stands here.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

__all__ = ["GONE", "JOB_NAME", "JobState", "JobStates", "QueueingSystem", "Request", "ask", "ask_one_by_one"]

JOB_NAME = "axonflow"
"""Of every job."""

_ASK_TIMEOUT_S, _POLL_S = 60.0, 0.5


@dataclass(frozen=True, slots=True)
class Request:
    """What a job needs.

    Attributes
    ----------
    cpus : int
    memory : int
        Bytes.
    walltime_s : int
        After which the system ends the job, s; whole minutes are asked for.
    gpu : bool
        Whether it needs a GPU.
    account : str, optional
        Who pays.
    """

    cpus: int
    memory: int
    walltime_s: int
    gpu: bool
    account: str | None

    @property
    def memory_mib(self) -> int:
        """The memory, MiB, rounded up."""
        return ceil(self.memory / 2**20)

    @property
    def hours_and_minutes(self) -> str:
        """The walltime as HH:MM, rounded up."""
        hours, minutes = divmod(ceil(self.walltime_s / 60), 60)
        return f"{hours:02}:{minutes:02}"


@dataclass(frozen=True, slots=True)
class JobState:
    """What a system says of one job.

    Attributes
    ----------
    waits, runs : bool
        Whether it may be waiting, or may have started; both where the answer does not say which.
    reason : str
        Why it waits, in the system's own words; empty where it gives none that can be read.
    """

    waits: bool = True
    runs: bool = True
    reason: str = ""

    @property
    def known(self) -> bool:
        """Whether the job waits or runs; one that has ended does neither."""
        return self.waits or self.runs


GONE = JobState(waits=False, runs=False)
"""The state of a job that has ended."""

JobStates = dict[str, JobState]
"""States by the jobs' ids."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueingSystem:
    """One queueing system.

    Attributes
    ----------
    name, title : str
        In profiles, and as its users write it.
    job_class : (str, str)
        Module and name of dask-jobqueue's class, which is imported when a job is made.
    options : callable
        ``options(request)`` are the arguments of that class that ask for cpus, memory, time and account.
    directives : callable
        ``directives(request)`` are the lines that ask for what these arguments cannot.
    output_directives : tuple of str
        Send both streams of a job's output to one file of the folder {}.
    output_name : str
        Name of that file of the job {}.
    states : callable
        ``states(jobs)`` asks after jobs by their ids and returns the state of each, or None if the system does not
        answer.
    cancel_command : str
        Ends the jobs whose ids follow it.
    hopeless : frozenset of str
        Reasons for which a job waits although waiting does not help.
    job_variables : tuple of str
        Environment variables that a process has if it is part of a job; the first holds the job's id.
    own_command : str
        A command that no other system has.
    partitions_question : tuple of str
        The command that lists the partitions, or queues.
    partitions : callable
        ``partitions(answer)`` reads their names, if the answer is of one form in all versions.
    """

    name: str
    title: str
    job_class: tuple[str, str]
    options: Callable[[Request], dict[str, Any]]
    directives: Callable[[Request], list[str]]
    output_directives: tuple[str, ...]
    output_name: str
    states: Callable[[Sequence[str]], JobStates | None]
    cancel_command: str
    hopeless: frozenset[str] = frozenset()
    job_variables: tuple[str, ...]
    own_command: str
    partitions_question: tuple[str, ...]
    partitions: Callable[[str], list[str]] = lambda _answer: []

    def cancel(self, jobs: Iterable[str], wait_s: float = 30.0) -> None:
        """End jobs, and wait until they are gone; those that have ended before do not matter."""
        ids = list(jobs)
        if not ids:
            return
        ask(self.cancel_command, *ids)
        until = time.monotonic() + wait_s
        while time.monotonic() < until:
            states = self.states(ids)
            if states is None or not any(state.known for state in states.values()):
                return
            time.sleep(_POLL_S)


def ask(*command: str) -> subprocess.CompletedProcess[str] | None:
    """Return how a command ended; None if it is not there, or does not end."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=_ASK_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None


def ask_one_by_one(
    *question: str, jobs: Sequence[str], state_column: int = 0, ended: frozenset[str] = frozenset()
) -> JobStates | None:
    """Ask after jobs of a system whose answers differ from version to version.

    Of all of them this much is the same: the command fails for a job that is no more, or gives its state for a while.

    Parameters
    ----------
    *question : str
        The command, without the job's id.
    jobs : sequence of str
    state_column : int
        Which word of the answer's last line is the job's state.
    ended : frozenset of str
        The states of a job that has ended.
    """
    answers = {job: ask(*question, job) for job in jobs}
    states = {}
    for job, answer in answers.items():
        if answer is None:
            return None
        words = answer.stdout.strip().rpartition("\n")[2].split()
        over = len(words) > abs(state_column) and words[state_column] in ended
        states[job] = GONE if answer.returncode or over else JobState()
    return states
