"""From what files say to a Config: the settings of a run as words of a table, and where a run takes the others from.

A cell of a manifest is text, a value of a TOML file has a kind of its own; both are read here, by the same names as the
fields of :class:`~axonflow.workflow.config.Config` and in the same units.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from axonflow.errors import InputError
from axonflow.kernel.units import PixelSize
from axonflow.workflow.config import Config
from axonflow.workflow.pipeline import read_table
from axonflow.workflow.record import read_record

__all__ = ["SETTINGS", "configure", "read_pipeline", "read_settings"]


@dataclass(frozen=True, slots=True)
class _Kind:
    """What a setting is: its form in words, and how it is read; relative paths count from a folder."""

    form: str
    read: Callable[[Any, Path], Any]


def read_settings(words: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Read settings.

    Parameters
    ----------
    words : Mapping
        Text, or values of TOML, by the names in :data:`SETTINGS`.
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
    if unknown := [name for name in words if name not in _KINDS]:
        raise InputError(f"Settings among {', '.join(_KINDS)} were expected, {', '.join(unknown)} came.")
    values = {}
    for name, word in words.items():
        try:
            values[name] = _KINDS[name].read(word, folder)
        except InputError:
            raise
        except (TypeError, ValueError, OverflowError) as error:
            raise InputError(f"{name} was expected to be {_KINDS[name].form}, {word!r} came.") from error
    return values


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
        return replace(Config.from_json(read_record(path)["config"]), **{"out": path, **settings})
    return Config(slide=path, **{"out": Config.default_out(path), **settings})


def _path(word: Any, folder: Path) -> Path:
    return folder / Path(word).expanduser()


def _model(word: Any, folder: Path) -> str:
    named = Path(word).stem == word  # neither a folder nor an ending
    return str(word if named else _path(word, folder))


def _whole(word: Any, _folder: Path) -> int:
    if isinstance(word, bool | float):
        raise TypeError(word)
    return int(word)


def _number(word: Any, _folder: Path) -> float:
    if isinstance(word, bool):
        raise TypeError(word)
    return float(word)


def _size(word: Any, folder: Path) -> PixelSize:
    sides = word.split(",") if isinstance(word, str) else word if isinstance(word, list) else [word]
    if len(sides) not in {1, 2}:
        raise ValueError(word)
    return PixelSize(_number(sides[0], folder), _number(sides[-1], folder))


def _halo(word: Any, folder: Path) -> int | str:
    return "exact" if word == "exact" else _whole(word, folder)


def _unit(word: Any, _folder: Path) -> str:
    if word not in ("px", "um"):
        raise ValueError(word)
    return str(word)


def _truth(word: Any, _folder: Path) -> bool:
    text = str(word).lower()
    if text not in _YES | _NO:
        raise ValueError(word)
    return text in _YES


_YES, _NO = frozenset({"yes", "true", "1"}), frozenset({"no", "false", "0"})
_FILE, _UNIT = _Kind("a path", _path), _Kind("px or um", _unit)
_WHOLE, _NUMBER = _Kind("a whole number", _whole), _Kind("a number", _number)
_KINDS = {
    "series": _WHOLE,
    "pixel_size": _Kind("a number of µm, or height and width", _size),
    "model": _Kind("a model's name or path", _model),
    "halo": _Kind("a whole number of px, or 'exact'", _halo),
    "chunk": _WHOLE,
    "cell_um": _NUMBER,
    "mask": _FILE,
    "mask_unit": _UNIT,
    "regions": _FILE,
    "regions_unit": _UNIT,
    "axon_mask": _FILE,
    "myelin_mask": _FILE,
    "labels": _FILE,
    "keep_probabilities": _Kind("yes or no", _truth),
    "min_axon_area_um2": _NUMBER,
    "max_myelin_um": _NUMBER,
}
SETTINGS = tuple(_KINDS)
"""The fields of a Config that a file may state, which are all but the slide and its store."""
