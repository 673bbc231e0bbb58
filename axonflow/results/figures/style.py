"""How every figure looks: the widths of a printed page, type, colours, colour bars and scale bars, and how it is saved.

Equal values give equal files: no date is written, and ids in an SVG are hashes of a fixed salt.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import xarray as xr
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import Colorbar
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patheffects import Normal, Stroke
from matplotlib.ticker import FuncFormatter, MaxNLocator, StrMethodFormatter

from axonflow.kernel.classes import AXON_MYELIN
from axonflow.kernel.files import new_file
from axonflow.results.cells import Range, edges_um

__all__ = [
    "AXON",
    "COLOURS",
    "COLUMN_MM",
    "COMPRESSION",
    "DOUBT",
    "MYELIN",
    "PAGE_MM",
    "PANELS",
    "UNMYELINATED",
    "Extent",
    "colour_bar",
    "extent_um",
    "in_words",
    "new_figure",
    "normed",
    "round_length",
    "ruler",
    "save",
    "scale_bar",
    "scale_bar_inside",
    "styled",
    "tidy",
]

COLOURS = "turbo"
"""From blue to red, as the maps of the paper; unlike its rainbow, without bands that are in no tissue."""

PANELS = tuple(
    (name, COLOURS)
    for name in ("axon_diameter_mean", "axon_diameter_std", "axon_density", "avf", "mvf", "gratio_aggregate")
)
"""The maps of the paper's Figure 7, in its order, and their colours."""

UNMYELINATED = tuple((name, COLOURS) for name in ("unmyelinated_density", "unmyelinated_avf", "myelinated_fraction"))
"""The maps of axons without myelin, where the classes have them."""

DOUBT = ("confidence", "cividis")
"""What a network adds to them."""

COLUMN_MM, PAGE_MM = 85.0, 180.0
"""Widths of a figure in a journal: one column, and the page."""

PRINT_DPI = 300

COMPRESSION = 2
"""Of PNG, 0 to 9: takes a third of the time of the usual 6; what a report draws is a tenth larger for it."""

AXON, MYELIN = (AXON_MYELIN[number].colour for number in (AXON_MYELIN.axon, AXON_MYELIN.myelin))
"""Colours of what is measured of axons, and of their myelin."""

MOST_PX = 2**16 - 1
"""Along a side of a PNG, as matplotlib draws it: two hundred slides beside each other come to that."""

WORDS = {"confidence": "how sure the network was, 0 to 1", "axon_diameter_std": "SD of axon diameter"}
"""What maps show, where their long name is not what one says."""

UNITS = {"um": "µm", "mm-2": "mm⁻²", "mm2": "mm²"}
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
    "hatch.linewidth": 0.4,
    "image.composite_image": False,
    "pdf.fonttype": 42,
    "text.parse_math": False,  # names of animals and groups are text, whatever signs are in them
}

Extent = tuple[float, float, float, float]
"""Left, right, bottom and top of a picture, µm; the top is 0."""


@contextmanager
def styled() -> Iterator[None]:
    """Draw in small type with thin lines, as is printed; for functions, as a decorator."""
    with rc_context(STYLE):
        yield


def new_figure(width_mm: float, height_mm: float) -> Figure:
    """Make a figure of a size in print."""
    layout = ConstrainedLayoutEngine(w_pad=0.03, h_pad=0.03)
    return Figure(figsize=(width_mm / 25.4, height_mm / 25.4), layout=layout)


def save(
    figure: Figure, paths: Iterable[Path], *, dpi: int = PRINT_DPI, letters: Literal["path", "none"] = "path"
) -> None:
    """Write a figure to PNG, SVG or PDF files, each of which appears whole.

    ``letters`` are outlines in an SVG (``path``), which look alike everywhere, or text that can be edited (``none``). A
    PDF holds its text and the font. A PNG that is too wide or too high to be drawn has fewer dots per inch.
    """
    most = MOST_PX / max(figure.get_size_inches())
    if (layout := figure.get_layout_engine()) is not None:
        layout.execute(figure)
        figure.set_layout_engine(None)  # laid out once, for all files; one of any other kind is drawn twice a file
    for path in paths:
        kind = path.suffix[1:].lower()
        how: dict[str, Any] = {
            "png": {"pil_kwargs": {"compress_level": COMPRESSION}},
            "svg": {"metadata": {"Date": None}},
            "pdf": {"metadata": {"CreationDate": None}},
        }
        with rc_context({"svg.hashsalt": "axonflow", "svg.fonttype": letters}), new_file(path, durable=False) as part:
            figure.savefig(part, dpi=min(dpi, most), format=kind, **how.get(kind, {}))


def in_words(values: xr.DataArray) -> str:
    """Return what a map shows, with its unit."""
    unit = UNITS.get(values.attrs["units"])
    return WORDS.get(str(values.name), str(values.attrs["long_name"])) + (f" ({unit})" if unit else "")


def normed(span: Range) -> Normalize:
    """Return what turns values into places among the colours; a value that stands alone has the middle one."""
    low, high, _ = span
    aside = 0.0 if high > low else abs(low) / 2 or 0.5
    return Normalize(low - aside, high + aside)


def colour_bar(axes: Axes, span: Range, colours: str) -> None:
    """Draw the key of colours into axes of its own; of a value that stands alone, with that number."""
    ticks = [span.low] if span.low == span.high else None
    tidy(Colorbar(axes, ScalarMappable(normed(span), colours), extend=span.beyond, ticks=ticks))


def tidy(bar: Colorbar) -> None:
    """Give a key of colours thin lines, and its large numbers commas."""
    bar.ax.tick_params(labelsize=STYLE["ytick.labelsize"], width=0.5, length=2)
    bar.outline.set_linewidth(0.5)
    if bar.norm.vmax is not None and bar.norm.vmax >= 10_000:
        bar.formatter = StrMethodFormatter("{x:,.0f}")
        bar.update_ticks()


def extent_um(maps: xr.Dataset) -> Extent:
    """Return where the maps lie: to the slide's end, where the last cells end, too."""
    return 0.0, float(edges_um(maps, "x")[-1]), float(edges_um(maps, "y")[-1]), 0.0


def scale_bar(axes: Axes, extent: Extent) -> None:
    """Draw a bar of a round length, at most a third of the picture, below it."""
    left, right, bottom, top = extent
    width, height = right - left, bottom - top
    length, words = round_length(width)
    axes.autoscale(False)  # the bar lies below the map and must not make room for itself
    axes.plot(
        [left, left + length],
        [bottom + height * 0.04] * 2,
        color="black",
        linewidth=2.5,
        clip_on=False,
        solid_capstyle="butt",
    )
    axes.text(left + length / 2, bottom + height * 0.06, words, ha="center", va="top", fontsize=7)


def scale_bar_inside(axes: Axes, extent: Extent, unit: float = 1.0, of_um: float | None = None) -> None:
    """Draw such a bar into the picture, at its lower left, with a light rim that is seen on any colour.

    ``unit`` is a µm in the axes; ``of_um`` the width that decides the bar's length, if that is not the picture's.
    """
    left, right, bottom, top = extent
    width, height = right - left, bottom - top
    length, words = round_length(width / unit if of_um is None else of_um)
    rim = [Stroke(linewidth=1.6, foreground="white"), Normal()]
    x, y = left + 0.04 * width, bottom - 0.05 * height
    axes.autoscale(False)
    axes.plot(
        [x, x + length * unit],
        [y, y],
        color="black",
        linewidth=2,
        solid_capstyle="butt",
        path_effects=[Stroke(linewidth=3.4, foreground="white"), Normal()],
    )
    axes.annotate(
        words,
        (x, y),
        (0, 2.5),
        textcoords="offset points",
        ha="left",
        va="bottom",
        fontsize=6,
        path_effects=rim,
    )


def round_length(width_um: float) -> tuple[float, str]:
    """Return the longest round length that is at most a third of a width, µm, and in words."""
    steps = [first * 10.0**power for power in range(-3, 5) for first in (1, 2, 5)]
    um = max((step for step in steps if step <= width_um / 3), default=width_um)
    return um, f"{um / 1000:g} mm" if um >= 1000 else f"{um:g} µm"


def ruler(axes: Axes, *, x: bool, y: bool) -> None:
    """Let the axes of a picture count µm, with few ticks; words stand where ``x`` and ``y`` ask for them."""
    for axis, name, wanted in ((axes.xaxis, "x", x), (axes.yaxis, "y", y)):
        axis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
        axis.set_major_formatter(FuncFormatter(lambda um, _: f"{um:,.10g}"))
        if wanted:
            axis.set_label_text(f"{name} (µm)")
    axes.xaxis.set_tick_params(labelbottom=x)
    axes.yaxis.set_tick_params(labelleft=y)
    axes.spines[:].set_visible(True)
