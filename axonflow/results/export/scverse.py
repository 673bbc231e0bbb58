"""The result for AnnData and SpatialData, the formats of scverse.

Numbers that are measured are an AnnData's ``X``, what names, places and tells apart is ``obs``, and centroids are
``obsm["spatial"]``.

A SpatialData store holds images and labels as this project's own stores do, shard for shard, so that they are copied;
only what the groups say of themselves differs. The library's own writer, of 0.7, fails with ome-zarr 0.18.

Sources: https://anndata.readthedocs.io/en/stable/fileformat-prose.html,
https://spatialdata.scverse.org/en/stable/design_doc.html and ``spatialdata._io.format``, container 0.2.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr

from axonflow.errors import InputError
from axonflow.kernel.extras import library
from axonflow.kernel.files import make_folder, new_file, new_folder
from axonflow.kernel.units import PixelSize
from axonflow.ngff.group import read_attributes, write_group
from axonflow.results.analysis import LABELS, Analysis
from axonflow.results.export.origin import origin
from axonflow.results.export.units import described

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["write_anndata", "write_spatialdata"]

CONTAINER, RASTER, TABLE = "0.2", "0.3", "0.2"
"""Versions of SpatialData's formats: of the store, of images and labels, of tables."""

RASTER_NGFF = "0.5-dev-spatialdata"
"""How SpatialData calls OME-NGFF 0.5 with transformations to a system of coordinates."""

SYSTEM = "global"
"""The system of coordinates: µm from the slide's top-left corner, x to the right and y down."""

ANNOTATED, TABLE_NAME = "axons", "morphometrics"
"""The labels whose values are the table's ids, and the table: SpatialData wants all names of a store to differ."""

_IDENTITY, _PLACES = "axon_id", ("x0 (um)", "y0 (um)")
_REGION_KEY = "labels"


def write_anndata(analysis: Analysis, path: Path) -> None:
    """Write the table of axons: HDF5, or a Zarr folder if the name ends in ``.zarr``.

    Raises
    ------
    InputError
        If anndata is not installed, the name ends in something else, or something else than an earlier one lies there.
    """
    if path.suffix == ".zarr" and _taken(path, "encoding-type"):
        raise _lies_there(path)
    table = _anndata(analysis)
    if path.suffix == ".h5ad":
        with new_file(path) as part:
            table.write_h5ad(part, compression="gzip")
    elif path.suffix == ".zarr":
        with new_folder(path) as folder:
            _write_table(folder, "", table)
    else:
        raise InputError(f"A file ending in .h5ad or .zarr was expected, {path.name} came; rename --out.")


def write_spatialdata(analysis: Analysis, path: Path) -> None:
    """Write slide, labels and table as a SpatialData store, a folder.

    Raises
    ------
    InputError
        If anndata is not installed, or something else than an earlier one lies there.
    """
    if _taken(path, "spatialdata_attrs"):
        raise _lies_there(path)
    table = _anndata(analysis)
    table.obs[_REGION_KEY] = _categories([ANNOTATED] * table.n_obs)
    keys = {"region": ANNOTATED, "region_key": _REGION_KEY, "instance_key": _IDENTITY}
    table.uns["spatialdata_attrs"] = keys
    with new_folder(path) as folder:
        write_group(folder, {"spatialdata_attrs": {"version": CONTAINER}} | {"axonflow": origin(analysis)})
        write_group(folder / "images", {})
        _copy_raster(analysis, None, folder / "images" / "slide")
        write_group(folder / "labels", {"ome": {"version": "0.5", "labels": sorted(LABELS)}})
        for name in LABELS:
            _copy_raster(analysis, name, folder / "labels" / name)
        write_group(folder / "tables", {})
        _write_table(folder / "tables", TABLE_NAME, table)
        _say(
            folder / "tables" / TABLE_NAME, {"spatialdata-encoding-type": "ngff:regions_table", "version": TABLE} | keys
        )


def _taken(path: Path, attribute: str) -> bool:
    """Tell whether something lies at a path whose attributes do not show it to be an earlier export."""
    return path.exists() and not (path.is_dir() and attribute in read_attributes(path))


def _lies_there(path: Path) -> InputError:
    return InputError(f"A folder that is not there yet was expected at {path}, something else is; give another.")


def _anndata(analysis: Analysis) -> AnnData:
    import pandas as pd

    made = library("anndata", "anndata", "the formats anndata and spatialdata").AnnData
    fibers = analysis.fibers
    numbers = [name for name in map(str, fibers) if fibers[name].dtype.kind == "f" and name not in _PLACES]
    others = [name for name in fibers if name not in {*numbers, *_PLACES}]
    ids = fibers[_IDENTITY].astype(str).to_numpy(object)
    obs = {
        name: fibers[name].to_numpy() if fibers[name].dtype.kind in "ib" else _categories(fibers[name])
        for name in others
    }
    units = described(analysis.store / "tables" / "fibers.parquet")
    var = {what: [units[name][i] for name in numbers] for i, what in enumerate(("unit", "description"))}
    return made(
        X=fibers[numbers].to_numpy(np.float64),
        obs=pd.DataFrame(obs, index=pd.Index(ids, dtype=object)),
        var=pd.DataFrame(var, index=pd.Index(numbers, dtype=object), dtype=object),
        obsm={"spatial": fibers[[*_PLACES]].to_numpy(np.float64)},
        uns={"axonflow": dict(origin(analysis)), "spatial_unit": "micrometer"},
    )


def _categories(values: Iterable[Any]) -> Any:
    """Return text of which much is twice the same; None is missing."""
    import pandas as pd

    return pd.Categorical(pd.Series(values, dtype=object))


def _write_table(folder: Path, name: str, table: AnnData) -> None:
    io = library("anndata.io", "anndata", "tables in Zarr")
    io.write_elem(zarr.open_group(folder, mode="a", zarr_format=3), name or "/", table)


def _copy_raster(analysis: Analysis, labels: str | None, to: Path) -> None:
    """Copy an image with all its levels, and place it by its pixel size."""
    pyramid = analysis.pyramid(labels)
    make_folder(to)
    for level in range(pyramid.count):
        shutil.copytree(pyramid.path / f"s{level}", to / f"s{level}", ignore=_partial)
    ome = dict(read_attributes(pyramid.path)["ome"])
    axes = "".join(axis["name"] for axis in ome["multiscales"][0]["axes"])
    scaled = [{**ome["multiscales"][0], "coordinateTransformations": [_to_system(axes, pyramid.pixel_size)]}]
    write_group(
        to, {"ome": ome | {"version": RASTER_NGFF, "multiscales": scaled}, "spatialdata_attrs": {"version": RASTER}}
    )


def _to_system(axes: str, pixel_size: PixelSize) -> dict[str, Any]:
    """Say where pixels lie in :data:`SYSTEM`; for SpatialData the first one begins at 0."""
    kinds = [{"name": axis, "type": "channel" if axis == "c" else "space"} for axis in axes]
    return {
        "type": "scale",
        "scale": [1.0] * (len(axes) - 2) + [pixel_size.y, pixel_size.x],
        "input": {"name": axes, "axes": [each if each["name"] == "c" else {**each, "unit": "unit"} for each in kinds]},
        "output": {
            "name": SYSTEM,
            "axes": [each if each["name"] == "c" else {**each, "unit": "micrometer"} for each in kinds],
        },
    }


def _partial(_folder: str, names: list[str]) -> list[str]:
    return [name for name in names if re.fullmatch(r".+\.[0-9a-f]{32}\.partial", name)]


def _say(group: Path, attributes: Mapping[str, Any]) -> None:
    """Add to what a group says of itself."""
    path = group / "zarr.json"
    content = json.loads(path.read_text())
    content["attributes"] = content.get("attributes", {}) | dict(attributes)
    path.write_text(json.dumps(content, indent=2))
