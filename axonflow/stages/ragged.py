"""The table of axons → how round those that count are; what a network takes for axons where it is lost is ragged."""

from __future__ import annotations

from axonflow.engine.journal import Record
from axonflow.fiber.kinds import KIND, MYELINATED, of_kind
from axonflow.stages.layout import Layout
from axonflow.stages.map import counted_axons

__all__ = ["mean_solidity"]

_AREA, _SOLIDITY = "axon_area (um^2)", "solidity"


def mean_solidity(layout: Layout, mapped: Record) -> float | None:
    """Return the mean solidity of the axons that count and have myelin, each by its area; None if there is none.

    Parameters
    ----------
    layout : Layout
    mapped : Record
        Of the stage that makes the maps.
    """
    area = weighed = 0.0
    kinds = () if layout.classes.unmyelinated is None else (KIND.name,)
    for rows in counted_axons(layout, mapped.results(), (_AREA, _SOLIDITY, *kinds))():
        judged = of_kind(rows, MYELINATED)  # those without are ragged in good images, too
        sizes = judged[_AREA].to_numpy()
        area += float(sizes.sum())
        weighed += float((sizes * judged[_SOLIDITY].to_numpy()).sum())
    return weighed / area if area else None
