"""The tables of a batch's animals as files: each as CSV and Parquet, and all as the sheets of one Excel workbook."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from axonflow.errors import InputError
from axonflow.fiber.columns import for_csv, write_columns
from axonflow.kernel.extras import library
from axonflow.kernel.files import new_file, write_file
from axonflow.results.cohort.tables import Cohort, Table
from axonflow.results.workbook import Sheet, rows_of, write_workbook

__all__ = ["WORKBOOK", "write_tables"]

WORKBOOK = "animals.xlsx"


def write_tables(cohort: Cohort, folder: Path) -> str:
    """Write all tables into a folder that is there.

    Returns
    -------
    str
        What is missing and what to do about it, a sentence; empty if nothing is.
    """
    for table in cohort.tables.values():
        write_file(folder / f"{table.name}.csv", for_csv(table.rows).to_csv(index=False).encode(), durable=False)
        columns = [replace(column, optional=True) for column in table.columns]
        write_columns([table.rows], columns, folder / f"{table.name}.parquet")
    try:
        openpyxl = library("openpyxl", "xlsx", WORKBOOK)
    except InputError:
        return (
            f"{WORKBOOK} was not written, as the package openpyxl is not there: pip install openpyxl, and give the "
            "command again. The same tables are there as CSV and Parquet."
        )
    with new_file(folder / WORKBOOK, durable=False) as part:
        write_workbook(map(_sheet, cohort.tables.values()), openpyxl, part)
    return ""


def _sheet(table: Table) -> Sheet:
    widths = [
        max([len(str(name)), *(len(value) for value in table.rows[name] if isinstance(value, str))])
        for name in table.rows
    ]
    return Sheet(table.name, [*map(str, table.rows)], rows_of(table.rows), widths)
