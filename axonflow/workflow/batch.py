"""Many slides, one pool: a slide that fails is told and leaves the others alone; what comes out is one table.

All slides are opened before the first is run, so that what cannot work is known at once. The order of the slides is the
caller's throughout.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from axonflow.engine.journal import write_whole
from axonflow.engine.pool import Pool
from axonflow.engine.profile import Profile
from axonflow.engine.runner import Watch
from axonflow.errors import AxonflowError, FleetError, InputError
from axonflow.fiber.columns import Column
from axonflow.fiber.region_table import HISTOGRAM, REGION_COLUMNS, region_table
from axonflow.kernel.tally import Tally
from axonflow.results.analysis import Analysis, open_store
from axonflow.results.report import FIGURES, write_comparison
from axonflow.stages.map import counted_axons
from axonflow.workflow.job import Job, prepare, run_job
from axonflow.workflow.manifest import Listed

__all__ = ["COLUMNS", "Entry", "Told", "check", "run_batch", "write_results"]

log = logging.getLogger(__name__)

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
"""The columns of the table; those of the tissue are a region's, which here is all of the slide that counts."""

Told = Callable[["Entry", Literal["begun", "done", "failed"], str], None]
"""Is told how a slide gets on, and why it failed."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A slide of a batch: a job that is ready to start, or why there is none.

    Attributes
    ----------
    listed : Listed
    job : Job or None
    reason : str
    """

    listed: Listed
    job: Job | None
    reason: str = ""

    @property
    def complete(self) -> bool:
        """Whether nothing is left to do."""
        return self.job is not None and all(self.job.journal.record(stage).complete for stage in self.job.stages)


def check(
    slides: Iterable[Listed], settings: Mapping[str, Any], stores: Path, *, gpu: bool = False
) -> tuple[Entry, ...]:
    """Open all slides, with their models and masks.

    Parameters
    ----------
    slides : iterable of Listed
    settings : Mapping
        Values of fields of :class:`~axonflow.workflow.config.Config` for all slides.
    stores : Path
        Folder of the stores.
    gpu : bool
        Whether the network will be applied by workers with a GPU.

    Returns
    -------
    tuple of Entry
        One per slide; what is wrong with one is its entry's reason.

    Raises
    ------
    InputError
        If two slides would write the same store.
    """
    entries = tuple(_entry(listed, settings, stores, gpu=gpu) for listed in slides)
    writers: dict[Path, Entry] = {}
    for entry in entries:
        if entry.job is None:
            continue
        store = entry.job.config.out.resolve()
        if store in writers:
            raise InputError(
                f"A store for each slide was expected, {writers[store].listed.name} and {entry.listed.name} would both "
                f"write {store}; give them places of their own in the manifest's column 'out'."
            )
        writers[store] = entry
    return entries


def run_batch(
    entries: Sequence[Entry],
    pool: Pool,
    profile: Profile,
    watch: Watch,
    told: Told,
    *,
    fresh: bool = False,
    then: Callable[[Analysis], object] | None = None,
) -> pd.DataFrame:
    """Run what is missing of all slides, one after the other on one pool.

    Parameters
    ----------
    entries : sequence of Entry
    pool : Pool
    profile : Profile
        That of the pool.
    watch : Watch
        Of the stages of every slide.
    told : callable
    fresh : bool
        Whether to remove the stores first.
    then : callable, optional
        What else to make of each result, such as its report.

    Returns
    -------
    DataFrame
        :data:`COLUMNS`, one row per slide, in order.

    Raises
    ------
    FleetError
        If the pool is gone; that is no fault of a slide.
    """
    for entry in entries:
        if entry.job is None:
            told(entry, "failed", entry.reason)
    rows = [_run(entry, pool, profile, watch, told, fresh=fresh, then=then) for entry in entries]
    kinds = {"str": ("object", ""), "int64": ("Int64", None)}  # which know a missing value
    table = {}
    for column in COLUMNS:
        kind, nothing = kinds.get(column.dtype, (column.dtype, None))
        table[column.name] = pd.Series([row.get(column.name, nothing) for row in rows], dtype=kind)
    return pd.DataFrame(table)


def write_results(table: pd.DataFrame, folder: Path) -> list[Path]:
    """Write the table as ``summary.csv``, and figures and report that compare the slides.

    Those of an earlier table are removed where no slide is done.

    Parameters
    ----------
    table : DataFrame
        As :func:`run_batch` returned it.
    folder : Path

    Returns
    -------
    list of Path
        What was written.
    """
    summary = folder / "summary.csv"
    write_whole(summary, table.to_csv(index=False).encode())
    if (table["state"] == "done").any():
        return [summary, *write_comparison(table, folder)]
    for name in (*FIGURES, "report.html"):
        (folder / name).unlink(missing_ok=True)
    return [summary]


def _entry(listed: Listed, settings: Mapping[str, Any], stores: Path, *, gpu: bool) -> Entry:
    try:
        return Entry(listed, prepare(listed.config(settings, stores), gpu=gpu))
    except Exception as error:
        return Entry(listed, None, _reason(error))


def _run(
    entry: Entry,
    pool: Pool,
    profile: Profile,
    watch: Watch,
    told: Told,
    *,
    fresh: bool,
    then: Callable[[Analysis], object] | None,
) -> dict[str, Any]:
    """Return a slide's row."""
    row: dict[str, Any] = {"slide": entry.listed.name, "level": entry.listed.level}
    if entry.job is None:
        return row | {"state": "failed", "reason": entry.reason}
    row["store"] = str(entry.job.config.out.absolute())
    told(entry, "begun", "")
    try:
        run_job(entry.job, profile, pool=pool, fresh=fresh, watch=watch)
        if then:
            then(open_store(entry.job.config.out))
        row |= {"state": "done"} | _numbers(entry.job)
    except FleetError:
        raise
    except Exception as error:
        reason = _reason(error)
        told(entry, "failed", reason)
        return row | {"state": "failed", "reason": reason}
    told(entry, "done", "")
    return row


def _reason(error: Exception) -> str:
    if not isinstance(error, AxonflowError | OSError):
        log.error("a slide failed", exc_info=error)
    said = str(error) if isinstance(error, AxonflowError) else f"{type(error).__name__}: {error}"
    return " ".join(said.split())


def _numbers(job: Job) -> dict[str, Any]:
    """Return what is in a slide's row if all went well."""
    result = open_store(job.config.out)
    noted = result.record["stages"]["map"]
    tissue = _tissue(job)
    return {
        **tissue,
        "confidence": noted.get("confidence"),
        "unfamiliar_cells": noted.get("unfamiliar_cells"),
        "warnings": "; ".join(_warnings(result, tissue["axon_count"])),
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


def _warnings(result: Analysis, axons: int) -> Iterator[str]:
    stages, source = result.record["stages"], result.record["slide"]["pixel_size_source"]
    if not axons:
        yield "no axon counts"
    if beyond := stages["measure"]["myelin_px_beyond_reach"]:
        yield f"{beyond:,} px of myelin farther from an axon than --max-myelin"
    if cells := stages["map"].get("unfamiliar_cells"):
        judged = int(result.maps["unfamiliar"].count())
        yield f"{cells:,} of {judged:,} cells look unlike anything the network was trained on"
    if "not believed" in source:
        yield f"pixel size from {source}"
