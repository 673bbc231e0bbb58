"""How a shard lies in its file: its chunks, compressed one by one, then an index of where each is.

Zarr writes and reads shards too, but through machinery made for every kind of store, which takes as long again as the
compression, and on one thread of the process, whoever asks. For files, and for codecs known beforehand, none of it is
needed.
"""

from __future__ import annotations

from itertools import product
from os import SEEK_END
from pathlib import Path

import numpy as np
from numcodecs import CRC32C
from numcodecs.abc import Codec
from numpy.typing import NDArray

from axonflow.errors import StoreError
from axonflow.kernel.files import NewFiles
from axonflow.kernel.grid import Box

__all__ = ["read_shard", "write_shard"]

ABSENT = 2**64 - 1
"""Stands in the index in place of offset and size of a chunk that is not stored."""


def write_shard(files: NewFiles, path: Path, pixels: NDArray[np.generic], side: int, chunk: int, codec: Codec) -> None:
    """Write a shard as one of several files, which get their names together.

    Parameters
    ----------
    files : NewFiles
    path : Path
        The shard's file; its folder is made.
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
        files.remove(path)
        return
    with files.new_file(path) as unnamed, unnamed.open("wb") as file:
        index = np.full((side // chunk, side // chunk, 2), ABSENT, "<u8")
        whole = np.zeros((chunk, chunk), pixels.dtype.newbyteorder("<"))
        for row, column in product(_touched(0, pixels.shape[0], chunk), _touched(0, pixels.shape[1], chunk)):
            part = pixels[row * chunk : (row + 1) * chunk, column * chunk : (column + 1) * chunk]
            if part.shape != whole.shape:
                whole[:] = 0
            whole[: part.shape[0], : part.shape[1]] = part
            if whole.any():
                encoded = codec.encode(whole)
                index[row, column] = file.tell(), len(encoded)
                file.write(encoded)
        file.write(CRC32C().encode(index))


def read_shard(path: Path, box: Box, pixels: NDArray[np.generic], side: int, chunk: int, codec: Codec) -> None:
    """Read a part of a shard as :func:`write_shard` wrote it.

    Parameters
    ----------
    path : Path
        Its file; if there is none, all of it is zeros.
    box : Box
        What to read, in pixels of the shard, inside it.
    pixels : (box.shape) array
        Filled with zeros. Where to put what is read.
    side, chunk, codec
        As it was written.

    Raises
    ------
    StoreError
        If the file is damaged.
    OSError
        What the file system says, as it is.
    """
    count = side // chunk
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        try:
            file.seek(-min(count * count * 16 + 4, file.seek(0, SEEK_END)), SEEK_END)
            index = np.frombuffer(CRC32C().decode(file.read()), "<u8").reshape(count, count, 2)
            whole = np.empty((chunk, chunk), pixels.dtype.newbyteorder("<"))
            for row, column in product(_touched(box.y0, box.y1, chunk), _touched(box.x0, box.x1, chunk)):
                begin, size = index[row, column].tolist()
                if begin != ABSENT:
                    file.seek(begin)
                    codec.decode(file.read(size), whole)
                    here = Box(row * chunk, column * chunk, (row + 1) * chunk, (column + 1) * chunk)
                    part = here & box
                    pixels[part.relative_to(box).slices] = whole[part.relative_to(here).slices]
        except (RuntimeError, ValueError) as error:
            raise StoreError(
                f"A shard of {count} × {count} chunks was expected at {path}, but it is damaged ({error}); remove the "
                "store and run again."
            ) from error


def _touched(begin: int, end: int, chunk: int) -> range:
    """Return the chunks that pixels lie in, along one axis."""
    return range(begin // chunk, -(-end // chunk))
