"""What a paper would say of a result, as one paragraph to copy: what was done, with what, to how many, what came."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from axonflow.fiber import kinds
from axonflow.fiber.gratio import aggregate_gratio
from axonflow.fiber.tissue import DIAMETER, GRATIO, MYELIN_AREA
from axonflow.kernel.words import area, count, density, length, mean_and_spread, number, outside, size
from axonflow.results.analysis import Analysis

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["analysed_on", "in_a_paper"]

_DIAMETERS = {"circle": "of the circle of equal area", "ellipse": "short axis of the ellipse of equal moments"}

MONTHS = ("Jan.", "Feb.", "March", "April", "May", "June", "July", "Aug.", "Sept.", "Oct.", "Nov.", "Dec.")
"""As English has them, whatever the locale is."""


def analysed_on(result: Analysis) -> str:
    """Return the day on which the run ended, as the record has it; nothing of a store that does not tell."""
    try:
        day = datetime.fromisoformat(result.record["analysed"])
    except (KeyError, ValueError):
        return ""
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def in_a_paper(result: Analysis, axons: pd.DataFrame) -> str:
    """Return the paragraph.

    Parameters
    ----------
    result : Analysis
    axons : DataFrame
        Those that count, of both kinds.
    """
    record = result.record
    slide = record["slide"]
    sides = (n * um for n, um in zip(slide["shape"], slide["pixel_size_um"], strict=True))
    um = _pixel(slide["pixel_size_um"])
    version = record["versions"].get("axonflow-histology")
    program = f"axonflow {version}" if version else "axonflow"
    said = [f"{Path(slide['path']).name} ({size(*sides)}, {um}) was analysed with {program}{_when(result)}."]
    said += [_segmented(result)]
    said += _found(result, kinds.of_kind(axons, kinds.MYELINATED))
    if result.kind_columns:
        said += [_unmyelinated(result, axons)]
    said += [f"Maps were made in cells of {length(float(result.maps.attrs['cell_side_um']))}."]
    return " ".join(said)


def _when(result: Analysis) -> str:
    day = analysed_on(result)
    return f" on {day}" if day else ""


def _segmented(result: Analysis) -> str:
    """Say what found axons and myelin, and what was left out."""
    record = result.record
    made_by, least = record["model"], record["labels"].get("min_axon_area_um2")
    smallest = f"; what is smaller than {least:g} µm² was not taken for an axon" if least else ""
    within = "" if record["config"]["mask"] is None else " within a mask"
    if "masks" in made_by:
        return f"Axons and myelin were segmented by hand or by another program{within}{smallest}."
    weights = f", {made_by['precision']}" if made_by.get("precision") else ""
    weights += f", sha256 {made_by['sha256'][:12]}" if made_by.get("sha256") else ""
    pixel = _pixel(record["labels"]["pixel_size_um"])
    return (
        f"Axons and myelin were segmented{within} by the neural network {made_by['name']} ({pixel}{weights}){smallest}."
    )


def _found(result: Analysis, axons: pd.DataFrame) -> list[str]:
    """Say how many there are, and their numbers."""
    maps = result.maps
    mm2, n = float(maps["covered_area"].sum()), len(axons)
    which = "myelinated axons" if result.kind_columns else "axons"
    if not n or not mm2:
        return [f"No {which} were found in {area(mm2)}."]
    diameters, own = axons[DIAMETER], axons[MYELIN_AREA] > 0
    gratios = axons[GRATIO][own]
    avf, mvf = (float(np.nansum(maps[name] * maps["covered_area"])) / mm2 for name in ("avf", "mvf"))
    said = [*_left_out(result)]
    said += [
        f"In {area(mm2)}, n = {n:,} {which} were measured ({density(n / mm2)} per mm²).",
        f"Their diameter ({_DIAMETERS[result.record['config'].get('axon_shape', 'circle')]}) was "
        f"{mean_and_spread(diameters.mean(), diameters.std(ddof=0), n, 'µm')} (mean ± SD; "
        f"median {number(float(diameters.median()), '.2f', 'µm')}).",
    ]
    if len(gratios):
        said.append(
            f"The g-ratio of the n = {len(gratios):,} with myelin was {gratios.mean():.3f} ± "
            f"{gratios.std(ddof=0):.3f}; the aggregate g-ratio was {number(aggregate_gratio(avf, mvf), '.3f')}."
        )
    said.append(f"The axon volume fraction was {avf:.3f}, the myelin volume fraction {mvf:.3f}.")
    return said


def _unmyelinated(result: Analysis, axons: pd.DataFrame) -> str:
    """Say what part axons without myelin have: of a network, which sees neighbours run together, by area alone."""
    if "masks" in result.record["model"]:
        n = len(kinds.of_kind(axons, kinds.UNMYELINATED))
        return f"Of {count(len(axons), 'axon')}, {n:,} were unmyelinated; they are in none of the numbers above."
    maps = result.maps
    mm2 = float(maps["covered_area"].sum())
    avf = float(np.nansum(maps["unmyelinated_avf"] * maps["covered_area"])) / mm2 if mm2 else 0.0
    return f"Unmyelinated axons, a volume fraction of {avf:.3f}, are in none of the numbers above and were not counted."


_JUDGED = {
    "area": ("an area", "µm²"),
    "diameter": ("a diameter", "µm"),
    "solidity": ("a solidity", ""),
    "eccentricity": ("an eccentricity", ""),
    "gratio": ("a g-ratio", ""),
    "probability": ("a mean probability by the network", ""),
}
"""Rules that bound a quantity: what it is called, and its unit."""


def _left_out(result: Analysis) -> Iterator[str]:
    """Say how many axons each rule left out: n is not what is seen in the pictures."""
    for rule, n in result.left_out.items():
        axons = f"{result.left_out_in_words(rule)} {'was' if n == 1 else 'were'} not counted: "
        if rule == "frame":
            yield f"{axons}cut by the slide's lower or right side (counting frame)."
        elif rule == "border":
            yield f"{axons}cut by the slide's border."
        elif rule == "mask":
            yield f"{axons}they lie outside the mask."
        elif rule == "myelin":
            yield f"{axons}no myelin of theirs was found."
        else:
            what, unit = _JUDGED[rule]
            low, high = result.record["rules"][rule]
            yield f"{axons}{what} {outside(low, high, unit)}."


def _pixel(um: list[float]) -> str:
    sides = f"{um[0]:.4g}" if um[0] == um[1] else f"{um[0]:.4g} × {um[1]:.4g}"
    return f"{sides} µm per pixel"
