"""What a report says: a name with a number and what it means is a fact; and the columns that its tables show."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["TISSUE", "UNMYELINATED", "Fact"]

TISSUE = {
    "area (mm^2)": ("area, mm²", ".4g"),
    "axon_count": ("axons", ",.0f"),
    "axon_density (mm^-2)": ("axons per mm²", ",.0f"),
    "avf": ("AVF", ".3f"),
    "mvf": ("MVF", ".3f"),
    "gratio_aggregate": ("aggregate g-ratio", ".3f"),
    "axon_diam_mean (um)": ("mean diameter, µm", ".2f"),
    "axon_diam_std (um)": ("SD of diameter, µm", ".2f"),
    "axon_diam_p50 (um)": ("median diameter, µm", ".2f"),
    "axon_diam_p95 (um)": ("95th percentile of diameter, µm", ".2f"),
}
"""Columns that the tables of regions and of slides have in common and a report shows, how headed and how written."""

UNMYELINATED = {
    "unmyelinated_count": ("unmyelinated", ",.0f"),
    "unmyelinated_density (mm^-2)": ("unmyelinated per mm²", ",.0f"),
    "unmyelinated_avf": ("their AVF", ".3f"),
    "unmyelinated_diam_mean (um)": ("their mean diameter, µm", ".2f"),
    "myelinated_fraction": ("myelinated, of all axons", ".1%"),
}
"""Those that stand beside them where the classes have axons without myelin."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A number with its name.

    Attributes
    ----------
    name, value : str
    note : str
        What it means, or where it comes from.
    """

    name: str
    value: str
    note: str = ""
