"""A result as a file of another format."""

from __future__ import annotations

import shutil
from pathlib import Path

from axonflow.analysis import Analysis
from axonflow.errors import InputError

__all__ = ["FORMATS", "export_store"]

FORMATS = {
    "ads-csv": "_axon_morphometrics.csv",
    "csv": "_fibers.csv",
    "parquet": "_fibers.parquet",
    "netcdf": "_maps.nc",
    "png": "_maps.png",
}
"""Formats, and how the files are named after the store unless told otherwise."""


def export_store(analysis: Analysis, format_: str, out: Path | None = None) -> Path:
    """Write a result as a file.

    Parameters
    ----------
    analysis : Analysis
    format_ : str
        ``ads-csv``: the table with AxonDeepSeg's columns alone; ``csv`` and ``parquet``: the whole table;
        ``netcdf``: the maps; ``png``: the maps as a figure.
    out : Path, optional
        Beside the store, named after it, if left out.

    Returns
    -------
    Path
        What was written.

    Raises
    ------
    InputError
        If there is no such format, or the file cannot be written.
    """
    if format_ not in FORMATS:
        raise InputError(f"--format was expected to be one of {', '.join(FORMATS)}, {format_!r} came.")
    store = analysis.store.resolve()
    path = out or store.with_name(store.name.removesuffix(".zarr").removesuffix(".ome") + FORMATS[format_])
    try:
        if format_ == "ads-csv":
            from axonflow.fiber.table import write_ads_csv

            write_ads_csv(analysis.fibers, path)
        elif format_ == "csv":
            analysis.fibers.to_csv(path, index=False)
        elif format_ == "parquet":
            shutil.copyfile(analysis.store / "tables" / "fibers.parquet", path)
        elif format_ == "netcdf":
            analysis.maps.to_netcdf(path, engine="h5netcdf")
        else:
            from axonflow.figures import draw_maps

            draw_maps(analysis.maps, path)
    except (OSError, ValueError) as error:  # matplotlib's, of an ending that is no picture's
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"A file that can be written was expected at {path}, but: {reason}.") from error
    return path
