"""Pictures of a result: the maps side by side, the segmentation over the slide, its agreement with the truth."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from axonflow.errors import InputError
from axonflow.fiber.score import QUANTITIES
from axonflow.grid import Box
from axonflow.ngff import Pyramid

__all__ = ["PANELS", "draw_bland_altman", "draw_confidence", "draw_errors", "draw_maps", "draw_overlay"]

PANELS = (
    ("axon_diameter_mean", "viridis"),
    ("axon_diameter_std", "viridis"),
    ("axon_density", "magma"),
    ("avf", "magma"),
    ("mvf", "magma"),
    ("gratio_aggregate", "viridis"),
)
"""The maps of the paper's Figure 7, in its order, with perceptually even colours."""

UNITS = {"um": "µm", "mm-2": "mm⁻²"}
"""How units are printed."""

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
    width, height = extent[1], extent[2]
    length = max((step for step in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10) if step <= width / 3), default=width)
    axes.autoscale(False)  # the bar lies below the map and must not make room for itself
    axes.plot([0, length], [height * 1.04] * 2, color="black", linewidth=2.5, clip_on=False, solid_capstyle="butt")
    label = f"{length:g} mm" if length >= 1 else f"{length * 1000:g} µm"
    axes.text(length / 2, height * 1.06, label, ha="center", va="top", fontsize=7)
