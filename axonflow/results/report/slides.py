"""A batch → the figures that compare its slides, and the report that shows them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from axonflow.errors import StoreError
from axonflow.fiber.kinds import MYELINATED, of_kind
from axonflow.fiber.tissue import DIAMETER, GRATIO, MYELIN_AREA
from axonflow.kernel.words import area, count, density, number
from axonflow.results.analysis import open_store
from axonflow.results.batch_table import read_summary
from axonflow.results.cohort import gather
from axonflow.results.report.animals import ANIMALS, forget_animals, write_animals
from axonflow.results.report.page import vector, write_page
from axonflow.results.report.trust import expected_errors
from axonflow.results.report.words import TISSUE, UNMYELINATED, Fact

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FIGURES", "write_batch_report", "write_comparison"]

FIGURES = ("maps.png", "maps.svg", "distributions.png", "distributions.svg")

NUMBERS = TISSUE | UNMYELINATED | {"confidence": ("confidence", ".3f")}
"""Columns of the summary that the report shows if they are there, how they are headed and written."""

ROOM_FOR = 7
"""Slides whose maps fit the width of a page; more are laid across it."""


def write_batch_report(folder: Path) -> Path:
    """Write the report of a batch once more, with its figures, from its ``summary.csv`` and its stores.

    Raises
    ------
    StoreError
        If it is no folder of a batch, or no slide of it is done.
    """
    table = read_summary(folder)
    if not (table["state"] == "done").any():
        raise StoreError(f"A slide that is done was expected in {folder}, but all have failed; run the batch again.")
    *_, report = write_comparison(table, folder)
    return report


def write_comparison(table: pd.DataFrame, folder: Path) -> list[Path]:
    """Draw the maps and the distributions of all slides that are done, and write the report that compares them.

    If the slides are listed with animals, these are compared, too: in tables, figures, and a part of the report.

    Parameters
    ----------
    table : DataFrame
        As :func:`axonflow.results.summary.summarise` returned it; at least one slide is done.
    folder : Path

    Returns
    -------
    list of Path
        What was written: :data:`FIGURES`, the folder of animals if they are listed, and last ``report.html``.
    """
    from axonflow.results.figures import MapOf, draw_levels, draw_spreads
    from axonflow.results.outlines import drawn_over

    titles = [level or Path(name).stem for level, name in zip(table["level"], table["slide"], strict=True)]
    stores = [
        Path(store) if done else None for store, done in zip(table["store"], table["state"] == "done", strict=True)
    ]
    results = [open_store(store) if store else None for store in stores]
    levels = [
        MapOf(title, result.maps, drawn_over(result)) if result else MapOf(title, None)
        for title, result in zip(titles, results, strict=True)
    ]
    draw_levels(levels, [folder / name for name in FIGURES[:2]], dpi=200)
    spreads = [(title, *_spread(store)) for title, store in zip(titles, stores, strict=True) if store]
    draw_spreads(spreads, [folder / name for name in FIGURES[2:]])
    written, animals = [folder / name for name in FIGURES], None
    if (cohort := gather(table)) is None:
        forget_animals(folder)
    else:
        animals = write_animals(cohort, folder)
        written.append(folder / ANIMALS)
    errors = [*dict.fromkeys(said for result in results if result and (said := expected_errors(result)))]
    report = folder / "report.html"
    write_page(report, "slides.html", _content(table, titles, folder) | {"animals": animals, "errors": errors})
    return [*written, report]


def _spread(store: Path) -> tuple[np.ndarray[Any, np.dtype[np.float64]], np.ndarray[Any, np.dtype[np.float64]]]:
    """Return the diameters of a slide's axons, and the g-ratios of those with myelin."""
    from axonflow.results.report.drawing import myelinated

    result = open_store(store)
    axons = of_kind(result.counted_fibers([DIAMETER, GRATIO, MYELIN_AREA, *result.kind_columns]), MYELINATED)
    return axons[DIAMETER].to_numpy(), myelinated(axons)[GRATIO].to_numpy()


def _content(table: pd.DataFrame, titles: list[str], folder: Path) -> dict[str, Any]:
    done = table[table["state"] == "done"]
    shown = {name: said for name, said in NUMBERS.items() if name in table or name not in UNMYELINATED}
    rows = [
        (
            title,
            Path(row["slide"]).name,
            None if row["state"] == "failed" else [number(row[name], form) for name, (_, form) in shown.items()],
            _report_beside(row["store"], folder),
        )
        for title, row in zip(titles, table.to_dict("records"), strict=True)
    ]
    told = [
        (title, row[what])
        for what in ("reason", "warnings")
        for title, row in zip(titles, table.to_dict("records"), strict=True)
        if row[what]
    ]
    found = done["axon_density (mm^-2)"].dropna()
    between = f"{density(found.min())} to {density(found.max())} axons per mm²" if len(found) else "nothing counts"
    return {
        "title": folder.resolve().name,
        "subtitle": f"{count(len(table), 'slide')} compared",
        "numbers": [
            Fact("slides", count(len(done)), f"of {len(table)} are done"),
            Fact("axons", count(float(done["axon_count"].sum())), f"in {area(float(done['area (mm^2)'].sum()))}"),
            Fact("median density", density(float(found.median()) if len(found) else None), between),
        ],
        "head": [title for title, _ in shown.values()],
        "rows": rows,
        "told": told,
        "maps": vector(folder / "maps.svg"),
        "distributions": vector(folder / "distributions.svg"),
        "across": len(done) > ROOM_FOR,
    }


def _report_beside(store: str, folder: Path) -> str | None:
    """Return where the report of a slide lies, seen from the folder, if it is there."""
    if not store or not (Path(store) / "report.html").exists():
        return None
    return Path(os.path.relpath(Path(store) / "report.html", folder.resolve())).as_posix()
