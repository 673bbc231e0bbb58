"""Single axons near by, each with its outline and its numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from axonflow.results.figures.outline import draw_border
from axonflow.results.figures.overlay import Picture, stretched
from axonflow.results.figures.style import (
    AXON,
    MYELIN,
    PAGE_MM,
    new_figure,
    save,
    scale_bar_inside,
    styled,
)

__all__ = ["CloseUp", "draw_closeups"]

COLUMNS = 6


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
    """Draw axons in rows of six, as wide as a page, to PNG, SVG or PDF files."""
    rows = -(-len(axons) // COLUMNS)
    lines = max(each.said.count("\n") + 1 for each in axons)
    figure = new_figure(PAGE_MM, rows * (30 + 2.8 * lines))
    places = list(figure.subplots(rows, COLUMNS, squeeze=False).flat)
    for axes, each in zip(places, axons, strict=False):
        height, width = each.extent_um
        axes.imshow(stretched(each.grey), cmap="gray", vmin=0, vmax=1, extent=(0, width, height, 0))
        draw_border(axes, each.fiber, each.extent_um, MYELIN, 0.9)
        draw_border(axes, each.axon, each.extent_um, AXON, 0.9)
        axes.set_xlim(0, width)
        axes.set_ylim(height, 0)
        scale_bar_inside(axes, (0, width, height, 0))
        axes.set_xlabel(each.said, fontsize=6, loc="left")
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
    for axes in places[len(axons) :]:
        axes.set_axis_off()
    save(figure, paths)
