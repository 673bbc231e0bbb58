"""What a file format must answer to be read as a slide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from axonflow.errors import SlideError
from axonflow.kernel.grid import Box
from axonflow.kernel.units import PixelSize
from axonflow.slide.luminance import Luminance
from axonflow.slide.scale import Claim
from axonflow.slide.slide import InfoBar, Reader
from axonflow.slide.tiles import BadTileError, tile_words

__all__ = ["Format", "Image", "Lost", "SeveralImagesError", "choose_image", "refuse_channel", "refuse_lost"]


@dataclass(frozen=True, slots=True)
class Lost:
    """Tiles that are not in the file, as its directory shows before any pixel is read.

    Attributes
    ----------
    what : str
        How many, and why.
    row, column : int
        Of the first.
    advice : str
    """

    what: str
    row: int
    column: int
    advice: str


@dataclass(frozen=True, slots=True)
class Image:
    """One image as its format knows it.

    Attributes
    ----------
    format, series, series_found, shape, grain, identity, reader
        As in :class:`~axonflow.slide.Slide`.
    stored : dtype
        Of the samples in the file.
    luminance : Luminance
        How they become grey.
    claims : tuple of Claim
        What the file says about its pixel size, the most trusted first.
    bar : InfoBar or None
        What the file says about a bar of text below the image.
    lost : Lost or None
        What is known to be missing.
    """

    format: str
    series: str
    series_found: tuple[str, ...]
    shape: tuple[int, int]
    grain: tuple[int, int]
    stored: np.dtype[np.generic]
    luminance: Luminance
    claims: tuple[Claim, ...]
    identity: str
    reader: Reader
    bar: InfoBar | None = None
    lost: Lost | None = None


class Format(Protocol):
    """A module that reads one format."""

    def recognises(self, path: Path) -> bool:
        """Tell by its name whether a file is of this format; its content may still disagree."""
        ...

    def find_image(self, path: Path, series: int | None, channel: int | None) -> Image:
        """Find the image that is meant.

        Parameters
        ----------
        path : Path
            Absolute; it exists.
        series : int or None
            Which image, where there are several.
        channel : int or None
            Which channel of it, where its channels are not colours.

        Raises
        ------
        SlideError
            If the file cannot be read, or the choice is open. Other exceptions mean that the file is damaged.
        """
        ...


class SeveralImagesError(SlideError):
    """A file holds several images, and which one is meant stays open.

    Attributes
    ----------
    lines : str
        The first of them, a line each.
    """

    def __init__(self, message: str, lines: str) -> None:
        super().__init__(message)
        self.lines = lines


def refuse_lost(image: Image, pixel_size: PixelSize | None) -> None:
    """Refuse an image that lacks tiles.

    Raises
    ------
    SlideError
        With the place of the first.
    """
    if (lost := image.lost) is None:
        return
    tall, wide = image.grain
    box = Box(lost.row * tall, lost.column * wide, (lost.row + 1) * tall, (lost.column + 1) * wide)
    first = tile_words(lost.row, lost.column, box & Box.whole(image.shape), pixel_size)
    raise BadTileError(f"{lost.what}, the first of which is {first}; {lost.advice}.")


def refuse_channel(path: Path, channel: int | None) -> None:
    """Refuse the choice of a channel in a format whose channels are images of their own.

    Raises
    ------
    SlideError
    """
    if channel is not None:
        raise SlideError(
            f"--channel {channel} came, but it chooses among the channels of an OME-Zarr, and {path} is none; choose "
            "an image of the file with --series N."
        )


def choose_image(path: Path, found: Sequence[str], series: int | None) -> int:
    """Return which of the images of a file is meant: the one asked for, or the only one.

    Raises
    ------
    SeveralImagesError
        With the list of images, if none or another was asked for.
    """
    if series is None and len(found) == 1:
        return 0
    if series is not None and 0 <= series < len(found):
        return series
    shown = [*found[:20], *([f"… and {len(found) - 20} more"] if len(found) > 20 else [])]
    asked = "none was chosen" if series is None else f"--series {series} came"
    lines = "\n  ".join(shown)
    raise SeveralImagesError(
        f"{path} holds {len(found)} image{'s' * (len(found) != 1)}, {asked}; choose one with --series N:\n  {lines}",
        lines,
    )
