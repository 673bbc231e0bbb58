"""What there is to see of one store: its overlays by name, each with its title, colours and range."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from threading import Lock
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from axonflow.fiber.maps import Cells
from axonflow.fiber.rules import counts
from axonflow.kernel.words import count
from axonflow.ngff import Pyramid
from axonflow.results.analysis import Analysis
from axonflow.results.cells import colour_range, is_whole, percentiles, shown
from axonflow.results.figures.style import PANELS
from axonflow.results.viewer.coloured import ColouredLabels
from axonflow.results.viewer.segments import listed_axons, segment_properties

__all__ = ["IDS", "LIST", "SEMANTIC", "Scaled", "Scene"]

SEMANTIC = ("semantic", "axons and myelin")
"""Name and title of the semantic labels."""

IDS = {"axons": "axons", "fibers": "fibers"}
"""Names and titles of the ids."""

LIST = "list/info"
"""Path of the list of axons."""

UNITS = {"um": "µm", "mm-2": "mm⁻²", "mm2": "mm²"}
"""How units are printed."""

MAPS = {
    "axon_count": "number of axons",
    "axon_density": "axon density",
    "avf": "axon volume fraction",
    "mvf": "myelin volume fraction",
    "fvf": "fiber volume fraction",
    "gratio_aggregate": "g-ratio of the tissue",
    "gratio_mean": "mean g-ratio of axons",
    "axon_diameter_mean": "mean axon diameter",
    "axon_diameter_std": "spread of axon diameter (SD)",
    "unmyelinated_count": "number of unmyelinated axons",
    "unmyelinated_density": "density of unmyelinated axons",
    "unmyelinated_avf": "volume fraction of unmyelinated axons",
    "unmyelinated_diameter_mean": "mean diameter of unmyelinated axons",
    "myelinated_fraction": "share of axons that are myelinated",
    "covered_area": "area that counts",
    "covered_fraction": "part of the cell that counts",
    "confidence": "how sure the network was",
    "unfamiliar": "tissue unlike the training images",
}
"""Titles of maps, in few words; of another one its long name serves."""

YES_NO = {"unfamiliar": {"like the training images": "#3f7fbf", "unlike them": "#d1495b"}}
"""Maps that say no (0) or yes (1) of a cell: the words and colours of both."""

NEAR_DIAMETERS, NEAR_PX = 14, 640
"""Median axon diameters that a height of so many px shows where one looks at a place."""

FIBER_SHARE, AXON_SHARE, WHOLE_SHARE = 1 / 3, 1 / 6, 0.9
"""Of a view's shorter side, when one looks at an axon: its fiber takes the first, the axon in it at least the second.
As the axon is in the middle, more has to be in view than the fiber for all of it to be: never more than the third."""

CLOSEST_PX = 24
"""A pixel of the labels on the screen, at most: of an axon of a few pixels there is nothing more to see."""

FIBERS = {
    "gratio": ("gratio", "fibers by g-ratio", "", "viridis"),
    "diameter": ("axon_diam (um)", "fibers by diameter", "µm", "viridis"),
}
"""What fibers are painted by: the column, the title, its unit and the colours."""


@dataclass(frozen=True)
class Scaled:
    """An overlay of numbers in colours.

    Attributes
    ----------
    name : str
        By which ``--show`` calls it.
    title : str
        With its unit.
    colours : str
        A colour map of matplotlib, perceptually even.
    low, high : float
        The values shown in its first and its last colour.
    image : ColouredLabels
    words : dict
        Of a map of yes and no, what both mean, and their colours; empty of any other.
    note : str
        What is not painted, or striped, and why; empty if there is nothing of the kind.
    """

    name: str
    title: str
    colours: str
    low: float
    high: float
    image: ColouredLabels
    words: Mapping[str, str] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True)
class Scene:
    """One store, with what is made of it for the page.

    Attributes
    ----------
    analysis : Analysis
    """

    analysis: Analysis
    _making: Lock = field(default_factory=Lock, init=False, repr=False, compare=False)

    @property
    def title(self) -> str:
        """The store's name."""
        return self.analysis.store.resolve().name.removesuffix(".ome.zarr")

    @property
    def legend(self) -> dict[str, str]:
        """The colours of the classes, by their names."""
        return {each.name: each.colour for each in self.analysis.classes.legend}

    @cached_property
    def slide(self) -> Pyramid:
        """The slide."""
        return self.analysis.pyramid()

    @cached_property
    def window(self) -> tuple[float, float]:
        """The slide's greys that are shown black and white."""
        return self.slide.window

    @cached_property
    def fibers(self) -> pd.DataFrame:
        """The table."""
        return self.analysis.fibers

    def to_page(self, y_um: float, x_um: float) -> list[float]:
        """Return a place of the slide, counted from its corner, as [x, y] on the page, µm.

        The page counts from the centre of the first pixel, as OME-NGFF does.
        """
        origin, side = self.slide.origin_um, self.slide.pixel_size
        return [float(x_um + origin[1] - side.x / 2), float(y_um + origin[0] - side.y / 2)]

    def to_slide(self, x: float, y: float) -> tuple[float, float]:
        """Return a place of the page as (y, x) on the slide, counted from its corner, µm."""
        origin, side = self.slide.origin_um, self.slide.pixel_size
        return y - origin[0] + side.y / 2, x - origin[1] + side.x / 2

    @property
    def near(self) -> float:
        """The µm of a screen's pixel at which a dozen axons are in view; no more than a pixel of the slide."""
        diameter = float(self.fibers["axon_diam (um)"].median()) if len(self.fibers) else math.inf
        return min(NEAR_DIAMETERS * diameter / NEAR_PX, self.slide.pixel_size.y)

    def row(self, axon: int) -> pd.Series[Any] | None:
        """Return an axon's row of the table, if there is one."""
        rows = self.fibers[self.fibers["axon_id"] == axon]
        return rows.iloc[0] if len(rows) else None

    def close_up(self, row: pd.Series[Any], room: tuple[float, float]) -> float:
        """Return the µm of a screen's pixel at which an axon and its neighbours are in view.

        Parameters
        ----------
        row : Series
            Of the table.
        room : (float, float)
            Width and height of the view, px.
        """
        pixel = self.labels.pixel_size
        edges = {
            axis: (float(row[f"bbox_min_{axis}"]) * um, float(row[f"bbox_max_{axis}"]) * um)
            for axis, um in (("y", pixel.y), ("x", pixel.x))
        }
        fiber, axon = max(last - first for first, last in edges.values()), float(row["axon_diam (um)"])
        whole = 2 * max(abs(edge - float(row[f"{axis}0 (um)"])) for axis, ends in edges.items() for edge in ends)
        wanted = max(min(fiber / FIBER_SHARE, axon / AXON_SHARE), whole / WHOLE_SHARE) / min(room)
        return max(wanted, max(pixel.y, pixel.x) / CLOSEST_PX)

    @cached_property
    def listed(self) -> pd.DataFrame:
        """The axons that the list holds."""
        return listed_axons(self.fibers)

    @cached_property
    def labels(self) -> Pyramid:
        """The ids of the fibers, which are those of the axons."""
        return self.analysis.pyramid("fibers")

    @cached_property
    def scaled(self) -> dict[str, Scaled]:
        """The overlays of numbers, by their names."""
        found = {}
        labels = self.labels
        ids, bare = self.fibers["axon_id"].to_numpy(), (self.fibers["myelin_area (um^2)"] == 0).to_numpy()
        counting = counts(self.fibers)
        for name, (column, words, unit, colours) in FIBERS.items():
            values = np.where(counting, self.fibers[column].to_numpy(), np.nan)
            image = ColouredLabels.by_label(words, labels, ids, values)
            found[name] = Scaled(
                name, _title(words, unit), colours, *_range(values[~bare]), image, note=self._unpainted
            )
        maps = self.analysis.maps
        cells = Cells(labels.shape, labels.pixel_size, float(maps.attrs["cell_side_um"]))
        rests = ~is_whole(maps)
        striped = bool((rests & (maps["covered_area"].to_numpy() > 0)).any())
        note = "striped: less than half of the cell counts" if striped else ""
        panels = dict(PANELS)
        for name in sorted(map(str, maps), key=lambda name: (name not in panels, [*panels, name].index(name), name)):
            attrs = maps[name].attrs
            title = _title(f"map: {MAPS.get(name, attrs['long_name'])}", UNITS.get(attrs["units"], ""))
            values = shown(maps, name)
            image = ColouredLabels.by_cell(name, labels, cells, values, rests)
            colours = panels.get(name, "viridis")
            meaning, ends = YES_NO.get(name, {}), _rounded(*colour_range([maps], name)[:2])
            found[name] = Scaled(name, title, colours, *((0.0, 1.0) if meaning else ends), image, meaning, note)
        return found

    @property
    def _unpainted(self) -> str:
        """Say how many axons have no colour because they do not count, and by which rule."""
        n = int((~counts(self.fibers)).sum())
        by = ", ".join(f"{gone:,} by {rule}" for rule, gone in self.analysis.left_out.items())
        return f"not painted: {count(n, 'axon')} left out{f' ({by})' if by else ''}" if n else ""

    @property
    def names(self) -> list[str]:
        """All overlays' names, in the order they are listed."""
        return [SEMANTIC[0], *IDS, *self.scaled]

    def titled(self, name: str) -> str:
        """Return the title of an overlay."""
        return SEMANTIC[1] if name == SEMANTIC[0] else IDS.get(name) or self.scaled[name].title

    def file(self, path: str) -> bytes:
        """Return a file that is made on demand: of an overlay of numbers, or the list of axons.

        Raises
        ------
        LookupError
            If there is none of this path.
        """
        if path == LIST:
            with self._making:
                return self._list
        name, _, rest = path.partition("/")
        return self.scaled[name].image.file(rest)

    @cached_property
    def _list(self) -> bytes:
        return segment_properties(self.listed)


def _title(words: str, unit: str) -> str:
    return f"{words} ({unit})" if unit else words


def _range(values: ArrayLike) -> tuple[float, float]:
    """Return what is shown in the first and the last colour: the 1st and 99th percentile, to three digits."""
    finite = np.asarray(values)[np.isfinite(values)]
    return _rounded(*percentiles(finite)) if finite.size else (0.0, 1.0)


def _rounded(low: float, high: float) -> tuple[float, float]:
    """Return a range to three digits; one that holds a single value reaches from 0 to it, or to 1."""
    low, high = (float(f"{value:.3g}") for value in (low, high))
    return (low, high) if high > low else (min(low, 0.0), max(high, 0.0) or 1.0)
