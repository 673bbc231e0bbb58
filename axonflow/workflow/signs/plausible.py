"""The table of axons → what tells whether they can be axons at all: how round they are, how many have no myelin."""

from __future__ import annotations

from typing import NamedTuple

from axonflow.engine.journal import Record
from axonflow.fiber.kinds import KIND, MYELINATED, UNMYELINATED, of_kind
from axonflow.stages.layout import Layout
from axonflow.stages.map import counted_axons

__all__ = ["Plausibility", "plausibility"]

_AREA, _SOLIDITY, _MYELIN, _DIAMETER = "axon_area (um^2)", "solidity", "myelin_area (um^2)", "axon_diam (um)"


class Plausibility(NamedTuple):
    """What the axons that count look like.

    Attributes
    ----------
    solidity : float or None
        Mean over those of the class axon, each by its area; None if there is none.
    bare : int
        Those of the class axon that have no myelin.
    unmyelinated_um : float or None
        Mean diameter of axons of the class without myelin, µm; None if there is none.
    """

    solidity: float | None
    bare: int
    unmyelinated_um: float | None


def plausibility(layout: Layout, mapped: Record) -> Plausibility:
    """Go through the axons that count.

    Parameters
    ----------
    layout : Layout
    mapped : Record
        Of the stage that makes the maps.
    """
    area = weighed = diameters = 0.0
    bare = without = 0
    kinds = () if layout.classes.unmyelinated is None else (KIND.name,)
    for rows in counted_axons(layout, mapped.results(), (_AREA, _SOLIDITY, _MYELIN, _DIAMETER, *kinds))():
        axons, others = (of_kind(rows, kind) for kind in (MYELINATED, UNMYELINATED))
        sizes = axons[_AREA].to_numpy()
        area += float(sizes.sum())
        weighed += float((sizes * axons[_SOLIDITY].to_numpy()).sum())
        bare += int((axons[_MYELIN].to_numpy() == 0).sum())
        diameters += float(others[_DIAMETER].to_numpy().sum())
        without += len(others)
    return Plausibility(weighed / area if area else None, bare, diameters / without if without else None)
