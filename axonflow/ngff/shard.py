"""How a shard lies in its file: its chunks, compressed one by one, then an index of where each is.

Zarr writes and reads shards too, but through machinery made for every kind of store, which takes as long again as the
compression, and on one thread of the process, whoever asks. For files, and for codecs known beforehand, none of it is
needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from os import SEEK_END
from pathlib import Path

import numpy as np
from google_crc32c import value as crc32c
from numcodecs import CRC32C
from numcodecs.abc import Codec
from numpy.typing import NDArray

from axonflow.kernel.documents import open_file
from axonflow.kernel.files import NewFile, NewFiles
from axonflow.kernel.grid import Box

__all__ = ["DamagedShardError", "ShardFormat"]

ABSENT = 2**64 - 1
"""Stands in the index in place of offset and size of a chunk that is not stored."""

CHECKSUM = 4
"""Bytes of a CRC32C."""


class DamagedShardError(Exception):
    """A shard that cannot be read as it was written.

    Parameters
    ----------
    what : str
        What is wrong.
    box : Box
        Where, in pixels of the shard.
    """

    def __init__(self, what: str, box: Box) -> None:
        super().__init__(what)
        self.what, self.box = what, box


@dataclass(frozen=True, slots=True)
class ShardFormat:
    """How the shards of an array lie in their files.

    Parameters
    ----------
    side : int
        Of a shard, px.
    chunk : int
        Side of its chunks, px.
    codec : numcodecs codec
        Compresses a chunk.
    checked : bool
        Whether a checksum follows each chunk, and every shard has a file, be it of zeros alone: so neither a changed
        bit nor a file that is gone reads as something else. Stores of before have neither.

    Notes
    -----
    Zarr's codec ``sharding_indexed`` with the index at the end, little-endian, followed by its CRC32C; each chunk
    through ``codec`` and, if checked, ``crc32c``.
    """

    side: int
    chunk: int
    codec: Codec
    checked: bool = True

    def write(self, files: NewFiles, path: Path, pixels: NDArray[np.generic]) -> None:
        """Write a shard as one of several files, which get their names together.

        Parameters
        ----------
        files : NewFiles
        path : Path
            The shard's file; its folder is made.
        pixels : (h, w) array
            As much of the shard as lies in the image, from its top left corner. Chunks of zeros alone are not stored.

        Raises
        ------
        OSError
            What the file system says, as it is.
        """
        with files.new_file(path) as file:
            index = np.full((self.side // self.chunk, self.side // self.chunk, 2), ABSENT, "<u8")
            whole = np.zeros((self.chunk, self.chunk), pixels.dtype.newbyteorder("<"))
            for row, column in product(*(_touched(0, length, self.chunk) for length in pixels.shape)):
                part = pixels[self._chunk(row, column).slices]
                if part.shape != whole.shape:
                    whole[:] = 0
                whole[: part.shape[0], : part.shape[1]] = part
                if whole.any():
                    encoded = self.codec.encode(whole)
                    index[row, column] = file.sum.size, len(encoded) + CHECKSUM
                    _write_checked(file, encoded)
            _write_checked(file, index.tobytes())

    def read(self, path: Path, box: Box, pixels: NDArray[np.generic]) -> None:
        """Read a part of a shard as :meth:`write` wrote it.

        Parameters
        ----------
        path : Path
            Its file.
        box : Box
            What to read, in pixels of the shard, inside it.
        pixels : (box.shape) array
            Filled with zeros. Where to put what is read.

        Raises
        ------
        DamagedShardError
            If the file is damaged, or is not there although every shard has one.
        OSError
            What the file system says, as it is.
        """
        count = self.side // self.chunk
        try:
            file = open_file(path)
        except FileNotFoundError as error:
            if self.checked:
                raise DamagedShardError("its file is gone", Box(0, 0, self.side, self.side)) from error
            return
        with file:
            here = Box(0, 0, self.side, self.side)
            try:
                file.seek(-min(count * count * 16 + 4, file.seek(0, SEEK_END)), SEEK_END)
                index = np.frombuffer(CRC32C().decode(file.read()), "<u8").reshape(count, count, 2)
                whole = np.empty((self.chunk, self.chunk), pixels.dtype.newbyteorder("<"))
                rows, columns = _touched(box.y0, box.y1, self.chunk), _touched(box.x0, box.x1, self.chunk)
                for row, column in product(rows, columns):
                    begin, size = index[row, column].tolist()
                    if begin != ABSENT:
                        here = self._chunk(row, column)
                        file.seek(begin)
                        encoded = file.read(size)
                        self.codec.decode(CRC32C().decode(encoded) if self.checked else encoded, whole)
                        part = here & box
                        pixels[part.relative_to(box).slices] = whole[part.relative_to(here).slices]
            except (IndexError, RuntimeError, ValueError) as error:
                raise DamagedShardError(str(error), here) from error

    def _chunk(self, row: int, column: int) -> Box:
        return Box(row * self.chunk, column * self.chunk, (row + 1) * self.chunk, (column + 1) * self.chunk)


def _write_checked(file: NewFile, content: bytes) -> None:
    """Write bytes and their CRC32C: one after the other, as numcodecs copies both into an array first."""
    file.write(content)
    file.write(crc32c(content).to_bytes(CHECKSUM, "little"))


def _touched(begin: int, end: int, chunk: int) -> range:
    """Return the chunks that pixels lie in, along one axis."""
    return range(begin // chunk, -(-end // chunk))
