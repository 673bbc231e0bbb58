"""A file's pixels as the values that are stored, for masks and labels: no luminance, an index where there is a palette.

The samples of a coloured pixel are packed into one number, so that whatever reads boxes of a slide reads these as well.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from axonflow.errors import SlideError
from axonflow.kernel.grid import Box
from axonflow.slide.format import Image, SeveralImagesError, refuse_lost
from axonflow.slide.luminance import Luminance
from axonflow.slide.opening import find
from axonflow.slide.picture import Picture, opened
from axonflow.slide.scale import believe
from axonflow.slide.slide import Reader, Slide
from axonflow.slide.untiled import read_untiled

__all__ = ["Shades", "StoredImage", "open_stored", "shades_of"]

Shades = NDArray[np.uint8]
"""Red, green, blue and opacity of pixels, (…, 4)."""

_SAMPLES = {"RGB": (0, 1, 2), "RGBA": (0, 1, 2, 3), "LA": (0, 1)}


@dataclass(frozen=True, slots=True)
class StoredImage:
    """One image of a file, as it is stored.

    Attributes
    ----------
    slide : Slide
        What reads it; its pixels are stored values, and of colours 32 bits that :func:`shades_of` takes apart.
    coloured : bool
        Whether they are colours.
    bilevel : bool
        Whether a pixel is one bit; it is read as 0 (black) or 255 (white), whichever way the file stores them.
    inverted : bool
        Whether the file says that 0 is white, and has more than one bit.
    palette : bytes or None
        Red, green, blue and opacity of each value, where it is an index.
    """

    slide: Slide
    coloured: bool
    bilevel: bool
    inverted: bool
    palette: bytes | None

    @property
    def path(self) -> Path:
        """The file."""
        return self.slide.path

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width, px."""
        return self.slide.shape

    @property
    def grain(self) -> tuple[int, int]:
        """What the file decodes at once, px."""
        return self.slide.grain

    @property
    def identity(self) -> str:
        """What tells its content from others."""
        return self.slide.identity

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Of the values."""
        return self.slide.dtype

    @property
    def shades(self) -> Shades | None:
        """Red, green, blue and opacity of each value, (n, 4), where it is an index."""
        return None if self.palette is None else np.frombuffer(self.palette, np.uint8).reshape(-1, 4)

    def read(self, box: Box) -> NDArray[Any]:
        """Read the values in a box; it raises what :meth:`axonflow.slide.Slide.read` does."""
        try:
            return self.slide.read(box)
        except SlideError as error:
            raise error if str(self.path) in str(error) else SlideError(f"{self.path}: {error}") from error.__cause__


def shades_of(colours: NDArray[np.uint32]) -> Shades:
    """Return red, green, blue and opacity of coloured values, (…, 4)."""
    little = np.ascontiguousarray(colours, "<u4")
    return little.view(np.uint8).reshape(*colours.shape, 4)


def open_stored(path: Path, *, series: int | None = None, channel: int | None = None) -> StoredImage:
    """Open an image of a file, a mask or labels, which one only if there are several; its pixels stay on disk.

    Raises
    ------
    SlideError
        If it cannot be read, or holds several images and none is chosen.
    """
    path = path.absolute()
    try:
        _, stored = find(path, series, channel, _stored, "A mask or labels")
    except SeveralImagesError as error:
        raise SlideError(
            f"A file with one image was expected as a mask or labels, {path} holds several; save the one that is "
            f"meant as a file of its own:\n  {error.lines}"
        ) from error
    return replace(stored, slide=replace(stored.slide, path=path))


@dataclass(frozen=True, slots=True)
class _Values(Luminance):
    """What stands in the place of a luminance, and leaves the samples as they are."""

    def dtype(self, stored: np.dtype[np.generic]) -> np.dtype[np.generic]:
        """Return the dtype of the values of samples of a stored dtype."""
        if len(self.samples) > 1:
            if stored.kind != "u" or stored.itemsize > 2:
                raise SlideError(
                    f"Colours of 8 or 16 bits were expected, {stored.name} came; save a mask in one channel."
                )
            return np.dtype(np.uint32)
        return np.dtype(np.uint8) if stored.kind == "b" else stored.newbyteorder("=")

    def of(self, *samples: NDArray[Any]) -> NDArray[np.generic]:
        """Return the values, packed if they are colours."""
        if len(samples) == 1:
            if samples[0].dtype.kind != "b":
                return samples[0].astype(self.dtype(samples[0].dtype), copy=False)
            values = samples[0] * np.uint8(1 if self.palette is not None else 255)
            return values if self.white is None else np.subtract(255, values, dtype=np.uint8)
        eight = [_eight_bits(s).astype(np.uint32) for s in samples]
        red, green, blue, opacity = {
            2: lambda grey, alpha: (grey, grey, grey, alpha),
            3: lambda *rgb: (*rgb, np.uint32(255)),
            4: lambda *rgba: rgba,
        }[len(eight)](*eight)
        packed: NDArray[np.generic] = red | green << 8 | blue << 16 | opacity << 24
        return packed


def _eight_bits(samples: NDArray[Any]) -> NDArray[Any]:
    """Return the upper bits of samples, where what is drawn must not vanish."""
    if samples.dtype.itemsize == 1:
        return samples
    upper = samples >> 8
    if ((samples > 0) & (upper == 0)).any():
        raise SlideError(
            f"Colours of 16 bits from 0 to 65535 were expected, {samples[(samples > 0) & (upper == 0)][0]} came, which "
            "is nearly black; save a mask in one channel, or in 8 bits."
        )
    return upper


@dataclass(frozen=True, slots=True)
class _Indices:
    """Reads the indices of a picture with a palette."""

    file: Path

    def read(self, box: Box) -> NDArray[np.generic]:
        """Return the indices in a box."""
        return read_untiled(self, box)

    def decode(self) -> NDArray[np.generic]:
        """Return the indices of the whole picture."""
        with opened(self.file) as picture:
            return np.array(picture, np.uint8)


def _stored(image: Image) -> StoredImage:
    luminance, palette = image.luminance, None
    values = _Values(luminance.channels, luminance.samples, luminance.white)
    reader: Reader
    if luminance.colours is not None:
        rgb = np.frombuffer(luminance.colours, np.uint8).reshape(-1, 3)
        palette = np.insert(rgb, 3, 255, axis=1).astype(np.uint8).tobytes()
        values = replace(values, palette=b"")
    elif luminance.channels in _SAMPLES:
        values = replace(values, samples=_SAMPLES[luminance.channels])
    reader = replace(image.reader, luminance=values)  # type: ignore[type-var]  # every reader is such a dataclass
    if isinstance(image.reader, Picture) and (palette := _palette(image.reader.file)) is not None:
        values, reader = _Values("grey", palette=b""), _Indices(image.reader.file)
    dtype = values.dtype(image.stored)
    size, source = believe(image.claims)
    refuse_lost(image, size)
    slide = Slide(
        path=Path(),
        format=image.format,
        series=image.series,
        series_found=image.series_found,
        shape=image.shape,
        dtype=dtype,
        channels=values.channels,
        pixel_size=size,
        pixel_size_source=source,
        grain=image.grain,
        identity=image.identity,
        reader=reader,
    )
    bilevel = image.stored.kind == "b" and palette is None
    inverted = luminance.white is not None and not bilevel
    return StoredImage(slide, len(values.samples) > 1, bilevel, inverted, palette)


def _palette(file: Path) -> bytes | None:
    """Return red, green, blue and opacity of each index of a picture; None if it has no palette."""
    with opened(file) as picture:
        if picture.mode != "P":
            return None
        picture.load()  # a palette's opacities may follow it
        every = Pillow.new("P", (256, 1))
        every.putdata(range(256))
        every.putpalette(picture.getpalette() or [])
        if "transparency" in picture.info:
            every.info["transparency"] = picture.info["transparency"]
        return np.asarray(every.convert("RGBA")).tobytes()
