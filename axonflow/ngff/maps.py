"""Maps as plain arrays that both xarray and NGFF readers understand.

One Zarr group holds an array per map and its coordinates, as xarray writes them; the group's NGFF block lists every
map as an image of one level.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
from zarr.codecs import Crc32cCodec, ZstdCodec
from zarr.core.metadata import ArrayV3Metadata

from axonflow.kernel.documents import open_file, parse_json, read_file
from axonflow.kernel.files import new_folder
from axonflow.ngff.group import as_written

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["read_maps", "write_maps"]


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


def read_maps(path: Path) -> xr.Dataset:
    """Read the maps back, whole.

    Raises
    ------
    StoreError
        If they are damaged, or something else.
    """
    import xarray as xr

    with as_written("Maps", path, "run the same axonflow run again: it finds all that is damaged and makes it anew"):
        group = parse_json(read_file(path / "zarr.json"))["attributes"]["ome"]["multiscales"]
        ours = {*(str(each["name"]) for each in group), "y", "x"}  # whatever else was put there is no map
        for file in (each for name in ours for each in (path / name).rglob("*")):  # a pipe would be waited for
            if not file.is_dir():
                open_file(file).close()
        arrays = zarr.open_group(path, mode="r", use_consolidated=False)
        found = {
            # on the fast path, as otherwise dask.array is loaded only to see that this is none
            name: xr.Variable(array.metadata.dimension_names, np.asarray(array[...]), _attributes(array), fastpath=True)
            for name in sorted(ours)
            if isinstance(array := arrays[name], zarr.Array) and isinstance(array.metadata, ArrayV3Metadata)
        }
        loaded: xr.Dataset = xr.Dataset(found, attrs=dict(arrays.attrs))
        if missing := {"avf", "mvf", "axon_count", "covered_area"} - {*map(str, loaded.data_vars)}:
            raise KeyError(*sorted(missing))
        if any(loaded[name].dims != ("y", "x") or loaded[name].dtype.kind != "f" for name in loaded.data_vars):
            raise ValueError("a map is not of numbers over y and x")
        if not float(loaded.attrs["cell_side_um"]) > 0:
            raise ValueError("cells have no side")
    loaded.attrs.pop("ome", None)
    return loaded
