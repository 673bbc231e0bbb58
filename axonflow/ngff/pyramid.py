"""A multiscale image in a store: where it lies, how it is cut, and the one way to write it.

Whoever writes, writes whole shards, in every level: a box that does not own its shards is refused before a pixel
is touched. A shard appears under its name only when complete, so a killed task leaves either the old one or the
new one. What was written is on the disk when a method returns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite
from pathlib import Path
from typing import Any, Literal

import numcodecs
import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.abc.codec import BytesBytesCodec
from zarr.codecs import BloscCodec, Crc32cCodec, ZstdCodec

from axonflow.errors import DamageError, InputError, StoreError
from axonflow.kernel.files import NewFiles, make_durable, make_folders, remove
from axonflow.kernel.grid import Box, Grid
from axonflow.kernel.units import PixelSize
from axonflow.ngff import halve
from axonflow.ngff.group import add_group, as_written, open_array, open_group, read_attributes, write_group
from axonflow.ngff.levels import Levels
from axonflow.ngff.metadata import VERSION, Colours, image_label, labels_index, multiscale, omero, placement
from axonflow.ngff.shard import DamagedShardError, ShardFormat

__all__ = ["Kind", "Pyramid"]

Kind = Literal["image", "labels"]

DTYPES: dict[Kind, tuple[str, ...]] = {
    "image": ("uint8", "uint16", "float32"),
    "labels": ("uint8", "uint16", "uint32", "uint64"),
}

# Tried on SEM slides and on their labels: nothing that writes as fast is clearly smaller.
CODECS: dict[Kind, numcodecs.abc.Codec] = {
    "image": numcodecs.Blosc("zstd", 1, numcodecs.Blosc.BITSHUFFLE),
    "labels": numcodecs.Zstd(1),
}
"""What compresses a chunk; :meth:`Pyramid._compressors` is how the metadata say it."""


@dataclass(frozen=True, slots=True)
class Pyramid:
    """A multiscale image, or label image, inside a store; a value that says where and how it lies.

    Parameters
    ----------
    path : Path
        The group's folder: the store itself for the slide, ``STORE/labels/NAME`` for labels.
    shape : (int, int)
        Height and width of level 0, px.
    dtype : str
        uint8, uint16 or float32; for labels uint8, uint16, uint32 or uint64.
    pixel_size : PixelSize
        Of level 0.
    origin_um : (float, float)
        Where the centre of the first pixel of level 0 lies, (y, x), µm.
    shard : int
        Side of a shard of level 0, px; even. What one task writes is made of these.
    kind : "image" or "labels"
        An image is stored (1, y, x) and its levels are means of 2 × 2 pixels. Labels are stored (y, x), and a level
        keeps the top left one of 2 × 2.
    count : int
        Number of levels; 0 for as many as it takes until the larger side is at most 512 px. NGFF wants the labels
        of a slide to have as many levels as the slide, whatever their shape.
    checked : bool
        Whether its shards are; those of stores made before there were checksums can be read, not written.

    Raises
    ------
    InputError
        If the shape, shard, dtype or place is not one that can be stored.
    """

    path: Path
    shape: tuple[int, int]
    dtype: str
    pixel_size: PixelSize
    origin_um: tuple[float, float] = (0.0, 0.0)
    shard: int = 4096
    kind: Kind = "image"
    count: int = 0
    checked: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "count", self.levels.count)  # two values that mean the same are equal
        if self.dtype not in DTYPES[self.kind]:
            raise InputError(
                f"Pixels of {', '.join(DTYPES[self.kind])} were expected in {self.path}, {self.dtype} came."
            )
        if self.kind == "labels" and self.path.parent.name != "labels":
            raise InputError(f"Labels were expected at STORE/labels/NAME, {self.path} came; viewers look nowhere else.")

    @classmethod
    def open(cls, path: Path) -> Pyramid:
        """Read the value back from a store.

        Raises
        ------
        StoreError
            If what lies at ``path`` is not a pyramid as :meth:`create` makes it.
        """
        with as_written(f"An OME-Zarr {VERSION} image", path, "convert the slide again"):
            ome: Any = open_group(path).attrs["ome"]
            kind: Kind = "labels" if "image-label" in ome else "image"
            pixel_size, origin_um = placement(ome["multiscales"][0])
            bottom = open_array(path / "s0")
            h, w = bottom.shape[-2:]
            shard = (bottom.shards or bottom.chunks)[-1]
            levels = len(ome["multiscales"][0]["datasets"])
            checked = Crc32cCodec() in bottom.compressors
            found = cls(path, (h, w), str(bottom.dtype), pixel_size, origin_um, shard, kind, levels, checked)
            for level in range(found.count):
                found.array(level)
        return found

    @property
    def levels(self) -> Levels:
        """The arithmetic of the levels."""
        return Levels(self.shape, self.shard, self.count)

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """Height and width of every level, px."""
        return self.levels.shapes

    def array(self, level: int = 0) -> zarr.Array[Any]:
        """Return a level as a zarr array, opened once per process.

        Raises
        ------
        StoreError
            If the array in the store is not the one this value describes.
        """
        return _array(self, level)

    def read(self, box: Box, level: int = 0) -> NDArray[Any]:
        """Read a box of a level.

        Parameters
        ----------
        box : Box
            In pixels of the level, inside it.
        level : int

        Returns
        -------
        (box.shape) array of the pyramid's dtype

        Raises
        ------
        InputError
            If the box leaves the level.
        StoreError
            If what is stored is damaged, or is not what this value describes.
        """
        whole = Box.whole(self.levels.shape_of(level))
        if box & whole != box:
            raise InputError(f"A box inside {whole} was expected at level {level}, {box} came.")
        pixels, form = np.zeros(box.shape, self.dtype), self._format(level)
        for path, shard in self._shards(level, box):
            part = shard & box
            try:
                form.read(path, part.relative_to(shard), pixels[part.relative_to(box).slices])
            except DamagedShardError as error:
                raise self._damaged(path, level, error, shard) from error
        return pixels

    def _damaged(self, path: Path, level: int, error: DamagedShardError, shard: Box) -> DamageError:
        """Say what is damaged, and where on the slide."""
        box = Box(error.box.y0 + shard.y0, error.box.x0 + shard.x0, error.box.y1 + shard.y0, error.box.x1 + shard.x0)
        box &= Box.whole(self.levels.shape_of(level))
        y, x = (
            f"{axis} = {origin + (begin << level) * um:.0f} to {origin + (end << level) * um:.0f} µm"
            for axis, origin, um, begin, end in zip(
                "yx",
                self.origin_um,
                (self.pixel_size.y, self.pixel_size.x),
                (box.y0, box.x0),
                (box.y1, box.x1),
                strict=True,
            )
        )
        name = f"labels/{self.path.name}" if self.kind == "labels" else "the slide's image"
        return DamageError(
            f"The pixels of {name} at {y}, {x} were expected in {path}, but the file is damaged ({error.what}). "
            "Run the same axonflow run again: it finds all that is damaged and makes it anew."
        )

    def create(self, *, colours: Colours | None = None) -> None:
        """Make the group, its empty arrays and their metadata; what the image held before is removed.

        Nothing else in the store is touched: labels, tables and maps of a slide stay.

        Parameters
        ----------
        colours : mapping of int to (int, int, int, int), optional
            Red, green, blue and opacity of label values.
        """
        _array.cache_clear()
        remove(*(folder for folder in self.path.glob("s*") if re.fullmatch(r"s\d+", folder.name)))
        levels, ahead = self.levels, (1,) * (len(self._axes) - 2)
        for level in range(self.count):
            shard, chunk = levels.shard_of(level), levels.chunk_of(level)
            zarr.create_array(
                self.path / f"s{level}",
                shape=ahead + levels.shape_of(level),
                dtype=self.dtype,
                chunks=(*ahead, chunk, chunk),
                shards=(*ahead, shard, shard),
                compressors=self._compressors,
                fill_value=0,
                dimension_names=tuple(self._axes),
                zarr_format=3,
            )
        make_durable((self.path / f"s{level}" / "zarr.json" for level in range(self.count)), self.path)
        make_folders((folder for level in range(self.count) for folder in self._rows(level)), self.path)
        if self.kind == "labels":
            known = read_attributes(self.path.parent).get("ome", {})
            with NewFiles(self.path.parents[1]) as files:
                add_group(files, self.path.parent, {"ome": labels_index([*known.get("labels", []), self.path.name])})
                add_group(files, self.path, {"ome": self._ome() | {"image-label": image_label(colours)}})
        else:
            write_group(self.path, {"ome": self._ome() | {"omero": omero("slide", self.dtype)}})

    @property
    def window(self) -> tuple[float, float]:
        """The greys that a viewer shows black and white.

        Raises
        ------
        StoreError
            If the metadata are damaged.
        """
        with as_written(f"An OME-Zarr {VERSION} image", self.path, "convert the slide again"):
            ome = read_attributes(self.path)["ome"]
            shown = ome["omero"]["channels"][0]["window"]
            low, high = float(shown["start"]), float(shown["end"])
            if not isfinite(high - low):
                raise ValueError(f"greys from {low} to {high}")
        return low, high

    def set_window(self, low: float, high: float) -> None:
        """Write which grey values of an image a viewer shows black and white.

        Raises
        ------
        InputError
            If this is a label image.
        """
        if self.kind != "image":
            raise InputError(
                f"An image was expected, but {self.path} holds labels, which have no window of grey values."
            )
        write_group(self.path, {"ome": self._ome() | {"omero": omero("slide", self.dtype, (low, high))}})

    def rounds(self) -> tuple[int, ...]:
        """Return the rounds that follow :meth:`write`, in their order; each needs the one before to be complete."""
        return self.levels.rounds

    def round_grid(self, number: int) -> Grid:
        """Return the cores of a round: of :meth:`write` for round 0, of :meth:`write_round` for the others."""
        return self.levels.grid(number)

    def write(self, box: Box, pixels: NDArray[np.generic]) -> None:
        """Write a box of level 0 and what follows from it in the levels of round 0.

        Parameters
        ----------
        box : Box
            One or more whole cores of ``round_grid(0)``.
        pixels : (box.shape) array of the pyramid's dtype

        Raises
        ------
        InputError
            If the box does not own its shards, or the pixels do not fit it.
        OSError
            What the file system says, as it is.
        """
        self.levels.check(0, box)
        if pixels.shape != box.shape or pixels.dtype != self.dtype:
            raise InputError(
                f"{box.shape} pixels of {self.dtype} were expected, {pixels.shape} of {pixels.dtype} came."
            )
        with NewFiles(self.path, made=True) as shards:
            self._store(shards, 0, box, pixels)
            self._climb(shards, 0, box, pixels)

    def write_round(self, number: int, box: Box) -> None:
        """Write what follows from a box of a round's bottom level, which the round before has written.

        Parameters
        ----------
        number : int
            One of :meth:`rounds`.
        box : Box
            One or more whole cores of ``round_grid(number)``.

        Raises
        ------
        InputError
            If there is no such round, or the box does not own its shards.
        OSError
            What the file system says, as it is.
        """
        self.levels.check(number, box)
        with NewFiles(self.path, made=True) as shards:
            self._climb(shards, number, box, self.read(box, self.levels.bottom(number)))

    def _climb(self, shards: NewFiles, number: int, box: Box, pixels: NDArray[np.generic]) -> None:
        """Write the levels of a round above a box of its bottom level."""
        step = halve.mean if self.kind == "image" else halve.nearest
        for level in self.levels.above(number):
            pixels, box = step(pixels), box.coarser(2)
            self._store(shards, level, box, pixels)

    def _store(self, shards: NewFiles, level: int, box: Box, pixels: NDArray[np.generic]) -> None:
        """Write whole shards one after another, so that none is still being written when one has failed."""
        form = self._format(level)
        for path, shard in self._shards(level, box):
            form.write(shards, path, pixels[(shard & box).relative_to(box).slices])

    def _format(self, level: int) -> ShardFormat:
        return ShardFormat(
            self.levels.shard_of(level), self.levels.chunk_of(level), CODECS[self.kind], checked=self.checked
        )

    def _rows(self, level: int) -> Iterator[Path]:
        """Yield the folders of a level's shards, one for each row."""
        rows = -(-self.levels.shape_of(level)[0] // self.levels.shard_of(level))
        folder = self.path.joinpath(f"s{level}", "c", *("0" for _ in self._axes[2:]))
        return (folder / str(row) for row in range(rows))

    def _shards(self, level: int, box: Box) -> Iterator[tuple[Path, Box]]:
        """Yield the files that hold a box of a level, and where their shards lie."""
        self.array(level)  # refuses a store that holds another
        side = self.levels.shard_of(level)
        folder = self.path.joinpath(f"s{level}", "c", *("0" for _ in self._axes[2:]))
        for y in range(box.y0 // side * side, box.y1, side):
            for x in range(box.x0 // side * side, box.x1, side):
                yield folder / str(y // side) / str(x // side), Box(y, x, y + side, x + side)

    @property
    def _compressors(self) -> tuple[BytesBytesCodec, ...]:
        """The codecs of a chunk, as the metadata say them."""
        first: BytesBytesCodec = ZstdCodec(level=1)
        if self.kind == "image":
            typesize = np.dtype(self.dtype).itemsize
            first = BloscCodec(typesize=typesize, cname="zstd", clevel=1, shuffle="bitshuffle")
        return (first, Crc32cCodec()) if self.checked else (first,)

    @property
    def _axes(self) -> str:
        return "cyx" if self.kind == "image" else "yx"

    def _ome(self) -> dict[str, Any]:
        name = self.path.name.removesuffix(".ome.zarr")
        rule = "mean" if self.kind == "image" else "nearest"
        return {
            "version": VERSION,
            "multiscales": [multiscale(name, self._axes, self.pixel_size, self.origin_um, self.count, rule)],
        }


@lru_cache(maxsize=256)
def _array(pyramid: Pyramid, level: int) -> zarr.Array[Any]:
    """Open a level; safe to keep, because the key determines the array and :meth:`Pyramid.create` clears the rest."""
    levels, path = pyramid.levels, pyramid.path / f"s{level}"
    array = open_array(path, "r+")
    ahead = (1,) * (len(pyramid._axes) - 2)
    shard = levels.shard_of(level)
    chunk = levels.chunk_of(level)
    wanted = (*ahead, *levels.shape_of(level)), pyramid.dtype, (*ahead, shard, shard), (*ahead, chunk, chunk)
    found = array.shape, str(array.dtype), array.shards, array.chunks
    if (*found, array.compressors) != (*wanted, pyramid._compressors):
        raise StoreError(
            f"An array of shape {wanted[0]}, {wanted[1]}, in shards of {wanted[2]} was expected at {path}, "
            f"{found[0]}, {found[1]}, {found[2]} came; convert the slide again."
        )
    return array
