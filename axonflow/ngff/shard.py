"""How a shard lies in its file: its chunks, compressed one by one, then an index of where each is.

Zarr writes shards too, but through machinery made for every kind of store, which takes as long again as the
compression. Whoever has all pixels of a shard at hand needs none of it; to read parts of one, that is what it is for.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path
from uuid import uuid4

import numpy as np
from numcodecs import CRC32C
from numcodecs.abc import Codec
from numpy.typing import NDArray

__all__ = ["write_shard"]

ABSENT = 2**64 - 1
"""Stands in the index in place of offset and size of a chunk that is not stored."""


def write_shard(path: Path, pixels: NDArray[np.generic], side: int, chunk: int, codec: Codec) -> None:
    """Write a shard whole: it appears under its name when it is complete.

    Parameters
    ----------
    path : Path
        Its file; the folder is made.
    pixels : (h, w) array
        As much of the shard as lies in the image, from its top left corner.
    side : int
        Of the shard, px.
    chunk : int
        Side of its chunks, px. Those of zeros alone are not stored; a shard without any has no file.
    codec : numcodecs codec
        Compresses a chunk.

    Raises
    ------
    OSError
        What the file system says, as it is.

    Notes
    -----
    Zarr's codec ``sharding_indexed`` with the index at the end, little-endian, followed by its CRC32C.
    """
    if not pixels.any():
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{uuid4().hex}.partial")
    try:
        with partial.open("wb") as file:
            index = np.full((side // chunk, side // chunk, 2), ABSENT, "<u8")
            for row, column in product(range(-(-pixels.shape[0] // chunk)), range(-(-pixels.shape[1] // chunk))):
                part = pixels[row * chunk : (row + 1) * chunk, column * chunk : (column + 1) * chunk]
                if part.any():
                    whole = np.zeros((chunk, chunk), part.dtype.newbyteorder("<"))
                    whole[: part.shape[0], : part.shape[1]] = part
                    encoded = codec.encode(whole)
                    index[row, column] = file.tell(), len(encoded)
                    file.write(encoded)
            file.write(CRC32C().encode(index))
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
