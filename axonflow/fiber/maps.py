"""Maps of the tissue: what the pixels and axons of each cell amount to.

A cell's edges are whole pixels, fixed once for the slide, so every core bins alike although 50 µm is rarely a whole
number of pixels. An axon counts in the one cell that holds its centroid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from axonflow.errors import InputError
from axonflow.fiber.kinds import MYELINATED, counting_kind
from axonflow.fiber.tissue import DIAMETER, GRATIO, MYELIN_AREA, areas, places, tissue
from axonflow.fiber.unmyelinated import unmyelinated
from axonflow.kernel.classes import Classes, Labels
from axonflow.kernel.compiled import compiled
from axonflow.kernel.grid import Box
from axonflow.kernel.tally import Ints, Tally
from axonflow.kernel.units import PixelSize

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

__all__ = ["CENTROID", "FEWEST_CELLS", "NEEDED", "Cells", "centroid_pixels", "fitting_side", "is_whole", "tissue_maps"]

FEWEST_CELLS = 5
"""Whole cells from which on maps show where tissue differs."""

ENOUGH = 0.5
"""Part of a cell that must count for it to be taken as a whole one."""

FITTING_CELLS = 16
"""Cells that a side that fits gives at least."""

CENTROID = ("y0 (px)", "x0 (px)")
NEEDED = (*CENTROID, DIAMETER, MYELIN_AREA, GRATIO)
"""The columns of the table that the maps are made of."""


@dataclass(frozen=True, slots=True)
class Cells:
    """The cells of a slide's maps.

    Parameters
    ----------
    shape : (int, int)
        Height and width of the slide, px.
    pixel_size : PixelSize
    side_um : float
        Side of a cell; the last ones end with the slide.

    Raises
    ------
    InputError
        If a cell is smaller than a pixel.
    """

    shape: tuple[int, int]
    pixel_size: PixelSize
    side_um: float

    def __post_init__(self) -> None:
        if not self.side_um >= max(self.pixel_size.y, self.pixel_size.x):
            raise InputError(
                f"A map's cell of at least one pixel ({self.pixel_size}) was expected, {self.side_um:g} µm came; "
                "choose larger cells (the usual side is 50 µm)."
            )

    def edges(self, axis: int) -> Ints:
        """Return the cells' edges along an axis, px: edge k is k · side / pixel size, rounded; the last is the side."""
        end, inner = self.shape[axis], self._endless(axis)
        edges: Ints = np.r_[inner[inner < end], end]
        return edges

    def sides(self, axis: int) -> Ints:
        """Return the cells' sides along an axis, px, each as if the slide went on to the end of its last cell."""
        sides: Ints = np.diff(self._endless(axis)[: self.counts[axis] + 1])
        return sides

    def _endless(self, axis: int) -> Ints:
        """Return the cells' edges, px, up to the first that does not lie within the slide."""
        um, end = (self.pixel_size.y, self.pixel_size.x)[axis], self.shape[axis]
        edges: Ints = np.rint(np.arange(int(end * um / self.side_um) + 2) * self.side_um / um).astype(np.int64)
        return edges

    @property
    def counts(self) -> tuple[int, int]:
        """Number of cells along y and x."""
        return len(self.edges(0)) - 1, len(self.edges(1)) - 1

    @property
    def whole(self) -> int:
        """Number of cells of which at least half lies on the slide; all of them if it is so of none."""
        areas = np.outer(*(np.diff(self.edges(axis)) for axis in (0, 1))) * self.pixel_size.area_um2
        return int(_enough(areas, self.side_um**2).sum()) or areas.size

    def of(self, rows: Ints, columns: Ints) -> Ints:
        """Return the index, in raster order, of the cell that holds each pixel."""
        y, x = (
            np.searchsorted(self.edges(axis), pixels, side="right") - 1 for axis, pixels in enumerate((rows, columns))
        )
        return y * self.counts[1] + x

    def count(self, counted: Labels, classes: Classes, covered: NDArray[np.bool_], box: Box) -> Tally:
        """Count the pixels of a core in each cell.

        Parameters
        ----------
        counted : (h, w) uint8
            What :meth:`axonflow.kernel.classes.Classes.counted` returned.
        classes : Classes
            What they mean.
        covered : (h, w) bool
            Where the slide is to be mapped.
        box : Box
            The core.

        Returns
        -------
        Tally
            Keys are indices of cells, sums are :func:`axonflow.fiber.tissue.areas`.
        """
        (rows, columns) = (
            np.searchsorted(self.edges(axis), np.arange(first, last), side="right") - 1
            for axis, first, last in ((0, box.y0, box.y1), (1, box.x0, box.x1))
        )
        sums = len(areas(classes))
        total = np.zeros((rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1, sums), np.int64)
        _add_up(counted, places(classes), covered, rows - rows[0], columns - columns[0], total)
        key = np.arange(rows[0], rows[-1] + 1)[:, None] * self.counts[1] + np.arange(columns[0], columns[-1] + 1)
        return Tally.of(key.ravel(), total.reshape(-1, sums))


def is_whole(maps: xr.Dataset) -> NDArray[np.bool_]:
    """Tell of which cells at least half of a whole one counts, (y, x)."""
    return _enough(maps["covered_area"].to_numpy(), (float(maps.attrs["cell_side_um"]) / 1000) ** 2)


def _enough(areas: NDArray[np.float64], of_cell: float) -> NDArray[np.bool_]:
    enough: NDArray[np.bool_] = areas >= ENOUGH * of_cell * (1 - 1e-9)
    return enough


def fitting_side(height_um: float, width_um: float) -> float:
    """Return the largest side, 1, 2 or 5 times a power of ten, that gives enough whole cells of a slide; 0 if none."""
    steps = (base * 10.0**power for power in range(3, -5, -1) for base in (5, 2, 1))
    fitting = (step for step in steps if max(height_um // step, 1) * max(width_um // step, 1) >= FITTING_CELLS)
    return float(f"{next(fitting, 0.0):.6g}")


def centroid_pixels(table: pd.DataFrame) -> tuple[Ints, Ints]:
    """Return the row and the column of the pixel that holds each axon's centroid."""
    rows, columns = (np.floor(table[name].to_numpy() + 0.5).astype(np.int64) for name in CENTROID)
    return rows, columns


def tissue_maps(cells: Cells, counted: Tally, axons: Callable[[], Iterable[pd.DataFrame]]) -> xr.Dataset:
    """Make the maps.

    Parameters
    ----------
    cells : Cells
    counted : Tally
        What :meth:`Cells.count` found on the slide, merged.
    axons : callable
        Goes through those the pixels of whose centroids are to be mapped, some rows of their table after others.

    Returns
    -------
    Dataset
        Each variable is (y, x) float64, NaN where nothing is covered; means are NaN where no axon counts, and the
        aggregate g-ratio where no pixel is axon. Coordinates are the cells' centres in µm from the slide's top-left
        corner. Every variable has ``units`` and ``long_name``. Where the classes have axons without myelin, these have
        variables of their own, and are in no other.
    """
    import xarray as xr

    ny, nx = cells.counts
    pixels = np.zeros((ny * nx, counted.total.shape[1]), np.int64)
    pixels[counted.key] = counted.total

    def counting() -> Iterator[tuple[Ints, pd.DataFrame]]:
        return ((cells.of(*centroid_pixels(rows)), rows) for rows in axons())

    found = tissue(pixels[:, :3], counting_kind(counting, MYELINATED), cells.pixel_size)
    without = unmyelinated(pixels, found, counting, cells.pixel_size)
    sides = [cells.sides(axis) for axis in (0, 1)]
    maps = {
        "axon_count": (found.axon_count, "1", "axons whose centroid lies in the cell"),
        "axon_density": (found.axon_density, "mm-2", "axon density"),
        "avf": (found.avf, "1", "axon volume fraction"),
        "mvf": (found.mvf, "1", "myelin volume fraction"),
        "fvf": (found.avf + found.mvf, "1", "fiber volume fraction"),
        "gratio_aggregate": (found.gratio_aggregate, "1", "aggregate g-ratio"),
        "axon_diameter_mean": (found.diameter_mean, "um", "mean axon diameter"),
        "axon_diameter_std": (found.diameter_std, "um", "standard deviation of axon diameter"),
        "gratio_mean": (found.gratio_mean, "1", "mean g-ratio of the axons that have myelin"),
        "covered_area": (found.area_mm2, "mm2", "covered area of the cell"),
        "covered_fraction": (pixels[:, 0] / np.outer(*sides).ravel(), "1", "covered part of a whole cell"),
    }
    if without is not None:
        maps |= {
            "unmyelinated_count": (without.number, "1", "unmyelinated axons whose centroid lies in the cell"),
            "unmyelinated_density": (without.density, "mm-2", "unmyelinated axon density"),
            "unmyelinated_avf": (without.avf, "1", "unmyelinated axon volume fraction"),
            "unmyelinated_diameter_mean": (without.diameter_mean, "um", "mean unmyelinated axon diameter"),
            "myelinated_fraction": (without.myelinated_fraction, "1", "share of the axons that are myelinated"),
        }
    centres = [
        (edges[:-1] + edges[1:]) / 2 * um
        for edges, um in zip(map(cells.edges, (0, 1)), (cells.pixel_size.y, cells.pixel_size.x), strict=True)
    ]
    return xr.Dataset(
        {
            name: (("y", "x"), values.reshape(ny, nx), {"units": unit, "long_name": meaning})
            for name, (values, unit, meaning) in maps.items()
        },
        {
            axis: (axis, centre, {"units": "um", "long_name": f"centre of the cell along {axis}"})
            for axis, centre in zip("yx", centres, strict=True)
        },
        {"cell_side_um": cells.side_um},
    )


@compiled
def _add_up(
    counted: Labels,
    place: NDArray[np.uint8],
    covered: NDArray[np.bool_],
    rows: Ints,
    columns: Ints,
    total: Ints,
) -> None:
    """Add every covered pixel to the cell in its row and column of ``total``, (rows, columns, sums)."""
    h, w = covered.shape
    for y in range(h):
        for x in range(w):
            if covered[y, x]:
                cell, k = total[rows[y], columns[x]], place[counted[y, x]]
                cell[0] += 1
                cell[k] += k > 0
