"""The numbers of a run that a reader asks for first, in words: on the terminal, in the report, in Python."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from axonflow.fiber.gratio import aggregate_gratio
from axonflow.fiber.kinds import MYELINATED, UNMYELINATED
from axonflow.kernel.words import MISSING, area, count, density, mean_and_spread

__all__ = ["CUTS_SHOW", "headline"]

CUTS_SHOW = 0.05
"""Share of the labels beside the network's windows that hang on the window from which on a summary speaks of it: one
pixel in twenty there, and most of them in the few large axons that two windows see in part."""


class Found(Protocol):
    """What of an :class:`~axonflow.results.analysis.Analysis` is put into words."""

    @property
    def record(self) -> dict[str, Any]: ...
    @property
    def map_arrays(self) -> Mapping[str, NDArray[np.floating[Any]]]: ...
    @property
    def kind_columns(self) -> tuple[str, ...]: ...
    @property
    def axon_count(self) -> int: ...
    @property
    def left_out(self) -> dict[str, int]: ...
    @property
    def missing_myelin(self) -> int: ...
    def counting_numbers(self, kind: str, *columns: str) -> tuple[NDArray[np.float64], ...]: ...
    def left_out_in_words(self, rule: str) -> str: ...


def headline(result: Found) -> dict[str, str]:
    """Return the numbers a reader asks for first, over all that counts, with their units.

    Parameters
    ----------
    result : Analysis

    Returns
    -------
    dict of str to str
        What it is → the number, in words.
    """
    maps = result.map_arrays
    area_mm2, axons = _total(maps, "covered_area"), int(_total(maps, "axon_count"))
    avf, mvf = (_total(maps, name, "covered_area") / area_mm2 if area_mm2 else 0.0 for name in ("avf", "mvf"))
    (diameters,) = result.counting_numbers(MYELINATED, "axon_diam (um)")
    (others,) = result.counting_numbers(UNMYELINATED, "axon_diam (um)") if result.kind_columns else (np.zeros(0),)
    every = len(diameters) + len(others)
    beyond = result.record["stages"]["measure"].get("myelin_px_beyond_reach")
    said = f"of {result.axon_count:,} found" if every != result.axon_count else ""
    if result.kind_columns:
        said = f"myelinated{f'; {said}, of both kinds' if said else ''}"
    numbers = {
        "axons": f"{axons:,}" + (f" ({said})" if said else ""),
        "area": area(area_mm2),
        "density": f"{density(axons / area_mm2)} axons/mm²" if area_mm2 else "–",
        "AVF": f"{avf:.3f}",
        "MVF": f"{mvf:.3f}",
        "g-ratio": f"{aggregate_gratio(avf, mvf):.3f} (aggregate)" if avf and mvf else "–",
        "axon diameter": _spread(diameters),
        "myelin missing": count(result.missing_myelin, "axon"),
    }
    if result.left_out:
        numbers["left out"] = ", ".join(
            f"{result.left_out_in_words(rule)} {_LEFT_OUT.get(rule, f'by {rule}')}" for rule in result.left_out
        )
    if result.kind_columns:
        numbers |= _unmyelinated(others, every, maps, by_network="masks" not in result.record["model"])
    if beyond:
        numbers["left over"] = f"{beyond:,} px of myelin farther from an axon than --max-myelin"
    mapped = result.record["stages"]["map"]
    if compared := result.record["stages"].get("segment.fast"):
        numbers["other labels"] = (
            f"{compared['disagrees']:.1%} of {compared['compared_px']:,} px are not nnU-Net's own (--fast)"
        )
    if (at := (result.record["seams"] or {}).get("neighbours_disagree")) and at >= CUTS_SHOW:
        numbers["cuts"] = f"where windows of the network meet, {at:.0%} of the labels {_said_of_cuts(result)}"
    if mapped.get("confidence") is not None:
        numbers["confidence"] = f"{mapped['confidence']:.3f} (mean of the likeliest class's probability)"
    if mapped.get("unfamiliar_cells"):
        judged = int(np.isfinite(maps["unfamiliar"]).sum())
        which = f"{mapped['unfamiliar_cells']:,} of {judged:,} cells look"
        which = "the one cell that can be judged looks" if judged == 1 else which
        numbers["unfamiliar"] = f"{which} unlike anything the network was trained on; see maps/unfamiliar"
    return numbers


def _said_of_cuts(result: Found) -> str:
    """Say what is, or can be, done about labels that differ where windows meet."""
    if result.record["stages"].get("segment", {}).get("mended"):
        return "were in doubt; those that showed were computed again (--halo mend)"
    return "depend on the window: a large axon may end there in a straight line; run it again with --halo mend"


def _total(maps: Mapping[str, NDArray[Any]], *names: str) -> float:
    """Return the sum over all cells of a map, or of the product of several."""
    return float(np.nansum(np.prod([maps[name] for name in names], axis=0)))


def _spread(diameters: NDArray[np.float64]) -> str:
    n = len(diameters)
    return mean_and_spread(float(diameters.mean()), float(diameters.std()), n, "µm") if n else MISSING


_LEFT_OUT = {
    "frame": "cut by the lower or right side (counting frame)",
    "border": "cut by the border",
    "mask": "outside the mask",
    "myelin": "without myelin",
}
"""What is said of the rules that do not name a measure."""


def _unmyelinated(
    diameters: NDArray[np.float64], every: int, maps: Mapping[str, NDArray[Any]], *, by_network: bool
) -> dict[str, str]:
    """Return the numbers of the axons without myelin, of ``every`` axon that counts."""
    n = len(diameters)
    area_mm2 = _total(maps, "covered_area")
    avf = _total(maps, "unmyelinated_avf", "covered_area") / area_mm2 if area_mm2 else 0.0
    if by_network:
        return {
            "unmyelinated": f"AVF {avf:.3f} (neighbours run together in {count(n, 'object')}: a network cannot count "
            "or measure them one by one)"
        }
    per_mm2 = f"{density(n / area_mm2)} axons/mm²" if area_mm2 else "–"
    return {
        "unmyelinated": f"{count(n, 'axon')}, {per_mm2}, AVF {avf:.3f}",
        "their diameter": _spread(diameters),
        "myelinated": f"{(every - n) / every:.1%} of the axons" if every else "–",
    }
