"""The table of a batch: one row per slide, with the numbers of its finished store or the reason why there are none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from axonflow.errors import InputError
from axonflow.fiber.columns import Column
from axonflow.fiber.region_table import UNMYELINATED_COLUMNS, region_table
from axonflow.kernel.documents import shortened
from axonflow.kernel.files import remove
from axonflow.kernel.tally import Tally
from axonflow.results.analysis import open_store
from axonflow.results.batch_table import COLUMNS, SUBJECT_COLUMNS, write_summary
from axonflow.results.cohort.columns import TAKEN
from axonflow.results.report import FIGURES, forget_animals, write_comparison
from axonflow.stages.map import counted_axons
from axonflow.workflow.animals import NOBODY
from axonflow.workflow.batch import Outcome
from axonflow.workflow.job import Job
from axonflow.workflow.manifest import ListedSlide

__all__ = ["COLUMNS", "Numbers", "check_further", "slide_numbers", "summarise", "write_results"]

_AFTER_TISSUE = [column.name for column in COLUMNS].index("confidence")
_AFTER_LEVEL = [column.name for column in COLUMNS].index("level") + 1

Numbers = Mapping[str, Any]
"""Values by column."""


def slide_numbers(job: Job) -> Numbers:
    """Return what a slide's row holds besides slide, store and state.

    Parameters
    ----------
    job : Job
        Whose store is finished.

    Returns
    -------
    Mapping
        Values of :data:`COLUMNS`, from those of the tissue on.
    """
    result = open_store(job.config.out)
    noted = result.record["stages"]["map"]
    tissue = _tissue(job)
    return {
        **tissue,
        "confidence": noted.get("confidence"),
        "unfamiliar_cells": noted.get("unfamiliar_cells"),
        "warnings": "; ".join(map(str, result.warnings)),
    }


def check_further(slides: Sequence[ListedSlide]) -> None:
    """Refuse columns of a list that the tables of results have, too.

    Raises
    ------
    InputError
    """
    for header in slides[0].further if slides else ():
        if header in TAKEN:
            raise InputError(
                f"A name that no column of the results has was expected for a column of the manifest, "
                f"{shortened(header)!r} came; rename it, for instance to 'listed {shortened(header)}'."
            )


def summarise(outcomes: Sequence[Outcome[Numbers]]) -> pd.DataFrame:
    """Put what happened to all slides into a table.

    Parameters
    ----------
    outcomes : sequence of Outcome
        With what :func:`slide_numbers` made of each slide that is done.

    Returns
    -------
    DataFrame
        :data:`COLUMNS`, one row per slide, in order; after ``level`` stand
        :data:`~axonflow.results.batch_table.SUBJECT_COLUMNS` if animals are listed, and further columns of the list.
    """
    rows = [_row(outcome) for outcome in outcomes]
    kinds = {"str": ("object", ""), "int64": ("Int64", None)}  # which know a missing value
    table = {}
    columns = [*COLUMNS]
    if any(UNMYELINATED_COLUMNS[0].name in row for row in rows):
        columns[_AFTER_TISSUE:_AFTER_TISSUE] = UNMYELINATED_COLUMNS
    columns[_AFTER_LEVEL:_AFTER_LEVEL] = _listed(outcomes)
    for column in columns:
        kind, nothing = kinds.get(column.dtype, (column.dtype, None))
        table[column.name] = pd.Series([row.get(column.name, nothing) for row in rows], dtype=kind)
    return pd.DataFrame(table)


def write_results(table: pd.DataFrame, folder: Path) -> list[Path]:
    """Write the table as ``summary.csv``, and tables, figures and report that compare the slides.

    Those of an earlier table are removed where no slide is done.

    Parameters
    ----------
    table : DataFrame
        As :func:`summarise` returned it.
    folder : Path

    Returns
    -------
    list of Path
        What was written.
    """
    summary = write_summary(table, folder)
    if (table["state"] == "done").any():
        return [summary, *write_comparison(table, folder)]
    remove(*(folder / name for name in (*FIGURES, "report.html")))
    forget_animals(folder)
    return [summary]


def _listed(outcomes: Sequence[Outcome[Numbers]]) -> tuple[Column, ...]:
    """Return the columns of what the list says of animals, and of what it says beyond."""
    slides = [outcome.entry.listed for outcome in outcomes]
    further = slides[0].further if slides else {}
    named = any(slide.subject != NOBODY for slide in slides)
    return (*(SUBJECT_COLUMNS if named else ()), *(Column(name, "", "as it was listed", "str") for name in further))


def _row(outcome: Outcome[Numbers]) -> Numbers:
    listed, job = outcome.entry.listed, outcome.entry.job
    return {
        "slide": listed.name,
        "level": listed.level,
        **listed.further,
        "animal": listed.subject.animal,
        "group": listed.subject.group,
        "region": listed.subject.region,
        "exclude": listed.subject.excluded,
        "store": "" if job is None else str(job.config.out.absolute()),
        "state": outcome.state,
        "reason": outcome.reason,
        **(outcome.made or {}),
    }


def _tissue(job: Job) -> dict[str, Any]:
    """Describe a slide as one region of all that counts, from what the stage that mapped it has counted."""
    stage = next(stage for stage in job.stages if stage.name == "map")
    results = job.journal.record(stage).results()
    pixels = np.sum([found["cells.total"].sum(axis=0) for _, found in results], axis=0)
    axons = counted_axons(job.layout, results)
    whole = Tally.of(np.ones(1, np.int64), pixels[None])
    described = region_table(
        whole, [""], lambda: ((np.ones(len(rows), np.int64), rows) for rows in axons()), job.layout.work.pixel_size
    )
    (row,) = described.to_dict("records")
    return {str(name): value for name, value in row.items() if name != "region"}  # which is what the list says
