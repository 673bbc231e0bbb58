"""Slides of which some tiles are damaged, each in a way that files really are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from slides import write_slide

from axonflow.kernel.grid import Box

__all__ = ["SIDE", "WAYS", "damaged_tiff", "tile_box", "without_tiles"]

SIDE = 64
"""Of a tile, px."""

WAYS = {
    "nonsense in deflate": "zlib",
    "nonsense in LZW": "lzw",
    "nonsense in zstd": "zstd",
    "nonsense in JPEG": "jpeg",
    "no bytes": "zlib",
    "no place": "zlib",
    "4 GB": "zlib",
    "beyond the end": "zlib",
}
"""What is wrong with a tile, and how the tiles are compressed."""


def damaged_tiff(path: Path, pixels: NDArray[Any], way: str, tiles: list[int]) -> Path:
    """Write a TIFF, and spoil some of its tiles, by their numbers."""
    write_slide(path, pixels, tile=(SIDE, SIDE), compression=WAYS[way])
    with tifffile.TiffFile(path, mode="r+") as tiff:
        tags = tiff.pages.first.tags
        places, counts = list(tags["TileOffsets"].value), list(tags["TileByteCounts"].value)
        for tile in tiles:
            if way.startswith("nonsense"):
                tiff.filehandle.seek(places[tile])
                tiff.filehandle.write(b"\x00\xff" * (counts[tile] // 2))
            elif way == "beyond the end":
                places[tile] = 2**31
            elif way == "no place":
                places[tile] = 0
            else:
                counts[tile] = 0 if way == "no bytes" else 2**32 - 1
        if not way.startswith("nonsense"):
            tags["TileOffsets"].overwrite(places)
            tags["TileByteCounts"].overwrite(counts, dtype=tifffile.DATATYPE.LONG)
    return path


def tile_box(shape: tuple[int, int], tile: int) -> Box:
    """Return the pixels of a tile."""
    row, column = divmod(tile, -(-shape[1] // SIDE))
    whole = Box(row * SIDE, column * SIDE, (row + 1) * SIDE, (column + 1) * SIDE)
    return whole & Box.whole(shape)


def without_tiles(shape: tuple[int, int], tiles: list[int]) -> NDArray[np.bool_]:
    """Return which pixels lie in none of some tiles."""
    good = np.ones(shape, bool)
    for tile in tiles:
        good[tile_box(shape, tile).slices] = False
    return good
