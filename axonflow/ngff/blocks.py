"""Sums over square blocks of an image's pixels, as a plain Zarr array beside the images: (sums, y, x), uint32.

Written like the images: whole chunks, each by the one task that owns the pixels under it, on the disk when a method
returns. Viewers need not know it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import BloscCodec, Crc32cCodec

from axonflow.errors import StoreError
from axonflow.kernel.files import make_durable, make_folder, remove
from axonflow.kernel.grid import Box
from axonflow.ngff.group import as_written, open_array
from axonflow.ngff.levels import Levels

__all__ = ["Blocks"]


@dataclass(frozen=True, slots=True)
class Blocks:
    """Sums per block inside a store; a value that says where and how they lie.

    Parameters
    ----------
    path : Path
        The array's folder.
    shape : (int, int)
        Height and width of the image that the blocks tile, px.
    names : tuple of str
        What is summed.
    side : int
        Of a block, px; the last ones end with the image.
    shard : int
        Side of what one task writes, px; a multiple of the block's. It becomes one chunk of the array.
    """

    path: Path
    shape: tuple[int, int]
    names: tuple[str, ...]
    side: int
    shard: int

    @classmethod
    def open(cls, path: Path) -> Blocks:
        """Read the value back from a store.

        Raises
        ------
        StoreError
            If what lies at ``path`` is not an array as :meth:`create` makes it.
        """
        with as_written("Sums over blocks", path, "segment the slide again, by a network"):
            array = open_array(path)
            said: Any = array.attrs
            h, w = said["image_shape_px"]
            side = int(said["block_px"])
            found = cls(path, (int(h), int(w)), tuple(said["sums"]), side, array.chunks[-1] * side)
            found.array()
        return found

    def array(self) -> zarr.Array[Any]:
        """Return the sums as a (sums, y, x) Zarr array.

        Raises
        ------
        StoreError
            If the array in the store is not the one this value describes.
        """
        array = open_array(self.path, "r+")
        chunk = self.shard // self.side
        wanted = self._shape, "uint32", (len(self.names), chunk, chunk)
        if (array.shape, str(array.dtype), array.chunks) != wanted:
            raise StoreError(
                f"Sums of shape {wanted[0]}, uint32, in chunks of {wanted[2]} were expected at {self.path}, "
                f"{array.shape}, {array.dtype}, {array.chunks} came; segment the slide again."
            )
        return array

    def create(self) -> None:
        """Make the empty array; what lay there before is removed."""
        remove(self.path)
        make_folder(self.path)
        chunk = self.shard // self.side
        zarr.create_array(
            self.path,
            shape=self._shape,
            dtype="uint32",
            chunks=(len(self.names), chunk, chunk),
            compressors=(BloscCodec(cname="zstd", clevel=1, shuffle="bitshuffle"), Crc32cCodec()),
            fill_value=0,
            dimension_names=("sum", "y", "x"),
            attributes={"sums": list(self.names), "block_px": self.side, "image_shape_px": list(self.shape)},
            zarr_format=3,
        )
        make_durable([self.path / "zarr.json"], self.path)

    def read(self, box: Box) -> NDArray[np.uint32]:
        """Read the sums of the blocks that begin in a box of the image's pixels."""
        return np.asarray(self.array()[self._index(box)])

    def write(self, box: Box, sums: NDArray[np.uint32]) -> None:
        """Write the sums of the blocks in a box of the image's pixels that owns its shards.

        Raises
        ------
        InputError
            If it does not.
        OSError
            What the file system says, as it is.
        """
        Levels(self.shape, self.shard, 1).check(0, box)
        array, chunks = self.array(), self.path / "c" / "0"
        written = []
        for y in range(box.y0, box.y1, self.shard):  # one after another, as the shards of images
            for x in range(box.x0, box.x1, self.shard):
                shard = Box(y, x, y + self.shard, x + self.shard) & box
                array[self._index(shard)] = sums[(slice(None), *shard.relative_to(box).coarser(self.side).slices)]
                written.append(chunks / str(y // self.shard) / str(x // self.shard))
        make_durable(written, self.path)

    @property
    def _shape(self) -> tuple[int, int, int]:
        h, w = Box.whole(self.shape).coarser(self.side).shape
        return len(self.names), h, w

    def _index(self, box: Box) -> tuple[slice, ...]:
        return (slice(None), *box.coarser(self.side).slices)
