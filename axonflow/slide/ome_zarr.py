"""OME-Zarr 0.4 and 0.5 that others wrote: the finest level of an image.

It reads what a slide can be; what axonflow writes is the business of :mod:`axonflow.ngff`.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from axonflow.errors import SlideError
from axonflow.kernel.documents import read_file, read_json
from axonflow.kernel.grid import Box
from axonflow.slide.format import Image, choose_image
from axonflow.slide.identity import fingerprint, sample_of
from axonflow.slide.luminance import GREY, RGB, Luminance
from axonflow.slide.scale import UNITS_UM, Claim
from axonflow.slide.untiled import version

if TYPE_CHECKING:
    import zarr

__all__ = ["Level", "find_image", "recognises"]

LARGEST_CHUNK = 2**30
"""Bytes of a decoded chunk beyond which an image is refused."""

_RGB_COLOURS = ("FF0000", "00FF00", "0000FF")
_OF_RGB = re.compile(r"(?i)|r|g|b|red|green|blue|rgb|bright ?field|(channel|ch|c)?[ _:#-]*\d+")
"""Names of channels that say nothing of a dye."""

_KINDS_OF_FILES = {
    stat.S_IFLNK: "a link",
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
    stat.S_IFDIR: "a folder",
}
_METADATA = ("zarr.json", ".zgroup", ".zattrs", ".zarray")
_SAMPLED_CHUNKS = 64


@dataclass(frozen=True, slots=True)
class Labels:
    """What an image's channels show.

    Attributes
    ----------
    words : tuple of str
        Their names, empty where they have none.
    rgb : bool
        Whether they are red, green and blue.
    """

    words: tuple[str, ...]
    rgb: bool


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
        largest = _largest_file(array)
        for key in self._keys(array, box):
            _is_there(self.array, key, largest)
        rows, columns = box.slices
        samples = []
        for sample in self.luminance.samples:
            before = [sample if at is None else at for at in self.before]
            where: tuple[int | slice, ...] = (*before, rows, columns)
            samples.append(np.asarray(array[where]))
        return np.array(self.luminance.of(*samples), order="C")

    def _keys(self, array: zarr.Array[Any], box: Box) -> Iterator[str]:
        """Yield the names of the files that hold a box."""
        stored = array.shards or array.chunks
        colours = range(max(self.luminance.samples) + 1)
        leading = [
            {(sample if at is None else at) // step for sample in colours}
            for at, step in zip(self.before, stored, strict=False)
        ]
        (tall, wide), (rows, columns) = stored[-2:], box.slices
        y, x = (range(part.start // step, -(-part.stop // step)) for part, step in ((rows, tall), (columns, wide)))
        for place in product(*leading, y, x):
            yield array.metadata.encode_chunk_key(place)


@lru_cache(maxsize=32)
def _array(folder: Path, version: tuple[int, int], process: int) -> zarr.Array[Any]:  # noqa: ARG001 (parts of the key)
    import zarr  # a fifth of a second, which other slides do without

    return zarr.open_array(str(folder), mode="r")


def recognises(path: Path) -> bool:
    """Tell whether a path is a folder."""
    return path.is_dir()


def find_image(path: Path, series: int | None, channel: int | None) -> Image:
    """Find the image of an OME-Zarr that is meant."""
    attributes = _attributes(path)
    if attributes is None or not ({"multiscales", "bioformats2raw.layout"} & attributes.keys()):
        hint = "; it is a plate, give the folder of one field" if attributes and "plate" in attributes else ""
        raise SlideError(
            f"An OME-Zarr image was expected, the folder {path} has no multiscales metadata{hint}; give the folder "
            "that holds the image's zarr.json or .zattrs."
        )
    groups = [path] if "multiscales" in attributes else _images(path)
    for group in groups:
        _within(group, path)
    metadata = [_attributes(group) or {} for group in groups]
    names = [
        str(each.get("multiscales", [{}])[0].get("name") or group.name)
        for each, group in zip(metadata, groups, strict=True)
    ]
    lines = tuple(f"{number}: {name}" for number, name in enumerate(names))
    number = choose_image(path, lines, series)
    return _image(groups[number], metadata[number], names[number], lines, number, channel)


def _within(inner: Path, outer: Path) -> None:
    """Refuse a folder that a store names but that lies outside of it."""
    if not inner.resolve().is_relative_to(outer.resolve()):
        raise SlideError(
            f"A folder within {outer} was expected, its metadata name {inner}, which lies elsewhere; give a store that "
            "holds all of its own data."
        )


def _attributes(folder: Path) -> dict[str, Any] | None:
    """Return the OME attributes of a group, with the version's number in them; None if it is no group."""
    new, old = folder / "zarr.json", folder / ".zattrs"
    if new.is_file():
        return dict(read_json(new).get("attributes", {}).get("ome", {}))
    if old.is_file():
        found = dict(read_json(old))
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


def _image(
    group: Path, attributes: dict[str, Any], name: str, lines: tuple[str, ...], number: int, channel: int | None
) -> Image:
    import zarr

    edition = str(attributes.get("version"))
    if edition not in {"0.4", "0.5"}:
        raise SlideError(f"{group} is of OME-Zarr {edition}; 0.4 and 0.5 are read, convert it to one of them.")
    multiscale = attributes["multiscales"][0]
    axes, finest = multiscale["axes"], multiscale["datasets"][0]
    folder = group / finest["path"]
    _within(folder, group)
    for name in _METADATA:
        if os.path.lexists(folder / name):
            read_file(folder / name)  # zarr waits for a pipe, and reads whatever a link leads to
    array = zarr.open_array(str(folder), mode="r")
    if (size := prod(array.chunks) * array.dtype.itemsize) > LARGEST_CHUNK:
        raise SlideError(
            f"{folder} has chunks of {' × '.join(map(str, array.chunks))}, {size / 2**30:,.1f} GiB each once decoded; "
            f"at most {LARGEST_CHUNK / 2**30:g} GiB can be. Save it with chunks of, for instance, 512 × 512 px."
        )
    if len(axes) != array.ndim:
        raise SlideError(f"{folder} has {array.ndim} axes, its metadata lists {len(axes)}; the store is damaged.")
    names = [str(axis["name"]).lower() for axis in axes]
    labels = _labels(attributes, dict(zip(names, array.shape, strict=True)).get("c", 1))
    before, luminance = _axes(group, names, array.shape, labels, channel)
    height, width = array.shape[-2:]
    if 0 in array.shape:
        raise SlideError(f"{folder} has {height} × {width} pixels; an image with pixels was expected.")
    return Image(
        format=f"OME-Zarr {edition}",
        series=f"{name}{_named(labels, channel)}, level {finest['path']}, {height} × {width} px {array.dtype}",
        series_found=lines,
        shape=(height, width),
        grain=(min(array.chunks[-2], height), min(array.chunks[-1], width)),
        stored=array.dtype,
        luminance=luminance,
        claims=_claims(axes, finest, multiscale),
        identity=_identity(array, folder, multiscale, number, channel),
        reader=Level(folder, before, luminance),
    )


def _labels(attributes: dict[str, Any], count: int) -> Labels:
    """Return what the channels show, and whether they may be red, green and blue: nothing says otherwise."""
    omero = attributes.get("omero")
    channels = omero.get("channels") if isinstance(omero, dict) else None
    channels = [each if isinstance(each, dict) else {} for each in channels or ()][:count]
    channels += [{}] * (count - len(channels))
    words = [str(each.get("label") or "").strip() for each in channels]
    colours = [
        str(each.get("color") or rgb).upper().lstrip("#") for each, rgb in zip(channels, _RGB_COLOURS, strict=False)
    ]
    colourless = all(_OF_RGB.fullmatch(word) for word in words)
    return Labels(tuple(words), count == len(_RGB_COLOURS) and colourless and colours == list(_RGB_COLOURS))


def _named(labels: Labels, channel: int | None) -> str:
    if channel is None:
        return ""
    return f", channel {channel}" + (f" ({labels.words[channel]})" if labels.words[channel] else "")


def _axes(
    group: Path, names: list[str], shape: tuple[int, ...], labels: Labels, channel: int | None
) -> tuple[tuple[int | None, ...], Luminance]:
    """Return the index of each axis before y and x, and how the samples become luminance."""
    if channel is not None and not 0 <= channel < len(labels.words):
        raise SlideError(f"{group} has {len(labels.words)} channels, --channel {channel} came:{_listed(labels)}")
    if names[-2:] != ["y", "x"] or not set(names[:-2]) <= {"t", "c", "z"}:
        raise SlideError(f"{group} has the axes {''.join(names)}; (t)(c)(z)yx was expected.")
    before: list[int | None] = []
    luminance = GREY
    for name, size in zip(names[:-2], shape, strict=False):
        if name == "c" and channel is not None:
            before.append(channel)
        elif name == "c" and labels.rgb:
            luminance = RGB
            before.append(None)
        elif name == "c" and size != 1:
            raise SlideError(
                f"{group} has {size} channels, which are not red, green and blue, and none was chosen; choose one with "
                f"--channel N:{_listed(labels)}"
            )
        elif size != 1:
            raise SlideError(
                f"{group} has {size} planes along {name}; one plane was expected. Save the one that is meant as an "
                "image of its own."
            )
        else:
            before.append(0)
    return tuple(before), luminance


def _listed(labels: Labels) -> str:
    return "".join(f"\n  {number}: {word or 'unnamed'}" for number, word in enumerate(labels.words))


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


def _identity(
    array: zarr.Array[Any], folder: Path, multiscale: dict[str, Any], number: int, channel: int | None
) -> str:
    """Hash the metadata and at most 64 evenly spaced chunk files, present or not."""
    stored, largest = array.shards or array.chunks, _largest_file(array)
    counts = [-(-side // step) for side, step in zip(array.shape, stored, strict=True)]
    total = int(np.prod(counts, dtype=np.int64))
    chosen = np.unique(np.linspace(0, total - 1, min(total, _SAMPLED_CHUNKS)).astype(np.int64))
    keys = (array.metadata.encode_chunk_key(tuple(int(i) for i in np.unravel_index(k, counts))) for k in chosen)
    parts = [json.dumps(multiscale, sort_keys=True).encode(), f"image {number}".encode()]
    parts += [read_file(folder / name) for name in _METADATA if (folder / name).is_file()]
    parts += [sample_of(folder / key, 1 << 16) if _is_there(folder, key, largest) else b"absent" for key in keys]
    if channel is not None:
        parts.append(f"channel {channel}".encode())
    return fingerprint(parts)


def _largest_file(array: zarr.Array[Any]) -> int:
    """Return how many bytes a file of pixels may have: no codec makes noise much larger than it is."""
    return 2 * prod(array.shards or array.chunks) * array.dtype.itemsize + 2**20


def _is_there(folder: Path, key: str, largest: int) -> bool:
    """Tell whether a chunk is there; it may not be.

    Raises
    ------
    SlideError
        If anything else than a file is in its place, or a link leads to it: a device or a pipe would be waited for, and
        a link may lead to what is no part of the slide. Likewise if it has more bytes than its pixels can have.
    """
    parts = key.split("/")
    for depth in range(1, len(parts) + 1):
        path = folder.joinpath(*parts[:depth])
        try:
            there = path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        mode = there.st_mode
        if not (stat.S_ISREG(mode) if depth == len(parts) else stat.S_ISDIR(mode)):
            found = _KINDS_OF_FILES.get(stat.S_IFMT(mode), "something else")
            raise SlideError(
                f"A file of pixels was expected at {path}, {found} is there; copy the store with its links "
                "followed (cp -rL)."
            )
        if depth == len(parts) and there.st_size > largest:
            raise SlideError(
                f"{path} has {there.st_size:,} bytes, which is more than its pixels can take; copy the store again "
                "from its source."
            )
    return True
