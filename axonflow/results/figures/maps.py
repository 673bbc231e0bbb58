"""The maps as pictures: of one slide, of several side by side, and where a network is to be doubted.

A map reaches to the slide's end and no farther, whatever part of a cell is left there; its axes count µm. Cells without
tissue are blank, those of which less than half counts are faded and hatched. Of fewer than five whole cells the numbers
are written into them, as colours would say nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import Literal

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from axonflow.kernel.words import length
from axonflow.results.cells import Range, colour_range, edges_um, few, few_cells, has_tissue, is_whole, numbered, shown
from axonflow.results.figures.outline import Outlines, draw_cells, draw_outlines, fade_cells
from axonflow.results.figures.style import (
    COLUMN_MM,
    DOUBT,
    PAGE_MM,
    PANELS,
    PRINT_DPI,
    UNMYELINATED,
    Extent,
    colour_bar,
    extent_um,
    in_words,
    new_figure,
    normed,
    ruler,
    save,
    scale_bar_inside,
    styled,
    tidy,
)

__all__ = ["MapOf", "draw_doubt", "draw_levels", "draw_maps", "draw_unmyelinated"]

Panels = Sequence[tuple[str, str]]
"""Names of maps and their colours."""

BAR_MM = 15.0
"""What a colour bar with its numbers takes beside a map."""

MM = 1 / 25.4
"""Inches."""

HATCHED = "hatched: less than half of the cell counts"


@dataclass(frozen=True)
class MapOf:
    """A slide whose maps are drawn.

    Attributes
    ----------
    title : str
    maps : Dataset, optional
        None if the slide has failed.
    outlines : Outlines
        What was drawn over it.
    """

    title: str
    maps: xr.Dataset | None
    outlines: Outlines = Outlines()  # noqa: RUF009  # frozen


@styled()
def draw_maps(
    maps: xr.Dataset,
    paths: Iterable[Path],
    outlines: Outlines = Outlines(),  # noqa: B008  # frozen
    *,
    panels: Panels = PANELS,
    width_mm: float = PAGE_MM,
    letters: Literal["path", "none"] = "path",
) -> None:
    """Draw maps of a slide, each with its unit, to PNG, SVG or PDF files.

    Parameters
    ----------
    maps : Dataset
    paths : iterable of Path
    outlines : Outlines
        What was drawn over the slide, which is drawn over its maps.
    panels : sequence of (str, str)
        Names and colours of the maps, in their order; the paper's six unless told otherwise.
    width_mm : float
    letters : str
        As :func:`~axonflow.results.figures.style.save` takes it.
    """
    columns = min(len(panels), max(round(width_mm / 60), 1))
    rows = -(-len(panels) // columns)
    _, width, height, _ = extent_um(maps)
    across = max(width_mm / columns - BAR_MM - 4, 10)
    notes = "; ".join([few_cells(maps)] * few(maps) + [HATCHED] * _has_rests(maps))
    tall = rows * (across * height / width + 11) + (6 if notes else 0)
    figure = new_figure(width_mm, float(np.clip(tall, 28 * rows, 240)))
    drawn = list(figure.subplots(rows, columns, squeeze=False).flat)
    for place, (axes, (name, colours)) in enumerate(zip(drawn, panels, strict=False)):
        _draw_map(figure, axes, maps, name, colours, outlines)
        ruler(axes, x=place + columns >= len(panels), y=place % columns == 0)
    for axes in drawn[len(panels) :]:
        axes.remove()
    if notes:
        figure.supxlabel(notes, fontsize=6.5, color="0.4")
    save(figure, paths, letters=letters)


def draw_unmyelinated(maps: xr.Dataset, paths: Iterable[Path], outlines: Outlines) -> None:
    """Draw the maps of axons without myelin, as wide as a page; as :func:`draw_maps`."""
    draw_maps(maps, paths, outlines, panels=UNMYELINATED)


@styled()
def draw_doubt(maps: xr.Dataset, paths: Iterable[Path], outlines: Outlines) -> None:
    """Draw how sure the network was of each cell, and frame the unfamiliar ones, as wide as a column."""
    _, width, height, _ = extent_um(maps)
    name, colours = DOUBT
    figure = new_figure(COLUMN_MM, float(np.clip(62 * height / width + 14, 30, 150)))
    axes = figure.subplots()
    _draw_map(figure, axes, maps, name, colours, outlines)
    ruler(axes, x=True, y=True)
    if "unfamiliar" in maps:
        down, along = (edges_um(maps, axis) for axis in "yx")
        for i, j in np.argwhere(maps["unfamiliar"].to_numpy() == 1):
            corner, sides = (along[j], down[i]), (along[j + 1] - along[j], down[i + 1] - down[i])
            axes.add_patch(Rectangle(corner, *sides, fill=False, color="#d1495b", linewidth=0.8))
    save(figure, paths)


def _draw_map(figure: Figure, axes: Axes, maps: xr.Dataset, name: str, colours: str, outlines: Outlines) -> None:
    span = colour_range([maps], name)
    _paint(axes, maps, name, colours, span, outlines)
    axes.set_title(in_words(maps[name]))
    if np.isfinite(shown(maps, name)).any() and (span.low < span.high or not few(maps)):
        ticks = [span.low] if span.low == span.high else None
        bar = figure.colorbar(axes.images[0], ax=axes, shrink=0.9, aspect=18, pad=0.03, extend=span.beyond, ticks=ticks)
        tidy(bar)
    _bar_inside(axes, maps)


def _paint(axes: Axes, maps: xr.Dataset, name: str, colours: str, span: Range, outlines: Outlines) -> None:
    """Paint a map, up to the slide's end, with what was drawn over the slide."""
    _, width, height, _ = extent_um(maps)
    side, (rows, columns) = float(maps.attrs["cell_side_um"]), maps[name].shape
    values = shown(maps, name)
    alone = few(maps) and span.low == span.high
    axes.imshow(  # edges are whole pixels, so that they lie where a grid has them to half of one
        values,
        cmap="Greys" if alone else colours,
        norm=normed(Range(0.0, 8 * abs(span.high) or 1.0, "neither") if alone else span),
        extent=(0, columns * side, rows * side, 0),
        interpolation="nearest",
    )
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    down, along = edges_um(maps, "y"), edges_um(maps, "x")
    fade_cells(axes, np.isfinite(values) & ~is_whole(maps), down, along)
    if outlines.covered is None and not few(maps):
        draw_cells(axes, has_tissue(maps) | ~is_whole(maps), down, along)
    draw_outlines(axes, outlines, (height, width))
    if few(maps):
        for i, j in np.argwhere(np.isfinite(values) & numbered(maps)):
            about = {"facecolor": (1, 1, 1, 0.8), "edgecolor": "none", "boxstyle": "round,pad=0.25"}
            at, said = (
                ((along[j] + along[j + 1]) / 2, (down[i] + down[i + 1]) / 2),
                f"{float(f'{values[i, j]:.3g}'):,.10g}",
            )
            axes.text(*at, said, ha="center", va="center", fontsize=7, bbox=about)


def _bar_inside(axes: Axes, maps: xr.Dataset, of_um: float | None = None) -> None:
    """Draw a scale bar unless numbers stand in the cells, which it would cross; the axes count µm, too."""
    if not few(maps):
        scale_bar_inside(axes, extent_um(maps), of_um=of_um)


def _has_rests(maps: xr.Dataset) -> bool:
    return bool((~is_whole(maps) & has_tissue(maps)).any())


@styled()
def draw_levels(
    levels: Sequence[MapOf],
    paths: Iterable[Path],
    *,
    panels: Panels | None = None,
    width_mm: float | None = None,
    dpi: int = PRINT_DPI,
    letters: Literal["path", "none"] = "path",
) -> None:
    """Draw the maps of several slides side by side, to PNG, SVG or PDF files, each of which appears whole.

    A row is a map and has one colour scale, a column is a slide, and all are drawn in one scale of length. Sizes of
    cells stand above if they differ.

    Parameters
    ----------
    levels : sequence of MapOf
        From left to right; those without maps are left out, and named below.
    paths : iterable of Path
    panels : sequence of (str, str), optional
        Names and colours of the maps; the paper's unless told otherwise, and confidence if a network made any.
    width_mm : float, optional
        As wide as the slides ask for when left out.
    dpi : int
    letters : str
        As :func:`~axonflow.results.figures.style.save` takes it.
    """
    drawn = [(each, each.maps) for each in levels if each.maps is not None]
    missing = [each.title for each in levels if each.maps is None]
    notes = [f"left out: {', '.join(missing)}"] if missing else []
    notes += [f"{each.title}: {few_cells(maps)}" for each, maps in drawn if few(maps)]
    notes += [HATCHED] * any(_has_rests(maps) for _, maps in drawn)
    asked = (*PANELS, DOUBT) if panels is None else panels
    rows = [panel for panel in asked if any(panel[0] in maps for _, maps in drawn)]
    extents = [extent_um(maps) for _, maps in drawn]
    widest, tallest = (max(extent[side] for extent in extents) for side in (1, 2))
    scale = min(max(12 / len(drawn), 1.2), 2.4, 2.4 * widest / tallest) / widest  # inches per µm
    if width_mm is not None:
        room = width_mm * MM - LEFT - RIGHT - THICK - GAP * len(drawn)
        scale = max(room, 0.2 * len(drawn)) / sum(width for _, width, _, _ in extents)
    titles = [
        fill(each.title, max(int(13 * scale * extent[1]), 8)) for (each, _), extent in zip(drawn, extents, strict=True)
    ]
    sides = [float(maps.attrs["cell_side_um"]) for _, maps in drawn]
    if len({*sides}) > 1:
        titles = [f"{title}\ncells of {length(side)}" for title, side in zip(titles, sides, strict=True)]
    figure, grid, bars = _grid(
        rows=len(rows),
        sizes=[(scale * width, scale * height) for _, width, height, _ in extents],
        above=0.12 + 0.13 * max(title.count("\n") + 1 for title in titles),
        below=0.45 + 0.16 * len(notes),
    )
    for number, (axes_row, bar, (name, colours)) in enumerate(zip(grid, bars, rows, strict=True)):
        known = [maps for _, maps in drawn if name in maps]
        span = colour_range(known, name)
        for place, (axes, (each, maps)) in enumerate(zip(axes_row, drawn, strict=True)):
            if name in maps:
                _paint(axes, maps, name, colours, span, each.outlines)
                ruler(axes, x=number == len(rows) - 1, y=place == 0)
            else:
                _blank(axes, extent_um(maps))
        colour_bar(bar, span, colours)
        words = fill(in_words(known[0][name]), max(int(16 * scale * tallest), 16))
        beside = bar.get_position()
        figure.text(0.01, (beside.y0 + beside.y1) / 2, words, rotation=90, ha="left", va="center", fontsize=7)
    for axes, title in zip(grid[0], titles, strict=True):
        axes.set_title(title, fontsize=7.5)
    for axes, (_, maps) in zip(grid[-1], drawn, strict=True):
        _bar_inside(axes, maps, min(width for _, width, _, _ in extents))
    if notes:
        left, inches = grid[0][0].get_position().x0, figure.get_size_inches()[1]
        figure.text(left, 0.05 / inches, "\n".join(notes), va="bottom", fontsize=6.5, color="0.4", wrap=True)
    save(figure, paths, dpi=dpi, letters=letters)


def _blank(axes: Axes, extent: Extent) -> None:
    """Leave a place for a map that a slide does not have."""
    axes.set_xlim(*extent[:2])
    axes.set_ylim(*extent[2:])
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


LEFT, RIGHT, GAP, THICK = 0.78, 0.55, 0.14, 0.09
"""Inches: room for the words and the ruler on the left, for the numbers of the bars, between panels, of a bar."""


def _grid(
    rows: int, sizes: Sequence[tuple[float, float]], above: float, below: float
) -> tuple[Figure, list[list[Axes]], list[Axes]]:
    """Lay out rows of panels of these widths and heights, and a colour bar at the end of each row; all in inches."""
    tallest = max(down for _, down in sizes)
    width = LEFT + sum(across + GAP for across, _ in sizes) + THICK + RIGHT
    height = above + rows * (tallest + GAP) - GAP + below
    figure = Figure(figsize=(width, height))
    grid, bars = [], []
    for row in range(rows):
        y, x, panels = height - above - row * (tallest + GAP) - tallest, LEFT, []
        for across, down in (*sizes, (THICK, tallest)):
            place = (x, y + (tallest - down) / 2, across, down)
            panels.append(figure.add_axes(tuple(np.divide(place, (width, height) * 2))))
            x += across + GAP
        grid.append(panels[:-1])
        bars.append(panels[-1])
    return figure, grid, bars
