"""Pictures of a result: the maps side by side, and the segmentation over the slide."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from axonflow.grid import Box
from axonflow.ngff import Pyramid

__all__ = ["PANELS", "draw_maps", "draw_overlay"]

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
