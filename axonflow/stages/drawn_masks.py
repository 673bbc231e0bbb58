"""Masks that are drawn as outlines, in the place of an image: GeoJSON as QuPath exports it, and ImageJ's ROIs.

Each outline is an object, so two axons whose outlines touch stay two. Where a file tells classes apart, each mask takes
its own: axons, myelin (or fibers, whose axons are drawn over them), or axons without myelin.

A file of outlines does not say of which image it is, nor in which unit. What can be seen to be wrong is refused:
outlines of which most lie off the slide, and those that fill the slide if read in µm, and only its corner if in pixels.
What looks so less surely is warned of (:mod:`axonflow.workflow.signs.unit`).
"""

from __future__ import annotations

import io
import re
import stat
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from axonflow.errors import InputError
from axonflow.fiber.drawn import Area, Drawn, crossing
from axonflow.fiber.extent import Extent
from axonflow.fiber.regions import FARTHEST, features_of, ring_of
from axonflow.kernel.classes import known_as
from axonflow.kernel.documents import read_file, said
from axonflow.kernel.extras import library
from axonflow.kernel.grid import Box
from axonflow.kernel.text import read_text
from axonflow.kernel.units import PixelSize
from axonflow.kernel.words import count, listed
from axonflow.slide import Slide, StoredImage
from axonflow.stages.masks import Mask

__all__ = ["MaskRole", "is_drawn", "open_drawn"]

MaskRole = Literal["axon", "myelin", "unmyelinated"]
"""What a mask is of."""

_GEOJSON, _ROIS = {".json", ".geojson"}, {".roi", ".zip"}

_SHOWS = {"axon": "axons", "myelin": "myelin or fibers", "unmyelinated": "axons without myelin"}

_FIBERS = {"fiber", "fibers", "fibre", "fibres", "axonmyelin"}
"""How people call an axon with its myelin: it is a myelin mask's, as the axon is drawn over it."""

_NAMED = 5
"""Outlines that a note names."""

_LARGEST_ZIP, _LARGEST_ROI, _MOST_ROIS = 2**31, 2**26, 10**7
"""Bytes of all that a set holds, and of one ROI; how many these may be."""

_FILLS, _SPILLS = 0.5, 1.02
"""Which part of the slide's height and width outlines in µm reach at least, and how far beyond its end."""


@dataclass(frozen=True, slots=True)
class _Outline:
    """An object of a file: its name, the class in the name, its rings as sides in units of the file."""

    name: str
    areas: tuple[tuple[NDArray[np.float64], ...], ...]

    @property
    def role(self) -> str:
        """What kind of mask it belongs to; empty if its name does not say."""
        plain = re.sub(r"[\W\d_]+$", "", self.name.partition(":")[0]).strip()
        if plain.casefold() in _FIBERS:
            return "myelin"
        known = known_as(plain)
        return known.role if known else ""


@dataclass(frozen=True, slots=True)
class _File:
    """What a file of outlines holds, with what of it is no area, in words."""

    outlines: tuple[_Outline, ...]
    left_out: tuple[str, ...]
    digest: str


@dataclass(frozen=True, slots=True)
class _Reader:
    """Draws the outlines of a file; the file is read once in every process that draws."""

    path: Path
    digest: str
    role: MaskRole
    scale: tuple[float, float]
    apart: bool

    def read(self, box: Box) -> NDArray[np.generic]:
        """Return the ids of a box; 255 for every id where objects are not kept apart."""
        ids = _drawn(self.path, self.digest, self.role, self.scale).draw(box)
        return ids if self.apart else np.where(ids > 0, np.uint8(255), np.uint8(0))


def is_drawn(path: Path) -> bool:
    """Tell by its ending whether a mask is given as outlines."""
    return path.suffix.lower() in _GEOJSON | _ROIS


def open_drawn(
    path: Path, role: MaskRole, unit: Literal["px", "um"] | None, shape: tuple[int, int], pixel_size: PixelSize
) -> Mask:
    """Open outlines as a mask of a slide.

    Parameters
    ----------
    path : Path
    role : str
        What the mask is of.
    unit : "px" or "um" or None
        Of the coordinates: pixels of the slide, or µm. None is pixels, unless they look like µm, which is refused.
    shape : (int, int)
        Height and width of the slide, px.
    pixel_size : PixelSize
        Of the slide.

    Raises
    ------
    InputError
        If the file cannot be read, holds no outline of this kind, or none that can be of this slide.
    """
    path = path.absolute()
    file = _read(path)
    outlines, told_apart = _of_role(file, role, path)
    scale = (1 / pixel_size.y, 1 / pixel_size.x) if unit == "um" else (1.0, 1.0)
    areas = _areas(outlines, scale, path)
    drawn = Drawn.of(areas)
    if unit is None:
        _refuse_um(drawn, shape, pixel_size, path)
    off = drawn.off(shape)
    if len(off) * 2 > len(outlines):
        raise InputError(
            f"Outlines on the slide of {shape[0]} × {shape[1]} px (height × width) were expected, {len(off):,} of "
            f"{len(outlines):,} in {path} lie off it, such as {_names(outlines, off[:1])}; give those of this slide, "
            "or say their unit with --outlines-unit."
        )
    notes = [f"{path} holds what is no outline of an area: {listed(*file.left_out[:_NAMED])}."] if file.left_out else []
    if told_apart and (others := len(file.outlines) - len(outlines)):
        taken = count(len(outlines), "outline")
        notes.append(
            f"Of {path}, {taken} of {_SHOWS[role]} were taken for its mask, and {others:,} of other classes not."
        )
    flat = drawn.flat()
    for found, what in (
        (off, "off the slide"),
        (flat, "without area"),
        (drawn.twice(), "drawn as another before, which counts once"),
        (
            np.setdiff1d(crossing(areas), flat),
            "that cross themselves, of which a place that is encircled twice is left out",
        ),
    ):
        if len(found):
            notes.append(f"{path} holds {count(len(found), 'outline')} {what}: {_names(outlines, found)}.")
    kept = role if told_apart else ""
    identity = sha256(f"{file.digest} {scale} {kept}".encode()).hexdigest()
    apart = role != "myelin"
    slide = Slide(
        path=path,
        format="GeoJSON" if path.suffix.lower() in _GEOJSON else "ImageJ ROIs",
        series="outlines",
        series_found=(),
        shape=shape,
        dtype=np.dtype(np.uint32 if apart else np.uint8),
        channels="grey",
        pixel_size=None,
        pixel_size_source="not in the file",
        grain=(1, 1),
        identity=identity,
        reader=_Reader(path, file.digest, role, scale, apart),
    )
    image = StoredImage(slide, False, False, False, None)
    rule: Literal["outlines", "not zero"] = "outlines" if apart else "not zero"
    extent = Extent.of(drawn.sides, drawn.begin) if unit is None else None
    return Mask(image, "values", rule, 0, len(outlines) if apart else 255, notes=tuple(notes), extent=extent)


def _refuse_um(drawn: Drawn, shape: tuple[int, int], pixel_size: PixelSize, path: Path) -> None:
    """Refuse outlines that are in µm by all appearance."""
    reach, sides = drawn.high.max(axis=0), np.array(shape)
    in_um = sides * (pixel_size.y, pixel_size.x)
    fills_in_um = (reach >= _FILLS * in_um).all() and (reach <= _SPILLS * in_um).all()
    if fills_in_um and (reach < _FILLS * sides).all():
        raise InputError(
            f"Outlines in pixels of the slide were expected in {path}; they reach y {reach[0]:g} and x {reach[1]:g}: "
            f"read in µm they fill the slide ({in_um[0]:g} × {in_um[1]:g} µm), in pixels only its corner. Say which "
            "they are: --outlines-unit um, or px."
        )


def _names(outlines: tuple[_Outline, ...], numbers: Any) -> str:
    names = [outlines[k - 1].name or f"outline {k}" for k in numbers[:_NAMED].tolist()]
    return ", ".join(names) + " …" * (len(numbers) > _NAMED)


def _of_role(file: _File, role: MaskRole, path: Path) -> tuple[tuple[_Outline, ...], bool]:
    """Return the outlines of a mask, and whether the file tells classes apart."""
    roles = [outline.role for outline in file.outlines]
    if not any(roles):
        return file.outlines, False
    mine = tuple(outline for outline, is_of in zip(file.outlines, roles, strict=True) if is_of == role)
    if not mine:
        found = sorted({outline.name for outline, is_of in zip(file.outlines, roles, strict=True) if is_of})
        raise InputError(
            f"Outlines of {_SHOWS[role]} were expected in {path}, but it holds {listed(*found[:_NAMED])}; give the "
            "file of these, or rename their class."
        )
    return mine, True


def _areas(outlines: tuple[_Outline, ...], scale: tuple[float, float], path: Path) -> list[Area]:
    factors = np.array((*scale, *scale))
    areas = [
        Area(owner, tuple(ring * factors for ring in rings))
        for owner, outline in enumerate(outlines, 1)
        for rings in outline.areas
    ]
    if max(np.abs(ring).max() for area in areas for ring in area.rings) > FARTHEST:
        raise InputError(
            f"Outlines within {FARTHEST:.0e} px of the slide's corner were expected in {path}, others came; say their "
            "unit with --outlines-unit."
        )
    return areas


@lru_cache(maxsize=4)
def _drawn(path: Path, digest: str, role: MaskRole, scale: tuple[float, float]) -> Drawn:
    """Read the outlines of a mask in a worker."""
    file = _read(path)
    if file.digest != digest:
        raise InputError(f"The outlines that the run began with were expected in {path}, but the file has changed.")
    return Drawn.of(_areas(_of_role(file, role, path)[0], scale, path))


def _read(path: Path) -> _File:
    try:
        there = path.stat()
    except OSError as error:
        raise InputError(f"Outlines were expected in {path}, but it cannot be read: {error.strerror}.") from error
    return _read_once(path, (there.st_ino, there.st_size, there.st_mtime_ns))


@lru_cache(maxsize=1)
def _read_once(path: Path, _unchanged: tuple[int, ...]) -> _File:
    """Read a file that serves for several masks, and is opened and then drawn, once."""
    found = _read_rois(path) if path.suffix.lower() in _ROIS else _read_geojson(path)
    if not found.outlines:
        came = listed(*found.left_out[:_NAMED] or ["nothing"])
        raise InputError(f"Outlines of areas were expected in {path}, {came} came; draw some and export them.")
    return found


def _read_geojson(path: Path) -> _File:
    try:
        text = read_text(path)
    except FileNotFoundError:
        raise InputError(f"GeoJSON outlines were expected in {path}, which does not exist; check the path.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"GeoJSON outlines were expected in {path}, but it cannot be read: {error}. Export them again, in UTF-8."
        ) from error
    outlines, left_out = [], []
    try:
        for name, _, areas in features_of(text):
            if name.endswith("*"):  # QuPath ignores such classes
                left_out.append(name)
                continue
            rings = [tuple(ring_of(ring, (1.0, 1.0)) for ring in area) for area in areas if isinstance(area, list)]
            left_out += [f"{name} ({area})" if name else area for area in areas if isinstance(area, str)]
            outlines += [_Outline(name, tuple(rings))] * bool(rings)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return _File(tuple(outlines), tuple(left_out), sha256(text.encode()).hexdigest())


def _read_rois(path: Path) -> _File:
    roifile = library("roifile", "roi", f"ROIs of ImageJ, {path}")
    try:
        content = read_file(path, _LARGEST_ZIP)
    except OSError as error:
        raise InputError(f"ROIs of ImageJ were expected in {path}, but it cannot be read: {error}.") from error
    outlines, left_out = [], []
    for name, data in [(path.stem, content)] if path.suffix.lower() == ".roi" else _members(content, path):
        try:
            roi = roifile.ImagejRoi.frombytes(data)
            rings = _rings(roi, roifile)
        except Exception as error:  # damaged ROIs make roifile and numpy raise anything
            raise InputError(
                f"A ROI of ImageJ was expected in {path}, but {name} cannot be read ({said(error)}); save the set "
                "again."
            ) from error
        called = "".join(letter if letter.isprintable() else "?" for letter in roi.name or name)
        if rings:
            outlines.append(_Outline(called, (rings,)))
        else:
            left_out.append(f"{called} ({roi.roitype.name.lower()})")
    return _File(tuple(outlines), tuple(left_out), sha256(content).hexdigest())


def _members(content: bytes, path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the ROIs of a set with their names."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            known = [info for info in archive.infolist() if info.filename.lower().endswith(".roi")]
            folders = [info for info in known if info.is_dir() or stat.S_ISLNK(info.external_attr >> 16)]
            if folders or len(known) > _MOST_ROIS or max((info.file_size for info in known), default=0) > _LARGEST_ROI:
                raise ValueError("one is no file, or far too large")
            if sum(info.file_size for info in known) > _LARGEST_ZIP:
                raise ValueError("it holds more than a set of ROIs does")
            for info in known:
                yield Path(info.filename).stem, archive.read(info)
    except InputError:
        raise
    except Exception as error:  # zipfile raises anything over what is none
        raise InputError(
            f"A set of ImageJ's ROIs (.zip) was expected at {path}, but it cannot be read ({said(error)}); save it "
            "again from the ROI Manager."
        ) from error


def _rings(roi: Any, roifile: ModuleType) -> tuple[NDArray[np.float64], ...]:
    """Return the sides of the rings of a ROI; none if it has no area."""
    kinds = roifile.ROI_TYPE
    if roi.subtype in {roifile.ROI_SUBTYPE.TEXT, roifile.ROI_SUBTYPE.IMAGE, roifile.ROI_SUBTYPE.ARROW}:
        return ()
    if roi.composite:
        rings = roi.coordinates(multi=True)
    elif roi.roitype in {kinds.POLYGON, kinds.FREEHAND, kinds.TRACED}:
        rings = [roi.coordinates()]
    elif roi.roitype in {kinds.RECT, kinds.OVAL}:
        x, y, w, h = roi.left, roi.top, roi.right - roi.left, roi.bottom - roi.top
        if roi.subpixelrect:
            x, y, w, h = roi.xd, roi.yd, roi.widthd, roi.heightd
        corners = np.array([(0, 0), (1, 0), (1, 1), (0, 1)]) if roi.roitype == kinds.RECT else _circle(max(w, h))
        rings = [corners * (w, h) + (x, y)]
    else:
        return ()
    return tuple(_sides(np.asarray(ring, np.float64)) for ring in rings if len(ring) >= 3)


def _circle(diameter: float) -> NDArray[np.float64]:
    """Return the corners of a polygon about a circle of diameter 1, nowhere 0.01 px from it at the size it is drawn."""
    count = 4 * int(np.ceil(np.sqrt(max(min(diameter, 1e6), 1.0)) * 4))
    angle = 2 * np.pi * np.arange(count) / count
    # Other processors' sines differ in their last bits, and pixels must not.
    return np.round(np.column_stack([np.cos(angle), np.sin(angle)]) / 2 + 0.5, 9)


def _sides(xy: NDArray[np.float64]) -> NDArray[np.float64]:
    if not np.isfinite(xy).all():
        raise ValueError("its corners are no finite numbers")
    yx = xy[:, ::-1]
    return np.concatenate([yx, np.roll(yx, -1, axis=0)], axis=1)
