"""A result as a file of another format; one kind of format per module."""

from __future__ import annotations

from pathlib import Path

from axonflow.errors import InputError
from axonflow.results.analysis import Analysis
from axonflow.results.export.ads_mask import write_ads_mask, write_uaxon_mask
from axonflow.results.export.geojson import write_geojson
from axonflow.results.export.maps import draw, write_netcdf
from axonflow.results.export.notes import notes
from axonflow.results.export.place import check_place
from axonflow.results.export.rois import write_rois
from axonflow.results.export.scverse import write_anndata, write_spatialdata
from axonflow.results.export.tables import copy_parquet, write_ads, write_csv, write_regions_csv, write_uaxons
from axonflow.results.export.xlsx import write_xlsx

__all__ = ["FORMATS", "export_store", "notes"]

_WRITERS = {
    "ads-csv": (write_ads, "_axon_morphometrics.csv"),
    "ads-mask": (write_ads_mask, "_seg-axonmyelin.tif"),
    "anndata": (write_anndata, "_fibers.h5ad"),
    "csv": (write_csv, "_fibers.csv"),
    "geojson": (write_geojson, "_fibers.geojson"),
    "netcdf": (write_netcdf, "_maps.nc"),
    "parquet": (copy_parquet, "_fibers.parquet"),
    "png": (draw, "_maps.png"),
    "regions-csv": (write_regions_csv, "_regions.csv"),
    "roi": (write_rois, "_rois.zip"),
    "spatialdata": (write_spatialdata, ".spatialdata.zarr"),
    "svg": (draw, "_maps.svg"),
    "xlsx": (write_xlsx, "_tables.xlsx"),
}

_UNMYELINATED = {
    "ads-csv": (write_uaxons, "_uaxon_morphometrics.csv"),
    "ads-mask": (write_uaxon_mask, "_seg-uaxon.tif"),
}
"""Those that AxonDeepSeg has for axons without myelin."""

FORMATS = {name: ending for name, (_, ending) in _WRITERS.items()}
"""Formats, and how the files are named after the store unless told otherwise."""


def export_store(analysis: Analysis, format_: str, out: Path | None = None, *, unmyelinated: bool = False) -> Path:
    """Write a result as a file.

    Parameters
    ----------
    analysis : Analysis
    format_ : str
        ``ads-csv``: the table with AxonDeepSeg's columns alone; ``ads-mask``: its image of 0, 127 and 255;
        ``anndata``, ``csv`` and ``parquet``: the whole table; ``geojson``: outlines of axons and fibers, ``roi``: the
        same for ImageJ; ``netcdf``: the maps; ``png`` and ``svg``: the maps as a figure; ``regions-csv``: the table of
        regions; ``spatialdata``: slide, labels and table; ``xlsx``: the tables for Excel.
    out : Path, optional
        Beside the store, named after it, if left out.
    unmyelinated : bool
        Whether to write AxonDeepSeg's table or mask of axons without myelin, in place of that of the others.

    Returns
    -------
    Path
        What was written.

    Raises
    ------
    InputError
        If there is no such format, the result has nothing of the kind, or the file cannot be written, or not there
        (:func:`~axonflow.results.export.place.check_place`).
    """
    if format_ not in _WRITERS:
        raise InputError(f"--format was expected to be one of {', '.join(_WRITERS)}, {format_!r} came.")
    writers = _UNMYELINATED if unmyelinated else _WRITERS
    if format_ not in writers:
        raise InputError(
            f"--unmyelinated was expected with --format {' or '.join(writers)}, {format_} came; it holds all axons."
        )
    if unmyelinated and not analysis.kind_columns:
        raise InputError(
            f"Unmyelinated axons were expected in {analysis.store}, but its classes have none: "
            f"{', '.join(analysis.classes.names)}. Run a network that finds them, or give --uaxon-mask."
        )
    write, ending = writers[format_]
    store = analysis.store.resolve()
    path = out or store.with_name(store.name.removesuffix(".zarr").removesuffix(".ome") + ending)
    check_place(analysis, path)
    try:
        write(analysis, path)
    except OSError as error:
        reason = error.strerror or error
        raise InputError(
            f"A file that can be written was expected at {path}, but: {reason}; give another with --out."
        ) from error
    return path
