"""Parts of the slide: outlines drawn by hand.

Whether a pixel is inside is asked of its centre, in coordinates of the whole slide, so every core gives the same
answer. An outline's coordinates begin at the slide's top-left corner: the first pixel's centre is (0.5, 0.5).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from axonflow.errors import InputError
from axonflow.kernel.grid import Box

__all__ = ["FARTHEST", "Polygons", "features_of", "inside", "ring_of"]

FARTHEST = 1e9
"""No slide is so large, px; beyond, sums of coordinates would not be exact."""


@dataclass(frozen=True, slots=True, eq=False)
class Polygons:
    """Areas with straight sides, perhaps with holes.

    Attributes
    ----------
    sides : tuple of (n, 4) float64
        For each area the sides of its outline and its holes: (y, x) of one end and (y, x) of the other, px.
    names : tuple of str
        Of the region that each area belongs to; areas of one name are one region.
    left_out : tuple of str
        What the file holds besides, in words: points, lines, empty polygons, and what QuPath ignores.
    by_word : bool
        Whether a class was given as a word, and not as an object with a name, or a name as a number.
    """

    sides: tuple[NDArray[np.float64], ...]
    names: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    by_word: bool = False

    @classmethod
    def from_geojson(cls, text: str, scale: tuple[float, float] = (1.0, 1.0)) -> Polygons:
        """Read Polygons, MultiPolygons, and Features and collections of them.

        A Feature's name is that of its ``classification``, as QuPath writes it, or this itself if it is a word, else
        its ``name``, else ``region`` and its place in the file, from 1. Points, lines and empty polygons are left out,
        and so are classes that QuPath ignores, whose names end in an asterisk.

        Parameters
        ----------
        text : str
            GeoJSON; a position is (x, y).
        scale : (float, float)
            Pixels per unit of the coordinates along y and x: 1 / pixel size when they are µm.

        Raises
        ------
        InputError
            If it is no GeoJSON, or holds no area.
        """
        found = features_of(text)
        parts = [
            (name or f"region {place}", rings) for place, (name, _, areas) in enumerate(found, 1) for rings in areas
        ]
        areas = [
            (name, np.concatenate([ring_of(ring, scale) for ring in rings]))
            for name, rings in parts
            if isinstance(rings, list) and not name.endswith("*")
        ]
        left_out = tuple(
            f"{name} ({'QuPath ignores such classes' if isinstance(rings, list) else rings})"
            for name, rings in parts
            if not isinstance(rings, list) or name.endswith("*")
        )
        if not areas and left_out:
            raise InputError(
                f"GeoJSON Polygons or MultiPolygons with coordinates were expected, {'; '.join(left_out[:5])} came; "
                "export areas."
            )
        if not areas:
            raise InputError("GeoJSON with at least one Polygon was expected, none came; draw one and export it.")
        by_word = any(word for _, word, _ in found)
        return cls(tuple(sides for _, sides in areas), tuple(name for name, _ in areas), left_out, by_word)

    def outside(self, shape: tuple[int, int]) -> tuple[str, ...]:
        """Return the names of the regions that lie wholly off a slide of this shape, px."""
        on_it = set()
        for sides, name in zip(self.sides, self.names, strict=True):
            ends = sides.reshape(-1, 2)
            if (ends.max(axis=0) > 0).all() and (ends.min(axis=0) < shape).all():
                on_it.add(name)
        return tuple(name for name in self.regions if name not in on_it)

    @property
    def regions(self) -> tuple[str, ...]:
        """The names, each once, in the order of the file."""
        return tuple(dict.fromkeys(self.names))

    def cover(self, box: Box) -> NDArray[np.bool_]:
        """Tell which pixels of a box have their centre in any of the areas.

        Within one area, holes and crossings follow the even-odd rule.

        Returns
        -------
        (box.shape) bool
        """
        return self.label(box) > 0

    def label(self, box: Box) -> NDArray[np.uint32]:
        """Tell which region holds the centre of each pixel of a box; where areas overlap, the first one's.

        Returns
        -------
        (box.shape) uint32
            0 outside of all areas, else 1 + the region's place in :attr:`regions`.
        """
        number = {name: i for i, name in enumerate(self.regions, 1)}
        labels = np.zeros(box.shape, np.uint32)
        for sides, name in zip(self.sides, self.names, strict=True):
            ends = sides.reshape(-1, 2)
            low, high = np.floor(ends.min(axis=0)), np.ceil(ends.max(axis=0))
            part = box & Box(int(low[0]), int(low[1]), int(high[0]), int(high[1]))
            if part.size:
                free = labels[part.relative_to(box).slices]
                free[inside(sides, part) & (free == 0)] = number[name]
        return labels


def features_of(text: str) -> list[tuple[str, bool, list[list[object] | str]]]:
    """Read every feature of a GeoJSON text.

    Returns
    -------
    list of (str, bool, list)
        Its name, perhaps empty; whether that is read newly (see :class:`Polygons`); and of each of its areas the
        rings, or in words what stands in the place of an area.

    Raises
    ------
    InputError
        If it is no GeoJSON.
    """
    try:
        found = [(name, word, [*_areas(geometry)]) for name, geometry, word in _features(json.loads(text))]
    except InputError:
        raise
    except json.JSONDecodeError as reason:
        raise InputError(
            f"GeoJSON was expected, but it is not JSON ({reason}); export the outlines as GeoJSON."
        ) from reason
    except (ValueError, RecursionError) as reason:
        found_in_it = "brackets in brackets without end" if isinstance(reason, RecursionError) else "too long a number"
        raise InputError(
            f"GeoJSON was expected, but it cannot be read ({found_in_it}); export the outlines again."
        ) from reason
    for name, _, areas in found:
        if areas and not name.isprintable() and any("\ud800" <= letter <= "\udfff" for letter in name):
            raise InputError(f"Names of whole letters were expected in GeoJSON, {name!r} came; rename the region.")
    return found


def _features(document: object) -> Iterator[tuple[str, object, bool]]:
    """Yield the name, perhaps empty, the geometry of everything in a file, and whether its name is read newly."""
    match document:
        case {"type": "FeatureCollection", "features": list(parts)} | list(parts):  # QuPath may export a bare list
            for part in parts:
                yield from _features(part)
        case {"type": "Feature", "geometry": geometry, **rest}:
            name, by_word = _name(rest.get("properties"))
            yield name, geometry, by_word
        case _:
            yield "", document, False


def _name(properties: object) -> tuple[str, bool]:
    """Return the name of a Feature, perhaps empty, and whether it is a class that is a word, or a number.

    QuPath writes a class that is derived from others as a list of names.
    """
    match properties:
        case {"classification": str(name)} if name:
            return name, True
        case {"classification": {"name": str(name)}} if name:
            return name, False
        case {"classification": {"names": [*names]}} if names:
            return ": ".join(map(str, names)), False
        case {"name": str(name)}:
            return name, False
        case {"name": int(number)} if not isinstance(number, bool):
            return str(number), True
    return "", False


def _areas(geometry: object) -> Iterator[list[object] | str]:
    """Yield the rings of every polygon in a geometry, and the kind of whatever is no area."""
    match geometry:
        case None:
            return
        case {"type": "GeometryCollection", "geometries": list(parts)}:
            for part in parts:
                yield from _areas(part)
        case {"type": "Polygon" | "MultiPolygon" as kind, **rest} if rest.get("coordinates") in (None, [], [[]]):
            yield f"an empty {kind!r}"
        case {"type": "MultiPolygon", "coordinates": list(polygons)}:
            for rings in polygons:
                yield from _areas({"type": "Polygon", "coordinates": rings})
        case {"type": "Polygon", "coordinates": [[_, _, _, *_], *_] as rings}:
            yield [ring for ring in rings if ring != []]
        case {"type": "Polygon", "coordinates": [[_, *_], *_]}:
            yield "a 'Polygon' of fewer than 3 corners"
        case {"type": str(kind)} if kind not in ("Polygon", "MultiPolygon", "GeometryCollection"):
            yield f"a {kind!r}"
        case {"type": str(kind)}:
            raise InputError(
                f"GeoJSON positions [x, y] were expected in rings of a {kind!r}, {str(geometry)[:60]!r} came; "
                "export the outlines again."
            )
        case _:
            raise InputError(
                f"A GeoJSON object with a type was expected, {str(geometry)[:60]!r} came; "
                "export the outlines as GeoJSON."
            )


def ring_of(ring: object, scale: tuple[float, float]) -> NDArray[np.float64]:
    """Return the sides of a ring of GeoJSON, (n, 4); an InputError if it is none."""
    try:
        if not all(isinstance(position, list) for position in ring):  # type: ignore[attr-defined]  # the point of asking
            raise TypeError
        xy = np.array([[float(x), float(y)] for x, y, *_ in ring])  # type: ignore[attr-defined]
    except (TypeError, ValueError, OverflowError) as reason:
        raise InputError(
            f"GeoJSON positions [x, y] were expected in a ring, {str(ring)[:60]!r} came; export the outlines again."
        ) from reason
    if len(xy) < 3 or not np.isfinite(xy).all():
        raise InputError(
            f"A GeoJSON ring of at least 3 finite positions was expected, {str(ring)[:60]!r} came; "
            "draw the outline again."
        )
    with np.errstate(over="ignore"):
        yx = xy[:, ::-1] * scale
    if np.abs(yx).max() > FARTHEST:
        raise InputError(
            f"GeoJSON positions within {FARTHEST:.0e} px of the slide's corner were expected, {str(ring)[:60]!r} "
            "came; draw the outline again, or say its unit."
        )
    return np.concatenate([yx, np.roll(yx, -1, axis=0)], axis=1)


def inside(sides: NDArray[np.float64], box: Box) -> NDArray[np.bool_]:
    """Tell which pixel centres of a box have an odd number of sides to their left."""
    h, w = box.shape
    ya, xa, yb, xb = sides.T
    # A side crosses the rows whose centres lie in [its upper end, its lower end): ends that meet are one crossing.
    first, last = (
        np.clip(np.ceil(end(ya, yb) - 0.5), box.y0, box.y1).astype(np.int64) for end in (np.minimum, np.maximum)
    )
    crossings = last - first
    side = np.repeat(np.arange(len(sides)), crossings)
    row = np.arange(len(side)) - np.repeat(np.cumsum(crossings) - crossings, crossings) + first[side]
    crossing = xa[side] + (row + 0.5 - ya[side]) * (xb - xa)[side] / (yb - ya)[side]
    column = np.clip(np.ceil(crossing - 0.5), box.x0, box.x1).astype(
        np.int64
    )  # the first whose centre is not left of it
    flips = np.zeros((h, w + 1), np.uint8)
    np.bitwise_xor.at(flips, (row - box.y0, column - box.x0), 1)
    return np.bitwise_xor.accumulate(flips, axis=1)[:, :w].astype(np.bool_)
