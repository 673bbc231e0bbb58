"""Where the cells of maps end, which of them show anything, and which decide the colours of all.

The last cells of a row and of a column end with the slide, and a mask may leave a part of any. Such a rest is drawn as
large as it is. Where less than half of a cell counts, its few axons say little of the tissue: it decides no colours, no
arrows and no height of a curve, and is faded and hatched wherever it is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from axonflow.fiber.maps import FEWEST_CELLS, is_whole
from axonflow.kernel.words import count, length

__all__ = [
    "CUT_FROM",
    "Ends",
    "Range",
    "colour_range",
    "edges_um",
    "few",
    "few_cells",
    "has_tissue",
    "is_whole",
    "numbered",
    "percentiles",
    "shown",
    "with_bounds",
]

Floats = NDArray[np.float64]

Ends = Literal["neither", "min", "max", "both"]
"""Of a range, beyond which there are values."""

PERCENTILES = (1.0, 99.0)

CUT_FROM = 101
"""Cells from which on colours end at percentiles; of fewer, the limits are the least and the largest value."""

NOT_OF_TISSUE = frozenset(("covered_area", "covered_fraction", "confidence", "unfamiliar"))
"""Maps that say something of a cell without tissue, too."""


class Range(NamedTuple):
    """The values in the first and in the last colour, and beyond which of them cells lie that count for the colours."""

    low: float
    high: float
    beyond: Ends


def edges_um(maps: xr.Dataset, axis: str) -> Floats:
    """Return the edges of the cells along an axis, µm from the slide's corner, the slide's end included.

    They follow from the centres, as the first edge is 0 and every centre lies in the middle between two.
    """
    centres = maps[axis].to_numpy().astype(np.float64)
    signs = np.where(np.arange(len(centres)) % 2, -1.0, 1.0)
    edges: Floats = np.r_[0.0, 2 * signs * np.cumsum(signs * centres)]
    return edges


def with_bounds(maps: xr.Dataset) -> xr.Dataset:
    """Return the maps with the two edges of each cell beside its centre, as the CF conventions have it."""
    bounds, attributes = {}, {}
    for axis in "yx":
        edges = edges_um(maps, axis)
        bounds[f"{axis}_bounds"] = ((axis, "bounds"), np.stack([edges[:-1], edges[1:]], axis=1))
        attributes[axis] = maps[axis].assign_attrs(bounds=f"{axis}_bounds")
    return maps.assign_coords(attributes).assign(bounds)


def has_tissue(maps: xr.Dataset) -> NDArray[np.bool_]:
    """Tell in which cells any pixel is axon or myelin, (y, x)."""
    names = [name for name in ("avf", "mvf", "unmyelinated_avf") if name in maps]
    found: NDArray[np.bool_] = np.sum([np.nan_to_num(maps[name].to_numpy()) for name in names], axis=0) > 0
    return found


def shown(maps: xr.Dataset, name: str) -> Floats:
    """Return the values of a map that are drawn, (y, x): NaN where there is no tissue, as beside a cord.

    Those of the network's doubt, and of what counts, are drawn everywhere.
    """
    values: Floats = maps[name].to_numpy()
    return values if name in NOT_OF_TISSUE else np.where(has_tissue(maps), values, np.nan)


def numbered(maps: xr.Dataset) -> NDArray[np.bool_]:
    """Tell which cells would have numbers written into them, (y, x): those of which half counts, or all that do."""
    whole = is_whole(maps)
    return whole if whole.any() else maps["covered_area"].to_numpy() > 0


def few(maps: xr.Dataset) -> bool:
    """Tell whether so few whole cells count that their numbers are written into them."""
    return 0 < int(numbered(maps).sum()) < FEWEST_CELLS


def few_cells(maps: xr.Dataset) -> str:
    """Say that there are few whole cells; whether smaller ones would serve, the run's warning says."""
    n, side = int(is_whole(maps).sum()), length(float(maps.attrs["cell_side_um"]))
    return f"{count(n, 'whole cell')} of {side}: fewer than {FEWEST_CELLS} show nothing of where tissue differs"


def colour_range(slides: Sequence[xr.Dataset], name: str) -> Range:
    """Return one range of colours for a map of several slides.

    It runs between the 1st and the 99th percentile of the cells that count for it, which are values of cells; of
    fewer than :data:`CUT_FROM`, between the least and the largest, and nothing is cut off. If none counts, all that are
    drawn do. 0 to 1 if nothing is drawn; of one value alone, both ends are that value.
    """
    drawn = [shown(maps, name) for maps in slides]
    counting = np.concatenate([values[is_whole(maps)] for values, maps in zip(drawn, slides, strict=True)])
    if not np.isfinite(counting).any():
        counting = np.concatenate([values.ravel() for values in drawn])
    counting = counting[np.isfinite(counting)]
    if counting.size == 0:
        return Range(0.0, 1.0, "neither")
    low, high = percentiles(counting)
    below, above = counting.min() < low, counting.max() > high
    return Range(low, high, ("both" if above else "min") if below else ("max" if above else "neither"))


def percentiles(values: Floats) -> tuple[float, float]:
    """Return the 1st and the 99th percentile, each a value that is there; the ends of fewer than :data:`CUT_FROM`."""
    if len(values) < CUT_FROM:
        return float(values.min()), float(values.max())
    low, high = PERCENTILES
    return float(np.percentile(values, low, method="lower")), float(np.percentile(values, high, method="higher"))
