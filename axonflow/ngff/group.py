"""A Zarr group on disk: a folder with ``zarr.json``, which holds its attributes.

Zarr's own writing gives a file its name before its content is on the disk: after a power cut, what was there before may
be gone, and nothing whole in its place.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from axonflow.kernel.files import make_folder, write_file

__all__ = ["read_attributes", "write_group"]


def write_group(path: Path, attributes: Mapping[str, Any]) -> None:
    """Make a group, or give the one that is there other attributes; what lies in it stays."""
    make_folder(path)
    content = {"attributes": attributes, "zarr_format": 3, "node_type": "group"}
    write_file(path / "zarr.json", json.dumps(content, indent=2).encode())


def read_attributes(path: Path) -> dict[str, Any]:
    """Return a group's attributes; none if there is no group."""
    try:
        attributes: dict[str, Any] = json.loads((path / "zarr.json").read_text())["attributes"]
    except FileNotFoundError:
        return {}
    return attributes
