"""OME-Zarr that other programs wrote, of either version."""

from __future__ import annotations

import random
import shutil
from functools import partial
from pathlib import Path
from typing import Any, Literal

import zarr

from benchmarks.fuzzing.kind import Kind, changed_json_file, misplace, replaced
from benchmarks.fuzzing.pictures import open_slide_at, picture
from benchmarks.fuzzing.values import changed_bytes

__all__ = ["KINDS"]


def _make_zarrs(folder: Path) -> None:
    grey = picture()
    multiscales = [
        {
            "version": "0.4",
            "name": "image",
            "axes": [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "yx"],
            "datasets": [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [0.1, 0.1]}]}],
        }
    ]
    omero = {"channels": [{"color": "FFFFFF", "label": "x", "window": {"start": 0, "end": 255}}]}
    forms: tuple[tuple[str, Literal[2, 3]], ...] = (("old.zarr", 2), ("new.zarr", 3))
    for name, form in forms:
        attributes: dict[str, Any] = {"multiscales": multiscales, "omero": omero}
        if form == 3:
            attributes = {"ome": {"version": "0.5"} | attributes}
        group = zarr.create_group(folder / name, zarr_format=form, attributes=attributes)
        group.create_array("0", shape=grey.shape, dtype="uint8", chunks=(32, 32))[:] = grey
    shutil.copytree(folder / "new.zarr", folder / "sharded.zarr")
    shutil.rmtree(folder / "sharded.zarr" / "0")
    group = zarr.open_group(folder / "sharded.zarr")
    group.create_array("0", shape=grey.shape, dtype="uint8", chunks=(16, 16), shards=(32, 32))[:] = grey


def _change_zarr(chance: random.Random, folder: Path) -> None:
    path = chance.choice(sorted(folder.iterdir()))
    for other in folder.iterdir():
        if other != path:
            shutil.rmtree(other)
    files = sorted(each for each in path.rglob("*") if each.is_file())
    metadata = [each for each in files if each.name in {"zarr.json", ".zattrs", ".zarray", ".zgroup"}]
    for _ in range(chance.choice((1, 1, 2))):
        if chance.random() < 0.75:
            target = chance.choice(metadata)
            if target.is_file() and not target.is_symlink():
                replaced(chance, target, partial(changed_json_file, chance, target))
        else:
            target = chance.choice([each for each in files if each not in metadata])
            if target.is_file() and not target.is_symlink():
                if chance.random() < 0.4:
                    misplace(chance, target)
                else:
                    target.write_bytes(changed_bytes(chance, target.read_bytes()))


KINDS = (Kind("OME-Zarr", 12, _make_zarrs, _change_zarr, open_slide_at, single=True),)
