"""Numbers as a person reads them; a name with a number and what it means is a fact."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

__all__ = ["TISSUE", "Fact", "area", "count", "length", "memory", "number", "share", "size"]

MISSING = "–"

TISSUE = {
    "area (mm^2)": ("area, mm²", ".4g"),
    "axon_count": ("axons", ",.0f"),
    "axon_density (mm^-2)": ("per mm²", ",.0f"),
    "avf": ("AVF", ".3f"),
    "mvf": ("MVF", ".3f"),
    "gratio_aggregate": ("g-ratio", ".3f"),
    "axon_diam_mean (um)": ("diameter, µm", ".2f"),
    "axon_diam_std (um)": ("SD", ".2f"),
    "axon_diam_p50 (um)": ("median", ".2f"),
    "axon_diam_p95 (um)": ("95 %", ".2f"),
}
"""Columns that the tables of regions and of slides have in common and a report shows, how headed and how written."""


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


def count(n: float, one: str = "", many: str = "") -> str:
    """Return a whole number with commas, and what is counted: ``1 axon``, ``1,234 axons``."""
    return f"{n:,.0f} {one if n == 1 else many or one + 's'}" if one else f"{n:,.0f}"


def number(value: float | None, form: str, unit: str = "") -> str:
    """Return a number in a format, with its unit; a dash if it is not known."""
    if value is None or not isfinite(value):
        return MISSING
    return f"{value:{form}} {unit}".rstrip()


def share(part: float) -> str:
    """Return a part of 1 in per cent, with two digits that say something."""
    if not isfinite(part):
        return MISSING
    if 0 < part < 0.0001:
        return "less than 0.01\N{NO-BREAK SPACE}%"
    return (f"{100 * part:.2g}" if part < 0.1 else f"{100 * part:.0f}") + "\N{NO-BREAK SPACE}%"


def length(um: float) -> str:
    """Return a length in µm or mm."""
    return f"{um / 1000:.3g} mm" if um >= 1000 else f"{um:.3g} µm"


def size(height_um: float, width_um: float) -> str:
    """Return a height and a width in one unit."""
    if max(height_um, width_um) >= 1000:
        return f"{height_um / 1000:.3g} × {width_um / 1000:.3g} mm"
    return f"{height_um:.3g} × {width_um:.3g} µm"


def area(mm2: float) -> str:
    """Return an area in mm² or µm²."""
    return f"{mm2:.3g} mm²" if mm2 >= 0.001 or mm2 == 0 else f"{mm2 * 1e6:.3g} µm²"


def memory(bytes_: float) -> str:
    """Return an amount of memory."""
    return f"{bytes_ / 2**30:.2g} GiB" if bytes_ >= 2**30 else f"{bytes_ / 2**20:.0f} MiB"
