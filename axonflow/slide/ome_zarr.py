"""OME-Zarr 0.4 and 0.5 that others wrote: the finest level of an image.

It reads what a slide can be; what axonflow writes is the business of :mod:`axonflow.ngff`.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from axonflow.errors import SlideError
from axonflow.kernel.grid import Box
from axonflow.slide.format import Image, choose_image
from axonflow.slide.identity import fingerprint, sample_of
from axonflow.slide.luminance import GREY, RGB, Luminance
from axonflow.slide.scale import UNITS_UM, Claim
from axonflow.slide.untiled import version

if TYPE_CHECKING:
    import zarr

__all__ = ["Level", "find_image", "recognises"]

_METADATA = ("zarr.json", ".zgroup", ".zattrs", ".zarray")
_SAMPLED_CHUNKS = 64


@dataclass(frozen=True, slots=True)
class Level:
    """Reads boxes of one array.

    Attributes
    ----------
    array : Path
        The array's folder.
    before : tuple of (int or None)
        Index along each axis before y and x; None for the axis of the colours.
    luminance : Luminance
    """

    array: Path
    before: tuple[int | None, ...]
    luminance: Luminance

    def read(self, box: Box) -> NDArray[np.generic]:
        """Return the luminance in a box."""
        metadata = next(self.array / name for name in _METADATA if (self.array / name).is_file())
        array = _array(self.array, version(metadata), os.getpid())
        rows, columns = box.slices
        samples = []
        for sample in self.luminance.samples:
            before = [sample if at is None else at for at in self.before]
            where: tuple[int | slice, ...] = (*before, rows, columns)
            samples.append(np.asarray(array[where]))
        return np.array(self.luminance.of(*samples), order="C")


@lru_cache(maxsize=32)
def _array(folder: Path, version: tuple[int, int], process: int) -> zarr.Array[Any]:  # noqa: ARG001 (parts of the key)
    import zarr  # a fifth of a second, which other slides do without

    return zarr.open_array(str(folder), mode="r")


def recognises(path: Path) -> bool:
    """Tell whether a path is a folder."""
    return path.is_dir()


def find_image(path: Path, series: int | None) -> Image:
    """Find the image of an OME-Zarr that is meant."""
    attributes = _attributes(path)
    if attributes is None or not ({"multiscales", "bioformats2raw.layout"} & attributes.keys()):
        hint = "; it is a plate, give the folder of one field" if attributes and "plate" in attributes else ""
        raise SlideError(
            f"An OME-Zarr image was expected, the folder {path} has no multiscales metadata{hint}; give the folder "
            "that holds the image's zarr.json or .zattrs."
        )
    groups = [path] if "multiscales" in attributes else _images(path)
    metadata = [_attributes(group) or {} for group in groups]
    names = [
        str(each.get("multiscales", [{}])[0].get("name") or group.name)
        for each, group in zip(metadata, groups, strict=True)
    ]
    lines = tuple(f"{number}: {name}" for number, name in enumerate(names))
    number = choose_image(path, lines, series)
    return _image(groups[number], metadata[number], names[number], lines, number)


def _attributes(folder: Path) -> dict[str, Any] | None:
    """Return the OME attributes of a group, with the version's number in them; None if it is no group."""
    new, old = folder / "zarr.json", folder / ".zattrs"
    if new.is_file():
        return dict(json.loads(new.read_text("utf-8")).get("attributes", {}).get("ome", {}))
    if old.is_file():
        found = dict(json.loads(old.read_text("utf-8")))
        multiscales = found.get("multiscales") or [{}]
        return {"version": multiscales[0].get("version", "0.4"), **found}
    return None


def _images(path: Path) -> list[Path]:
    """Return the images of a folder in the layout of bioformats2raw: those it lists, or 0, 1, 2 and so on."""
    listed = (_attributes(path / "OME") or {}).get("series")
    if listed:
        return [path / str(name) for name in listed]
    found: list[Path] = []
    while _attributes(path / str(len(found))):
        found.append(path / str(len(found)))
    return found


def _image(group: Path, attributes: dict[str, Any], name: str, lines: tuple[str, ...], number: int) -> Image:
    import zarr

    edition = str(attributes.get("version"))
    if edition not in {"0.4", "0.5"}:
        raise SlideError(f"{group} is of OME-Zarr {edition}; 0.4 and 0.5 are read, convert it to one of them.")
    multiscale = attributes["multiscales"][0]
    axes, finest = multiscale["axes"], multiscale["datasets"][0]
    folder = group / finest["path"]
    array = zarr.open_array(str(folder), mode="r")
    if len(axes) != array.ndim:
        raise SlideError(f"{folder} has {array.ndim} axes, its metadata lists {len(axes)}; the store is damaged.")
    before, luminance = _axes(group, [str(axis["name"]).lower() for axis in axes], array.shape)
    height, width = array.shape[-2:]
    if 0 in array.shape:
        raise SlideError(f"{folder} has {height} × {width} pixels; an image with pixels was expected.")
    return Image(
        format=f"OME-Zarr {edition}",
        series=f"{name}, level {finest['path']}, {height} × {width} px {array.dtype}",
        series_found=lines,
        shape=(height, width),
        grain=(min(array.chunks[-2], height), min(array.chunks[-1], width)),
        stored=array.dtype,
        luminance=luminance,
        claims=_claims(axes, finest, multiscale),
        identity=_identity(array, folder, multiscale, number),
        reader=Level(folder, before, luminance),
    )


def _axes(group: Path, names: list[str], shape: tuple[int, ...]) -> tuple[tuple[int | None, ...], Luminance]:
    """Return the index of each axis before y and x, and how the samples become luminance."""
    if names[-2:] != ["y", "x"] or not set(names[:-2]) <= {"t", "c", "z"}:
        raise SlideError(f"{group} has the axes {''.join(names)}; (t)(c)(z)yx was expected.")
    before: list[int | None] = []
    luminance = GREY
    for name, size in zip(names[:-2], shape, strict=False):
        if name == "c" and size == 3:
            luminance = RGB
        elif size != 1:
            raise SlideError(
                f"{group} has {size} {'channels' if name == 'c' else f'planes along {name}'}; one plane of one channel "
                "(or three: RGB) was expected. Save the one that is meant as an image of its own."
            )
        before.append(None if name == "c" and size == 3 else 0)
    return tuple(before), luminance


def _claims(axes: list[dict[str, Any]], finest: dict[str, Any], multiscale: dict[str, Any]) -> tuple[Claim, ...]:
    """Read the pixel size from the scales and the units of the axes; an axis without a unit says nothing."""
    scale = np.ones(len(axes))
    for level in (finest, multiscale):
        for transformation in level.get("coordinateTransformations", ()):
            if transformation.get("type") == "scale":
                scale = scale * np.asarray(transformation["scale"], float)
    units = [UNITS_UM.get(str(axis.get("unit")).lower()) for axis in axes[-2:]]
    if units[0] is None or units[1] is None:
        return ()
    return (Claim("OME-Zarr metadata", float(scale[-2]) * units[0], float(scale[-1]) * units[1]),)


def _identity(array: zarr.Array[Any], folder: Path, multiscale: dict[str, Any], number: int) -> str:
    """Hash the metadata and at most 64 evenly spaced chunk files, present or not."""
    stored = array.shards or array.chunks
    counts = [-(-side // step) for side, step in zip(array.shape, stored, strict=True)]
    total = int(np.prod(counts, dtype=np.int64))
    chosen = np.unique(np.linspace(0, total - 1, min(total, _SAMPLED_CHUNKS)).astype(np.int64))
    keys = (array.metadata.encode_chunk_key(tuple(int(i) for i in np.unravel_index(k, counts))) for k in chosen)
    parts = [json.dumps(multiscale, sort_keys=True).encode(), f"image {number}".encode()]
    parts += [(folder / name).read_bytes() for name in _METADATA if (folder / name).is_file()]
    parts += [sample_of(folder / key, 1 << 16) if (folder / key).is_file() else b"absent" for key in keys]
    return fingerprint(parts)
