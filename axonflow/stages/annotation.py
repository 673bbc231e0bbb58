"""What a user drew over the slide, as GeoJSON or as an image: which pixels count, and which region they lie in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from axonflow.errors import InputError
from axonflow.fiber.extent import Extent
from axonflow.fiber.overlap import Overlap, overlaps
from axonflow.fiber.regions import Polygons
from axonflow.kernel.grid import Box
from axonflow.kernel.resample import Resampling, nearest_pixels
from axonflow.kernel.tally import Ints
from axonflow.kernel.text import read_text
from axonflow.slide import StoredImage, open_stored
from axonflow.stages.layout import Frame
from axonflow.stages.masks import Mask, open_mask
from axonflow.stages.pixel_form import place_of, refuse_inverted

__all__ = ["OVERLAP", "Coverage", "Everywhere", "Fit", "Regions", "open_annotation", "open_regions"]

_GEOJSON = {".json", ".geojson"}

OVERLAP = 0.01
"""Share of a region from which on it is worth a word that another has it: borders drawn twice cross a little."""


@dataclass(frozen=True, slots=True)
class Fit:
    """How a drawing fits the slide.

    Attributes
    ----------
    path : Path
    identity : str
        Of an image's content; empty for outlines.
    shape : (int, int) or None
        Height and width of an image, px.
    alike : str
        What every pixel of it is, as :attr:`axonflow.stages.masks.Mask.alike`.
    off : tuple of str
        Names of the outlines that lie off the slide.
    left_out : tuple of str
        What else of the file was left out, and why.
    extent : Extent or None
        Of outlines that were read in pixels; None of others, and of images.
    overlaps : tuple of Overlap
        What regions lose to those before them in the file.
    """

    path: Path
    identity: str = ""
    shape: tuple[int, int] | None = None
    alike: str = ""
    off: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    extent: Extent | None = None
    overlaps: tuple[Overlap, ...] = ()


class Coverage(Protocol):
    """Which pixels count."""

    @property
    def fit(self) -> Fit | None:
        """How it fits the slide; None if nothing was drawn."""

    @property
    def identity(self) -> str:
        """What tells it from others."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of it."""

    def cover(self, box: Box) -> NDArray[np.bool_]:
        """Return whether each pixel of a box counts."""


class Regions(Protocol):
    """Which region each pixel lies in."""

    @property
    def fit(self) -> Fit | None:
        """How they fit the slide."""

    @property
    def identity(self) -> str:
        """What tells them from others."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the regions 1, 2, …; any further one is named by its number."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of them."""

    def label(self, box: Box) -> NDArray[np.uint32]:
        """Return the number of the region of each pixel of a box; 0 is none."""


@dataclass(frozen=True, slots=True)
class Everywhere:
    """The whole slide counts."""

    identity: str = "everywhere"
    notes: tuple[str, ...] = ()
    fit: Fit | None = None

    def cover(self, box: Box) -> NDArray[np.bool_]:
        """Return True for every pixel."""
        return np.ones(box.shape, bool)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an image lies that was drawn over the whole slide, seen from the labels' pixels.

    Attributes
    ----------
    span : (float, float)
        Height and width of the slide in pixels of the labels. Where labels have a pixel size of their own, these need
        not be whole, and the labels end a little before or after the slide.
    shape : (int, int)
        Height and width of the labels.
    """

    span: tuple[float, float]
    shape: tuple[int, int]

    @classmethod
    def of(cls, native: Frame, work: Frame) -> _Place:
        """Return where the slide lies on the labels' pixels."""
        return cls(Resampling(native.shape, native.pixel_size, work.pixel_size).span, work.shape)

    @property
    def words(self) -> str:
        """What tells this place from that of an image which ends where the labels do; nothing if it does."""
        return "" if self.span == self.shape else f" over {self.span}"

    def under(self, box: Box, image: tuple[int, int]) -> tuple[Ints, Ints, Box]:
        """Return the rows and columns of an image under a box, and the box of the image that they are counted from."""
        rows, columns = nearest_pixels(box, self.span, image)
        have = Box(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)
        return rows - have.y0, columns - have.x0, have


@dataclass(frozen=True, slots=True)
class _DrawnImage:
    """A mask of any resolution, laid over the whole slide."""

    mask: Mask
    over: _Place

    @property
    def identity(self) -> str:
        """Content of the image, and how it is read and laid if that is not as a plain mask on the labels' pixels."""
        image = self.mask.image
        return (image.identity if self.mask.plain else f"{image.identity} {self.mask.words}") + self.over.words

    @property
    def notes(self) -> tuple[str, ...]:
        """How it is read."""
        soft = self.mask.rule == "threshold"
        return (f"{self.mask.image.path} was read as {self.mask.words}.",) if soft else ()

    @property
    def fit(self) -> Fit:
        """Of the image."""
        image = self.mask.image
        return Fit(image.path, image.identity, image.shape, self.mask.alike)

    def cover(self, box: Box) -> NDArray[np.bool_]:
        """Look up whether the nearest pixel of the image is drawn."""
        rows, columns, have = self.over.under(box, self.mask.image.shape)
        covered: NDArray[np.bool_] = self.mask.covered(have)[np.ix_(rows, columns)]
        return covered


@dataclass(frozen=True, slots=True)
class _NumberedImage:
    """An image of the numbers of regions, of any resolution, laid over the whole slide."""

    image: StoredImage
    over: _Place

    @property
    def identity(self) -> str:
        """Content of the image, and how it is read and laid where that is not its luminance on the labels' pixels."""
        by_value = self.image.palette is not None or self.image.bilevel
        return (f"{self.image.identity} by value" if by_value else self.image.identity) + self.over.words

    @property
    def names(self) -> tuple[str, ...]:
        """None: an image has numbers only."""
        return ()

    @property
    def notes(self) -> tuple[str, ...]:
        """Nothing."""
        return ()

    @property
    def fit(self) -> Fit:
        """Of the image."""
        return Fit(self.image.path, self.image.identity, self.image.shape)

    def label(self, box: Box) -> NDArray[np.uint32]:
        """Look up the nearest pixel of the image."""
        rows, columns, have = self.over.under(box, self.image.shape)
        numbers = self.image.read(have)
        if (strange := (numbers < 0) | (numbers > np.iinfo(np.uint32).max)).any():
            raise place_of(self.image, have, numbers, strange, "Numbers of regions from 0 to 2³² − 1 were expected")
        return numbers[np.ix_(rows, columns)].astype(np.uint32)


@dataclass(frozen=True, slots=True)
class _Outlines:
    """Polygons on the pixels of the labels."""

    polygons: Polygons
    identity: str
    fit: Fit
    notes: tuple[str, ...] = ()

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


def open_annotation(path: Path, unit: Literal["px", "um"], native: Frame, work: Frame, below: int = 0) -> Coverage:
    """Open a drawing of what counts.

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
        If it cannot be read as what it is, or lies off the slide.
    """
    if path.suffix.lower() in _GEOJSON:
        return _outlines(path, unit, native, work)
    return _DrawnImage(open_mask(_above_bar(open_stored(path), native, below)), _Place.of(native, work))


def open_regions(path: Path, unit: Literal["px", "um"], native: Frame, work: Frame, below: int = 0) -> Regions:
    """Open a drawing whose parts are regions; as :func:`open_annotation`.

    Raises
    ------
    InputError
        If it cannot be read as what it is, lies off the slide, or is an image of something else than whole numbers.
    """
    if path.suffix.lower() in _GEOJSON:
        drawn = _outlines(path, unit, native, work)
        return replace(drawn, fit=replace(drawn.fit, overlaps=overlaps(drawn.polygons, OVERLAP)))
    image = _above_bar(open_stored(path), native, below)
    refuse_inverted(image)
    if image.coloured or image.dtype.kind not in "ui":
        kind = image.slide.channels if image.coloured else "grey"
        raise InputError(
            f"An image of labels in one channel of 8 or 16 bits was expected for --regions, {path} holds "
            f"{image.dtype} {kind}; save it as 16-bit grey, or give GeoJSON polygons."
        )
    return _NumberedImage(image, _Place.of(native, work))


def _above_bar(image: StoredImage, native: Frame, below: int) -> StoredImage:
    """Return a drawing without the rows of an information bar, if it was made on the image as it was saved.

    A drawing of another resolution has the proportions of what it was made on.
    """
    (height, width), (rows, columns) = native.shape, image.shape
    tall, short = ((height + part) * columns / width for part in (below, 0))
    if not below or abs(rows - tall) > 1 or abs(rows - short) <= abs(rows - tall):
        return image
    above = max(round(rows * height / (height + below)), 1)
    return replace(image, slide=replace(image.slide, shape=(above, columns)))


def _outlines(path: Path, unit: Literal["px", "um"], native: Frame, work: Frame) -> _Outlines:
    try:
        text = read_text(path)
    except FileNotFoundError:
        raise InputError(f"GeoJSON polygons were expected in {path}, which does not exist; check the path.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"GeoJSON polygons were expected in {path}, but it cannot be read: {error}. Export them again, in UTF-8."
        ) from error
    size = (1.0, 1.0) if unit == "um" else (native.pixel_size.y, native.pixel_size.x)
    scale = (size[0] / work.pixel_size.y, size[1] / work.pixel_size.x)
    try:
        polygons = Polygons.from_geojson(text, scale)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    off = polygons.outside(work.shape)
    if len(off) == len(polygons.regions):
        raise InputError(
            f"Outlines on the slide of {native.shape[0]} × {native.shape[1]} px (height × width) were expected, all of "
            f"{path} lie off it; give those of this slide, or say their unit (px or um)."
        )
    # A reading that other versions did not have is named, so that a store they made is not taken for this one's.
    new = f" {polygons.names} {polygons.left_out}" if polygons.by_word or polygons.left_out else ""
    extent = _extent(polygons, scale) if unit == "px" else None
    fit = Fit(path, off=tuple(off), left_out=tuple(polygons.left_out), extent=extent)
    return _Outlines(polygons, sha256(f"{scale}{text}{new}".encode()).hexdigest(), fit)


def _extent(polygons: Polygons, scale: tuple[float, float]) -> Extent:
    """Measure outlines in the pixels that they were read in, of which those that they are drawn on are so many."""
    begin = np.cumsum([0, *map(len, polygons.sides)])
    return Extent.of(np.concatenate(polygons.sides) / (*scale, *scale), begin)
