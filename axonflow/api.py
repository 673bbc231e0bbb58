"""The public Python API: the command line's ``run``, and opening what it made."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from axonflow.engine.profile import Profile
    from axonflow.results.analysis import Analysis
    from axonflow.workflow.config import Halo, MaskUnit

__all__ = ["open", "run"]

File = str | PathLike[str]


def run(
    slide: File,
    out: File | None = None,
    *,
    series: int | None = None,
    pixel_size: float | tuple[float, float] | None = None,
    model: str = "sem",
    halo: Halo | None = None,
    chunk: int | None = None,
    cell: float = 50.0,
    mask: File | None = None,
    mask_unit: MaskUnit = "px",
    regions: File | None = None,
    regions_unit: MaskUnit = "px",
    axon_mask: File | None = None,
    myelin_mask: File | None = None,
    labels: File | None = None,
    keep_probabilities: bool = False,
    min_axon_area: float | None = None,
    max_myelin: float = 5.0,
    cluster: str | Profile | None = None,
    workers: int | None = None,
    fresh: bool = False,
) -> Analysis:
    """Analyse a slide, or go on where an earlier run stopped.

    Parameters
    ----------
    slide : path
        TIFF and what tifffile reads, PNG, JPEG or OME-Zarr.
    out : path, optional
        The store; ``slide.ome.zarr`` beside the slide if left out.
    series : int, optional
        Which image of a file that holds several.
    pixel_size : float or (float, float), optional
        Side of a pixel, or (height, width), µm; in place of what the file says.
    model : str
        Name of an embedded model, or path of one.
    halo : int or "exact", optional
        What each core of the network's lattice sees on its sides, px.
    chunk : int, optional
        Side of what one task writes, px. No result depends on it.
    cell : float
        Side of a map's cell, µm.
    mask : path, optional
        What counts: an image of any resolution, or GeoJSON polygons.
    mask_unit : "px" or "um"
        Of the polygons' coordinates.
    regions : path, optional
        Regions to be described one by one: GeoJSON polygons, or an image of their numbers.
    regions_unit : "px" or "um"
        Of these polygons' coordinates.
    axon_mask, myelin_mask, labels : path, optional
        Own masks in place of the network.
    keep_probabilities : bool
        Whether the class probabilities are stored.
    min_axon_area : float, optional
        Smaller axons are left out, µm².
    max_myelin : float
        Myelin farther than this from its axon belongs to none, µm.
    cluster : str or Profile, optional
        Where the workers come from: a profile's name or file, a scheduler's address or folder; this
        machine, with its GPUs if it has any, if left out.
    workers : int, optional
        How many; as the profile has it if left out, on this machine one per core. Up to four are threads here; more
        are processes, and a script that uses so many guards its own start with ``if __name__ == "__main__":``.
    fresh : bool
        Whether to start over.

    Returns
    -------
    Analysis
        With ``.image``, ``.labels``, ``.fibers``, ``.maps`` and, if there are any, ``.regions``.

    Raises
    ------
    axonflow.errors.InputError
        If what was given cannot be used.
    axonflow.errors.RunError
        If the work failed on the way; run again to continue.
    """
    from axonflow.engine.fleet.processes import here
    from axonflow.engine.profile import Profile
    from axonflow.kernel.units import PixelSize
    from axonflow.results.analysis import open_store
    from axonflow.workflow.config import Config
    from axonflow.workflow.job import prepare, run_job

    def path(file: File | None) -> Path | None:
        return None if file is None else Path(file)

    source = Path(slide)
    size = pixel_size if pixel_size is None or isinstance(pixel_size, tuple) else (pixel_size, pixel_size)
    config = Config(
        slide=source,
        out=Config.default_out(source) if out is None else Path(out),
        series=series,
        pixel_size=None if size is None else PixelSize(*size),
        model=model,
        halo=halo,
        chunk=chunk,
        cell_um=cell,
        mask=path(mask),
        mask_unit=mask_unit,
        regions=path(regions),
        regions_unit=regions_unit,
        axon_mask=path(axon_mask),
        myelin_mask=path(myelin_mask),
        labels=path(labels),
        keep_probabilities=keep_probabilities,
        min_axon_area_um2=min_axon_area,
        max_myelin_um=max_myelin,
    )
    profile = cluster if isinstance(cluster, Profile) else Profile.find(cluster or here())
    profile = profile.but(workers=workers)
    run_job(prepare(config, gpu=profile.gpus > 0), profile, fresh=fresh)
    return open_store(config.out)


def open(store: File) -> Analysis:  # noqa: A001  # axonflow.open reads as it should
    """Open what a run made.

    Parameters
    ----------
    store : path
        The ``.ome.zarr`` folder.

    Returns
    -------
    Analysis

    Raises
    ------
    axonflow.errors.StoreError
        If it is no store of axonflow, or its run was not finished.
    """
    from axonflow.results.analysis import open_store

    return open_store(Path(store))
