"""Where an export may be written: nowhere that it would destroy what cannot be made again, or a run's store."""

from __future__ import annotations

from pathlib import Path

from axonflow.errors import InputError
from axonflow.results.analysis import Analysis

__all__ = ["check_place"]

_GIVEN = ("slide", "labels", "axon_mask", "myelin_mask", "uaxon_mask", "mask", "regions", "rules")
"""Settings that name files of the user's."""


def check_place(analysis: Analysis, path: Path) -> None:
    """Refuse a path that has no name, lies in a store, or is a file that the run was given.

    Raises
    ------
    InputError
    """
    if not path.name or path.name == "..":
        raise InputError(f"The name of a file was expected for --out, {str(path)!r} came; add one.")
    target = path.resolve()
    for folder in (target, *target.parents):
        if (folder / ".axonflow").is_dir():
            raise InputError(
                f"A place outside of any store was expected for --out, {path} lies in {folder}, the store of a run, "
                "which it would damage; give another."
            )
    config = analysis.record["config"]
    given = {Path(config[name]).resolve() for name in _GIVEN if isinstance(config.get(name), str)}
    if target in given:
        raise InputError(
            f"Another file than those of the run was expected for --out, {path} was given to it and would be lost; "
            "give another."
        )
