"""How every figure looks: the widths of a printed page, type, colours, colour bars and scale bars, and how it is saved.

Equal values give equal files: no date is written, and ids in an SVG are hashes of a fixed salt.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray as xr
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import Colorbar
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import StrMethodFormatter

from axonflow.kernel.classes import AXON_MYELIN
from axonflow.kernel.files import new_file

__all__ = [
    "AXON",
    "COLUMN_MM",
    "DOUBT",
    "MYELIN",
    "PAGE_MM",
    "PANELS",
    "UNMYELINATED",
    "Ends",
    "Extent",
    "colour_bar",
    "common",
    "extent_mm",
    "in_words",
    "new_figure",
    "save",
    "scale_bar",
    "styled",
    "tidy",
]

PANELS = (
    ("axon_diameter_mean", "viridis"),
    ("axon_diameter_std", "viridis"),
    ("axon_density", "magma"),
    ("avf", "magma"),
    ("mvf", "magma"),
    ("gratio_aggregate", "viridis"),
)
"""The maps of the paper's Figure 7, in its order, with perceptually even colours."""

UNMYELINATED = (("unmyelinated_density", "magma"), ("unmyelinated_avf", "magma"), ("myelinated_fraction", "viridis"))
"""The maps of axons without myelin, where the classes have them."""

DOUBT = ("confidence", "cividis")
"""What a network adds to them."""

COLUMN_MM, PAGE_MM = 85.0, 180.0
"""Widths of a figure in a journal: one column, and the page."""

PRINT_DPI = 300

AXON, MYELIN = (AXON_MYELIN[number].colour for number in (AXON_MYELIN.axon, AXON_MYELIN.myelin))
"""Colours of what is measured of axons, and of their myelin."""

UNITS = {"um": "µm", "mm-2": "mm⁻²"}
"""How units are printed."""

STYLE: dict[Any, Any] = {
    "font.size": 7,
    "axes.titlesize": 7.5,
    "axes.labelsize": 7,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "axes.linewidth": 0.5,
    "axes.edgecolor": "0.35",
    "axes.labelcolor": "0.2",
    "xtick.color": "0.35",
    "ytick.color": "0.35",
    "xtick.major.width": 0.5,
    "ytick.major.width": 0.5,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "image.composite_image": False,
}

Ends = Literal["neither", "min", "max", "both"]
"""Of a colour bar, beyond which there are values."""

Extent = tuple[float, float, float, float]
"""Left, right, bottom and top of a picture, mm; the top is 0."""


@contextmanager
def styled() -> Iterator[None]:
    """Draw in small type with thin lines, as is printed; for functions, as a decorator."""
    with rc_context(STYLE):
        yield


def new_figure(width_mm: float, height_mm: float) -> Figure:
    """Make a figure of a size in print."""
    layout = ConstrainedLayoutEngine(w_pad=0.03, h_pad=0.03)
    return Figure(figsize=(width_mm / 25.4, height_mm / 25.4), layout=layout)


def save(figure: Figure, paths: Iterable[Path], *, dpi: int = PRINT_DPI) -> None:
    """Write a figure to PNG, SVG or PDF files, each of which appears whole."""
    if figure.get_layout_engine() is not None:
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # it is laid out, once for all files
    for path in paths:
        metadata = {"Date": None} if path.suffix == ".svg" else None
        with rc_context({"svg.hashsalt": "axonflow"}), new_file(path, durable=False) as part:
            figure.savefig(part, dpi=dpi, format=path.suffix[1:].lower(), metadata=metadata)


def in_words(values: xr.DataArray) -> str:
    """Return what a map shows, with its unit."""
    unit = UNITS.get(values.attrs["units"])
    return str(values.attrs["long_name"]) + (f" ({unit})" if unit else "")


def common(maps: Sequence[xr.DataArray]) -> tuple[Normalize, Ends]:
    """Return one range for several maps, 1st to 99th percentile, and the ends beyond which some values lie."""
    values = np.concatenate([each.to_numpy().ravel() for each in maps])
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return Normalize(0.0, 1.0), "neither"
    low, high = map(float, np.percentile(finite, (1, 99)))
    high = high if high > low else low + 1
    below, above = finite.min() < low, finite.max() > high
    ends: Ends = ("both" if above else "min") if below else ("max" if above else "neither")
    return Normalize(low, high), ends


def colour_bar(axes: Axes, norm: Normalize, colours: str, extend: Ends) -> None:
    """Draw the key of colours into axes of its own."""
    tidy(Colorbar(axes, ScalarMappable(norm, colours), extend=extend))


def tidy(bar: Colorbar) -> None:
    """Give a key of colours thin lines, and its large numbers commas."""
    bar.ax.tick_params(labelsize=STYLE["ytick.labelsize"], width=0.5, length=2)
    bar.outline.set_linewidth(0.5)
    if bar.norm.vmax is not None and bar.norm.vmax >= 10_000:
        bar.formatter = StrMethodFormatter("{x:,.0f}")
        bar.update_ticks()


def extent_mm(maps: xr.Dataset) -> Extent:
    """Return where the maps lie."""
    cell = float(maps.attrs["cell_side_um"]) / 1000
    h, w = maps.sizes["y"] * cell, maps.sizes["x"] * cell
    return 0.0, w, h, 0.0


def scale_bar(axes: Axes, extent: Extent) -> None:
    """Draw a bar of a round length, at most a third of the picture, below it."""
    left, right, bottom, top = extent
    width, height = right - left, bottom - top
    steps = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
    length = max((step for step in steps if step <= width / 3), default=width)
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
