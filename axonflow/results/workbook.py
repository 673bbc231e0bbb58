"""A workbook for Excel from tables, row by row: openpyxl keeps one in memory.

Text is text, whatever it begins with: none is a formula. Equal tables give equal bytes: a workbook is a zip archive
that says when it was written, and here that is always the same moment. A sheet has 1,048,576 rows at most; what is more
goes on in a further one.
"""

from __future__ import annotations

import io
import math
import re
import shutil
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Sheet", "rows_of", "write_workbook"]

ROWS = 2**20 - 1
"""Of a table in a sheet, below the names of its columns."""

_WRITTEN = "2000-01-01T00:00:00Z"
_NOT_IN_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_WIDEST = 40


@dataclass(frozen=True, eq=False)
class Sheet:
    """A table of a workbook.

    Attributes
    ----------
    name : str
    columns : sequence of str
    rows : iterable of iterables
        Text, numbers, truth values; None is an empty cell.
    widths : sequence of int
        Letters in each column; as Excel has them if left out.
    """

    name: str
    columns: Sequence[str]
    rows: Iterable[Iterable[Any]]
    widths: Sequence[int] = ()


def rows_of(table: pd.DataFrame) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a table as Python values; what is missing, or no number, is None."""
    columns = [table[name].to_numpy() for name in table]
    for first in range(0, len(table), 2**14):
        parts = [column[first : first + 2**14].tolist() for column in columns]
        for row in zip(*parts, strict=True):
            yield tuple(None if isinstance(value, float) and not math.isfinite(value) else value for value in row)


def write_workbook(sheets: Iterable[Sheet], openpyxl: ModuleType, path: Path) -> None:
    """Write a workbook.

    Parameters
    ----------
    sheets : iterable of Sheet
    openpyxl : module
        The library, which is an extra of axonflow.
    path : Path
        What is there is replaced.

    Raises
    ------
    OSError
        What the file system says, as it is.
    """
    book = openpyxl.Workbook(write_only=True)
    for sheet in sheets:
        _fill(book, sheet)
    with TemporaryDirectory() as folder:
        book.save(Path(folder) / "workbook")
        _copy_of_one_moment(Path(folder) / "workbook", path)


def _fill(book: Any, sheet: Sheet) -> None:
    """Fill a sheet, and further ones with what it has no room for."""
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    rows, part = iter(sheet.rows), 1
    first: list[Iterable[Any]] = []
    while part == 1 or (first := [*islice(rows, 1)]):
        page = book.create_sheet(sheet.name if part == 1 else f"{sheet.name} {part}")
        page.freeze_panes = "A2"
        for place, letters in enumerate(sheet.widths, 1):
            page.column_dimensions[get_column_letter(place)].width = min(letters + 2, _WIDEST)

        def cell(value: Any, page: Any = page) -> Any:
            if not isinstance(value, str):
                return value
            text = WriteOnlyCell(page, _NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", value))
            text.data_type = "s"  # whatever it looks like: neither a formula nor an error
            return text

        names = [cell(name) for name in sheet.columns]
        for name in names:
            name.font = Font(bold=True)
        page.append(names)
        for row in chain(first, islice(rows, ROWS - len(first))):
            page.append([cell(value) for value in row])
        part += 1


def _copy_of_one_moment(book: Path, path: Path) -> None:
    """Copy a workbook as if it had been written at the beginning of 2000."""
    with zipfile.ZipFile(book) as before, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as after:
        for info in before.infolist():
            same = zipfile.ZipInfo(info.filename, (2000, 1, 1, 0, 0, 0))
            same.compress_type = zipfile.ZIP_DEFLATED
            with before.open(info) as content, after.open(same, "w", force_zip64=True) as out:
                if info.filename == "docProps/core.xml":
                    dated = re.sub(rb">[^<]*</dcterms:", f">{_WRITTEN}</dcterms:".encode(), content.read())
                    content = io.BytesIO(dated)
                shutil.copyfileobj(content, out)
