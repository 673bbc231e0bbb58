"""A slide's colours, read from its file: the store keeps its luminance alone, and some networks see three channels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axonflow.errors import InputError
from axonflow.kernel.grid import Box
from axonflow.slide import Slide, StoredImage, open_stored
from axonflow.slide.stored import shades_of

__all__ = ["Colours", "open_colours"]


@dataclass(frozen=True, slots=True)
class Colours:
    """Colours of a slide as what numpy and dask take for a (y, x) array of packed numbers.

    Parameters
    ----------
    image : StoredImage
    shape : (int, int)
        Of the slide, which may end above an info bar.
    """

    image: StoredImage
    shape: tuple[int, int]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the packed numbers, or of what stands for a colour."""
        return self.image.dtype

    def __getitem__(self, index: tuple[slice, slice]) -> NDArray[Any]:
        """Read rows and columns; a SlideError if the file is damaged there."""
        (y0, y1, _), (x0, x1, _) = (part.indices(side) for part, side in zip(index, self.shape, strict=True))
        return self.image.read(Box(y0, x0, max(y1, y0), max(x1, x0)))

    def rgb(self, values: NDArray[Any]) -> NDArray[np.uint8]:
        """Return red, green and blue of what was read, (…, 3)."""
        shades = self.image.shades
        return (shades_of(values) if shades is None else shades[values])[..., :3]


def open_colours(slide: Slide, path: Path, series: int | None, channel: int | None) -> Colours:
    """Open the colours of a slide.

    Raises
    ------
    InputError
        If it has none, or none of 8 bits.
    """
    colours = None if slide.channels in {"grey", "LA"} else open_stored(path, series=series, channel=channel)
    if colours is None or slide.dtype != np.uint8 or not (colours.coloured or colours.shades is not None):
        raise InputError(
            f"A slide in RGB of 8 bits was expected by the model, which sees three channels, {slide.path} is "
            f"{slide.channels} of {slide.dtype}; use a model of one channel, or save the slide as RGB."
        )
    return Colours(colours, slide.shape)
