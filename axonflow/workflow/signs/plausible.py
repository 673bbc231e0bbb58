"""The table of axons → what tells whether they can be axons: how round, how often without myelin, how large."""

from __future__ import annotations

from typing import NamedTuple

from axonflow.engine.journal import Record
from axonflow.fiber.kinds import KIND, MYELINATED, UNMYELINATED, of_kind
from axonflow.stages.layout import Layout
from axonflow.stages.map import counted_axons

__all__ = ["SPECK_PX", "Plausibility", "plausibility"]

SPECK_PX = 4
"""Pixels up to which an axon is taken for a speck: nothing can be measured of it."""

_AREA, _SOLIDITY, _MYELIN, _DIAMETER = "axon_area (um^2)", "solidity", "myelin_area (um^2)", "axon_diam (um)"
_CUT = "image_border_touching"


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
    specks : (int, int)
        Those of :data:`SPECK_PX` or fewer, of the class axon, and of the class without myelin; what is left of one that
        the slide's border cuts is none.
    """

    solidity: float | None
    bare: int
    unmyelinated_um: float | None
    specks: tuple[int, int]


def plausibility(layout: Layout, mapped: Record) -> Plausibility:
    """Go through the axons that count.

    Parameters
    ----------
    layout : Layout
    mapped : Record
        Of the stage that makes the maps.
    """
    area = weighed = diameters = 0.0
    bare = without = specks = other_specks = 0
    speck_um2 = (SPECK_PX + 0.5) * layout.work.pixel_size.area_um2
    kinds = () if layout.classes.unmyelinated is None else (KIND.name,)
    for rows in counted_axons(layout, mapped.results(), (_AREA, _SOLIDITY, _MYELIN, _DIAMETER, _CUT, *kinds))():
        axons, others = (of_kind(rows, kind) for kind in (MYELINATED, UNMYELINATED))
        sizes = axons[_AREA].to_numpy()
        area += float(sizes.sum())
        weighed += float((sizes * axons[_SOLIDITY].to_numpy()).sum())
        bare += int((axons[_MYELIN].to_numpy() == 0).sum())
        diameters += float(others[_DIAMETER].to_numpy().sum())
        without += len(others)
        small, other_small = ((of[_AREA] < speck_um2) & ~of[_CUT] for of in (axons, others))
        specks, other_specks = specks + int(small.sum()), other_specks + int(other_small.sum())
    solidity, diameter = weighed / area if area else None, diameters / without if without else None
    return Plausibility(solidity, bare, diameter, (specks, other_specks))
