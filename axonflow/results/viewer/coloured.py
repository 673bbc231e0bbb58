"""Images that exist only while they are looked at: each pixel of a label image is looked up in a table.

Such an image has the grid, levels and chunks of the labels it is painted on. It answers as an OME-Zarr of float32
whose chunks are computed when they are asked for, so a million axons are painted at the cost of what is in view.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numcodecs import Zstd
from numpy.typing import NDArray

from axonflow.fiber.maps import Cells
from axonflow.kernel.grid import Box
from axonflow.ngff import Pyramid
from axonflow.ngff.metadata import VERSION, multiscale

__all__ = ["ColouredLabels"]

Floats = NDArray[np.float32]

STRIPE_PX = 4
"""Width of the stripes of rests of cells, in pixels of whatever level is seen, so that they are seen at any zoom."""


@dataclass(frozen=True)
class ColouredLabels:
    """An image on the grid of labels.

    Attributes
    ----------
    name : str
    grid : Pyramid
        The labels.
    values : callable of (int, Box) to (h, w) float32
        The pixels in a box of a level; NaN shows nothing.
    """

    name: str
    grid: Pyramid
    values: Callable[[int, Box], Floats]

    @classmethod
    def by_label(
        cls, name: str, labels: Pyramid, ids: NDArray[np.int64], values: NDArray[np.float64]
    ) -> ColouredLabels:
        """Paint every label in its value.

        Parameters
        ----------
        name : str
        labels : Pyramid
        ids : (k,) int64
            Of the labels that have a value.
        values : (k,) float64
        """
        table = np.full(int(ids.max(initial=0)) + 1, np.nan, np.float32)
        table[ids] = values

        def look_up(level: int, box: Box) -> Floats:
            found = labels.read(box, level)
            return np.where(found < len(table), table[np.minimum(found, len(table) - 1)], np.float32(np.nan))

        return cls(name, labels, look_up)

    @classmethod
    def by_cell(
        cls, name: str, labels: Pyramid, cells: Cells, values: NDArray[np.float64], rests: NDArray[np.bool_]
    ) -> ColouredLabels:
        """Paint every pixel in the value of its map's cell, so that a map ends where the slide does.

        Parameters
        ----------
        name : str
        labels : Pyramid
            Whose pixels the cells are made of.
        cells : Cells
        values : (rows, columns) float64
        rests : (rows, columns) bool
            Cells that are striped, as less than half of them counts: between the stripes nothing is shown.
        """
        table = values.astype(np.float32)

        def look_up(level: int, box: Box) -> Floats:
            rows, columns = (
                np.searchsorted(cells.edges(axis), np.arange(first, last) << level, side="right") - 1
                for axis, first, last in ((0, box.y0, box.y1), (1, box.x0, box.x1))
            )
            painted = table[np.ix_(rows, columns)]
            striped = rests[np.ix_(rows, columns)]
            if striped.any():
                along = np.add.outer(np.arange(box.y0, box.y1), np.arange(box.x0, box.x1))
                painted[striped & (along // STRIPE_PX % 2 == 1)] = np.nan
            return painted

        return cls(name, labels, look_up)

    def file(self, path: str) -> bytes:
        """Return a file of the OME-Zarr that this image would be.

        Raises
        ------
        LookupError
            If it has no such file.
        """
        if path == "zarr.json":
            return json.dumps(self._group()).encode()
        if found := re.fullmatch(r"s(\d{1,2})/zarr\.json", path):
            return json.dumps(self._array(self._level(found[1]))).encode()
        if found := re.fullmatch(r"s(\d{1,2})/c/(\d{1,9})/(\d{1,9})", path):
            level = self._level(found[1])
            return bytes(Zstd(level=1).encode(self._chunk(level, int(found[2]), int(found[3]))))
        raise LookupError(path)

    def _level(self, text: str) -> int:
        if int(text) >= self.grid.count:
            raise LookupError(text)
        return int(text)

    def _chunk(self, level: int, row: int, column: int) -> Floats:
        side = self.grid.levels.chunk_of(level)
        whole = Box.whole(self.grid.levels.shape_of(level))
        box = Box(row * side, column * side, (row + 1) * side, (column + 1) * side) & whole
        if box.y0 >= box.y1 or box.x0 >= box.x1:
            raise LookupError(f"{row}/{column}")
        chunk = np.full((side, side), np.nan, "<f4")
        chunk[: box.shape[0], : box.shape[1]] = self.values(level, box)
        return chunk

    def _group(self) -> dict[str, Any]:
        grid = self.grid
        levels = multiscale(self.name, "yx", grid.pixel_size, grid.origin_um, grid.count, "nearest")
        return {
            "zarr_format": 3,
            "node_type": "group",
            "attributes": {"ome": {"version": VERSION, "multiscales": [levels]}},
        }

    def _array(self, level: int) -> dict[str, Any]:
        side = self.grid.levels.chunk_of(level)
        return {
            "zarr_format": 3,
            "node_type": "array",
            "shape": self.grid.levels.shape_of(level),
            "data_type": "float32",
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [side, side]}},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "fill_value": "NaN",
            "codecs": [
                {"name": "bytes", "configuration": {"endian": "little"}},
                {"name": "zstd", "configuration": {"level": 1, "checksum": False}},
            ],
            "dimension_names": ["y", "x"],
        }
