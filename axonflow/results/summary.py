"""The table of a batch: one row per slide, with the numbers of its finished store or the reason why there are none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from axonflow.fiber.columns import Column, for_csv
from axonflow.fiber.region_table import HISTOGRAM, REGION_COLUMNS, UNMYELINATED_COLUMNS, region_table
from axonflow.kernel.files import remove, write_file
from axonflow.kernel.tally import Tally
from axonflow.results.analysis import open_store
from axonflow.results.report import FIGURES, write_comparison
from axonflow.stages.map import counted_axons
from axonflow.workflow.batch import Outcome
from axonflow.workflow.job import Job

__all__ = ["COLUMNS", "Numbers", "slide_numbers", "summarise", "write_results"]

COLUMNS = (
    Column("slide", "", "the slide as it was listed", "str"),
    Column("level", "", "where it was cut, as it was listed", "str"),
    Column("store", "", "where its result lies", "str"),
    Column("state", "", "done or failed", "str"),
    Column("reason", "", "why it failed", "str"),
    *(column for column in REGION_COLUMNS if column.name != "region" and column != HISTOGRAM),
    Column("confidence", "1", "mean of the likeliest class's probability over all that counts; not with own masks"),
    Column("unfamiliar_cells", "1", "cells of the maps unlike anything the network was trained on", "int64"),
    Column("warnings", "", "what to look at before believing the numbers", "str"),
)
"""The columns of the table; those of the tissue are a region's, which here is all of the slide that counts.

:data:`~axonflow.fiber.region_table.UNMYELINATED_COLUMNS` follow them if the classes of any slide have such axons.
"""

_AFTER_TISSUE = [column.name for column in COLUMNS].index("confidence")

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


def summarise(outcomes: Sequence[Outcome[Numbers]]) -> pd.DataFrame:
    """Put what happened to all slides into a table.

    Parameters
    ----------
    outcomes : sequence of Outcome
        With what :func:`slide_numbers` made of each slide that is done.

    Returns
    -------
    DataFrame
        :data:`COLUMNS`, one row per slide, in order.
    """
    rows = [_row(outcome) for outcome in outcomes]
    kinds = {"str": ("object", ""), "int64": ("Int64", None)}  # which know a missing value
    table = {}
    columns = [*COLUMNS]
    if any(UNMYELINATED_COLUMNS[0].name in row for row in rows):
        columns[_AFTER_TISSUE:_AFTER_TISSUE] = UNMYELINATED_COLUMNS
    for column in columns:
        kind, nothing = kinds.get(column.dtype, (column.dtype, None))
        table[column.name] = pd.Series([row.get(column.name, nothing) for row in rows], dtype=kind)
    return pd.DataFrame(table)


def write_results(table: pd.DataFrame, folder: Path) -> list[Path]:
    """Write the table as ``summary.csv``, and figures and report that compare the slides.

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
    summary = folder / "summary.csv"
    write_file(summary, for_csv(table).to_csv(index=False).encode())
    if (table["state"] == "done").any():
        return [summary, *write_comparison(table, folder)]
    remove(*(folder / name for name in (*FIGURES, "report.html")))
    return [summary]


def _row(outcome: Outcome[Numbers]) -> Numbers:
    listed, job = outcome.entry.listed, outcome.entry.job
    return {
        "slide": listed.name,
        "level": listed.level,
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
    return {str(name): value for name, value in row.items()}
