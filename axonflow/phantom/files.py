"""A phantom as files: the slide, and beside it the truth as labels, a table of axons, maps and outlines.

Slides are drawn in boxes of a row of tiles, on a few threads: what is drawn does not depend on the boxes.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd
import tifffile
import xarray as xr
from numpy.typing import NDArray

from axonflow.errors import InputError
from axonflow.kernel.classes import AXON_MYELIN
from axonflow.kernel.compiled import compiled
from axonflow.kernel.files import make_folder, new_file
from axonflow.kernel.grid import Box, Grid
from axonflow.kernel.units import PixelSize

__all__ = ["Drawn", "write"]

TILE = 512

BOX = 2048
"""Width of what is drawn at once, px."""


class Drawn(Protocol):
    """A slide that can be drawn in boxes, and its truth."""

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width, px."""

    @property
    def pixel_size(self) -> PixelSize:
        """Of the slide."""

    def image(self, box: Box) -> NDArray[np.uint8]:
        """Draw the micrograph of a box."""

    def classes(self, box: Box) -> NDArray[np.uint8]:
        """Draw the true classes of a box."""

    def truth(self) -> pd.DataFrame:
        """Measure every axon."""

    def outlines(self) -> dict[str, str]:
        """Return GeoJSON by the name of its file."""


def write(
    path: Path,
    phantom: Drawn,
    truth_dir: Path | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write a phantom as a tiled, compressed BigTIFF, a row of tiles at a time.

    Parameters
    ----------
    path : Path
    phantom : Drawn
        :class:`axonflow.phantom.Cord` or :class:`axonflow.phantom.Phantom`.
    truth_dir : Path, optional
        Where to put ``labels.tif`` (0 background, 127 myelin, 255 axon), ``axons.parquet`` (:meth:`Drawn.truth`)
        and ``maps.nc`` (axons, and pixels of axon, myelin and all, in cells of 50 µm); of a cord also
        ``tissue.geojson``, ``white-matter.geojson`` and ``tracts.geojson``, in pixels.
    progress : callable, optional
        Called with the number of rows of tiles drawn and their total.

    Raises
    ------
    InputError
        If a file cannot be written.
    """
    rows = -(-phantom.shape[0] // TILE)
    total = rows * (1 if truth_dir is None else 2)
    done = 0

    def tick() -> None:
        nonlocal done
        done += 1
        if progress:
            progress(done, total)

    try:
        _write_tiff(path, phantom, phantom.image, tick)
        if truth_dir is not None:
            make_folder(truth_dir)
            cells = _CellCounts(phantom)

            def count(box: Box, classes: NDArray[np.uint8]) -> NDArray[np.uint8]:
                cells.add(box, classes)
                return AXON_MYELIN.greys[classes]

            _write_tiff(truth_dir / "labels.tif", phantom, phantom.classes, tick, count)
            axons = phantom.truth()
            with new_file(truth_dir / "axons.parquet") as part:
                axons.to_parquet(part, index=False)
            maps = cells.maps(axons)
            content = BytesIO()  # HDF5 does not survive a full disk
            maps.to_netcdf(content, engine="h5netcdf")
            with new_file(truth_dir / "maps.nc") as part:
                part.write_bytes(content.getvalue())
            for name, outlines in phantom.outlines().items():
                with new_file(truth_dir / name) as part:
                    part.write_text(outlines)
    except OSError as error:
        raise InputError(
            f"A file that can be written was expected at {path}, but: {error.strerror or error}; give another."
        ) from error


def _write_tiff(
    path: Path,
    phantom: Drawn,
    draw: Callable[[Box], NDArray[np.uint8]],
    tick: Callable[[], None],
    then: Callable[[Box, NDArray[np.uint8]], NDArray[np.uint8]] = lambda _, drawn: drawn,
) -> None:
    size = phantom.pixel_size

    def tiles() -> Iterator[NDArray[np.uint8]]:
        for band, drawn in _bands(phantom.shape, draw):
            pixels = then(band, drawn)
            tick()
            for x in range(0, phantom.shape[1], TILE):
                tile = np.zeros((TILE, TILE), np.uint8)
                part = pixels[:, x : x + TILE]
                tile[: part.shape[0], : part.shape[1]] = part
                yield tile

    ome = Path(path.stem).suffix.lower() == ".ome"  # what tifffile would see in a name of its own
    with new_file(path) as part, tifffile.TiffWriter(part, bigtiff=True, ome=ome) as tiff:
        tiff.write(
            tiles(),
            shape=phantom.shape,
            dtype="uint8",
            tile=(TILE, TILE),
            compression="zlib",
            compressionargs={"level": 1},
            photometric="minisblack",
            resolution=(1e4 / size.x, 1e4 / size.y),
            resolutionunit="CENTIMETER",
            metadata=None,
            software="axonflow phantom",
        )


def _bands(shape: tuple[int, int], draw: Callable[[Box], NDArray[np.uint8]]) -> Iterator[tuple[Box, NDArray[np.uint8]]]:
    """Draw a slide band by band, the next one while one is used."""
    with ThreadPoolExecutor(min(os.cpu_count() or 1, 8)) as pool:
        under_way: deque[tuple[Box, list[Future[NDArray[np.uint8]]]]] = deque()
        try:
            for band in Grid(shape, (TILE, shape[1])):
                boxes = (Box(band.y0, x, band.y1, min(x + BOX, shape[1])) for x in range(0, shape[1], BOX))
                under_way.append((band, [pool.submit(draw, box) for box in boxes]))
                if len(under_way) > 2:
                    yield _joined(*under_way.popleft())
            while under_way:
                yield _joined(*under_way.popleft())
        finally:
            pool.shutdown(cancel_futures=True)


def _joined(band: Box, parts: list[Future[NDArray[np.uint8]]]) -> tuple[Box, NDArray[np.uint8]]:
    return band, np.concatenate([part.result() for part in parts], axis=1)


class _CellCounts:
    """Pixels of each class in each cell of the true maps."""

    def __init__(self, phantom: Drawn, side_um: float = 50.0) -> None:
        self.side_um = side_um
        self.edges = []
        for side, um in zip(phantom.shape, (phantom.pixel_size.y, phantom.pixel_size.x), strict=True):
            cuts = [round(k * side_um / um) for k in range(int(side * um / side_um) + 2)]
            self.edges.append(np.array([*(cut for cut in cuts if cut < side), side]))
        self.counts = np.zeros((len(AXON_MYELIN), *(len(edges) - 1 for edges in self.edges)), np.int64)

    def add(self, box: Box, classes: NDArray[np.uint8]) -> None:
        """Count the pixels of a box, one by one."""
        rows, columns = np.arange(box.y0, box.y1), np.arange(box.x0, box.x1)
        y, x = (np.searchsorted(e, at, "right") - 1 for e, at in zip(self.edges, (rows, columns), strict=True))
        _count_cells(classes, y, x, self.counts)

    def maps(self, axons: pd.DataFrame) -> xr.Dataset:
        """Return the true maps."""
        count = np.zeros(self.counts.shape[1:], np.int64)
        y, x = (
            np.searchsorted(edges, np.floor(axons[name].to_numpy() + 0.5), "right") - 1
            for edges, name in zip(self.edges, ("y0 (px)", "x0 (px)"), strict=True)
        )
        np.add.at(count, (y, x), 1)
        values = {
            "axon_count": count,
            "axon_px": self.counts[AXON_MYELIN.axon],
            "myelin_px": self.counts[AXON_MYELIN.myelin],
            "covered_px": self.counts.sum(axis=0),
        }
        return xr.Dataset(
            {name: (("y", "x"), value) for name, value in values.items()}, attrs={"cell_side_um": self.side_um}
        )


@compiled
def _count_cells(
    classes: NDArray[np.uint8], y: NDArray[np.int64], x: NDArray[np.int64], counts: NDArray[np.int64]
) -> None:
    for i in range(classes.shape[0]):
        for j in range(classes.shape[1]):
            counts[classes[i, j], y[i], x[j]] += 1
