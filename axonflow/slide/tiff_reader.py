"""Boxes of one image of a TIFF: mapped from the file, or decoded from the tiles or strips that they touch."""

from __future__ import annotations

import os
import weakref
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tifffile import TiffFile, TiffPage

from axonflow.kernel.grid import Box
from axonflow.slide.luminance import Luminance
from axonflow.slide.untiled import read_untiled, version

__all__ = ["Directory", "Mapped", "Segmented", "directory", "grain_of"]


@dataclass(frozen=True, slots=True)
class Mapped:
    """Reads uncompressed pixels that lie in the file as an array.

    Attributes
    ----------
    file : Path
    offset : int
        Of the first pixel, bytes.
    dtype : str
        Of a sample, with its byte order.
    stored : (int, int, int, int)
        Separate planes, height, width, samples side by side.
    luminance : Luminance
    """

    file: Path
    offset: int
    dtype: str
    stored: tuple[int, int, int, int]
    luminance: Luminance

    def read(self, box: Box) -> NDArray[np.generic]:
        """Return the luminance in a box."""
        pixels = np.memmap(self.file, self.dtype, "r", self.offset, self.stored)
        rows, columns = box.slices
        planes = pixels[:, rows, columns, 0] if self.stored[0] > 1 else np.moveaxis(pixels[0, rows, columns], -1, 0)
        return np.array(self.luminance.of(*(planes[k] for k in self.luminance.samples)), order="C", subok=False)


@dataclass(frozen=True, slots=True)
class Segmented:
    """Reads an image that is stored in tiles or strips.

    Attributes
    ----------
    file : Path
    ifd : int
        Position of the image's directory in the file, bytes.
    shape : (int, int)
        Of the image, px.
    grain : (int, int)
        Of a tile or strip, px.
    luminance : Luminance
    missing : int or None
        The grey of tiles that were left out; None if none may be.
    scanner : bool
        Whether a tile without place or without bytes was left out; else one without both.
    """

    file: Path
    ifd: int
    shape: tuple[int, int]
    grain: tuple[int, int]
    luminance: Luminance
    missing: int | None = 0
    scanner: bool = False

    def read(self, box: Box) -> NDArray[np.generic]:
        """Return the luminance in a box."""
        return read_untiled(self, box) if self.grain == self.shape else self._decode(box)

    def decode(self) -> NDArray[np.generic]:
        """Return the luminance of the whole image."""
        return self._decode(Box.whole(self.shape))

    def _decode(self, box: Box) -> NDArray[np.generic]:
        opened = directory(self.file, self.ifd)
        page = opened.page
        tall, wide = self.grain
        down, across = -(-self.shape[0] // tall), -(-self.shape[1] // wide)
        planar = int(page.planarconfig) == 2 and page.samplesperpixel > 1
        out = np.empty(box.shape, self.luminance.dtype(page.dtype))
        for row in range(box.y0 // tall, -(-box.y1 // tall)):
            for column in range(box.x0 // wide, -(-box.x1 // wide)):
                place = Box(row * tall, column * wide, (row + 1) * tall, (column + 1) * wide)
                part = box & place
                inside, there = part.relative_to(place).slices, part.relative_to(box).slices
                index = row * across + column
                planes = self.luminance.samples if planar else (0,)
                segments = [_segment(page, index + plane * down * across) for plane in planes]
                if any(segment is None for segment in segments):
                    out[there] = self._left_out(page, [index + plane * down * across for plane in planes])
                elif planar:
                    out[there] = self.luminance.of(*(segment[0][inside][..., 0] for segment in segments))
                else:
                    pixels = segments[0][0][inside]
                    out[there] = self.luminance.of(*(pixels[..., sample] for sample in self.luminance.samples))
        return out

    def _left_out(self, page: Any, indices: list[int]) -> int:
        """Return the grey of a tile that is not in the file, if that is meant."""
        halves = any((page.dataoffsets[i] == 0) != (page.databytecounts[i] == 0) for i in indices)
        if self.missing is None or (halves and not self.scanner):
            raise ValueError("it is not in the file")
        return self.missing


def grain_of(page: Any) -> tuple[int, int]:
    """Return height and width of a page's tiles or strips, px; of the image if it is of one piece."""
    tile = (page.tilelength, page.tilewidth) if page.is_tiled else (page.rowsperstrip, page.imagewidth)
    whole = page.imagelength, page.imagewidth
    return whole if tile[0] >= whole[0] and tile[1] >= whole[1] else tile


class Directory:
    """An open file and the page whose directory stands at a position of it.

    The file stays open as long as this object is held: hold it while the page is read.

    Attributes
    ----------
    page : tifffile.TiffPage
    """

    def __init__(self, file: Path, ifd: int) -> None:
        tiff = TiffFile(file)
        weakref.finalize(self, tiff.close)
        tiff.filehandle.set_lock(True)
        tiff.filehandle.seek(ifd)
        self.page = tiff.pages.first if ifd == tiff.pages.first.offset else TiffPage(tiff, 1)
        self.page.init_decode()  # building it is not thread-safe, using it is
        # A slide of 16 Gpx has 65,536 tiles; in tuples, their places would take five times as much memory.
        for name in ("dataoffsets", "databytecounts"):
            setattr(self.page, name, np.array(getattr(self.page, name), np.uint64))
        for tag in {"TileOffsets", "TileByteCounts", "StripOffsets", "StripByteCounts"} & set(_names(self.page)):
            del self.page.tags[tag]


def _names(page: Any) -> list[str]:
    return [tag.name for tag in page.tags]


def directory(file: Path, ifd: int) -> Directory:
    """Return the directory at a position of a file; a process keeps the last ones open."""
    return _open(file, ifd, version(file), os.getpid())


@lru_cache(maxsize=8)
def _open(file: Path, ifd: int, version: tuple[int, int], process: int) -> Directory:  # noqa: ARG001 (parts of the key)
    return Directory(file, ifd)


def _most_bytes(page: Any) -> int:
    """Return more bytes than any codec makes of a tile or strip: a damaged count may say anything."""
    tall, wide = grain_of(page)
    decoded = tall * wide * page.samplesperpixel * page.dtype.itemsize
    return int(4 * decoded + 2**20)


def _segment(page: Any, index: int) -> Any:
    """Decode a tile or strip to (depth, h, w, samples); None if it is not in the file."""
    offset, size = int(page.dataoffsets[index]), int(page.databytecounts[index])
    if offset == 0 or size == 0:
        return None
    handle = page.parent.filehandle
    if offset + size > handle.size:
        raise ValueError(f"it reaches to byte {offset + size}, the file has {handle.size}")
    with handle.lock:
        handle.seek(offset)
        data = handle.read(min(size, _most_bytes(page)))
    pixels = page.decode(data, index, jpegtables=page.jpegtables, jpegheader=page.jpegheader)[0]
    # Bits come as numbers 0 and 1 from the decoders of CCITT groups 3 and 4, or as bytes of 255, which are True too.
    return pixels.view(np.uint8) != 0 if page.dtype.kind == "b" and pixels is not None else pixels
