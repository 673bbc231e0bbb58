"""Pipelines: TOML files with a table for each command that they have settings for; where the named ones lie.

A command asks for its own table, and alone knows what may stand in it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from axonflow.errors import InputError
from axonflow.kernel.documents import parse_toml, read_file, said, shortened, shown

__all__ = ["PIPELINES", "TABLES", "pipeline_names", "read_table"]

_PLACES = Path(__file__).parents[1] / "pipelines", Path(__file__).parents[2] / "pipelines"
PIPELINES = next((place for place in _PLACES if place.is_dir()), _PLACES[0])
"""The folder of the named pipelines: in the package once it is installed, beside it in a checkout."""

TABLES = ("run", "train")
"""The tables a pipeline may hold."""


def pipeline_names(table: str) -> list[str]:
    """Return the names of the pipelines that hold a table."""
    return sorted(file.stem for file in PIPELINES.glob("*.toml") if table in _read(file))


def read_table(pipeline: str | Path, table: str) -> tuple[Path, dict[str, Any]]:
    """Read one table of a pipeline.

    Parameters
    ----------
    pipeline : str or Path
        A name among those in ``pipelines/``, or the path of a TOML file.
    table : str
        One of :data:`TABLES`.

    Returns
    -------
    path : Path
        Of the file.
    content : dict
        Empty if the whole file is.

    Raises
    ------
    InputError
        If there is no such file, it cannot be read, or it holds other tables and not this one.
    """
    named = PIPELINES / f"{pipeline}.toml"
    path = named if named.is_file() else Path(pipeline)
    try:
        content = _read(path)
    except OSError as error:
        raise InputError(
            f"A pipeline was expected, {str(pipeline)!r} is none; give one by its name "
            f"({', '.join(pipeline_names(table))}) or the path of a TOML file."
        ) from error
    except ValueError as error:
        raise InputError(f"TOML was expected in {path}, but it cannot be read: {said(error)}.") from error
    if unknown := [name for name in content if name not in TABLES]:
        raise InputError(
            f"The tables [{'], ['.join(TABLES)}] were expected in {path}, {shortened(', '.join(unknown))} came."
        )
    if content and table not in content:
        raise InputError(
            f"The table [{table}] was expected in {path}, [{'], ['.join(content)}] came; give another pipeline "
            f"({', '.join(pipeline_names(table))}) or add the table."
        )
    values = content.get(table, {})
    if not isinstance(values, dict):
        raise InputError(f"A table [{table}] was expected in {path}, {table} = {shown(values)} came.")
    return path, values


def _read(path: Path) -> dict[str, Any]:
    return parse_toml(read_file(path).decode())
