"""The tables as a workbook for Excel: axons, regions, what each column means, and where the numbers come from.

Rows are streamed, so memory holds one of them and the table. A sheet has 1,048,576 rows at most; more axons than that
go on in a further sheet. Text is text, whatever it begins with: none is a formula.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from axonflow.errors import InputError
from axonflow.kernel.extras import library
from axonflow.kernel.files import new_file
from axonflow.results.analysis import Analysis
from axonflow.results.export.origin import origin
from axonflow.results.export.units import described

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["write_xlsx"]

ROWS = 2**20 - 1
"""Of a table in a sheet, below the names of its columns."""

_NO_LETTER = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
"""What XML cannot hold."""


def write_xlsx(analysis: Analysis, path: Path) -> None:
    """Write the workbook.

    Raises
    ------
    InputError
        If openpyxl is not installed, or the name ends in something else.
    """
    if path.suffix.lower() != ".xlsx":
        raise InputError(f"A file ending in .xlsx was expected, {path.name} came; rename --out.")
    openpyxl = library("openpyxl", "xlsx", "the format xlsx")
    book = openpyxl.Workbook(write_only=True)
    tables = {"fibers": analysis.fibers}
    if analysis.record["config"].get("regions") is not None:
        from axonflow.fiber.region_table import spread_histogram

        tables["regions"] = spread_histogram(analysis.regions)
    for name, table in tables.items():
        for k, first in enumerate(range(0, max(len(table), 1), ROWS), 1):
            _write(book, name if k == 1 else f"{name} {k}", [*table], _rows(table.iloc[first : first + ROWS]))
    about = (
        (name, column, *said)
        for name in tables
        for column, said in described(analysis.store / "tables" / f"{name}.parquet").items()
    )
    _write(book, "columns", ["table", "column", "unit", "meaning"], about)
    _write(book, "origin", ["name", "value"], origin(analysis).items())
    with new_file(path) as part:
        book.save(part)


def _write(book: Any, name: str, names: list[str], rows: Iterable[Iterable[Any]]) -> None:
    from openpyxl.cell import WriteOnlyCell

    sheet = book.create_sheet(name)
    sheet.freeze_panes = "A2"

    def cell(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        text = WriteOnlyCell(sheet, _NO_LETTER.sub("�", value))
        text.data_type = "s"
        return text

    sheet.append([cell(each) for each in names])
    for row in rows:
        sheet.append([cell(value) for value in row])


def _rows(table: pd.DataFrame) -> Iterator[tuple[Any, ...]]:
    """Yield the rows as Python values; what is missing, or no number, is an empty cell."""
    columns = [table[name].to_numpy() for name in table]
    for first in range(0, len(table), 2**14):
        parts = [column[first : first + 2**14].tolist() for column in columns]
        for row in zip(*parts, strict=True):
            yield tuple(None if isinstance(value, float) and not math.isfinite(value) else value for value in row)
