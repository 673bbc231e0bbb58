"""Where the settings of a run come from: words of a table or of Python, a pipeline, the record of an earlier run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from axonflow.errors import InputError
from axonflow.kernel.setting import read_words, settings
from axonflow.workflow.config import Config
from axonflow.workflow.pipeline import read_table
from axonflow.workflow.record import read_record

__all__ = ["SETTINGS", "configure", "read_pipeline", "read_settings"]

SETTINGS = tuple(settings(Config))
"""The names that a file may state, which are all but the slide and its store."""


def read_settings(words: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Read settings.

    Parameters
    ----------
    words : Mapping
        Text, or values of TOML or Python, by the names in :data:`SETTINGS`.
    folder : Path
        From which relative paths count.

    Returns
    -------
    dict
        Values of fields of :class:`~axonflow.workflow.config.Config`.

    Raises
    ------
    InputError
        If a name is unknown, or a value of another kind.
    """
    return read_words(Config, words, folder)


def read_pipeline(pipeline: str | Path) -> dict[str, Any]:
    """Read the settings in the table ``[run]`` of a pipeline, given by its name or path.

    Raises
    ------
    InputError
        If there is no such pipeline or table, or a setting cannot be.
    """
    path, table = read_table(pipeline, "run")
    try:
        return read_settings(table, path.parent)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def configure(path: Path, settings: Mapping[str, Any]) -> Config:
    """Build the Config of a slide, or of the store of an earlier run, whose settings are kept unless given anew.

    Parameters
    ----------
    path : Path
    settings : Mapping
        Values of fields of :class:`~axonflow.workflow.config.Config`.

    Raises
    ------
    InputError
        If they do not go together.
    """
    if (path / "run.json").exists():
        kept = Config.from_json(read_record(path)["config"])
        if settings.get("labels") is not None:  # in place of the masks that there were
            kept = replace(kept, axon_mask=None, myelin_mask=None)
        elif settings.get("axon_mask") is not None or settings.get("myelin_mask") is not None:
            kept = replace(kept, labels=None)
        return replace(kept, **{"out": path, **settings})
    return Config(slide=path, **{"out": Config.default_out(path), **settings})
