"""Which images a TIFF holds that a user could mean: no pyramid levels, labels, macros or thumbnails."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from axonflow.errors import SlideError
from axonflow.slide.luminance import Luminance
from axonflow.slide.tiff_colour import luminances

__all__ = ["SCANNERS", "Plane", "planes", "refuse_too_many"]

SCANNERS = {
    "svs": "Aperio SVS",
    "ndpi": "NDPI",
    "scn": "Leica SCN",
    "bif": "Ventana BIF",
    "qpi": "QPTIFF",
    "philips": "Philips TIFF",
    "avs": "Argos AVS",
}
"""Formats of slide scanners, by tifffile's word for them."""


MOST_UNFOUNDED = 4096
"""Planes that a file may list without having them: an acquisition that was stopped lists those it never took."""

MOST_IN_FILES = 2**17
"""Planes that files may hold together."""


_OF_TIFF_DATA = ("IFD", "PlaneCount", "NumPlanes", "FirstZ", "FirstC", "FirstT")
"""What OME-XML says of planes that a file has, each a number of them or the number of one."""


_LOOKED_AT = 64
"""Pages among which the largest is sought, where the first is no part of an image."""


@dataclass(frozen=True, slots=True)
class Plane:
    """One image of a TIFF.

    Attributes
    ----------
    words : str
        What tells it from the others.
    series : int
        Its series among those tifffile finds.
    file : Path or None
        Where its pixels are: an OME-TIFF may spread over files. None if the plane is in none.
    ifd : int
        Position of the directory that describes it, bytes.
    data : int or None
        Position of its pixels, where it has no directory of its own.
    luminance : Luminance
    """

    words: str
    series: int
    file: Path | None
    ifd: int
    data: int | None
    luminance: Luminance


def refuse_too_many(tiff: Any) -> None:
    """Refuse an open file that lists many more planes than it can have, before they are listed.

    Raises
    ------
    SlideError
    """
    listed = max(_listed_by_ome(tiff), _listed_by_others(tiff), 0)
    if listed <= MOST_UNFOUNDED:
        return
    first = tiff.pages.first
    of_bytes = tiff.filehandle.size // max(first.nbytes, 1) if first.is_contiguous else 0
    there = max(len(tiff.pages), of_bytes)
    if listed > there + MOST_UNFOUNDED:
        raise SlideError(
            f"{tiff.filehandle.path} lists {listed:,} planes, but has pages for {there:,}; its metadata are damaged, "
            "save it again."
        )


def _listed_by_ome(tiff: Any) -> int:
    if not tiff.is_ome:
        return 0
    try:
        images = list(ElementTree.fromstring(tiff.ome_metadata).iterfind("{*}Image/{*}Pixels"))
        counts = [prod(max(int(pixels.get(f"Size{axis}", "1")), 1) for axis in "ZCT") for pixels in images]
        counts += [_listed_by_data(pixels) for pixels in images]
        counts += [planes * _larger_than_pages(tiff, pixels) for planes, pixels in zip(counts, images, strict=False)]
    except (ElementTree.ParseError, ValueError):  # then tifffile does not believe it either
        return 0
    names = {uuid.get("FileName") for pixels in images for uuid in pixels.iterfind("{*}TiffData/{*}UUID")}
    if names - {None, tiff.filehandle.name}:  # they lie in other files, too
        return max((count for count in counts if count > MOST_IN_FILES), default=0)
    return max(counts, default=0)


def _listed_by_data(pixels: ElementTree.Element) -> int:
    """Return how many planes the parts of an image say that they are, by their number or by what they say."""
    parts = pixels.findall("{*}TiffData")
    return max((int(part.get(name, "0")) for part in parts for name in _OF_TIFF_DATA), default=0) + len(parts)


def _larger_than_pages(tiff: Any, pixels: ElementTree.Element) -> int:
    """Return how many of the file's pages an image would need for one plane of its own size; tifffile lists so many."""
    size = int(pixels.get("SizeY", "0")) * int(pixels.get("SizeX", "0"))
    first = tiff.pages.first
    if size <= first.imagelength * first.imagewidth:
        return 1
    pages = tiff.pages[:_LOOKED_AT]
    largest: int = max(*(page.imagelength * page.imagewidth for page in pages), 1)
    return size // largest


def _listed_by_others(tiff: Any) -> int:
    first = tiff.pages.first
    if first.is_imagej:
        return int((tiff.imagej_metadata or {}).get("images", 0))
    if first.is_shaped:
        shapes = re.findall(r'"shape":\s*\[([\d,\s]+)\]', first.shaped_description or "")
        return max((prod(map(int, shape.split(","))) // max(first.size, 1) for shape in shapes), default=0)
    return 0


def planes(tiff: Any) -> tuple[Plane, ...]:
    """List the images of an open file in order; there is at least one, if the file has pixels."""
    return tuple(plane for number in _candidates(tiff) for plane in _planes(tiff.series[number], number))


def _candidates(tiff: Any) -> list[int]:
    series = tiff.series
    if not series:
        return []
    kind = series[0].kind
    if kind == "scn":
        return _scans(tiff) or [max(range(len(series)), key=lambda k: series[k].keyframe.size)]
    if kind in SCANNERS:
        return [0]  # tifffile puts the scan first
    full = [k for k, one in enumerate(series) if not (one.keyframe.is_reduced or one.keyframe.is_mask)]
    return full or list(range(len(series)))


def _scans(tiff: Any) -> list[int]:
    """Return the images of a Leica SCN that do not show the whole slide, as its macro does."""
    scans, number = [], 0
    for collection in ElementTree.fromstring(tiff.scn_metadata).iterfind("{*}collection"):
        slide = collection.get("sizeX"), collection.get("sizeY")
        for image in collection.iterfind("{*}image"):
            view = image.find("{*}view")
            if view is None or (view.get("sizeX"), view.get("sizeY")) != slide:
                scans.append(number)
            number += 1
    return scans if number == len(tiff.series) else []


def _planes(series: Any, number: int) -> list[Plane]:
    keyframe = series.keyframe
    axes, shape = series.axes, series.shape  # axes of length 1 may be left out; none of them counts here
    leading = [(axis, size) for axis, size in zip(axes, shape, strict=True) if axis not in "YXS" and size > 1]
    if prod(size for _, size in leading) * keyframe.size != prod(shape):
        leading = [("I", len(series))]  # the axes do not tell the pages apart
    count = prod(size for _, size in leading)
    ways = luminances(keyframe)
    size = f"{keyframe.imagelength} × {keyframe.imagewidth} px {keyframe.dtype}"
    found = []
    for index in range(count):
        position = np.unravel_index(index, tuple(size for _, size in leading)) if leading else ()
        steps = zip(leading, position, strict=True)
        words = [f"{'page' if axis in 'IQ' else axis} {at + 1} of {of}" for (axis, of), at in steps]
        file, ifd, data = _place(series, index, count)
        for way in ways:
            sample = [f"sample {way.samples[0] + 1} of {len(ways)}"] if len(ways) > 1 else []
            found.append(
                Plane(", ".join([series.name or "image", *words, *sample, size]), number, file, ifd, data, way)
            )
    return found


def _place(series: Any, index: int, count: int) -> tuple[Path | None, int, int | None]:
    keyframe = series.keyframe
    file = Path(keyframe.parent.filehandle.path)
    if len(series) == count:
        page = series[index]
        if page is None:
            return None, keyframe.offset, None
        if page.is_virtual:  # its place was calculated, it has no directory
            return (file if keyframe.is_final else None), keyframe.offset, page.dataoffsets[0]
        return Path(page.parent.filehandle.path), page.offset, None
    if series.dataoffset is None:
        return None, keyframe.offset, None
    return file, keyframe.offset, series.dataoffset + index * keyframe.nbytes
