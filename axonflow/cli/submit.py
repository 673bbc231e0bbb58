"""A run whose driver is a job itself: submit."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from axonflow.cli.options import DRIVER, ENGINE, SETTINGS, as_flags, profile_of, settings_of, takes
from axonflow.cli.terminal import app, console
from axonflow.errors import InputError

if TYPE_CHECKING:
    from axonflow.net.precision import Precisions

__all__: list[str] = []


@app.command()
@takes(SETTINGS, ENGINE, DRIVER)
def submit(
    slides: Annotated[
        list[str], typer.Argument(help="A slide, several, or a manifest (CSV).", show_default=False, metavar="SLIDE…")
    ],
    **given: Any,
) -> None:
    """Queue a run, or a batch of several slides, as a job that queues its workers; print its id and return at once.

    Example: [bold]axonflow submit slide.tif --cluster slurm --pixel-size 0.1[/bold]
    """
    from axonflow.engine.jobs import driver_job
    from axonflow.engine.jobs import submit as submit_job
    from axonflow.kernel.files import make_folder, write_file
    from axonflow.workflow.hardware import precisions_of_workers

    profile = profile_of(given).but(**{name: given[name] for name in DRIVER})
    if not profile.queued:
        raise InputError(
            f"A cluster with a queueing system was expected, {profile.name!r} has none; give one with --cluster, such "
            "as --cluster slurm."
        )
    best = partial(precisions_of_workers, profile)
    several = len(slides) > 1 or slides[0].lower().endswith(".csv")
    folder, stores = _batch(slides, given, best) if several else _single(slides[0], given, best)
    flags = as_flags(given, SETTINGS, ENGINE)
    command = [sys.executable, "-m", "axonflow", "batch" if several else "run", *flags, "--", *slides]
    job = driver_job(profile, command, folder.absolute() / ".axonflow" / "jobs")
    note = {
        "job": submit_job(job),
        "system": profile.system,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
        "host": platform.node(),
        "log": str(job.output),
    }
    for store in stores:
        private = store / ".axonflow"
        make_folder(private)
        write_file(private / "submitted.json", json.dumps(note, indent=1).encode())
    console.print(f"job     {note['job']}", highlight=False)
    console.print(f"log     {note['log']}", soft_wrap=True, highlight=False)
    console.print(f"next    axonflow status {folder}", soft_wrap=True, highlight=False)


def _single(slide: str, given: dict[str, Any], best: Callable[[], Precisions]) -> tuple[Path, list[Path]]:
    """Return where a run's files go, and its store; refuse now what the job would refuse when its turn comes."""
    from axonflow.workflow.job import prepare
    from axonflow.workflow.settings import configure

    store = prepare(configure(Path(slide), settings_of(given)), best, fresh=given["fresh"]).config.out
    return store, [store]


def _batch(slides: list[str], given: dict[str, Any], best: Callable[[], Precisions]) -> tuple[Path, list[Path]]:
    from axonflow.workflow.batch import open_batch
    from axonflow.workflow.manifest import list_slides, read_manifest

    manifest = Path(slides[0]) if len(slides) == 1 else None
    settings = settings_of({**given, "out": None})
    folder = given["out"] or (manifest.with_suffix("") if manifest else Path("batch"))
    listed, fresh = read_manifest(manifest) if manifest else list_slides(slides), given["fresh"]
    entries = open_batch(listed, settings, folder, best, fresh=fresh)
    return folder, [entry.job.config.out for entry in entries if entry.job and (fresh or not entry.complete)]
