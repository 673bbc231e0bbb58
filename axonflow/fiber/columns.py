"""Tables on disk: Parquet files whose every column says its unit and what it means; and text that is safe in CSV."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from axonflow.errors import DamageError, StoreError
from axonflow.kernel.files import new_file
from axonflow.kernel.text import to_cell

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from pyarrow import parquet

__all__ = ["ROWS", "Column", "column_names", "count_rows", "for_csv", "read_columns", "read_groups", "write_columns"]

ROWS = 2**16
"""Of a group in a file: what is read at once, a few MB."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes
    ----------
    name : str
        As it stands in the table.
    unit : str
        ``um``, ``um^2``, ``mm^2``, ``mm^-2``, ``px``, ``rad``, ``1`` for a pure number, or nothing for a name.
    meaning : str
        What it says, and its formula.
    dtype : str
        A numpy type, ``str`` (which may be missing) or ``list[int64]``.
    """

    name: str
    unit: str
    meaning: str
    dtype: str = "float64"

    @property
    def field(self) -> pa.Field:
        """The column as Parquet has it, with ``unit`` and ``description`` in its metadata."""
        import pyarrow as pa

        kind = pa.list_(pa.int64()) if self.dtype == "list[int64]" else pa.type_for_alias(self.dtype)
        about = {"unit": self.unit, "description": self.meaning}
        return pa.field(self.name, kind, nullable=self.dtype == "str", metadata=about)


def write_columns(parts: Iterable[pd.DataFrame], columns: Sequence[Column], path: Path) -> None:
    """Write these columns of a table; the file appears whole or not at all, and equal tables give equal bytes.

    The table comes in parts of :data:`ROWS` rows or a multiple, but for the last.
    """
    import pyarrow as pa
    from pyarrow import parquet

    schema = pa.schema([column.field for column in columns])
    repeated = [column.name for column in columns if column.dtype == "str"]  # of numbers, few are twice the same
    with (
        new_file(path) as unnamed,
        parquet.ParquetWriter(
            unnamed, schema, compression="zstd", use_dictionary=repeated, write_page_checksum=True
        ) as file,
    ):
        for part in parts:
            arrays = [pa.array(part[field.name].to_numpy(), field.type, from_pandas=field.nullable) for field in schema]
            file.write_table(pa.Table.from_arrays(arrays, schema=schema), row_group_size=ROWS)


def for_csv(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table as it may be written as CSV: text that a spreadsheet would run begins with an apostrophe.

    :func:`axonflow.kernel.text.from_cell` takes it away again. Numbers, headers and missing values are as they were.
    """
    from pandas.api.types import is_numeric_dtype

    safe = table.copy(deep=False)
    for name in table:
        if not is_numeric_dtype(table[name]):
            safe[name] = table[name].map(_cell)
    return safe


def _cell(value: object) -> object:
    return to_cell(value) if isinstance(value, str) else value


def column_names(path: Path, what: str) -> list[str]:
    """Return the names of the columns that a table has; ``what`` is in it, in the message if it cannot be read.

    Raises
    ------
    StoreError
        If there is no such table, or the file is something else.
    """
    names: list[str] = _opened(path, what).schema_arrow.names
    return names


def count_rows(path: Path, what: str) -> int:
    """Return how many rows a table has; parameters and errors as of :func:`column_names`."""
    return int(_opened(path, what).metadata.num_rows)


def read_columns(path: Path, names: Sequence[str], what: str) -> pd.DataFrame:
    """Read columns of a table.

    Raises
    ------
    StoreError
        If there is no such table, it lacks one of them, or the file is something else.
    """
    from pyarrow import ArrowInvalid, parquet

    found = column_names(path, what)
    missing = [name for name in names if name not in found]
    if missing:
        raise StoreError(
            f"A table of {what} was expected at {path}, but it has no column {', '.join(missing)}; "
            "run the measure stage again."
        )
    try:
        table: pd.DataFrame = parquet.read_table(path, columns=list(names), page_checksum_verification=True).to_pandas()
    except (OSError, ArrowInvalid) as reason:
        raise _unreadable(path, what, reason) from reason
    return table


def read_groups(
    path: Path, names: Sequence[str], what: str, within: tuple[str, float, float] | None = None
) -> Iterator[tuple[int, pd.DataFrame]]:
    """Yield the groups of rows of a table with the number of their first row.

    Those are left out that have nothing between two values of a column, given as (name, low, high).

    Raises
    ------
    StoreError
        If there is no such table, or the file is something else.
    """
    from pyarrow import ArrowInvalid, parquet

    first = 0
    try:
        with parquet.ParquetFile(path, page_checksum_verification=True) as file:
            for i in range(file.num_row_groups):
                group = file.metadata.row_group(i)
                if within is None or _reaches(group.column(file.schema_arrow.get_field_index(within[0])), *within[1:]):
                    yield first, file.read_row_group(i, columns=list(names)).to_pandas()
                first += group.num_rows
    except (OSError, ArrowInvalid) as reason:
        raise _unreadable(path, what, reason) from reason


def _opened(path: Path, what: str) -> parquet.ParquetFile:
    from pyarrow import ArrowInvalid, parquet

    try:
        return parquet.ParquetFile(path)
    except (OSError, ArrowInvalid) as reason:
        raise _unreadable(path, what, reason) from reason


def _reaches(column: parquet.ColumnChunkMetaData, low: float, high: float) -> bool:
    known = column.statistics
    return known is None or not known.has_min_max or bool(known.min <= high and known.max >= low)


def _unreadable(path: Path, what: str, reason: Exception) -> DamageError:
    return DamageError(
        f"A table of {what} was expected at {path}, but it cannot be read ({reason}); run the measure stage again."
    )
