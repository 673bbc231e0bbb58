"""Who does the work: ``axonflow cluster list | show``, and ``scheduler | worker`` for an allocation of one's own."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from axonflow.cli.options import CLUSTER, profile_of, takes
from axonflow.cli.terminal import app, console, listing
from axonflow.errors import FleetError

if TYPE_CHECKING:
    from axonflow.engine.profile import Profile

__all__: list[str] = []

cluster = typer.Typer(help="The profiles of --cluster, and the parts of a cluster by hand.", no_args_is_help=True)
app.add_typer(cluster, name="cluster")

WAIT_S = 120.0
"""How long a worker waits for the scheduler of its folder."""

Folder = Annotated[
    Path,
    typer.Argument(
        help="Where scheduler, workers and driver find one another; made if it is not there.", show_default=False
    ),
]
_FLAGS = {name: kind for name, kind in CLUSTER.items() if name != "cluster"}


@cluster.command("list")
def list_profiles() -> None:
    """List the profiles that --cluster knows by name.

    Example: [bold]axonflow cluster list[/bold]
    """
    from axonflow.engine.profile import PROFILES, Profile, profile_names, site_profiles

    table = listing("profile", "system", "workers", "cores", "memory", "GPUs", "walltime", "from")
    for name in profile_names():
        table.add_row(name, *_row(Profile.find(name)), "own" if (site_profiles() / f"{name}.toml").exists() else "")
    console.print(table)
    console.print(f"shipped {PROFILES}, with scripts for sbatch", soft_wrap=True, highlight=False)
    console.print(f"own     {site_profiles()}", soft_wrap=True, highlight=False)


@cluster.command()
@takes(_FLAGS)
def show(
    profile: Annotated[str, typer.Argument(help="A profile's name or file.", show_default=False)], **given: Any
) -> None:
    """Print the job script of a worker, exactly; HOST:PORT, WORKER and STORE are known when a run starts.

    Example: [bold]axonflow cluster show slurm --partition short[/bold]
    """
    from axonflow.engine.jobs import worker_script

    changed = profile_of({**given, "cluster": profile})
    sys.stdout.write(worker_script(changed))
    if changed.gpus and changed.cpu_workers:
        sys.stdout.write(f"\n# {changed.cpu_workers} beside them, without a GPU:\n")
        sys.stdout.write(worker_script(changed, gpu=False))


@cluster.command()
def scheduler(
    folder: Folder,
    interface: Annotated[str | None, typer.Option("--interface", help="Network interface to listen on.")] = None,
    dashboard: Annotated[str, typer.Option("--dashboard", help="HOST:PORT of dask's dashboard.")] = "127.0.0.1:0",
) -> None:
    """Run a scheduler that speaks TLS, until it is ended; certificates and address are in its folder.

    Example: [bold]axonflow cluster scheduler ~/fleet[/bold]
    """
    from axonflow.engine import certificates
    from axonflow.engine.fleet import WITHOUT_SPANS

    certificates.make(folder)
    noted = folder / certificates.SCHEDULER
    noted.unlink(missing_ok=True)  # of one before it
    words = ["--protocol", "tls", "--port", "0", "--scheduler-file", str(noted), "--dashboard-address", dashboard]
    words += ["--preload", WITHOUT_SPANS]
    words += ["--interface", interface] if interface else []
    _become("distributed.cli.dask_scheduler", [*words, *certificates.arguments(folder)], {})


@cluster.command()
def worker(
    folder: Folder,
    gpus: Annotated[int, typer.Option("--gpus", help="0 or 1: start a worker for each GPU.", min=0, max=1)] = 0,
    cores: Annotated[int, typer.Option("--cores", help="Cores it may use.", min=1)] = 1,
    memory: Annotated[
        float | None,
        typer.Option("--memory", help="GiB it may take. \\[default: an even share of the machine's]"),
    ] = None,
    lifetime: Annotated[
        str | None, typer.Option("--lifetime", help="HH:MM:SS after which it is going to be ended; it leaves before.")
    ] = None,
    interface: Annotated[str | None, typer.Option("--interface", help="Network interface to use.")] = None,
    scratch: Annotated[str | None, typer.Option("--scratch", help="Folder for its own files.")] = None,
) -> None:
    """Run a worker of a folder's scheduler, until that ends; waits up to two minutes for it to be there.

    Example: [bold]axonflow cluster worker ~/fleet --cores 4 --memory 16[/bold]
    """
    from axonflow.engine import certificates
    from axonflow.engine.jobs import environment, worker_arguments
    from axonflow.engine.profile import Profile

    size = Profile.find("local").but(
        gpus=gpus, cores=cores, memory=memory, walltime=lifetime, interface=interface, scratch=scratch
    )
    until = time.monotonic() + WAIT_S
    while (address := certificates.noted(folder)) is None:
        if time.monotonic() > until:
            raise FleetError(
                f"A scheduler was expected in {folder} within two minutes, but none is noted there; start one with "
                f"'axonflow cluster scheduler {folder}'."
            )
        time.sleep(0.2)
    words = [address, *worker_arguments(size, gpu=bool(gpus)), *certificates.arguments(folder)]
    _become("distributed.cli.dask_worker", words, environment(size, gpu=bool(gpus)))


def _become(module: str, words: list[str], variables: dict[str, str]) -> None:
    """Go on as a program of dask, with this process's id, so that who started it can end it."""
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, "-m", module, *words], os.environ | variables)


def _row(profile: Profile) -> tuple[str, ...]:
    minutes = None if profile.walltime_s is None else profile.walltime_s // 60
    return (
        profile.system,
        "as they fit" if profile.workers is None else str(profile.workers),
        "" if profile.cpus is None else str(profile.cpus),
        "" if profile.memory is None else f"{profile.memory / 2**30:g} GiB",
        str(profile.gpus or ""),
        "" if minutes is None else f"{minutes // 60:02}:{minutes % 60:02}:00",
    )
