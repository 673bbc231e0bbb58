"""A level of a multiscale image as what numpy and dask take for a (y, x) array."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axonflow.kernel.grid import Box
from axonflow.ngff.pyramid import Pyramid

__all__ = ["Plane"]


@dataclass(frozen=True, slots=True)
class Plane:
    """A level of an image; what is read of it was checked.

    Parameters
    ----------
    image : Pyramid
    level : int
    """

    image: Pyramid
    level: int = 0

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width, px."""
        return self.image.shapes[self.level]

    @property
    def ndim(self) -> int:
        """2: rows and columns."""
        return 2

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of its pixels."""
        return np.dtype(self.image.dtype)

    @property
    def chunk(self) -> int:
        """Side of what is best read at once, px."""
        return self.image.levels.chunk_of(self.level)

    def __getitem__(self, index: tuple[slice, slice]) -> NDArray[Any]:
        """Read rows and columns.

        Raises
        ------
        StoreError
            If they are damaged.
        """
        (y0, y1, y), (x0, x1, x) = (part.indices(side) for part, side in zip(index, self.shape, strict=True))
        pixels: NDArray[Any] = self.image.read(Box(y0, x0, max(y1, y0), max(x1, x0)), self.level)
        return pixels[::y, ::x]
