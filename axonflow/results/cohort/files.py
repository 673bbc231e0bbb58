"""The tables of a batch's animals as files: each as CSV and Parquet, and all as the sheets of one Excel workbook.

Equal tables give equal bytes. A workbook is a zip archive that says when it was written: here that is always the same
moment.
"""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from axonflow.fiber.columns import for_csv, write_columns
from axonflow.kernel.files import write_file
from axonflow.results.cohort.tables import Cohort, Table

__all__ = ["WORKBOOK", "write_tables"]

WORKBOOK = "animals.xlsx"

_WRITTEN = "2000-01-01T00:00:00Z"
_NOT_IN_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_WIDEST = 40


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
        from openpyxl import Workbook
    except ImportError:
        return (
            f"{WORKBOOK} was not written, as the package openpyxl is not there: pip install openpyxl, and give the "
            "command again. The same tables are there as CSV and Parquet."
        )
    write_file(folder / WORKBOOK, _workbook(cohort, Workbook), durable=False)
    return ""


def _workbook(cohort: Cohort, make: Any) -> bytes:
    book = make(write_only=True)
    for table in cohort.tables.values():
        _fill(book.create_sheet(table.name), table)
    written = io.BytesIO()
    book.save(written)
    return _of_one_moment(written.getvalue())


def _fill(sheet: Any, table: Table) -> None:
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    sheet.freeze_panes = "A2"
    for place, name in enumerate(table.rows, 1):
        longest = max([len(str(name)), *(len(value) for value in table.rows[name] if isinstance(value, str))])
        sheet.column_dimensions[get_column_letter(place)].width = min(longest + 2, _WIDEST)

    def text(value: str) -> Any:
        cell = WriteOnlyCell(sheet, _NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", value))
        cell.data_type = "s"  # whatever it looks like: neither a formula nor an error
        return cell

    def head(name: str) -> Any:
        cell = text(name)
        cell.font = Font(bold=True)
        return cell

    sheet.append([head(str(name)) for name in table.rows])
    for row in table.rows.itertuples(index=False):
        sheet.append([text(value) if isinstance(value, str) else _number(value) for value in row])


def _number(value: Any) -> Any:
    if pd.isna(value):
        return None
    return int(value) if isinstance(value, int | np.integer) else float(value)


def _of_one_moment(book: bytes) -> bytes:
    """Return a workbook as if it had been written at the beginning of 2000."""
    content = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(book)) as before, zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as after:
        for info in before.infolist():
            part = before.read(info)
            if info.filename == "docProps/core.xml":
                part = re.sub(rb">[^<]*</dcterms:", f">{_WRITTEN}</dcterms:".encode(), part)
            after.writestr(zipfile.ZipInfo(info.filename, (2000, 1, 1, 0, 0, 0)), part, zipfile.ZIP_DEFLATED)
    return content.getvalue()
