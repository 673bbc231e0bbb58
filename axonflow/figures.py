"""Pictures of a result: the maps side by side, the segmentation over the slide, its agreement with the truth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from textwrap import fill
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import Colorbar
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter
from numpy.typing import NDArray
from PIL import Image

from axonflow.errors import InputError
from axonflow.fiber.score import QUANTITIES
from axonflow.grid import Box
from axonflow.ngff import Pyramid

__all__ = ["PANELS", "draw_bland_altman", "draw_confidence", "draw_errors", "draw_levels", "draw_maps", "draw_overlay"]

PANELS = (
    ("axon_diameter_mean", "viridis"),
    ("axon_diameter_std", "viridis"),
    ("axon_density", "magma"),
    ("avf", "magma"),
    ("mvf", "magma"),
    ("gratio_aggregate", "viridis"),
)
"""The maps of the paper's Figure 7, in its order, with perceptually even colours."""

DOUBT = ("confidence", "cividis")
"""What a network adds to them."""

UNITS = {"um": "µm", "mm-2": "mm⁻²"}
"""How units are printed."""

Ends = Literal["neither", "min", "max", "both"]
"""Of a colour bar, beyond which there are values."""

MYELIN, AXON = (0.89, 0.29, 0.20), (0.25, 0.55, 0.95)


def draw_maps(maps: xr.Dataset, path: Path, *, dpi: int = 200) -> None:
    """Draw the paper's six maps, each with its unit and scale bar, to a PNG, SVG or PDF file."""
    figure = Figure(figsize=(10.5, 7.2), layout="constrained")
    extent = _extent_mm(maps)
    for axes, (name, colours) in zip(figure.subplots(2, 3).flat, PANELS, strict=True):
        values = maps[name]
        drawn = axes.imshow(values.to_numpy(), cmap=colours, extent=extent, interpolation="nearest", **_range(values))
        unit = UNITS.get(values.attrs["units"])
        axes.set_title(values.attrs["long_name"] + (f" ({unit})" if unit else ""), fontsize=9)
        axes.set_xticks([])
        axes.set_yticks([])
        figure.colorbar(drawn, ax=axes, shrink=0.8)
        _scale_bar(axes, extent)
    figure.savefig(path, dpi=dpi)


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
    extents = [_extent_mm(maps) for _, maps in drawn]
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
        norm, extend = _common(known)
        for axes, (_, maps), extent in zip(axes_row, drawn, extents, strict=True):
            if name in maps:
                axes.imshow(maps[name], cmap=colours, norm=norm, extent=extent, interpolation="nearest")
            axes.set_xlim(0, extent[1])
            axes.set_ylim((extent[2] + tallest) / 2, (extent[2] - tallest) / 2)
        _colour_bar(bar, norm, colours, extend)
        unit = UNITS.get(known[0].attrs["units"])
        label = known[0].attrs["long_name"] + (f" ({unit})" if unit else "")
        axes_row[0].set_ylabel(fill(label, max(int(13 * scale * tallest), 16)), fontsize=8)
    for axes, title in zip(grid[0], titles, strict=True):
        axes.set_title(title, fontsize=9)
    for axes in grid[-1]:
        _scale_bar(axes, (*axes.get_xlim(), *axes.get_ylim()))
    if missing:
        note = f"left out: {', '.join(missing)}"
        figure.text(grid[0][0].get_position().x0, 0.01, note, va="bottom", fontsize=7, color="0.4", wrap=True)
    for path in paths:
        part = path.with_name(f".{path.stem}.part{path.suffix}")
        with rc_context({"svg.hashsalt": "axonflow"}):  # equal maps give equal files
            figure.savefig(part, dpi=dpi, metadata={"Date": None} if path.suffix == ".svg" else None)
        part.replace(path)


def draw_overlay(slide: Pyramid, semantic: Pyramid, path: Path, *, side_px: int = 1600) -> None:
    """Draw axons and myelin in colour over the whole slide, at most ``side_px`` wide, to a PNG file."""
    grey = _coarse(slide, side_px).astype(np.float32)
    low, high = np.percentile(grey, (0.5, 99.5))
    grey = np.clip((grey - low) / max(high - low, 1e-6), 0, 1)
    classes = _coarse(semantic, side_px)
    rows, columns = (np.arange(n) * m // n for n, m in zip(grey.shape, classes.shape, strict=True))
    classes = classes[np.ix_(rows, columns)]
    colour = np.repeat(grey[..., None], 3, axis=2)
    for number, tint in ((1, MYELIN), (2, AXON)):
        colour[classes == number] = 0.55 * colour[classes == number] + 0.45 * np.array(tint, np.float32)
    Image.fromarray((colour * 255).astype(np.uint8)).save(path)


def draw_errors(found: NDArray[np.uint8], truth: NDArray[np.uint8], path: Path, *, side_px: int = 1200) -> None:
    """Draw what was found right and wrong, without the image beneath, at most ``side_px`` wide, to a PNG file.

    Grey is right (myelin light, axons dark); red was drawn and not found, blue found and not drawn, axons in strong
    colours and myelin in pale ones.
    """
    step = -(-max(truth.shape) // side_px)
    found, truth = found[::step, ::step], truth[::step, ::step]
    colours = np.full((3, 3, 3), 255, np.uint8)  # by the true class and the one found
    colours[1, 1], colours[2, 2] = (215, 215, 215), (130, 130, 130)
    colours[1, 0], colours[0, 1] = (250, 185, 170), (170, 200, 250)
    colours[2, 0] = colours[2, 1] = (205, 40, 30)
    colours[0, 2] = colours[1, 2] = (35, 80, 205)
    picture = Image.fromarray(colours[truth, found])
    picture.quantize(16, dither=Image.Dither.NONE).save(path, optimize=True)


def draw_confidence(squares: pd.DataFrame, path: Path, *, dpi: int = 120) -> None:
    """Draw the share of wrong pixels over the network's confidence, a point per square, to a PNG, SVG or PDF file."""
    figure = Figure(figsize=(5, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.scatter(squares["confidence"], squares["error"], s=14, alpha=0.7, linewidths=0)
    axes.set_xlabel("mean confidence of a square")
    axes.set_ylabel("share of its pixels that is wrong")
    axes.set_ylim(bottom=0)
    figure.savefig(path, dpi=dpi)


def draw_bland_altman(scores: pd.DataFrame, path: Path, *, dpi: int = 200) -> None:
    """Draw how far each number of the tissue agrees with the truth, to a PNG, SVG or PDF file.

    Each image is a point: the difference found − true over the mean of both. Lines show the bias, which is the mean
    difference, and from two images on its limits of agreement, bias ± 1.96 standard deviations (of the sample).

    Parameters
    ----------
    scores : DataFrame
        One row per image, with the columns of :meth:`axonflow.fiber.score.Scores.row`. An image whose number is not
        known, found or true, is no point.
    path : Path
    dpi : int

    Raises
    ------
    InputError
        If there is no image.

    Notes
    -----
    Bland and Altman 1986, https://doi.org/10.1016/S0140-6736(86)90837-8.
    """
    if scores.empty:
        raise InputError("The scores of at least one image were expected, none came; score one first.")
    figure = Figure(figsize=(10.5, 6.4), layout="constrained")
    *panels, key = figure.subplots(2, 3).flat
    for axes, (name, (words, unit)) in zip(panels, QUANTITIES.items(), strict=True):
        pairs = scores[[f"{name}_found", f"{name}_true"]].to_numpy(np.float64)
        _agreement(axes, *pairs[np.isfinite(pairs).all(axis=1)].T)
        in_unit = f" ({unit})" if unit else ""
        axes.set_title(words, fontsize=10)
        axes.set_xlabel(f"mean of found and true{in_unit}", fontsize=8)
        axes.set_ylabel(f"found − true{in_unit}", fontsize=8)
        axes.tick_params(labelsize=8)
    key.set_axis_off()
    key.legend(*_named(panels), loc="center", frameon=False, fontsize=9)
    figure.savefig(path, dpi=dpi)


def _agreement(axes: Axes, found: NDArray[np.float64], true: NDArray[np.float64]) -> None:
    """Draw one panel of :func:`draw_bland_altman`."""
    axes.axhline(0, color="0.8", linewidth=1, label="no difference")
    if len(found) == 0:
        axes.text(0.5, 0.5, "not known", transform=axes.transAxes, ha="center", va="center", color="0.5")
        axes.set_xticks([])
        axes.set_yticks([])
        return
    difference = found - true
    bias = difference.mean()
    axes.axhline(bias, color=MYELIN, linewidth=1.5, label="bias")
    levels = [bias]
    if len(found) > 1:
        spread = 1.96 * difference.std(ddof=1)
        levels += [bias - spread, bias + spread]
        for level in levels[1:]:
            axes.axhline(level, color=MYELIN, linewidth=1, linestyle="--", label="limits of agreement, bias ± 1.96 SD")
    axes.scatter((found + true) / 2, difference, s=26, color=AXON, edgecolor="white", zorder=3, label="an image")
    axes.margins(x=0.15)
    axes.locator_params(axis="x", nbins=5)
    reach = 1.3 * max(np.abs([*levels, *difference]).max(), 1e-3 * np.abs(true).max(), 1e-9)
    axes.set_ylim(-reach, reach)  # zero in the middle: which side the bias lies on is what matters


def _named(panels: Iterable[Axes]) -> tuple[list[Artist], list[str]]:
    """Return what is drawn in any panel, once for each name, for a legend."""
    named = {name: drawn for axes in panels for drawn, name in zip(*axes.get_legend_handles_labels(), strict=True)}
    return list(named.values()), list(named)


def _common(maps: Sequence[xr.DataArray]) -> tuple[Normalize, Ends]:
    """Return one range of values for several maps, and the ends beyond which some values lie."""
    values = np.concatenate([each.to_numpy().ravel() for each in maps])
    limits = _range(xr.DataArray(values))
    low, high = limits["vmin"], limits["vmax"]
    below, above = np.nanmin(values, initial=low) < low, np.nanmax(values, initial=high) > high
    ends: Ends = ("both" if above else "min") if below else ("max" if above else "neither")
    return Normalize(low, high), ends


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


def _colour_bar(axes: Axes, norm: Normalize, colours: str, extend: Ends) -> None:
    bar = Colorbar(axes, ScalarMappable(norm, colours), extend=extend)
    bar.ax.tick_params(labelsize=7, width=0.5, length=2)
    bar.outline.set_linewidth(0.5)
    if norm.vmax is not None and norm.vmax >= 10_000:
        bar.formatter = StrMethodFormatter("{x:,.0f}")
        bar.update_ticks()


def _coarse(pyramid: Pyramid, side_px: int) -> NDArray[np.generic]:
    levels = pyramid.levels
    level = next((k for k in range(levels.count) if max(levels.shape_of(k)) <= side_px), levels.count - 1)
    return pyramid.read(Box.whole(levels.shape_of(level)), level)


def _range(values: xr.DataArray) -> dict[str, float]:
    finite = values.to_numpy()[np.isfinite(values.to_numpy())]
    if finite.size == 0:
        return {"vmin": 0.0, "vmax": 1.0}
    low, high = np.percentile(finite, (1, 99))
    return {"vmin": float(low), "vmax": float(high if high > low else low + 1)}


def _extent_mm(maps: xr.Dataset) -> tuple[float, float, float, float]:
    cell = float(maps.attrs["cell_side_um"]) / 1000
    h, w = maps.sizes["y"] * cell, maps.sizes["x"] * cell
    return 0.0, w, h, 0.0


def _scale_bar(axes: Axes, extent: tuple[float, float, float, float]) -> None:
    left, right, bottom, top = extent
    width, height = right - left, bottom - top
    length = max((step for step in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10) if step <= width / 3), default=width)
    axes.autoscale(False)  # the bar lies below the map and must not make room for itself
    axes.plot(
        [left, left + length],
        [bottom + height * 0.04] * 2,
        color="black",
        linewidth=2.5,
        clip_on=False,
        solid_capstyle="butt",
    )
    label = f"{length:g} mm" if length >= 1 else f"{length * 1000:g} µm"
    axes.text(left + length / 2, bottom + height * 0.06, label, ha="center", va="top", fontsize=7)
