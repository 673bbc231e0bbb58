"""From a path to a :class:`~axonflow.slide.Slide`: the format by its name, the pixel size by belief."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from axonflow.errors import SlideError
from axonflow.kernel.documents import said
from axonflow.kernel.units import PixelSize
from axonflow.slide import ome_zarr, picture, tiff
from axonflow.slide.format import Format, Image, SeveralImagesError, refuse_lost
from axonflow.slide.scale import believe
from axonflow.slide.sidecar import sidecar_claims
from axonflow.slide.slide import Slide

__all__ = ["find", "open_slide"]

T = TypeVar("T")

_LISTS = {".csv", ".tsv"}

_FORMATS: list[Format] = [ome_zarr, tiff, picture]


def open_slide(
    path: str | os.PathLike[str],
    *,
    series: int | None = None,
    channel: int | None = None,
    pixel_size: PixelSize | None = None,
    incomplete: bool = False,
) -> Slide:
    """Open one image of a file; its pixels stay on disk.

    Parameters
    ----------
    path : path-like
        A TIFF, OME-TIFF, whole-slide TIFF (SVS, NDPI, SCN, BIF, QPTIFF, Philips), PNG, JPEG, or an OME-Zarr folder.
    series : int, optional
        Which image, where the file holds several that could be meant.
    channel : int, optional
        Which channel of an OME-Zarr whose channels are not red, green and blue.
    pixel_size : PixelSize, optional
        Counts more than what the file says.
    incomplete : bool
        Whether a file may lack tiles; :meth:`~axonflow.slide.Slide.read_what_is_there` reads the others.

    Returns
    -------
    Slide
        Its ``pixel_size`` is None if nothing says it believably.

    Raises
    ------
    SlideError
        If there is no such file, its format is not known, it is damaged, or which of its images is meant stays open.
    """
    path = Path(path).absolute()
    image, dtype = find(path, series, channel, lambda image: image.luminance.dtype(image.stored))
    stated, stated_by = believe((*image.claims, *sidecar_claims(path)))
    believed, source = (pixel_size, "--pixel-size") if pixel_size else (stated, stated_by)
    if not incomplete:
        refuse_lost(image, believed)
    return Slide(
        path=path,
        format=image.format,
        series=image.series,
        series_found=image.series_found,
        shape=image.shape,
        dtype=dtype,
        channels=image.luminance.channels,
        pixel_size=believed,
        pixel_size_source=source,
        grain=image.grain,
        identity=image.identity,
        reader=image.reader,
        bar=image.bar,
        stated=(stated, stated_by) if pixel_size and stated else None,
    )


def find(
    path: Path, series: int | None, channel: int | None, then: Callable[[Image], T], what: str = "A slide"
) -> tuple[Image, T]:
    """Find the image that is meant, and what is made of it; whatever a damaged file raises becomes a SlideError.

    Messages name ``what`` was expected.

    Raises
    ------
    SlideError
        As :func:`open_slide` does.
    """
    if not path.exists():
        raise SlideError(f"{what} was expected, {path} does not exist; check the path.")
    fitting = next((known for known in _FORMATS if known.recognises(path)), None)
    if fitting is None:
        text = (
            "axonflow batch takes lists of slides (.csv)"
            if path.suffix.lower() in _LISTS
            else "export it as OME-TIFF or OME-Zarr"
        )
        raise SlideError(
            f"A TIFF (.tif .tiff .svs .ndpi .scn .bif .qptiff …), a PNG, a JPEG or an OME-Zarr folder was expected, "
            f"{path} is none of these by its name; {text}."
        )
    try:
        image = fitting.find_image(path, series, channel)
        return image, then(image)
    except SeveralImagesError:
        raise
    except SlideError as error:
        raise error if str(path) in str(error) else SlideError(f"{path}: {error}") from error.__cause__
    except MemoryError:
        raise
    except Exception as error:  # a damaged header makes the libraries raise anything
        raise SlideError(
            f"{path} cannot be read: {said(error)}. It is damaged or not what its name says; "
            "copy it again from its source."
        ) from error
