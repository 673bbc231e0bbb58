"""A Zarr group on disk: a folder with ``zarr.json``, which holds its attributes.

Zarr's own writing gives a file its name before its content is on the disk: after a power cut, what was there before may
be gone, and nothing whole in its place.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import zarr

from axonflow.errors import AxonflowError, StoreError
from axonflow.kernel.documents import read_json, said
from axonflow.kernel.files import NewFiles, make_folder, write_file

__all__ = ["add_group", "as_written", "open_array", "open_group", "read_attributes", "write_group"]


def write_group(path: Path, attributes: Mapping[str, Any]) -> None:
    """Make a group, or give the one that is there other attributes; what lies in it stays."""
    make_folder(path)
    write_file(path / "zarr.json", _content(attributes))


def add_group(files: NewFiles, path: Path, attributes: Mapping[str, Any]) -> None:
    """Do so as one of several files, which get their names together."""
    with files.new_file(path / "zarr.json") as file:
        file.write(_content(attributes))


def _content(attributes: Mapping[str, Any]) -> bytes:
    return json.dumps({"attributes": attributes, "zarr_format": 3, "node_type": "group"}, indent=2).encode()


def read_attributes(path: Path) -> dict[str, Any]:
    """Return a group's attributes; none if there is no group."""
    try:
        with as_written("A Zarr group", path, "run the same axonflow run again"):
            attributes = read_json(path / "zarr.json")["attributes"]
            if not isinstance(attributes, dict):
                raise TypeError("no attributes")
    except StoreError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return {}
        raise
    return attributes


def open_array(path: Path, mode: Literal["r", "r+"] = "r") -> zarr.Array[Any]:
    """Open an array; its metadata are read once more, by what takes no pipe or device for a file."""
    read_json(path / "zarr.json")
    return zarr.open_array(path, mode=mode, zarr_format=3)


def open_group(path: Path) -> zarr.Group:
    """Open a group to read it, likewise."""
    read_json(path / "zarr.json")
    return zarr.open_group(path, mode="r", zarr_format=3)


@contextmanager
def as_written(what: str, path: Path, advice: str) -> Iterator[None]:
    """Turn whatever the libraries raise over what is no store of this program into one error.

    Raises
    ------
    StoreError
        With what was expected, and what to do.
    """
    try:
        yield
    except AxonflowError:
        raise
    except Exception as error:  # damaged metadata make zarr and numpy raise anything
        raise StoreError(
            f"{what} written by axonflow was expected at {path}, but it cannot be read ("
            f"{type(error).__name__}: {said(error)}); {advice}."
        ) from error
