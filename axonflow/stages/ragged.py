"""The table of axons → how round those that count are; what a network takes for axons where it is lost is ragged."""

from __future__ import annotations

from axonflow.engine.journal import Record
from axonflow.stages.layout import Layout
from axonflow.stages.map import counted_axons

__all__ = ["mean_solidity"]

_AREA, _SOLIDITY = "axon_area (um^2)", "solidity"


def mean_solidity(layout: Layout, mapped: Record) -> float | None:
    """Return the mean solidity of the axons that count, each by its area; None if there is none.

    Parameters
    ----------
    layout : Layout
    mapped : Record
        Of the stage that makes the maps.
    """
    area = weighed = 0.0
    for rows in counted_axons(layout, mapped.results(), (_AREA, _SOLIDITY))():
        sizes = rows[_AREA].to_numpy()
        area += float(sizes.sum())
        weighed += float((sizes * rows[_SOLIDITY].to_numpy()).sum())
    return weighed / area if area else None
