"""What a user drew over the slide, as GeoJSON or as an image: which pixels count, and which region they lie in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from axonflow.errors import InputError
from axonflow.fiber.regions import Polygons, nearest_pixels
from axonflow.kernel.grid import Box
from axonflow.slide import Slide, open_slide
from axonflow.stages.layout import Frame

__all__ = ["Annotation", "Coverage", "Everywhere", "Regions", "open_annotation", "open_regions"]


class Coverage(Protocol):
    """Which pixels count."""

    @property
    def identity(self) -> str:
        """What tells it from others."""

    def cover(self, box: Box) -> NDArray[np.bool_]:
        """Return whether each pixel of a box counts."""


class Regions(Protocol):
    """Which region each pixel lies in."""

    @property
    def identity(self) -> str:
        """What tells them from others."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the regions 1, 2, …; any further one is named by its number."""

    def label(self, box: Box) -> NDArray[np.uint32]:
        """Return the number of the region of each pixel of a box; 0 is none."""


class Annotation(Coverage, Regions, Protocol):
    """A drawing may serve as either."""


@dataclass(frozen=True, slots=True)
class Everywhere:
    """The whole slide counts."""

    identity: str = "everywhere"

    def cover(self, box: Box) -> NDArray[np.bool_]:
        """Return True for every pixel."""
        return np.ones(box.shape, bool)


@dataclass(frozen=True, slots=True)
class _Image:
    """An image of any resolution, laid over the whole slide; what is not zero is drawn."""

    image: Slide
    shape: tuple[int, int]

    @property
    def identity(self) -> str:
        """Content of the image."""
        return self.image.identity

    @property
    def names(self) -> tuple[str, ...]:
        """None: an image has numbers only."""
        return ()

    def cover(self, box: Box) -> NDArray[np.bool_]:
        """Look up whether the nearest pixel of the image is drawn."""
        covered: NDArray[np.bool_] = self._look_up(box) != 0
        return covered

    def label(self, box: Box) -> NDArray[np.uint32]:
        """Look up the nearest pixel of the image."""
        return self._look_up(box).astype(np.uint32)

    def _look_up(self, box: Box) -> NDArray[np.generic]:
        rows, columns = nearest_pixels(box, self.shape, self.image.shape)
        have = Box(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)
        return self.image.read(have)[np.ix_(rows - have.y0, columns - have.x0)]


@dataclass(frozen=True, slots=True)
class _Outlines:
    """Polygons on the pixels of the labels."""

    polygons: Polygons
    identity: str

    @property
    def names(self) -> tuple[str, ...]:
        """Names that stand in the file."""
        return self.polygons.regions

    def cover(self, box: Box) -> NDArray[np.bool_]:
        """Draw the polygons."""
        return self.polygons.cover(box)

    def label(self, box: Box) -> NDArray[np.uint32]:
        """Draw the polygons, each with the number of its region."""
        return self.polygons.label(box)


def open_annotation(path: Path, unit: Literal["px", "um"], native: Frame, work: Frame, below: int = 0) -> Annotation:
    """Open a drawing.

    Parameters
    ----------
    path : Path
        GeoJSON polygons, by their ending .json or .geojson; else an image.
    unit : "px" or "um"
        Of the polygons' coordinates: pixels of ``native``, or µm.
    native, work : Frame
        The slide's pixels, and those of the labels that are asked for.
    below : int
        Rows of the slide's file that lie below the slide: an image of the file's size shows them, too.

    Raises
    ------
    InputError
        If it cannot be read as what it is.
    """
    if path.suffix.lower() not in {".json", ".geojson"}:
        image = open_slide(path)
        if below and image.shape == (native.shape[0] + below, native.shape[1]):
            image = replace(image, shape=native.shape)
        return _Image(image, work.shape)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"GeoJSON polygons were expected in {path}, but it cannot be read: {error}.") from error
    size = (1.0, 1.0) if unit == "um" else (native.pixel_size.y, native.pixel_size.x)
    scale = (size[0] / work.pixel_size.y, size[1] / work.pixel_size.x)
    identity = sha256(f"{scale}{text}".encode()).hexdigest()
    return _Outlines(Polygons.from_geojson(text, scale), identity)


def open_regions(path: Path, unit: Literal["px", "um"], native: Frame, work: Frame, below: int = 0) -> Regions:
    """Open a drawing whose parts are regions; as :func:`open_annotation`.

    Raises
    ------
    InputError
        If it cannot be read as what it is, or is an image of something else than whole grey numbers.
    """
    drawn = open_annotation(path, unit, native, work, below)
    if isinstance(drawn, _Image) and (drawn.image.channels != "grey" or drawn.image.dtype.kind != "u"):
        raise InputError(
            f"An image of labels in one channel of 8 or 16 bits was expected for --regions, {path} holds "
            f"{drawn.image.dtype} {drawn.image.channels}; save it as 16-bit grey, or give GeoJSON polygons."
        )
    return drawn
