"""Maps as plain arrays that both xarray and NGFF readers understand.

One Zarr group holds an array per map and its coordinates, as xarray writes them; the group's NGFF block lists every
map as an image of one level.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import Crc32cCodec, ZstdCodec
from zarr.core.metadata import ArrayV3Metadata

from axonflow.kernel.documents import open_file, parse_json, read_file
from axonflow.kernel.files import new_folder
from axonflow.ngff.group import as_written

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["read_map_arrays", "read_maps", "write_maps"]

_AXES = ("y", "x")

_WAY_ON = "run the same axonflow run again: it finds all that is damaged and makes it anew"


def write_maps(path: Path, maps: xr.Dataset) -> None:
    """Write maps over (y, x) with coordinates in µm; what lay at ``path`` is replaced."""
    side = float(maps.attrs["cell_side_um"])
    ome: Any = {
        "version": "0.5",
        "multiscales": [
            {
                "name": name,
                "axes": [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "yx"],
                "datasets": [
                    {
                        "path": name,
                        "coordinateTransformations": [
                            {"type": "scale", "scale": [side, side]},
                            {"type": "translation", "translation": [side / 2, side / 2]},
                        ],
                    }
                ],
            }
            for name in map(str, maps.data_vars)
        ],
    }
    with new_folder(path) as part:
        encoding = {name: {"compressors": (ZstdCodec(level=1), Crc32cCodec())} for name in maps.variables}
        maps.to_zarr(part, mode="w", zarr_format=3, consolidated=False, encoding=encoding)
        zarr.open_group(part, mode="r+").attrs["ome"] = ome


def _attributes(array: zarr.Array[Any]) -> dict[str, Any]:
    """Return a map's attributes, without what xarray keeps there of the value of cells without tissue, NaN."""
    return {name: value for name, value in array.attrs.items() if name != "_FillValue"}


class _Map(NamedTuple):
    dims: tuple[str | None, ...]
    values: NDArray[Any]
    attributes: dict[str, Any]


def _read(path: Path) -> tuple[dict[str, _Map], dict[str, Any]]:
    """Return what a group holds by name, and its own attributes; whatever raises says that it is not as written."""
    group = parse_json(read_file(path / "zarr.json"))["attributes"]["ome"]["multiscales"]
    ours = {*(str(each["name"]) for each in group), "y", "x"}  # whatever else was put there is no map
    for file in (each for name in ours for each in (path / name).rglob("*")):  # a pipe would be waited for
        if not file.is_dir():
            open_file(file).close()
    arrays = zarr.open_group(path, mode="r", use_consolidated=False)
    found = {
        name: _Map(tuple(array.metadata.dimension_names or ()), np.asarray(array[...]), _attributes(array))
        for name in sorted(ours)
        if isinstance(array := arrays[name], zarr.Array) and isinstance(array.metadata, ArrayV3Metadata)
    }
    if missing := {"avf", "mvf", "axon_count", "covered_area"} - found.keys():
        raise KeyError(*sorted(missing))
    maps = [each for name, each in found.items() if name not in _AXES]
    if any(each.dims != _AXES or each.values.dtype.kind != "f" for each in maps):
        raise ValueError("a map is not of numbers over y and x")
    sides = dict(zip(_AXES, maps[0].values.shape, strict=True))
    if any(each.values.shape != tuple(sides.values()) for each in maps):
        raise ValueError("maps are not of one shape")
    if any((found[name].dims, found[name].values.shape) != ((name,), (sides[name],)) for name in found.keys() & sides):
        raise ValueError("cells are not at the places of the maps")
    attributes: dict[str, Any] = dict(arrays.attrs)
    if not float(attributes["cell_side_um"]) > 0:
        raise ValueError("cells have no side")
    attributes.pop("ome", None)
    return found, attributes


def read_map_arrays(path: Path) -> dict[str, NDArray[np.floating[Any]]]:
    """Read the maps back as arrays over (y, x), by name, without xarray.

    Raises
    ------
    StoreError
        As :func:`read_maps`.
    """
    with as_written("Maps", path, _WAY_ON):
        return {name: each.values for name, each in _read(path)[0].items() if name not in _AXES}


def read_maps(path: Path) -> xr.Dataset:
    """Read the maps back, whole.

    Raises
    ------
    StoreError
        If they are damaged, or something else.
    """
    import xarray as xr

    with as_written("Maps", path, _WAY_ON):
        found, attributes = _read(path)
        # on the fast path, as otherwise dask.array is loaded only to see that this is none
        variables = {name: xr.Variable(*each, fastpath=True) for name, each in found.items()}
        return xr.Dataset(variables, attrs=attributes)
