"""Block sums in some bands across a slide → how coarse what counts there is."""

from __future__ import annotations

from axonflow.kernel.grid import Box
from axonflow.net.coarseness import square_coarseness
from axonflow.net.familiarity import BLOCK, SQUARE, centres
from axonflow.stages.annotation import Coverage
from axonflow.stages.layout import Layout

__all__ = ["coarseness"]

_BANDS = 32
"""A slide of more rows of squares is judged by so many, spread evenly."""


def coarseness(layout: Layout, coverage: Coverage) -> list[float]:
    """Return how coarse the squares that count are, of up to 32 rows of them.

    Parameters
    ----------
    layout : Layout
    coverage : Coverage
        What counts: blocks whose central pixel does.
    """
    (h, w), side = layout.work.shape, SQUARE * BLOCK
    bands = -(-h // side)
    found: list[float] = []
    for band in sorted({bands * k // _BANDS for k in range(_BANDS)}):
        box = Box(band * side, 0, min((band + 1) * side, h), w)
        covered = coverage.cover(box)[centres(box.shape[0])][:, centres(w)]
        found += square_coarseness(layout.traits.read(box), box.shape, covered)
    return found
