"""Maps for a paper: those that are asked for, of one store or of several side by side, at the width of a journal."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from axonflow.errors import InputError
from axonflow.kernel.words import length
from axonflow.results.analysis import Analysis

__all__ = ["cells_that_differ", "draw_figure", "width_in_mm"]

SHORT = {"diameter": "axon_diameter_mean", "density": "axon_density", "gratio": "gratio_aggregate"}
"""What maps are called for short."""

ENDINGS = (".svg", ".pdf", ".png")

_UNITS = {"mm": 1.0, "cm": 10.0, "in": 25.4}
_NARROWEST_MM, _WIDEST_MM = 30.0, 1000.0


def draw_figure(
    results: Sequence[Analysis], maps: Sequence[str] = (), width_mm: float = 180.0, out: Path | None = None
) -> list[Path]:
    """Draw maps as SVG, PDF and PNG.

    The maps of several stores stand side by side, on the same limits of colours and in one scale of length. Text can be
    edited: a PDF holds it with its font, an SVG as letters.

    Parameters
    ----------
    results : sequence of Analysis
        From left to right.
    maps : sequence of str
        Their names, in order, or ``diameter``, ``density`` and ``gratio``; the six of the paper if none is given.
    width_mm : float
    out : Path, optional
        Where to write, the ending aside; beside the first store, named after it, when left out.

    Returns
    -------
    list of Path
        The three files.

    Raises
    ------
    InputError
        If there is no such map, or the files cannot be written.
    """
    from axonflow.results.figures import PANELS, MapOf, draw_levels, draw_maps
    from axonflow.results.figures.style import COLOURS, DOUBT
    from axonflow.results.outlines import drawn_over

    there = {str(name): None for result in results for name in result.maps}
    names = [SHORT.get(name, name) for name in maps] or [name for name, _ in PANELS]
    if unknown := [name for name in names if name not in there]:
        raise InputError(
            f"--maps was expected to name some of {', '.join([*SHORT, *there])}, {', '.join(unknown)} came."
        )
    if out is not None and out.suffix.lower() in ENDINGS:
        out = out.with_suffix("")
    first = results[0].store.resolve()
    out = out or first.with_name(first.name.removesuffix(".zarr").removesuffix(".ome") + "_figure")
    paths = [out.with_name(out.name + ending) for ending in ENDINGS]
    panels = [(name, dict((DOUBT,)).get(name, COLOURS)) for name in names]
    try:
        if len(results) == 1:
            (result,) = results
            draw_maps(result.maps, paths, drawn_over(result), panels=panels, width_mm=width_mm, letters="none")
        else:
            titled = [MapOf(_name(result), result.maps, drawn_over(result)) for result in results]
            draw_levels(titled, paths, panels=panels, width_mm=width_mm, letters="none")
    except OSError as error:
        raise InputError(
            f"A file that can be written was expected at {paths[0]}, but: {error.strerror or error}; give "
            "another with --out."
        ) from error
    return paths


def cells_that_differ(results: Sequence[Analysis]) -> str:
    """Say of which sizes the cells of several stores are; nothing if all are alike."""
    sides = [float(result.maps.attrs["cell_side_um"]) for result in results]
    if len({*sides}) < 2:
        return ""
    each = (f"{_name(result)} {length(side)}" for result, side in zip(results, sides, strict=True))
    return f"sizes of cells differ: {', '.join(each)}; the smaller they are, the more their values scatter"


def _name(result: Analysis) -> str:
    return result.store.resolve().name.removesuffix(".ome.zarr")


def width_in_mm(text: str) -> float:
    """Read a width such as ``180mm``, ``18cm`` or ``7in``; a number alone is of mm.

    Raises
    ------
    InputError
        If it is none, or of no page.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*(mm|cm|in)?\s*", text)
    width = float(found[1]) * _UNITS[found[2] or "mm"] if found else 0.0
    if not _NARROWEST_MM <= width <= _WIDEST_MM:
        raise InputError(
            f"--width was expected from {_NARROWEST_MM:g}mm to {_WIDEST_MM:g}mm, such as 85mm, 180mm or 7in, "
            f"{text!r} came."
        )
    return width
