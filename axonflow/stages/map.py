"""Classes, axon ids, the table and the network's doubt → maps of square cells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from axonflow.engine.stage import Result, Stage
from axonflow.fiber.maps import CENTROID, NEEDED, Cells, centroid_pixels, tissue_maps
from axonflow.fiber.regions import Polygons, nearest
from axonflow.fiber.table import read_parquet
from axonflow.grid import Box, Grid
from axonflow.ngff.maps import write_maps
from axonflow.slide import Slide
from axonflow.stages.doubt import Doubt
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


def draw_maps(
    layout: Layout,
    cell_um: float,
    coverage: Coverage,
    familiar: Mapping[str, tuple[float, float]] | None,
    after: Stage,
) -> tuple[Stage, ...]:
    """Declare the maps.

    Parameters
    ----------
    layout : Layout
    cell_um : float
        Side of a cell, µm.
    coverage : Coverage
        What counts.
    familiar : Mapping or None
        Ranges of traits that the network was trained on, of its contract; None where no network was at work, and no
        doubt is mapped.
    after : Stage
        The one that writes the table.
    """
    grid = Grid(layout.work.shape, (layout.chunk, layout.chunk))
    cells = Cells(layout.work.shape, layout.work.pixel_size, cell_um)
    doubt = None if familiar is None else Doubt(layout.traits, cells, familiar)
    parameters = {"cell_um": cell_um, "mask": coverage.identity}
    return (
        Stage(
            name="map",
            revision=1,
            parameters=parameters if familiar is None else parameters | {"familiar": dict(familiar)},
            after=(after,),
            shape=grid.shape,
            batches=tuple(grid.batches(1)),
            task=partial(_task, layout, cells, coverage, doubt),
            finish=partial(_finish, layout, cells, doubt),
            memory=max(box.size for box in grid) * 32,
        ),
    )


@lru_cache(maxsize=1)
def _centroids(table: Path, _written: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return centroid_pixels(read_parquet(table, CENTROID))


def _task(layout: Layout, cells: Cells, coverage: Coverage, doubt: Doubt | None, box: Box) -> Result:
    covered = coverage.cover(box)
    y, x = _centroids(layout.table, layout.table.stat().st_mtime_ns)
    here = np.flatnonzero((y >= box.y0) & (y < box.y1) & (x >= box.x0) & (x < box.x1))
    tally = cells.count(layout.semantic.read(box), layout.axons.read(box), covered, box)
    doubted = doubt.count(covered, box).arrays("doubt") if doubt else {}
    return {"rows": here[covered[y[here] - box.y0, x[here] - box.x0]], **tally.arrays("cells"), **doubted}


def _finish(
    layout: Layout, cells: Cells, doubt: Doubt | None, results: Iterable[tuple[Box, Result]]
) -> dict[str, Any] | None:
    table = read_parquet(layout.table, NEEDED)
    counts = np.zeros(len(table), bool)
    for _, result in results:
        counts[result["rows"]] = True
    areas = Tally.merge(Tally.from_arrays(result, "cells") for _, result in results)
    maps, note = tissue_maps(cells, areas, table, counts), None
    if doubt:
        maps, note = doubt.onto(maps, Tally.merge(Tally.from_arrays(result, "doubt") for _, result in results))
    write_maps(layout.maps, maps)
    return note
