"""The public Python API: the command line's ``run``, and opening what it made."""

from __future__ import annotations

import inspect
import re
import textwrap
from functools import partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from axonflow.kernel.caches import prepare_caches
from axonflow.kernel.setting import Setting, settings
from axonflow.workflow.config import Config

if TYPE_CHECKING:
    from axonflow.engine.profile import Profile
    from axonflow.results.analysis import Analysis
    from axonflow.results.check import Checked

__all__ = ["check", "open", "run"]

File = str | PathLike[str]

_ARGUMENTS = {known.argument: known for known in settings(Config).values()}


def run(
    slide: File,
    out: File | None = None,
    *,
    cluster: str | Profile | None = None,
    workers: int | None = None,
    fresh: bool = False,
    **given: Any,
) -> Analysis:
    """Analyse a slide, or go on where an earlier run stopped.

    Parameters
    ----------
    slide : path
        TIFF and what tifffile reads, PNG, JPEG or OME-Zarr; or the store of an earlier run, whose settings are kept
        unless given anew.
    out : path, optional
        The store; ``slide.ome.zarr`` beside the slide if left out.
    cluster : str or Profile, optional
        Where the workers come from: a profile's name or file, a scheduler's address or folder; this
        machine, with its GPUs if it has any, if left out.
    workers : int, optional
        How many; as the profile has it if left out, on this machine one per cpu. Up to four are threads here; more
        are processes, and a script that uses so many guards its own start with ``if __name__ == "__main__":``.
    fresh : bool
        Whether to start over.
    {settings}

    Returns
    -------
    Analysis
        With ``.image``, ``.labels``, ``.fibers``, ``.maps`` and, if there are any, ``.regions``.

    Raises
    ------
    axonflow.errors.InputError
        If what was given cannot be used.
    axonflow.errors.RunError
        If the work failed on the way; run again to continue.
    """
    from axonflow.engine.fleet.processes import local_profile
    from axonflow.engine.profile import Profile
    from axonflow.results.analysis import open_store
    from axonflow.workflow.hardware import precisions_of_workers
    from axonflow.workflow.job import prepare, run_job
    from axonflow.workflow.settings import configure

    prepare_caches()
    if unknown := given.keys() - _ARGUMENTS.keys():
        raise TypeError(f"Settings among {', '.join(_ARGUMENTS)} were expected, {', '.join(sorted(unknown))} came.")
    values = {
        _ARGUMENTS[name].name: _ARGUMENTS[name].read(value, name) for name, value in given.items() if value is not None
    }
    config = configure(Path(slide), values if out is None else {**values, "out": Path(out)})
    profile = cluster if isinstance(cluster, Profile) else Profile.find(cluster or local_profile())
    profile = profile.but(workers=workers)
    run_job(prepare(config, partial(precisions_of_workers, profile), fresh=fresh), profile, fresh=fresh)
    return open_store(config.out)


def _show_settings() -> None:
    """Give :func:`run` the settings as parameters, for help, notebooks and the documentation."""
    signature = inspect.signature(run)
    *own, _ = signature.parameters.values()
    kind = inspect.Parameter.KEYWORD_ONLY
    more = [inspect.Parameter(name, kind, default=known.default) for name, known in _ARGUMENTS.items()]
    run.__signature__ = signature.replace(parameters=[*own, *more])  # type: ignore[attr-defined]
    described = "\n".join(_described(name, known) for name, known in _ARGUMENTS.items())
    run.__doc__ = (run.__doc__ or "").replace("{settings}", textwrap.indent(described, "    ").lstrip())


def _described(name: str, known: Setting) -> str:
    """Return the lines of a docstring about one setting, in Python's words."""
    said = re.sub(r"--([a-z][a-z-]*)", lambda flag: f"``{flag[1].replace('-', '_')}``", known.help)
    allowed = f" Allowed: {known.bounds}." if known.bounds else ""
    default = f" Default: {known.fallback}." if known.fallback else ""
    return f"{name} : {known.kind.form}, optional\n    {said}{allowed}{default}"


_show_settings()


def open(store: File) -> Analysis:  # noqa: A001  # axonflow.open reads as it should
    """Open what a run made.

    Parameters
    ----------
    store : path
        The ``.ome.zarr`` folder.

    Returns
    -------
    Analysis

    Raises
    ------
    axonflow.errors.StoreError
        If it is no store of axonflow, or its run was not finished.
    """
    from axonflow.results.analysis import open_store

    prepare_caches()
    return open_store(Path(store))


def check(store: File, *, quick: bool = False) -> Checked:
    """Prove that a store holds what its run wrote; nothing is changed.

    Parameters
    ----------
    store : path
        The ``.ome.zarr`` folder, or a copy of it; its slide need not be there.
    quick : bool
        Whether files of pixels are looked at by presence and size alone.

    Returns
    -------
    Checked
        ``.sound`` says whether all is well, ``.proof.damages`` and ``.faults`` what is not.

    Raises
    ------
    axonflow.errors.StoreError
        If it is no store of axonflow.
    """
    from axonflow.results.check import check as check_store

    prepare_caches()
    return check_store(Path(store), quick=quick)
