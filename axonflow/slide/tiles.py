"""Tiles of a slide that cannot be decoded: which they are, and what is left of a box without them.

A tile is what the file decodes at once, its :attr:`~axonflow.slide.Slide.grain`: a TIFF's tile or strip, a Zarr chunk.
Each is judged as a whole, so whatever box is asked for, the same tiles are bad.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from axonflow.errors import SlideError
from axonflow.kernel.grid import Box
from axonflow.kernel.units import PixelSize

__all__ = ["BadTile", "BadTileError", "Partial", "bad_tiles", "place_in_um", "refuse_faults", "tile_words"]

FILLED = 0
"""What stands where a pixel was not measured."""

_LONGEST_REASON = 120


class BadTileError(SlideError):
    """A tile of a file cannot be decoded, or has pixels that are no finite numbers."""


@dataclass(frozen=True, slots=True)
class BadTile:
    """A tile that cannot be decoded.

    Attributes
    ----------
    row, column : int
        Among the tiles of the image.
    box : Box
        Its pixels.
    why : str
        What the decoder said.
    """

    row: int
    column: int
    box: Box
    why: str


@dataclass(frozen=True, slots=True, eq=False)
class Partial:
    """What could be read of a box.

    Attributes
    ----------
    pixels : (h, w) array
        The luminance; 0 where it was not measured.
    unmeasured : (h, w) bool
        Where a tile is bad, or a pixel is no finite number.
    bad : tuple of BadTile
        All that the box touches.
    """

    pixels: NDArray[np.generic]
    unmeasured: NDArray[np.bool_]
    bad: tuple[BadTile, ...]


Decode = Callable[[Box], NDArray[np.generic]]


def bad_tiles(
    decode: Decode, shape: tuple[int, int], grain: tuple[int, int], box: Box, out: NDArray[np.generic]
) -> Iterator[BadTile]:
    """Read a box tile by tile.

    Parameters
    ----------
    decode : callable
        Reads a box of the image.
    shape, grain : (int, int)
        Of the image, and of its tiles, px.
    box : Box
    out : (box.shape) array
        Gets the pixels of the tiles that can be decoded.

    Yields
    ------
    BadTile
        Each of the others.

    Raises
    ------
    SlideError, MemoryError, OSError
        What says nothing of a tile: a file that is gone, or a server that does not answer.
    """
    (tall, wide), whole = grain, Box.whole(shape)
    for row in range(box.y0 // tall, -(-box.y1 // tall)):
        for column in range(box.x0 // wide, -(-box.x1 // wide)):
            tile = whole & Box(row * tall, column * wide, (row + 1) * tall, (column + 1) * wide)
            try:
                pixels = decode(tile)
            except Exception as error:  # codecs raise what they like
                refuse_faults(error)
                yield BadTile(row, column, tile, (str(error) or type(error).__name__)[:_LONGEST_REASON])
            else:
                part = tile & box
                out[part.relative_to(box).slices] = pixels[part.relative_to(tile).slices]


def refuse_faults(error: Exception) -> None:
    """Raise an error again that is no damage of a tile, so that a fault of the machine is never taken for one."""
    fault_of_files = isinstance(error, OSError) and error.errno not in {None, errno.EIO}  # EIO: a disk's bad sector
    if fault_of_files or isinstance(error, SlideError | MemoryError):
        raise error


def tile_words(row: int, column: int, box: Box, pixel_size: PixelSize | None) -> str:
    """Say which tile it is, and where."""
    return f"the tile in row {row}, column {column} of level 0 ({box} px{place_in_um(box, pixel_size)})"


def place_in_um(box: Box, pixel_size: PixelSize | None) -> str:
    """Say where a box lies in µm, after a comma; nothing if the pixel size is not known."""
    if pixel_size is None:
        return ""
    (y0, y1), (x0, x1) = (
        (begin * um, end * um) for begin, end, um in ((box.y0, box.y1, pixel_size.y), (box.x0, box.x1, pixel_size.x))
    )
    return f", y = {y0:.1f} to {y1:.1f} µm, x = {x0:.1f} to {x1:.1f} µm"
