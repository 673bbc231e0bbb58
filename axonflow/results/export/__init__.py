"""A result as a file of another format; one kind of format per module."""

from __future__ import annotations

from pathlib import Path

from axonflow.errors import InputError
from axonflow.results.analysis import Analysis
from axonflow.results.export.ads_mask import write_ads_mask
from axonflow.results.export.geojson import write_geojson
from axonflow.results.export.maps import draw, write_netcdf
from axonflow.results.export.tables import copy_parquet, write_ads, write_csv, write_regions_csv

__all__ = ["FORMATS", "export_store"]

_WRITERS = {
    "ads-csv": (write_ads, "_axon_morphometrics.csv"),
    "ads-mask": (write_ads_mask, "_seg-axonmyelin.tif"),
    "csv": (write_csv, "_fibers.csv"),
    "geojson": (write_geojson, "_fibers.geojson"),
    "netcdf": (write_netcdf, "_maps.nc"),
    "parquet": (copy_parquet, "_fibers.parquet"),
    "png": (draw, "_maps.png"),
    "regions-csv": (write_regions_csv, "_regions.csv"),
    "svg": (draw, "_maps.svg"),
}

FORMATS = {name: ending for name, (_, ending) in _WRITERS.items()}
"""Formats, and how the files are named after the store unless told otherwise."""


def export_store(analysis: Analysis, format_: str, out: Path | None = None) -> Path:
    """Write a result as a file.

    Parameters
    ----------
    analysis : Analysis
    format_ : str
        ``ads-csv``: the table with AxonDeepSeg's columns alone; ``ads-mask``: its image of 0, 127 and 255; ``csv`` and
        ``parquet``: the whole table; ``geojson``: outlines of axons and fibers; ``netcdf``: the maps; ``png`` and
        ``svg``: the maps as a figure; ``regions-csv``: the table of regions.
    out : Path, optional
        Beside the store, named after it, if left out.

    Returns
    -------
    Path
        What was written.

    Raises
    ------
    InputError
        If there is no such format, the result has nothing of the kind, or the file cannot be written.
    """
    if format_ not in _WRITERS:
        raise InputError(f"--format was expected to be one of {', '.join(_WRITERS)}, {format_!r} came.")
    write, ending = _WRITERS[format_]
    store = analysis.store.resolve()
    path = out or store.with_name(store.name.removesuffix(".zarr").removesuffix(".ome") + ending)
    try:
        write(analysis, path)
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"A file that can be written was expected at {path}, but: {reason}.") from error
    return path
