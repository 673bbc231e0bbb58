"""How sizes are spread: diameters, g-ratios, the one against the other, density along the slide; slides side by side.

What could be many is counted in bins, so that a figure of a million axons is as small as one of a few thousand.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator, StrMethodFormatter
from numpy.typing import NDArray

from axonflow.results.cells import edges_um, is_whole
from axonflow.results.figures.style import AXON, COLUMN_MM, MYELIN, PAGE_MM, new_figure, save, styled, tidy

__all__ = [
    "FEWEST",
    "draw_diameters",
    "draw_gratio_by_diameter",
    "draw_gratios",
    "draw_profiles",
    "draw_spreads",
    "medians_by_diameter",
]

Floats = NDArray[np.float64]

HEIGHT_MM = 56.0
BINS = 60
FEWEST = 20
"""Axons that a median is drawn of, at least."""

DOTS = 5000
"""Axons from which on they are counted instead of drawn one by one."""

DOTTED = (0, (1, 1.5))
"""The line of what says little."""

DENSITY_COLOURS = ("#2b4a6f", "#c8553d")


@styled()
def draw_diameters(
    diameters_um: Floats, paths: Iterable[Path], colour: str = AXON, smallest_um: float | None = None
) -> None:
    """Draw the histogram of axon diameters, as wide as a column; the largest half percent may lie beyond.

    Parameters
    ----------
    diameters_um : (n,) float64
    paths : iterable of Path
        PNG, SVG or PDF.
    colour : str
    smallest_um : float, optional
        Where a dotted line says that what is thinner was not taken for an axon.
    """
    span = (0.0, _reach(diameters_um))
    _histogram(diameters_um, span, "axon diameter (µm)", "{:.2f} µm", "µm", colour, paths, smallest_um)


@styled()
def draw_gratios(gratios: Floats, paths: Iterable[Path]) -> None:
    """Draw the histogram of the g-ratios of axons with myelin, as wide as a column."""
    _histogram(gratios, (0.0, 1.0), "g-ratio", "{:.3f}", "", MYELIN, paths)


def _histogram(
    values: Floats,
    span: tuple[float, float],
    label: str,
    form: str,
    unit: str,
    colour: str,
    paths: Iterable[Path],
    least: float | None = None,
) -> None:
    figure = new_figure(COLUMN_MM, HEIGHT_MM)
    axes = figure.subplots()
    edges, width = _bins(span)
    span = (span[0], float(edges[-1]))
    counts, _ = np.histogram(values, edges)
    axes.stairs(counts, edges, fill=True, color=colour, alpha=0.75)
    median = float(np.median(values))
    axes.axvline(median, color="0.25", linewidth=0.8, linestyle=(0, (4, 2)))
    if least is not None:
        axes.axvline(least, color="0.25", linewidth=0.8, linestyle=DOTTED)
        about: dict[str, Any] = {"rotation": 90, "ha": "right", "va": "top", "color": "0.25", "fontsize": 5.5}
        if least > 0.04 * (span[1] - span[0]):  # else there is no room
            axes.annotate(
                "thinner is left out", (least, 0.97), (-1, 0), ("data", "axes fraction"), "offset points", **about
            )
    axes.set_xlim(span)
    axes.set_ylim(0, counts.max() * 1.15 + 0.5)
    right = median > sum(span) / 2
    axes.annotate(
        f"median {form.format(median)}",
        (median, 0.97),
        (-3 if right else 3, 0),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        ha="right" if right else "left",
        va="top",
        color="0.25",
        fontsize=6.5,
    )
    axes.set_xlabel(label)
    axes.set_ylabel(f"axons per bin of {width:g} {unit}".rstrip())
    _whole_numbers(axes)
    save(figure, paths)


@styled()
def draw_gratio_by_diameter(diameters_um: Floats, gratios: Floats, paths: Iterable[Path]) -> None:
    """Draw g-ratio against diameter, with the median of each diameter, as wide as a column.

    Fewer than 5,000 axons are a dot each; of more, colours say how many there are.

    Parameters
    ----------
    diameters_um, gratios : (n,) float64
        Of axons with myelin.
    paths : iterable of Path
        PNG, SVG or PDF.
    """
    span = (0.0, _reach(diameters_um))
    edges, _ = _bins(span)
    figure = new_figure(COLUMN_MM, HEIGHT_MM)
    axes = figure.subplots()
    if len(gratios) < DOTS:
        axes.plot(diameters_um, gratios, ".", color=AXON, markersize=3, markeredgewidth=0, alpha=0.55)
        drawn = None
    else:
        drawn = _crowd(axes, diameters_um, gratios, edges)
    at_um, medians, _ = medians_by_diameter(diameters_um, gratios)
    if len(medians):
        marker = "_" if len(medians) == 1 else None
        label = f"median of {FEWEST} axons or more"
        axes.plot(at_um, medians, color=MYELIN, linewidth=1.2, marker=marker, markersize=4, label=label)
        axes.legend(frameon=False, fontsize=6.5, loc="lower right")
    axes.set_xlim(span)
    axes.set_ylim(0, 1)
    axes.set_xlabel("axon diameter (µm)")
    axes.set_ylabel("g-ratio")
    if drawn is not None:
        bar = figure.colorbar(drawn, ax=axes, aspect=18, pad=0.02)
        bar.set_label("axons")
        tidy(bar)
        if isinstance(drawn.norm, LogNorm):
            bar.ax.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
            bar.ax.minorticks_off()
    save(figure, paths)


def medians_by_diameter(diameters_um: Floats, gratios: Floats) -> tuple[Floats, Floats, float]:
    """Return median diameters, µm, and median g-ratios, both (n,), of bins of diameter, and how wide these are, µm.

    Bins are joined with the next ones until they hold :data:`FEWEST` axons, and what is left over with the last one.
    Of fewer axons in all there is none. A few of the thickest axons may lie beyond all bins.
    """
    edges, width = _bins((0.0, _reach(diameters_um)))
    sorted_um = np.sort(diameters_um)
    below = np.searchsorted(sorted_um, edges)
    taken = [max(int(np.searchsorted(below, 0, "right")) - 1, 0)]  # the last edge with none below
    for i in range(1, len(edges)):
        if below[i] - below[taken[-1]] >= FEWEST:
            taken.append(i)
    if len(taken) == 1:
        return np.zeros(0), np.zeros(0), width
    taken[-1] = len(edges) - 1
    by_diameter = gratios[np.argsort(diameters_um, kind="stable")]
    groups = [slice(below[low], below[high]) for low, high in pairwise(taken)]
    at_um, medians = (np.array([np.median(values[group]) for group in groups]) for values in (sorted_um, by_diameter))
    return at_um, medians, width


def _crowd(axes: Axes, diameters_um: Floats, gratios: Floats, edges: Floats) -> AxesImage:
    """Draw how many axons there are of a diameter and a g-ratio."""
    counts, _, _ = np.histogram2d(diameters_um, gratios, (edges, np.linspace(0, 1, BINS + 1)))
    most = max(counts.max(), 2)
    return axes.imshow(
        np.ma.masked_equal(counts.T, 0),
        cmap="viridis",
        norm=LogNorm(1, most) if most > 20 else Normalize(0, most),
        extent=(0.0, float(edges[-1]), 0.0, 1.0),
        origin="lower",
        aspect="auto",
        interpolation="nearest",
    )


@styled()
def draw_profiles(maps: xr.Dataset, paths: Iterable[Path]) -> None:
    """Draw the axon density of each row and of each column of cells, as wide as a column.

    The last ones are as wide as what is left of the slide. Those in which half counts of no cell are dotted, and their
    height decides nothing.
    """
    figure = new_figure(COLUMN_MM, HEIGHT_MM)
    axes = figure.subplots()
    longest = max(float(edges_um(maps, axis)[-1]) for axis in "yx")
    tops = [0.0]
    for axis, other, words, colour in zip(
        "yx", "xy", ("down the slide (y)", "across the slide (x)"), DENSITY_COLOURS, strict=True
    ):
        along = "yx".index(other)
        # numpy's sum: xarray's loads dask's arrays, for half a second
        count, area = (np.nansum(maps[name].to_numpy(), axis=along) for name in ("axon_count", "covered_area"))
        density = np.divide(count, area, out=np.full(len(count), np.nan), where=area > 0)
        whole = is_whole(maps).any(axis=along)
        sure = np.where(whole if whole.any() else area > 0, density, np.nan)
        tops += sure[np.isfinite(sure)].tolist()
        edges = edges_um(maps, axis)
        axes.stairs(density, edges, baseline=None, color=colour, linewidth=0.8, linestyle=DOTTED, alpha=0.6)
        axes.stairs(sure, edges, baseline=None, color=colour, linewidth=1.1, label=words)
    axes.set_xlim(0, longest)
    axes.set_ylim(bottom=0, top=(max(tops) or 1.0) * 1.08)
    axes.set_xlabel("distance from the top, or from the left (µm)")
    axes.set_ylabel("axons per mm²")
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.10g}"))
    _whole_numbers(axes)
    axes.legend(frameon=False, fontsize=6.5, ncols=2, loc="lower left", bbox_to_anchor=(0, 0.98))
    save(figure, paths)


@styled()
def draw_spreads(slides: Sequence[tuple[str, Floats, Floats]], paths: Iterable[Path]) -> None:
    """Draw the spread of diameters and of g-ratios of several slides side by side, as wide as a page.

    A body is as wide as values are frequent; the bar in it reaches from the 25th to the 75th percentile, the dot is the
    median.

    Parameters
    ----------
    slides : sequence of (str, array, array)
        Titles; axon diameters, µm; g-ratios of axons with myelin.
    paths : iterable of Path
        PNG, SVG or PDF.
    """
    figure = new_figure(PAGE_MM, 110)
    every = np.concatenate([diameters for _, diameters, _ in slides]) if slides else np.zeros(0)
    panels = (
        ("axon diameter (µm)", AXON, (0.0, _reach(every)), [diameters for _, diameters, _ in slides]),
        ("g-ratio", MYELIN, (0.0, 1.0), [gratios for _, _, gratios in slides]),
    )
    both = figure.subplots(2, 1, sharex=True)
    for axes, (label, colour, span, spreads) in zip(both, panels, strict=True):
        for place, values in enumerate(spreads):
            if len(values):
                _body(axes, place, values, span, colour)
        axes.set_ylabel(label)
        axes.set_ylim(span)
        axes.yaxis.grid(visible=True, color="0.92", linewidth=0.6)
        axes.set_axisbelow(True)
    crowded = len(slides) > 8 or max((len(title) for title, _, _ in slides), default=0) > 90 / max(len(slides), 1)
    both[-1].set_xlim(-0.6, len(slides) - 0.4)
    both[-1].set_xticks(
        range(len(slides)),
        [title for title, _, _ in slides],
        rotation=40 if crowded else 0,
        ha="right" if crowded else "center",
        rotation_mode="anchor",
    )
    save(figure, paths)


def _body(axes: Axes, place: int, values: Floats, span: tuple[float, float], colour: str) -> None:
    counts, edges = np.histogram(values, BINS, span)
    width = 0.4 * counts / max(counts.max(), 1)
    ends = np.repeat(edges, 2)[1:-1]
    reach = np.repeat(width, 2)
    axes.fill_betweenx(ends, place - reach, place + reach, color=colour, alpha=0.45, linewidth=0)
    low, median, high = np.percentile(values, (25, 50, 75))
    axes.plot([place, place], [low, high], color="0.2", linewidth=2.2, solid_capstyle="butt")
    axes.plot([place], [median], "o", color="white", markeredgecolor="0.2", markeredgewidth=0.8, markersize=4)


def _reach(values_um: Floats) -> float:
    """Return where the axis of diameters ends."""
    if not len(values_um):
        return 1.0
    return float(max(np.percentile(values_um, 99.5) * 1.08, np.median(values_um) * 1.5, 1e-3))


def _bins(span: tuple[float, float]) -> tuple[Floats, float]:
    """Return the edges of bins of a round width, at most :data:`BINS`, and that width."""
    steps = (first * 10.0**power for power in range(-5, 4) for first in (1, 2, 5))
    width = next(step for step in steps if (span[1] - span[0]) / step <= BINS)
    n = int(np.ceil((span[1] - span[0]) / width - 1e-9))
    edges: Floats = (span[0] + np.arange(n + 1) * width).astype(np.float64)
    return edges, width


def _whole_numbers(axes: Axes) -> None:
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
