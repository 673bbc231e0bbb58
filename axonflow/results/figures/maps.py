"""The maps as pictures: of one slide, of several side by side, and where a network is to be doubted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from textwrap import fill

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from axonflow.results.figures.style import (
    COLUMN_MM,
    DOUBT,
    PAGE_MM,
    PANELS,
    UNMYELINATED,
    colour_bar,
    common,
    extent_mm,
    in_words,
    new_figure,
    save,
    scale_bar,
    styled,
    tidy,
)

__all__ = ["draw_doubt", "draw_levels", "draw_maps", "draw_unmyelinated"]


@styled()
def draw_maps(maps: xr.Dataset, paths: Iterable[Path]) -> None:
    """Draw the paper's six maps, each with its unit and scale bar, as wide as a page, to PNG, SVG or PDF files.

    Cells that show nothing of a map, as those outside a mask, are grey.
    """
    extent = extent_mm(maps)
    tall = extent[2] / extent[1]
    figure = new_figure(PAGE_MM, float(np.clip(2 * (44 * tall + 13), 55, 230)))
    for axes, (name, colours) in zip(figure.subplots(2, 3).flat, PANELS, strict=True):
        _draw_map(figure, axes, maps, name, colours)
    save(figure, paths)


@styled()
def draw_unmyelinated(maps: xr.Dataset, paths: Iterable[Path]) -> None:
    """Draw the maps of axons without myelin, as wide as a page; as :func:`draw_maps`."""
    extent = extent_mm(maps)
    figure = new_figure(PAGE_MM, float(np.clip(44 * extent[2] / extent[1] + 13, 30, 115)))
    for axes, (name, colours) in zip(figure.subplots(1, 3).flat, UNMYELINATED, strict=True):
        _draw_map(figure, axes, maps, name, colours)
    save(figure, paths)


@styled()
def draw_doubt(maps: xr.Dataset, paths: Iterable[Path]) -> None:
    """Draw how sure the network was of each cell, and frame the unfamiliar ones, as wide as a column."""
    extent = extent_mm(maps)
    name, colours = DOUBT
    figure = new_figure(COLUMN_MM, float(np.clip(66 * extent[2] / extent[1] + 12, 30, 150)))
    axes = figure.subplots()
    _draw_map(figure, axes, maps, name, colours)
    if "unfamiliar" in maps:
        side = extent[1] / maps.sizes["x"]
        for y, x in np.argwhere(maps["unfamiliar"].to_numpy() == 1):
            frame = Rectangle((x * side, y * side), side, side, fill=False, color="#d1495b", linewidth=0.8)
            axes.add_patch(frame)
    save(figure, paths)


def _draw_map(figure: Figure, axes: Axes, maps: xr.Dataset, name: str, colours: str) -> None:
    values, extent = maps[name], extent_mm(maps)
    norm, extend = common([values])
    axes.set_facecolor("0.93")
    axes.imshow(values.to_numpy(), cmap=colours, norm=norm, extent=extent, interpolation="nearest")
    axes.set_title(in_words(values))
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    tidy(figure.colorbar(axes.images[0], ax=axes, shrink=0.85, aspect=16, pad=0.03, extend=extend))
    scale_bar(axes, extent)


def draw_levels(levels: Sequence[tuple[str, xr.Dataset | None]], paths: Iterable[Path], *, dpi: int = 200) -> None:
    """Draw the maps of several slides side by side, to PNG, SVG or PDF files, each of which appears whole.

    A row is a map and has one colour scale, a column is a slide, and all are drawn in one scale of length. Confidence
    is a row if a network made any of the maps.

    Parameters
    ----------
    levels : sequence of (str, Dataset or None)
        Titles and maps, from left to right; those without maps are left out, and named below.
    paths : iterable of Path
    dpi : int
    """
    drawn = [(title, maps) for title, maps in levels if maps is not None]
    missing = [title for title, maps in levels if maps is None]
    rows = [panel for panel in (*PANELS, DOUBT) if any(panel[0] in maps for _, maps in drawn)]
    extents = [extent_mm(maps) for _, maps in drawn]
    widest, tallest = (max(extent[side] for extent in extents) for side in (1, 2))  # mm
    scale = min(max(12 / len(drawn), 1.2), 2.4, 2.4 * widest / tallest) / widest  # inches per mm
    titles = [
        fill(title, max(int(13 * scale * extent[1]), 8)) for (title, _), extent in zip(drawn, extents, strict=True)
    ]
    figure, grid, bars = _grid(
        rows=len(rows),
        sizes=[(scale * width, scale * tallest) for _, width, _, _ in extents],
        above=0.25 + 0.15 * max(title.count("\n") + 1 for title in titles),
        below=0.65 if missing else 0.45,
    )
    for axes_row, bar, (name, colours) in zip(grid, bars, rows, strict=True):
        known = [maps[name] for _, maps in drawn if name in maps]
        norm, extend = common(known)
        for axes, (_, maps), extent in zip(axes_row, drawn, extents, strict=True):
            if name in maps:
                axes.imshow(maps[name], cmap=colours, norm=norm, extent=extent, interpolation="nearest")
            axes.set_xlim(0, extent[1])
            axes.set_ylim((extent[2] + tallest) / 2, (extent[2] - tallest) / 2)
        colour_bar(bar, norm, colours, extend)
        axes_row[0].set_ylabel(fill(in_words(known[0]), max(int(13 * scale * tallest), 16)), fontsize=8)
    for axes, title in zip(grid[0], titles, strict=True):
        axes.set_title(title, fontsize=9)
    for axes in grid[-1]:
        scale_bar(axes, (*axes.get_xlim(), *axes.get_ylim()))
    if missing:
        note = f"left out: {', '.join(missing)}"
        figure.text(grid[0][0].get_position().x0, 0.01, note, va="bottom", fontsize=7, color="0.4", wrap=True)
    save(figure, paths, dpi=dpi)


def _grid(
    rows: int, sizes: Sequence[tuple[float, float]], above: float, below: float
) -> tuple[Figure, list[list[Axes]], list[Axes]]:
    """Lay out rows of panels of these widths and heights, and a colour bar at the end of each row; all in inches."""
    left, right, gap, thick = 0.75, 0.62, 0.12, 0.11
    down = max(down for _, down in sizes)
    width = left + sum(across + gap for across, _ in sizes) + thick + right
    height = above + rows * (down + gap) - gap + below
    figure = Figure(figsize=(width, height))
    grid, bars = [], []
    for row in range(rows):
        y, x, panels = height - above - row * (down + gap) - down, left, []
        for across in (*(across for across, _ in sizes), thick):
            panels.append(figure.add_axes((x / width, y / height, across / width, down / height)))
            x += across + gap
        for panel in panels[:-1]:
            panel.set_xticks([])
            panel.set_yticks([])
            panel.spines[:].set_visible(False)
        grid.append(panels[:-1])
        bars.append(panels[-1])
    return figure, grid, bars
