"""Single axons near by, each with its outline and its numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import rcParams
from matplotlib.figure import Figure
from numpy.typing import NDArray

from axonflow.results.figures.outline import draw_border
from axonflow.results.figures.overlay import Picture, stretched
from axonflow.results.figures.style import (
    AXON,
    MYELIN,
    PAGE_MM,
    save,
    scale_bar_inside,
    styled,
)

__all__ = ["CloseUp", "draw_closeups"]

COLUMNS = 6

GAP_MM = 1.5
"""Between close-ups."""

SIDE_MM = PAGE_MM / COLUMNS - GAP_MM

LINE_MM = 2.8
"""What a line of words takes below one."""


@dataclass(frozen=True)
class CloseUp:
    """An axon near by.

    Attributes
    ----------
    grey : (h, w) array
        The slide around it.
    axon, fiber : (h, w) bool
        Its pixels, and these with those of its myelin.
    extent_um : (float, float)
        Height and width.
    said : str
        Its numbers, in lines.
    """

    grey: Picture
    axon: NDArray[np.bool_]
    fiber: NDArray[np.bool_]
    extent_um: tuple[float, float]
    said: str


@styled()
def draw_closeups(axons: Sequence[CloseUp], paths: Iterable[Path]) -> None:
    """Draw axons in rows of six, as wide as a page, to PNG, SVG or PDF files.

    All lie in one pair of axes, which count the figure's mm: a pair for each would take longer than what it shows.
    """
    rows = -(-len(axons) // COLUMNS)
    tall = SIDE_MM + GAP_MM + LINE_MM * max(each.said.count("\n") + 1 for each in axons)
    figure = Figure(figsize=(PAGE_MM / 25.4, rows * tall / 25.4))
    page = figure.add_axes((0, 0, 1, 1), xlim=(0, PAGE_MM), ylim=(rows * tall, 0))
    page.set_axis_off()
    for k, each in enumerate(axons):
        row, column = divmod(k, COLUMNS)
        height, width = each.extent_um
        mm = SIDE_MM / max(height, width)
        x, y = column * (SIDE_MM + GAP_MM) + GAP_MM / 2, row * tall + GAP_MM / 2
        across, down = (x, x + mm * width), (y, y + mm * height)
        page.imshow(stretched(each.grey), cmap="gray", vmin=0, vmax=1, extent=(*across, *down[::-1]), aspect="auto")
        draw_border(page, each.fiber, (down, across), MYELIN, 0.9)
        draw_border(page, each.axon, (down, across), AXON, 0.9)
        scale_bar_inside(page, (*across, *down[::-1]), mm, width)
        below = {"textcoords": "offset points", "va": "top", "fontsize": 6, "color": rcParams["axes.labelcolor"]}
        page.annotate(each.said, (x, down[1]), (0, -3), **below)
    save(figure, paths)
