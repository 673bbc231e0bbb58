"""Classes, axon ids and the table → maps of square cells."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from axonflow.engine.stage import Result, Stage
from axonflow.fiber.maps import CENTROID, NEEDED, Cells, centroid_pixels, tissue_maps
from axonflow.fiber.regions import Polygons, nearest
from axonflow.fiber.table import read_parquet
from axonflow.grid import Box, Grid
from axonflow.ngff.maps import write_maps
from axonflow.slide import Slide
from axonflow.stages.layout import Layout
from axonflow.tally import Tally

__all__ = ["Coverage", "Everywhere", "MaskImage", "MaskPolygons", "draw_maps"]


class Coverage(Protocol):
    """Which pixels count."""

    @property
    def identity(self) -> str:
        """What tells it from others."""

    def cover(self, box: Box) -> NDArray[np.bool_]:
        """Return whether each pixel of a box counts."""


@dataclass(frozen=True, slots=True)
class Everywhere:
    """The whole slide counts."""

    identity: str = "everywhere"

    def cover(self, box: Box) -> NDArray[np.bool_]:
        """Return True for every pixel."""
        return np.ones(box.shape, bool)


@dataclass(frozen=True, slots=True)
class MaskImage:
    """What lies under the non-zero pixels of an image of any resolution."""

    image: Slide
    shape: tuple[int, int]

    @property
    def identity(self) -> str:
        """Content of the image."""
        return self.image.identity

    def cover(self, box: Box) -> NDArray[np.bool_]:
        """Look up the nearest pixel of the image."""
        rows, columns = nearest(box, self.shape, self.image.shape)
        have = Box(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)
        mask: NDArray[np.bool_] = self.image.read(have)[np.ix_(rows - have.y0, columns - have.x0)] != 0
        return mask


@dataclass(frozen=True, slots=True)
class MaskPolygons:
    """What lies inside polygons."""

    polygons: Polygons
    identity: str

    def cover(self, box: Box) -> NDArray[np.bool_]:
        """Draw the polygons."""
        return self.polygons.cover(box)


def draw_maps(layout: Layout, cell_um: float, coverage: Coverage, after: Stage) -> tuple[Stage, ...]:
    """Declare the maps.

    Parameters
    ----------
    layout : Layout
    cell_um : float
        Side of a cell, µm.
    coverage : Coverage
        What counts.
    after : Stage
        The one that writes the table.
    """
    grid = Grid(layout.work.shape, (layout.chunk, layout.chunk))
    cells = Cells(layout.work.shape, layout.work.pixel_size, cell_um)
    return (
        Stage(
            name="map",
            revision=1,
            parameters={"cell_um": cell_um, "mask": coverage.identity},
            after=(after,),
            shape=grid.shape,
            batches=tuple(grid.batches(1)),
            task=partial(_task, layout, cells, coverage),
            finish=partial(_finish, layout, cells),
            memory=max(box.size for box in grid) * 32,
        ),
    )


@lru_cache(maxsize=1)
def _centroids(table: Path, _written: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return centroid_pixels(read_parquet(table, CENTROID))


def _task(layout: Layout, cells: Cells, coverage: Coverage, box: Box) -> Result:
    covered = coverage.cover(box)
    y, x = _centroids(layout.table, layout.table.stat().st_mtime_ns)
    here = np.flatnonzero((y >= box.y0) & (y < box.y1) & (x >= box.x0) & (x < box.x1))
    tally = cells.count(layout.semantic.read(box), layout.axons.read(box), covered, box)
    return {"rows": here[covered[y[here] - box.y0, x[here] - box.x0]], **tally.arrays("cells")}


def _finish(layout: Layout, cells: Cells, results: Iterable[tuple[Box, Result]]) -> None:
    table = read_parquet(layout.table, NEEDED)
    counts = np.zeros(len(table), bool)
    tallies = []
    for _, result in results:
        counts[result["rows"]] = True
        tallies.append(Tally.from_arrays(dict(result), "cells"))
    write_maps(layout.maps, tissue_maps(cells, Tally.merge(tallies), table, counts))
