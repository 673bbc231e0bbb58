"""The table of a batch: its columns, and its file ``summary.csv``, one row per slide.

What a manifest says of animals, and its further columns, stand after ``level`` if it has them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from axonflow.errors import StoreError
from axonflow.fiber.columns import Column, for_csv
from axonflow.fiber.region_table import HISTOGRAM, REGION_COLUMNS, UNMYELINATED_COLUMNS
from axonflow.kernel.files import write_file
from axonflow.kernel.text import from_cell

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["COLUMNS", "SUBJECT_COLUMNS", "columns_of", "further_columns", "read_summary", "write_summary"]

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
"""The columns of every table; those of the tissue are a region's, which here is all of the slide that counts.

:data:`~axonflow.fiber.region_table.UNMYELINATED_COLUMNS` follow them if the classes of any slide have such axons.
"""

SUBJECT_COLUMNS = (
    Column("animal", "", "whose tissue it shows, as it was listed", "str"),
    Column("group", "", "the animal's group, as it was listed", "str"),
    Column("region", "", "what part of the animal it shows, as it was listed", "str"),
    Column("exclude", "", "why it does not count for its animal, as it was listed", "str"),
)
"""Those after ``level`` if the slides are listed with animals."""

_KNOWN = {column.name: column for column in (*COLUMNS, *SUBJECT_COLUMNS, *UNMYELINATED_COLUMNS)}


def columns_of(table: pd.DataFrame) -> tuple[Column, ...]:
    """Return what the columns of a table are, in its order; further columns of a manifest are text."""
    return tuple(_KNOWN.get(name) or Column(name, "", "as it was listed", "str") for name in map(str, table))


def further_columns(table: pd.DataFrame) -> list[str]:
    """Return the names of the columns that a manifest has and nobody here understands."""
    return [name for name in map(str, table) if name not in _KNOWN]


def write_summary(table: pd.DataFrame, folder: Path) -> Path:
    """Write ``summary.csv``; it appears whole or not at all."""
    path = folder / "summary.csv"
    write_file(path, for_csv(table).to_csv(index=False).encode())
    return path


def read_summary(folder: Path) -> pd.DataFrame:
    """Read the table that a batch has written; every value is as it was.

    Raises
    ------
    StoreError
        If there is none.
    """
    import pandas as pd

    path = folder / "summary.csv"
    try:
        table = pd.read_csv(path, dtype="object", keep_default_na=False).rename(columns=from_cell)
        for column in columns_of(table):
            cells = table[column.name]
            if column.dtype == "str":
                table[column.name] = cells.map(from_cell)
            else:
                numbers = pd.Series([float(cell) if cell else None for cell in cells], dtype="float64")
                table[column.name] = numbers.astype("Int64") if column.dtype == "int64" else numbers
        if missing := [column.name for column in COLUMNS if column.name not in table]:
            raise ValueError(f"no column {', '.join(missing)}")
    except (OSError, ValueError) as error:
        raise StoreError(
            f"A store that 'axonflow run' wrote, or the folder of a batch, was expected at {folder}, but there is "
            "neither run.json nor a readable summary.csv in it."
        ) from error
    return table
