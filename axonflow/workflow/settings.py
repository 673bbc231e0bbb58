"""Where the settings of a run come from: words of a table or of Python, a pipeline, the record of an earlier run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from os.path import normpath, relpath
from pathlib import Path
from typing import Any

from axonflow.errors import InputError
from axonflow.kernel.setting import read_words, settings
from axonflow.kernel.words import listed
from axonflow.workflow.config import Config
from axonflow.workflow.pipeline import read_table
from axonflow.workflow.record import read_record
from axonflow.workflow.rules import RULE_SETTINGS

__all__ = ["OF_NETWORKS", "SETTINGS", "configure", "read_pipeline", "read_settings", "without_network"]

SETTINGS = tuple(settings(Config))
"""The names that a file may state, which are all but the slide and its store."""

FLAGS = {name: known.flag for name, known in settings(Config).items()}

OF_NETWORKS = ("model", "halo", "adapt_to_slide", "precision", "keep_probabilities", "min_axon_probability")
"""What own masks leave nothing to do for."""


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

    What only a network heeds is refused beside own masks, as nothing would come of it.

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
        kept = _moved_along(Config.from_json(read_record(path)["config"]), path)
        if settings.get("labels") is not None:  # in place of the masks that there were
            kept = replace(kept, axon_mask=None, myelin_mask=None, uaxon_mask=None, outlines_unit=None)
            kept = replace(kept, min_axon_probability=None)
        elif any(settings.get(name) is not None for name in ("axon_mask", "myelin_mask", "uaxon_mask")):
            kept = replace(kept, labels=None, classes=None, min_axon_probability=None)
        if settings.get("rules") is not None:  # in place of all rules that there were
            unset: dict[str, Any] = dict.fromkeys(RULE_SETTINGS)
            kept = replace(kept, **unset)
        config = replace(kept, **{"out": path, **settings})
    else:
        config = Config(slide=path, **{"out": Config.default_out(path), **settings})
    asked = [FLAGS[name] for name in OF_NETWORKS if settings.get(name) not in (None, False, "off")]
    if config.own_masks and asked:
        given = (config.labels, config.axon_mask, config.myelin_mask, config.uaxon_mask)
        masks = listed(*(mask for mask in given if mask))
        raise InputError(
            f"Either own masks or {listed(*asked)} was expected, as masks need no network; {masks} came, too. "
            "Leave one out; a store that was made of masks stays so: give another --out for a network."
        )
    return config


def _moved_along(kept: Config, store: Path) -> Config:
    """Look where a store is now for the files that are no longer where they were, as after a folder was renamed.

    Whether they are the same files is not decided here: another slide is refused, and other masks are read anew.
    """
    given = {field.name: getattr(kept, field.name) for field in fields(Config) if field.name != "out"}
    gone = {name: file for name, file in given.items() if isinstance(file, Path) and not file.exists()}
    parents = dict.fromkeys((store.absolute().parent, store.resolve().parent))  # as it was given, and links followed
    tried = {
        name: [Path(normpath(parent / relpath(file, kept.out.parent))) for parent in parents]
        for name, file in gone.items()
    }
    found: dict[str, Any] = {name: next(filter(Path.exists, files), given[name]) for name, files in tried.items()}
    kept = replace(kept, **found)
    if not kept.slide.exists():
        places = " or ".join(map(str, dict.fromkeys((kept.slide, *tried["slide"]))))
        raise InputError(
            f"The slide that {store} was made of was expected at {places}, it is not there; put it back, or give it "
            f"where it is now, with all settings of the run and --out {store}."
        )
    return kept


def without_network(settings: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings for many slides, or of a pipeline, without those of a network if masks are given more closely.

    Parameters
    ----------
    settings : Mapping
    own : Mapping
        What is said more closely, and goes before them.
    """
    masks = any(own.get(name) is not None for name in ("labels", "axon_mask", "myelin_mask"))
    return {name: value for name, value in settings.items() if not (masks and name in OF_NETWORKS)}
