"""PNG and JPEG, which can only be decoded whole, through Pillow.

Colour and grey-with-alpha PNG of 16 bits come at 8 bits, which is what Pillow decodes. The orientation that a camera
may have noted is ignored: pixels stay where they are stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from axonflow.errors import SlideError
from axonflow.kernel.grid import Box
from axonflow.slide.format import Image, choose_image, refuse_channel
from axonflow.slide.identity import fingerprint, sample_of
from axonflow.slide.luminance import GREY, RGB, Luminance
from axonflow.slide.scale import Claim
from axonflow.slide.untiled import read_untiled

__all__ = ["Picture", "find_image", "opened", "recognises"]

LARGEST_PX = 2**29
_SUFFIXES = (".png", ".jpg", ".jpeg")
_KINDS: dict[bytes, type[ImageFile]] = {b"\x89PNG\r\n\x1a\n": PngImageFile, b"\xff\xd8\xff": JpegImageFile}
_SIXTEEN = ("I", "I;16", "I;16L", "I;16B", "I;16N")


@dataclass(frozen=True, slots=True)
class Picture:
    """Reads boxes of a PNG or JPEG.

    Attributes
    ----------
    file : Path
    luminance : Luminance
    """

    file: Path
    luminance: Luminance

    def read(self, box: Box) -> NDArray[np.generic]:
        """Return the luminance in a box."""
        return read_untiled(self, box)

    def decode(self) -> NDArray[np.generic]:
        """Return the luminance of the whole picture."""
        with opened(self.file) as picture:
            samples = np.atleast_3d(_samples(picture))
        return np.ascontiguousarray(self.luminance.of(*(samples[..., k] for k in self.luminance.samples)))


def recognises(path: Path) -> bool:
    """Tell by its name whether a file is a picture."""
    return path.suffix.lower() in _SUFFIXES and path.is_file()


def find_image(path: Path, series: int | None, channel: int | None) -> Image:
    """Find the only image of a picture."""
    refuse_channel(path, channel)
    with opened(path) as picture:
        width, height = picture.size
        mode, kind, density = picture.mode, str(picture.format), picture.info.get("dpi")
    if height * width > LARGEST_PX:
        raise SlideError(
            f"{path} has {height} × {width} = {height * width} pixels; a {kind} is decoded whole, so at most "
            f"{LARGEST_PX} are read. Save it as a tiled TIFF."
        )
    words = f"{height} × {width} px"
    found = (f"0: {words}",)
    choose_image(path, found, series)
    luminance = _luminance(mode)
    source = {"PNG": "PNG pHYs"}.get(kind, "JPEG density")
    return Image(
        format=kind,
        series=words,
        series_found=found,
        shape=(height, width),
        grain=(height, width),
        stored=np.dtype(np.uint16 if mode in _SIXTEEN else np.uint8),
        luminance=luminance,
        claims=(Claim(source, 25_400 / density[1], 25_400 / density[0]),) if density and all(density) else (),
        identity=fingerprint((sample_of(path),)),
        reader=Picture(path, luminance),
    )


def opened(path: Path) -> ImageFile:
    """Open a picture by its content; it decodes later.

    Built directly, not by ``Image.open``, whose limit on the number of pixels is a setting of the whole process.
    """
    with path.open("rb") as stream:
        start = stream.read(8)
    kind = next((kind for magic, kind in _KINDS.items() if start.startswith(magic)), None)
    if kind is None:
        raise SlideError(
            f"{path} is named {path.suffix} but begins with {start!r}, neither a PNG's nor a JPEG's first bytes; give "
            "the picture itself, or rename it after its format."
        )
    return kind(path)


def _luminance(mode: str) -> Luminance:
    if mode in {"1", "L", *_SIXTEEN}:
        return GREY
    if mode in {"LA", "La"}:
        return Luminance("LA")
    return Luminance("RGBA", RGB.samples) if mode in {"RGBA", "PA"} else RGB


def _samples(picture: ImageFile) -> NDArray[np.generic]:
    if picture.mode in _SIXTEEN:
        return np.asarray(picture).astype(np.uint16)
    if picture.mode == "1":
        return np.asarray(picture.convert("L"))
    colours = {"L", "LA", "La", "RGB", "RGBA"}
    return np.asarray(picture if picture.mode in colours else picture.convert("RGB"))
