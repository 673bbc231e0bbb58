"""What is drawn over a map: borders of what counts, of regions and of cells with tissue; a veil over rests of cells."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from contourpy import LineType, contour_generator
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from numpy.typing import NDArray

__all__ = ["Outlines", "draw_border", "draw_cells", "draw_outlines", "fade_cells"]

Pixels = NDArray[np.bool_]
Place = tuple[float, float] | tuple[tuple[float, float], tuple[float, float]]
Floats = NDArray[np.float64]

INK, PAPER = "0.15", "white"
"""Colours of a line over a map and of its rim, of which one is seen on any colour."""


@dataclass(frozen=True)
class Outlines:
    """What was drawn over a slide, coarse.

    Attributes
    ----------
    covered : (h, w) bool, optional
        What counts, on a grid that covers the slide; all of it if None.
    regions : dict
        The regions by their names, likewise.
    """

    covered: Pixels | None = None
    regions: dict[str, Pixels] = field(default_factory=dict)


def draw_border(axes: Axes, inside: Pixels, place: Place, colour: str | tuple[float, ...], width: float) -> None:
    """Draw the border of a set of pixels, also where it is the picture's own.

    Parameters
    ----------
    axes : Axes
    inside : (h, w) bool
    place : (float, float) or pair of these
        Height and width of the picture, or from where to where it lies in y and in x, in the unit of the axes.
    colour : str or tuple
    width : float
        Of the line, points.
    """
    framed = np.pad(inside.astype(np.float32), 1)
    y, x = (
        np.clip(first + (np.arange(n + 2) - 0.5) / n * (last - first), first, last)
        for n, (first, last) in zip(
            inside.shape, (each if isinstance(each, tuple) else (0.0, each) for each in place), strict=True
        )
    )
    lines: Any = contour_generator(x, y, framed, line_type=LineType.Separate).lines(0.5)  # closed, as it is framed
    axes.add_collection(PolyCollection(lines, facecolors="none", edgecolors=[colour], linewidths=width), autolim=False)


def draw_outlines(axes: Axes, outlines: Outlines, extent: tuple[float, float]) -> None:
    """Draw what counts and the borders of the regions over a map: dark lines with a light rim."""
    whole = () if outlines.covered is None else (outlines.covered,)
    for colour, more in ((PAPER, 0.7), (INK, 0.0)):
        for inside, width in (*((each, 0.8) for each in whole), *((each, 0.5) for each in outlines.regions.values())):
            draw_border(axes, inside, extent, colour, width + more)


def draw_cells(axes: Axes, inside: Pixels, y: Floats, x: Floats) -> None:
    """Draw the border between cells that are inside and those that are not, along the cells' edges.

    Parameters
    ----------
    axes : Axes
    inside : (rows, columns) bool
    y, x : (rows + 1,), (columns + 1,) float64
        The edges, in the unit of the axes.
    """
    rows, columns = (np.argwhere(np.diff(inside, axis=axis)) for axis in (0, 1))
    lines = [[(x[j], y[i + 1]), (x[j + 1], y[i + 1])] for i, j in rows]
    lines += [[(x[j + 1], y[i]), (x[j + 1], y[i + 1])] for i, j in columns]
    if lines:
        axes.add_collection(LineCollection(lines, colors=INK, linewidths=0.6, capstyle="projecting"))


def fade_cells(axes: Axes, rests: Pixels, y: Floats, x: Floats) -> None:
    """Fade and hatch cells of which less than half counts, whatever their colour is.

    Parameters
    ----------
    axes : Axes
    rests : (rows, columns) bool
    y, x : (rows + 1,), (columns + 1,) float64
        The edges, in the unit of the axes.
    """
    corners = [[(x[j + b], y[i + a]) for a, b in ((0, 0), (0, 1), (1, 1), (1, 0))] for i, j in np.argwhere(rests)]
    if corners:
        veil = PolyCollection(corners, facecolors=(1, 1, 1, 0.6), edgecolors="0.3", linewidths=0, hatch="//////")
        axes.add_collection(veil, autolim=False)
