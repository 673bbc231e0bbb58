"""Animals as points: groups side by side, also by tract and by calibre; and how far groups lie apart.

A point is an animal, a line across is the mean of a group. Points lie beside each other where they would hide each
other, always in the same way, so that equal values give equal files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from axonflow.results.figures.style import PAGE_MM, new_figure, save, styled

__all__ = ["Apart", "Panel", "draw_animals", "draw_effects"]

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#4d4d4d")
"""Of groups, told apart by those who see few colours (Okabe and Ito)."""

MARKERS = "osD^vPX"
"""Beside the colours; those of a second round of colours are shifted, so that 49 groups look different."""

PANEL_MM = 58.0
"""Height of a row of panels."""


FEW, SOME, MANY = 8, 24, 60
"""Groups up to which four panels have room beside each other, and two; and up to which groups are named at all."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One measure.

    Attributes
    ----------
    label : str
        Of the axis, with its unit.
    values : Mapping of str to (Mapping of str to sequence of float)
        By category, such as a tract, and by group: one value an animal. One category alone stands for all, and groups
        take its place on the axis.
    """

    label: str
    values: Mapping[str, Mapping[str, Sequence[float]]]


@dataclass(frozen=True, slots=True)
class Apart:
    """How far two groups lie apart in one measure.

    Attributes
    ----------
    measure : str
    percent, low, high : float
        The difference of the means and its interval, in per cent of the mean of the group compared with; NaN if there
        is none.
    difference, g : str
        The difference in the measure's unit, and in standard deviations, in words.
    """

    measure: str
    percent: float
    low: float
    high: float
    difference: str
    g: str


@styled()
def draw_animals(
    panels: Sequence[Panel], groups: Sequence[str], paths: Iterable[Path], *, categories: str = ""
) -> None:
    """Draw every animal as a point, a panel for each measure, as wide as a page, to PNG, SVG or PDF files.

    Parameters
    ----------
    panels : sequence of Panel
    groups : sequence of str
        In their order from left to right, and of their colours.
    paths : iterable of Path
    categories : str
        What the categories are, with their unit.
    """
    most = max((len(panel.values) for panel in panels), default=1)
    beside = most if most > 1 else len(groups)
    across = (4 if most == 1 else 2) if beside <= FEW else 2 if most == 1 and beside <= SOME else 1
    down = -(-len(panels) // across)
    turned = any(len(name) > 115 / across / max(len(panel.values), 1) for panel in panels for name in panel.values)
    height = PANEL_MM * down + (12 if turned and most > 1 else 0) + (_legend_mm(groups) if most > 1 else 0)
    figure = new_figure(PAGE_MM, height)
    every = figure.subplots(down, across, squeeze=False).flat
    for axes, panel in zip(every, panels, strict=False):
        if most == 1:
            _one_category(axes, panel, groups, across)
        else:
            _categories(axes, panel, groups, turned=turned)
            axes.set_xlabel(categories)
        _dress(axes, panel.label)
    for axes in [*every]:
        axes.set_axis_off()
    if most > 1 and 1 < len(groups) <= MANY:
        _legend(figure, groups)
    save(figure, paths)


@styled()
def draw_effects(pairs: Mapping[str, Sequence[Apart]], paths: Iterable[Path]) -> None:
    """Draw the difference in each measure with its interval, a panel for each pair of groups, as wide as a page.

    Parameters
    ----------
    pairs : Mapping of str to sequence of Apart
        By the title of the pair; all pairs have the same measures.
    paths : iterable of Path
        PNG, SVG or PDF.
    """
    rows = max(map(len, pairs.values()))
    figure = new_figure(PAGE_MM, len(pairs) * (7.5 * rows + 18))
    ends = [abs(end) for each in pairs.values() for a in each for end in (a.percent, a.low, a.high) if np.isfinite(end)]
    reach = 1.12 * max([1.0, *ends])
    panels = figure.subplots(len(pairs), 2, squeeze=False, width_ratios=(3, 2))
    for (axes, beside), (title, found) in zip(panels, pairs.items(), strict=True):
        beside.set_axis_off()
        beside.set_ylim(-0.7, len(found) - 0.3)
        places = np.arange(len(found))[::-1]
        axes.axvline(0, color="0.6", linewidth=0.7)
        for place, apart in zip(places, found, strict=True):
            if np.isfinite(apart.low):
                axes.plot([apart.low, apart.high], [place, place], color="0.35", linewidth=1.3, solid_capstyle="butt")
            if np.isfinite(apart.percent):
                axes.plot([apart.percent], [place], "o", color=COLOURS[0], markersize=5, markeredgecolor="white")
            _write(beside, place, apart.difference, apart.g)
        _write(beside, len(found) - 0.2, "difference of the means", "Hedges’ g", color="0.45")
        axes.set_yticks(places, [apart.measure for apart in found])
        axes.set_ylim(-0.7, len(found) - 0.3)
        axes.set_xlim(-reach, reach)
        axes.set_title(title, loc="left")
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.xaxis.set_major_formatter(
            lambda value, _: f"{value:+.0f}".replace("-", "\N{MINUS SIGN}").replace("+0", "0")
        )
        axes.set_xlabel("difference of the means, % of the first group’s, with its 95 % interval over animals")
    save(figure, paths)


def _write(axes: Axes, place: float, difference: str, g: str, color: str = "0.2") -> None:
    """Write numbers beside the panel."""
    for x, words in ((0.0, difference), (0.66, g)):
        axes.annotate(words, (x, place), xycoords=("axes fraction", "data"), va="center", fontsize=6.5, color=color)


def _one_category(axes: Axes, panel: Panel, groups: Sequence[str], across: int) -> None:
    (values,) = panel.values.values()
    labels, room = [], max(int(96 / across / len(groups)), 6)
    for place, group in enumerate(groups):
        known = _known(values, group)
        _points(axes, place, known, groups, group, room=0.3, size=4.8)
        labels.append(f"{fill(group, room, break_long_words=False)}\nn = {len(known)}")
    axes.set_xlim(-0.6, len(groups) - 0.4)
    if len(groups) > MANY:
        axes.set_xticks([])
        axes.set_xlabel(f"{len(groups)} groups, in the order of the list")
    elif len(groups) > FEW:
        axes.set_xticks(range(len(groups)), [label.replace("\n", " ") for label in labels], rotation=90)
    elif max(len(line) for label in labels for line in label.split("\n")) > room:
        axes.set_xticks(range(len(groups)), labels, rotation=40, ha="right", rotation_mode="anchor")
    else:
        axes.set_xticks(range(len(groups)), labels)


def _categories(axes: Axes, panel: Panel, groups: Sequence[str], *, turned: bool) -> None:
    step = 0.8 / len(groups)
    for place, values in enumerate(panel.values.values()):
        if place % 2:
            axes.axvspan(place - 0.5, place + 0.5, color="0.965", linewidth=0, zorder=0)
        for i, group in enumerate(groups):
            _points(
                axes, place + (i - (len(groups) - 1) / 2) * step, _known(values, group), groups, group, 0.4 * step, 3.6
            )
    axes.set_xlim(-0.5, len(panel.values) - 0.5)
    names = [fill(name, 24) for name in panel.values]
    rotation, ha = (40, "right") if turned else (0, "center")
    axes.set_xticks(range(len(names)), names, rotation=rotation, ha=ha, rotation_mode="anchor")


def _known(values: Mapping[str, Sequence[float]], group: str) -> list[float]:
    return [value for value in values.get(group, ()) if np.isfinite(value)]


def _points(
    axes: Axes, place: float, values: Sequence[float], groups: Sequence[str], group: str, room: float, size: float
) -> None:
    if not values:
        return
    i = groups.index(group)
    colour, marker = _look(i)
    look: dict[str, Any] = {"color": colour, "marker": marker, "markersize": size}
    mean = float(np.mean(values))
    axes.plot([place - room, place + room], [mean, mean], color="0.2", linewidth=1.1, zorder=2)
    axes.plot(
        place + room * _beside(len(values)), np.sort(values), linestyle="none", alpha=0.85, markeredgecolor="white",
        markeredgewidth=0.4, zorder=3, **look,
    )  # fmt: skip


def _beside(n: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return how far to the side each of n sorted points lies, −1 to 1: neighbours are far from each other."""
    if n == 1:
        return np.zeros(1)
    golden = np.arange(1, n + 1) * 0.6180339887498949 % 1
    return np.argsort(np.argsort(golden)) / (n - 1) * 1.5 - 0.75


def _dress(axes: Axes, label: str) -> None:
    axes.set_ylabel(fill(label, 26))
    axes.yaxis.grid(visible=True, color="0.92", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.margins(y=0.15)
    low, high = axes.get_ylim()
    if low < 0 <= axes.dataLim.y0:  # nothing that is drawn here can be less than nothing
        axes.set_ylim(-0.02 * high, high)
    if axes.get_ylim()[1] >= 10_000:
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.tick_params(axis="x", length=0)


def _look(i: int) -> tuple[str, str]:
    """Return the colour and the marker of a group."""
    return COLOURS[i % len(COLOURS)], MARKERS[(i + i // len(COLOURS)) % len(MARKERS)]


def _legend_mm(groups: Sequence[str]) -> float:
    """Return the height that the legend wants."""
    return 8.0 + 4.0 * ((len(groups) - 1) // 6) * (len(groups) <= MANY)


def _legend(figure: Figure, groups: Sequence[str]) -> None:
    handles = [
        Line2D([], [], linestyle="none", color=colour, marker=marker, label=group)
        for group, (colour, marker) in zip(groups, map(_look, range(len(groups))), strict=True)
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=min(len(groups), 6), frameon=False, fontsize=7)
