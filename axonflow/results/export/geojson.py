"""Outlines of axons and fibers as GeoJSON that QuPath opens: full-resolution pixels of the slide, with measurements.

What is outlined, and in which order, is a matter of :mod:`axonflow.results.export.objects`.
"""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import TextIO

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from axonflow.fiber.kinds import KIND, UNMYELINATED
from axonflow.fiber.outline import outlines
from axonflow.fiber.probability import PROBABILITY
from axonflow.fiber.table import COLUMNS, REGION
from axonflow.kernel.files import new_file
from axonflow.kernel.grid import Box
from axonflow.kernel.tally import Ints
from axonflow.results.analysis import Analysis
from axonflow.results.export.objects import BOUNDS, objects

__all__ = ["write_geojson"]

DIGITS = 7
"""Significant ones of a measurement."""

FIBERS_OWN = (
    "axonmyelin_area (um^2)",
    "axonmyelin_perimeter (um)",
    "fiber_eccentricity",
    "fiber_orientation",
    "fiber_solidity",
)
SHARED = ("axon_id", "gratio", "myelin_area (um^2)", "myelin_thickness (um)", "image_border_touching")
MEASUREMENTS = {
    "Fiber": (*SHARED, *FIBERS_OWN),
    "Axon": tuple(c.name for c in COLUMNS if c.name not in {*BOUNDS, *FIBERS_OWN, "x0 (px)", "y0 (px)"}),
}
"""The columns that the features of each class carry; axons that a network found also have its probability."""

COLOURS = {"Fiber": [227, 74, 51], "Axon": [64, 140, 242]}


def write_geojson(analysis: Analysis, path: Path) -> None:
    """Write the outlines as a stream; compressed if the file's name ends in ``.gz``.

    Each axon that counts makes two features, detections of the classes ``Fiber`` and ``Axon``, named after its id; one
    of the class without myelin makes a single one, of ``Unmyelinated axon``.
    """
    slide, axons, fibers = analysis.pyramid(), analysis.pyramid("axons"), analysis.pyramid("fibers")
    scale = axons.pixel_size.x / slide.pixel_size.x, axons.pixel_size.y / slide.pixel_size.y
    table = analysis.counted_fibers().reset_index(drop=True)
    fiber, axon = (_Features.of(kind, table, scale, COLOURS[kind]) for kind in ("Fiber", "Axon"))
    bare = next((each for each in analysis.classes if each.role == "unmyelinated"), None)
    alone = None if bare is None else replace(axon, head=_head("Unmyelinated axon", [*bare.rgb], "axon"))
    without = set(np.flatnonzero(table.get(KIND.name) == UNMYELINATED).tolist())
    with _written(path) as file:
        file.write('{"type":"FeatureCollection","features":[')
        between = "\n"
        for row, box, masks in objects(table, (fibers, axons)):
            writers = [fiber, axon] if alone is None or row not in without else [None, alone]
            for writer, mask in zip(writers, masks, strict=True):
                if writer is None:
                    continue
                file.write(between + writer.text(row, outlines(mask), box))
                between = ",\n"
        file.write("\n]}\n")


@dataclass(frozen=True, slots=True)
class _Features:
    """Writes the features of one class.

    Attributes
    ----------
    kind : str
    head : str
        What all of them have.
    values : (n, m) float64
        Their measurements.
    keys : tuple of str
        Names of these, as JSON.
    ids : (n,) int64
    tails : list of str
        What follows the measurements of each.
    scale : (float, float)
        Pixels of the slide per pixel of the labels along x and y.
    """

    kind: str
    head: str
    values: NDArray[np.float64]
    keys: tuple[str, ...]
    ids: Ints
    tails: Sequence[str]
    scale: tuple[float, float]

    @classmethod
    def of(cls, kind: str, table: pd.DataFrame, scale: tuple[float, float], colour: Sequence[int]) -> _Features:
        names = MEASUREMENTS[kind]
        if kind == "Axon" and PROBABILITY.name in table:
            names = (*names, PROBABILITY.name)
        tails = [""] * len(table)
        if REGION.name in table:
            known = table[REGION.name].dropna()
            texts = {name: f',"metadata":{json.dumps({"region": name})}' for name in known.unique()}
            tails = [texts.get(name, "") for name in table[REGION.name]]
        return cls(
            kind,
            _head(kind, colour, kind.lower()),
            table[list(names)].to_numpy(np.float64),
            tuple(map(json.dumps, names)),
            table["axon_id"].to_numpy(),
            tails,
            scale,
        )

    def text(self, row: int, polygons: list[list[Ints]], box: Box) -> str:
        """Return the feature of a row whose outlines begin at the corner of a box."""
        origin = np.array((box.x0, box.y0))
        areas = ["[" + ",".join(self._ring(ring, origin) for ring in rings) + "]" for rings in polygons]
        kind, positions = ("Polygon", areas[0]) if len(areas) == 1 else ("MultiPolygon", f"[{','.join(areas)}]")
        numbers = zip(self.keys, self.values[row].tolist(), strict=True)
        measured = ",".join(f"{key}:{value:.{DIGITS}g}" for key, value in numbers if isfinite(value))
        return (
            f'{{"type":"Feature","geometry":{{"type":"{kind}","coordinates":{positions}}},'
            f'{self.head}{self.ids[row]}","measurements":{{{measured}}}{self.tails[row]}}}}}'
        )

    def _ring(self, ring: Ints, origin: Ints) -> str:
        """Return the positions (x, y) of a closed ring, in pixels of the slide to a thousandth."""
        xy: NDArray[np.generic] = ring[:, ::-1] + origin
        if self.scale != (1, 1):
            xy = np.round(xy * self.scale, 3)
        positions = xy.tolist()
        return str([*positions, positions[0]]).replace(" ", "")


def _head(kind: str, colour: Sequence[int], called: str) -> str:
    class_ = json.dumps({"name": kind, "color": colour}, separators=(",", ":"))
    return f'"properties":{{"objectType":"detection","classification":{class_},"name":"{called} '


@contextmanager
def _written(path: Path) -> Iterator[TextIO]:
    """Open a text file that appears under its name once it is complete."""
    with ExitStack() as stack:
        raw = stack.enter_context(stack.enter_context(new_file(path)).open("wb"))
        stream: io.BufferedWriter | gzip.GzipFile = raw
        if path.suffix.lower() == ".gz":
            stream = stack.enter_context(gzip.GzipFile("", "wb", 6, raw, mtime=0))  # equal results are equal files
        yield stack.enter_context(io.TextIOWrapper(stream, encoding="utf-8"))
