"""What a slide is to the rest of axonflow: luminance that is read box by box, with its scale and its identity."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NoReturn, Protocol

import numpy as np
from numpy.typing import NDArray

from axonflow.errors import SlideError
from axonflow.kernel.documents import said
from axonflow.kernel.grid import Box
from axonflow.kernel.retry import retry
from axonflow.kernel.units import PixelSize
from axonflow.slide.tiles import (
    FILLED,
    BadTile,
    BadTileError,
    Partial,
    bad_tiles,
    place_in_um,
    refuse_faults,
    tile_words,
)

__all__ = ["InfoBar", "Reader", "Slide", "tallest_bar"]


class Reader(Protocol):
    """Reads boxes of one image of one file; frozen and picklable, it opens the file when it is first asked."""

    def read(self, box: Box) -> NDArray[np.generic]:
        """Return the luminance in a box inside the image; any exception means that the file is damaged."""
        ...


@dataclass(frozen=True, slots=True)
class InfoBar:
    """A bar of text that a scanning electron microscope wrote below its image.

    Attributes
    ----------
    rows : int
        Its height, px.
    source : str
        What gives it away, in words.
    """

    rows: int
    source: str

    def __str__(self) -> str:
        return f"{self.rows} px below the image ({self.source})"


def tallest_bar(height: int) -> int:
    """Return how tall a bar can be in an image of a height, px; those that are known are a tenth of it at most."""
    return height // 6


@dataclass(frozen=True, slots=True)
class Slide:
    """One image of a file; nothing of it is in memory.

    Attributes
    ----------
    path : Path
        The file, or the folder of an OME-Zarr; absolute.
    format : str
        ``"TIFF"``, ``"OME-TIFF"``, ``"Aperio SVS"``, ``"PNG"``, ``"OME-Zarr 0.5"`` …
    series : str
        Which image of the file this is, in words.
    series_found : tuple of str
        One line for each image that could have been chosen, each beginning with its number.
    shape : (int, int)
        Height and width, px.
    dtype : dtype
        Of the luminance: uint8, uint16 or float32.
    channels : str
        What a pixel of the file is: ``"grey"``, ``"LA"``, ``"RGB"``, ``"RGBA"`` or ``"YCbCr"``.
    pixel_size : PixelSize or None
        None if the file does not say it believably and nobody gave it.
    pixel_size_source : str
        Where the pixel size comes from, with the values that were found and not believed.
    grain : (int, int)
        Height and width of the smallest block that the file decodes at once, px: a tile, a strip, a chunk, (1, 1)
        for memory-mapped pixels, the whole image where it is compressed as one.
    identity : str
        Hexadecimal SHA-256 over a sample of the content, the same for a copy of the file.
    reader : Reader
        Reads the pixels; use :meth:`read`, which also checks them.
    bar : InfoBar or None
        The bar of text below the image, where the file speaks of one, or one was found and taken off
        (:mod:`axonflow.slide.info_bar`).
    stated : (PixelSize, str) or None
        The pixel size that the file states, and where, beside one that was given.
    """

    path: Path
    format: str
    series: str
    series_found: tuple[str, ...]
    shape: tuple[int, int]
    dtype: np.dtype[np.generic]
    channels: str
    pixel_size: PixelSize | None
    pixel_size_source: str
    grain: tuple[int, int]
    identity: str
    reader: Reader
    bar: InfoBar | None = None
    stated: tuple[PixelSize, str] | None = None

    def read(self, box: Box) -> NDArray[np.generic]:
        """Read a box; safe to call from several threads.

        Parameters
        ----------
        box : Box
            Inside the image.

        Returns
        -------
        (box.shape) array of :attr:`dtype`
            The luminance: Rec. 601, alpha ignored; dark is low. It is a copy.

        Raises
        ------
        SlideError
            If the file is damaged there, or has a pixel that is not a finite number.
        IndexError
            If the box leaves the image.
        """
        self._check(box)
        try:
            pixels = self._decode(box)
        except (SlideError, MemoryError):
            raise
        except Exception as error:  # codecs and file systems raise what they like
            self._refuse(box, error)
        if not (finite := _finite(pixels)).all():
            y, x = (int(side) for side in np.argwhere(~finite)[0])
            first = Box(box.y0 + y, box.x0 + x, box.y0 + y + 1, box.x0 + x + 1)
            raise BadTileError(
                f"Finite pixels were expected, {np.count_nonzero(~finite)} of the {box.size} in the box {box} of "
                f"{self.path} are NaN or infinite, the first at y {first.y0}, x {first.x0}"
                f"{place_in_um(first, self.pixel_size)}; replace them by a grey value."
            )
        return pixels

    def read_what_is_there(self, box: Box) -> Partial:
        """Read a box without the tiles that cannot be decoded, and the pixels that are no finite numbers.

        What is left out does not depend on the boxes that are asked for.

        Parameters
        ----------
        box : Box
            Inside the image.

        Returns
        -------
        Partial

        Raises
        ------
        SlideError
            If it is not a tile that is damaged: the file is gone, or cannot be read.
        IndexError
            If the box leaves the image.
        """
        self._check(box)
        unmeasured = np.zeros(box.shape, bool)
        bad: tuple[BadTile, ...] = ()
        try:
            try:
                pixels = self._decode(box)
            except Exception as error:
                refuse_faults(error)
                if not self._tiled:
                    self._refuse(box, error)
                pixels = np.full(box.shape, FILLED, self.dtype)
                bad = tuple(bad_tiles(self._decode, self.shape, self.grain, box, pixels))
        except OSError as error:
            self._refuse(box, error)
        for tile in bad:
            unmeasured[(tile.box & box).relative_to(box).slices] = True
        unmeasured |= ~_finite(pixels)
        pixels[unmeasured] = FILLED
        return Partial(pixels, unmeasured, bad)

    @property
    def _tiled(self) -> bool:
        """Whether the file is decoded in parts that can be told apart."""
        (tall, wide), (height, width) = self.grain, self.shape
        return self.grain != (1, 1) and (tall < height or wide < width)

    def _decode(self, box: Box) -> NDArray[np.generic]:
        return retry(partial(self.reader.read, box))

    def _check(self, box: Box) -> None:
        if box & Box.whole(self.shape) != box:
            raise IndexError(f"A box within {Box.whole(self.shape)} was expected, {box} came.")

    def _refuse(self, box: Box, error: Exception) -> NoReturn:
        """Say where in a box the file is damaged, as exactly as that can be found."""
        pixels = np.empty(box.shape, self.dtype)
        try:
            refuse_faults(error)
            bad = next(bad_tiles(self._decode, self.shape, self.grain, box, pixels), None) if self._tiled else None
        except OSError:
            bad = None
        if bad is None:
            raise SlideError(
                f"{self.path} cannot be read in the box {box}{place_in_um(box, self.pixel_size)}: "
                f"{said(error)}. The file is damaged there, or changed since it was opened; "
                "copy it again from its source."
            ) from error
        tile = tile_words(bad.row, bad.column, bad.box, self.pixel_size)
        raise BadTileError(
            f"A whole file was expected, but {tile} of {self.path} cannot be decoded ({bad.why}); copy the file again "
            "from its source."
        ) from error


def _finite(pixels: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Return which pixels are finite numbers; a single True for integers."""
    return np.isfinite(pixels) if pixels.dtype.kind == "f" else np.ones((1, 1), bool)
