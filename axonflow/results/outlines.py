"""What the user drew over the slide, coarse: the mask, and the regions by their names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axonflow.errors import AxonflowError
from axonflow.kernel.grid import Box
from axonflow.kernel.units import PixelSize
from axonflow.results.analysis import Analysis
from axonflow.results.cells import edges_um
from axonflow.results.figures.outline import Outlines
from axonflow.stages.annotation import open_annotation, open_regions
from axonflow.stages.layout import Frame

__all__ = ["covered_pixels", "drawn_over", "region_pixels"]

Pixels = NDArray[np.bool_]

LONGEST_PX = 800
"""Side of the grid on which borders are found, at most."""


def drawn_over(result: Analysis, longest: int = LONGEST_PX) -> Outlines:
    """Return what the user drew over the slide, on a grid of the slide's form of which no side is longer."""
    sides = result.record["slide"]["shape"]
    h, w = (max(round(n * min(longest / max(sides), 1.0)), 1) for n in sides)
    return Outlines(covered_pixels(result, (h, w)), region_pixels(result, (h, w)))


def covered_pixels(result: Analysis, shape: tuple[int, int]) -> Pixels | None:
    """Return which pixels count, on a coarse grid of about this shape; None if the slide has no mask.

    The mask is read from its file. Where that is gone, or the grid is coarser than µm can tell, the cells of the maps
    of which half counts are taken.
    """
    config = result.record["config"]
    if config["mask"] is None:
        return None
    frames = _frames(result, shape)
    if frames is not None:
        try:
            mask = open_annotation(Path(config["mask"]), config.get("mask_unit", "px"), *frames)
            return mask.cover(Box.whole(shape))
        except (AxonflowError, OSError):
            pass
    maps = result.maps
    edges = [edges_um(maps, axis) for axis in "yx"]
    rows, columns = (
        np.searchsorted(ends, (np.arange(n) + 0.5) / n * ends[-1], side="right") - 1
        for ends, n in zip(edges, shape, strict=True)
    )
    there_mm2 = np.outer(*map(np.diff, edges)) / 1e6
    covered: Pixels = (maps["covered_area"].to_numpy() >= 0.5 * there_mm2)[np.ix_(rows, columns)]
    return covered


def region_pixels(result: Analysis, shape: tuple[int, int]) -> dict[str, Pixels]:
    """Return the pixels of each region on a coarse grid; nothing where they cannot be read any more."""
    config = result.record["config"]
    frames = _frames(result, shape)
    if config.get("regions") is None or frames is None:
        return {}
    try:
        regions = open_regions(Path(config["regions"]), config.get("regions_unit", "px"), *frames)
        numbers = regions.label(Box.whole(shape))
    except (AxonflowError, OSError):
        return {}
    names = regions.names
    found = [int(n) for n in np.unique(numbers) if n]
    return {names[n - 1] if n <= len(names) else str(n): numbers == n for n in found}


def _frames(result: Analysis, shape: tuple[int, int]) -> tuple[Frame, Frame, int] | None:
    """Return the slide's pixels and the coarse ones, if those are of a size that is ever drawn in.

    The rows of an info bar that was left out below the slide are the last.
    """
    slide: dict[str, Any] = result.record["slide"]
    sides = [um * n / m for um, n, m in zip(slide["pixel_size_um"], slide["shape"], shape, strict=True)]
    if not PixelSize.plausible(*sides):
        return None
    h, w = slide["shape"]
    bar = slide.get("info_bar")
    below = bar["rows"] if bar and not bar["kept"] else 0
    return Frame((h, w), PixelSize(*slide["pixel_size_um"])), Frame(shape, PixelSize(*sides)), below
