"""Axons with myelin and without: how the table of axons names the two kinds, and rows of one of them.

Only tables of slides whose classes have axons without myelin tell them apart. In any other all are of the class axon,
and count as myelinated here, even where no myelin was found about one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from axonflow.fiber.columns import Column
from axonflow.kernel.tally import Ints

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["KIND", "MYELINATED", "OF_MYELIN", "UNMYELINATED", "Counting", "counting_kind", "of_kind"]

Counting = Callable[[], Iterable[tuple[Ints, "pd.DataFrame"]]]
"""Goes through the axons that count, some rows of their table after others: where each counts, and the rows."""

MYELINATED, UNMYELINATED = "myelinated", "unmyelinated"

KIND = Column(
    "kind",
    "",
    "myelinated, or unmyelinated, by the class of its pixels; only where the classes have axons without myelin",
    "str",
)
"""A column of a table that tells the kinds apart."""

OF_MYELIN = (
    "gratio",
    "myelin_area (um^2)",
    "myelin_thickness (um)",
    "axonmyelin_area (um^2)",
    "axonmyelin_perimeter (um)",
    "fiber_eccentricity",
    "fiber_orientation",
    "fiber_solidity",
)
"""The columns that are empty in the rows of axons without myelin."""


def of_kind(table: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Return the rows of one kind."""
    if KIND.name in table:
        return table[table[KIND.name] == kind]
    return table if kind == MYELINATED else table.iloc[:0]


def counting_kind(counting: Counting, kind: str) -> Counting:
    """Return what goes through the axons of one kind."""

    def of_one() -> Iterator[tuple[Ints, pd.DataFrame]]:
        for part, rows in counting():
            if KIND.name in rows:
                there = (rows[KIND.name] == kind).to_numpy()
                yield part[there], rows[there]
            elif kind == MYELINATED:
                yield part, rows

    return of_one
