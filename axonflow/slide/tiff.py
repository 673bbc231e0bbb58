"""TIFF, OME-TIFF and the whole-slide formats that are TIFFs inside: finds the image, and what of it is lost.

Damage is sought in the image's directory before any pixel is read, so that a run of hours does not end on it.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
from tifffile import TiffFile

from axonflow.errors import SlideError
from axonflow.slide.format import Image, Lost, choose_image, refuse_channel
from axonflow.slide.identity import fingerprint, sample_of
from axonflow.slide.luminance import Luminance
from axonflow.slide.slide import Reader
from axonflow.slide.tiff_bar import stated_bar
from axonflow.slide.tiff_planes import SCANNERS, planes, refuse_too_many
from axonflow.slide.tiff_reader import Mapped, Segmented, directory, grain_of
from axonflow.slide.tiff_scale import tiff_claims
from axonflow.slide.tiff_sparse import missing_grey

__all__ = ["find_image", "recognises"]

LARGEST_SEGMENT = 2**30
"""Bytes of a decoded tile or strip beyond which an image is refused."""

_SUFFIXES = (".tif", ".tiff", ".btf", ".tf2", ".tf8", ".svs", ".ndpi", ".scn", ".bif", ".qptiff")
_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_NAMES = {**SCANNERS, "ome": "OME-TIFF", "imagej": "ImageJ TIFF"}

# tifffile reports damage to its log before it raises, or reads on; without a handler that would reach the user's
# terminal beside the one message that is meant for it.
logging.getLogger("tifffile").addHandler(logging.NullHandler())


def recognises(path: Path) -> bool:
    """Tell by its name whether a file is a TIFF."""
    return path.suffix.lower() in _SUFFIXES and path.is_file()


def find_image(path: Path, series: int | None, channel: int | None) -> Image:
    """Find the image of a TIFF that is meant."""
    refuse_channel(path, channel)
    with path.open("rb") as stream:
        start = stream.read(4)
    if start not in _MAGIC:
        raise SlideError(
            f"{path} is named {path.suffix} but begins with {start!r}, which no TIFF does; give the slide itself, or "
            "rename it after its format."
        )
    with TiffFile(path) as tiff:
        refuse_too_many(tiff)
        found = planes(tiff)
        if not found:
            raise SlideError(f"{path} has no image; the file may be truncated, copy it again from its source.")
        lines = tuple(f"{number}: {plane.words}" for number, plane in enumerate(found))
        number = choose_image(path, lines, series)
        plane = found[number]
        if plane.file is None or not plane.file.is_file():
            raise SlideError(
                f"{path} lists the image {plane.words!r}, but its pixels are not there; they may be in a file that is "
                "missing beside it, or the file is truncated."
            )
        opened = directory(plane.file, plane.ifd)
        page, kind = opened.page, tiff.series[plane.series].kind
        reader, grain, lost = _reader(page, plane.file, plane.ifd, plane.data, plane.luminance, kind)
        return Image(
            format=_NAMES.get(kind, "BigTIFF" if tiff.is_bigtiff else "TIFF"),
            series=plane.words + (", overlapping tiles not stitched" if kind == "bif" else ""),
            series_found=lines,
            shape=(page.imagelength, page.imagewidth),
            grain=grain,
            stored=page.dtype,
            luminance=plane.luminance,
            claims=tiff_claims(tiff, page, plane.series),
            identity=fingerprint(
                (*(sample_of(file) for file in dict.fromkeys((path, plane.file))), f"image {number}".encode())
            ),
            reader=reader,
            bar=stated_bar(page),
            lost=lost,
        )


def _reader(
    page: Any,
    file: Path,
    ifd: int,
    data: int | None,
    luminance: Luminance,
    kind: str,
) -> tuple[Reader, tuple[int, int], Lost | None]:
    """Return the reader of an image, its grain, and what is lost as far as its kind of storage shows it."""
    shape = page.imagelength, page.imagewidth
    if 0 in page.shaped:
        raise SlideError(f"{file} has {shape[0]} × {shape[1]} pixels; an image with pixels was expected.")
    if page.shaped[1] > 1:
        raise SlideError(f"{file} holds a volume of {page.shaped[1]} slices in one image; save the slice to read.")
    if page.dtype is None:
        raise SlideError(
            f"{file} has samples of {page.bitspersample} bits, sample format {page.sampleformat}; 8 or 16 bits or "
            "floats were expected. Convert it."
        )
    if page.is_final:
        offset = page.dataoffsets[0] if data is None else data
        planes, _, height, width, samples = page.shaped
        lost = _beyond(file, np.array([offset]), np.array([page.nbytes]), "blocks of pixels", (1, 1))
        dtype = page.dtype.newbyteorder(page.parent.byteorder)
        if lost is None or data is not None or len(page.dataoffsets) == 1:
            if lost is not None:  # nothing tells one part of it from another
                raise SlideError(f"{lost.what}; {lost.advice}.")
            return Mapped(file, offset, dtype.str, (planes, height, width, samples), luminance), (1, 1), None
    try:
        page.decode(None, 0)  # what tifffile cannot decode is raised without pixels, too
    except Exception as error:
        raise SlideError(
            f"{file} is compressed in a way that cannot be read ({error}); save it as a tiled TIFF with deflate, LZW "
            "or JPEG."
        ) from error
    grain, scanner = grain_of(page), kind in SCANNERS
    lost = _lost(page, file, grain, scanner=scanner)
    some = bool(np.any(np.asarray(page.databytecounts)) and np.any(np.asarray(page.dataoffsets)))
    missing = missing_grey(page, luminance, kind) if scanner or (page.is_tiled and some) else None
    return Segmented(file, ifd, shape, grain, luminance, missing, scanner), grain, lost


def _lost(page: Any, file: Path, grain: tuple[int, int], *, scanner: bool) -> Lost | None:
    """Find tiles or strips that are not listed, or not inside the file; refuse a size that cannot be decoded."""
    samples, separate = page.shaped[4], page.shaped[0]
    name = "tile" if page.is_tiled else "strip"
    size = grain[0] * grain[1] * samples * page.dtype.itemsize
    if size > LARGEST_SEGMENT:
        raise SlideError(
            f"{file} has {name}s of {grain[0]} × {grain[1]} px, {size / 2**30:.1f} GiB each once decoded; at most "
            f"{LARGEST_SEGMENT / 2**30:g} GiB can be. Save it as a tiled TIFF, for instance with tiles of 512 × 512 px."
        )
    down, across = -(-page.imagelength // grain[0]), -(-page.imagewidth // grain[1])
    expected = down * across * separate
    offsets = np.asarray(page.dataoffsets, np.int64)[:expected]
    counts = np.asarray(page.databytecounts, np.int64)[:expected]
    listed = min(len(offsets), len(counts))
    offsets, counts = offsets[:listed], counts[:listed]
    nowhere, empty = offsets <= 0, counts <= 0
    absent = nowhere | empty
    # A tile without both was left out on purpose; a strip, or one of the two, is what a writer that was stopped leaves.
    left_out = page.is_tiled and bool((nowhere == empty).all()) and expected - listed + absent.sum() < expected
    if listed < expected or (absent.any() and not (scanner or left_out)):
        row, column = divmod(int(np.argmax(np.r_[absent, True])) % (down * across), across)
        what = f"{expected - listed + np.count_nonzero(absent)} of the {expected} {name}s of {file} are missing"
        return Lost(what, row, column, "the file is damaged or was never finished, save or copy it again")
    return _beyond(file, offsets, counts, name + "s", (down, across))


def _beyond(
    file: Path, offsets: np.ndarray[Any, Any], counts: np.ndarray[Any, Any], what: str, grid: tuple[int, int]
) -> Lost | None:
    """Find what reaches beyond the end of the file, of so many parts of an image below and beside each other."""
    size = file.stat().st_size
    beyond = offsets + counts > size
    if not beyond.any():
        return None
    row, column = divmod(int(np.argmax(beyond)) % (grid[0] * grid[1]), grid[1])
    said = (
        f"{file} is truncated: it has {size} bytes, but {np.count_nonzero(beyond)} of its {len(offsets)} {what} reach "
        f"beyond them, to byte {int((offsets + counts).max())}"
    )
    return Lost(said, row, column, "copy it again from its source")
