"""The tables as a workbook for Excel: axons, regions, what each column means, and where the numbers come from."""

from __future__ import annotations

from pathlib import Path

from axonflow.errors import InputError
from axonflow.kernel.extras import library
from axonflow.kernel.files import new_file
from axonflow.results.analysis import Analysis
from axonflow.results.export.origin import origin
from axonflow.results.export.units import described
from axonflow.results.workbook import Sheet, rows_of, write_workbook

__all__ = ["write_xlsx"]


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
    tables = {"fibers": analysis.fibers}
    if analysis.record["config"].get("regions") is not None:
        from axonflow.fiber.region_table import spread_histogram

        tables["regions"] = spread_histogram(analysis.regions)
    about = (
        (name, column, *said)
        for name in tables
        for column, said in described(analysis.store / "tables" / f"{name}.parquet").items()
    )
    sheets = [Sheet(name, [*table], rows_of(table)) for name, table in tables.items()]
    sheets += [Sheet("columns", ["table", "column", "unit", "meaning"], about)]
    sheets += [Sheet("origin", ["name", "value"], origin(analysis).items())]
    with new_file(path) as part:
        write_workbook(sheets, openpyxl, part)
