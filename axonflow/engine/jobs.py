"""The text of a job, made from a profile: of a worker, and of a driver; and the arguments of ``dask worker``.

A worker's job asks for what the profile says of a worker, starts one worker process, and has it leave in good time
before the walltime. The driver's job asks for little and runs a command of ours in place of a worker. How a queueing
system is asked stands in :mod:`axonflow.engine.queues`.
"""

from __future__ import annotations

import asyncio
import shlex
import sys
from collections.abc import Callable, Sequence
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

from distributed.core import Status

from axonflow.engine import certificates
from axonflow.engine.jobqueue import Job, JobQueueCluster
from axonflow.engine.profile import Profile
from axonflow.engine.queues import QUEUES
from axonflow.engine.queues.system import JOB_NAME, QueueingSystem, Request
from axonflow.errors import FleetError, InputError
from axonflow.kernel.kinds import is_one_line

__all__ = [
    "cluster_class",
    "command_output",
    "driver_job",
    "environment",
    "job_options",
    "submit",
    "worker_arguments",
    "worker_script",
]

_DEATH_TIMEOUT_S = 120
"""How long a worker looks for its scheduler."""

_MARGIN, _LONGEST_MARGIN_S = 0.1, 300
"""How long before the walltime a worker leaves at the latest: a share of it, and no more than so many seconds."""


class _Job(Job):
    """A job of ours: paths may hold blanks, and both streams of its output go to one file of a folder.

    Parameters
    ----------
    log_directory : Path
        That folder; made when the job is submitted.
    tls : Path, optional
        Folder of the certificates.
    command : sequence of str, optional
        What the job runs in place of a worker.
    """

    system: ClassVar[QueueingSystem]

    def __init__(
        self,
        *arguments: Any,
        log_directory: Path,
        tls: Path | None = None,
        command: Sequence[str] | None = None,
        security: object = None,  # noqa: ARG002  # tls says the same in words that a shell can read
        **options: Any,
    ) -> None:
        for word in (str(log_directory), str(tls or ""), *(command or ()), str(Path.cwd())):
            if not is_one_line(word):  # of a directive only the first line would be one, and the next a command
                raise InputError(
                    f"Names in UTF-8 without control characters were expected in a job's script, {word!a} came; rename "
                    "it, or give a link with another name."
                )
        self.logs, self.command = log_directory, command
        options["job_extra_directives"] = [
            *(line.format(shlex.quote(str(log_directory))) for line in self.system.output_directives),
            *options.get("job_extra_directives", ()),
        ]
        if tls is not None:
            options["worker_extra_args"] = [
                *options.get("worker_extra_args", ()),
                *map(shlex.quote, certificates.arguments(tls)),
            ]
        self.prologue = options.get("job_script_prologue", ())
        super().__init__(*arguments, **options)

    def job_script(self) -> str:
        """Return the whole text of the job."""
        if self.command is None:
            text: str = super().job_script()
            return text
        return "\n".join([self.shebang, "", self.job_header or "", *self.prologue, shlex.join(self.command), ""])

    @property
    def output(self) -> Path:
        """The file of what it prints, once it was submitted."""
        return self.logs / self.system.output_name.format(self.job_id)

    async def start(self) -> None:
        """Submit the job."""
        self.logs.mkdir(parents=True, exist_ok=True)
        await super().start()

    async def close(self) -> None:
        """Cancel the job."""
        await super().close()
        self.status = Status.closed  # dask-jobqueue leaves it at running, which the cluster takes for a fault


@cache
def _job_class(system: QueueingSystem) -> type[_Job]:
    """Return the class of a system's jobs, ours and dask-jobqueue's in one."""
    module, name = system.job_class
    return type(name, (_Job, getattr(import_module(module), name)), {"system": system})


def cluster_class(profile: Profile) -> Callable[..., JobQueueCluster]:
    """Return what makes a cluster of a profile's jobs from :func:`job_options`."""
    return partial(JobQueueCluster, job_cls=_job_class(QUEUES[profile.system]))


def job_options(profile: Profile, folder: Path, *, gpu: bool) -> dict[str, Any]:
    """Return the arguments of :func:`cluster_class`.

    Parameters
    ----------
    profile : Profile
    folder : Path
        Of the certificates; what jobs print goes to ``jobs/`` beside it.
    gpu : bool
        Whether the worker has a GPU.
    """
    return _worker_options(profile, folder, gpu=gpu) | {
        "security": certificates.security(folder),
        "interface": profile.interface,
        "scheduler_options": {"dashboard_address": profile.dashboard},
    }


def worker_arguments(profile: Profile, *, gpu: bool) -> list[str]:
    """Return the arguments of ``dask worker`` for a worker of a profile, all but address, name and certificates.

    Parameters
    ----------
    profile : Profile
    gpu : bool
        Whether the worker has a GPU. Then it reads and writes on as many threads as it has cpus, while one of them at
        a time has the GPU; without one it does one task at a time, whose libraries use all cpus.
    """
    words = ["--nthreads", str(_threads(profile, gpu=gpu)), "--nworkers", "1", "--nanny"]
    if profile.memory is not None:
        words += ["--memory-limit", str(profile.memory)]
    if profile.scratch is not None:
        words += ["--local-directory", profile.scratch]
    if profile.interface is not None:
        words += ["--interface", profile.interface]
    return [*words, "--death-timeout", str(_DEATH_TIMEOUT_S), *_common_arguments(profile, gpu=gpu)]


def environment(profile: Profile, *, gpu: bool) -> dict[str, str]:
    """Return the variables of a worker's environment.

    They say how many threads its libraries may use, and dask's settings. A worker that declares no GPU sees none: the
    network was given the precision of a processor, and several such workers of a node would compete for one.
    """
    threads = "1" if gpu else str(_size(profile, gpu=gpu)[0])
    variables = {f"{library}_NUM_THREADS": threads for library in ("OMP", "MKL", "OPENBLAS", "NUMBA")}
    # Tasks write their output themselves, so there is nothing to spill; a job does not see the driver's settings.
    variables |= {f"DASK_DISTRIBUTED__WORKER__MEMORY__{limit}": "False" for limit in ("TARGET", "SPILL")}
    return variables if gpu else variables | {"CUDA_VISIBLE_DEVICES": ""}


def worker_script(profile: Profile, *, gpu: bool | None = None) -> str:
    """Return the text of a worker's job; address, name and store stand in capitals.

    Parameters
    ----------
    profile : Profile
    gpu : bool, optional
        Whether the worker has a GPU; as the profile has it if None.

    Raises
    ------
    InputError
        If the profile's workers are no jobs.
    """
    job = _job_class(_queue(profile))
    folder = Path("STORE") / ".axonflow" / "certificates"
    options = _worker_options(profile, folder, gpu=profile.gpus > 0 if gpu is None else gpu)
    options |= {"interface": profile.interface, "protocol": "tls://"}
    return job("tls://HOST:PORT", name="WORKER", **options).job_script()


def driver_job(profile: Profile, command: Sequence[str], folder: Path) -> _Job:
    """Return the job in which a command of ours runs in place of a worker; ``await job.start()`` submits it.

    Parameters
    ----------
    profile : Profile
    command : sequence of str
    folder : Path
        Where what it prints goes.

    Raises
    ------
    InputError
        If the profile has no queueing system.
    """
    job, cpus = _job_class(_queue(profile)), profile.driver_cpus
    request = Request(cpus, profile.driver_memory, profile.driver_walltime_s, gpu=False, account=profile.account)
    options = _job_options(profile, request)
    return job(None, name="driver", cores=cpus, log_directory=folder, command=command, **options)


def submit(job: _Job) -> str:
    """Submit a job; return its id.

    Raises
    ------
    FleetError
        If the queueing system refuses it, or is not there.
    """
    try:
        asyncio.run(job.start())
    except (RuntimeError, OSError, ValueError) as error:
        raise FleetError(
            f"A job was expected to be queued, but {job.submit_command} answers: {command_output(error)}. Change the "
            "profile or its flags."
        ) from error
    return str(job.job_id)


def command_output(error: Exception) -> str:
    """Return what a command printed, out of dask-jobqueue's report of its failure."""
    _, _, printed = str(error).partition("stderr:")
    lines = [line.strip() for line in (printed or str(error)).splitlines() if line.strip()]
    return " ".join(lines)


def _worker_options(profile: Profile, folder: Path, *, gpu: bool) -> dict[str, Any]:
    cpus, memory = _size(profile, gpu=gpu)
    exports = [f"export {name}={value}" for name, value in environment(profile, gpu=gpu).items()]
    options = _job_options(profile, Request(cpus, memory, profile.walltime_s or 0, gpu, profile.account))
    return options | {
        "cores": _threads(profile, gpu=gpu),
        "log_directory": folder.parent / "jobs",
        "tls": folder,
        "local_directory": None if profile.scratch is None else f'"{profile.scratch}"',  # a shell expands it
        "death_timeout": _DEATH_TIMEOUT_S,
        "worker_extra_args": _common_arguments(profile, gpu=gpu),
        "job_script_prologue": [*exports, *options["job_script_prologue"]],
    }


def _job_options(profile: Profile, request: Request) -> dict[str, Any]:
    """Return the arguments of any job's class: what it needs, and what the profile adds."""
    system = QUEUES[profile.system]
    return system.options(request) | {
        "queue": profile.partition,
        "memory": request.memory,
        "processes": 1,
        "job_name": JOB_NAME,
        "python": shlex.quote(sys.executable),
        "job_extra_directives": [*system.directives(request), *profile.directives],  # the last one is what counts
        # not every system starts a job where it was submitted
        "job_script_prologue": [f"cd {shlex.quote(str(Path.cwd()))}", *profile.prologue],
    }


def _common_arguments(profile: Profile, *, gpu: bool) -> list[str]:
    """Return the arguments of every worker, whoever starts it: its resources, its lifetime, its dashboard."""
    words = ["--resources", "GPU=1"] if gpu else []
    if profile.walltime_s is not None:
        # Dask takes up to the stagger off the lifetime or adds it, so that workers do not leave all at once.
        margin = min(_LONGEST_MARGIN_S, int(_MARGIN * profile.walltime_s))
        words += ["--lifetime", f"{profile.walltime_s - 2 * margin}s", "--lifetime-stagger", f"{margin}s"]
    return [*words, "--dashboard-address", "127.0.0.1:0"]


def _size(profile: Profile, *, gpu: bool) -> tuple[int, int]:
    """Return cpus and memory, bytes, of a worker; one beside those with a GPU gets a cpu and its share of memory."""
    cpus, memory = profile.cpus or 1, profile.memory or 0
    if gpu:
        return max(cpus, 2), memory  # one thread has the GPU, another reads the next chunk
    return (1, memory // cpus) if profile.gpus else (cpus, memory)


def _threads(profile: Profile, *, gpu: bool) -> int:
    return _size(profile, gpu=True)[0] if gpu else 1


def _queue(profile: Profile) -> QueueingSystem:
    """Return the queueing system of a profile, or refuse one that has none."""
    if not profile.queued:
        titles = [system.title for system in QUEUES.values()]
        raise InputError(
            f"A profile of {', '.join(titles[:-1])} or {titles[-1]} was expected, {profile.name!r} has no jobs; choose "
            "one of those that 'axonflow cluster list' prints."
        )
    return QUEUES[profile.system]
